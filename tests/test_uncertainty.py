"""Quantile heads, limits, angles and paths, from the rows to the forecast of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, DataError, Run, RunError, Settings
from forecast.commands.report.report import write_report
from forecast.plots.results import RunResults
from forecast.runs.calibration import intervals_of

Tiny = Callable[..., Settings]

pytestmark = pytest.mark.usefixtures("no_plots")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def showers() -> pd.DataFrame:
    """Hours of rain that often is none, and of a wind that turns through north."""
    rng = np.random.default_rng(0)
    hours = np.arange(600)
    rain = np.maximum(rng.normal(-0.5, 1, 600), 0) * (1 + np.sin(2 * np.pi * hours / 24))
    turning = (20 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 4, 600)) % 360
    times = pd.date_range("2024-01-01", periods=600, freq="h")
    return pd.DataFrame({"ds": times, "rain": rain, "wind_dir": turning})


def ends(frame: pd.DataFrame, model: str) -> list[np.ndarray]:
    names = [f"{model}-lo-95", f"{model}-lo-80", model, f"{model}-hi-80", f"{model}-hi-95"]
    return [frame[name].to_numpy() for name in names]


@pytest.mark.parametrize(
    "parts",
    [
        {"decode": "direct"},
        {"decode": "recursive"},
        {"decode": "parallel", "segment": 2},
        {"ensemble": 2, "normalise": "last", "fall_back": True},
    ],
)
def test_a_quantile_head_is_trained_calibrated_and_never_crosses(
    runs: Path, monthly: pd.DataFrame, tiny: Tiny, parts: dict[str, object]
) -> None:
    config = tiny(quantiles="0.05,0.25,0.5,0.75,0.95", epochs=1, baseline=False, **parts)
    run = forecast.train(monthly, config, run=f"q-{len(str(parts))}", runs_dir=runs)
    assert run.config.intervals.levels == (50, 80, 90, 95)  # those between the quantiles are levels too
    for frame in (run.forecast, run.test_forecasts):
        assert (np.diff(ends(frame, "lstm"), axis=0) >= 0).all()
    held = run.metrics["intervals"]["models"]["lstm"]
    assert held["90"]["coverage"] == pytest.approx(0.9, abs=0.12)
    again = forecast.predict(run, monthly)
    assert again["lstm-lo-90"].to_numpy() == pytest.approx(run.forecast["lstm-lo-90"].to_numpy(), rel=1e-6)


def test_a_head_of_quantiles_learns_how_wide_the_future_is(runs: Path, tiny: Tiny) -> None:
    # Noise that is ten times as large every other week: a point cannot tell, a quantile head sees it coming.
    rng = np.random.default_rng(1)
    days = np.arange(1200)
    y = rng.normal(0, np.where(days // 7 % 2 == 0, 0.2, 2.0))
    rows = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=1200, freq="D"), "y": y})
    config = tiny(quantiles="0.1,0.5,0.9", epochs=12, lookback=14, horizon=1, baseline=False, learning_rate=0.01)
    run = forecast.train(rows, config, run="wide", runs_dir=runs)
    frame = run.test_forecasts
    width = frame["lstm-hi-80"] - frame["lstm-lo-80"]
    wild = (frame["ds"] - rows["ds"][0]).dt.days // 7 % 2 == 1
    assert width[wild].mean() > 2 * width[~wild].mean()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantiles": "0.1,0.9"}, "takes 0.5 and pairs about it"),
        ({"quantiles": "0.1,0.5,0.8"}, "Received: 0.1,0.5,0.8"),
        ({"quantiles": "0.9,0.5,0.1"}, "Received: 0.9,0.5,0.1"),
        ({"quantiles": "0.5,1.5"}, "quantiles"),
        ({"quantiles": "0.1,0.5,0.9", "loss": "mse"}, "learned by their own loss. Received: loss mse"),
        ({"levels": "80,120"}, "levels"),
    ],
)
def test_quantiles_that_make_no_intervals_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        forecast.configure(settings)


def test_no_forecast_and_no_quantile_goes_beyond_what_can_be(runs: Path, showers: pd.DataFrame, tiny: Tiny) -> None:
    run = forecast.train(showers, tiny(target="rain", covariates="none"), run="rain", runs_dir=runs)
    assert run.config.data.limits == ("rain=0:",)
    numbers = run.test_forecasts.drop(columns=["unique_id", "ds", "cutoff"])
    assert (numbers >= 0).all().all()
    assert (run.forecast.drop(columns=["unique_id", "ds", "cutoff"]) >= 0).all().all()
    assert (run.test_forecasts["lstm-lo-80"] == 0).mean() > 0.5
    assert (forecast.sample_paths(run, showers, count=20)["lstm"] >= 0).all()
    free = forecast.train(showers, tiny(target="rain", covariates="none", limits="none"), run="free", runs_dir=runs)
    assert (free.test_forecasts["lstm-lo-80"] < 0).any()


def test_an_angle_is_forecast_and_scored_along_its_circle(runs: Path, showers: pd.DataFrame, tiny: Tiny) -> None:
    config = tiny(target="wind_dir", covariates="none", normalise="last", lookback=24, epochs=4)
    run = forecast.train(showers, config, run="wind", runs_dir=runs)
    assert run.config.data.circular == ("wind_dir",)
    frame = run.test_forecasts
    shown = frame.drop(columns=["unique_id", "ds", "cutoff"])
    assert ((shown >= 0) & (shown < 360)).all().all()
    error = (frame["lstm"] - frame["y"] + 180) % 360 - 180
    scores = run.metrics["models"]["lstm"]
    assert scores["mae"] == pytest.approx(error.abs().mean())
    assert scores["mae"] < 20  # a straight line's error would be hundreds wherever the wind turns through north
    assert scores["smape"] is None
    assert run.metrics["reasons"]["models.lstm.smape"] == "an angle has no zero"
    with pytest.raises(ConfigError, match="an angle is counted from the window"):
        forecast.resolve(tiny(target="wind_dir", circular="wind_dir"), forecast.read(showers))


def test_limits_that_are_stated_take_the_angle_out_and_inferred_ones_refuse_nothing(
    showers: pd.DataFrame, tiny: Tiny
) -> None:
    panel = forecast.read(showers)
    stated, _ = forecast.resolve(tiny(target="wind_dir", normalise="last", limits="wind_dir=0:360"), panel)
    assert stated.data.circular == ()
    both, _ = forecast.resolve(tiny(target="rain,wind_dir", normalise="last", limits="wind_dir=0:400"), panel)
    assert both.data.limits == ("wind_dir=0:400", "rain=0:")
    late = showers.assign(rain=showers["rain"].where(showers.index < 590, -1.0))
    inferred, _ = forecast.resolve(tiny(target="rain"), forecast.read(late))
    assert inferred.data.limits == ("rain=0:",)
    asked = tiny(target="rain", limits="rain=0:")
    assert forecast.resolve(asked, forecast.read(late))[0].data.limits == ("rain=0:",)  # the test span decides nothing
    early = showers.assign(rain=showers["rain"].where(~showers.index.isin(range(100, 110)), -1.0))
    with pytest.raises(DataError, match="10 values of 'rain' lie beyond its limits"):
        forecast.resolve(asked, forecast.read(early))


@pytest.mark.usefixtures("unsaved")
def test_a_quantile_head_can_be_audited_and_reported(runs: Path, monthly_csv: Path, tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(model="rnn", quantiles="0.1,0.5,0.9", epochs=1)
    run = forecast.train(monthly_csv, config, run="audited", runs_dir=runs)
    assert forecast.audit(run).passed
    page = write_report(run, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "vanilla RNN" in page


def test_an_angle_can_be_audited(runs: Path, showers: pd.DataFrame, tiny: Tiny) -> None:
    config = tiny(target="wind_dir", covariates="none", normalise="last", epochs=1, baseline=False)
    run = forecast.train(showers, config, run="audited-wind", runs_dir=runs)
    assert forecast.audit(run, showers).passed


def test_paths_are_drawn_from_the_intervals(trained: Run, monthly_csv: Path) -> None:
    paths = forecast.sample_paths(trained, count=200)
    assert list(paths) == ["unique_id", "ds", "cutoff", "path", "lstm", "rnn"]
    assert len(paths) == 200 * 3
    assert paths["path"].iloc[:6].tolist() == [1, 1, 1, 2, 2, 2]
    by_time = paths.groupby("ds")["lstm"]
    newest = trained.forecast
    below = by_time.apply(lambda values: (values < newest["lstm-lo-80"].to_numpy()[0]).mean()).iloc[0]
    assert below == pytest.approx(0.1, abs=0.07)
    pd.testing.assert_frame_equal(paths, forecast.sample_paths(trained, monthly_csv, count=200))
    assert not paths["lstm"].equals(forecast.sample_paths(trained, count=200, seed=1)["lstm"])


def test_a_run_without_intervals_has_none_anywhere(runs: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    run = forecast.train(monthly, tiny(levels="none", epochs=1, baseline=False), run="none", runs_dir=runs)
    assert run.metrics["intervals"] is None
    assert intervals_of(run, "end") is None
    assert not [name for name in forecast.predict(run, monthly) if "-lo-" in name]
    with pytest.raises(RunError, match="has no intervals to draw paths from"):
        forecast.sample_paths(run, monthly)


def test_the_interval_of_an_angle_turns_with_its_forecast() -> None:
    table = pd.DataFrame(
        {"unique_id": ["p", "w", "w", "w"], "y": [1013.0, np.nan, 230.0, 10.0], "lstm": [1000.0, 350.0, 40.0, 355.0],
         "lstm-lo-80": [990.0, 330.0, 20.0, 340.0], "lstm-hi-80": [1010.0, 5.0, 60.0, 15.0]}
    )  # fmt: skip
    run = SimpleNamespace(
        evaluation=SimpleNamespace(forecasts=table), prepared=SimpleNamespace(rows=SimpleNamespace(angles=("w",)))
    )
    moved = RunResults._comparable_forecasts.func(run)  # type: ignore[attr-defined]
    assert moved.iloc[0].tolist() == table.iloc[0].tolist()
    columns = ["lstm-lo-80", "lstm", "lstm-hi-80"]
    assert moved.loc[1:, columns].to_numpy().tolist() == [[330, 350, 365], [380, 400, 420], [-20, -5, 15]]
