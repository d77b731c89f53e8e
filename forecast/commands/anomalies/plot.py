"""The plot of odd rows: the series, what was expected of it, and a mark at each odd row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from forecast.data.clock import Clock
from forecast.plots.figure import FILE, PageSize, PlotFigure, draw_curve, fill_range, format_axes, gap_rows, styled
from forecast.plots.style import MODEL, OBSERVED, Labels, LineStyle, printable, with_unit

# The marks of each kind; the colours are those of `plots/style.py`.
_MARKS = {
    "spike": LineStyle("#D55E00", "", "o", 1.0, 5.0),
    "shift": LineStyle("#CC79A7", "", "s", 1.0, 5.0),
    "drift": LineStyle("#009E73", "", "^", 1.0, 5.0),
    "noise": LineStyle("#E69F00", "", "D", 1.0, 5.0),
    "stuck": LineStyle("#882255", "", "x", 1.0, 5.0),
}
_GAP_COLOR = "#F0E442"

# More rows are drawn without what was expected of each, which would be a blur.
_MOST_EXPECTED = 1500


# Rows on either side of an event that is drawn close up, and how many of these are.
_AROUND, _CLOSE_UPS = 36, 3


@styled()
def plot_anomalies(
    rows: pd.DataFrame, unique_id: str, sentence: str, unit: str, clock: Clock, *, size: PageSize = FILE
) -> PlotFigure:
    """One series with marks at its odd rows; of a long one the least probable events close up, too.

    Args:
        rows: Its rows, as in `Anomalies.rows`.
        unique_id: What it is called.
        sentence: What the plot says.
        unit: Its unit of measurement.
        clock: The clock of the rows.
        size: The space that it has.
    """
    rows = rows.reset_index(drop=True)
    is_long = len(rows) > _MOST_EXPECTED
    centres = _least_probable(rows)[: size.columns] if is_long else []
    figure = PlotFigure(size, size.height * (1.4 if centres else 1.0))
    grid = figure.add_gridspec(1 + bool(centres), max(1, len(centres)))
    axes = figure.add_subplot(grid[0, :])
    curves = _draw(axes, rows, clock, with_expected=not is_long)
    format_axes(axes, _times(rows), size.max_ticks())
    axes.set_ylabel(with_unit(unique_id, unit))
    for number, centre in enumerate(centres):
        near = rows.iloc[max(0, centre - _AROUND) : centre + _AROUND].reset_index(drop=True)
        close_up = figure.add_subplot(grid[1, number])
        curves += _draw(close_up, near, clock, with_expected=True)
        format_axes(close_up, _times(near), size.max_ticks(len(centres)))
    step = Labels("", "", unit, clock, "", None).step
    note = f"99 of 100 usual rows lie in the shaded range about what was expected one {step} ahead."
    figure.add_head(
        printable(unique_id, 60),
        "odd rows",
        curves,
        verdict=sentence,
        note="" if is_long and not centres else note + " Below, the least probable events." * bool(centres),
    )
    return figure


def _least_probable(rows: pd.DataFrame) -> list[int]:
    """The rows of the least probable events that do not lie close together, in order of time."""
    odd = rows[~rows["kind"].isin(("", "gap"))].sort_values("p")
    centres: list[int] = []
    for row in odd.index:
        if len(centres) < _CLOSE_UPS and all(abs(row - other) > _AROUND for other in centres):
            centres.append(int(row))
    return sorted(centres)


def _times(rows: pd.DataFrame) -> Any:
    """Times as they are drawn: with a zone by the wall clock, or numbers of steps."""
    times = rows["ds"]
    return (times.dt.tz_localize(None) if isinstance(times.dtype, pd.DatetimeTZDtype) else times).to_numpy()


def _draw(axes: Axes, rows: pd.DataFrame, clock: Clock, with_expected: bool) -> list[Line2D]:
    """Draw rows of one series; what the legend lists."""
    times, y, kinds = _times(rows), rows["y"].to_numpy(), rows["kind"].to_numpy()
    breaks = gap_rows(times, clock)
    thin = LineStyle(OBSERVED.color, OBSERVED.dashes, OBSERVED.marker, 0.9, OBSERVED.zorder)
    curves = [draw_curve(axes, times, y, thin, "observed", breaks=breaks)]
    if with_expected:
        below = LineStyle(MODEL.color, "-", MODEL.marker, 1.1, 2.8)
        curves.append(draw_curve(axes, times, rows["expected"].to_numpy(), below, "expected", breaks=breaks))
        fill_range(axes, times, rows["lo"].to_numpy(), rows["hi"].to_numpy(), breaks, "#cfe3f2")
    for kind, style in _MARKS.items():
        marked = kinds == kind
        if marked.any():
            (mark,) = axes.plot(
                times[marked], y[marked], ls="", marker=style.marker, color=style.color, ms=6, mew=1.3,
                mfc="none", zorder=style.zorder,
            )  # fmt: skip
            mark.set_label(kind)
            curves.append(mark)
    gaps = np.flatnonzero(kinds == "gap")
    step = times[1] - times[0] if len(times) > 1 else np.timedelta64(1, "h")
    for part in np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1) if len(gaps) else ():
        axes.axvspan(times[part[0]] - step / 2, times[part[-1]] + step / 2, color=_GAP_COLOR, lw=1.5, zorder=1)
    return [*curves, Line2D([], [], color=_GAP_COLOR, lw=6, label="gap")] if len(gaps) else curves
