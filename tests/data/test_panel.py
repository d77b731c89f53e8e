"""Panel: its rows and series, and where a series is broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecast.data.clock import LONGEST_CLOSURE, Clock
from forecast.data.panel import Panel
from forecast.errors import DataError


def days(*numbers: int) -> np.ndarray:
    """Midnights, counted from Monday 6 January 2020."""
    return np.datetime64("2020-01-06", "us") + np.array(numbers) * np.timedelta64(1, "D")


def panel_at(times: np.ndarray, freq: str = "D", series: dict[str, int] | None = None) -> Panel:
    """A panel whose only column counts its rows."""
    sizes = series or {"": len(times)}
    offsets = (0, *np.cumsum(list(sizes.values())).tolist())
    values = np.arange(len(times), dtype=np.float64)[:, None]
    return Panel(values, times, ("y",), Clock(freq), tuple(sizes), offsets)


def test_values_must_fit_times_and_columns() -> None:
    with pytest.raises(DataError, match=r"shape \(2, 1\) do not fit 3 times and 1 columns"):
        Panel(np.zeros((2, 1)), days(0, 1, 2), ("y",), Clock("D"))


@pytest.mark.parametrize("offsets", [(0, 3), (0, 3, 4), (1, 3, 5), (0, 4, 3, 5), (0, 6, 5)])
def test_offsets_must_divide_the_rows(offsets: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="do not divide 5 rows"):
        Panel(np.zeros((5, 1)), days(*range(5)), ("y",), Clock("D"), ("a", "b"), offsets)


def test_rows_of_series() -> None:
    panel = panel_at(days(0, 1, 2, 0, 1), series={"a": 3, "b": 2})
    assert [panel.values[panel.rows(series), 0].tolist() for series in (0, 1)] == [[0, 1, 2], [3, 4]]
    assert panel.series_of_row().tolist() == [0, 0, 0, 1, 1]
    assert (panel.n_rows, panel.n_series) == (5, 2)


def test_select_takes_columns_in_the_order_asked() -> None:
    panel = Panel(np.arange(6.0).reshape(2, 3), days(0, 1), ("a", "b", "c"), Clock("D"))
    picked = panel.select(("c", "a"))
    assert picked.columns == ("c", "a")
    assert picked.values.tolist() == [[2, 0], [5, 3]]
    with pytest.raises(DataError) as caught:
        panel.select(("d",))
    assert str(caught.value) == "There is no column 'd'.\nColumns: 'a', 'b', 'c'."


def test_absent_rows_break_the_stretch_and_so_does_the_end_of_a_series() -> None:
    panel = panel_at(days(0, 1, 2, 5, 6, 7, 8, 10), series={"a": 5, "b": 3})
    assert panel.absent_before().tolist() == [0, 0, 0, 2, 0, 0, 0, 1]
    assert panel.stretches().tolist() == [0, 0, 0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(("absent", "stretches"), [(0, 1), (1, 1), (LONGEST_CLOSURE, 1), (LONGEST_CLOSURE + 1, 2)])
def test_a_closed_exchange_is_a_gap_only_when_it_is_long(absent: int, stretches: int) -> None:
    on_clock = Clock("B").future(np.datetime64("2020-01-03", "us"), 20)
    panel = panel_at(np.delete(on_clock, range(4, 4 + absent)), "B")
    assert panel.absent_before()[4] == absent
    assert panel.stretches().max() + 1 == stretches


def test_weekends_are_gaps_of_days_but_not_of_business_days() -> None:
    friday_to_monday = days(4, 7)
    assert panel_at(friday_to_monday, "D").stretches().tolist() == [0, 1]
    assert panel_at(friday_to_monday, "B").stretches().tolist() == [0, 0]


def test_an_absent_month_is_a_gap() -> None:
    months = np.array(["2019-11-01", "2019-12-01", "2020-02-01"], "datetime64[us]")
    assert panel_at(months, "MS").absent_before().tolist() == [0, 0, 1]


def test_fingerprint_tells_any_two_trainings_apart() -> None:
    panel = panel_at(days(0, 1, 2, 3))
    panel.values[1] = np.nan
    other_value = panel.values.copy()
    other_value[3, 0] = np.nextafter(3.0, 4.0)
    others = [
        replace(panel, values=other_value),
        replace(panel, times=panel.times + np.timedelta64(1, "us")),
        replace(panel, columns=("z",)),
        replace(panel, clock=Clock("B")),
        replace(panel, series_ids=("a",)),
        replace(panel, series_ids=("", "b"), offsets=(0, 2, 4)),
    ]
    assert len({panel.fingerprint(), *(other.fingerprint() for other in others)}) == 7
    assert replace(panel, values=panel.values.copy(), name="another name").fingerprint() == panel.fingerprint()


def test_a_last_series_without_rows_has_no_stretch() -> None:
    times = np.datetime64("2020-01-01", "us") + np.arange(6) * np.timedelta64(1, "D")
    for offsets in ((0, 6, 6), (0, 0, 6), (0, 3, 3, 6)):
        names = tuple(f"s{number}" for number in range(len(offsets) - 1))
        panel = Panel(np.ones((6, 1)), times, ("y",), Clock("D"), names, offsets)
        assert len(panel.gaps()[0]) == 0
        assert len(np.unique(panel.stretches())) == len({*offsets}) - 1
