"""Columns of many words, from the table to the forecast: numbered, learned, unknown, taken wherever rows come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnxruntime import InferenceSession

import forecast
from forecast import DataError, ReadOptions, Run, Settings
from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.choices.words import decide_words
from forecast.commands.replay import replay
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.service import Lane, Service
from forecast.data.clock import Clock
from forecast.data.panel import Panel, Text
from forecast.data.prepare import prepare
from forecast.plots.tables import column_table
from recording import RecordingProgress

LEARNED = {"plan": "12 words or none", "region": "14 words"}

N_DAYS, N_SERIES, N_REGIONS, N_PLANS = 60, 28, 14, 13


def shops(first: int = 0, n_series: int = N_SERIES, seed: int = 0) -> pd.DataFrame:
    """Shops of 14 regions, each with a week of its own; on some days one of 13 campaigns. Rows 55 … 59 are to come."""
    rng, weeks = np.random.default_rng(seed), np.random.default_rng(1).normal(0, 3, (N_REGIONS, 7))
    lifts = np.random.default_rng(2).normal(0, 4, N_PLANS + 1)
    lifts[0] = 0
    parts = []
    for number in range(first, first + n_series):
        days, plan = np.arange(N_DAYS), rng.integers(1, N_PLANS + 1, N_DAYS) * (rng.random(N_DAYS) < 0.3)
        y = 20 + weeks[number % N_REGIONS, days % 7] + lifts[plan] + rng.normal(0, 0.3, N_DAYS)
        y[-5:] = np.nan
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": f"shop {number:02d}",
                    "ds": pd.date_range("2024-01-01", periods=N_DAYS),
                    "y": y,
                    "price": rng.normal(5, 1, N_DAYS),
                    "region": f"region {number % N_REGIONS:02d}",
                    "plan": np.where(plan > 0, np.char.add("plan ", plan.astype(str)), ""),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def settings(tiny: Callable[..., Settings]) -> Settings:
    shape = {"model": "segment-lstm", "segment": 3, "batch_size": 64, "horizon": 5, "epochs": 1, "normalise": "last"}
    return tiny(**shape, target="y", known="price,plan", static="region", baseline=False, calendar=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shops as a file, in which one campaign and one region come up in the newest rows only."""
    frame = shops()
    frame.loc[(frame["plan"] == "plan 7") & (frame["ds"] < "2024-02-20"), "plan"] = ""
    path = tmp_path_factory.mktemp("table") / "shops.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(table: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory, plotless: None) -> Run:
    return forecast.train(table, settings, run="run", runs_dir=tmp_path_factory.mktemp("runs"))


def one_shop(run: Run, **columns: object) -> tuple[np.ndarray, list[str]]:
    """The forecast of a shop that was trained on, with other words, and what was said."""
    progress = RecordingProgress()
    frame = shops(n_series=1).replace({"plan": {"plan 7": ""}}).assign(**columns)
    return forecast.predict(run, frame, progress=progress)["segment-lstm"].to_numpy(), progress.warnings


def test_they_are_told_at_reading_and_learned_where_they_are_named(table: Path, settings: Settings) -> None:
    panel = forecast.read(table)
    named = "'region' (14 words, static), 'plan' (13 words, known)"
    assert f"Columns of words, learned as embeddings where they are named: {named}." in panel.notes
    assert panel.columns == ("y", "price")
    assert resolve(settings.replace(data={"known": (), "static": None}), panel)[0].categories == {}
    config, choices = resolve(settings, panel)
    assert config.data.known == ("plan", "region", "price")  # embeddings come first
    assert config.categories == {"plan": 14, "region": 15}  # of the campaigns one is not known, and none is one, too
    plan, region = (f"{name} ({words}, learned as an embedding)" for name, words in LEARNED.items())
    known = f"known ahead: {plan}, {region}, price"
    assert any(known in sentence for sentence in plan_in_sentences(config, panel.clock, choices))
    static = resolve(settings.replace(data={"known": ()}), panel)[0]
    assert static.data.known == static.data.static == ("region",)
    with pytest.raises(DataError, match="'plan' changes in a series"):
        resolve(settings.replace(data={"static": ("plan",)}), panel)
    with pytest.raises(DataError, match=r"'region' was left out\. It holds 14 words, learned as an embedding where"):
        resolve(settings.replace(data={"covariates": ("region",), "static": None}), panel)
    assert "describe it: region; not fed, unless named as static" in str(
        plan_in_sentences(*(lambda found: (found[0], panel.clock, found[1]))(resolve(forecast.configure(), panel)))
    )


