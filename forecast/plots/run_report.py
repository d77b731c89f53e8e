"""The report of a run, one HTML file: a function for each section, and `SECTIONS`, the list of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from forecast.data.newest import why_no_forecast
from forecast.data.split import span_in_words
from forecast.evaluation.metrics import METRICS, PointForecast
from forecast.evaluation.significance import SIGNIFICANT
from forecast.evaluation.verdict import reference_name, rounded_share
from forecast.plots.findings import (
    clock_errors_in_words,
    hindsight_in_words,
    reliability_in_words,
    residuals_in_words,
    steps_that_differ,
)
from forecast.plots.footnotes import coverage_notes, footnotes
from forecast.plots.live_plot import live_section
from forecast.plots.lost_windows import lost_windows_in_words
from forecast.plots.many_series import lookup_of, tables_by_series
from forecast.plots.members import ensemble_in_words, member_table
from forecast.plots.page import Picture, Section, picture_of, png_image, render, reproduction
from forecast.plots.results import Part, RunResults
from forecast.plots.run_plots import PLOTS, files_of
from forecast.plots.style import format_number, model_name, printable
from forecast.plots.tables import (
    Cell,
    Table,
    column_table,
    coverage_table,
    forecast_table,
    format_share,
    interval_table,
    score_table,
    step_table,
)

# Titles of the pictures of `forecast explain`, by the first letter of their file names.
_EXPLAIN_TITLES = {
    "1": "What each layer did with one window, gate by gate",
    "2": "How far back the gradient reaches",
    "3": "What the inputs are worth",
    "4": "The gradient's reach while training",
}


def report_page(run: RunResults) -> str:
    """The report of a run as HTML."""
    if unknown := {plot.section for plot in PLOTS.values()} - {*SECTIONS, None}:
        raise ValueError(f"PLOTS names sections that the page does not have: {unknown}. It has {list(SECTIONS)}.")
    sections = {}
    for key, section_of in SECTIONS.items():
        if section := section_of(run):
            sections[key] = replace(section, pictures=section.pictures + _pictures(run, key))
    return render(
        title=f"{model_name(run.model)} on {printable(run.manifest['title'], 80)}",
        verdict=run.metrics["verdict"],
        tiles=_tiles(run),
        origin=_origin(run),
        sections=sections,
    )


def _pictures(run: RunResults, section: str) -> list[Picture]:
    """The plots of a section."""
    names = [name for name, plot in PLOTS.items() if plot.section == section]
    return [picture for name in names for picture in run.drawn.get(("page", name)) or _pictures_of(run, name)]


def _pictures_of(run: RunResults, name: str) -> list[Picture]:
    """One plot on the page. Titles name the series only where there are several."""
    pictures = []
    for series, plot in PLOTS[name].of_run(run):
        picture = picture_of(plot)
        title = f"{picture.title[:1].upper()}{picture.title[1:]}"
        if series is not None and len(run.plotted_series) > 1:
            why = f" ({series.chosen_for})" if series.chosen_for else ""
            title = f"{printable(series.unique_id, 60)}{why}: {picture.title}"
        pictures.append(replace(picture, title=title))
    return pictures


def parts_of_plots() -> list[Part]:
    """What is drawn of a run: the pictures of the page, which take longer, and the files."""
    pictures: list[Part] = [("page", name) for name, plot in PLOTS.items() if plot.section is not None]
    return pictures + [("files", name) for name, plot in PLOTS.items() if plot.number is not None]


def draw_part(run: RunResults, part: Part) -> list[Picture] | dict[str, bytes]:
    """Pictures of the page, or files by name."""
    kind, name = part
    return _pictures_of(run, name) if kind == "page" else files_of(run, name)


def _tiles(run: RunResults) -> dict[str, Cell]:
    """The few figures that stand at the top, by what they are; an undefined one with its reason."""
    metrics = run.metrics
    scores = metrics["models"][run.model]
    tiles = {"mean absolute error": _tile(scores["mae"], run.labels.format_amount, "")}
    if scores["mae"] is None:
        tiles = {"mean absolute scaled error": _tile(scores["mase"], format_number, "")}
    by = "" if metrics["skill_of"] == "MAE" else f", by {metrics['skill_of']}"
    for reference, skill in metrics["skill"].items():
        reason = metrics["reasons"].get(f"skill.{reference}", "")
        tiles[f"skill against {reference_name(reference)}{by}"] = _tile(skill, format_share, reason)
    return tiles


def _tile(value: float | None, text: Callable[[float], str], reason: str) -> Cell:
    return Cell("–", aside=reason or "undefined on this test span") if value is None else Cell(text(value))


def _origin(run: RunResults) -> list[str]:
    metrics, labels = run.metrics, run.labels
    windows = f"{metrics['n_windows']:,} test windows" if metrics["n_windows"] != 1 else "one test window"
    if _lost_windows(run):
        windows = f"{metrics['n_windows']:,} of {metrics['windows']['possible']:,} test windows"
    targets = ", ".join(printable(name, 40) for name in run.prepared.config.data.target)
    return [
        f"{targets}, {labels.format_duration(metrics['horizon'])} ahead",
        f"{windows} {span_in_words(run.prepared.split.test_from, run.clock)}",
        f"run {run.name}",
        f"finished {_format_stamp(run.manifest['finished'])}",
    ]


def _lost_windows(run: RunResults) -> str:
    """How many test windows were lost, and why; empty where none was, or they were not counted."""
    count = run.metrics.get("windows")
    if not count or count["possible"] == count["scored"]:
        return ""
    return printable(lost_windows_in_words(count, "test"), 300)


def _format_stamp(stamp: str) -> str:
    """A time stamp of the manifest: "22 November 2026, 07:43 UTC"."""
    time = pd.Timestamp(stamp)
    return f"{time.day} {time:%B %Y, %H:%M}{' UTC' if time.tzinfo else ''}"


def _scores(run: RunResults) -> Section:
    """Every model's scores beside those of its references."""
    metrics, name = run.metrics, model_name(run.model)
    sentences = [
        f"All forecasts are scored on the same {metrics['n_windows']:,} windows of the test span. Skill is the share "
        f"of a reference's {metrics['skill_of']} that the {name} avoids; p is the chance of a difference at least as "
        "large if both were equally good."
    ]
    if metrics.get("skill_interval"):
        sentences[0] += (
            " Below the skill stands its 95% interval: every skill that the test does not reject. The model's and the "
            "vanilla RNN's figures are of one fit each; how fits with other seeds spread, forecast compare says."
        )
    sentences += filter(None, (_least_found(metrics), hindsight_in_words(metrics, run.model)))
    if (metrics.get("echo") or {}).get("delayed"):
        sentences.append(
            "The forecasts are an echo: they fit the observations best when they are moved back in time, so they "
            "repeat what was seen rather than foresee what comes."
        )
    sentences += footnotes(metrics)
    if lost := _lost_windows(run):
        which = "Incomplete windows" if run.prepared.config.data.least_observed == 1 else "Windows with more holes"
        sentences.append(f"{lost}. {which} cannot be scored.")
    if moved := metrics.get("seasonal_naive"):
        sentences.append(
            f"Where a gap lies in the latest season, the seasonal naive uses an earlier one "
            f"({moved['from_earlier_season']:,} points), or the last value where there is none "
            f"({moved['from_last_value']:,} points)."
        )
    series, lookup = tables_by_series(metrics), lookup_of(metrics)
    # Where nothing is pooled in the targets' own units, and of many series, each series' figures are the ones to read.
    unfolded = metrics.get("by_step_of") == "MASE" or lookup is not None
    keys = {key for scores in metrics["models"].values() for key in scores}
    glossary = {metric.head(""): metric.meaning for key, metric in METRICS.items() if key in keys} | {
        "skill": f"the share of that model's {metrics['skill_of']} that the {name} avoids",
        "p": "of Diebold and Mariano's test, whose variance accounts for overlapping windows",
    }
    return Section(
        "Scores beside all references",
        sentences,
        tables=[score_table(metrics, run.labels), *(series if unfolded else [])],
        folded_tables=[] if unfolded else series,
        lookup=lookup,
        glossary=glossary,
    )


