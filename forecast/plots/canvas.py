"""The canvas of every plot: its head, its curves, its ticks, and how it becomes bytes."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font_names
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from forecast.data.panel import LONGEST_CLOSURE, Floats, Times
from forecast.plots.selection import Ints
from forecast.plots.style import Look, shown

DPI = 130
MARGIN = 0.12  # inches between the figure's edge and its head
DIM = "#555555"
NO_BREAKS: Ints = np.zeros(0, np.int64)

# Dates of ticks that are years, months, days, hours, minutes or seconds apart: each tick, the first of a larger
# unit, and aside. A day always names its month, which matplotlib's own choice leaves to a corner.
_TICKS = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"]
_FIRST_TICKS = ["", "%Y", "%d %b", "%d %b", "%H:%M", "%H:%M"]
_ASIDE = ["", "%Y", "%Y", "%d %b %Y", "%d %b %Y", "%d %b %Y %H:%M"]

# DejaVu Sans comes with matplotlib and has no CJK; whichever of the others the machine has fills in.
_CJK = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
)
_CJK_WINDOWS = ("Microsoft YaHei", "Yu Gothic", "Malgun Gothic")
_FONTS = ["DejaVu Sans", *(font for font in _CJK + _CJK_WINDOWS if font in get_font_names())]

_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.formatter.offset_threshold": 6,
    "axes.grid": True,
    "axes.labelcolor": "#333333",
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "font.family": [*_FONTS, "sans-serif"],  # the last for an SVG on a machine that has none of these
    "font.sans-serif": _FONTS[:1],
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",  # letters stay text: a fifth of the bytes, and in the reader's fonts
    "svg.hashsalt": "forecast",
    "text.parse_math": False,  # a column may be called Ba$$in
    "xtick.color": "#333333",
    "xtick.labelsize": 8.5,
    "ytick.color": "#333333",
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True)
class Sheet:
    """What a plot is drawn on.

    Args:
        width: Inches.
        height: Inches of a plot that does not ask for another height.
        columns: Small plots side by side, at most.
        bare: Leave the head away, because the page around the plot says it; and the ground, which is the page's.
    """

    width: float
    height: float
    columns: int
    bare: bool = False

    def ticks(self, side_by_side: int = 1) -> int:
        """How many dates fit below one of some plots that stand side by side."""
        return min(10, max(3, int(1.5 * self.width / side_by_side)))


FILE = Sheet(10.0, 5.5, 3)
SCREEN = Sheet(8.6, 4.0, 3, bare=True)
PHONE = Sheet(4.2, 3.4, 2, bare=True)


class Drawing(Figure):
    """A figure that knows its sheet, and what its head says; it belongs to nobody but the caller: nothing to close.

    Args:
        sheet: What it is drawn on.
        height: Inches; None for the sheet's.
    """

    def __init__(self, sheet: Sheet = FILE, height: float | None = None) -> None:
        super().__init__(figsize=(sheet.width, height or sheet.height), dpi=DPI)
        self.sheet, self.title, self.note = sheet, "", ""


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style, whatever the user's own matplotlibrc says, and leave the latter alone."""
    # A glyph that no font has is drawn as a box; the name that holds it is the user's, so a warning would not help.
    with matplotlib.style.context(["default", _RC]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def wrapped(text: str, inches: float, size: float, weight: str = "normal") -> list[str]:
    """The lines of a text, each at most so wide; three of them, and the rest is cut."""
    font = FontProperties(family=_FONTS, size=size, weight=weight)
    renderer = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]

    def fits(lines: list[str]) -> bool:
        measure = renderer.get_text_width_height_descent
        return all(measure(line, font, ismath=False)[0] <= DPI * inches for line in lines)  # type: ignore[no-untyped-call]

    letters = max(1, min(len(text), int(4 * 72 * inches / size)))  # the narrowest letter is about a quarter of the size
    while not fits(lines := textwrap.wrap(text, letters, max_lines=3, placeholder=" …")) and letters > 8:
        letters = int(0.95 * letters)
    return lines


def add_head(figure: Drawing, title: str, verdict: str, note: str, curves: Sequence[Line2D]) -> None:
    """Put title, verdict, note and legend above the axes, where they never cover data; on a bare sheet the legend only.

    Args:
        figure: A figure that is drawn but for its head; its axes get the space below.
        title: What is shown.
        verdict: What it shows; may be empty.
        note: How to read it; may be empty.
        curves: What the legend lists, in this order; each name once.
    """
    figure.title, figure.note = title, note
    wide, high = figure.get_size_inches()
    top = MARGIN
    head = [(title, 12.5, "bold", "#111111"), (shown(verdict), 10.5, "normal", "#111111"), (note, 9, "normal", DIM)]
    for text, size, weight, color in [] if figure.sheet.bare else head:
        for line in wrapped(text, wide - 2 * MARGIN, size, weight):
            figure.text(
                MARGIN / wide, 1 - top / high, line, size=size, weight=weight, color=color, va="top", in_layout=False
            )
            top += 1.38 * size / 72
        top += 0.03
    figure.align_ylabels()
    if curves:
        top += _add_legend(figure, curves, top)
    figure.set_layout_engine("constrained", rect=(0.004, 0, 0.992, 1 - top / high))


