"""A stream: the forecasts of an uninterrupted one, whatever happens between its rows, and nothing lost."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

import forecast
from forecast import Run, Settings, Stream
from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.commands.stream.feed import stream_rows
from forecast.commands.stream.recent_rows import forget_state
from forecast.data.clock import Clock
from forecast.errors import ConfigError, DataError, MachineError, RunError, rendered
from recording import RecordingProgress

N = 40


@pytest.fixture(scope="module")
def rows(monthly: pd.DataFrame) -> pd.DataFrame:
    return monthly.tail(N).reset_index(drop=True)


@pytest.fixture(scope="module")
def runs(
    monthly: pd.DataFrame, three: pd.DataFrame, tiny: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Run]:
    """A run that sees windows, two that carry their state, and one of three series."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.plots.run_plots.draw_files", lambda *_: {})
        patch.setattr("forecast.plots.run_report.report_page", lambda _: "")
        designs = {
            "window": tiny(model="segment-lstm", segment=2, normalise="last", epochs=1, baseline=False),
            "carried": tiny(model="stacked-lstm", units=(5, 3), stateful=True, batch_size=4, epochs=1),
            "ensemble": tiny(model="gru", stateful=True, batch_size=4, ensemble=2, baseline=False, epochs=1),
        }
        made = {name: forecast.train(monthly, config, run=name, runs_dir=folder) for name, config in designs.items()}
        made["three"] = forecast.train(three, tiny(epochs=1, baseline=False), run="three", runs_dir=folder)
    return made


EVERY_RUN = pytest.mark.parametrize("name", ["window", "carried", "ensemble"])


def pushed(stream: Stream, rows: pd.DataFrame) -> list[pd.DataFrame]:
    found = (stream.push(row.ds, {"y": row.y}) for row in rows.itertuples())
    return [frame for frame in found if frame is not None]


@EVERY_RUN
def test_every_row_after_the_lookback_gets_a_forecast(name: str, runs: dict[str, Run], rows: pd.DataFrame) -> None:
    frames = pushed(Stream(runs[name]), rows)
    assert len(frames) == N - 5  # the lookback is 6
    assert [frame["cutoff"].iloc[0] for frame in frames] == rows["ds"].tolist()[5:]
    assert all(len(frame) == 3 for frame in frames)
    assert np.isfinite(frames[-1][runs[name].config.network.model]).all()


def test_a_window_says_what_predict_says(runs: dict[str, Run], rows: pd.DataFrame) -> None:
    last = pushed(Stream(runs["window"]), rows)[-1]
    pd.testing.assert_frame_equal(last, forecast.predict(runs["window"], rows), rtol=1e-6)


def test_a_state_that_is_carried_remembers_more_than_the_window(runs: dict[str, Run], rows: pd.DataFrame) -> None:
    assert Stream(runs["carried"]).carries_states
    assert not Stream(runs["window"]).carries_states
    other = rows.copy()
    other.loc[: N - 20, "y"] += 30  # long before the last window
    for name, differs in (("carried", True), ("window", False)):
        one, two = (pushed(Stream(runs[name]), given)[-1] for given in (rows, other))
        model = runs[name].config.network.model
        assert (one[model] != two[model]).any() == differs, name


def test_a_carried_state_is_that_of_one_long_window(runs: dict[str, Run], rows: pd.DataFrame) -> None:
    run = runs["carried"]
    long = run.config.replace(data={"lookback": N}, network={"stateful": False})
    from forecast.models.backends.keras import build_network, set_weights
    from forecast.models.network import Shape
    from forecast.runs.run import split_members

    features = 1 + (2 if run.config.data.calendar else 0)
    network = build_network(long.network, Shape(N, 3, 1, 0, features - 1, 1), 0)
    set_weights(network, split_members(run.weights("model"), 1)[0])
    from forecast.data.prepare import encode

    panel = forecast.read(rows)
    encoded = encode(panel, run.config.data, run.scaler)
    past = encoded.inputs[None]
    future = np.zeros((1, 3, features - 1), np.float32)
    scaled = network({"past": past, "future": future, "series": np.zeros(1, np.int32)}).numpy()
    wanted = run.scaler.inverse(scaled.astype(np.float64), np.zeros(1, np.int64))[0, :, 0]
    np.testing.assert_allclose(pushed(Stream(run), rows)[-1]["stacked-lstm"], wanted, rtol=1e-5)