def _least_found(metrics: Mapping[str, Any]) -> str:
    """What these windows could show against each reference; empty where it is not known."""
    shown = [
        f"about {rounded_share(least)} over {reference_name(name)}"
        for name, least in metrics.get("detectable", {}).items()
        if least is not None and least < 1
    ]
    return f"The least lead that these windows show with a chance of 80%: {', '.join(shown)}." if shown else ""


def _forecast(run: RunResults) -> Section:
    """The newest forecast, with its intervals and its figures."""
    title, drawn = "The newest forecast", [run.which_are_drawn] if run.which_are_drawn else []
    if run.forecast.empty:
        why = printable(why_no_forecast(run.manifest["data"]["warnings"]), 400)
        return Section(title, [f"There is none. {why}".rstrip(), *drawn])
    refit = run.manifest.get("forecast_weights") == "refit"
    forecast = run.forecast
    return Section(
        title,
        (["It comes from a network that was trained again on every row."] if refit else []) + drawn,
        folded_tables=[
            forecast_table(forecast, series.unique_id, run.labels_of(series))
            for series in run.plotted_series
            if (forecast["unique_id"] == series.unique_id).any()
        ],
    )


def _live(run: RunResults) -> Section | None:
    """How the forecasts that were kept did."""
    return None if run.live is None else live_section(run.live)


