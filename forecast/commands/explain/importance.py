"""What the inputs of a model are worth: by how much its error grows when they are exchanged between windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forecast.config import DataConfig
from forecast.data.holes import fill_within
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Flags, Ints, Windows
from forecast.models.network import RowSource

# Into how many parts the lookback is cut, and how often each is shuffled.
_PARTS, _SHUFFLES = 8, 3

# A series takes part with about as many windows, so that there is something to exchange them with.
_OF_SERIES = 16


@dataclass(frozen=True)
class Importance:
    """Growth of the error when an input is shuffled, as a share of the error: mean and spread over shuffles."""

    growth: float
    spread: float


@dataclass(frozen=True)
class Importances:
    """The importance of each input, and of each part of the lookback, by name."""

    columns: Mapping[str, Importance]
    parts: Mapping[str, Importance]


@dataclass(frozen=True)
class InputPart:
    """A part of what windows hold: some columns of `Rows.window_inputs`, at some of its steps.

    Args:
        columns: The columns.
        steps: Steps of the lookback, and of what is known ahead; None for all.
        has_last_value: Whether they are measured, so that a window has a last value of them.
        windows: Which windows it is shuffled in, and judged by, [N]; None for all.
    """

    columns: Sequence[int]
    steps: slice | None = None
    has_last_value: bool = True
    windows: Flags | None = None


@dataclass(frozen=True)
class ExchangedRows:
    """Rows that give windows in which a part is another window's; the form is that of `RowSource`.

    Args:
        rows: The rows.
        starts: First row of each window, ascending, [N].
        donors: First row of the window from which each takes the part, [N].
        part: The part.
        from_last_value: Whether what is taken is moved to end at the window's own last value.
    """

    rows: RowSource
    starts: Ints
    donors: Ints
    part: InputPart
    from_last_value: bool

    @property
    def identity(self) -> Ints:
        """The index of each row's series."""
        return self.rows.identity

    def window_inputs(self, starts: Ints, lookback: int, horizon: int) -> NDArray[np.float32]:
        """The inputs of windows, as of `Rows.window_inputs`, with the part of others."""
        window = self.rows.window_inputs(starts, lookback, horizon)
        donors = self.donors[np.searchsorted(self.starts, starts)]
        columns, steps = list(self.part.columns), self.part.steps or slice(None)
        taken = self.rows.window_inputs(donors, lookback, horizon)[..., columns]
        if self.from_last_value:
            own, other = (fill_within(past[:, :lookback])[0][:, -1:] for past in (window[..., columns], taken))
            taken += own - other
        window[:, steps, columns] = taken[:, steps]
        return window


def windows_to_shuffle(rows: Rows, windows: Windows, most: int) -> Windows:
    """At most about ``most`` windows, of evenly spaced series, of which each has several."""
    series = rows.series[windows.starts]
    present = np.unique(series)
    some = present[:: -(-len(present) * _OF_SERIES // most)]
    kept = Windows(windows.starts[np.isin(series, some)], windows.lookback, windows.horizon)
    return kept.subsample(most)


def parts_of_columns(rows: Rows, windows: Windows, config: DataConfig) -> dict[str, InputPart]:
    """Each input by name: the columns of the rows, and the calendar. Of independent channels each is an input."""
    names, n_measured = rows.panel.columns, rows.n_targets + rows.n_covariates
    parts = {name: InputPart([n], has_last_value=n < n_measured) for n, name in enumerate(names)}
    if config.channels == "independent" and len(config.target) > 1:
        del parts[names[0]]
        channel = rows.series[windows.starts] % len(config.target)
        parts = {name: InputPart([0], windows=channel == n) for n, name in enumerate(config.target)} | parts
    if rows.calendar.width:
        columns = range(len(names), len(names) + rows.calendar.width)
        parts["the calendar"] = InputPart(columns, has_last_value=False)
    return parts


def lookback_parts(lookback: int) -> list[slice]:
    """The lookback cut into at most `_PARTS` parts, the newest first."""
    edges = np.linspace(0, lookback, min(_PARTS, lookback) + 1).round().astype(int)
    return [slice(lookback - int(last), lookback - int(first)) for first, last in pairwise(edges)]


def permutation_importance(
    forecast: Callable[[RowSource, Ints], Floats],
    rows: Rows,
    windows: Windows,
    parts: Mapping[str, InputPart],
    from_last_value: bool = False,
) -> dict[str, Importance]:
    """How much each part of the input matters to the forecasts.

    A part is exchanged between windows of one series: the units and the level of another would be no values of it.

    Args:
        forecast: From what a network is fed, and the first rows of windows, to forecasts in the targets' own units,
            [N, H, D].
        rows: The rows.
        windows: N windows, in the order of their first rows.
        parts: What to shuffle, by name; only what has a last value, if ``from_last_value``.
        from_last_value: Keep the last value of each window, and exchange only how it came to it.

    Reference: Breiman 2001; Fisher, Rudin & Dominici 2019.
    """
    rng, starts = np.random.default_rng(0), windows.starts
    series = rows.series[starts]
    y_true = rows.observed(windows.future())

    def errors(source: RowSource, picked: Flags) -> Floats:
        y_pred = rows.bounds.unwrap_towards(forecast(source, starts[picked]), y_true[picked], series[picked])
        return np.abs(y_pred - y_true[picked])

    every = np.ones(len(starts), bool)
    true_errors = errors(rows, every)
    weights = 1 / _divisors(true_errors, series, rows.one_unit)
    orders = [_shuffled_within(series, rng) for _ in range(_SHUFFLES)]
    importances = {}
    for name, part in parts.items():
        picked = every if part.windows is None else part.windows
        error, growths = float(np.nanmean(true_errors[picked] * weights[picked])), []
        for order in orders:
            exchanged = ExchangedRows(rows, starts, starts[order], part, from_last_value)
            shuffled = float(np.nanmean(errors(exchanged, picked) * weights[picked]))
            growths.append(shuffled / error - 1 if error else 0.0)
        importances[name] = Importance(float(np.mean(growths)), float(np.std(growths)))
    return importances


def _shuffled_within(series: Ints, rng: np.random.Generator) -> Ints:
    """An order of windows in which each stands in the place of one of its own series, [N]."""
    order = np.arange(len(series))
    for each in np.unique(series):
        own = np.flatnonzero(series == each)
        order[own] = rng.permutation(own)
    return order


def _divisors(errors: Floats, series: Ints, one_unit: bool) -> Floats:
    """What errors [N, H, D] are divided by before they are averaged, [N, 1, D].

    Nothing where they have one unit of measurement; else the mean error of each series and target, which has its own.
    """
    divisors = np.ones((len(errors), 1, errors.shape[2]))
    for each in () if one_unit else np.unique(series):
        own = series == each
        means = np.nanmean(errors[own], axis=(0, 1))
        divisors[own] = np.where(means > 0, means, 1.0)
    return divisors
