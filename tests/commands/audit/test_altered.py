"""Altered futures: later values differ, declared ones stay, and nothing up to the origin is touched."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.commands.audit.altered import AlteredPanel, Origin, spread_origins, with_changed_values
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.windows import Windows

HORIZON = 2


def panel_of(*lengths: int) -> Panel:
    """Series of days with the columns y, x and plan; every value is another, one is missing."""
    n_rows = sum(lengths)
    start = np.datetime64("2020-01-01", "us")
    values = np.arange(n_rows * 3, dtype=float).reshape(n_rows, 3)
    values[1, 1] = np.nan
    return Panel(
        values=values,
        times=np.concatenate([start + np.arange(n) * np.timedelta64(1, "D") for n in lengths]),
        columns=("y", "x", "plan"),
        clock=Clock("D"),
        series_ids=tuple(f"s{number}" for number in range(len(lengths))),
        offsets=tuple(np.cumsum([0, *lengths]).tolist()),
    )


PANEL = panel_of(8, 3, 6)
ORIGIN = Origin(PANEL, np.datetime64("2020-01-04", "us"), n_known=1, horizon=HORIZON)  # four rows, all three, four
LATER = [[4, 5, 6, 7], [], [15, 16]]


@pytest.mark.parametrize(
    "altered",
    [ORIGIN.with_changed_future(), ORIGIN.with_shuffled_future(), ORIGIN.with_deleted_future(), ORIGIN.truncated()],
)
def test_what_a_forecast_may_know_is_left_as_it_is(altered: AlteredPanel) -> None:
    before = ORIGIN.past_rows
    assert before.tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14]
    there = altered.positions(before)
    np.testing.assert_array_equal(altered.panel.values[there], PANEL.values[before])
    assert (altered.panel.times[there] == PANEL.times[before]).all()
    for later in LATER:
        ahead = altered.positions(np.array(later[:HORIZON], np.int64))
        np.testing.assert_array_equal(altered.panel.values[ahead, 2], PANEL.values[later[:HORIZON], 2])


def test_all_other_later_values_are_large_and_finite() -> None:
    changed = ORIGIN.with_changed_future().panel.values
    later = np.concatenate(LATER).astype(int)
    assert (changed[later, :2] > 5 * np.nanmax(PANEL.values)).all()
    assert (changed[[6, 7], 2] > 5 * np.nanmax(PANEL.values)).all()  # beyond the horizon the plan is not declared
    assert np.isfinite(changed[later]).all()


def test_only_the_columns_in_question_change() -> None:
    changed = ORIGIN.with_changed_future(slice(1, 2)).panel.values
    np.testing.assert_array_equal(changed[:, [0, 2]], PANEL.values[:, [0, 2]])
    assert (changed[[4, 7, 15], 1] != PANEL.values[[4, 7, 15], 1]).all()


def test_rows_are_shuffled_within_their_series() -> None:
    shuffled = ORIGIN.with_shuffled_future().panel.values
    for later in LATER:
        assert sorted(shuffled[later, 0]) == sorted(PANEL.values[later, 0])
    assert (shuffled[LATER[0], 0] != PANEL.values[LATER[0], 0]).any()


def test_nothing_is_left_but_the_times_and_the_plan_of_the_horizon() -> None:
    deleted = ORIGIN.with_deleted_future()
    assert deleted.kept.tolist() == [0, 1, 2, 3, 4, 5, *range(8, 17)]
    assert deleted.panel.offsets == (0, 6, 9, 15)
    ahead = deleted.positions(np.array([4, 5, 15, 16]))
    assert np.isnan(deleted.panel.values[ahead, :2]).all()


def test_a_truncated_panel_has_no_later_row_unless_it_holds_what_was_declared() -> None:
    undeclared = Origin(PANEL, ORIGIN.cutoff, n_known=0, horizon=HORIZON).truncated()
    assert undeclared.kept.tolist() == ORIGIN.past_rows.tolist()
    assert ORIGIN.truncated().panel.n_rows == ORIGIN.with_deleted_future().panel.n_rows


def test_a_hole_ends_at_the_origin() -> None:
    holed = ORIGIN.with_hole(2).panel.values
    empty = np.flatnonzero(np.isnan(holed).all(axis=1))
    assert empty.tolist() == [2, 3, 9, 10, 13, 14]


def test_some_of_the_series() -> None:
    two = ORIGIN.of_series(np.array([0, 2])).panel
    assert two.series_ids == ("s0", "s2")
    assert two.offsets == (0, 8, 14)
    np.testing.assert_array_equal(two.values[8:], PANEL.values[11:])


def test_origins_are_spread_over_the_windows_and_hold_those_of_every_series() -> None:
    panel = panel_of(30, 20)
    starts = np.r_[np.arange(25), np.arange(30, 45)]
    found = spread_origins(panel, Windows(starts, 3, HORIZON), 0, 4)
    assert [str(origin.cutoff)[8:10] for origin, _ in found] == ["03", "11", "19", "27"]
    assert [of_one.tolist() for _, of_one in found] == [[0, 30], [8, 38], [16], [24]]
    assert len(spread_origins(panel, Windows(starts[:2], 3, HORIZON), 0, 4)) == 2


def test_columns_of_zeros_and_columns_without_a_value_can_change() -> None:
    panel = Panel(np.array([[0.0, np.nan]] * 3), PANEL.times[:3], ("a", "b"), Clock("D"))
    changed = with_changed_values(panel, np.ones((3, 2), bool)).values
    assert np.isfinite(changed).all()
    assert (changed >= 10).all()
