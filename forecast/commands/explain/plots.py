"""Plots of what was found inside a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.dates import date2num
from matplotlib.ticker import FuncFormatter, PercentFormatter

from forecast.commands.explain.findings import LAST_VALUE, MOST, Findings, describe_span
from forecast.commands.explain.importance import Importance
from forecast.commands.explain.measures import gradient_reach
from forecast.data.panel import Floats
from forecast.models.backends.numpy import Trace
from forecast.plots.figure import DARK_GREY, PlotFigure, draw_curve, format_axes, styled, to_png, whole_numbers
from forecast.plots.results import labels_of
from forecast.plots.style import MODEL, OBSERVED, Labels, model_name, printable

# The names that teaching texts give to these gates.
_TEACHING_NAMES = {"input": "write", "output": "read", "cell": "memory"}

# Of bars beside those in the model's colour.
_PALE = "#9cc5e3"

# So many targets are named in a title.
_MOST_TARGETS = 3

# How far below the largest gradient the axis goes, in decades: float32 has no more.
_DECADES = 8

# Without mathematical notation, which the style has switched off.
_plain_power = FuncFormatter(lambda value, _: f"{value:g}")


def draw_findings(findings: Findings) -> dict[str, bytes]:
    """The plots as PNG, by file name."""
    labels, of_window = _labels_of(findings)
    tracked = findings.run.tracked_gradients
    pictures = {}
    for number, trace in enumerate(findings.traces, start=1):
        part = f"-{number}" if len(findings.traces) > 1 else ""
        pictures[f"1-gates{part}.png"] = to_png(_plot_gates(trace, findings, of_window))
    pictures["2-gradient.png"] = to_png(_plot_gradient(findings, labels))
    pictures["3-importance.png"] = to_png(_plot_importance(findings, labels))
    if tracked:
        pictures["4-gradient-in-training.png"] = to_png(_plot_tracked(tracked, labels))
    return pictures


def _labels_of(findings: Findings) -> tuple[Labels, Labels]:
    """What plots say about all targets, and what those say that show the window of one."""
    rows, config = findings.rows, findings.run.config.data
    labels, targets = labels_of(rows, 0, findings.model, findings.gradients), config.target
    shown = int(rows.series[findings.windows.starts[-1]]) % len(targets) if config.channels == "independent" else 0
    every = ", ".join(targets) if len(targets) <= _MOST_TARGETS else f"{len(targets)} targets"
    return replace(labels, target=every), replace(labels, target=targets[shown])


@styled()
def _plot_gates(trace: Trace, findings: Findings, labels: Labels) -> PlotFigure:
    """What a layer did with one window: the series, and below it every gate and the memory, unit by unit."""
    rows, past = findings.rows, findings.windows.past([-1])[0]
    unique_id = rows.unique_ids[rows.series[past[0]]][0]
    memory = "cell" if "cell" in trace.values else "hidden"
    maps = [*trace.gates, memory]
    figure = PlotFigure(height=2.6 + 1.45 * len(maps))
    axes = figure.subplots(1 + len(maps), 1, sharex=True, height_ratios=[1.2] + [1] * len(maps))
    times = rows.panel.clock.on_axis(rows.panel.times[past])
    series = draw_curve(axes[0], times, rows.observed(past)[:, 0], OBSERVED, "observed")
    axes[0].set_ylabel(labels.with_unit(labels.target))
    order = _slowest_first(trace)
    edges = _edges(times, findings.segment)
    for below, name in zip(axes[1:], maps, strict=True):
        values = trace.values[name][-1][:, order].T
        largest = float(np.quantile(np.abs(values), 0.99)) or 1.0
        gate = name in trace.gates
        mesh = below.pcolormesh(
            edges,
            np.arange(len(values) + 1),
            values,
            cmap="viridis" if gate else "RdBu_r",
            norm=Normalize(0, 1) if gate else Normalize(-largest, largest),
            rasterized=True,
        )
        figure.colorbar(mesh, ax=below, pad=0.01, aspect=12, extend="neither" if gate else "both", use_gridspec=False)
        other_name = "keep" if name == trace.forget_gate != "keep" else _TEACHING_NAMES.get(name)
        teaching_name = f"\n({other_name})" if other_name else ""
        below.set_ylabel(f"{name}{' gate' if gate else ' state'}{teaching_name}\nunit")
        below.grid(False)
    format_axes(axes[0], times)
    axes[0].set_xlim(edges[0], edges[-1])
    note = "Each line is a unit, the one that forgets most slowly at the bottom. " if trace.forget_gate else ""
    figure.add_head(
        labels.subject(unique_id),
        f"what {trace.layer} of the {model_name(labels.model)} did",
        [series],
        note=f"{note}One window of the test span, from an empty memory to the cut-off {labels.format_time(times[-1])}.",
    )
    return figure


def _slowest_first(trace: Trace) -> Sequence[int]:
    if trace.forget_gate is None:
        return range(trace.values["hidden"].shape[2])
    return np.argsort(-trace.values[trace.forget_gate][-1].mean(axis=0)).tolist()


def _edges(times: np.ndarray, segment: int) -> Floats:
    """Where each step of the cell begins on the axis of time, and where the last one ends."""
    numbers: Floats = date2num(times)  # type: ignore[no-untyped-call]
    step = (numbers[-1] - numbers[0]) / max(len(numbers) - 1, 1) or 1.0
    steps = -(-len(times) // segment)
    firsts = np.maximum(len(times) - segment * np.arange(steps, 0, -1), 0)  # the oldest segment may be filled up
    return np.append(numbers[firsts], numbers[-1] + step) - step / 2


@styled()
def _plot_gradient(findings: Findings, labels: Labels) -> PlotFigure:
    """How far back a change of the input moves the forecast, for the model and the vanilla RNN."""
    figure = PlotFigure()
    axes = figure.subplots()
    curves, every = [], []
    for name, norms in findings.gradients.items():
        style, beyond = labels.line_style(name), findings.gradients_beyond.get(name)
        shown = {model_name(name): (norms, style)}
        if beyond is not None:
            label = f"{model_name(name)}, beyond {findings.counted_from[name]}"
            shown[label] = beyond, replace(style, dashes=(0, (1, 1.2)))
        for label, (values, of_line) in shown.items():
            lags = np.arange(1, len(values) + 1)
            curves.append(draw_curve(axes, lags, np.where(values > 0, values, np.nan), of_line, label))
            if values.any():
                axes.axvline(gradient_reach(values, MOST), color=style.color, linewidth=0.9, linestyle=":")
            every.append(values)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(_plain_power)
    largest = max((float(norms.max()) for norms in every), default=1.0)
    lowest = min((float(norms[norms > 0].min()) for norms in every if norms.any()), default=1.0)
    if largest > 0:
        axes.set_ylim(max(lowest / 2, largest * 10.0**-_DECADES), 2 * largest)
    axes.set_xlabel(f"{labels.steps} before the forecast")
    axes.set_ylabel("‖∂ forecast / ∂ input‖")
    reaches = [_describe_reach(findings, name) for name in findings.gradients]
    figure.add_head(
        labels.subject(),
        "how far back the gradient reaches",
        curves,
        verdict=f"{MOST:.0%} of what moves the forecast lies in the newest: {'; '.join(reaches)} (dotted).",
        note="The input is the scaled window; beyond what the forecast counts from, the normalised one. A straight "
        "fall on this axis is a gradient that vanishes exponentially.",
    )
    return figure


def _describe_reach(findings: Findings, name: str) -> str:
    spans = [
        describe_span(findings.clock, gradient_reach(of_network[name], MOST))
        for of_network in (findings.gradients, findings.gradients_beyond)
        if name in of_network
    ]
    beyond = f" (beyond {findings.counted_from[name]}, {spans[1]})" if len(spans) > 1 else ""
    return f"{model_name(name)} {spans[0]}{beyond}"


@styled()
def _plot_importance(findings: Findings, labels: Labels) -> PlotFigure:
    """How much the error grows when an input, or a part of the lookback, is shuffled between windows."""
    whole, beyond = findings.importances, findings.importances_beyond
    columns = dict(sorted(whole.columns.items(), key=lambda item: -item[1].growth)[:12])
    figure = PlotFigure(height=max(4.2, 2.1 + 0.42 * max(len(columns), len(whole.parts))))
    left, right = figure.subplots(1, 2)
    _bars(left, columns, beyond.columns)
    left.set_title("each input, in the whole window and ahead")
    _bars(right, whole.parts, beyond.parts)
    right.set_title("all measured inputs, in a part of the lookback")
    figure.add_head(
        labels.subject(),
        f"what the {model_name(labels.model)}'s inputs are worth",
        note="Growth of the mean absolute error when the input is exchanged between windows (mean of three shuffles, "
        f"with their spread). Pale: beyond {LAST_VALUE}, when each window keeps that and only how it came to it is "
        "exchanged.",
    )
    return figure


def _bars(axes: Axes, whole: Mapping[str, Importance], beyond: Mapping[str, Importance]) -> None:
    positions = np.arange(len(whole))
    for importances, shift, color in ((whole, -0.2, MODEL.color), (beyond, 0.2, _PALE)):
        shown = [(n, importances[name]) for n, name in enumerate(whole) if name in importances]
        axes.barh(
            [n + shift for n, _ in shown],
            [each.growth for _, each in shown],
            xerr=[each.spread for _, each in shown],
            color=color,
            ecolor=DARK_GREY,
            height=0.38,
            capsize=2,
        )
    axes.set_yticks(positions, [printable(name, 28) for name in whole])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(False, axis="y")
    axes.axvline(0, color=DARK_GREY, linewidth=0.8)


@styled()
def _plot_tracked(tracked: Mapping[str, Sequence[Sequence[float]]], labels: Labels) -> PlotFigure:
    """How far back the gradient reached after each epoch of the training, for the model and the vanilla RNN.

    ``tracked`` holds the norm of the gradient by network: a row for each epoch, the newest step first, [E, L].
    """
    figure = PlotFigure()
    row = figure.subplots(1, len(tracked), sharey=True, squeeze=False)[0]
    norms_of = {name: np.array(norms, float) for name, norms in tracked.items()}
    largest = max(float(norms.max()) for norms in norms_of.values()) or 1.0
    smallest = largest * 1e-5
    scale = LogNorm(smallest, largest)
    for axes, (name, norms) in zip(row, norms_of.items(), strict=True):
        epochs, lags = (np.arange(size + 1) + 0.5 for size in norms.shape)
        mesh = axes.pcolormesh(epochs, lags, np.maximum(norms.T, smallest), cmap="magma", norm=scale, rasterized=True)
        axes.set_title(model_name(name))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(whole_numbers(8))
        axes.grid(False)
    row[0].set_ylabel(f"{labels.steps} before the forecast")
    figure.colorbar(
        mesh,
        ax=row.tolist(),
        pad=0.01,
        label="‖∂ forecast / ∂ input‖",
        extend="min",
        format=_plain_power,
        use_gridspec=False,
    )
    figure.add_head(
        labels.subject(),
        "the gradient's reach while training",
        note="Bright: where a change in the normalised input moves the forecast. Both networks on the same scale.",
    )
    return figure