def test_a_word_of_the_test_span_changes_no_earlier_input(settings: Settings) -> None:
    frame = shops()
    frame.loc[3, "region"] = None  # of a shop whose other cells hold one word
    panel = forecast.read(frame)
    config = resolve(settings, panel)[0]
    before = prepare(panel, config).rows
    frame.loc[N_DAYS - 8, "region"] = "region 05"  # which moves in the test span
    after = prepare(forecast.read(frame), config).rows
    is_earlier = before.panel.times < np.datetime64("2024-02-20")
    assert np.array_equal(before.scaled[is_earlier], after.scaled[is_earlier], equal_nan=True)
    assert not np.array_equal(before.scaled, after.scaled, equal_nan=True)


def test_words_are_numbered_by_the_training_rows(run: Run, table: Path) -> None:
    (plan,) = (own for own in run.config.read.notation if own.column == "plan")
    assert plan.words == ("", *sorted(f"plan {number}" for number in range(1, 14) if number != 7))
    panel = forecast.read(table, run.config.read)
    assert panel.fingerprint() == run.data["fingerprint"]
    assert "'plan': 'plan 7' in" in str(panel.warnings)
    frame = pd.read_csv(table, keep_default_na=False)
    numbers = [plan.words.index(word) + 1 if word in plan.words else 0 for word in frame["plan"]]
    np.testing.assert_array_equal(panel.values[:, panel.column("plan")], numbers)
    prepared = prepare(panel, run.config)
    np.testing.assert_array_equal(prepared.rows.inputs[:, 1], numbers)
    assert run.shape.categories == prepared.rows.categories == (14, 15)
    assert run.weights("model")["1/category_1/table"].shape == (14, 4)


def test_an_audit_finds_no_leak_and_a_replay_the_same(run: Run) -> None:
    audited = forecast.audit(run)
    assert audited.passed, [check.line for check in audited.checks if not check.passed]
    assert replay(run).same


def test_a_word_that_is_not_known_is_the_unknown_one(run: Run) -> None:
    own, warnings = one_shop(run)
    assert not any("unknown" in text for text in warnings)
    assert "1 column that the run does not know was passed over: junk" in one_shop(run, junk=np.arange(60))[1]
    mars, warnings = one_shop(run, region="Mars")
    assert "'region': 'Mars' in 60 row(s) stand in no training row: unknown." in warnings
    assert (mars != own).any()
    np.testing.assert_array_equal(mars, one_shop(run, region="Venus")[0])
    np.testing.assert_array_equal(mars, one_shop(run, region=None)[0])
    assert (one_shop(run, plan="")[0] != one_shop(run, plan="plan 77")[0]).any()  # no campaign is none that is unknown


def test_no_word_is_a_word_where_training_rows_have_none() -> None:
    plan = ["a", "", "b", "a", "b", "a", "b", "c"]  # of eight cells one, and of the last rows none is trained on
    texts = {
        "plan": Text(("a", "b", "c"), np.array([-1 if not word else "abc".index(word) for word in plan], np.int32)),
        "full": Text(("a", "b"), np.array([0, 1, 0, 1, 0, 1, -1, 0], np.int32)),
        "region": Text(("r", "s"), np.array([0, -1, 0, 0, 1, 1, 1, 1], np.int32)),
        "land": Text(("x", "y"), np.array([-1, -1, -1, 0, 1, 1, 1, 1], np.int32)),
    }
    times = np.tile(np.arange(4), 2).astype("datetime64[D]")
    panel = Panel(np.zeros((8, 1)), times, ("y",), Clock("D"), ("p", "q"), (0, 4, 8), texts=texts)
    found = decide_words(panel, times < np.datetime64("1970-01-03"), list(texts))
    words = {own.column: own.words for own in found.read_options["notation"]}
    assert words == {"plan": ("", "a", "b"), "full": ("a", "b"), "region": ("r", "s"), "land": ("", "y")}
    numbers = {name: found.values[:, found.column(name)].tolist() for name in texts}
    assert numbers["plan"] == [2, 1, 3, 2, 3, 2, 3, 0]
    assert numbers["full"] == [1, 2, 1, 2, 1, 2, 0, 1]
    assert numbers["region"] == [1, 1, 1, 1, 2, 2, 2, 2]  # where it never changes, it is clear
    assert numbers["land"] == [1, 1, 1, 0, 2, 2, 2, 2]  # half of its cells have none
    assert "'full': 1 cell(s) hold no word, as no training row does: unknown." in found.warnings
    (empty,) = (own for own in found.read_options["notation"] if own.column == "full")
    assert empty.numbers("") == {"full": 0.0}  # as a stream reads it


