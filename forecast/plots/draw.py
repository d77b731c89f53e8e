"""The plots of a run, from what its training left in memory to the bytes of its files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.data.prepare import Prepared, Rows
from forecast.data.quality import TURN
from forecast.evaluation.scoring import Evaluation
from forecast.plots.plots import (
    Labels,
    plot_error_by_step,
    plot_examples,
    plot_forecast,
    plot_test_span,
    plot_training,
    to_png,
)

# A sheet for each series is welcome up to here; beyond, nobody looks at them, and they take half a second each.
_SERIES_DRAWN = 4


def draw_run(
    prepared: Prepared, evaluation: Evaluation, histories: Mapping[str, pd.DataFrame], forecast: pd.DataFrame
) -> dict[str, bytes]:
    """The plots of a run as PNG, by file name.

    Args:
        prepared: What the run was trained on.
        evaluation: Scores and forecasts of the test span.
        histories: Losses by epoch of each network, by its column.
        forecast: The newest forecast.
    """
    rows, config = prepared.rows, prepared.config
    evaluation = beside_observed(evaluation, rows)
    verdict, model, lookback = evaluation.metrics["verdict"], config.network.model, config.data.lookback
    pictures = draw_forecast(rows, forecast, model, lookback, verdict)
    for one in drawn(rows):
        of_series = evaluation.forecasts[evaluation.forecasts["unique_id"] == one.name]
        if len(of_series):
            labels, past = labels_of(rows, one.target, model, histories), observed_series(rows, one)
            pictures[f"1-test-span{one.part}.png"] = to_png(
                plot_test_span(of_series, one.name, labels, verdict=verdict)
            )
            examples = plot_examples(of_series, past, one.name, labels, lookback, verdict=verdict)
            pictures[f"2-examples{one.part}.png"] = to_png(examples)
    labels = pooled_labels_of(rows, model, histories)
    pictures["3-error-by-step.png"] = to_png(plot_error_by_step(evaluation.metrics["by_step"], labels, verdict=verdict))
    pictures["4-training.png"] = to_png(plot_training(histories, labels, verdict=verdict))
    return pictures


def draw_forecast(rows: Rows, forecast: pd.DataFrame, model: str, lookback: int, verdict: str = "") -> dict[str, bytes]:
    """The plots of the newest forecast as PNG, by file name; one for each of the first few series and targets.

    Args:
        rows: The rows that it was made from.
        forecast: unique_id, ds, cutoff and a column for each model.
        model: The model's column.
        lookback: L.
        verdict: A sentence to stand above it.
    """
    pictures = {}
    for one in drawn(rows):
        labels = labels_of(rows, one.target, model, forecast.columns)
        newest, past = forecast[forecast["unique_id"] == one.name], observed_series(rows, one)
        if newest.empty:
            continue
        figure = plot_forecast(past, newest, one.name, labels, lookback, verdict=verdict)
        pictures[f"5-forecast{one.part}.png"] = to_png(figure)
    return pictures


def beside_observed(evaluation: Evaluation, rows: Rows) -> Evaluation:
    """The evaluation with each forecast angle turned about until it lies within half a turn of what was observed.

    So errors can be told, and curves drawn, as if angles were any other numbers.

    Args:
        evaluation: With forecasts in the long format, angles within 0 … 360.
        rows: The rows that it is of.
    """
    if not rows.angles:
        return evaluation
    turned = evaluation.forecasts.copy()
    which = turned["unique_id"].isin(rows.angles)
    for name in turned.columns.difference(["unique_id", "ds", "cutoff", "y"]):
        turned.loc[which, name] += TURN * ((turned["y"] - turned[name]) / TURN).round()[which]
    return replace(evaluation, forecasts=turned)


@dataclass(frozen=True)
class Drawn:
    """A series and target that get plots of their own.

    Args:
        series: Its number.
        target: Its number.
        name: Its unique id.
        part: What tells its files apart from others; empty if there are no others.
    """

    series: int
    target: int
    name: str
    part: str


def drawn(rows: Rows) -> list[Drawn]:
    """The first few series and targets: those that are drawn."""
    ids = [
        Drawn(series, target, name, f"-{slug(name)}")
        for series, of_series in enumerate(rows.unique_ids)
        for target, name in enumerate(of_series)
    ]
    return [replace(ids[0], part="")] if len(ids) == 1 else ids[:_SERIES_DRAWN]


def observed_series(rows: Rows, one: Drawn) -> pd.DataFrame:
    """What was observed of one series and target: unique_id, ds, y."""
    span = rows.panel.rows(one.series)
    y = rows.course(one.series, one.target)
    seen = np.flatnonzero(~np.isnan(y))
    stop = int(seen[-1]) + 1 if len(seen) else 0
    return pd.DataFrame({"unique_id": one.name, "ds": rows.panel.times[span][:stop], "y": y[:stop]})


def slug(name: str) -> str:
    """A file name's part for any name: what is safe of it, and a hash that tells apart what was not."""
    safe = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40]
    return (
        safe if safe == name else f"{safe}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:6]}".strip("-")
    )


def labels_of(rows: Rows, target: int, model: str, columns: Iterable[str]) -> Labels:
    """What every plot says about a target of these rows.

    Args:
        rows: The rows.
        target: Which of the targets.
        model: The model's column.
        columns: What is drawn beside it; the vanilla RNN is told apart if it is there.
    """
    panel = rows.panel
    step, unit = panel.clock.describe(), panel.units.get(rows.targets[target], "")
    return Labels(
        title=panel.name,
        target=rows.targets[target],
        unit=unit if f"({unit})" not in rows.targets[target] else "",
        step=step.removeprefix("1 "),
        model=model,
        baseline="rnn" if "rnn" in columns and model != "rnn" else None,
    )


def pooled_labels_of(rows: Rows, model: str, columns: Iterable[str]) -> Labels:
    """What a plot says that pools all targets, whatever their units are; arguments as of `labels_of`."""
    return replace(labels_of(rows, 0, model, columns), target=", ".join(rows.targets), unit=rows.unit)
