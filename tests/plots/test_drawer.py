"""Drawing in a process beside this one: the same pictures, whatever happens to it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from forecast import Run
from forecast.commands.report.report import results_of
from forecast.plots import run_report
from forecast.plots.drawer import Drawer, drawing_beside
from forecast.plots.results import Part, RunResults
from forecast.runs.rows import training_panel

PARTS: list[Part] = [("page", "coverage"), ("files", "training"), ("files", "error-by-step")]


@pytest.fixture
def results(trained: Run) -> RunResults:
    return results_of(trained, training_panel(trained))


@pytest.fixture
def drawn_here(monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    """Leaves three parts to draw; lists those that this process draws."""
    parts: list[Part] = []
    draw: Callable[[RunResults, Part], object] = run_report.draw_part

    def noted(run: RunResults, part: Part) -> object:
        parts.append(part)
        return draw(run, part)

    monkeypatch.setattr(run_report, "parts_of_plots", lambda: PARTS)
    monkeypatch.setattr(run_report, "draw_part", noted)
    return parts


def test_both_processes_draw_the_same_and_the_other_ends_with_this_one(
    results: RunResults, drawn_here: list[Part]
) -> None:
    drawer = Drawer()
    assert drawer._pipe.poll(60)
    drawer.draw(results)
    assert drawn_here == PARTS[2:]  # the other process was given two at once
    assert set(results.drawn) == set(PARTS)
    alone = replace(results)
    assert alone.drawn == {}
    assert {part: run_report.draw_part(alone, part) for part in PARTS} == results.drawn
    drawer._pipe.close()  # as when this process is killed
    assert drawer._process.wait(10) == 0


def test_what_a_process_that_ended_has_not_drawn_is_drawn_later(results: RunResults, drawn_here: list[Part]) -> None:
    drawer = Drawer()
    drawer._process.kill()
    drawer._process.wait()
    drawer.draw(results)
    drawer.close()
    assert set(drawn_here) == set(results.drawn) < set(PARTS)


def test_there_is_none_where_it_would_be_waited_for(results: RunResults, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = results.prepared.rows
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    with drawing_beside(rows) as drawer:
        assert drawer is None
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr("forecast.plots.drawer._MOST_ROWS", rows.panel.n_rows - 1)
    with drawing_beside(rows) as drawer:
        assert drawer is None
    monkeypatch.setattr("forecast.plots.drawer._MOST_ROWS", rows.panel.n_rows)
    with drawing_beside(rows) as drawer:
        assert drawer is not None
    assert drawer._process.returncode is not None
