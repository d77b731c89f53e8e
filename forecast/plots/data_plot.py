"""The plot of the data: all rows, how they are divided, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.dates import date2num
from matplotlib.lines import Line2D

from forecast.data.clock import Times
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.split import Split
from forecast.data.windows import Ints
from forecast.plots.figure import (
    FILE,
    PageSize,
    PlotFigure,
    draw_curve,
    fill_range,
    format_axes,
    styled,
    write_above,
)
from forecast.plots.results import PlottedSeries
from forecast.plots.selection import (
    missing_shares,
    missing_spans,
    range_of_groups,
)
from forecast.plots.style import OBSERVED, Labels, with_unit

# More rows are drawn as the range and the mean of so many groups.
_MOST_ROWS = 700

_SPLIT_COLORS = {"training": "none", "validation": "#F0E442", "test": "#56B4E9"}
_GAP_COLOR = "#D55E00"


@styled()
def plot_data(
    rows: Rows,
    plotted_series: Sequence[PlottedSeries],
    split: Split,
    labels: Labels,
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """These series and targets, a strip for each, over training, validation and test span, with gaps marked."""
    figure = PlotFigure(size, max(0.7 * size.height, 0.5 + 1.35 * len(plotted_series)))
    strips = figure.subplots(len(plotted_series), 1, sharex=True, squeeze=False)[:, 0]
    clock, stretches = rows.panel.clock, rows.panel.stretches()
    times = clock.on_axis(rows.panel.times)
    missing: list[float] = []
    for axes, series in zip(strips, plotted_series, strict=True):
        span = rows.panel.rows(series.series_index)
        missing += _draw_rows(
            axes, times[span], rows.series_values(series.series_index, series.target_index), stretches[span]
        )
        unit = rows.panel.units.get(rows.targets[series.target_index], "")
        several = len(plotted_series) > 1
        axes.set_ylabel(with_unit(series.unique_id, unit, 18) if several else labels.with_unit(labels.target))
        cuts = clock.on_axis(np.stack([split.validation_from, split.test_from])[:, series.series_index])
        ends = [times.min(), *cuts, times.max()] if split.is_by_time else [times[span][0], *cuts, times[span][-1]]
        if axes is strips[0]:
            for part, first, last in zip(_SPLIT_COLORS, ends, ends[1:], strict=False):
                write_above(axes, first + (last - first) / 2, part, ha="center")
        for color, first, last in zip(_SPLIT_COLORS.values(), ends, ends[1:], strict=False):
            axes.axvspan(first, last, color=color, alpha=0.28, lw=0, zorder=0.5)
        format_axes(axes, times[[times.argmin(), times.argmax()]], size.max_ticks())
    figure.add_head(
        labels.subject(),
        "all rows, and how they are divided",
        [Line2D([], [], color=_GAP_COLOR, linewidth=4, label="no value")] if missing else [],
        verdict=verdict,
        note="Scalers and networks learn only from the training span; the validation span chooses the epoch."
        + (" Pale: only some values are missing." if min(missing, default=1) < 1 else ""),
    )
    return figure


def _draw_rows(axes: Axes, times: Times, values: Floats, stretches: Ints) -> list[float]:
    """Draw the observed values and mark where some are missing; the shares that are."""
    first, last, shares = missing_shares(missing_spans(times, values, stretches), times, _MOST_ROWS)
    if len(values) > _MOST_ROWS:
        firsts, low, high, values = range_of_groups(values, _MOST_ROWS)
        times, stretches = times[firsts], stretches[firsts]
        fill_range(axes, times, low, high, _breaks(stretches), "#9a9a9a")
    draw_curve(axes, times, values, OBSERVED, "observed", breaks=_breaks(stretches)).set_linewidth(0.9)
    # Along the lower edge, in the axes' own coordinates, so that the marks leave the range of values alone.
    ends: Floats = np.stack([first, last], axis=1)
    if times.dtype.kind == "M":
        ends = date2num(ends)  # type: ignore[no-untyped-call]
    lines, colors = [[(a, 0.0), (b, 0.0)] for a, b in ends], [(_GAP_COLOR, share) for share in shares]
    marks = LineCollection(lines, colors=colors, linewidths=5, transform=axes.get_xaxis_transform(), zorder=4)
    axes.add_collection(marks, autolim=False)
    return shares.tolist()


def _breaks(stretches: Ints) -> Ints:
    return np.flatnonzero(np.diff(stretches)) + 1
