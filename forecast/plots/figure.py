"""What every plot is made of: a figure of a page size, its head and legend, curves, axes, and PNG or SVG at the end."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font_names
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from forecast.data.clock import Clock, Times
from forecast.data.panel import Floats
from forecast.data.windows import Ints
from forecast.plots.axis_text import PlainNumbers, date_ticks
from forecast.plots.style import LineStyle, printable

DPI = 130
GREY, DARK_GREY = "#888888", "#555555"  # of reference lines, and of small text
MOST_MARKERS = 64  # across a whole figure; with more, they touch each other
_MARGIN = 0.12  # inches between the figure's edge and its head

# DejaVu Sans comes with matplotlib and has no CJK; the others supply that, where the machine has them.
_LINUX = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei")
_MAC = ("Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo")
_WINDOWS = ("Microsoft YaHei", "Yu Gothic", "Malgun Gothic")
_FONTS = ["DejaVu Sans", *(font for font in (*_LINUX, *_MAC, *_WINDOWS) if font in get_font_names())]

_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.formatter.offset_threshold": 6,
    "axes.grid": True,
    "axes.labelcolor": "#333333",
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "axes.titley": 1.0,  # where it would find itself, by drawing the axes once more
    "font.family": [*_FONTS, "sans-serif"],  # the last for an SVG on a machine that has none of these
    "font.sans-serif": _FONTS[:1],
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.borderaxespad": 0,
    "legend.borderpad": 0,
    "legend.columnspacing": 1.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handlelength": 3,
    "svg.fonttype": "none",  # letters stay text: a fifth of the bytes, and in the reader's fonts
    "svg.hashsalt": "forecast",
    "text.parse_math": False,  # a column may be called Ba$$in
    "xtick.color": "#333333",
    "xtick.labelsize": 8.5,
    "ytick.color": "#333333",
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True)
class PageSize:
    """The space that a plot has.

    Args:
        width: Inches.
        height: Inches, for a plot that does not ask for another height.
        columns: How many small plots fit side by side.
        embedded: Leave out the title, verdict and note, which the page around the plot says, and the background.
    """

    width: float
    height: float
    columns: int
    embedded: bool = False

    def max_ticks(self, side_by_side: int = 1) -> int:
        """How many dates fit below one of some plots that stand side by side."""
        return min(10, max(3, int(1.5 * self.width / side_by_side)))

    def axes_width(self, side_by_side: int = 1) -> float:
        """Inches between the axes of one of some plots that stand side by side, at least."""
        return self.width / side_by_side - 0.6


FILE = PageSize(10.0, 5.5, 3)
SCREEN = PageSize(8.6, 4.0, 3, embedded=True)
PHONE = PageSize(4.2, 3.4, 2, embedded=True)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style, whatever the user's own matplotlibrc says, and leave the latter alone."""
    # A glyph that no font has is drawn as a box; the name that holds it is the user's, so a warning would not help.
    with matplotlib.style.context(["default", _RC]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


class PlotFigure(Figure):
    """A figure that knows its size and what its head says; no window and no global list holds it.

    Args:
        size: The space that it has.
        height: Inches; None for the height of ``size``.
    """

    def __init__(self, size: PageSize = FILE, height: float | None = None) -> None:
        super().__init__(figsize=(size.width, height or size.height), dpi=DPI)
        self.size, self.subject, self.title, self.note = size, "", "", ""

    def _repr_png_(self) -> bytes:  # for notebooks, which know only the figures of pyplot
        return to_png(self)

    def add_head(
        self, subject: str, title: str, curves: Sequence[Line2D] = (), *, verdict: str = "", note: str = ""
    ) -> None:
        """Put title, verdict, note and legend above the axes, where they cover no data. Call it last.

        An embedded figure gets the legend alone: the page shows the rest as text.

        Args:
            subject: The series and target.
            title: What is shown of them.
            curves: What the legend lists, in this order; each name once.
            verdict: What it shows.
            note: How to read it.
        """
        self.subject, self.title, self.note = subject, title, note
        width, height = self.get_size_inches()
        top = _MARGIN
        texts = [
            (f"{subject}: {title}", 12.5, "bold", "#111111"),
            (printable(verdict), 10.5, "normal", "#111111"),
            (note, 9, "normal", DARK_GREY),
        ]
        for text, size, weight, color in [] if self.size.embedded else texts:
            for line in wrap_lines(text, width - 2 * _MARGIN, size, weight):
                x, y = _MARGIN / width, 1 - top / height
                self.text(x, y, line, size=size, weight=weight, color=color, va="top", in_layout=False)
                top += 1.38 * size / 72
            top += 0.03
        if curves:
            top += self._add_legend(curves, top)
        for axes in self.axes:
            _wrap_label(axes, height - top)
        self.align_ylabels()
        self.set_layout_engine("constrained", rect=(0.004, 0, 0.992, 1 - top / height))

    def _add_legend(self, curves: Sequence[Line2D], top: float) -> float:
        """Put the legend ``top`` inches below the upper edge, in as few rows as fit; its height in inches."""
        width, height = self.get_size_inches()
        entries = {str(curve.get_label()): _legend_sample(curve) for curve in curves}
        anchor = (_MARGIN / width, 1 - top / height)
        for columns in dict.fromkeys(math.ceil(len(entries) / rows) for rows in range(1, len(entries) + 1)):
            legend = self.legend(
                list(entries.values()), list(entries), ncols=columns, loc="upper left", bbox_to_anchor=anchor
            )
            extent = legend.get_window_extent()
            if extent.width <= DPI * (width - 2 * _MARGIN) or columns == 1:
                break
            legend.remove()
        return float(extent.height) / DPI + 0.15


def _wrap_label(axes: Axes, inches: float) -> None:
    """Break the name of a vertical axis into lines that are not longer than it; all rows together are so high."""
    if (place := axes.get_subplotspec()) is not None:
        height = inches * len(place.rowspan) / place.get_gridspec().nrows - 0.6  # for the ticks below
        axes.set_ylabel("\n".join(wrap_lines(axes.get_ylabel(), height, 9)))


def _legend_sample(curve: Line2D) -> Line2D:
    sample = Line2D([], [])
    sample.update_from(curve)
    sample.set(markevery=None, marker=curve.get_marker() if curve.get_markevery() is None else "")
    return sample


def wrap_lines(text: str, inches: float, size: float, weight: str = "normal") -> list[str]:
    """The lines of a text, each at most so wide; at most three, and the rest is cut."""
    font = FontProperties(family=_FONTS, size=size, weight=weight)
    renderer = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]

    def fits(lines: list[str]) -> bool:
        measure = renderer.get_text_width_height_descent
        return all(measure(line, font, ismath=False)[0] <= DPI * inches for line in lines)  # type: ignore[no-untyped-call]

    letters = max(1, min(len(text), int(4 * 72 * inches / size)))  # the narrowest letter is about a quarter of the size
    while not fits(lines := textwrap.wrap(text, letters, max_lines=3, placeholder=" …")) and letters > 8:
        letters = int(0.95 * letters)
    return lines


