"""Backtest: the origins that were asked for, fits that know only what came before, and nothing left behind."""

from __future__ import annotations

import shutil
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, DataError, Run, RunError, Settings
from forecast.commands.backtest import _describe_origins
from forecast.evaluation.scoring import Evaluation
from forecast.progress import NullProgress, StopRequested
from naive_names import NAIVE_OF_CYCLES
from recording import RecordingProgress

Tiny = Callable[..., Settings]

NETWORKS = ["lstm", "rnn"]


@pytest.fixture(scope="module")
def rolled(monthly: pd.DataFrame, tiny: Tiny) -> tuple[Evaluation, list[str]]:
    """Seven origins, two months apart, a fit for each three of them; and what was trained."""
    progress = RecordingProgress()
    found = forecast.backtest(monthly, tiny(), windows=7, step=2, refit=3, span="sliding", progress=progress)
    return found, progress.networks


def origins(found: Evaluation) -> list[str]:
    return [str(moment.date()) for moment in found.forecasts["cutoff"].drop_duplicates()]


def test_the_long_format(rolled: tuple[Evaluation, list[str]]) -> None:
    frame = rolled[0].forecasts
    assert list(frame.columns)[:6] == ["unique_id", "ds", "cutoff", "y", *NETWORKS]
    assert len(frame) == 7 * 3
    assert origins(rolled[0]) == [
        "2005-05-01", "2005-07-01", "2005-09-01", "2005-11-01", "2006-01-01", "2006-03-01", "2006-05-01",
    ]  # fmt: skip
    ahead = frame["ds"].dt.to_period("M").astype("int64") - frame["cutoff"].dt.to_period("M").astype("int64")
    assert ahead.tolist() == [1, 2, 3] * 7


def test_observed_values_stand_beside_the_forecasts(
    rolled: tuple[Evaluation, list[str]], monthly: pd.DataFrame
) -> None:
    seen = monthly.set_index("ds")["y"]
    frame = rolled[0].forecasts
    assert frame["y"].tolist() == seen[frame["ds"]].tolist()
    assert frame["persistence"].tolist() == seen[frame["cutoff"]].tolist()


def test_a_fit_for_each_k_origins_and_each_knows_what_came_before(rolled: tuple[Evaluation, list[str]]) -> None:
    found, trained = rolled
    about = found.metrics["backtest"]
    assert [fit["n_windows"] for fit in about["fits"]] == [3, 3, 1]
    assert [fit["test_from"][:10] for fit in about["fits"]] == ["2005-06-01", "2005-12-01", "2006-06-01"]
    assert trained == [f"{name}, fit {number} of 3" for number in (1, 2, 3) for name in NETWORKS]
    assert about["origins"] == found.metrics["n_windows"] == 7


def test_a_sliding_span_is_always_as_long(rolled: tuple[Evaluation, list[str]]) -> None:
    for begins, ends in (("train_from", "validation_from"), ("validation_from", "test_from")):
        months = {
            pd.Period(fit[ends], "M").ordinal - pd.Period(fit[begins], "M").ordinal
            for fit in rolled[0].metrics["backtest"]["fits"]
        }
        assert len(months) == 1


def test_scores_are_those_of_judge(rolled: tuple[Evaluation, list[str]]) -> None:
    frame, metrics = rolled[0].forecasts, rolled[0].metrics
    for name in (*NETWORKS, "persistence", "seasonal-naive"):
        assert metrics["models"][name]["mae"] == pytest.approx(forecast.metrics.mae(frame["y"], frame[name]))
    assert set(metrics["skill"]) == {"rnn", *NAIVE_OF_CYCLES}


def means_of_fits(found: Evaluation, table: pd.DataFrame) -> pd.DataFrame:
    """For each row of the forecasts, the mean and the mean of its calendar month, of the rows that its fit learned."""
    expected = []
    for fit in found.metrics["backtest"]["fits"]:
        learned = table[(table["ds"] >= fit["train_from"]) & (table["ds"] < fit["validation_from"])]
        asked = found.forecasts.iloc[sum(map(len, expected)) :].head(fit["n_windows"] * 3)
        months = learned.groupby(learned["ds"].dt.month)["y"].mean()
        of_month = months[asked["ds"].dt.month].to_numpy()
        expected.append(pd.DataFrame({"mean": learned["y"].mean(), "seasonal-mean": of_month}, asked.index))
    return pd.concat(expected)


