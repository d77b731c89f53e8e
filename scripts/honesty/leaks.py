"""Does the audit find leaks that are planted in rows, and is it silent where nothing leaks?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import pandas as pd

from forecast.commands.audit.doubts import find_doubts
from forecast.commands.audit.foresight import Doubt
from forecast.data.clock import Clock
from forecast.data.panel import Floats, Panel
from honesty.table import Figure, Line, Table, at_most, share

_LOOKBACK, _HORIZON = 48, 12

Random = np.random.Generator


def _autoregression(shocks: Floats, rho: float) -> Floats:
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -rho], shocks))


def _season(n: int, ahead: float = 0) -> Floats:
    return np.sin(2 * np.pi * (np.arange(n) + ahead) / 24)


SERIES: Mapping[str, Callable[[Random, int], Floats]] = {
    "white noise": lambda rng, n: rng.normal(size=n),
    "autoregression": lambda rng, n: _autoregression(rng.normal(size=n), 0.9),
    "random walk": lambda rng, n: rng.normal(size=n).cumsum(),
    "season": lambda rng, n: 3 * _season(n) + _autoregression(rng.normal(size=n), 0.8),
}

# Rows are made of a series and a source of chance: the target, the covariate, and whether that is known ahead.
Rows = tuple[Floats, Floats, bool]


def _later(y: Floats, steps: int) -> Floats:
    return pd.Series(y).shift(-steps).to_numpy()


def _centred(y: Floats, width: int) -> Floats:
    return pd.Series(y).rolling(width, center=True).mean().to_numpy()


def _next(y: Floats, steps: int) -> Floats:
    return pd.Series(y).rolling(steps).mean().shift(-steps).to_numpy()


def _noisy(values: Floats, rng: Random, size: float) -> Floats:
    """The values with noise, of which the standard deviation is a share of theirs."""
    return values + size * np.nanstd(values) * rng.normal(size=len(values))


def _twice(y: Floats, rng: Random, noise: float = 0.0) -> Floats:
    copied = y.copy()
    copied[-60:-12] = _noisy(y, rng, noise)[100:148]
    return copied


def _unrelated(rng: Random, n: int) -> Floats:
    return _autoregression(rng.normal(size=n), 0.9)


# Whether rows can tell a leak; noise hides one of a series that is easily forecast, and not another.
_YES, _NO, _IN_PART = "yes", "no", "in part"

_LEAKS: Mapping[str, tuple[Callable[[Floats, Random], Rows], str]] = {
    "copy, 1 step later": (lambda y, rng: (y, _later(y, 1), False), _YES),
    "copy, 12 steps later": (lambda y, rng: (y, _later(y, 12), False), _YES),
    "copy, 24 steps later": (lambda y, rng: (y, _later(y, 24), False), _YES),
    "copy, 60 steps later": (lambda y, rng: (y, _later(y, 60), False), _YES),
    "copy now, in other units": (lambda y, rng: (y, 32 + 1.8 * y, False), _YES),
    "copy, 24 steps later, noise of 0.1": (lambda y, rng: (y, _noisy(_later(y, 24), rng, 0.1), False), _IN_PART),
    "copy, 24 steps later, noise of 0.3": (lambda y, rng: (y, _noisy(_later(y, 24), rng, 0.3), False), _IN_PART),
    "copy, 24 steps later, noise of 1": (lambda y, rng: (y, _noisy(_later(y, 24), rng, 1), False), _NO),
    "mean of the next 12 steps": (lambda y, rng: (y, _next(y, 12), False), _YES),
    "centred mean of 7": (lambda y, rng: (y, _centred(y, 7), False), _YES),
    "centred mean of 25": (lambda y, rng: (y, _centred(y, 25), False), _YES),
    "centred mean of 25, noise of 0.1": (lambda y, rng: (y, _noisy(_centred(y, 25), rng, 0.1), False), _IN_PART),
    "the target is the mean of a covariate's next 6 steps": (lambda y, rng: (_next(y, 6), y, False), _YES),
    "the target is a covariate's centred mean of 7": (lambda y, rng: (_centred(y, 7), y, False), _YES),
    "the same, the covariate left out": (lambda y, rng: (_centred(y, 7), _unrelated(rng, len(y)), False), _NO),
    "known ahead, the target itself": (lambda y, rng: (y, y, True), _YES),
    "known ahead, the target with noise of 0.3": (lambda y, rng: (y, _noisy(y, rng, 0.3), True), _NO),
    "48 rows stand on both sides of the split": (lambda y, rng: (_twice(y, rng), _unrelated(rng, len(y)), False), _YES),
    "the same, noise of 0.01": (lambda y, rng: (_twice(y, rng, 0.01), _unrelated(rng, len(y)), False), _NO),
}


def _driver(rng: Random, n: int) -> Rows:
    """A covariate that makes up half of what is new in the target two steps later."""
    x = _autoregression(rng.normal(size=n), 0.5)
    return _autoregression(np.roll(x, 2) / x.std() + rng.normal(size=n), 0.9), x, False


def _sensors(rng: Random, n: int) -> Rows:
    """Two sensors of one quantity."""
    true = _autoregression(_autoregression(rng.normal(size=n), 0.8), 0.97)
    return _noisy(true, rng, 0.1), _noisy(true, rng, 0.1), False


def _prices(rng: Random, n: int) -> Rows:
    """An opening price and the closing one."""
    walk = rng.normal(size=2 * n).cumsum()
    return walk[::2], walk[1::2], False


def _system(rng: Random, n: int) -> Rows:
    """Two of four series that drive one another."""
    drive = rng.normal(size=(4, 4))
    drive *= 0.97 / np.abs(np.linalg.eigvals(drive)).max()
    states = np.zeros((n, 4))
    for row in range(1, n):
        states[row] = drive @ states[row - 1] + rng.normal(size=4)
    return states[:, 0], states[:, 1], False


_CLEAN: Mapping[str, Callable[[Random, int], Rows]] = {
    "random walks": lambda rng, n: (rng.normal(size=n).cumsum(), rng.normal(size=n).cumsum(), False),
    "slow series": lambda rng, n: (
        _autoregression(_autoregression(rng.normal(size=n), 0.9), 0.95),
        _autoregression(_autoregression(rng.normal(size=n), 0.9), 0.95),
        False,
    ),
    "seasons, one ahead of the other": lambda rng, n: (
        3 * _season(n) + _autoregression(rng.normal(size=n), 0.9),
        3 * _season(n, 4) + _autoregression(rng.normal(size=n), 0.9),
        False,
    ),
    "a driver of half of what is new": _driver,
    "two sensors": _sensors,
    "opening and closing price": _prices,
    "a system of four series": _system,
    "a lag": lambda rng, n: ((y := _autoregression(rng.normal(size=n), 0.9)), np.roll(y, 3), False),
    "a trailing mean": lambda rng, n: (
        (y := _autoregression(rng.normal(size=n), 0.9)),
        pd.Series(y).rolling(12).mean().to_numpy(),
        False,
    ),
    "counts and zeros": lambda rng, n: (
        np.maximum(np.round(_autoregression(rng.normal(size=n), 0.6) - 1), 0),
        _autoregression(rng.normal(size=n), 0.9),
        False,
    ),
    "known ahead, half of the target": lambda rng, n: (
        _autoregression(rng.normal(size=n) + (x := rng.normal(size=n)), 0.9),
        x,
        True,
    ),
}


def _doubts(rows: Rows) -> list[Doubt]:
    target, covariate, is_known = rows
    times = np.datetime64("2020-01-01", "us") + np.arange(len(target)) * np.timedelta64(1, "h")
    panel = Panel(np.column_stack([target, covariate]), times, ("y", "x"), Clock("h"))
    return find_doubts(panel, 1, int(is_known), _LOOKBACK, _HORIZON, times[[len(times) * 4 // 5]])


def found_leaks(leak: str, n_rows: int, replications: int) -> Line:
    """How often a leak is a doubt, by kind of series."""
    plant, told = _LEAKS[leak]
    line: dict[str, str | int | Figure] = {"leak": leak, "rows tell it": told, "rows": n_rows}
    for kind, series in SERIES.items():
        doubts = []
        for seed in range(replications):
            rng = np.random.default_rng(seed)
            doubts.append(bool(_doubts(plant(series(rng, n_rows), rng))))
        line[kind] = share(doubts)
    return line


def false_alarms(rows: str, n_rows: int, replications: int) -> Line:
    """How often there is a doubt about clean rows."""
    doubts = [_doubts(_CLEAN[rows](np.random.default_rng(seed), n_rows)) for seed in range(replications)]
    return {
        "columns": rows,
        "rows": n_rows,
        "a doubt": share([bool(each) for each in doubts]),
        "a strong one": share([any(doubt.strong for doubt in each) for each in doubts]),
    }


def _at_least_where_told(line: Line) -> tuple[float, float]:
    return (0.9, 1.0) if line["rows tell it"] == _YES else (0.0, 1.0)


LEAKS = Table(
    "Planted leaks",
    f"How often the audit names a leak that stands in the rows, with a lookback of {_LOOKBACK} and a horizon of "
    f"{_HORIZON}: a step within {_LOOKBACK + _HORIZON} is in some window. Noise is in standard deviations of what it "
    "is added to: more than half of what the target's past leaves open looks like an honest early sign. What rows "
    "cannot tell, every audit names as such.",
    found_leaks,
    tuple(product(_LEAKS, (400, 2000))),
    30,
    (("copy, 24 steps later", 400), ("centred mean of 25", 400)),
    2,
    dict.fromkeys(SERIES, _at_least_where_told),
)

FALSE_ALARMS = Table(
    "Columns that leak nothing",
    "How often the audit has a doubt about clean rows, whose columns do all that honest ones may: one in a hundred at "
    "most. On real rows (the built-in series, ETT, exchange rates, Beijing's air, ten shares, prices of energy: every "
    "column the target once, 664 pairs, of 20,000 rows at most) there were two doubts, weak ones, and both were right: "
    "the adjusted close of the built-in shares is the close itself.",
    false_alarms,
    tuple(product(_CLEAN, (400, 2000))),
    300,
    (("a driver of half of what is new", 400),),
    5,
    {"a doubt": at_most(0.01), "a strong one": at_most(0.001)},
)
