"""All rows on one axis of time: what was observed, where it was not, and how the axis was divided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.dates import date2num
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from forecast.data.panel import Floats, Times
from forecast.data.prepare import Rows
from forecast.data.split import Split
from forecast.plots.canvas import DIM, FILE, Drawing, Sheet, add_head, draw, dress, styled
from forecast.plots.draw import Drawn
from forecast.plots.selection import Ints, ranges
from forecast.plots.style import OBSERVED, Labels, shown

# More rows are drawn as the range and the mean of so many groups.
_MOST_POINTS = 700

_SHADES = {"training": "none", "validation": "#F0E442", "test": "#56B4E9"}
_GAP = "#D55E00"


@styled()
def plot_data(rows: Rows, drawn: Sequence[Drawn], split: Split, labels: Labels, *, sheet: Sheet = FILE) -> Drawing:
    """The targets over the whole span, with training, validation and test told apart and gaps marked.

    Args:
        rows: The rows of the run.
        drawn: The series and targets: one strip for each.
        split: Where the axis is divided.
        labels: What the plot says about the series.
        sheet: What it is drawn on.
    """
    figure = Drawing(sheet, max(0.7 * sheet.height, 0.5 + 1.35 * len(drawn)))
    strips = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    times = rows.panel.times
    found = False
    for axes, one in zip(strips, drawn, strict=True):
        span = rows.panel.rows(one.series)
        found |= _draw_series(axes, times[span], rows.course(one.series, one.target), rows.panel.stretches()[span])
        unit = rows.panel.units.get(rows.targets[one.target], "")
        several = f"{shown(one.name, 18)}\n({shown(unit, 10)})" if unit else shown(one.name, 18)
        axes.set_ylabel(several if len(drawn) > 1 else labels.axis(labels.target))
        ends = [times.min(), split.validation_from, split.test_from, times.max()]
        for (part, shade), first, last in zip(_SHADES.items(), ends, ends[1:], strict=False):
            axes.axvspan(first, last, color=shade, alpha=0.28, lw=0, zorder=0.5)
            if axes is strips[0]:
                middle = first + (last - first) / 2
                axes.annotate(part, (middle, 1.01), xycoords=axes.get_xaxis_transform(), ha="center", va="bottom",
                              size=8.5, color=DIM)  # fmt: skip
        dress(axes, times[[times.argmin(), times.argmax()]], sheet.ticks())
    marks = [Line2D([], [], color=_GAP, linewidth=4, label="no value")] if found else []
    note = "Scalers and networks learn from the training span alone; the epoch is chosen by the validation span."
    add_head(figure, f"{labels.subject()}: all rows, and how they are divided", "", note, marks)
    return figure


def holes(times: Times, values: Floats, stretches: NDArray[np.integer]) -> list[tuple[np.datetime64, np.datetime64]]:
    """From when to when nothing is known: rows that are absent, and rows without a value.

    Args:
        times: Of the rows of one series, [T].
        values: Of one column, [T]; NaN where nothing was observed.
        stretches: The unbroken stretch that each row lies in, [T].
    """
    seen = np.flatnonzero(np.isfinite(values))
    if not len(seen):
        return [(times[0], times[-1])] if len(times) else []
    broken = (np.diff(seen) > 1) | (np.diff(stretches[seen]) > 0)
    return [(times[seen[place]], times[seen[place + 1]]) for place in np.flatnonzero(broken)]


def _draw_series(axes: Axes, times: Times, values: Floats, stretches: NDArray[np.integer]) -> bool:
    """Draw the observed values and mark what is missing; whether anything is."""
    if len(values) <= _MOST_POINTS:
        draw(axes, times, values, OBSERVED, "observed", _breaks(stretches)).set_linewidth(0.9)
    else:
        firsts, low, high, means = ranges(values, _MOST_POINTS)
        axes.fill_between(times[firsts], low, high, color="#9a9a9a", lw=0)
        draw(axes, times[firsts], means, OBSERVED, "observed", _breaks(stretches[firsts])).set_linewidth(0.9)
    # Along the lower edge, in the axis' own coordinates, so that the marks leave the range of values alone.
    numbers: Floats = date2num(_merged(holes(times, values, stretches), times))  # type: ignore[no-untyped-call]
    lines = [[(first, 0.0), (last, 0.0)] for first, last in numbers]
    marks = LineCollection(lines, colors=_GAP, linewidths=5, transform=axes.get_xaxis_transform(), zorder=4)
    axes.add_collection(marks, autolim=False)
    return len(lines) > 0


def _breaks(stretches: NDArray[np.integer]) -> Ints:
    return np.flatnonzero(np.diff(stretches)) + 1


def _merged(found: Sequence[tuple[np.datetime64, np.datetime64]], times: Times) -> Times:
    """Holes as [n, 2]; none is too short for the eye, and those that it could not tell apart are one."""
    near = (times.max() - times.min()) / _MOST_POINTS if len(times) else np.timedelta64(0, "s")
    merged: list[list[np.datetime64]] = []
    for first, last in found:
        if merged and first - merged[-1][1] < near:
            merged[-1][1] = last
        else:
            merged.append([first, max(last, first + near)])
    return np.array(merged, "datetime64[us]").reshape(-1, 2)