@pytest.fixture(scope="module")
def risen(monthly: pd.DataFrame, tiny: Tiny) -> tuple[Evaluation, pd.DataFrame]:
    """Six origins a year apart, a fit for each two of them, of months that rise; and these months."""
    rising = monthly.assign(y=monthly["y"] + 0.05 * monthly.index)
    settings = tiny(model="rnn", epochs=1, adaptive=False)
    return forecast.backtest(rising, settings, windows=6, step=12, refit=2), rising


def test_each_origins_references_know_what_its_fit_learned(
    rolled: tuple[Evaluation, list[str]], risen: tuple[Evaluation, pd.DataFrame], monthly: pd.DataFrame
) -> None:
    for found, table in ((rolled[0], monthly), risen):
        expected = means_of_fits(found, table)
        assert expected["mean"].nunique() == 3
        for name in expected:
            np.testing.assert_allclose(found.forecasts[name], expected[name], rtol=1e-12)
            mae = (found.forecasts["y"] - expected[name]).abs().mean()
            assert found.metrics["models"][name]["mae"] == pytest.approx(mae)


def test_intervals_lie_about_each_origins_references(risen: tuple[Evaluation, pd.DataFrame]) -> None:
    found, table = risen
    assert found.intervals is not None
    means, y = means_of_fits(found, table), found.forecasts["y"].to_numpy()
    for name in means:
        calibration = found.intervals.calibrations[name]
        offsets = calibration.offsets_of(np.zeros(1, int))[0, :, 0]  # [H, P], the same from every origin
        low, high = (np.tile(offsets[:, calibration.probabilities.index(p)], 6) + means[name] for p in (0.1, 0.9))
        low, high = np.minimum(low, means[name]), np.maximum(high, means[name])
        missed = np.maximum(low - y, 0) + np.maximum(y - high, 0)
        scores = found.metrics["intervals"]["models"][name]["80"]
        assert scores["coverage"] == pytest.approx(np.mean(missed == 0))
        assert scores["winkler"] == pytest.approx(np.mean(high - low + 10 * missed))


def test_the_unit_of_scaled_errors_is_that_of_the_first_fit(risen: tuple[Evaluation, pd.DataFrame]) -> None:
    found, table = risen
    learned = table.loc[table["ds"] < found.metrics["backtest"]["fits"][0]["validation_from"], "y"]
    scale, models = learned.diff(12).abs().mean(), found.metrics["models"]
    for name in ("rnn", "mean", "seasonal-mean"):
        assert models[name]["mase"] == pytest.approx(models[name]["mae"] / scale)


def test_changing_the_future_changes_no_forecast(
    rolled: tuple[Evaluation, list[str]], monthly: pd.DataFrame, tiny: Tiny
) -> None:
    last = pd.Timestamp("2005-11-01")  # the first origin of the second fit
    changed = monthly.assign(y=monthly["y"].where(monthly["ds"] <= last, monthly["y"] * 3 + 50))
    found = forecast.backtest(changed, tiny(baseline=False), windows=7, step=2, refit=3, span="sliding")
    before, after = (part.forecasts.loc[part.forecasts["cutoff"] <= last, "lstm"] for part in (rolled[0], found))
    assert len(before) == 4 * 3
    assert before.to_numpy().tolist() == after.to_numpy().tolist()
    later = found.forecasts["cutoff"] > last
    assert (found.forecasts.loc[later, "lstm"] != rolled[0].forecasts.loc[later, "lstm"]).all()


def test_by_itself_it_is_what_train_makes_of_the_test_span(trained: Run, monthly_csv: Path, tiny: Tiny) -> None:
    progress = RecordingProgress()
    found = forecast.backtest(monthly_csv, tiny(), progress=progress)
    told = found.metrics["calibration_warnings"]
    assert told == trained.metrics["calibration_warnings"]
    assert told == [said for said in progress.warnings if "independent outcomes" in said]
    assert told
    assert found.metrics["models"] == trained.metrics["models"]
    assert found.metrics["verdict"] == trained.metrics["verdict"]
    pd.testing.assert_frame_equal(found.forecasts, trained.test_forecasts, check_dtype=False, rtol=1e-9)
    assert len(found.metrics["backtest"]["fits"]) == 1


