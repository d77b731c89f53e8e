"""The sections of a run's report, one function for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.evaluation.diagnosis import ClockErrors, Reliability, Residuals
from forecast.evaluation.metrics import METRICS, PointForecast
from forecast.evaluation.verdict import SIGNIFICANT, reference_name
from forecast.plots.facts import Explained, Facts
from forecast.plots.pictures import Album, Picture, png_image
from forecast.plots.render import Section
from forecast.plots.style import Labels, model_name, number, shown
from forecast.plots.tables import (
    Cell,
    Table,
    column_table,
    forecast_table,
    interval_table,
    score_table,
    series_table,
    signed,
    step_table,
)


def moment_of(stamp: str) -> str:
    """A time stamp of the manifest: "22 November 2026, 07:43 UTC"."""
    time = pd.Timestamp(stamp)
    return f"{time.day} {time:%B %Y, %H:%M}{' UTC' if time.tzinfo else ''}"


def scores(facts: Facts) -> Section:
    """Every model's scores beside those of its references."""
    metrics, labels = facts.evaluation.metrics, facts.labels
    sentences = [
        f"All forecasts are scored on the same {metrics['n_windows']:,} windows of the test span. Skill is the share "
        f"of a reference's {metrics['skill_of']} that the {model_name(metrics['model'])} avoids; p is the chance of so "
        "large a difference if both were equally good."
        + (
            " Below the skill: its 95% interval, by block bootstrap, at least as wide as the test says."
            if metrics.get("skill_interval")
            else ""
        )
    ]
    if (metrics.get("echo") or {}).get("delayed"):
        sentences.append(
            "The forecasts are an echo: they fit what was observed best when they are moved back in time, so that they "
            "repeat what they have seen more than they foresee."
        )
    series = series_table(metrics)
    there = {key for found in metrics["models"].values() for key in found}
    glossary = {metric.head(""): metric.meaning for key, metric in METRICS.items() if key in there}
    glossary["skill"] = (
        f"the share of that model's {metrics['skill_of']} that the {model_name(metrics['model'])} avoids"
    )
    glossary["p"] = "of Diebold and Mariano's test, whose variance knows that windows overlap"
    return Section(
        "scores",
        "Scores beside all references",
        sentences,
        first=[score_table(metrics, labels)],
        folded=[series] if series else [],
        glossary=glossary,
    )


def newest(facts: Facts, album: Album) -> Section:
    """The newest forecast, with its fan and its figures."""
    forecast, title = facts.forecast, "The newest forecast"
    if forecast.empty:
        return Section("forecast", title, ["The rows end in a gap, so no forecast follows them."])
    refit = facts.manifest.get("forecast_weights") == "refit"
    ahead = set(forecast["unique_id"])
    return Section(
        "forecast",
        title,
        ["It is made by a network that was trained again on every row."] if refit else [],
        pictures=album.newest(),
        folded=[forecast_table(forecast, one.name, album.labels(one)) for one in album.drawn if one.name in ahead],
    )


def origins(album: Album, labels: Labels) -> Section:
    """The test span, and forecasts from typical, best and worst origins."""
    said = f"What the {model_name(labels.model)} forecast for times that it had never seen, beside what was observed."
    return Section("origins", "Forecasts of the test span", [said], pictures=album.span() + album.examples())


def errors(facts: Facts, album: Album) -> Section:
    """How the error depends on how far ahead it is forecast, and on the clock."""
    metrics, labels, diagnosis = facts.evaluation.metrics, facts.labels, album.diagnosis
    sentences = [_told_apart(name, chances) for name, chances in metrics.get("p_by_step", {}).items() if chances]
    if diagnosis.by_clock:
        found = " ".join(_busiest(part, labels.model) for part in diagnosis.by_clock)
        scaled = " Here, errors are divided by each series' naive error, as in MASE." if diagnosis.scaled else ""
        sentences.append(found + scaled)
    else:
        sentences.append("The clock has neither hours, weekdays nor months to tell apart.")
    return Section(
        "errors",
        "Error by horizon and by the clock",
        sentences,
        pictures=album.by_step() + album.by_clock(),
        tables=[step_table(metrics, labels)] if metrics["horizon"] > 1 else [],
    )