def _add_legend(figure: Figure, curves: Sequence[Line2D], top: float) -> float:
    """Put the legend below ``top`` inches of head; how high it is, in inches."""
    wide, high = figure.get_size_inches()
    entries = {str(curve.get_label()): curve for curve in curves}
    lengths = [0.075 * len(name) + 0.65 for name in entries]
    rows = next(
        rows
        for rows in range(1, len(lengths) + 1)
        if rows == len(lengths) or _columns_wide(lengths, rows) <= wide - 2 * MARGIN
    )
    figure.legend(
        [_sample(curve) for curve in entries.values()],
        list(entries),
        ncols=math.ceil(len(entries) / rows),
        loc="upper left",
        bbox_to_anchor=(MARGIN / wide, 1 - top / high),
        borderpad=0,
        borderaxespad=0,
        handlelength=3,
        columnspacing=1.6,
    )
    return float(rows * 1.5 * 9 / 72 + 0.1)


def _columns_wide(lengths: Sequence[float], rows: int) -> float:
    """How wide a legend of so many rows is, whose entries stand below one another in columns."""
    return sum(max(lengths[first : first + rows]) for first in range(0, len(lengths), rows))


def _sample(curve: Line2D) -> Line2D:
    sample = Line2D([], [])
    sample.update_from(curve)
    sample.set(markevery=None, marker=curve.get_marker() if curve.get_markevery() is None else "")
    return sample


def draw(
    axes: Axes,
    times: Times | Ints | Floats,
    values: Floats,
    look: Look,
    name: str,
    breaks: Ints,
    *,
    markers: bool = False,
) -> Line2D:
    """Draw one curve; it is broken where a value is not finite and before the rows of ``breaks``.

    Args:
        axes: Where.
        times: Timestamps, step numbers or other places on the axis below [n].
        values: In the target's units [n].
        look: Its colour and line.
        name: For the legend.
        breaks: Rows that do not follow on the row before.
        markers: Mark every value, not only one that stands alone.
    """
    values = np.insert(np.where(np.isfinite(values), values, np.nan), breaks, np.nan)
    present = np.pad(np.isfinite(values), 1)
    alone = np.flatnonzero(present[1:-1] & ~present[:-2] & ~present[2:])
    markers = markers or len(alone) == present.sum()
    (curve,) = axes.plot(
        np.insert(times, breaks, times[breaks]),
        values,
        color=look.color,
        linestyle=look.linestyle,
        linewidth=look.width,
        marker=look.marker,
        markersize=2.2 + 1.4 * look.width,
        markevery=None if markers else alone.tolist(),
        zorder=look.zorder,
    )
    curve.set_label(name)
    return curve


def gaps(times: Times, step: str) -> Ints:
    """The rows that do not follow on the row before: in between, rows of the clock are absent.

    Args:
        times: Ascending timestamps [n].
        step: One step of the clock; weekends and a closed exchange are no gap in business days.
    """
    if len(times) < 3:
        return np.zeros(0, np.int64)
    apart = np.diff(times)
    absent = apart > 1.5 * np.median(apart.astype(np.int64)).astype(apart.dtype)
    if "business" in step:
        days = times.astype("datetime64[D]")
        absent = np.busday_count(days[:-1], days[1:]) - 1 > LONGEST_CLOSURE
    return np.flatnonzero(absent) + 1


def dress(axes: Axes, times: Times | None = None, ticks: int = 10) -> None:
    """Readable ticks: dates below, if there are times, and plain numbers on the left.

    Args:
        axes: Axes that are drawn.
        times: Timestamps [n] that the axes must show, n ≥ 1; None leaves the axis below as it is.
        ticks: How many dates fit.
    """
    plain = ScalarFormatter()
    plain.set_powerlimits((-4, 7))
    axes.yaxis.set_major_formatter(plain)
    if times is None:
        return
    # Its coarsest step is half of the next unit (12 hours, 6 months), so between least and most lies a factor of two.
    locator = AutoDateLocator(minticks=(ticks - 1) // 2, maxticks=ticks)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(  # type: ignore[no-untyped-call]
            locator, formats=_TICKS, zero_formats=_FIRST_TICKS, offset_formats=_ASIDE
        )
    )
    first, last = times.min(), times.max()
    margin = (last - first) / 60 or np.timedelta64(1, "D")
    axes.set_xlim(first - margin, last + margin)


def to_png(figure: Drawing) -> bytes:
    """The figure as PNG; figures of the same numbers give the same bytes."""
    return _saved(figure, FigureCanvasAgg(figure).print_png, {"Software": None})


def to_svg(figure: Drawing) -> bytes:
    """The figure as SVG, its letters as text; figures of the same numbers give the same bytes."""
    return _saved(figure, FigureCanvasSVG(figure).print_svg, {"Date": None, "Creator": None})


def _saved(figure: Drawing, write: Callable[..., None], metadata: dict[str, None]) -> bytes:
    # `Figure.savefig` draws everything twice, the first time for nothing but bounding boxes.
    file = io.BytesIO()
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_visible(not figure.sheet.bare)
    with styled():
        write(file, metadata=metadata)
    return file.getvalue()