@EVERY_RUN
def test_stopped_and_continued_it_forecasts_the_same(
    name: str, runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path
) -> None:
    whole = pushed(Stream(runs[name]), rows)
    parts = []
    for first, last in ((0, 3), (3, 17), (17, 18), (18, N)):
        stream = Stream(runs[name], tmp_path / "state.json")
        parts += pushed(stream, rows[first:last])
        stream.save()
    for one, other in zip(whole, parts, strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-6)


@EVERY_RUN
def test_a_refused_row_changes_nothing(name: str, runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path) -> None:
    stream = Stream(runs[name], tmp_path / "state.json")
    pushed(stream, rows[:30])
    stream.save()
    before = (tmp_path / "state.json").read_bytes()
    late, gap, off = rows["ds"][10], rows["ds"][31], rows["ds"][29] + pd.Timedelta("3D")
    for time, values, said in (
        (late, {"y": 1.0}, "comes too late"),
        (gap, {"y": 1.0}, "leaves a gap"),
        (off, {"y": 1.0}, "is not on the clock"),
        (rows["ds"][30], {"z": 1.0}, "Column 'y' is missing"),
        (rows["ds"][30], {"y": np.inf}, "is infinite"),
        (rows["ds"][30], {"y": "warm"}, "is 'warm', which is not a number"),
        (rows["ds"][30], {"y": "1.5"}, "is '1.5', which is not a number"),
        (rows["ds"][30], {"y": [1.0]}, "which is not a number"),
        (pd.NaT, {"y": 1.0}, "'NaT' is not a time"),
        ("soon", {"y": 1.0}, "'soon' is not a time"),
        (20240101, {"y": 1.0}, "'20240101' is not a time"),
        (None, {"y": 1.0}, "'None' is not a time"),
    ):
        with pytest.raises(DataError, match=said):
            stream.push(time, values)
        stream.save()
        assert (tmp_path / "state.json").read_bytes() == before
    pd.testing.assert_frame_equal(pushed(stream, rows[30:])[-1], pushed(Stream(runs[name]), rows)[-1], rtol=1e-6)


def test_a_row_that_was_there_is_passed_over(runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path) -> None:
    stream = Stream(runs["window"], tmp_path / "state.json")
    pushed(stream, rows)
    assert pushed(stream, rows[30:]) == []
    stream.save()
    # The same source from its beginning, most of which has been let go.
    again = Stream(runs["window"], tmp_path / "state.json")
    assert pushed(again, rows) == []
    assert again.newest() == rows["ds"].iloc[-1]


@EVERY_RUN
def test_missing_values_are_carried_forward_for_a_while(name: str, runs: dict[str, Run], rows: pd.DataFrame) -> None:
    stream = Stream(runs[name])
    pushed(stream, rows[:20])
    empty = rows[20:].assign(y=np.nan)
    assert len(pushed(stream, empty[:6])) == 6
    if stream.carries_states:
        with pytest.raises(DataError, match="missing for more than 6 rows"):
            pushed(stream, empty[6:7])
    else:
        assert pushed(stream, empty[6:7]) == []
        assert "'y' is missing" in stream.refused[0]


def test_a_sentinel_is_a_missing_value(runs: dict[str, Run], rows: pd.DataFrame) -> None:
    said = [
        pushed(Stream(runs["window"]), rows.assign(y=rows["y"].where(rows.index < N - 1, code)))[-1]
        for code in (-9999.0, np.nan)
    ]
    pd.testing.assert_frame_equal(*said)


def test_a_history_is_remembered_without_forecasts(runs: dict[str, Run], rows: pd.DataFrame) -> None:
    for name in ("window", "carried"):
        stream = Stream(runs[name])
        stream.remember(rows[:-1])
        (last,) = pushed(stream, rows)  # the source holds the history as well
        pd.testing.assert_frame_equal(last, pushed(Stream(runs[name]), rows)[-1], rtol=1e-6)


