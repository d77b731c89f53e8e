"""What stands below a run's figures: how they are pooled, which series are left out, and what rests on one value."""

from __future__ import annotations

from typing import Any

import pytest

from forecast.data.clock import STEP, Clock
from forecast.plots.footnotes import coverage_notes, footnotes, shorten_time
from forecast.plots.style import Labels
from forecast.plots.tables import coverage_table, interval_table

LABELS = Labels("", "", "", Clock(STEP), "lstm", None)
SHARES = {
    "80": {"a": 0.81, "b": 0.52, "c": 0.88, "d": 0.61},
    "95": {"a": 0.96, "b": 0.71, "c": 0.97, "d": 0.9},
}


def metrics(**changed: Any) -> dict[str, Any]:
    """Of four series with one unit."""
    levels = {
        level: {"coverage": 0.7, "width": 3.0, "winkler": 5.0, "scaled_winkler": 2.5, "coverage_by_series": shares}
        for level, shares in SHARES.items()
    }
    return {
        "model": "lstm",
        "skill_of": "MASE",
        "by_step_of": "MAE",
        "by_series": {name: {"lstm": 1.0} for name in "abcd"},
        "intervals": {
            "levels": [80, 95],
            "models": {"lstm": {"crps": 1.5, "scaled_crps": 0.75, "wql": 0.1, **levels}},
        },
        **changed,
    }


def test_points_that_were_not_observed_are_counted() -> None:
    assert footnotes(metrics(n_points=26000, n_points_missing=3204))[0] == (
        "3,204 of 26,000 points are not observed and not scored."
    )
    assert not any("observed" in note for note in footnotes(metrics()))


def outlier(**changed: float | str | None) -> dict[str, float | str | None]:
    note = {"time": "2024-03-01T00:00:00", "value": 900.0, "share": 0.78, "mase": 0.35, "mase_without": 1.6}
    return note | changed


def test_how_series_are_pooled_is_said_and_one_series_needs_no_word() -> None:
    assert "each error divided by the naive error of its series; MAE and RMSE" in footnotes(metrics())[0]
    assert footnotes(metrics(by_step_of="MASE")) == [
        "MASE and skill are means over all points, each error divided by the naive error of its series."
    ]
    assert footnotes({"model": "lstm", "skill_of": "MAE"}) == []


def test_series_without_a_scale_are_named() -> None:
    assert footnotes(metrics(unscaled=["b", "d"]))[1].startswith("2 of 4 series are not in MASE and skill")
    assert footnotes(metrics(unscaled=["b"]))[1].endswith("zero or unknown: b.")
    assert len(footnotes(metrics(unscaled=list("abcd"), skill_of="MAE"))) == 0  # a table without MASE says why


def test_series_without_a_window_are_named_and_all_series_are_counted() -> None:
    every = {name: {"mae": 1.0} for name in "abcde"}
    assert footnotes(metrics(unscaled=["b"], naive_error=every))[1:] == [
        "1 of 5 series is not in MASE and skill, as the naive error is zero or unknown: b.",
        "1 of 5 series is not scored, having no window: e.",
    ]


def test_a_yardstick_of_one_value_is_told_with_what_it_would_be_without() -> None:
    note = footnotes(metrics(yardstick={"b": outlier()}))[1]
    assert "One value makes 78% of the naive error of b" in note
    assert "900 at 2024-03-01; without it, its MASE would be 1.600, not 0.350" in note
    alone = footnotes({"skill_of": "MAE", "yardstick": {"": outlier(share=0.999, mase_without=None)}})[0]
    assert "almost all of the naive error, which" in alone
    assert alone.endswith("without it there is none.")
    many = {f"s{number}": outlier(share=number / 10) for number in range(3, 10)}
    notes = footnotes(metrics(yardstick=many))
    assert "of s9, which" in notes[1]
    assert notes[-1] == "So it is with 2 more series."


def test_coverage_is_told_by_series_and_apart_for_those_that_borrow() -> None:
    found = metrics()
    assert coverage_notes(found) == [
        "By series, intervals of 80% hold 52.0% (b) to 88.0%, intervals of 95% hold 71.0% (b) to 97.0%."
    ]
    found["intervals"]["models"]["lstm"]["borrowed"] = ["b"]
    own, borrowed = coverage_notes(found)
    assert own.startswith("Of the 3 series with enough errors of their own, intervals of 80% hold 61.0% (d) to 88.0%")
    assert borrowed.startswith("On the one that borrows the errors of others, intervals of 80% hold 52.0% (b), ")
    alike = metrics()
    for level in SHARES:
        alike["intervals"]["models"]["lstm"][level]["coverage_by_series"] = dict.fromkeys("ab", 1.0)
    assert coverage_notes(alike) == [
        "By series, intervals of 80% hold 100.0% on each, intervals of 95% hold 100.0% on each."
    ]
    found["intervals"]["models"]["lstm"]["borrowed"] = list("abcd")
    assert coverage_notes(found)[0].startswith("By series, all of which borrow the errors of others, intervals of 80% ")
    found["intervals"]["models"]["lstm"]["borrowed"] = ["b"]
    table = coverage_table(found)
    assert table is not None
    assert [row[0].text for row in table.rows] == ["b", "d", "a", "c"]  # those that hold least stand first
    assert [cell.text for cell in table.rows[0]] == ["b", "52.0%", "71.0%"]
    assert table.rows[0][0].aside == "borrows the errors of others"
    assert coverage_notes({"model": "lstm", "intervals": None}) == []
    assert coverage_table({"model": "lstm", "intervals": None}) is None


def test_scaled_scores_stand_where_there_are_several_scales_and_in_the_place_of_raw_ones_of_unlike_units() -> None:
    def heads(found: dict[str, Any]) -> list[str]:
        table = interval_table(found, LABELS)
        assert table is not None
        return table.columns

    assert heads(metrics())[:8] == [
        "model", "CRPS", "scaled CRPS", "WQL", "inside 80%", "width 80%", "Winkler 80%", "MSIS 80%",
    ]  # fmt: skip
    assert not any("scaled" in head or "MSIS" in head for head in heads(metrics(skill_of="MAE")))
    unlike = metrics()
    scores = unlike["intervals"]["models"]["lstm"]
    scores |= {"crps": None, "wql": None}
    for level in ("80", "95"):
        scores[level] |= {"width": None, "winkler": None}
    assert heads(unlike) == ["model", "scaled CRPS", "inside 80%", "MSIS 80%", "inside 95%", "MSIS 95%"]


@pytest.mark.parametrize(
    ("text", "short"),
    [("2024-03-01T00:00:00", "2024-03-01"), ("2024-03-01T05:00:00+01:00", "2024-03-01 05:00+01:00"), ("17", "17")],
)
def test_times_are_as_short_as_they_can_be(text: str, short: str) -> None:
    assert shorten_time(text) == short