def _origins(run: RunResults) -> Section:
    """The test span, and forecasts from typical, best and worst cut-offs."""
    name = model_name(run.model)
    return Section(
        "Forecasts of the test span",
        [f"What the {name} forecast for times that it had never seen, beside what was observed."],
    )


def _errors(run: RunResults) -> Section:
    """How the error depends on how far ahead it is forecast, and on the clock."""
    metrics, diagnosis = run.metrics, run.diagnosis
    sentences = [
        f"Against {reference_name(reference)}, {steps_that_differ(metrics['skill_by_step'][reference], p_values)} "
        f"ahead (p < {SIGNIFICANT}, corrected for looking at all of them)."
        for reference, p_values in metrics.get("p_by_step", {}).items()
        if any(p is not None for p in p_values)
    ]
    if diagnosis.by_clock:
        scaled = " Here, errors are divided by each series' naive error, as in MASE." if diagnosis.scaled else ""
        sentences.append(" ".join(clock_errors_in_words(diagnosis.by_clock, run.model)) + scaled)
    else:
        sentences.append("The clock has no hours, weekdays or months to compare.")
    tables = [step_table(metrics, run.labels)] if metrics["horizon"] > 1 else []
    return Section("Error by horizon and by the clock", sentences, tables=tables)


def _calibration(run: RunResults) -> Section:
    """Whether intervals hold what they promise, and forecasts mean what they say."""
    table, reliability = interval_table(run.metrics, run.labels), run.diagnosis.reliability
    sentences = []
    if table is None:
        sentences.append("This run's forecasts are single values without intervals, so there is no coverage to check.")
    elif run.metrics["intervals"].get("adaptive"):
        sentences.append("The intervals adapt: they follow the errors of the forecasts before them.")
    sentences += [f"{text[:1].upper()}{text[1:]}." for text in run.metrics.get("calibration_warnings", ())]
    sentences += coverage_notes(run.metrics)
    sentences += [
        (f"{printable(series.unique_id, 40)}: " if len(reliability) > 1 else "")
        + reliability_in_words(reliability[series.unique_id][run.model], run.labels_of(series))
        for series in run.plotted_series
        if series.unique_id in reliability
    ]
    heads = " ".join(table.columns) if table else ""
    meanings = {
        metric.name: metric.meaning
        for metric in METRICS.values()
        if metric.of is not PointForecast and metric.name in heads
    }
    by_series = coverage_table(run.metrics)
    return Section(
        "Calibration",
        sentences,
        tables=[table] if table else [],
        folded_tables=[by_series] if by_series else [],
        glossary=meanings,
    )


def _residuals(run: RunResults) -> Section:
    """What the model leaves unexplained."""
    residuals = run.diagnosis.residuals
    sentences = [
        (f"{printable(unique_id, 40)}: " if len(residuals) > 1 else "") + residuals_in_words(of_series, run.labels)
        for unique_id, of_series in residuals.items()
    ]
    return Section("Residuals and their autocorrelation", sentences)


def _members(run: RunResults) -> Section | None:
    """What an ensemble is made of."""
    portfolio = run.prepared.config.portfolio
    if not portfolio:
        return None
    sentences = [
        ensemble_in_words(run.metrics),
        "A member is the run's network with some settings changed, or a forecast without recurrent layers. Weights "
        "are chosen by the loss on validation windows; losses are shares of the first member's.",
    ]
    return Section("The members", sentences, tables=[member_table(run.metrics, portfolio, run.manifest["members"])])


