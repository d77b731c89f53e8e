"""Forecasts of a run, from rows that fit it and from rows that do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import forecast
from forecast import DataError, Run, Settings
from forecast.commands.predict.predict import predict_and_draw, predict_into
from forecast.commands.predict.stored import age_in_steps
from forecast.commands.requests import request_forecast
from forecast.progress import NullProgress
from naive_names import NAIVE_OF_CYCLES
from recording import RecordingProgress

Tiny = Callable[..., Settings]


def train_plain(folder: pytest.TempPathFactory, source: pd.DataFrame, config: Settings) -> Run:
    """Train without plots, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.plots.run_plots.draw_files", lambda *_: {})
        patch.setattr("forecast.plots.run_report.report_page", lambda _: "")
        return forecast.train(source, config, run="run", runs_dir=folder.mktemp("runs"))


@pytest.fixture(scope="module")
def wide(monthly: pd.DataFrame) -> pd.DataFrame:
    """The months with a covariate x."""
    return monthly.assign(x=np.cos(np.arange(len(monthly))))


@pytest.fixture(scope="module")
def with_covariate(tmp_path_factory: pytest.TempPathFactory, wide: pd.DataFrame, tiny: Tiny) -> Run:
    return train_plain(tmp_path_factory, wide, tiny(model="rnn", target="y", covariates="x"))


@pytest.fixture(scope="module", params=["direct", "parallel"])
def of_three(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, three: pd.DataFrame, tiny: Tiny
) -> Run:
    """One network for three series; decoded in parallel, it also knows them apart by name."""
    return train_plain(tmp_path_factory, three, tiny(model="rnn", decode=request.param))


def close(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=1e-6)


def test_the_rows_it_was_trained_on_give_the_forecast_that_was_written(
    trained: Run, monthly: pd.DataFrame, monthly_csv: Path
) -> None:
    written = forecast.predict(trained)
    points = ["unique_id", "ds", "cutoff", "lstm", "rnn", *NAIVE_OF_CYCLES]
    ends = [f"{model}-{end}-{level}" for model in ("lstm", "rnn") for level in (80, 95) for end in ("lo", "hi")]
    assert list(written) == points + ends
    for model in ("lstm", "rnn"):
        inside = [written[f"{model}-lo-95"], written[f"{model}-lo-80"], written[model], written[f"{model}-hi-80"]]
        assert (np.diff([*inside, written[f"{model}-hi-95"]], axis=0) >= 0).all()
    for source in (monthly, monthly_csv, str(monthly_csv), forecast.read(monthly)):
        close(forecast.predict(trained, source), written)


def test_a_run_may_be_named(trained: Run) -> None:
    close(forecast.predict("months", runs_dir=trained.path.parent), trained.forecast)
    close(forecast.predict("latest", runs_dir=trained.path.parent), trained.forecast)
    assert forecast.evaluate("months", runs_dir=trained.path.parent) == trained.metrics


def test_a_forecast_needs_no_more_than_the_lookback(trained: Run, monthly: pd.DataFrame) -> None:
    few = forecast.predict(trained, monthly.tail(6))
    close(few[["ds", "cutoff", "lstm", "rnn"]], trained.forecast[["ds", "cutoff", "lstm", "rnn"]])


def test_less_than_the_lookback_is_refused_with_both_counts(trained: Run, monthly: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"needs 6 rows \(the lookback\), there are 5"):
        forecast.predict(trained, monthly.tail(5))


@pytest.mark.parametrize("origin", [159, 175, 196])
def test_a_forecast_from_the_rows_until_an_origin_is_the_one_that_was_judged(
    trained: Run, monthly: pd.DataFrame, origin: int
) -> None:
    # Which shows at once that no judged forecast has seen a row after its origin.
    judged = trained.test_forecasts[trained.test_forecasts["cutoff"] == monthly["ds"][origin]]
    made = forecast.predict(trained, monthly.iloc[: origin + 1])
    # The intervals are those at the end of the training's rows, which have followed the errors up to there.
    close(made.iloc[:, :8], judged.drop(columns="y").reset_index(drop=True).iloc[:, :8])
    assert made["ds"].tolist() == list(pd.date_range(monthly["ds"][origin], periods=4, freq="MS")[1:])


def test_intervals_follow_the_errors_since_the_training(trained: Run, monthly: pd.DataFrame) -> None:
    times = pd.date_range("2006-09-01", periods=40, freq="MS")
    calm, wild = (monthly["y"].iloc[:40].to_numpy() + size * np.resize([1, -1], 40) for size in (0, 20))
    widths = []
    for y in (calm, wild):
        made = forecast.predict(trained, pd.concat([monthly, pd.DataFrame({"ds": times, "y": y})], ignore_index=True))
        widths.append((made["lstm-hi-80"] - made["lstm-lo-80"]).mean())
    assert widths[1] > 1.15 * widths[0]


