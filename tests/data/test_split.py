"""Cut-offs by share and by date."""

from __future__ import annotations

import numpy as np
import pytest

from days import daily, panel_of_lengths
from forecast.config import DataSettings
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.split import split_panel
from forecast.errors import ConfigError, DataError


def counts(panel: Panel, **options: object) -> list[int]:
    """Rows for training, validation and test."""
    split = split_panel(panel, DataSettings(**options))
    return np.bincount(split.part_of(panel), minlength=3).tolist()


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
    assert split_panel(panel, DataSettings(**options)).part_of(panel).tolist() == [0] * 4 + [1] * 3 + [2] * 3


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
    split = split_panel(panel, DataSettings())
    # Of 30 rows in all the newest six lie on the last three days, and the three before them on one day and a half.
    assert split.test_from[0] == np.datetime64("2020-01-18")
    assert split.validation_from[0] == np.datetime64("2020-01-16")
    part = split.part_of(panel)
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
        split_panel(daily(10), DataSettings(**options))
    assert "--validation-from" in caught.value.text("shell")[1]


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_too_few_rows_for_three_parts(n_rows: int) -> None:
    with pytest.raises(DataError, match=rf"\b{n_rows} rows?\b"):
        split_panel(daily(n_rows), DataSettings())


@pytest.mark.parametrize("option", ["validation_from", "test_from"])
@pytest.mark.parametrize("text", ["soon", "2020-13-01", ""])
def test_what_is_no_date_is_refused(option: str, text: str) -> None:
    with pytest.raises(DataError) as caught:
        split_panel(daily(10), DataSettings(**{option: text}))
    assert caught.value.message == f"{option}: {text!r} is not a date."


def test_by_series_each_is_divided_by_its_own_rows() -> None:
    panel = panel_of_lengths(a=100, b=50, short=22, tiny=5)
    split = split_panel(panel, DataSettings(split="series", horizon=6, lookback=10))
    parts = split.part_of(panel)
    found = [np.bincount(parts[panel.rows(series)], minlength=3).tolist() for series in range(4)]
    # 50 rows have a fifth and a tenth of 10 and 5, of which the 5 hold no horizon. 22 rows have a horizon to test, but
    # no validation, which would leave no window of 10 + 6; 5 have no room for any window.
    assert found == [[70, 10, 20], [34, 6, 10], [16, 0, 6], [4, 0, 1]]
    assert not split.is_by_time
    record = split.to_record()
    assert record["test_from"] == [
        f"{day}T00:00:00.000000" for day in ("2020-03-21", "2020-02-10", "2020-01-17", "2020-01-05")
    ]


def test_series_of_one_length_are_divided_at_the_same_times() -> None:
    panel = panel_of_lengths(a=100, b=100)
    by_series, by_time = (split_panel(panel, DataSettings(split=kind, horizon=6)) for kind in ("series", "time"))
    assert by_series.is_by_time
    assert by_series.to_record() == by_time.to_record()


def test_dates_and_a_division_by_series_contradict_each_other() -> None:
    assert DataSettings(split="auto").split is None
    with pytest.raises(ConfigError, match="split = series"):
        DataSettings(split="series", test_from="2020-01-08")