def test_known_words_must_be_known_ahead_and_static_ones_stay(run: Run) -> None:
    frame = shops(n_series=1)[:-5]
    with pytest.raises(DataError, match="'plan' must be known for the 5 steps ahead") as caught:
        forecast.predict(run, frame)
    assert caught.value.args[1] == "Add rows that hold it, their target left empty."
    frame = shops(n_series=2)
    holes = frame.assign(region=frame["region"].where(frame["y"].notna()))  # where it never changes, it is clear
    panel = forecast.read(holes, run.config.read)
    np.testing.assert_array_equal(panel.values[:, panel.column("region")], np.repeat([1, 2], N_DAYS))
    pd.testing.assert_frame_equal(forecast.predict(run, holes), forecast.predict(run, frame))


def test_a_panel_that_was_read_before_is_numbered_alike(run: Run) -> None:
    frame = shops(n_series=1)
    np.testing.assert_array_equal(forecast.predict(run, forecast.read(frame))["segment-lstm"], one_shop(run)[0])


def test_a_stream_and_a_service_take_words(run: Run, tmp_path: Path) -> None:
    frame = shops(n_series=2)
    frame.loc[frame["unique_id"] == "shop 01", "region"] = "Mars"
    expected = forecast.predict(run, frame)
    stream, found, warnings = forecast.Stream(run), {}, []
    for row in frame.to_dict("records"):
        values = {name: row[name] for name in ("y", "price", "region", "plan")}
        found[row["unique_id"]] = stream.push(row["ds"], values, row["unique_id"])
        warnings += stream.warnings
    assert [text for text in warnings if "region" in text] == [
        "'region' at 2024-01-01 stands in no training row: unknown."
    ]
    for name, last in found.items():
        of_series = expected[expected["unique_id"] == name]["segment-lstm"]
        np.testing.assert_allclose(last["segment-lstm"], of_series, rtol=1e-5)
    reader = RequestReader(run)
    described = reader.schema()["properties"]["rows"]["items"]["properties"]["region"]["anyOf"][0]["description"]
    assert described.startswith("One of 'region 00', 'region 01'")
    rows = json.loads(frame.assign(ds=frame["ds"].astype(str)).to_json(orient="records"))
    response = json.loads(Lane("test").submit(Service(run, reader), json.dumps({"rows": rows}).encode()).result())
    served = [row["segment-lstm"] for row in response["forecast"]]
    np.testing.assert_allclose(served, expected["segment-lstm"], rtol=1e-5)
    assert any("'Mars'" in text and "unknown" in text for text in response["warnings"])


@pytest.mark.parametrize("format", ["onnx", "keras"])
def test_an_exported_network_takes_their_numbers(run: Run, table: Path, tmp_path: Path, format: str) -> None:
    folder = forecast.export(run, tmp_path / "network", format=format)  # type: ignore[arg-type]
    about, example = (json.loads((folder / f"{name}.json").read_text()) for name in ("export", "example"))
    assert about["words"]["region"][3] == "region 03"
    page = (folder / "README.md").read_text()
    assert "A cell without a word is 1 there, not missing." in page  # of plans
    assert "In training no cell was without a word; 0 is such a cell, too." in page  # of regions
    fed = {name: np.array(values) for name, values in example["inputs"].items()}
    if format == "onnx":
        found = InferenceSession(folder / "network.onnx").run(None, fed)[0]
    else:
        from forecast.models.backends.tensorflow import keras

        found = keras.models.load_model(folder / "network.keras")(fed)["forecast"].numpy()
    expected = run.forecast["segment-lstm"].to_numpy().reshape(-1, 5)[: len(found)]
    np.testing.assert_allclose(found[:, :, 0], expected, rtol=1e-4)


