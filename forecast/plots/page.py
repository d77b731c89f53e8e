"""The report of a run: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from forecast.evaluation.diagnosis import diagnose
from forecast.evaluation.verdict import reference_name
from forecast.plots import sections
from forecast.plots.draw import beside_observed, drawn
from forecast.plots.facts import Facts
from forecast.plots.pictures import Album
from forecast.plots.render import render
from forecast.plots.style import Labels, model_name, shown
from forecast.plots.tables import Cell, share


def report_page(facts: Facts) -> str:
    """The report as HTML."""
    metrics, rows = facts.evaluation.metrics, facts.prepared.rows
    names = [one.name for one in drawn(rows)]
    evaluation = beside_observed(facts.evaluation, rows)
    diagnosis = diagnose(evaluation.forecasts, metrics, rows.panel.clock, names)
    album = Album(facts.prepared, evaluation, facts.histories, facts.forecast, diagnosis)
    return render(
        "report.html.j2",
        title=f"{model_name(metrics['model'])} on {shown(facts.manifest['title'], 80)}",
        verdict=metrics["verdict"],
        tiles=_tiles(metrics, facts.labels),
        origin=_origin(facts),
        sections=[
            sections.scores(facts),
            sections.newest(facts, album),
            sections.origins(album, facts.labels),
            sections.errors(facts, album),
            sections.calibration(facts, album),
            sections.residuals(album, facts.labels),
            sections.training(facts, album),
            *([sections.inside(facts.explained)] if facts.explained else []),
            sections.data(facts, album),
            sections.reproduction(facts),
        ],
    )


def _tiles(metrics: Mapping[str, Any], labels: Labels) -> dict[str, Cell]:
    """The few figures that stand at the top, by what they are; an undefined one with its reason."""
    mae = metrics["models"][metrics["model"]]["mae"]
    tiles = {"mean absolute error": _tile(mae, labels.amount, "")}
    of = "" if metrics["skill_of"] == "MAE" else f", by {metrics['skill_of']}"
    for reference, gain in metrics["skill"].items():
        name = f"skill against {reference_name(reference)}{of}"
        tiles[name] = _tile(gain, share, metrics["reasons"].get(f"skill.{reference}", ""))
    return tiles


def _tile(value: float | None, text: Callable[[float], str], reason: str) -> Cell:
    return Cell("–", aside=reason or "undefined on this test span") if value is None else Cell(text(value))


def _origin(facts: Facts) -> list[str]:
    metrics, labels = facts.evaluation.metrics, facts.labels
    test_from = labels.moment(np.datetime64(facts.manifest["data"]["test_from"]))
    windows = f"{metrics['n_windows']:,} test windows" if metrics["n_windows"] != 1 else "one test window"
    targets = ", ".join(shown(name, 40) for name in facts.prepared.config.data.target)
    return [
        f"{targets}, {labels.duration(metrics['horizon'])} ahead",
        f"{windows} from {test_from} on",
        f"run {facts.name}",
        f"finished {sections.moment_of(facts.manifest['finished'])}",
    ]