def draw_curve(
    axes: Axes,
    times: Times | Ints | Floats,
    values: Floats,
    style: LineStyle,
    name: str,
    *,
    breaks: Ints | None = None,
    markers: bool = False,
) -> Line2D:
    """Draw one curve; it is broken where a value is not finite and before the rows of ``breaks``.

    Args:
        axes: Where.
        times: Timestamps, step numbers or other positions on the horizontal axis [n].
        values: In the target's units [n].
        style: Its colour and line.
        name: For the legend.
        breaks: Rows that do not follow on the row before.
        markers: Mark every value, not only one that stands alone.
    """
    breaks = np.zeros(0, np.int64) if breaks is None else breaks
    values = np.insert(np.where(np.isfinite(values), values, np.nan), breaks, np.nan)
    present = np.pad(np.isfinite(values), 1)
    alone = np.flatnonzero(present[1:-1] & ~present[:-2] & ~present[2:])
    markers = markers or len(alone) == present.sum()
    (curve,) = axes.plot(
        np.insert(times, breaks, times[breaks]),
        values,
        color=style.color,
        linestyle=style.dashes,
        linewidth=style.width,
        marker=style.marker,
        markersize=2.2 + 1.4 * style.width,
        markevery=None if markers else alone.tolist(),
        zorder=style.zorder,
    )
    curve.set_label(name)
    return curve