def _told_apart(reference: str, chances: Sequence[float | None]) -> str:
    real = sum(p is not None and p < SIGNIFICANT for p in chances)
    return (
        f"Told apart from {reference_name(reference)} at {real} of {len(chances)} steps ahead (p < {SIGNIFICANT}, "
        "corrected for looking at all of them)."
    )


def _busiest(part: ClockErrors, model: str) -> str:
    values = part.errors[model]
    most, least = (_WHEN[part.part].format(part.names[int(place)]) for place in (values.argmax(), values.argmin()))
    times = f"{values.max() / values.min():.1f} times as large as" if values.min() > 0 else "while there is none"
    return f"By {part.part}, the error is largest {most}, {times} {least}."


_WHEN = {"hour": "at {}:00", "weekday": "on {}", "month": "in {}"}


def calibration(facts: Facts, album: Album) -> Section:
    """Whether intervals hold what they promise, and forecasts mean what they say."""
    metrics, reliability = facts.evaluation.metrics, album.diagnosis.reliability
    table = interval_table(metrics, facts.labels)
    sentences = []
    if table is None:
        sentences.append("This run's forecasts are single values without intervals, so there is no coverage to check.")
    elif metrics["intervals"].get("adaptive"):
        sentences.append("The intervals adapt: they follow the errors of the forecasts before them.")
    sentences += [
        (f"{shown(one.name, 40)}: " if len(album.scored) > 1 else "")
        + _meant(reliability[one.name][album.model], album.labels(one))
        for one in album.scored
    ]
    pictures = album.coverage() + album.reliability()
    tables = [table] if table else []
    meanings = {metric.name: metric.meaning for metric in METRICS.values() if metric.of is not PointForecast}
    glossary = meanings if table else {}
    return Section("calibration", "Calibration", sentences, pictures=pictures, tables=tables, glossary=glossary)


def _meant(found: Reliability, labels: Labels) -> str:
    name = f"the {model_name(labels.model)}"
    if not np.isfinite(found.slope):
        return f"What {name} forecasts never changes, so there is nothing to compare."
    bias = f"{labels.amount(abs(found.bias))} too {'much' if found.bias > 0 else 'little'}"
    return (
        f"Where {name} forecasts 1 more, {number(found.slope)} more is observed on average (1 is right). Over all, it "
        f"forecasts {bias}."
    )


def residuals(album: Album, labels: Labels) -> Section:
    """What the model left over."""
    found = album.diagnosis.residuals
    sentences = [
        (f"{shown(name, 40)}: " if len(found) > 1 else "") + _pattern(of_series, labels)
        for name, of_series in found.items()
    ]
    return Section("residuals", "Residuals and their autocorrelation", sentences, pictures=album.residuals())


def _pattern(found: Residuals, labels: Labels) -> str:
    known = np.flatnonzero(np.isfinite(found.autocorrelation))
    if not len(known):
        return "The test span is too short, or the residuals too even, to look for a pattern in them."
    largest = known[np.argmax(np.abs(found.autocorrelation[known]))]
    by_luck = 0.05 * len(known)
    much = (
        "more than luck puts there: something is left to learn" if found.outside > 2 * by_luck + 1 else "as luck has it"
    )
    return (
        f"One step ahead, {found.outside} of {len(known)} autocorrelations lie outside the band, {much}. The largest "
        f"is {signed(float(found.autocorrelation[largest]))}, {labels.duration(found.lags[largest])} apart."
    )


