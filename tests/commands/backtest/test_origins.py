"""Rolling origins: exactly those that were asked for, and which rows each fit may know."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.commands.backtest.origins import fit_spans, rolling_origins
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.split import Split
from forecast.data.windows import Windows, index_windows, origins_of

LOOKBACK, HORIZON = 4, 2


def days(n: int, absent: tuple[int, ...] = (), n_series: int = 1) -> Panel:
    """Series of consecutive days without some of them."""
    there = np.delete(np.arange(n), list(absent))
    times = (np.datetime64("2021-01-01") + there).astype("datetime64[us]")
    return Panel(
        values=np.zeros((n_series * len(there), 1)),
        times=np.tile(times, n_series),
        columns=("y",),
        clock=Clock("D"),
        series_ids=tuple(f"s{number}" for number in range(n_series)),
        offsets=tuple(range(0, (n_series + 1) * len(there), len(there))),
    )


def every_window(panel: Panel) -> Windows:
    all_rows = np.ones(panel.n_rows, bool)
    return index_windows(panel, all_rows, all_rows, all_rows, LOOKBACK, HORIZON)


def numbers(panel: Panel, windows: Windows) -> list[int]:
    """The origins as days since the first row."""
    return ((origins_of(panel, windows) - panel.times[0]) / np.timedelta64(1, "D")).astype(int).tolist()


@pytest.mark.parametrize(
    ("most", "step", "expected"),
    [
        (3, 1, [15, 16, 17]),
        (3, 5, [7, 12, 17]),
        (1, 7, [17]),
        (None, 4, [5, 9, 13, 17]),
        (99, 4, [5, 9, 13, 17]),
    ],
)
def test_origins_are_counted_back_from_the_newest(most: int | None, step: int, expected: list[int]) -> None:
    panel = days(20)
    assert numbers(panel, rolling_origins(panel, every_window(panel), most, step)) == expected


def test_an_origin_without_a_whole_window_is_passed_over_and_the_beat_goes_on() -> None:
    panel = days(30, absent=(20,))  # so no window ends between the days 18 and 23
    assert numbers(panel, rolling_origins(panel, every_window(panel), 3, 5)) == [12, 17, 27]


def test_series_share_their_origins() -> None:
    panel = days(20, n_series=3)
    windows = rolling_origins(panel, every_window(panel), 2, 3)
    assert len(windows) == 6
    assert numbers(panel, windows) == [14, 17]


def spans_of(span: str, refit: int | None) -> list[tuple[int, int, int, list[int]]]:
    """First day, first day of validation and of what is unknown, and the windows, for each fit to 40 days."""
    panel = days(40)
    windows = rolling_origins(panel, every_window(panel), 6, 2)  # from the days 27, 29 … 37
    split = Split(panel.times[21:22], panel.times[28:29])  # a quarter of what comes before the test is for validation
    return [
        (*(int((moment - panel.times[0]) / np.timedelta64(1, "D")) for moment in (fit.first, fit.validation_from,
         fit.test_from)), fit.window_numbers.tolist())
        for fit in fit_spans(panel, windows, split, span, refit)  # type: ignore[arg-type]
    ]  # fmt: skip


def test_without_a_refit_one_fit_knows_what_comes_before_the_first_origin() -> None:
    assert spans_of("expanding", None) == [(0, 21, 28, [0, 1, 2, 3, 4, 5])]


def test_an_expanding_span_grows_and_keeps_its_share_for_validation() -> None:
    assert spans_of("expanding", 2) == [(0, 21, 28, [0, 1]), (0, 24, 32, [2, 3]), (0, 27, 36, [4, 5])]


def test_a_sliding_span_keeps_its_length() -> None:
    found = spans_of("sliding", 4)
    assert found == [(0, 21, 28, [0, 1, 2, 3]), (8, 29, 36, [4, 5])]
    assert len({unknown - first for first, _, unknown, _ in found}) == 1


def test_the_last_fit_may_be_for_fewer_origins() -> None:
    assert [len(picked) for *_, picked in spans_of("expanding", 4)] == [4, 2]


def test_business_days_are_counted_as_such() -> None:
    times = pd.bdate_range("2021-01-04", periods=20).to_numpy().astype("datetime64[us]")
    panel = Panel(values=np.zeros((20, 1)), times=times, columns=("y",), clock=Clock("B"))
    origins = origins_of(panel, rolling_origins(panel, every_window(panel), 2, 5))
    assert origins.tolist() == times[[12, 17]].tolist()