def test_a_run_is_taken_as_it_is(trained: Run) -> None:
    found = forecast.backtest(trained, windows=4, step=3)
    told = trained.test_forecasts
    same = told[told["cutoff"].isin(found.forecasts["cutoff"])].reset_index(drop=True)
    assert len(same) == 4 * 3
    # Intervals follow the errors of the origins that are forecast, and here those are fewer.
    points = same.columns[:9]
    pd.testing.assert_frame_equal(found.forecasts[points], same[points], check_dtype=False, rtol=1e-6)
    assert list(found.forecasts) == list(told)
    assert found.metrics["backtest"]["run"] == "months"
    assert found.metrics["backtest"]["fits"] == []


def test_a_run_forecasts_new_rows_after_its_training(trained: Run, monthly: pd.DataFrame) -> None:
    newer = pd.concat([monthly, monthly.tail(12).assign(ds=lambda rows: rows["ds"] + pd.DateOffset(years=1))])
    newer = newer.drop_duplicates("ds")
    found = forecast.backtest(trained.path, new_rows=newer)
    assert found.metrics["n_windows"] == trained.metrics["n_windows"] + 12


def test_a_name_is_first_a_run_then_a_source(
    trained: Run, monthly_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained.path, tmp_path / "models" / "weather")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    progress = RecordingProgress()
    assert forecast.backtest("weather", windows=1, progress=progress).metrics["backtest"]["run"] == "weather"
    assert "weather names a run and a series: the run is used" in progress.notes


def test_a_word_that_names_nothing_is_told_what_is_near(trained: Run) -> None:
    runs_dir = trained.path.parent
    with pytest.raises(DataError, match="neither a run, nor a file, nor a built-in series 'month'") as caught:
        forecast.backtest("month", runs_dir=runs_dir)
    assert "Did you mean months?" in caught.value.advice
    with pytest.raises(RunError):
        forecast.backtest("latest", runs_dir=runs_dir / "nowhere")
    with pytest.raises(DataError, match="no file"):
        forecast.backtest("nothing.csv", runs_dir=runs_dir)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"windows": 0}, "windows: must be at least 1. Received: 0"),
        ({"step": 0}, "step: must be at least 1"),
        ({"refit": -1}, "refit: must be at least 1"),
        ({"span": "rolling"}, "span: must be expanding or sliding. Received: 'rolling'"),
    ],
)
def test_numbers_out_of_range_are_refused(monthly: pd.DataFrame, options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        forecast.backtest(monthly, **options)  # type: ignore[arg-type]
    assert said in str(caught.value)


@pytest.mark.parametrize("options", [{"config": {"units": 8}}, {"refit": 3}, {"span": "sliding"}])
def test_a_run_takes_nothing_that_would_fit_it_again(trained: Run, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="is a run, which is not fitted again"):
        forecast.backtest(trained, **options)  # type: ignore[arg-type]


def test_more_origins_than_there_are(monthly: pd.DataFrame, trained: Run, tiny: Tiny) -> None:
    with pytest.raises(DataError, match="There are 192 origins, not 500"):
        forecast.backtest(monthly, tiny(), windows=500)
    with pytest.raises(DataError, match="There are 13 origins at every 3 steps, not 14"):
        forecast.backtest(trained, windows=14, step=3)
    with pytest.raises(DataError, match="Too short") as caught:
        forecast.backtest(monthly, tiny(), windows=190)
    assert "fewer windows" in caught.value.advice


def test_what_is_left_open_is_chosen_by_what_comes_before_the_first_origin(tiny: Tiny) -> None:
    # A covariate that is there only lately is no input of fits that begin before it.
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"ds": pd.date_range("2000-01-01", periods=200, freq="MS"), "y": rng.normal(size=200)})
    table["late"] = np.where(np.arange(200) < 100, np.nan, rng.normal(size=200))
    progress = RecordingProgress()
    forecast.backtest(table, tiny(model="rnn", target="y", longest_fill=0), windows=90, progress=progress)
    assert "target: y" in progress.notes


