"""What spans are chosen where the settings leave them open."""

from __future__ import annotations

import pytest

from days import daily, panel_of_lengths
from forecast.choices.spans import choose_division, choose_validation_from


@pytest.mark.parametrize(
    ("lengths", "kind", "why"),
    [
        ({"a": 100, "b": 100}, "time", "all series reach the end"),
        ({"a": 100, "b": 94}, "time", "all series reach the end"),  # the last horizon may not be there yet
        ({"a": 100, "b": 93}, "series", "1 of 2 series end more than 6 steps before 2020-04-09"),
        ({**{f"s{n}": 100 for n in range(9)}, "b": 50}, "time", "1 of 10 series end more than 6 steps"),
        ({**{f"s{n}": 100 for n in range(8)}, "b": 50}, "series", "1 of 9 series end more than 6 steps"),
    ],
)
def test_the_division_is_chosen_by_how_many_series_end_early(lengths: dict[str, int], kind: str, why: str) -> None:
    chosen, reason = choose_division(panel_of_lengths(**lengths), 6)
    assert chosen == kind
    assert reason.startswith(why)


@pytest.mark.parametrize(
    ("test_from", "needed", "expected"),
    [
        ("2020-04-10", 20, "2020-03-25"),  # of 100 rows: ten windows of seven steps
        ("2020-01-31", 15, "2020-01-16"),  # of 30: fifteen to train on leave nine windows
        ("2020-01-31", 23, "2020-01-24"),  # a single window
    ],
)
def test_the_validation_span_lies_before_a_test_span_that_has_a_date(
    test_from: str, needed: int, expected: str
) -> None:
    assert choose_validation_from(daily(130), test_from, horizon=7, needed=needed) == f"{expected}T00:00:00"