def training(facts: Facts, album: Album) -> Section:
    """How the networks were trained."""
    table = Table("The networks", ["network", "weights", "members", "epochs", "kept epoch", "seconds"])
    names = {"model": facts.labels.model, "baseline": "rnn"}
    sentences = []
    for network, found in facts.manifest["networks"].items():
        name = names[network]
        epochs = facts.histories[name]["epoch"].max()
        table.rows.append([
            Cell(model_name(name)),
            Cell(f"{found['parameters']:,}"),
            Cell(f"{found['members']:,}"),
            Cell(f"{epochs:,}"),
            Cell(", ".join(f"{epoch:,}" for epoch in found["best_epochs"])),
            Cell(f"{found['seconds']:,.1f}"),
        ])  # fmt: skip
        if found["fell_back"]:
            sentences.append(
                f"On the validation span the {model_name(name)} did not beat the last value, so it repeats that."
            )
    return Section("training", "Training", sentences, pictures=album.training(), tables=[table])


# Titles of the pictures of `forecast explain`, by the first letter of their file names.
_EXPLAINED = {
    "1": "What each layer did with one window, gate by gate",
    "2": "How far back the gradient reaches",
    "3": "What the inputs are worth",
    "4": "The gradient's reach while training",
}


def inside(explained: Explained) -> Section:
    """What `forecast explain` found."""
    pictures = [
        Picture(_EXPLAINED.get(name[:1], shown(name, 60)), "", png_image(content), flips=False)
        for name, content in explained.pictures.items()
    ]
    return Section("inside", "Gates and gradient reach", explained.sentences, pictures=pictures)


def data(facts: Facts, album: Album) -> Section:
    """The rows, and how their axis of time was divided."""
    rows, split, manifest = facts.prepared.rows, facts.prepared.split, facts.manifest
    panel, labels, told = rows.panel, facts.labels, manifest["data"]
    # Where channels are independent, each is a series with the same gaps.
    apart = panel.n_series // len(told["series_ids"])
    gaps = (int(panel.stretches()[-1]) + 1 - panel.n_series) // apart
    first, last = (labels.moment(time) for time in (panel.times.min(), panel.times.max()))
    about = {
        "series": shown(manifest["title"], 80)
        + (f", {len(told['series_ids']):,} of them" if len(told["series_ids"]) > 1 else ""),
        "source": shown(manifest["source"] or "rows that were handed over, not a file", 200),
        "span": f"{first} to {last}, {told['rows']:,} rows, one every {labels.step}",
        "gaps": f"{gaps:,}; no window crosses one" if gaps else "none",
    }
    starts = {
        "train": first,
        "validation": labels.moment(split.validation_from),
        "test": labels.moment(split.test_from),
    }
    for part, start in starts.items():
        count = manifest["windows"][part]
        about["training" if part == "train" else part] = f"from {start}, {count:,} window{'' if count == 1 else 's'}"
    return Section(
        "data",
        "The data",
        pictures=album.data(),
        facts=about,
        remarks=[shown(remark, 400) for remark in (*told["warnings"], *told["notes"])],
        tables=[column_table(facts.prepared, apart)],
    )


def reproduction(facts: Facts) -> Section:
    """Everything that it takes to make the run again."""
    manifest, config = facts.manifest, facts.prepared.config
    read, made = config.data, manifest["versions"]
    about = {
        "seed": f"{manifest['seed']}",
        "data fingerprint": f"SHA-256 {manifest['data']['fingerprint']}",
        "versions": ", ".join([f"Python {manifest['python']}", *(f"{name} {made[name]}" for name in made)]),
        "system": manifest["platform"],
        "lookback": f"{read.lookback:,} steps",
        "horizon": f"{read.horizon:,} steps",
        "season": f"{read.season:,} steps",
        "started": moment_of(manifest["started"]),
    }
    commands = {"Made by": manifest["command"]} if manifest["command"] else {}
    commands["Train it again, and see whether every figure comes out the same"] = f"forecast replay {facts.name}"
    return Section(
        "reproduction",
        "How to make it again",
        facts=about,
        commands=commands,
        files={"The whole configuration, as a file for --config": config.to_toml()},
    )