def test_series_are_forecast_from_the_same_moments(three: pd.DataFrame, tiny: Tiny) -> None:
    found = forecast.backtest(three, tiny(model="rnn"), windows=3, refit=2)
    counts = found.forecasts.groupby("unique_id")["cutoff"].unique()
    assert set(counts.index) == {"north", "south", "east"}
    assert len({tuple(moments) for moments in counts}) == 1
    assert found.metrics["n_windows"] == 9
    for number, fit in enumerate(found.metrics["backtest"]["fits"]):
        learned = three[three["ds"] < fit["validation_from"]].groupby("unique_id")["y"].mean()
        picked = found.forecasts.groupby("unique_id").nth(slice(6 * number, 6 * number + 6))  # two origins of 3 steps
        np.testing.assert_allclose(picked["mean"], learned[picked["unique_id"]])


def test_series_that_end_early_are_forecast_from_their_own_end_or_named(three: pd.DataFrame, tiny: Tiny) -> None:
    ended = three[(three["unique_id"] != "east") | (three["ds"] < "2004-01-01")]
    progress = RecordingProgress()
    settings = tiny(model="rnn", split="time")
    by_time = forecast.backtest(ended, settings, windows=3, refit=2, progress=progress)
    told = "1 of 3 series have no forecast: no whole window of theirs lies at these origins: east"
    assert told in progress.warnings
    assert by_time.metrics["backtest"]["series_forecast"] == 2
    assert _describe_origins(by_time.metrics).startswith("3 origins of 2 of 3 series, ")
    # One fit needs no common time, so that each series is forecast from its own newest origins.
    by_series = forecast.backtest(ended, tiny(model="rnn"), windows=3, refit=3)
    counts = by_series.forecasts.groupby("unique_id")["cutoff"].nunique()
    assert counts.to_dict() == {"east": 3, "north": 3, "south": 3}
    assert by_series.metrics["backtest"]["origins"] == 6
    assert _describe_origins(by_series.metrics).startswith("up to 3 origins of each of 3 series, ")


def test_nothing_is_left_behind_not_even_after_a_request_to_stop(
    monthly: pd.DataFrame, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(NullProgress):
        def ended(self, network: str, fit: object) -> None:
            raise StopRequested(2)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StopRequested):
        forecast.backtest(monthly, tiny(), windows=2, progress=Stop())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_plots")
def test_memory_does_not_grow_with_origins_times_lookback(tmp_path: Path) -> None:
    lookback, n = 400, 12_000
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"ds": pd.date_range("2000-01-01", periods=n, freq="h"), "y": rng.normal(size=n)})
    settings = {"model": "segment-rnn", "units": 4, "epochs": 1, "steps_per_epoch": 1, "batch_size": 8}
    settings |= {"lookback": lookback, "horizon": 1, "segment": 100, "validation": 0.05, "test": 0.85}
    with pytest.MonkeyPatch.context() as patch:
        # Quantiles are summed up chunk by chunk; in this short series one chunk would be all of it.
        patch.setattr("forecast.evaluation.chunks._POINTS_AT_ONCE", 20_000)
        run = forecast.train(table, forecast.configure(settings), run="long", runs_dir=tmp_path)
        forecast.backtest(run, windows=10, new_rows=table)  # what is imported and built once does not count
        tracemalloc.start()
        found = forecast.backtest(run, new_rows=table)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found.metrics["n_windows"] > 10_000
    assert peak < 0.6 * 4 * found.metrics["n_windows"] * lookback  # of one float32 array of all windows


def test_a_price_below_zero_after_the_first_origin_is_told_and_ends_no_later_fit(tiny: Tiny) -> None:
    walk = 50 * np.exp(0.01 * np.random.default_rng(0).normal(size=300).cumsum())
    frame = pd.DataFrame({"ds": pd.bdate_range("2020-01-06", periods=300), "price": walk})
    frame.loc[289, "price"] = -37.63
    progress = RecordingProgress()
    settings = tiny(normalise="last", baseline=False, epochs=1)
    found = forecast.backtest(frame, settings, windows=12, refit=6, progress=progress)
    first, second = (pd.Timestamp(fit["test_from"]) for fit in found.metrics["backtest"]["fits"])
    assert first < frame.loc[289, "ds"] < second
    assert (found.forecasts["y"] > 0).all()
    told = f"'price': -37.63 at {frame.loc[289, 'ds'].date()} has no logarithm, and the run takes logarithms"
    assert any(warning.startswith(told) for warning in progress.warnings)