def test_series_grow_side_by_side(runs: dict[str, Run], three: pd.DataFrame) -> None:
    stream, newest = Stream(runs["three"]), {}
    for row in three.sort_values(["ds", "unique_id"]).tail(60).itertuples():
        newest[row.unique_id] = stream.push(row.ds, {"y": row.y}, row.unique_id)
    together = pd.concat([newest[name] for name in sorted(newest)], ignore_index=True)
    wanted = forecast.predict(runs["three"], three).sort_values(["unique_id", "ds"], ignore_index=True)
    pd.testing.assert_frame_equal(together, wanted, rtol=1e-6)
    assert stream.push("2020-01-01", {"y": 1.0}, "west") is None  # of too few rows
    assert stream.warnings == ("not trained on: west; scaled by its own rows",)


def test_a_run_of_a_wide_table_takes_its_lines(runs: dict[str, Run], three: pd.DataFrame, tmp_path: Path) -> None:
    run, path, state = runs["three"], tmp_path / "rows.csv", tmp_path / "state.json"
    newest = three.groupby("unique_id").tail(12)
    wide = newest.pivot(index="ds", columns="unique_id", values="y")[["south", "east", "north"]]
    wide.to_csv(path)
    of_columns = replace(run, config=run.config.replace(read={"wide": True}))
    found = [*stream_rows(Stream(of_columns, state), str(path))]
    assert not [*stream_rows(Stream(of_columns, state), str(path))]
    stream = Stream(run)
    pushes = (stream.push(row.ds, {"y": row.y}, row.unique_id) for row in newest.sort_values("ds").itertuples())
    expected = pd.concat(frame for frame in pushes if frame is not None)
    keys = ["cutoff", "unique_id", "ds"]
    pd.testing.assert_frame_equal(
        pd.concat(found).drop(columns="number").sort_values(keys, ignore_index=True),
        expected.sort_values(keys, ignore_index=True),
    )
    wide.drop(columns="east").to_csv(path)
    with pytest.raises(DataError, match="column 'east' is missing"):
        list(stream_rows(Stream(of_columns), str(path)))


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"schema": 2', '"schema": 9'),
        lambda text: text.replace('"values": [[', '"values": [[0.0, '),
        lambda text: text.replace('"times": ["', '"times": ["yesterday'),
        lambda text: text.replace('"times": ["2003', '"times": ["2013'),
        lambda text: re.sub('"times": \\["[^"]*"', '"times": ["NaT"', text),
        lambda text: re.sub('"times": \\[("[^"]*"), "[^"]*"', r'"times": [\1, \1', text),
        lambda text: "[]",
        lambda text: text.replace('"weights"', '"waits"'),
    ],
)
def test_a_damaged_state_is_refused(
    harm: Callable[[str], str], runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    stream = Stream(runs["carried"], path)
    pushed(stream, rows[:10])
    stream.save()
    path.write_text(harm(path.read_text()))
    with pytest.raises(RunError, match="is not a state of a stream, or is damaged"):
        Stream(runs["carried"], path)


def test_a_state_of_another_training_is_refused(runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path) -> None:
    stream = Stream(runs["carried"], tmp_path / "state.json")
    pushed(stream, rows[:10])
    stream.save()
    with pytest.raises(RunError, match="another training"):
        Stream(runs["ensemble"], tmp_path / "state.json")


def test_a_state_that_does_not_fit_the_network_is_refused(
    runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    stream = Stream(runs["carried"], path)
    pushed(stream, rows[:10])
    stream.save()
    saved = json.loads(path.read_text())
    (tail,) = saved["tails"].values()
    tail["states"]["stacked-lstm/1"].pop()
    path.write_text(json.dumps(saved))
    with pytest.raises(RunError, match="is not of this network"):
        pushed(Stream(runs["carried"], path), rows[10:])


def test_lines_are_read_as_they_come_and_saved(
    runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = rows.to_csv(index=False).encode()
    state = tmp_path / "state.json"

    def dripping(*_: object) -> Iterator[tuple[int, bytes] | None]:
        for numbered in enumerate(text.splitlines(), 1):
            yield numbered
            yield None

    monkeypatch.setattr("forecast.commands.stream.feed.lines_of", dripping)
    got = []
    for frame in stream_rows(Stream(runs["window"], state)):
        got.append(frame)
        if len(got) == 3:
            break
    assert Stream(runs["window"], state).newest() == rows["ds"][7]
    got += stream_rows(Stream(runs["window"], state))
    assert [number for frame in got for number in frame["number"].unique()] == [*range(6, N + 1)]


def test_a_forecast_that_could_not_be_passed_on_comes_again(
    runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path
) -> None:
    path, state, got = tmp_path / "rows.csv", tmp_path / "state.json", []
    rows.to_csv(path, index=False)
    for number in (6, 7, 8, N):
        stream = Stream(runs["carried"], state)
        for frame in stream_rows(stream, str(path)):
            got.append(frame)
            if len(got) == 3:  # as when nobody reads any more
                stream.undo()
            if frame["number"].iloc[0] == number:
                break
    assert [frame["number"].iloc[0] for frame in got] == [6, 7, 8, *range(8, N + 1)]
    pd.testing.assert_frame_equal(got[2], got[3])
    pd.testing.assert_frame_equal(got[-1].drop(columns="number"), pushed(Stream(runs["carried"]), rows)[-1], rtol=1e-6)


def test_a_file_is_read_line_by_line(runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xef\xbb\xbf" + rows.to_csv(index=False, sep=";").replace("\n", "\r\n").encode().rstrip())
    progress = RecordingProgress()
    assert len(list(stream_rows(Stream(runs["window"]), str(path), progress=progress))) == N - 5
    (warning,) = progress.warnings
    needs = "no forecast yet: The newest forecast needs 6 rows (the lookback), there are 1."
    assert rendered(warning, "shell") == f"{needs} Rows that came before may be given: --history FILE."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2006-09-01,eleven", "rows.csv, line 42, column 'y'"),
        ("2006-09-01,1,2", "rows.csv, line 42: 3 fields, the header has 2"),
        ("soon,1", "rows.csv"),
        ("2007-01-01,1", "rows.csv, line 42: The row of 2007-01-01 leaves a gap"),
        ("1999-01-01,1", "rows.csv, line 42: The row of 1999-01-01 comes too late"),
        ("2006-09-01,inf", "rows.csv, line 42, column 'y': 'inf' is infinite"),
    ],
)
def test_a_bad_line_is_named_and_the_rows_before_are_kept(
    line: str, said: str, runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path
) -> None:
    path, state = tmp_path / "rows.csv", tmp_path / "state.json"
    path.write_text(rows.to_csv(index=False) + line + "\n")
    with pytest.raises(DataError) as refused:
        list(stream_rows(Stream(runs["window"], state), str(path)))
    assert said in refused.value.message
    assert refused.value.advice
    assert Stream(runs["window"], state).newest() == rows["ds"].iloc[-1]


HOURS = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=120, freq="h"), "y": np.arange(120.0) % 24})
DAYS = pd.DataFrame({"ds": pd.bdate_range("2024-01-01", periods=120), "y": np.arange(120.0) % 5})


