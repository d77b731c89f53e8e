"""What is left in the errors: by the clock, by the value that was forecast, by their own past."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.clock import Clock
from forecast.plots.diagnosis import errors_by_clock, reliability_of, residuals_of


def table(times: pd.DatetimeIndex, error: np.ndarray, horizon: int = 1, uid: str = "y") -> pd.DataFrame:
    """One window from each time on, off by the error of the value's own time."""
    starts = np.arange(len(times) - horizon + 1)
    rows = (starts[:, None] + np.arange(horizon)).ravel()
    ds, wrong = times.to_numpy()[rows], np.asarray(error, float)[rows]
    return pd.DataFrame({"unique_id": uid, "ds": ds, "cutoff": 0, "y": wrong, "lstm": 0.0, "persistence": 2 * wrong})


def test_errors_by_hour_weekday_and_month() -> None:
    times = pd.date_range("2001-01-01", periods=24 * 40, freq="h")  # a Monday
    frame = table(times, times.hour + 100.0 * (times.day_of_week == 6))
    hour, weekday, month = errors_by_clock(frame, ["lstm", "persistence"], Clock("h"))
    assert (hour.part, weekday.part, month.part) == ("hour", "weekday", "month")
    assert hour.names[:2] == ("00", "01")
    assert np.diff(hour.errors["lstm"]) == pytest.approx(np.ones(23))
    assert weekday.names == ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    assert int(weekday.errors["lstm"].argmax()) == 6
    assert month.names == ("Jan", "Feb")
    assert month.errors["lstm"][0] == pytest.approx(11.5 + 100 * 4 / 31)  # four Sundays in January 2001
    assert month.errors["persistence"] == pytest.approx(month.errors["lstm"])


@pytest.mark.parametrize(
    ("freq", "parts"),
    [("15min", ["hour", "weekday", "month"]), ("D", ["weekday", "month"]), ("B", ["weekday", "month"]),
     ("W", ["month"]), ("MS", ["month"]), ("QS", []), ("YS", [])],
)  # fmt: skip
def test_parts_that_the_clock_cannot_tell_apart_are_left_out(freq: str, parts: list[str]) -> None:
    times = pd.date_range("2001-01-01", periods=5000 if freq == "15min" else 60, freq=freq)
    found = errors_by_clock(table(times, np.ones(len(times))), ["lstm"], Clock(freq))
    assert [part.part for part in found] == parts


def test_errors_of_several_series_are_divided_by_their_yardsticks() -> None:
    times = pd.date_range("2001-01-01", periods=24, freq="MS")
    frame = pd.concat([table(times, np.full(24, 3.0), uid="a"), table(times, np.full(24, 500.0), uid="b"),
                       table(times, np.full(24, 7.0), uid="c")])  # fmt: skip
    (month,) = errors_by_clock(frame, ["lstm"], Clock("MS"), {"a": 1.0, "b": 100.0, "c": float("nan")})
    assert month.errors["lstm"] == pytest.approx(np.full(12, 4.0))


def test_autocorrelation_is_that_of_the_first_step_over_pairs_that_are_there() -> None:
    rng = np.random.default_rng(1)
    times = pd.date_range("2001-01-01", periods=400, freq="h")
    error = rng.normal(size=400).cumsum()
    frame = table(times, error, horizon=3)
    kept = frame["ds"].dt.day != 5  # a gap, and windows that are not there
    frame = frame[np.repeat(kept.to_numpy()[::3], 3)]
    found = residuals_of(frame, "lstm", 3, Clock("h"), season=12)
    first = frame.iloc[::3].set_index("ds")["y"].reindex(pd.date_range("2001-01-01", periods=398, freq="h"))
    centred = (first - first.mean()).to_numpy()
    assert found.lags == list(range(1, 25))
    for lag, value in zip(found.lags, found.autocorrelation, strict=True):
        products = centred[lag:] * centred[:-lag]
        assert value == pytest.approx(np.nanmean(products) / np.nanmean(centred**2))
    pairs = [(first.notna().to_numpy()[lag:] & first.notna().to_numpy()[:-lag]).sum() for lag in found.lags]
    assert found.bounds == pytest.approx(1.96 / np.sqrt(pairs))
    assert found.outside > 20
    assert len(found.every) == len(frame)


def test_white_residuals_lie_in_the_band() -> None:
    times = pd.date_range("2001-01-01", periods=3000, freq="D")
    found = residuals_of(table(times, np.random.default_rng(2).normal(size=3000)), "lstm", 1, Clock("D"), season=7)
    assert found.outside <= 4
    assert len(found.lags) == 24


