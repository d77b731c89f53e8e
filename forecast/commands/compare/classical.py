"""Classical forecasts: exponential smoothing, Theta and seasonal ARIMA, fitted anew at each cut-off."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Forecaster, Windows, precomputed

# What is fitted at a cut-off: so many seasons before it, but no fewer and no more rows than these. Older rows tell
# these models little about today and cost time.
_SEASONS, _LEAST_ROWS, _MOST_ROWS = 12, 120, 3000

# A seasonal part is fitted where so many whole seasons have been seen.
_WHOLE_SEASONS = 2

# A moving average over a longer season takes minutes to fit: its state is as long as the season.
_LONGEST_AVERAGE = 24

# A reference that would not manage so many cut-offs within its time is left out: fewer cannot be tested.
_LEAST_CUTOFFS = 8

# The share of the seasonally adjusted spread that a season must explain to be differenced away (Wang, Smith & Hyndman
# 2006; the threshold is that of the R package forecast).
_STRONG_SEASON = 0.64

# Forecasts [H] of what follows a history [n], given the season m and the horizon H.
Fitting = Callable[[Floats, int, int], Floats]


def ets(history: Floats, season: int, horizon: int) -> Floats:
    """Exponential smoothing with a damped trend and an additive season.

    Reference: Holt 1957; Winters 1960; Gardner & McKenzie 1985.
    """
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    seasonal = _is_seasonal(history, season)
    model = ExponentialSmoothing(
        history,
        trend="add",
        damped_trend=True,
        seasonal="add" if seasonal else None,
        seasonal_periods=season if seasonal else None,
    )
    return np.asarray(model.fit().forecast(horizon))


def theta(history: Floats, season: int, horizon: int) -> Floats:
    """The Theta method, on a history whose season is taken out if a test finds one.

    Reference: Assimakopoulos & Nikolopoulos 2000; Fiorucci et al. 2016.
    """
    from statsmodels.tsa.forecasting.theta import ThetaModel

    seasonal = _is_seasonal(history, season)
    model = ThetaModel(history, period=season if seasonal else 1, deseasonalize=seasonal, method="additive")
    return np.asarray(model.fit().forecast(horizon))


def sarima(history: Floats, season: int, horizon: int) -> Floats:
    """Seasonal ARIMA (1, d, 1)(0, D, 1), or (1, d, 1)(0, D, 0) of a long season.

    D is 1 where the season is strong, and d where what is left is not stationary.

    Reference: Box & Jenkins 1970; the choice of d and D is that of Hyndman & Khandakar 2008.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    if not _is_seasonal(history, season) or _season_strength(history, season) <= _STRONG_SEASON:
        model = SARIMAX(history, order=(1, int(_wanders(history)), 1))
        return np.asarray(model.fit(disp=False).forecast(horizon))
    changes = history[season:] - history[:-season]
    order = (1, int(_wanders(changes)), 1)
    if season <= _LONGEST_AVERAGE:
        model = SARIMAX(history, order=order, seasonal_order=(0, 1, 1, season))
        return np.asarray(model.fit(disp=False).forecast(horizon))
    ahead = SARIMAX(changes, order=order).fit(disp=False).forecast(horizon)
    return _summed(history, np.asarray(ahead), season)


def _summed(history: Floats, changes: Floats, season: int) -> Floats:
    """Values [H] from their changes since a season before."""
    values = list(history[-season:])
    for step, change in enumerate(changes):
        values.append(values[step] + change)
    return np.array(values[season:])


def _is_seasonal(history: Floats, season: int) -> bool:
    # Two more rows: an estimate needs more than the rows that it starts from.
    return season > 1 and len(history) >= _WHOLE_SEASONS * season + 2


def _season_strength(history: Floats, season: int) -> float:
    """How much of what is left after the trend the season explains, 0 … 1."""
    from statsmodels.tsa.seasonal import seasonal_decompose

    parts = seasonal_decompose(history, period=season)
    inside = ~np.isnan(parts.resid)
    rest, both = parts.resid[inside].var(), (parts.resid + parts.seasonal)[inside].var()
    return float(max(0.0, 1 - rest / both)) if both > 0 else 0.0


def _wanders(values: Floats) -> bool:
    """Whether a test rejects that the values keep to a level (KPSS, at 5 %)."""
    from statsmodels.tsa.stattools import kpss

    return bool(np.ptp(values) > 0 and kpss(values, nlags="auto")[1] < 0.05)


CLASSICAL: Mapping[str, Fitting] = {"ets": ets, "theta": theta, "sarima": sarima}


@dataclass(frozen=True)
class References:
    """Classical forecasts of some windows.

    Args:
        windows: The windows that were forecast, n of N.
        models: What was forecast for them, by name; empty if no reference was fast enough.
        seconds: What fitting took, by name; of those that were left out too.
        failed: At how many of the fits the last value was repeated, by name.
        left_out: References that would not have managed enough windows in their time.
        least_cutoffs: How many windows are enough.
    """

    windows: Windows
    models: Mapping[str, Forecaster]
    seconds: Mapping[str, float]
    failed: Mapping[str, int]
    left_out: tuple[str, ...]
    least_cutoffs: int