@pytest.fixture(scope="module")
def clocks(tiny: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs on hours and on business days."""
    folder = tmp_path_factory.mktemp("clocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.plots.run_plots.draw_files", lambda *_: {})
        patch.setattr("forecast.plots.run_report.report_page", lambda _: "")
        few = tiny(epochs=1, baseline=False, model="rnn")
        return {
            name: forecast.train(frame, few, run=name, runs_dir=folder)
            for name, frame in (("hours", HOURS), ("days", DAYS))
        }


@pytest.mark.parametrize(
    ("name", "before", "time", "nearest"),
    [
        ("hours", 0, "2024-01-06 00:07", "2024-01-06 00:00"),  # the first row of a stream
        ("hours", 9, "2024-01-01 09:40", "2024-01-01 10:00"),
        ("hours", 9, "2024-01-01 11:01", "2024-01-01 11:00"),
        ("hours", 9, "2024-03-01 11:00:01", "2024-03-01 11:00"),
        ("days", 0, "2024-06-15", "2024-06-14"),  # a Saturday
        ("days", 5, "2024-01-07", "2024-01-08"),  # a Sunday
    ],
)
def test_a_stamp_off_the_clock_is_refused_with_the_nearest_slot(
    name: str, before: int, time: str, nearest: str, clocks: dict[str, Run], tmp_path: Path
) -> None:
    run, frame = clocks[name], HOURS if name == "hours" else DAYS
    stream = Stream(run)
    pushed(stream, frame[:before])
    with pytest.raises(DataError, match=r"not on the clock of .*: the nearest slot is " + nearest):
        stream.push(time, {"y": 1.0})
    path = tmp_path / "rows.csv"
    path.write_text(frame[:before].to_csv(index=False) + f"{time},1.0\n")
    with pytest.raises(DataError, match=rf"rows.csv, line {before + 2}: .*nearest slot is {nearest}"):
        list(stream_rows(Stream(run), str(path)))


@pytest.mark.parametrize("unfinished", ["2006-09-01,1", "2006-09-01", "20"])
def test_an_unfinished_last_line_of_a_pipe_is_not_used(
    unfinished: str, runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(rows.to_csv(index=False).encode() + unfinished.encode())
    with os.fdopen(reading, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        stream, progress = Stream(runs["window"], tmp_path / "state.json"), RecordingProgress()
        assert len(list(stream_rows(stream, progress=progress))) == N - 5
    assert stream.newest() == rows["ds"].iloc[-1]
    assert progress.warnings[-1] == f"standard input ends in the middle of a line, which is not used: '{unfinished}'"


def test_a_growing_file_is_used_line_by_whole_line(
    runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, parts = tmp_path / "rows.csv", iter(["006-09-", "01,2", "1.5", None, "\n"])
    path.write_text(rows.to_csv(index=False) + "2")
    stream = Stream(runs["window"])

    def write_more(seconds: float) -> None:
        del seconds
        if (part := next(parts)) is None:
            assert stream.newest() == rows["ds"].iloc[-1]
        else:
            path.open("a").write(part)

    monkeypatch.setattr("time.sleep", write_more)
    for number, _ in enumerate(stream_rows(stream, str(path), follow=True), 1):
        if number == N - 4:
            break
    assert stream.newest() == pd.Timestamp("2006-09-01")
    assert stream._recent[""].values[-1].tolist() == [21.5]


def test_what_is_passed_over_is_told(runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path) -> None:
    path, progress = tmp_path / "rows.csv", RecordingProgress()
    rows.to_csv(path, index=False)
    for _ in range(2):
        list(stream_rows(Stream(runs["window"], tmp_path / "state.json"), str(path), progress=progress))
    assert progress.notes == [f"{N} rows were already there, and passed over"]


def test_a_state_needs_a_folder(quick: Callable[..., Result], trained: Run, monthly_csv: Path, tmp_path: Path) -> None:
    result = quick("stream", trained.path, monthly_csv, "--state", tmp_path / "none" / "state.json")
    assert (result.exit_code, type(result.exception)) == (1, MachineError)
    assert not (tmp_path / "none").exists()
    result = quick("stream", trained.path, monthly_csv, "--state", tmp_path)
    assert isinstance(result.exception, MachineError)
    assert "it is a folder" in result.exception.message


def test_forgetting_deletes_nothing_but_a_state(runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    stream = Stream(runs["window"], path)
    pushed(stream, rows[:10])
    stream.save()
    forget_state(path)
    assert not path.exists()
    forget_state(path)  # nothing is there
    path.write_text('{"schema": 1, "wei')  # damaged
    forget_state(path)
    mine, folder = tmp_path / "mine.csv", tmp_path / "folder"
    mine.write_text("time,y\n")
    folder.mkdir()
    for other in (mine, folder):
        with pytest.raises(RunError, match="is not the state of a stream"):
            forget_state(other)
        assert other.exists()


def test_another_header_is_refused_and_leaves_nothing(runs: dict[str, Run], tmp_path: Path) -> None:
    path, state = tmp_path / "rows.csv", tmp_path / "state.json"
    path.write_text("ds,z\n2000-01-01,1\n")
    with pytest.raises(DataError, match=r"rows.csv, line 1: column 'y' is missing; there are 'ds', 'z'"):
        list(stream_rows(Stream(runs["window"], state), str(path)))
    assert not state.exists()
    with pytest.raises(DataError, match="Cannot read"):
        list(stream_rows(Stream(runs["window"]), str(tmp_path / "nowhere.csv")))


def test_a_date_that_could_be_two_needs_its_format(runs: dict[str, Run], rows: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False, date_format="%d.%m.%Y")
    with pytest.raises(DataError, match="line 2") as refused:
        list(stream_rows(Stream(runs["window"]), str(path)))
    assert "--date-format" in refused.value.text("shell")[1]
    assert len(list(stream_rows(Stream(runs["window"]), str(path), date_format="%d.%m.%Y"))) == N - 5


def test_a_run_on_averages_takes_whole_periods_and_no_part_of_one(
    tiny: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.plots.run_plots.draw_files", lambda *_: {})
    monkeypatch.setattr("forecast.plots.run_report.report_page", lambda _: "")
    times = pd.date_range("2024-01-01", periods=24 * 60 + 9, freq="h")
    hours = pd.DataFrame({"ds": times, "y": np.sin(np.arange(len(times)) / 50)})
    few = tiny(epochs=1, baseline=False, model="rnn", resample="D")
    run = forecast.train(hours, few, run="days", runs_dir=tmp_path)
    predicted = forecast.predict(
        run, hours.assign(y=hours["y"].where(times < "2024-03-01", 1e3))
    )  # 9 hours of the last day
    pd.testing.assert_frame_equal(predicted, forecast.predict(run, hours[times < "2024-03-01"]))
    assert predicted["cutoff"].iloc[0] == pd.Timestamp("2024-02-29")
    stream = Stream(run)
    stream.remember(hours)
    assert stream.newest() == pd.Timestamp("2024-02-29")
    with pytest.raises(DataError, match="09:00 lies within a period of 1 day") as refusal:
        stream.push("2024-03-01 09:00", {"y": 1.0})
    assert "its mean, with the time 2024-03-01" in refusal.value.args[1]
    assert stream.push("2024-03-01", {"y": 1.0}) is not None


def test_a_stream_of_carried_states_is_scored_by_evaluate(runs: dict[str, Run], monthly: pd.DataFrame) -> None:
    run, stream = runs["ensemble"], Stream(runs["ensemble"])
    metrics = forecast.evaluate(run, monthly, stream=True)
    errors, y = [], dict(zip(monthly["ds"], monthly["y"], strict=True))
    for row in monthly.itertuples():
        found = stream.push(row.ds, {"y": row.y})
        if found is not None and row.ds >= run.test_forecasts["cutoff"].min() and found["ds"].iloc[-1] in y:
            errors += [abs(step.gru - y[step.ds]) for step in found.itertuples()]
    assert len(errors) == 3 * metrics["n_windows"] == 3 * run.metrics["n_windows"]
    assert metrics["models"]["gru"]["mae"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert metrics["models"]["persistence"] == run.metrics["models"]["persistence"]
    assert metrics["models"]["gru"]["mae"] != run.metrics["models"]["gru"]["mae"]
    with pytest.raises(ConfigError, match="carry no state from row to row"):
        forecast.evaluate(runs["window"], monthly, stream=True)


def test_a_target_that_is_not_the_first_column_is_scored_alike(
    monthly: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    frame = monthly.assign(x=monthly["y"].shift(1).bfill() * 3)[["ds", "x", "y"]]
    carrying = tiny(target="y", stateful=True, batch_size=4, baseline=False, epochs=1, model="gru")
    run = forecast.train(frame, carrying, run="second", runs_dir=tmp_path, draw=False)
    assert forecast.evaluate(run, stream=True)["models"] == forecast.evaluate(run, frame, stream=True)["models"]


def test_a_stateful_run_that_carries_nothing_tells_so(
    runs: dict[str, Run], monthly: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    run = runs["carried"]
    network = run.config.network.model_copy(update={"normalise": "last"})
    config, choices = resolve(tiny(stateful=True, normalise="last"), forecast.read(monthly))
    said = "a stream forecasts from windows and carries no state: its normalise is last and its segment 1"
    assert any(said in sentence for sentence in plan_in_sentences(config, Clock("MS"), choices))
    progress, path = RecordingProgress(), tmp_path / "rows.csv"
    monthly[:2].to_csv(path, index=False)
    by_window = replace(run, config=run.config.model_copy(update={"network": network}))
    list(stream_rows(Stream(by_window), str(path), progress=progress))
    assert said in progress.warnings[0]
