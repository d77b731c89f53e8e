"""Which new rows lie far from the training rows: other units, errors and stuck sensors do; what comes next does not."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.scaling import fit_scaler
from forecast.sources.training_ranges import TrainingRanges, far_from_training, fit_ranges

N, NEW = 800, 200


def process(kind: str, seed: int) -> np.ndarray:
    """A thousand rows of a process; the last two hundred are new."""
    rng = np.random.default_rng(seed)
    step, noise = np.arange(N + NEW), rng.normal(0, 1, N + NEW)
    ar = np.zeros(N + NEW)
    for i in range(1, len(ar)):
        ar[i] = 0.95 * ar[i - 1] + noise[i]
    season = np.sin(2 * np.pi * step / 24)
    return {
        "AR(1)": 30 + ar,
        "season": 12 + 8 * season + ar,
        "random walk": np.cumsum(noise),
        "prices": 100 * np.exp(np.cumsum(rng.standard_t(4, N + NEW)) * 0.01),
        "growth": 50 * np.exp(step / 1000 + 0.1 * noise),
        "volumes": 1e6 * np.exp(noise),
        "heavy tails": rng.standard_t(3, N + NEW),
        "Pareto": rng.pareto(1.5, N + NEW),
        "rain": np.where(rng.random(N + NEW) < 0.1, rng.exponential(2, N + NEW), 0),
        "sun": np.maximum(0, season) * rng.uniform(0.2, 1, N + NEW) * 900,
        "counts": rng.poisson(2, N + NEW).astype(float),
        "yes and no": (rng.random(N + NEW) < 0.05).astype(float),
    }[kind]


def judged(values: np.ndarray, name: str = "v", unit: str = "", new: slice = slice(N, None)) -> dict[str, str]:
    """By kind, what is said of the new rows of a column."""
    times = np.datetime64("2022-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "h")
    panel = Panel(values[:, None], times, (name,), Clock("h"), units={name: unit} if unit else {})
    ranges = fit_ranges(panel, np.arange(len(values)) < N)
    rows = np.zeros(len(values), bool)
    rows[new] = True
    found = far_from_training(panel, rows, ranges, np.zeros(1, np.int64))
    return {kind: sentence for (_, kind), sentence in found.items()}


KINDS = ["AR(1)", "season", "random walk", "prices", "growth", "volumes", "heavy tails", "Pareto", "rain", "sun",
         "counts", "yes and no"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_new_rows_of_the_same_process_are_not_far(kind):
    """At most 1 in 100 series of 200 new rows, over 200 seeds."""
    said = [judged(process(kind, seed)) for seed in range(200)]
    assert sum(map(bool, said)) <= 2, [sentence for sentences in said for sentence in sentences.values()]


def changed(values: np.ndarray, change) -> np.ndarray:
    return np.concatenate([values[:N], change(values[N:])])


@pytest.mark.parametrize("kind", ["AR(1)", "season", "random walk", "prices", "volumes", "counts"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("offset", lambda new: new + 1e3 * (abs(new).max() + 1)),
        ("× 1e9", lambda new: np.where(new == 0, 1, new) * 1e9),
        ("1e300", lambda new: np.full_like(new, 1e300)),
        ("the largest number", lambda new: np.where(np.arange(NEW) % 2, -1, 1) * np.finfo(float).max),
    ],
)
def test_rows_on_another_scale_are_far(kind, name, change):
    for seed in range(10):
        assert "far" in judged(changed(process(kind, seed), change))


@pytest.mark.parametrize(
    ("name", "unit", "kind", "change", "says"),
    [
        ("temp", "", "season", lambda new: new + 273.15, "another unit (K for °C)?"),
        ("T (degC)", "degC", "season", lambda new: new * 1.8 + 32, "another unit (°F for °C)?"),
        ("pressure", "mbar", "AR(1)", lambda new: (new + 980) / 33.8639, "another unit (inHg for mbar)?"),
        ("load", "", "AR(1)", lambda new: new * 1e3, "another unit (1,000 times as large)?"),
        ("load", "", "AR(1)", lambda new: new / 1e3, "another unit (1,000 times as small)?"),
        ("load", "", "AR(1)", lambda new: -new, "has the sign changed?"),
        ("load", "", "AR(1)", lambda new: new * 0, "lie far from the training rows"),
    ],
)
def test_the_likely_reason_is_named(name, unit, kind, change, says):
    values = process(kind, 1)
    values += 980 * (name == "pressure") + 100 * (name == "load")
    values[N:] -= 980 * (name == "pressure")
    said = judged(changed(values, change), name, unit)
    assert list(said) == ["far"]
    assert says in said["far"]
    assert f"({values[:N].min():.4g} … {values[:N].max():.4g})" in said["far"]
    assert f"{name!r}: 200 value(s) from 2022-02-03 08:00 on" in said["far"]


@pytest.mark.parametrize("middle", [-0.7, -3.0, -8.0, 32.0])
@pytest.mark.parametrize(("name", "unit"), [("temperature", ""), ("T (degC)", "degC")])
def test_the_first_frost_and_the_first_heat_are_no_other_unit(name, unit, middle):
    """Celsius that happened to be positive, 4 … 28: neither a ratio to zero nor Fahrenheit explains the days after."""
    noise = np.random.default_rng(0).normal(0, 0.5, N + NEW)
    values = 16 + 10 * np.sin(2 * np.pi * np.arange(N + NEW) / 24) + noise
    assert 4 < values[:N].min() < values[:N].max() < 28
    assert not judged(changed(values, lambda new: middle + 0.02 * (new - 16)), name, unit)
    assert "(°F for °C)" in judged(changed(values, lambda new: new * 1.8 + 32), name, unit)["far"]
    # An amount that sinks as low has changed its sign.
    assert "far" in judged(changed(values, lambda new: -8 + 0.02 * (new - 16)), "load")


def test_a_single_row_is_far_only_if_it_is_very_far():
    values = process("AR(1)", 0)
    width = np.ptp(values[:N])
    assert not judged(changed(values, lambda new: np.where(np.arange(NEW) == 9, values[:N].max() + 5 * width, new)))
    said = judged(changed(values, lambda new: np.where(np.arange(NEW) == 9, 1e300, new)))
    assert "'v': 1e+300 at 2022-02-03 17:00 lies far from the training rows" in said["far"]
    # A single row that is all there is.
    said = judged(
        changed(values, lambda new: np.where(np.arange(NEW) == 9, values[:N].max() + 5 * width, new)),
        new=slice(N + 9, N + 10),
    )
    assert "far" in said


def test_an_error_among_the_training_rows_hides_nothing():
    values = process("AR(1)", 0)
    values[100] = 1e9
    assert "far" in judged(changed(values, lambda new: new + 1e6))


def test_a_sensor_that_is_stuck_is_named_and_dry_weeks_are_not():
    said = judged(changed(process("AR(1)", 0), lambda new: np.full(NEW, 30.5)))
    assert list(said) == ["stuck"]
    assert (
        "'v': 30.5 in 200 rows in sequence, the last of 2022-02-11 15:00; in training one value lasted 1"
        in said["stuck"]
    )
    assert not judged(changed(process("rain", 0), lambda new: np.zeros(NEW)))


def test_each_series_has_its_own_ranges():
    low, high = process("AR(1)", 0), process("AR(1)", 1) + 1e4
    times = np.datetime64("2022-01-01", "us") + np.arange(N + NEW) * np.timedelta64(1, "h")
    values, ids = np.concatenate([low, high])[:, None], ("a", "b")
    panel = Panel(values, np.tile(times, 2), ("v",), Clock("h"), ids, (0, N + NEW, 2 * (N + NEW)))
    training = np.tile(np.arange(N + NEW) < N, 2)
    ranges = fit_ranges(panel, training)
    assert not far_from_training(panel, ~training, ranges, np.array([0, 1]))
    assert "'v' of series 'a': " in far_from_training(panel, ~training, ranges, np.array([1, 0]))["v", "far"]
    assert "So in 2 series." in far_from_training(panel, ~training, ranges, np.array([1, 0]))["v", "far"]


def test_missing_values_and_columns_without_any_are_passed_over():
    values = process("AR(1)", 0)
    values[::3] = np.nan
    assert not judged(values)
    assert "far" in judged(changed(values, lambda new: new + 1e5))  # single ones, each very far
    values[:N] = np.nan
    assert not judged(values)


def test_a_run_of_an_earlier_version_knows_its_scaler():
    values = process("season", 0)
    times = np.datetime64("2022-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "h")
    panel = Panel(values[:, None], times, ("temp",), Clock("h"))
    ranges = TrainingRanges.from_scaler(fit_scaler(panel, np.arange(len(values)) < N, ()))
    everything, only = np.ones(len(values), bool), np.zeros(1, np.int64)
    assert not far_from_training(panel, everything, ranges, only)
    kelvin = Panel(values[:, None] + 273.15, times, ("temp",), Clock("h"))
    assert "K for °C" in far_from_training(kelvin, everything, ranges, only)["temp", "far"]
    logged = TrainingRanges.from_scaler(fit_scaler(kelvin, everything, ("temp",)))
    assert not far_from_training(kelvin, everything, logged, only)
