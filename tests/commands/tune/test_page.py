"""What a search shows: its course, what its trials tried, and tables of both."""

from __future__ import annotations

from typing import Any

import pytest

from forecast.commands.tune.page import search_page
from forecast.commands.tune.plots import plot_course, plot_importances, plot_parallel
from forecast.commands.tune.tables import runs_table, space_table, trials_tables

DEFAULTS = {"cell": "lstm", "linear": True, "learning_rate": 0.002}


def trial(number: int, error: float | None, **tried: object) -> dict[str, Any]:
    why = "stopped early" if error is None else None
    return {"trial": number, "error": error, "errors": [], "why": why, "seconds": 3.0, "tried": DEFAULTS | tried}


@pytest.fixture
def summary() -> dict[str, Any]:
    trials = [trial(1, 0.5), trial(2, 0.9, cell="gru"), trial(3, None, linear=False), trial(4, 0.45, cell="rnn")]
    test = {"measure": "MAE", "n_windows": 90, "tuned": 1.1, "defaults": 1.0, "skill": -0.1, "p_value": None}
    span = {"from": "2020-01-01", "to": "2020-02-01", "n_train": 50, "n_windows": 9}
    return {
        "title": "months", "target": ["y"], "horizon": 3, "unit": "", "seed": 0, "fingerprint": "f", "spans": [span],
        "space": {"cell": "lstm, gru, rnn", "linear": "yes, no", "learning_rate": "0.0003 … 0.01"},
        "n_trials": 4, "n_stopped": 1, "best": 4, "error": 0.45, "error_of_defaults": 0.5, "defaults": DEFAULTS,
        "found": DEFAULTS | {"cell": "rnn"}, "importances": {"cell": 0.7, "linear": 0.3}, "trials": trials,
        "test": test, "verdict": "Trial 4 of 4 is the best.",
    }  # fmt: skip


def test_the_course_shows_each_trial_and_the_lowest_so_far(summary: dict[str, Any]) -> None:
    lowest, usual, within, beyond, stopped = plot_course(summary).axes[0].lines
    assert list(lowest.get_ydata()) == [0.5, 0.5, 0.5, 0.45]
    assert set(usual.get_ydata()) == {0.5}
    assert list(within.get_xdata()) == [1, 4]
    assert list(beyond.get_xdata()) == [2]
    assert list(stopped.get_xdata()) == [3]


def test_the_best_trial_is_the_last_line_drawn(summary: dict[str, Any]) -> None:
    *trials, usual = plot_parallel(summary).axes[0].lines
    assert len(trials) == 3
    best = [round(float(x), 1) for x in trials[-1].get_xdata()]
    assert best[0] == 1.0  # gru, lstm, rnn from left to right
    assert list(usual.get_ydata()) == [0, 1, 2]


def test_tables(summary: dict[str, Any]) -> None:
    assert [[cell.text for cell in row] for row in runs_table(summary).rows] == [
        ["tuned", "1.10", "−10.0%", "–"],
        ["defaults", "1.00", "", ""],
    ]
    assert [cell.text for cell in space_table(summary).rows[0]] == ["cell", "lstm", "rnn", "lstm, gru, rnn"]
    best, every = trials_tables(summary)
    assert [row[0].text for row in best.rows] == ["4", "1, defaults", "2"]
    assert [row[1].text for row in every.rows] == ["0.5000", "0.9000", "–", "0.4500"]
    assert every.notes == ["stopped early"]


def test_the_page_stands_by_itself(summary: dict[str, Any]) -> None:
    assert len(plot_importances(summary).axes[0].patches) == 2
    page = search_page(summary, "forecast tune months")
    assert page.count("<img") + page.count("<source") >= 3
    assert "http://" not in page.replace("http://www.w3.org", "")
    for said in ("Trial 4 of 4 is the best.", "What makes a trial good", "forecast tune months", "stopped early"):
        assert said in page
