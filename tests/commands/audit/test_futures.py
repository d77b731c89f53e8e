"""Another future: what is later differs, what was declared stays, and nothing up to the origin is touched."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.commands.audit.futures import Origin, Tampered, tried_origins, with_wild_values
from forecast.data.panel import Clock, Panel
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


@pytest.mark.parametrize("tampered", [ORIGIN.changed(), ORIGIN.shuffled(), ORIGIN.deleted(), ORIGIN.as_it_was()])
def test_what_a_forecast_may_know_is_left_as_it_is(tampered: Tampered) -> None:
    before = ORIGIN.before
    assert before.tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14]
    there = tampered.places(before)
    np.testing.assert_array_equal(tampered.panel.values[there], PANEL.values[before])
    assert (tampered.panel.times[there] == PANEL.times[before]).all()
    for later in LATER:
        ahead = tampered.places(np.array(later[:HORIZON], np.int64))
        np.testing.assert_array_equal(tampered.panel.values[ahead, 2], PANEL.values[later[:HORIZON], 2])


def test_whatever_else_is_later_is_wild_and_finite() -> None:
    changed = ORIGIN.changed().panel.values
    later = np.concatenate(LATER).astype(int)
    assert (changed[later, :2] > 5 * np.nanmax(PANEL.values)).all()
    assert (changed[[6, 7], 2] > 5 * np.nanmax(PANEL.values)).all()  # beyond the horizon the plan is not declared
    assert np.isfinite(changed[later]).all()


def test_only_the_columns_in_question_change() -> None:
    changed = ORIGIN.changed(slice(1, 2)).panel.values
    np.testing.assert_array_equal(changed[:, [0, 2]], PANEL.values[:, [0, 2]])
    assert (changed[[4, 7, 15], 1] != PANEL.values[[4, 7, 15], 1]).all()


def test_rows_change_places_within_their_series() -> None:
    shuffled = ORIGIN.shuffled().panel.values
    for later in LATER:
        assert sorted(shuffled[later, 0]) == sorted(PANEL.values[later, 0])
    assert (shuffled[LATER[0], 0] != PANEL.values[LATER[0], 0]).any()


def test_nothing_is_left_but_the_times_and_the_plan_of_the_horizon() -> None:
    deleted = ORIGIN.deleted()
    assert deleted.kept.tolist() == [0, 1, 2, 3, 4, 5, *range(8, 17)]
    assert deleted.panel.offsets == (0, 6, 9, 15)
    ahead = deleted.places(np.array([4, 5, 15, 16]))
    assert np.isnan(deleted.panel.values[ahead, :2]).all()


def test_as_it_was_no_row_is_later_unless_it_holds_what_was_declared() -> None:
    undeclared = Origin(PANEL, ORIGIN.moment, n_known=0, horizon=HORIZON).as_it_was()
    assert undeclared.kept.tolist() == ORIGIN.before.tolist()
    assert ORIGIN.as_it_was().panel.n_rows == ORIGIN.deleted().panel.n_rows


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
    found = tried_origins(panel, Windows(starts, 3, HORIZON), 0, 4)
    assert [str(origin.moment)[8:10] for origin, _ in found] == ["03", "11", "19", "27"]
    assert [of_one.tolist() for _, of_one in found] == [[0, 30], [8, 38], [16], [24]]
    assert len(tried_origins(panel, Windows(starts[:2], 3, HORIZON), 0, 4)) == 2


def test_columns_of_zeros_and_columns_without_a_value_can_be_wild() -> None:
    panel = Panel(np.array([[0.0, np.nan]] * 3), PANEL.times[:3], ("a", "b"), Clock("D"))
    wild = with_wild_values(panel, np.ones((3, 2), bool)).values
    assert np.isfinite(wild).all()
    assert (wild >= 10).all()
