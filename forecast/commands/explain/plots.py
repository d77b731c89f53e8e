"""Plots of what was found inside a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.dates import date2num
from matplotlib.ticker import FuncFormatter, PercentFormatter

from forecast.commands.explain.findings import MOST, Findings, describe_span
from forecast.commands.explain.measures import Importance, gradient_reach
from forecast.data.panel import Floats
from forecast.models.backends.numpy import Trace
from forecast.plots.figure import DARK_GREY, PlotFigure, draw_curve, format_axes, styled, to_png, whole_numbers
from forecast.plots.results import labels_of
from forecast.plots.style import MODEL, OBSERVED, Labels, model_name, printable

# The names that teaching texts give to these gates.
_TEACHING_NAMES = {"input": "write", "output": "read", "cell": "memory"}

# How far below the largest gradient the axis goes, in decades: float32 has no more.
_DECADES = 8

# Without mathematical notation, which the style has switched off.
_plain_power = FuncFormatter(lambda value, _: f"{value:g}")


def draw_findings(findings: Findings) -> dict[str, bytes]:
    """The plots as PNG, by file name."""
    labels = labels_of(findings.rows, 0, findings.model, findings.gradients)
    tracked = findings.run.tracked_gradients
    pictures = {}
    for number, trace in enumerate(findings.traces, start=1):
        part = f"-{number}" if len(findings.traces) > 1 else ""
        pictures[f"1-gates{part}.png"] = to_png(_plot_gates(trace, findings, labels))
    pictures["2-gradient.png"] = to_png(_plot_gradient(findings, labels))
    pictures["3-importance.png"] = to_png(_plot_importance(findings, labels))
    if tracked:
        pictures["4-gradient-in-training.png"] = to_png(_plot_tracked(tracked, labels))
    return pictures


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
    curves = []
    for name, norms in findings.gradients.items():
        lags = np.arange(1, len(norms) + 1)
        style, values = labels.line_style(name), np.where(norms > 0, norms, np.nan)
        curves.append(draw_curve(axes, lags, values, style, model_name(name)))
        if norms.any():
            axes.axvline(gradient_reach(norms, MOST), color=style.color, linewidth=0.9, linestyle=":")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(_plain_power)
    largest = max((float(norms.max()) for norms in findings.gradients.values()), default=1.0)
    lowest = min((float(norms[norms > 0].min()) for norms in findings.gradients.values() if norms.any()), default=1.0)
    if largest > 0:
        axes.set_ylim(max(lowest / 2, largest * 10.0**-_DECADES), 2 * largest)
    axes.set_xlabel(f"{labels.steps} before the forecast")
    axes.set_ylabel("‖∂ forecast / ∂ input‖")
    reaches = [
        f"{model_name(name)} {describe_span(findings.clock, gradient_reach(norms, MOST))}"
        for name, norms in findings.gradients.items()
    ]
    figure.add_head(
        labels.subject(),
        "how far back the gradient reaches",
        curves,
        verdict=f"{MOST:.0%} of what moves the forecast lies in the newest: {'; '.join(reaches)} (dotted).",
        note="The input is the normalised window. A straight fall on this axis is a gradient that vanishes "
        "exponentially.",
    )
    return figure


@styled()
def _plot_importance(findings: Findings, labels: Labels) -> PlotFigure:
    """How much the error grows when an input, or a part of the lookback, is shuffled between windows."""
    columns = dict(sorted(findings.columns.items(), key=lambda item: -item[1].growth)[:12])
    figure = PlotFigure(height=max(4.2, 1.9 + 0.34 * max(len(columns), len(findings.parts))))
    left, right = figure.subplots(1, 2)
    _bars(left, columns)
    left.set_title("each input, in the whole window and ahead")
    _bars(right, findings.parts)
    right.set_title("all measured inputs, in a part of the lookback")
    figure.add_head(
        labels.subject(),
        f"what the {model_name(labels.model)}'s inputs are worth",
        note="Growth of the mean absolute error when the input is exchanged between windows (mean of three shuffles, "
        "with their spread).",
    )
    return figure


def _bars(axes: Axes, importances: Mapping[str, Importance]) -> None:
    positions = np.arange(len(importances))
    growths, spreads = zip(*((each.growth, each.spread) for each in importances.values()), strict=True)
    axes.barh(positions, growths, xerr=spreads, color=MODEL.color, ecolor=DARK_GREY, height=0.65, capsize=2)
    axes.set_yticks(positions, [printable(name, 28) for name in importances])
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
        note="Bright: where a change in the input moves the forecast. Both networks on the same scale.",
    )
    return figure
