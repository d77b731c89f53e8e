"""What is usual: the season, the lookback and the horizon of a clock; the batch and the patience of a training."""

from __future__ import annotations

import numpy as np

from forecast.clocks.month_days import MonthDays
from forecast.data.clock import Clock

# Lookback and horizon in steps, by the unit of the clock: a week for a day of hours, three years for a year of months.
_SPANS = {"h": (168, 24), "D": (56, 7), "B": (60, 5), "session": (60, 5), "W": (104, 13), "M": (36, 12), "Q": (16, 4),
          "Y": (10, 2)}  # fmt: skip

# Epochs without a better validation error before training stops. A solved linear map leaves little to learn: on five
# panels (four of competitions, one generated) no validation error was lower after four epochs without a lower one.
_PATIENCE, _PATIENCE_BESIDE_MAP = 10, 4

# A state that is carried should pass through at least this many windows.
_WINDOWS_IN_LANE = 8


def default_season(clock: Clock) -> int:
    """Steps in the natural cycle of a clock: a day of hours, a week of days, a year of weeks, months or quarters."""
    if clock.week is not None:
        is_day = clock.week.per_day > 1 and clock.week.is_alike_each_day
        return clock.week.per_day if is_day else len(clock.week.slots)
    if clock.is_uneven or isinstance(clock.slots, MonthDays):
        return max(1, round(np.timedelta64(365, "D") / clock.step))
    if clock.unit in ("s", "min", "h"):
        # A day of more steps than these is too long for a default lookback; then it is the hour, or nothing.
        cycles = (np.timedelta64(1, "D") / clock.step, np.timedelta64(1, "h") / clock.step)
        return next((int(steps) for steps in cycles if steps == int(steps) and 1 < steps <= 1440), 1)
    cycle = {"D": 7, "B": 5, "session": 5, "W": 52, "M": 12, "Q": 4, "Y": 1, "step": 1}[clock.unit]
    return cycle // clock.multiple if cycle % clock.multiple == 0 else 1


def default_spans(clock: Clock, season: int) -> tuple[int, int]:
    """Usual lookback and horizon of a clock, in steps."""
    if clock.week is not None:  # a week of hours for a day of them, eight weeks of days for one
        weeks, horizon = (1, season) if clock.week.per_day > 1 else (8, len(clock.week.slots))
        return weeks * len(clock.week.slots), horizon
    if clock.unit in _SPANS and clock.multiple == 1:
        return _SPANS[clock.unit]
    return (max(2 * season, 24), max(season // 4, 6)) if season > 1 else (48, 12)


def default_batch(n_windows: int, segment: int, carried: int = 0) -> int:
    """Windows in a batch: enough to keep the cores busy, few enough for a dozen steps in a pass.

    Args:
        n_windows: Windows to train on.
        segment: Steps in a turn of the cell.
        carried: L if the state is carried from window to window, else 0. Each lane of a batch then gets some windows.
    """
    if carried:
        return int(np.clip(n_windows // (_WINDOWS_IN_LANE * carried), 1, 64))
    if segment == 1:
        return 64
    return int(np.clip(2 ** int(np.log2(max(n_windows // 16, 1))), 32, 512))


def default_patience(linear: bool) -> int:
    """Epochs without a better validation error before a training stops that has a linear map beside it, or none."""
    return _PATIENCE_BESIDE_MAP if linear else _PATIENCE