def classical_references(
    rows: Rows,
    windows: Windows,
    season: int,
    budget: float,
    *,
    fittings: Mapping[str, Fitting] = CLASSICAL,
    clock: Callable[[], float] = time.monotonic,
    counted: Callable[[int, int], None] = lambda done, total: None,
) -> References:
    """Fit classical models at as many cut-offs as a time allows, evenly spread over the windows.

    All of them forecast the same windows. The time of the first fit decides which can take part, and the slowest of
    those how many windows there are. A fit that fails, or that forecasts what is not a number, repeats the last value.

    Args:
        rows: The rows that the windows point into.
        windows: N windows.
        season: m.
        budget: Seconds for each model.
        fittings: The models by name.
        clock: Tells the seconds.
        counted: Is told how many windows are done, and how many there will be.
    """
    for fitting in fittings.values():  # a first call loads libraries, whose seconds are nobody's
        _Trial(fitting, clock).one(np.sin(np.arange(40.0)), 4, 1)
    trials = {name: _Trial(fitting, clock) for name, fitting in fittings.items()}
    least = min(_LEAST_CUTOFFS, len(windows))
    with threadpool_limits(1):  # on matrices as small as these, threads cost ten times what they save
        kept, done = _in_time(trials, rows, windows, season, budget, least, counted)
    order = np.argsort(done)
    some = Windows(windows.starts[np.array(done)[order]], windows.lookback, windows.horizon)
    return References(
        some,
        {
            name: precomputed(some, rows.bounds.clip(np.stack(trial.forecasts)[order], rows.series[some.starts]))
            for name, trial in kept.items()
        },
        {name: trial.seconds for name, trial in trials.items()},
        {name: trial.failed for name, trial in kept.items()},
        tuple(name for name in trials if name not in kept),
        least,
    )


def _in_time(
    trials: Mapping[str, _Trial],
    rows: Rows,
    windows: Windows,
    season: int,
    budget: float,
    least: int,
    counted: Callable[[int, int], None],
) -> tuple[dict[str, _Trial], list[int]]:
    """Those that are fast enough, and the windows that they have forecast, in the order in which they did."""
    first, *others = spread_order(len(windows))
    for trial in trials.values():
        trial.forecast(rows, windows, first, season)
    kept = {name: trial for name, trial in trials.items() if trial.seconds * least <= budget}
    slowest = max((trial.seconds for trial in kept.values()), default=0.0)
    expected = min(len(windows), int(budget / slowest)) if slowest else len(windows)
    done = [first]
    for number in others:
        if not kept or any(trial.seconds * (1 + 1 / len(done)) > budget for trial in kept.values()):
            break
        for trial in kept.values():
            trial.forecast(rows, windows, number, season)
        done.append(number)
        counted(len(done), max(expected, len(done) + 1))
    counted(len(done), len(done))
    return kept, done


class _Trial:
    """One model: what it has forecast so far, [H, D] for each window, and how long that took."""

    def __init__(self, fitting: Fitting, clock: Callable[[], float]) -> None:
        self.fitting, self.clock = fitting, clock
        self.forecasts: list[Floats] = []
        self.seconds, self.failed = 0.0, 0

    def forecast(self, rows: Rows, windows: Windows, number: int, season: int) -> None:
        """Fit to what is known at the cut-off of one window, and forecast every target."""
        began = self.clock()
        cutoff = int(windows.cutoffs[number])
        histories = [history_until(rows, cutoff, target, season) for target in range(rows.n_targets)]
        self.forecasts.append(np.stack([self.one(past, season, windows.horizon) for past in histories], axis=1))
        self.seconds += self.clock() - began

    def one(self, history: Floats, season: int, horizon: int) -> Floats:
        """The forecast [H] of one history, or its last value where there is none."""
        if np.ptp(history) == 0:  # nothing to fit; Theta would divide by that
            return np.full(horizon, history[-1])
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # that it did not converge: its forecast counts as it is
                forecast = self.fitting(history, season, horizon)
        except (ArithmeticError, LookupError, RuntimeError, ValueError):  # whatever statsmodels makes of odd histories
            forecast = np.full(horizon, np.nan)
        if np.isfinite(forecast).all():
            return forecast
        self.failed += 1
        return np.full(horizon, history[-1])


def history_until(rows: Rows, cutoff: int, target: int, season: int) -> Floats:
    """The unbroken observations of a target that end at a cut-off, the newest at most.

    Where windows may have holes, what is missing lies on the line between the observations beside it: a value that was
    carried forward for days would be a plateau.

    Args:
        rows: All rows.
        cutoff: The last row that may be known.
        target: Which of the D targets.
        season: m, which decides how many are taken.
    """
    stretches = rows.panel.stretches()
    most = min(max(_SEASONS * season, _LEAST_ROWS), _MOST_ROWS)
    begin = max(int(np.searchsorted(stretches, stretches[cutoff])), cutoff + 1 - most)
    until = np.arange(begin, cutoff + 1)
    history, observed = rows.filled_at(until)[:, target], rows.observed(until)[:, target]
    known = np.flatnonzero(~np.isnan(observed))
    if rows.masked and len(known):
        return np.interp(np.arange(known[0], len(until)), known, observed[known])
    missing = np.flatnonzero(np.isnan(history))
    return history[missing[-1] + 1 :] if len(missing) else history


def spread_order(n: int) -> Iterator[int]:
    """The numbers from 0 to n - 1 in an order of which every beginning is spread evenly over all of them.

    Reference: van der Corput 1935.
    """
    bits = (n - 1).bit_length()
    for number in range(1 << bits):
        mirrored = int(f"{number:0{bits}b}"[::-1], 2) if bits else 0
        if mirrored < n:
            yield mirrored
