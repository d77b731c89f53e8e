"""Cut-offs by share and by date."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.config import DataSettings
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.split import split_by_time
from forecast.errors import DataError


def daily(n_rows: int, start: str = "2020-01-01") -> Panel:
    times = np.datetime64(start, "us") + np.arange(n_rows) * np.timedelta64(1, "D")
    return Panel(np.zeros((n_rows, 1)), times, ("y",), Clock("D"))


def counts(panel: Panel, **options: object) -> list[int]:
    """Rows for training, validation and test."""
    split = split_by_time(panel, DataSettings(**options))
    return np.bincount(split.part_of(panel.times), minlength=3).tolist()


@pytest.mark.parametrize(
    ("n_rows", "validation", "test", "expected"),
    [
        (10, 0.1, 0.2, [7, 1, 2]),
        (100, 0.1, 0.2, [70, 10, 20]),
        (100, 0.15, 0.15, [70, 15, 15]),
        (100, 0.1, 0.29, [61, 10, 29]),  # 0.29 × 100 is 28.999999999999996 in floats
        (100, 0.1, 0.58, [32, 10, 58]),
        (101, 0.1, 0.2, [70, 11, 20]),  # fractions of a row go to the validation
    ],
)
def test_shares(n_rows: int, validation: float, test: float, expected: list[int]) -> None:
    assert counts(daily(n_rows), validation=validation, test=test) == expected


def test_dates_are_the_first_of_their_part() -> None:
    panel = daily(10)
    options = {"validation_from": "2020-01-05", "test_from": "2020-01-08T00:00"}
    assert split_by_time(panel, DataSettings(**options)).part_of(panel.times).tolist() == [0] * 4 + [1] * 3 + [2] * 3


def test_one_date_and_one_share() -> None:
    assert counts(daily(100), test_from="2020-04-04") == [70, 24, 6]  # 4 April is the 95th day


def test_the_first_day_of_1970_is_a_date() -> None:
    panel = daily(20, "1969-12-22")
    assert counts(panel, validation_from="1969-12-28", test_from="1970-01-01") == [6, 4, 10]


def test_every_series_is_cut_at_the_same_moments() -> None:
    long, short = daily(20), daily(10, "2020-01-11")
    panel = Panel(
        np.zeros((30, 1)), np.concatenate([long.times, short.times]), ("y",), Clock("D"), ("long", "short"), (0, 20, 30)
    )
    split = split_by_time(panel, DataSettings())
    # Of 30 rows in all the newest six lie on the last three days, and the three before them on one day and a half.
    assert split.test_from == np.datetime64("2020-01-18")
    assert split.validation_from == np.datetime64("2020-01-16")
    part = split.part_of(panel.times)
    assert part[10:20].tolist() == part[20:].tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"test_from": "2021-01-01"},
        {"validation_from": "2019-01-01"},
        {"validation_from": "2020-01-08", "test_from": "2020-01-08"},
        {"validation_from": "2020-01-08", "test_from": "2020-01-05"},  # the wrong way round
    ],
)
def test_no_part_may_be_empty(options: dict[str, str]) -> None:
    with pytest.raises(DataError) as caught:
        split_by_time(daily(10), DataSettings(**options))
    assert "--validation-from" in caught.value.text("shell")[1]


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_too_few_rows_for_three_parts(n_rows: int) -> None:
    with pytest.raises(DataError, match=rf"\b{n_rows} rows?\b"):
        split_by_time(daily(n_rows), DataSettings())


@pytest.mark.parametrize("option", ["validation_from", "test_from"])
@pytest.mark.parametrize("text", ["soon", "2020-13-01", ""])
def test_what_is_no_date_is_refused(option: str, text: str) -> None:
    with pytest.raises(DataError) as caught:
        split_by_time(daily(10), DataSettings(**{option: text}))
    assert caught.value.message == f"{option}: {text!r} is not a date."
