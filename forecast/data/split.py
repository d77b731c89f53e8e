"""Train, validation and test spans, divided by time and never shuffled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.config import DataSettings
from forecast.data.clock import STEP, Clock
from forecast.data.panel import Panel
from forecast.errors import DataError, setting

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """The first timestamp of the validation span and of the test span, the same for all series."""

    validation_from: np.datetime64
    test_from: np.datetime64

    def part_of(self, times: NDArray[np.datetime64]) -> NDArray[np.int8]:
        """The part of each timestamp: 0 train, 1 validation, 2 test."""
        return (times >= self.validation_from).astype(np.int8) + (times >= self.test_from).astype(np.int8)


def split_by_time(panel: Panel, config: DataSettings) -> Split:
    """Divide a panel by shares of its rows or by dates.

    Args:
        panel: S series of T rows in all.
        config: The shares, or the first timestamps.

    Raises:
        DataError: If a date cannot be read, or a part would be empty.
    """
    times = panel.times if (panel.times[1:] >= panel.times[:-1]).all() else np.sort(panel.times)
    # Rounded first: 0.29 of 100 rows is 28.999… in binary, and 29 rows to everyone else.
    n_test = int(round(config.test * len(times), 6))
    n_train = int(round((1 - config.validation - config.test) * len(times), 6))
    by_share = times[[min(n_train, len(times) - 1), min(len(times) - n_test, len(times) - 1)]]
    clock = panel.clock
    split = Split(
        by_share[0] if config.validation_from is None else _timestamp(config.validation_from, "validation_from", clock),
        by_share[1] if config.test_from is None else _timestamp(config.test_from, "test_from", clock),
    )
    if split.validation_from > split.test_from:
        raise DataError(
            f"Validation would begin at {clock.format(split.validation_from)}, after the test at "
            f"{clock.format(split.test_from)}.",
            f"Choose {setting('validation_from')} before {setting('test_from')}.",
        )
    counts = np.diff([0, *np.searchsorted(times, [split.validation_from, split.test_from]), len(times)])
    if not counts.all():
        raise DataError(
            f"Of {len(times)} rows from {clock.format(times[0])} to {clock.format(times[-1])}, {counts[0]} are for "
            f"training, {counts[1]} for validation and {counts[2]} for the test; none may be empty.",
            f"Choose {setting('validation')} and {setting('test')}, or {setting('validation_from')} and "
            f"{setting('test_from')}, so that each part has rows.",
        )
    return split


def _timestamp(text: str, field: str, clock: Clock) -> np.datetime64:
    if clock.freq == STEP and text.isdigit():
        return np.datetime64(int(text), "us")
    stamp = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if pd.isna(stamp):
        raise DataError(f"{field}: {text!r} is not a date.", "Write it as 2015-07-01 or 2015-07-01T12:00.")
    return clock.to_utc(stamp)