def test_an_example_of_a_network_is_of_rows_whose_words_were_known(
    run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = pd.read_csv(table, keep_default_na=False).query("y != ''")  # nothing of the days to come
    panel = forecast.read(known.astype({"y": float}), run.config.read)
    monkeypatch.setattr("forecast.commands.export.export.training_panel", lambda run: panel)
    folder = forecast.export(run, tmp_path / "network")
    example = json.loads((folder / "example.json").read_text())
    page = (folder / "README.md").read_text()
    assert "holds rows that the run was trained on, to 5 steps before their end. It needs" in page
    assert example["ds"][0] == [f"2024-02-{day}T00:00:00" for day in range(20, 25)]
    rows = panel.rows(0)
    ahead = panel.values[rows.stop - 5 : rows.stop, [panel.column(name) for name in ("plan", "region", "price")]]
    np.testing.assert_array_equal(np.array(example["inputs"]["future"])[0, :, :3], ahead)


def test_each_is_one_input_where_inputs_are_explained(run: Run) -> None:
    explained = forecast.explain(run)
    assert set(explained.summary["importance"]["columns"]) == {"y", "price", "plan", "region", "the calendar"}


def test_words_stand_beside_values_that_are_missing(settings: Settings, tmp_path: Path, plotless: None) -> None:
    frame = shops(n_series=28)
    rng = np.random.default_rng(6)
    frame["y"] = frame["y"].mask(rng.random(len(frame)) < 0.2)
    holed = frame[(frame["ds"] < "2024-01-20") | (frame["ds"] > "2024-01-22")]  # and rows are absent
    run = forecast.train(holed.assign(remark=frame["region"].str[-2:] + " x"), settings, run="run", runs_dir=tmp_path)
    assert (run.shape.masked, run.shape.categories) == (True, (15, 15))
    assert set(run.forecast["unique_id"]) == set(frame["unique_id"])
    assert forecast.audit(run, holed).passed
    some = forecast.predict(run, holed[holed["unique_id"] == "shop 03"])["segment-lstm"]
    of_all = run.forecast[run.forecast["unique_id"] == "shop 03"]["segment-lstm"]
    np.testing.assert_allclose(some, of_all, rtol=1e-5)


def test_only_words_that_never_change_can_be_averaged() -> None:
    frame = shops(n_series=N_SERIES)[lambda each: each["y"].notna()]
    panel = forecast.read(frame, ReadOptions(resample="W"))
    assert set(panel.texts) == {"region"}
    text, series = panel.texts["region"], panel.series_of_row()
    assert [text.words[code] for code in text.codes] == [f"region {number % N_REGIONS:02d}" for number in series]


def weeks(first: int, n_series: int) -> pd.DataFrame:
    """Shops on any level and scale; the shape of a week is that of the region, and a window is shorter than a week."""
    rng, shapes = np.random.default_rng(first), np.random.default_rng(1).normal(0, 1, (N_REGIONS, 7))
    parts = []
    for number in range(first, first + n_series):
        y = shapes[number % N_REGIONS, np.arange(80) % 7] + rng.normal(0, 0.3, 80) + rng.normal(0, 5)
        days = pd.date_range("2024-01-01", periods=80)
        words = {"unique_id": f"shop {number:02d}", "region": f"region {number % N_REGIONS:02d}"}
        parts.append(pd.DataFrame({"ds": days, "y": y * np.exp(rng.normal()), **words}))
    return pd.concat(parts, ignore_index=True)


def test_a_word_that_tells_lowers_the_error_of_series_known_and_new(
    tiny: Callable[..., Settings], tmp_path: Path, plotless: None
) -> None:
    both, validation, unseen = pd.concat([weeks(0, 42), weeks(42, 14)]), {}, {}
    for static in ("none", "region"):
        design = {"model": "segment-lstm", "segment": 1, "lookback": 3, "horizon": 5, "normalise": "last"}
        of_training = {"epochs": 10, "batch_size": 64, "learning_rate": 0.01, "baseline": False}
        settings = tiny(**design, **of_training, units=16, covariates="none", calendar=True, static=static)
        run = forecast.train(weeks(0, 42), settings, run=static, runs_dir=tmp_path)
        validation[static] = run.history["validation_mae"].min()
        unseen[static] = forecast.evaluate(run, both)["not_trained_on"]["models"]["segment-lstm"]["mae"]
    assert validation["region"] < 0.85 * validation["none"]
    assert unseen["region"] < 0.85 * unseen["none"]


def test_the_report_says_how_many_there_are(run: Run, table: Path) -> None:
    prepared = prepare(forecast.read(table, run.config.read), run.config)
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in column_table(prepared, apart=1).rows}
    assert rows["region"][0] == "known ahead, 14 words"
    assert rows["region"][2:] == ["–"] * 3
