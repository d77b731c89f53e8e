"""Calendar features against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.data.clock import Clock
from forecast.data.features import Calendar, calendar_features, calendar_names

DAY, WEEK, YEAR = ((f"sine of {cycle}", f"cosine of {cycle}") for cycle in ("day", "week", "year"))


def features_at(stamp: str, freq: str) -> dict[str, float]:
    clock = Clock(freq)
    row = calendar_features(np.array([stamp], "datetime64[us]"), clock)
    return dict(zip(calendar_names(clock), row[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("freq", "names"),
    [
        ("s", DAY + WEEK + YEAR),
        ("15min", DAY + WEEK + YEAR),
        ("h", DAY + WEEK + YEAR),
        ("D", WEEK + YEAR),
        ("B", WEEK + YEAR),
        ("W", YEAR),
        ("MS", YEAR),
        ("QS", YEAR),
        ("YS", ()),
    ],
)
def test_a_clock_shows_the_cycles_longer_than_its_step(freq: str, names: tuple[str, ...]) -> None:
    clock = Clock(freq)
    times = clock.future(np.datetime64("2020-01-01", "us"), 5)
    assert calendar_names(clock) == names
    assert calendar_features(times, clock).shape == (5, len(names))


@pytest.mark.parametrize(
    ("stamp", "cycle", "phase"),
    [
        ("2024-01-01T00:00", "day", 0),
        ("2024-01-01T06:00", "day", 1 / 4),
        ("2024-05-17T18:00", "day", 3 / 4),
        ("1955-05-17T18:00", "day", 3 / 4),
        ("2024-01-01T00:00", "week", 0),  # a Monday
        ("2024-01-04T12:00", "week", 1 / 2),  # Thursday noon
        ("1970-01-01T00:00", "week", 3 / 7),  # a Thursday
        ("1969-12-29T00:00", "week", 0),  # a Monday
        ("2024-01-07T23:00", "week", 167 / 168),
        ("2024-01-01T00:00", "year", 0),
        ("2024-12-31T00:00", "year", 365 / 365.2425),  # the 366th day
        ("1961-04-11T12:00", "year", 100.5 / 365.2425),  # the 101st day: 31 + 28 + 31 + 11
    ],
)
def test_phases(stamp: str, cycle: str, phase: float) -> None:
    found = features_at(stamp, "h")
    assert found[f"sine of {cycle}"] == pytest.approx(np.sin(2 * np.pi * phase), abs=1e-12)
    assert found[f"cosine of {cycle}"] == pytest.approx(np.cos(2 * np.pi * phase), abs=1e-12)


def test_the_same_moment_looks_the_same_on_every_clock() -> None:
    hourly = features_at("2023-07-03", "h")
    for freq in ("D", "B", "W-MON"):
        assert features_at("2023-07-03", freq).items() <= hourly.items()


def test_features_depend_on_nothing_but_the_clock() -> None:
    times = Clock("h").future(np.datetime64("1999-12-30", "us"), 100)
    whole = calendar_features(times, Clock("h"))
    assert whole[40:60].tobytes() == calendar_features(times[40:60], Clock("h")).tobytes()


@pytest.mark.parametrize("rows", [[[3, 4, 5], [4, 5, 6], [4, 5, 6]], [[70, 71], [2, 3]], np.zeros((0, 5), int)])
def test_the_calendar_of_some_rows_is_that_of_all(rows: object) -> None:
    times = np.datetime64("2020-02-27", "us") + np.arange(80) * np.timedelta64(1, "h")
    calendar, picked = Calendar(times, Clock("h")), np.array(rows)
    found = calendar.at(picked)
    assert (calendar.width, found.dtype, found.shape) == (6, np.float32, (*picked.shape, 6))
    assert found.tobytes() == calendar_features(times, Clock("h")).astype(np.float32)[picked].tobytes()
