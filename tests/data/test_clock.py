"""A clock: how its steps are spelt, numbered, continued and named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.clock import Clock
from forecast.errors import DataError

CLOCKS = ["s", "15min", "h", "6h", "D", "2D", "B", "2B", "W", "2W-WED", "MS", "ME", "2MS", "QS", "QE-NOV", "YE"]


@pytest.mark.parametrize(
    ("given", "freq", "unit", "multiple"),
    [
        ("h", "h", "h", 1),
        ("H", "h", "h", 1),
        ("15T", "15min", "min", 15),
        ("15min", "15min", "min", 15),
        ("S", "s", "s", 1),
        ("d", "D", "D", 1),
        ("2B", "2B", "B", 2),
        ("W-SAT", "W-SAT", "W", 1),
        ("W", "W-SUN", "W", 1),
        ("M", "ME", "M", 1),
        ("ME", "ME", "M", 1),
        ("3MS", "3MS", "M", 3),
        ("BM", "BME", "M", 1),
        ("Q", "QE-DEC", "Q", 1),
        ("Q-NOV", "QE-NOV", "Q", 1),
        ("QS", "QS-JAN", "Q", 1),
        ("A", "YE-DEC", "Y", 1),
        ("AS", "YS-JAN", "Y", 1),
        ("Y", "YE-DEC", "Y", 1),
    ],
)
def test_old_and_new_spellings_give_one_clock(given: str, freq: str, unit: str, multiple: int) -> None:
    clock = Clock(given)
    assert (clock.freq, clock.unit, clock.multiple) == (freq, unit, multiple)
    assert Clock(clock.freq) == clock


@pytest.mark.parametrize("freq", ["", "5", "daily", "0D", "-1D", "W-XYZ", "bh", "SME"])
def test_what_is_no_regular_clock_is_refused(freq: str) -> None:
    with pytest.raises(DataError) as caught:
        Clock(freq)
    assert caught.value.message == f"{freq!r} is not a frequency."


@pytest.mark.parametrize("freq", CLOCKS)
def test_neighbours_on_a_clock_differ_by_one(freq: str) -> None:
    clock = Clock(freq)
    times = clock.future(np.datetime64("2019-11-30", "us"), 200)
    assert (np.diff(clock.ordinals(times)) == 1).all()
    assert times.dtype == np.dtype("datetime64[us]")
    assert (np.diff(times) > np.timedelta64(0, "us")).all()


@pytest.mark.parametrize("freq", [*CLOCKS, "D MON-SAT", "h MON-FRI 09:00-17:00", "step"])
def test_the_past_is_what_the_future_follows(freq: str) -> None:
    clock = Clock(freq)
    times = clock.future(np.datetime64("2019-11-30", "us"), 20)
    assert clock.past(times[-1], 20).tolist() == times.tolist()


@pytest.mark.parametrize("freq", CLOCKS)
def test_the_future_begins_one_step_after_the_last_row(freq: str) -> None:
    clock = Clock(freq)
    times = clock.future(np.datetime64("2019-11-30", "us"), 20)
    assert clock.future(times[7], 12).tolist() == times[8:].tolist()


@pytest.mark.parametrize(
    ("freq", "last", "expected"),
    [
        ("h", "2020-02-28T23:00", ["2020-02-29T00:00", "2020-02-29T01:00"]),
        ("D", "2020-02-28", ["2020-02-29", "2020-03-01"]),
        ("B", "2020-01-03", ["2020-01-06", "2020-01-07"]),  # a Friday
        ("B", "2020-01-04", ["2020-01-06", "2020-01-07"]),  # a Saturday, off the clock
        ("W-SAT", "2019-12-28", ["2020-01-04", "2020-01-11"]),
        ("MS", "2019-12-01", ["2020-01-01", "2020-02-01"]),
        ("ME", "2020-01-31", ["2020-02-29", "2020-03-31"]),
        ("QS", "2019-10-01", ["2020-01-01", "2020-04-01"]),
        ("YE", "2019-12-31", ["2020-12-31", "2021-12-31"]),
    ],
)
def test_future(freq: str, last: str, expected: list[str]) -> None:
    assert Clock(freq).future(np.datetime64(last, "us"), 2).tolist() == np.array(expected, "datetime64[us]").tolist()


@pytest.mark.parametrize(
    ("freq", "steps", "words"),
    [
        ("h", 24, "24 hours"),
        ("15min", 4, "4 × 15 minutes"),
        ("D", 1, "1 day"),
        ("B", 5, "5 business days"),
        ("QS", 2, "2 quarters"),
    ],
)
def test_steps_in_words(freq: str, steps: int, words: str) -> None:
    assert Clock(freq).describe(steps) == words


@pytest.mark.parametrize(
    ("freq", "first", "season", "phase"),
    [
        ("h", "2024-03-05T07", 24, 7),
        ("6h", "2024-03-05T03", 4, 0),  # from three o'clock on
        ("15min", "2024-03-05T01:15", 96, 5),
        ("2D", "1970-01-02", 7, 0),
        ("MS", "2021-04-01", 12, 3),
        ("ME", "2021-04-30", 12, 3),
        ("QS", "2021-04-01", 4, 1),
        ("B", "2024-03-05", 5, 3),  # a Tuesday; 1 January 1970, of phase 0, was a Thursday
        ("W-WED", "2024-03-06", 52, 2826 % 52),
        ("step", "1970-01-01T00:00:00.000010", 7, 3),
    ],
)
def test_phases_follow_each_other_and_do_not_depend_on_where_rows_begin(
    freq: str, first: str, season: int, phase: int
) -> None:
    clock = Clock(freq)
    start = np.datetime64(first, "us")
    times = np.concatenate([[start], clock.future(start, 3 * season)])
    expected = (phase + np.arange(3 * season + 1)) % season
    assert clock.phases(times, season).tolist() == expected.tolist()
    assert clock.phases(times[5:], season).tolist() == expected[5:].tolist()


@pytest.mark.parametrize(
    "freq", ["s", "15min", "h", "6h", "D", "3D", "W-SAT", "MS", "2MS", "ME", "QS-FEB", "YS-JUN", "B"]
)
@pytest.mark.parametrize("last", ["2021-02-01", "2024-01-31", "2021-03-14T05:45"])
def test_future_times_are_those_of_pandas_also_off_the_clock(freq: str, last: str) -> None:
    times = pd.date_range(last, periods=9, freq=freq)
    expected = times[times > pd.Timestamp(last)][:7].to_numpy().astype("datetime64[us]")
    np.testing.assert_array_equal(Clock(freq).future(np.datetime64(last, "us"), 7), expected)
