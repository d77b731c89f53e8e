"""Normals: means, shares of zeros and climatologies of the training rows, against pandas; and their record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.clock import Clock
from forecast.data.normals import Normals, SavedNormals, day_of_year, fit_normals, join_normals
from forecast.data.panel import Panel


def daily(values: np.ndarray, offsets: tuple[int, ...] = (), freq: str = "D") -> Panel:
    """Series of equal length, one below the other, that begin on the same day."""
    offsets = offsets or (0, len(values))
    n_rows = offsets[1]
    times = pd.date_range("2010-01-01", periods=n_rows, freq=freq).to_numpy()
    names = tuple(f"s{number}" for number in range(len(offsets) - 1))
    return Panel(values, np.tile(times, len(names)), tuple("abc"[: values.shape[1]]), Clock(freq), names, offsets)


def cycle(days: int, noise: float = 1.0) -> np.ndarray:
    times = pd.date_range("2010-01-01", periods=days)
    return -10 * np.cos(2 * np.pi * times.day_of_year.to_numpy() / 365.25) + np.random.default_rng(0).normal(
        0, noise, days
    )


def test_means_are_of_the_observed_training_rows_of_each_series() -> None:
    values = np.random.default_rng(1).normal(size=(60, 2))
    values[3, 0], values[30:50, 1] = np.nan, np.nan
    training_rows = np.tile(np.arange(30) < 20, 2)
    normals = fit_normals(daily(values, (0, 30, 60)), training_rows, 2, 1)
    frame = pd.DataFrame(values).assign(series=np.repeat([0, 1], 30))[training_rows]
    np.testing.assert_allclose(normals.mean, frame.groupby("series").mean().to_numpy())
    assert np.isnan(normals.mean[1, 1])
    assert (normals.sparse, normals.climatology) == (False, None)


def test_an_error_counts_in_no_mean() -> None:
    values = np.random.default_rng(2).normal(50, 1, size=(120, 1))
    expected = np.delete(values[:90], 40).mean()
    values[40] = 1e6
    training_rows = np.arange(120) < 90
    normals = fit_normals(daily(values), training_rows, 1, 1)
    assert normals.mean[0, 0] == pytest.approx(expected)
    assert values[40] == 1e6
    # Heavy tails and amounts that are mostly zero have no errors.
    for honest in (np.random.default_rng(3).standard_t(3, (300, 1)), np.r_[np.zeros(280), np.full(20, 90.0)][:, None]):
        assert fit_normals(daily(honest), np.ones(300, bool), 1, 1).mean[0, 0] == pytest.approx(honest.mean())


@pytest.mark.parametrize(("zeros", "sparse"), [(50, True), (49, False)])
def test_half_of_the_observed_values_must_be_zero(zeros: int, sparse: bool) -> None:
    values = np.r_[np.zeros(zeros), np.ones(100 - zeros), np.full(30, np.nan)][:, None]
    assert fit_normals(daily(values), np.ones(130, bool), 1, 1).sparse == sparse


def test_the_days_of_a_year_are_those_of_a_leap_year() -> None:
    times = pd.date_range("2019-01-01", "2021-12-31")
    of_leap = pd.to_datetime(times.strftime("2020-%m-%d")).day_of_year - 1
    assert day_of_year(times.to_numpy()).tolist() == of_leap.tolist()


@pytest.mark.parametrize("column", [0, 1])
def test_a_climatology_is_the_mean_of_fifteen_days_of_all_training_years(column: int) -> None:
    values = np.stack([cycle(2000), 5 + 2 * cycle(2000, 0.1)], axis=1)
    values[100:120, 0] = np.nan
    training_rows = np.arange(2000) < 1500
    climatology = fit_normals(daily(values), training_rows, 2, 1).climatology
    frame = pd.DataFrame({"y": values[:, column]}, pd.date_range("2010-01-01", periods=2000))[training_rows]
    of_leap = pd.to_datetime(frame.index.strftime("2020-%m-%d")).day_of_year - 1
    for day in range(366):
        apart = np.abs(of_leap - day)
        near = np.minimum(apart, 366 - apart) <= 7
        assert climatology[0, column, day] == pytest.approx(frame["y"][near].mean())


@pytest.mark.parametrize(
    ("values", "freq", "training"),
    [
        (cycle(2000), "D", 700),  # less than two years
        (np.random.default_rng(0).normal(size=2000), "D", 1500),
        (np.random.default_rng(0).normal(size=2000).cumsum(), "D", 1500),
        (np.full(2000, 3.0), "D", 1500),
        (cycle(2000), "h", 1500),
        (cycle(2000), "W", 1500),
    ],
)
def test_others_have_none(values: np.ndarray, freq: str, training: int) -> None:
    panel = daily(values[:, None], freq=freq)
    assert fit_normals(panel, np.arange(2000) < training, 1, 1).climatology is None


def test_no_later_row_is_looked_at() -> None:
    values, training_rows = cycle(2000)[:, None], np.arange(2000) < 1500
    before = fit_normals(daily(values.copy()), training_rows, 1, 1)
    values[1500:] = 1e9
    after = fit_normals(daily(values), training_rows, 1, 1)
    assert before.mean.tobytes() == after.mean.tobytes()
    assert before.climatology.tobytes() == after.climatology.tobytes()


def test_a_record_is_read_back_to_the_last_bit() -> None:
    values = np.concatenate([cycle(2000), np.full(2000, np.nan)])[:, None]
    for normals in (
        fit_normals(daily(values[:2000]), np.arange(2000) < 1500, 1, 1),
        fit_normals(daily(values, (0, 2000, 4000)), np.tile(np.arange(2000) < 1500, 2), 1, 1),
    ):
        again = Normals.from_record(SavedNormals.model_validate(normals.to_record()), len(normals.mean))
        assert again.mean.tobytes() == normals.mean.tobytes()
        assert (again.climatology is None) == (normals.climatology is None)
        if normals.climatology is not None:
            assert again.climatology.tobytes() == normals.climatology.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [[1.0], [2.0]]},
        {"mean": [[1.0, 2.0]]},
        {"mean": [1.0]},
        {"climatology": [[[1.0] * 365]]},
        {"climatology": [[["x"] * 366]]},
        {"sparse": 1},
        {"more": 1},
    ],
)
def test_a_record_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    record = fit_normals(daily(cycle(2000)[:, None]), np.arange(2000) < 1500, 1, 1).to_record()
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's and our own
        Normals.from_record(SavedNormals.model_validate(record | change), 1)


def seasonal_panel() -> Panel:
    """Two series of hours with a daily cycle, of which one begins five hours later."""
    rng = np.random.default_rng(3)
    hours = np.r_[np.arange(400), np.arange(5, 405)]
    values = (10 * np.sin(2 * np.pi * hours / 24) + rng.normal(size=800))[:, None]
    values[50:60] = np.nan
    times = np.datetime64("2024-03-05T01", "us") + hours * np.timedelta64(1, "h")
    return Panel(values, times, ("a",), Clock("h"), ("s0", "s1"), (0, 400, 800))


def test_seasonal_means_are_those_of_each_phase() -> None:
    panel, training_rows = seasonal_panel(), np.tile(np.arange(400) < 300, 2)
    seasonal = fit_normals(panel, training_rows, 1, 24).seasonal
    frame = pd.DataFrame({"y": panel.values[:, 0], "hour": pd.DatetimeIndex(panel.times).hour})
    frame = frame.assign(series=np.repeat([0, 1], 400))[training_rows]
    expected = frame.groupby(["series", "hour"])["y"].mean().unstack().to_numpy()
    assert seasonal is not None
    np.testing.assert_allclose(seasonal[:, 0], expected)


@pytest.mark.parametrize("season", [1, 17, 130])  # none; one that is not there; one that is seen less than three times
def test_phases_that_do_not_differ_have_no_means(season: int) -> None:
    assert fit_normals(seasonal_panel(), np.tile(np.arange(400) < 300, 2), 1, season).seasonal is None


def test_seasonal_means_look_at_no_later_row_and_are_read_back() -> None:
    panel, training_rows = seasonal_panel(), np.tile(np.arange(400) < 300, 2)
    before = fit_normals(panel, training_rows, 1, 24)
    panel.values[~training_rows] = 1e6
    assert fit_normals(panel, training_rows, 1, 24).to_record() == before.to_record()
    again = Normals.from_record(SavedNormals.model_validate(before.to_record()), 2)
    assert again.to_record() == before.to_record()
    assert again.of_series(np.array([1])).seasonal.tolist() == [before.to_record()["seasonal"][1]]


def test_the_first_of_joined_normals_says_which_there_are() -> None:
    whole = Normals(np.array([[1.0]]), True, np.full((1, 1, 366), 2.0), np.array([[[3.0, 4.0]]]))
    plain = Normals(np.array([[5.0], [np.nan]]), False, None)
    joined = join_normals(whole, [plain, whole])
    assert joined.sparse
    np.testing.assert_array_equal(joined.mean[:, 0], [1, 5, np.nan, 1])
    assert joined.climatology is not None
    assert joined.seasonal is not None
    np.testing.assert_array_equal(joined.seasonal[:, 0], [[3, 4], [5, 5], [np.nan, np.nan], [3, 4]])
    np.testing.assert_array_equal(joined.climatology[:, 0, 365], [2, 5, np.nan, 2])
    without = join_normals(plain, [whole])
    assert (without.sparse, without.climatology, without.seasonal) == (False, None, None)


def log_har_by_loop(y: np.ndarray, n_training: int, step: int) -> tuple[np.ndarray, float]:
    """Coefficients and residual variance of the regression of log y at a step, fitted to the rows before the split."""
    x, logs, horizon = [], [], 3
    for t in range(21, n_training - horizon):
        x.append([1.0, np.log(y[t]), np.log(y[t - 4 : t + 1]).mean(), np.log(y[t - 21 : t + 1]).mean()])
        logs.append(np.log(y[t + step]))
    weights = np.linalg.solve(np.transpose(x) @ np.array(x), np.transpose(x) @ np.array(logs))
    return weights, float(np.mean((np.array(logs) - np.array(x) @ weights) ** 2))


def test_the_heterogeneous_autoregression_is_least_squares_of_logarithms_on_training_rows_alone() -> None:
    rng = np.random.default_rng(5)
    y = np.exp(-9 + np.convolve(rng.normal(0, 0.4, 400), 0.9 ** np.arange(40))[:400])
    panel, training_rows = daily(y[:, None]), np.arange(400) < 300
    normals = fit_normals(panel, training_rows, 1, 1, har_steps=3)
    assert normals.har is not None
    for step in (1, 2, 3):
        weights, variance = log_har_by_loop(y, 300, step)
        weights[0] += variance / 2
        np.testing.assert_allclose(normals.har[0, 0, :, step - 1], weights, rtol=1e-8)
    record = SavedNormals.model_validate(normals.to_record())
    assert np.array_equal(Normals.from_record(record, 1).har, normals.har)
    assert join_normals(normals, [normals]).har.shape == (2, 1, 4, 3)
    short = fit_normals(panel, np.arange(400) < 60, 1, 1, har_steps=3)
    assert short.har[0, 0].tolist() == [[0] * 3, [1] * 3, [0] * 3, [0] * 3]  # the last value
