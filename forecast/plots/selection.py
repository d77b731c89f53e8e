"""What a plot shows of more forecasts, rows and gaps than fit on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.data.clock import Times
from forecast.data.panel import Floats
from forecast.data.windows import Ints

# One point needs about three pixels, or a daily cycle becomes a blot.
_MOST_MEANS = 250


def rows_of_series(forecasts: pd.DataFrame, unique_id: str) -> tuple[pd.DataFrame, int]:
    """The rows of one series, and H: how many rows each cut-off has."""
    rows = forecasts[forecasts["unique_id"] == unique_id]
    return rows, int((rows["cutoff"] == rows["cutoff"].iloc[0]).sum())


# Of so many forecasts in a row, the origins leave no more than this share of a cycle out.
_IN_A_ROW, _LARGEST_GAP = 8, 1 / 3


def origin_spacing(horizon: int, cycles: Sequence[int]) -> int:
    """How many steps after one drawn forecast the next one begins, so that they begin at all times of each cycle.

    Forecasts of a day, one after the other, would all begin at the same hour: a last value that happens to be low then
    makes persistence look too low everywhere.

    Args:
        horizon: H, the least; twice that is the most.
        cycles: Lengths of cycles in steps, such as those of a day and of a season.
    """

    def are_spread(apart: int, cycle: int) -> bool:
        count = max(_IN_A_ROW, 2 * -(-cycle // apart))
        phases = np.unique(np.arange(count) * apart % cycle)
        return bool(np.diff(phases, append=phases[0] + cycle).max() <= max(1, _LARGEST_GAP * cycle))

    spacings = range(horizon, 2 * horizon + 1)
    return next((apart for apart in spacings if all(are_spread(apart, cycle) for cycle in cycles)), horizon)


def non_overlapping(forecasts: pd.DataFrame, horizon: int, apart: int = 0) -> Ints:
    """The rows of the first forecast, of the first one made ``apart`` steps after it or later, and so on.

    Args:
        forecasts: ``ds, cutoff`` of one series, ascending, H rows for each cut-off.
        horizon: H.
        apart: Steps from one to the next; H if that is more.
    """
    times = forecasts["ds"].to_numpy().reshape(-1, horizon)
    ends = times[:, -1]
    if 1 < horizon < apart:
        step = np.sort(np.diff(times[0]))[horizon // 2 - 1]
        ends = ends + (apart - horizon - 0.5) * step  # half a step less, because months differ in length
    following = np.searchsorted(forecasts["cutoff"].to_numpy()[::horizon], ends).tolist()
    windows = [0]
    while (after := following[windows[-1]]) < len(following):
        windows.append(after)
    return (np.array(windows)[:, None] * horizon + np.arange(horizon)).ravel()


def window_errors(forecasts: pd.DataFrame, model: str, length: int) -> Floats:
    """Mean absolute error of each ``length`` rows, over those that were observed; NaN where none was."""
    error = (forecasts["y"] - forecasts[model]).abs()
    return error.groupby(np.arange(len(forecasts)) // length).mean().to_numpy(float)


def pick_examples(errors: Floats) -> list[tuple[int, str]]:
    """The best window, up to four typical ones from different times, and the worst, each with that word.

    Args:
        errors: Of each window [N]; NaN where it is undefined.
    """
    n_defined = int(np.isfinite(errors).sum())
    order = np.argsort(errors, kind="stable")[: max(n_defined, 1)]
    if len(order) == 1:
        return [(int(order[0]), "the only one" if n_defined else "not observed")]
    inner = order[1:-1]
    # The fifth of the windows around the median is typical; of these, the picked ones lie far apart in time.
    width = max(4, len(errors) // 5)
    middle = np.sort(inner[max(0, (len(inner) - width) // 2) :][:width])
    spread = np.linspace(0, len(middle) - 1, min(4, len(middle))).round().astype(int)
    return [(int(order[0]), "best"), *((int(row), "typical") for row in middle[spread]), (int(order[-1]), "worst")]


def steps_per_mean(n_steps: int, horizon: int) -> int:
    """How many steps to average so that a long span stays legible.

    Whole horizons where there are many, because a horizon is often a cycle, and a part of it would be a zigzag.
    """
    size = -(-n_steps // _MOST_MEANS)
    return size if n_steps < 60 * horizon else -(-size // horizon) * horizon


def typical_stretch(span: pd.DataFrame, model: str, horizon: int) -> slice:
    """The rows of a stretch of the span whose error is the median of all stretches.

    It has twelve forecasts; more where they are short, fewer where they are long, and at most a third of all.

    Args:
        span: ``y, <model>``, H rows for each forecast.
        model: The column of the model.
        horizon: H.
    """
    wanted = min(max(12, 120 // horizon), 600 // horizon)
    length = horizon * max(1, min(wanted, len(span) // horizon // 3))
    errors = window_errors(span.iloc[: len(span) // length * length], model, length)
    middle = int(np.argsort(errors, kind="stable")[np.isfinite(errors).sum() // 2]) if np.isfinite(errors).any() else 0
    return slice(middle * length, (middle + 1) * length)


def range_of_groups(values: Floats, most: int) -> tuple[Ints, Floats, Floats, Floats]:
    """Values in at most so many groups of neighbours: the first row of each, its lowest, its highest and its mean.

    Args:
        values: [n], n ≥ 1; NaN where nothing is known, and in a group of which nothing is.
        most: How many groups a plot can show.
    """
    size = -(-len(values) // most)
    known = pd.Series(values).where(np.isfinite(values))
    groups = known.groupby(np.arange(len(values)) // size).agg(["min", "max", "mean"])
    return np.arange(0, len(values), size), *groups.to_numpy().T


def missing_spans(times: Times, values: Floats, stretches: Ints) -> list[tuple[np.datetime64, np.datetime64]]:
    """From when to when nothing is known: rows that are absent, and rows without a value.

    Args:
        times: Of the rows of one series, [T].
        values: Of one column, [T]; NaN where nothing was observed.
        stretches: Number of the unbroken stretch that each row lies in, [T].
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return [(times[0], times[-1])] if len(times) else []
    broken = (np.diff(known) > 1) | (np.diff(stretches[known]) > 0)
    return [(times[known[row]], times[known[row + 1]]) for row in np.flatnonzero(broken)]


