"""What a notebook shows of a run, its rows, settings and scores: parts of the report, in a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any

from forecast.archive.due import LiveScores
from forecast.config import FOUND, Settings
from forecast.data.clock import STEP, Clock
from forecast.data.panel import Panel
from forecast.evaluation.scoring import Evaluation
from forecast.models.catalogue import configure
from forecast.plots.figure import to_png
from forecast.plots.footnotes import coverage_notes, footnotes
from forecast.plots.live_plot import plot_live
from forecast.plots.live_scores import live_tables, sentences_of
from forecast.plots.page import Picture, Section, box, png_image
from forecast.plots.style import Labels, model_name, printable
from forecast.plots.tables import Cell, Table, interval_table, panel_table, score_table, step_table
from forecast.runs.run import Explanation, Run
from forecast.shown import Scores


@singledispatch
def html_of(thing: object) -> str:
    """What a notebook shows of a thing, as HTML."""
    raise TypeError(f"A notebook has nothing to show of a {type(thing).__name__}.")


@html_of.register
def _(scores: Scores) -> str:
    return box(_scores(scores), scores["verdict"])


@html_of.register
def _(run: Run) -> str:
    metrics, manifest = run.metrics, run.manifest
    drawn = [path for path in run.plots if path.name.startswith("5-forecast")][:1]
    scores = _scores(metrics)
    section = replace(
        scores,
        title=f"{model_name(metrics['model'])} on {printable(manifest['title'], 80)}",
        pictures=[_picture("The newest forecast", run.picture(path)) for path in drawn],
        remarks=[*(printable(warning, 400) for warning in run.data.get("warnings", ())), *scores.remarks],
        files={"All settings": run.config.to_toml()},
    )
    finished = str(manifest["finished"])[:16].replace("T", " ")
    origin = [f"run {run.name}", f"finished {finished} UTC", f"{metrics['n_windows']:,} test windows"]
    return box(section, metrics["verdict"], [*origin, *([f"report: {run.report}"] if run.report else [])])


@html_of.register
def _(panel: Panel) -> str:
    facts = {"rows": f"{panel.n_rows:,}"}
    if panel.n_series > 1:
        named = ", ".join(printable(name, 40) for name in panel.series_ids[:5])
        facts["series"] = f"{panel.n_series:,}: {named}{' …' * (panel.n_series > 5)}"
    if panel.n_rows:
        first, last = (panel.clock.format(time) for time in (panel.times.min(), panel.times.max()))
        facts["span"] = f"{first} to {last}, one every {panel.clock.describe().removeprefix('1 ')}"
    remarks, files = [printable(text, 400) for text in panel.warnings], {"How it was read": "\n".join(panel.notes)}
    title = f"Panel {printable(panel.name, 80)}"
    tables = [panel_table(panel)]
    return box(Section(title, facts=facts, tables=tables, remarks=remarks, files=files if panel.notes else {}))


@html_of.register
def _(settings: Settings) -> str:
    table = Table("Settings that are not the usual ones", ["setting", "value"])
    usual = configure()
    for part, info in Settings.model_fields.items():
        asked, described = getattr(settings, part), info.annotation.model_fields  # type: ignore[union-attr]
        for name in [name for name in described if name not in FOUND]:
            value = getattr(asked, name)
            if value == getattr(getattr(usual, part), name):
                continue
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            setting = Cell(name, aside=described[name].description or "")
            table.rows.append([setting, Cell(printable(shown or "none", 60))])
    title = f"{type(settings).__name__} of a {model_name(settings.network.model)}"
    return box(Section(title, tables=[table], files={"As TOML": settings.to_toml()}))


@html_of.register
def _(evaluation: Evaluation) -> str:
    return box(_scores(evaluation.metrics), evaluation.metrics["verdict"])


@html_of.register
def _(live: LiveScores) -> str:
    first, *others = live_tables(live)
    about, revised = sentences_of(live)
    said = [*(printable(alarm.sentence, 600) for alarm in live.alarms), *about, *revised]
    picture = _picture("By day and by step ahead", to_png(plot_live(live)))
    return box(Section("Since it went live", said, [picture], tables=[first], folded_tables=others), live.verdict)


@html_of.register
def _(explanation: Explanation) -> str:
    pictures = [_picture(path.stem, explanation.picture(path)) for path in explanation.plots]
    return box(Section("What the network does", list(explanation.sentences), pictures=pictures))


def _scores(metrics: Mapping[str, Any]) -> Section:
    """The scores of metrics.json as tables."""
    labels = Labels("", "", metrics["unit"], Clock(STEP), metrics["model"], None)
    folded = [step_table(metrics, labels)] if metrics["horizon"] > 1 else []
    folded += filter(None, [interval_table(metrics, labels)])
    title = f"{metrics['n_windows']:,} windows, {metrics['horizon']:,} steps ahead"
    remarks = [*footnotes(metrics), *coverage_notes(metrics)]
    return Section(title, remarks=remarks, tables=[score_table(metrics, labels)], folded_tables=folded)


def _picture(title: str, content: bytes) -> Picture:
    return Picture(title, "", png_image(content))