def fill_range(axes: Axes, times: Times, low: Floats, high: Floats, breaks: Ints, color: str) -> None:
    """Shade the area between two curves; arguments as of `draw_curve`."""
    low, high = (np.insert(values, breaks, np.nan) for values in (low, high))
    axes.fill_between(np.insert(times, breaks, times[breaks]), low, high, color=color, lw=0, zorder=1.5)


def steps_between(times: Times, clock: Clock) -> Ints:
    """The steps of the clock from each of ascending wall times [n], or numbers of steps, to the next, [n - 1]."""
    return np.diff(replace(clock, tz=None).ordinals(times.astype("datetime64[us]")))


def gap_rows(times: Times, clock: Clock, usual: int | None = 1) -> Ints:
    """The rows that do not follow on the row before: in between, rows of the clock are absent.

    Args:
        times: Ascending wall times [n], or numbers of steps.
        clock: Their clock; weekends and a closed exchange are no gap in business days.
        usual: Steps from one row to the next; None for those that most are apart.
    """
    if len(times) < 3:
        return np.zeros(0, np.int64)
    apart = steps_between(times, clock)
    usual = int(np.median(apart)) if usual is None else usual
    absent = apart - usual
    return np.flatnonzero((absent > usual / 2) & ~clock.is_closed_for(absent)) + 1


def format_axes(axes: Axes, times: Times | None = None, ticks: int = 10) -> None:
    """Give axes readable ticks: dates below, if there are times, and plain numbers on the left.

    Args:
        axes: Axes that are drawn.
        times: Timestamps or numbers of steps [n] that the axes must show, n ≥ 1; None leaves the horizontal axis as
            it is.
        ticks: How many dates fit.
    """
    axes.yaxis.set_major_formatter(PlainNumbers(9 if ticks > 5 else 6))
    if times is None:
        return
    first, last = times.min(), times.max()
    if times.dtype.kind != "M":
        axes.set_xlim(first - 0.5, last + 0.5)
        axes.xaxis.set_major_locator(whole_numbers(ticks))
        axes.xaxis.set_major_formatter(PlainNumbers(9))
        return
    margin = (last - first) / 60 or np.timedelta64(1, "D")
    axes.set_xlim(first - margin, last + margin)
    positions, labels = date_ticks(first - margin, last + margin, ticks)
    axes.set_xticks(positions, labels)


def whole_numbers(ticks: int, steps: Sequence[float] | None = None) -> MaxNLocator:
    """A locator of at most so many ticks, all at whole numbers: step numbers, lags, epochs."""
    return MaxNLocator(ticks, integer=True, min_n_ticks=1, steps=steps)


def to_png(figure: PlotFigure) -> bytes:
    """The figure as PNG; figures of the same numbers give the same bytes."""
    return _saved(figure, FigureCanvasAgg(figure).print_png, {"Software": None})


def to_svg(figure: PlotFigure) -> bytes:
    """The figure as SVG, its letters as text; figures of the same numbers give the same bytes."""
    return _saved(figure, FigureCanvasSVG(figure).print_svg, {"Date": None, "Creator": None})


def _saved(figure: PlotFigure, write: Callable[..., None], metadata: dict[str, None]) -> bytes:
    # `Figure.savefig` draws everything twice, the first time for nothing but bounding boxes.
    file = io.BytesIO()
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_visible(not figure.size.embedded)
    with styled():
        write(file, metadata=metadata)
    return file.getvalue()


def write_above(axes: Axes, time: np.datetime64, text: str, ha: str) -> None:
    """Write above the plot, at a time."""
    axes.annotate(text, (time, 1.01), xycoords=axes.get_xaxis_transform(), ha=ha, va="bottom", size=8.5,
                  color=DARK_GREY)  # fmt: skip
