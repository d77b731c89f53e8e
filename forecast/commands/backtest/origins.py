"""Rolling origins: the times to forecast from, and the rows that each fit may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from forecast.data.panel import Panel
from forecast.data.split import Split
from forecast.data.windows import Ints, Windows, origins_of

Span = Literal["expanding", "sliding"]
SPANS: tuple[Span, ...] = ("expanding", "sliding")


@dataclass(frozen=True)
class FitSpan:
    """The rows that one fit may know, and the windows that it then forecasts.

    Args:
        first: First timestamp of the training span.
        validation_from: First timestamp of the validation span, which ends at the first origin.
        test_from: First timestamp after the first origin: nothing from here on is known.
        window_numbers: The windows that it forecasts, as numbers among all, ascending.
    """

    first: np.datetime64
    validation_from: np.datetime64
    test_from: np.datetime64
    window_numbers: Ints


def rolling_origins(
    panel: Panel, windows: Windows, count: int | None = None, step: int = 1, each_series: bool = False
) -> Windows:
    """The windows at every ``step``-th step of the clock, counted back from the newest origin.

    All series share the origins, or each series has its own. A time without any unbroken window is skipped.

    Args:
        panel: The rows that the windows point into.
        windows: N windows of stride 1.
        count: How many origins, the newest; None for all.
        step: Steps of the clock from one origin to the next.
        each_series: Whether origins are counted back from the newest of each series.
    """
    if not len(windows):
        return windows
    ordinals = panel.clock.ordinals(panel.times[windows.cutoffs])
    series = panel.series_of_row()[windows.cutoffs] * each_series
    newest = np.full(panel.n_series, ordinals.min())
    np.maximum.at(newest, series, ordinals)
    back = newest[series] - ordinals
    origins = np.unique(back[back % step == 0])[:count]
    return Windows(windows.starts[np.isin(back, origins)], windows.lookback, windows.horizon)


def fit_spans(panel: Panel, windows: Windows, split: Split, span: Span, refit: int | None) -> tuple[FitSpan, ...]:
    """The rows that each fit may know: those up to the first of its origins.

    The newest of them are its validation span, by the share that the split gives to it.

    Args:
        panel: The rows that the windows point into.
        windows: The windows of all origins.
        split: Says the share of the validation span in what comes before the test span. One by series has one fit.
        span: ``expanding`` starts at the first row; ``sliding`` is as long as that of the first fit.
        refit: Origins of each fit; None for one fit.
    """
    times, origins = np.unique(panel.times), origins_of(panel, windows)
    if not split.is_by_time:
        return (FitSpan(times[0], split.validation_from.min(), split.test_from.min(), np.arange(len(windows))),)
    share = np.searchsorted(times, split.validation_from[0]) / np.searchsorted(times, split.test_from[0])
    group = np.searchsorted(origins, panel.times[windows.cutoffs]) // (refit or len(origins))
    known = np.searchsorted(times, origins[:: refit or len(origins)], side="right")
    spans = []
    for number, end in enumerate(known):
        first = end - known[0] if span == "sliding" else 0
        border = first + min(max(round(share * (end - first)), 1), end - first - 1)
        spans.append(FitSpan(times[first], times[border], times[end], np.flatnonzero(group == number)))
    return tuple(spans)
