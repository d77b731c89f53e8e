"""What a notebook shows of objects and of progress, and that a run can be copied."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from dataclasses import dataclass, field, replace
from html import escape
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run, RunError
from forecast.commands.audit.checks import Audit, Check
from forecast.commands.evaluate.evaluate import evaluate
from forecast.commands.progress import NotebookProgress, shown_by_default
from forecast.evaluation.scoring import Evaluation
from forecast.plots.figure import PlotFigure
from forecast.progress import Epoch, NullProgress, TrainingState


def test_a_run_shows_its_verdict_scores_and_forecast(trained: Run) -> None:
    html = trained._repr_html_()
    assert escape(trained.metrics["verdict"]) in html
    assert "LSTM on monthly" in html
    assert f"{trained.metrics['models']['lstm']['mae']:.3f}" in html
    assert "data:image/png;base64," in html
    assert "<script" not in html
    assert repr(trained) == "<Run months: lstm on monthly>"


def test_a_panel_shows_what_it_holds_and_names_are_no_markup() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2026-01-01", periods=40), "<b>y": np.arange(40.0), "x [m]": 1.5})
    html = forecast.read(frame)._repr_html_()
    assert "2026-01-01 to 2026-02-09, one every day" in html
    assert "&lt;b&gt;y" in html
    assert "<b>y" not in html
    assert "19.50" in html  # the median


def test_settings_show_what_was_asked_and_a_configuration_what_was_chosen(trained: Run) -> None:
    settings = forecast.configure(model="gru", horizon=12, target="y")
    assert repr(settings) == "<Settings gru: target y, lookback open, horizon 12>"
    assert repr(trained.config) == "<Config lstm: target y, lookback 6, horizon 3>"
    html = settings._repr_html_()
    rows = ['<th scope="row">horizon<small>Steps to forecast.', '<th scope="row">learning_rate']
    assert [row in html for row in rows] == [True, False]
    assert "batch_size" in trained.config._repr_html_()


def test_scores_show_as_tables_and_stay_a_dictionary(trained: Run) -> None:
    scores = evaluate(trained)
    assert scores == trained.metrics
    assert json.loads(json.dumps(scores)) == trained.metrics
    assert escape(scores["verdict"]) in scores._repr_html_()
    evaluation = Evaluation(scores, pd.DataFrame())
    assert evaluation._repr_html_() == scores._repr_html_()
    assert repr(evaluation) == f"<Evaluation of {scores['n_windows']} windows: {scores['verdict']}>"


def test_an_audit_shows_its_checks() -> None:
    audit = Audit("months", ("2026-01-01",), (Check("future changed", False, "differs"),), ())
    assert repr(audit) == "<Audit: months leaks: 1 of 1 checks failed.>"
    assert "FAILED  future changed: differs" in audit._repr_html_()


def test_a_plot_is_shown_by_its_name(trained: Run) -> None:
    plot = trained.plot()
    assert plot._repr_png_() == (trained.path / "plots" / "5-forecast.png").read_bytes()
    assert trained.plot("training").path.name == "4-training.png"
    with pytest.raises(RunError, match="has no plot 'loss'") as caught:
        trained.plot("loss")
    assert set(caught.value.allowed) == {"test-span", "examples", "error-by-step", "training", "forecast"}
    assert PlotFigure()._repr_png_().startswith(b"\x89PNG")


def test_a_run_is_copied_by_its_folder(trained: Run) -> None:
    content = pickle.dumps(trained)
    assert len(content) < 30_000  # no weights, no tables
    again = pickle.loads(content)
    assert again == trained == copy.deepcopy(trained) == copy.copy(trained)
    pd.testing.assert_frame_equal(again.forecast, trained.forecast)
    replaced = pickle.loads(pickle.dumps(replace(trained, manifest=trained.manifest | {"finished": "later"})))
    assert replaced.name == trained.name


@dataclass
class Training:
    """A training that is half done."""

    unit: str | None = "°C"
    steps_per_epoch: int = 10
    last_epoch: int = 2
    epoch: int = 2
    state: TrainingState = field(default_factory=lambda: TrainingState(step=10, mae_sum=0.0, best_epoch=1))


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> list[NotebookProgress]:
    """What a notebook was asked to show; it stands in for IPython."""
    shown: list[NotebookProgress] = []

    def display(thing: NotebookProgress, display_id: bool) -> SimpleNamespace:
        assert display_id
        shown.append(thing)
        return SimpleNamespace(update=shown.append)

    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    displays.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    return shown


def test_progress_in_a_notebook_is_a_cell_that_changes(cells: list[NotebookProgress]) -> None:
    progress, training = shown_by_default(), Training()
    assert isinstance(progress, NotebookProgress)
    training.state.history = [Epoch(1, 10, 0.1, 1.0, 2.0, 1.0, 1.5)]
    progress.note("a < b")
    assert cells == []  # a note alone shows nothing
    progress.started("lstm", training)
    progress.step(training)
    html = progress._repr_html_()
    assert 'lstm <progress value="10" max="20"></progress> epoch 2/2  MAE 2, validation 1.5 °C' in html
    assert "<summary>1 notes</summary><ul><li>a &lt; b</li></ul>" in html
    progress.ended("lstm", training)
    progress.warn("Mind this.")
    assert repr(progress) == "lstm: 1 epoch, the best was 1, validation MAE 1.5 °C\nwarning: Mind this."
    assert "<progress" not in progress._repr_html_()
    assert set(cells) == {progress}


def test_a_count_goes_with_its_last_part(cells: list[NotebookProgress]) -> None:
    progress = NotebookProgress()
    progress.counted("origins", 1, 2)
    assert "1 of 2" in progress._repr_html_()
    progress.counted("origins", 2, 2)
    assert progress._repr_html_() == "<div></div>"
    assert len(cells) == 2


def test_elsewhere_python_shows_nothing() -> None:
    assert type(shown_by_default()) is NullProgress