def _training(run: RunResults) -> Section:
    """How the networks were trained."""
    table = Table("The networks", ["network", "weights", "members", "epochs", "kept epoch", "seconds"])
    columns = {"model": run.model, "baseline": "rnn"}
    sentences = []
    for network, outcome in run.manifest["networks"].items():
        name = model_name(columns[network])
        members = run.prepared.config.portfolio if network == "model" else ()
        learner = model_name(members[0].name) if members else name
        kept = outcome["best_epochs"][:1] if members else outcome["best_epochs"]
        if members:
            sentences.append(f"Of the {name}, the curves and the epochs are those of its first member, {learner}.")
        table.rows.append([
            Cell(name),
            Cell(f"{outcome['parameters']:,}"),
            Cell(f"{outcome['members']:,}"),
            Cell(f"{run.histories[columns[network]]['epoch'].max():,}"),
            Cell(", ".join(f"{epoch:,}" for epoch in kept)),
            Cell(f"{outcome['seconds']:,.1f}"),
        ])  # fmt: skip
        if not any(kept):
            sentences.append(
                f"On the validation span no epoch of the {learner} was better than the forecast that it adds to, which "
                "stands alone."
            )
        if outcome["fell_back"]:
            sentences.append(
                f"On the validation span the {name} did not beat the last value, so its forecasts repeat that value."
            )
    return Section("Training", sentences, tables=[table])


def _inside(run: RunResults) -> Section | None:
    """What `forecast explain` found."""
    if run.explained is None:
        return None
    pictures = [
        Picture(_EXPLAIN_TITLES.get(name[:1], printable(name, 60)), "", png_image(content))
        for name, content in run.explained.pictures.items()
    ]
    return Section("Gates and gradient reach", list(run.explained.sentences), pictures=pictures)


def _gaps(count: int, may_have_holes: bool) -> str:
    """What is said of the gaps between the rows that windows are taken from."""
    if may_have_holes:
        fed = "missing values and absent rows are fed as missing"
        return f"{fed}, but for {count:,} longer gap{'' if count == 1 else 's'}" if count else fed
    return f"{count:,}; no window crosses one" if count else "none"


def _data(run: RunResults) -> Section:
    """The rows, and how their axis of time was divided."""
    panel, split, labels, data = run.prepared.rows.panel, run.prepared.split, run.labels, run.manifest["data"]
    # Where channels are independent, each is a series with the same gaps.
    copies = panel.n_series // len(data["series_ids"])
    n_gaps = len(panel.gaps()[0]) // copies
    first, last = (run.clock.format(time) for time in (panel.times.min(), panel.times.max()))
    n_series = f", {len(data['series_ids']):,} of them" if len(data["series_ids"]) > 1 else ""
    facts = {
        "series": printable(run.manifest["title"], 80) + n_series,
        "source": printable(run.manifest["source"] or "rows passed in memory, not a file", 200),
        "span": f"{first} to {last}, {data['rows']:,} rows, one every {labels.step}",
        **({"zone": f"{run.clock.tz}; plots show local time"} if run.clock.is_zoned else {}),
        "gaps": _gaps(n_gaps, run.prepared.rows.masked),
    }
    begins = (split.validation_from, split.test_from)
    starts = [f"from {first}", *(f"from {run.clock.format(dates[0])}" for dates in begins)]
    if not split.is_by_time:
        starts = ["the first part of each series", "the part after it", "the last part of each series"]
    parts = [("training", "train"), ("validation", "validation"), ("test", "test")]
    for (name, key), start in zip(parts, starts, strict=True):
        n_windows = run.manifest["windows"][key]
        facts[name] = f"{start}, {n_windows:,} window{'' if n_windows == 1 else 's'}"
    return Section(
        "The data",
        facts=facts,
        remarks=[printable(remark, 400) for remark in (*data["warnings"], *data["notes"])],
        tables=[column_table(run.prepared, copies)],
    )


def _reproduction(run: RunResults) -> Section:
    """Everything that is needed to repeat the run."""
    manifest, config = run.manifest, run.prepared.config
    versions = [f"{name} {version}" for name, version in manifest["versions"].items()]
    facts = {
        "seed": f"{manifest['seed']}",
        "data fingerprint": f"SHA-256 {manifest['data']['fingerprint']}",
        "versions": ", ".join([f"Python {manifest['python']}", *versions]),
        "system": manifest["platform"],
        "lookback": f"{config.data.lookback:,} steps",
        "horizon": f"{config.data.horizon:,} steps",
        "season": f"{config.data.season:,} steps",
        "started": _format_stamp(manifest["started"]),
    }
    return reproduction(
        facts,
        manifest["command"],
        then={"Train it again and check that every figure comes out the same": run.replay},
        files={"The whole configuration, as a file for --config": config.to_toml()},
    )


# The sections of the page, in this order. A plot is in the section that its entry in PLOTS names.
SECTIONS: dict[str, Callable[[RunResults], Section | None]] = {
    "scores": _scores,
    "forecast": _forecast,
    "live": _live,
    "origins": _origins,
    "errors": _errors,
    "calibration": _calibration,
    "residuals": _residuals,
    "members": _members,
    "training": _training,
    "inside": _inside,
    "data": _data,
    "reproduction": _reproduction,
}