def test_new_rows_are_scaled_as_those_of_the_training_were(trained: Run, monthly: pd.DataFrame) -> None:
    # A scaler that was fitted to the new rows would take the shift away.
    shifted = forecast.predict(trained, monthly.assign(y=monthly["y"] + 100))
    assert (shifted["lstm"] - trained.forecast["lstm"]).abs().min() < 50
    assert (shifted["persistence"] - trained.forecast["persistence"]).tolist() == pytest.approx([100] * 3)


def test_a_missing_column_is_refused_by_name(with_covariate: Run, monthly: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="Column 'x' is missing: the run run was trained on 'y', 'x'") as caught:
        forecast.predict(with_covariate, monthly)
    assert caught.value.advice == "The source has 'y'."


def test_extra_columns_are_passed_over_with_a_warning(with_covariate: Run, wide: pd.DataFrame) -> None:
    progress = RecordingProgress()
    made = forecast.predict(with_covariate, wide.assign(extra=np.arange(200.0)), progress=progress)
    close(made, with_covariate.forecast)
    assert any("extra" in warning for warning in progress.warnings)


def test_the_order_of_columns_and_rows_does_not_matter(with_covariate: Run, wide: pd.DataFrame) -> None:
    close(forecast.predict(with_covariate, wide[["x", "y", "ds"]]), with_covariate.forecast)
    close(forecast.predict(with_covariate, wide.sample(frac=1, random_state=0)), with_covariate.forecast)


def test_a_column_of_words_is_refused(with_covariate: Run, wide: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="'x'"):
        forecast.predict(with_covariate, wide.assign(x="warm"))


@pytest.mark.parametrize("freq", ["D", "QS", "ME"])
def test_another_clock_is_refused_with_both_names(trained: Run, monthly: pd.DataFrame, freq: str) -> None:
    other = monthly.assign(ds=pd.date_range("1990-01-01", periods=200, freq=freq))
    with pytest.raises(DataError, match=rf"{freq}.* trained on MS"):
        forecast.predict(trained, other)


def test_absent_rows_are_carried_forward_and_told(trained: Run, monthly: pd.DataFrame) -> None:
    progress = RecordingProgress()
    made = forecast.predict(trained, monthly.drop(index=[196, 197]), progress=progress)
    carried = monthly["y"].where(~monthly.index.isin([196, 197]), monthly["y"][195])
    close(made, forecast.predict(trained, monthly.assign(y=carried)))
    assert any(warning.startswith("2 of the last 6 rows (the lookback) are absent") for warning in progress.warnings)
    # Earlier ones change nothing.
    close(forecast.predict(trained, monthly.drop(index=150)), trained.forecast)


def test_values_that_are_carried_to_the_end_widen_the_intervals(trained: Run, monthly: pd.DataFrame) -> None:
    progress = RecordingProgress()
    y = monthly["y"].where(monthly.index < 198)
    unseen = forecast.predict(trained, monthly.assign(y=y), progress=progress)
    as_seen = forecast.predict(trained, monthly.assign(y=y.ffill()))
    close(unseen[["lstm", "rnn"]], as_seen[["lstm", "rnn"]])
    below, seen_below = ((made["lstm"] - made["lstm-lo-95"]).to_numpy() for made in (unseen, as_seen))
    assert below[0] >= 0.9 * max(seen_below[[0, 2]])
    assert (below > 0.9 * seen_below).all()
    assert below.sum() > seen_below.sum()
    assert any("are those of 2 more steps ahead" in said for said in progress.warnings)


def test_a_gap_that_is_too_long_is_refused_with_its_time(trained: Run, monthly: pd.DataFrame) -> None:
    forecast.predict(trained, monthly.drop(index=range(192, 198)))
    with pytest.raises(DataError, match=r"'y' is missing at 2006-06.* and for 6 rows before") as caught:
        forecast.predict(trained, monthly.drop(index=range(191, 198)))
    assert caught.value.advice
    with pytest.raises(DataError, match=r"A gap breaks the last 6 rows \(the lookback\)\."):
        forecast.predict(trained, monthly.drop(index=range(170, 198)))


def test_a_series_with_too_long_a_gap_is_named_and_left_out(of_three: Run, three: pd.DataFrame) -> None:
    holed = three.drop(index=three.index[(three["unique_id"] == "east")][190:198])
    progress = RecordingProgress()
    made = forecast.predict(of_three, holed, progress=progress)
    assert any("of series 'east'" in warning for warning in progress.warnings)
    written = of_three.forecast
    close(made, written[written["unique_id"] != "east"].reset_index(drop=True))
    with pytest.raises(DataError, match="is missing at 2006-05-01"):
        forecast.predict(of_three, holed[holed["unique_id"] == "east"])