def test_residuals_of_little_or_nothing() -> None:
    for error in ([1.0], [1.0, 1.0], [2.0] * 40, [np.nan] * 40):
        times = pd.date_range("2001-01-01", periods=len(error), freq="MS")
        found = residuals_of(table(times, np.array(error)), "lstm", 1, Clock("MS"), season=12)
        assert not np.isfinite(found.autocorrelation).any()
        assert found.outside == 0
        assert np.isfinite(found.bounds).all()


def test_forecasts_that_swing_too_far_have_a_slope_below_one() -> None:
    truth = np.random.default_rng(3).normal(size=1000)
    own = pd.DataFrame({"y": truth, "lstm": 2 * truth + 1})
    found = reliability_of(own, "lstm")
    assert found.slope == pytest.approx(0.5)
    assert found.bias == pytest.approx(1 + truth.mean())
    assert found.observed == pytest.approx((found.forecast - 1) / 2)
    assert len(found.forecast) == 10
    assert np.isnan(reliability_of(own.assign(lstm=3.0), "lstm").slope)
    assert len(reliability_of(own.assign(y=np.nan), "lstm").forecast) == 0


def test_holes_make_no_pattern_of_noise() -> None:
    rng = np.random.default_rng(5)
    times = pd.date_range("2001-01-01", periods=600, freq="h")
    flagged = []
    for _ in range(40):
        frame = table(times, rng.normal(size=600), horizon=1)
        found = residuals_of(frame[rng.random(len(frame)) < 0.6], "lstm", 1, Clock("h"), season=12)
        flagged.append(found.outside / len(found.lags))
    assert np.mean(flagged) < 0.08


def test_the_hour_that_stands_twice_on_the_wall_is_two_steps() -> None:
    times = pd.date_range("2022-10-29", periods=72, freq="h", tz="Europe/Berlin")
    rows = pd.DataFrame({"ds": times, "y": np.arange(72.0) % 24, "lstm": 12.0})
    residuals = residuals_of(rows, "lstm", 1, Clock("h", "Europe/Berlin"), 24)
    assert residuals.lags[:3] == [1, 2, 3]
    assert residuals.autocorrelation[residuals.lags.index(12)] < 0
    hours = residuals.times[26:30].astype("datetime64[h]").astype(str).tolist()
    assert hours == ["2022-10-30T02", "2022-10-30T02", "2022-10-30T03", "2022-10-30T04"]


def test_errors_by_clock_are_of_what_was_observed() -> None:
    rng = np.random.default_rng(5)
    times = pd.date_range("2001-01-01", periods=24 * 60, freq="h")
    frame = table(times, 5.0 + (times.hour == 7), horizon=3)
    frame["lstm"] = frame["y"] - rng.normal(frame["y"], 0.5)
    gone = np.random.default_rng(6).random(len(times)) < 0.3
    frame["y"] = frame["y"].mask(frame["ds"].isin(times[gone]))
    hour = next(errors_by_clock(frame, ["lstm", "persistence"], Clock("h")))
    seen = frame[frame["y"].notna()]
    expected = (seen["lstm"] - seen["y"]).abs().groupby(seen["ds"].dt.hour).mean()
    assert hour.errors["lstm"] == pytest.approx(expected.to_numpy())
    assert hour.n_wholes == 60  # of each day half of the hours were observed
    assert hour.p_value < 0.01


def test_an_hour_at_which_nothing_is_ever_observed_is_no_hour() -> None:
    times = pd.date_range("2001-01-01", periods=24 * 10, freq="h")
    frame = table(times, np.random.default_rng(7).random(240))
    frame["y"] = frame["y"].mask(frame["ds"].dt.hour < 6)
    hour = next(errors_by_clock(frame, ["lstm", "persistence"], Clock("h")))
    assert hour.names == tuple(f"{number:02d}" for number in range(6, 24))
    assert np.isfinite(hour.errors["lstm"]).all()
    assert hour.n_wholes == 10


def test_missing_outcomes_are_in_no_residual_and_no_group() -> None:
    rng = np.random.default_rng(8)
    times = pd.date_range("2001-01-01", periods=600, freq="h")
    frame = table(times, rng.normal(size=600), horizon=2)
    frame["lstm"] = rng.normal(size=len(frame))
    frame["y"] = frame["y"].mask(rng.random(len(frame)) < 0.2)
    found, seen = reliability_of(frame, "lstm"), frame.dropna()
    assert found.bias == pytest.approx((seen["lstm"] - seen["y"]).mean())
    assert found.slope == pytest.approx(np.polyfit(seen["lstm"], seen["y"], 1)[0])
    residuals = residuals_of(frame, "lstm", 2, Clock("h"), season=12)
    assert np.nanmean(residuals.every) == pytest.approx((seen["y"] - seen["lstm"]).mean())
    assert np.isfinite(residuals.autocorrelation).all()