def missing_shares(
    spans: Sequence[tuple[np.datetime64, np.datetime64]], times: Times, most: int
) -> tuple[Times, Times, Floats]:
    """The pieces of an axis of time in which something is missing: first and last of each, and of how much of it.

    Shares are rounded up to quarters, so that none is too small to be seen, and neighbours of one share are one piece.

    Args:
        spans: First and last time of each span of which nothing is known, ascending.
        times: All that the axis shows, [T]; times or numbers of steps.
        most: How many pieces side by side a plot can show.
    """
    if not len(times) or times.min() == times.max():
        return times[:0], times[:0], np.zeros(0)
    edges = np.linspace(times.min().astype(np.int64), times.max().astype(np.int64), most + 1)
    ends = np.array(spans, times.dtype).reshape(-1, 2).astype(np.int64)
    missing_until = np.cumsum(np.diff(ends, axis=1, prepend=ends[:, :1])) if len(ends) else np.zeros(1)
    covered = np.interp(edges, ends.ravel() if len(ends) else edges[:1], missing_until)
    shares = np.ceil(4 * (np.diff(covered) / np.diff(edges) - 1e-9)) / 4
    begins = np.flatnonzero(np.diff(shares, prepend=-1))
    pieces = np.append(begins, most)
    borders, own = edges[pieces].astype(np.int64).astype(times.dtype), shares[begins]
    return borders[:-1][own > 0], borders[1:][own > 0], own[own > 0]