def test_some_of_the_series_in_any_order(of_three: Run, three: pd.DataFrame) -> None:
    for names in (["south"], ["south", "east"], ["east", "north", "south"]):
        some = pd.concat([three[three["unique_id"] == name] for name in names])
        made = forecast.predict(of_three, some).set_index(["unique_id", "ds"]).sort_index()
        written = of_three.forecast.set_index(["unique_id", "ds"]).sort_index()
        close(made, written.loc[sorted(names)])


@pytest.mark.parametrize("name", ["f.parquet", "f.csv"])
def test_a_file_is_written_series_by_series(
    of_three: Run, three: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = forecast.predict(of_three, three)
    monkeypatch.setattr("forecast.data.newest._STEPS_AT_ONCE", 1)
    newest = predict_into(tmp_path / name, of_three, three, RecordingProgress())
    assert newest == whole["cutoff"].max()
    if name == "f.parquet":
        written = pd.read_parquet(tmp_path / name)
        assert pq.ParquetFile(tmp_path / name).num_row_groups == 3
    else:
        written = pd.read_csv(tmp_path / name, parse_dates=["ds", "cutoff"])
    close(written, whole)


def test_it_is_told_which_series_were_not_trained_on(of_three: Run, three: pd.DataFrame, monthly: pd.DataFrame) -> None:
    progress = RecordingProgress()
    forecast.predict(of_three, three.replace("north", "west"), progress=progress)
    assert "not trained on: west; scaled by its own rows" in progress.warnings
    forecast.predict(of_three, monthly, progress=progress)
    assert "''" not in progress.warnings[-1]  # nobody knows what series '' is


def test_several_series_do_not_fit_a_run_of_one(trained: Run, three: pd.DataFrame) -> None:
    with pytest.raises(DataError) as caught:
        forecast.predict(trained, three)
    assert "''" not in str(caught.value)


def test_a_lone_series_may_have_another_name(trained: Run, monthly: pd.DataFrame) -> None:
    made = forecast.predict(trained, monthly.assign(unique_id="other"))
    assert made["unique_id"].tolist() == trained.forecast["unique_id"].tolist()  # the run's own
    assert made["lstm"].tolist() == pytest.approx(trained.forecast["lstm"].tolist(), rel=1e-6)


def test_a_later_end_moves_the_forecast(trained: Run, monthly: pd.DataFrame) -> None:
    more = pd.DataFrame({"ds": pd.date_range("2006-09-01", periods=12, freq="MS"), "y": np.linspace(15, 25, 12)})
    made = forecast.predict(trained, pd.concat([monthly, more]))
    assert made["ds"].tolist() == list(pd.date_range("2007-09-01", periods=3, freq="MS"))
    assert made["persistence"].tolist() == [25] * 3


def test_several_targets_on_their_own(
    tmp_path_factory: pytest.TempPathFactory, monthly: pd.DataFrame, tiny: Tiny
) -> None:
    both = monthly.assign(z=monthly["y"] ** 2)
    config = tiny(model="rnn", target="y,z", covariates="none", channels="independent", epochs=1)
    run = train_plain(tmp_path_factory, both, config)
    close(forecast.predict(run, both[["z", "ds", "y"]]), run.forecast)


def test_an_ensemble_forecasts_what_it_did(
    tmp_path_factory: pytest.TempPathFactory, monthly: pd.DataFrame, tiny: Tiny
) -> None:
    run = train_plain(tmp_path_factory, monthly, tiny(model="rnn", ensemble=2, epochs=1, refit=True))
    close(forecast.predict(run, monthly), run.forecast)


def test_the_forecast_is_drawn(trained: Run, monthly: pd.DataFrame) -> None:
    made, pictures = predict_and_draw(trained, monthly)
    close(made, trained.forecast)
    assert [picture[:8] for picture in pictures] == [b"\x89PNG\r\n\x1a\n"]
    written, drawn = predict_and_draw(trained)
    close(written, trained.forecast)
    assert drawn == [(trained.path / "plots" / "5-forecast.png").read_bytes()]


def test_age_is_counted_in_steps_of_the_clock(trained: Run) -> None:
    now = pd.Timestamp.now("UTC").tz_localize(None)
    fresh = trained.forecast.assign(cutoff=now - pd.Timedelta(days=40))
    assert age_in_steps(fresh["cutoff"].max(), trained) == 1


def test_a_forecast_that_is_no_number_is_refused(trained: Run, monthly: pd.DataFrame) -> None:
    class Overflown:
        def over(self, rows: object) -> Callable[[np.ndarray], np.ndarray]:
            return lambda starts: np.full((len(starts), 3, 1), np.nan, np.float32)

    request = request_forecast(trained, monthly, NullProgress())
    with pytest.raises(
        DataError, match="so far from those that months was trained on that its forecast is not a number"
    ):
        request.forecast({"lstm": Overflown()})  # type: ignore[dict-item]
