"""Train, validation and test spans, divided by time and never shuffled."""

from __future__ import annotations

from collections.abc import Sequence
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

# The usual shares of the validation and of the test span.
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2

# Windows that each of the two spans holds, if that leaves half of the rows to train on: intervals take ten.
_ENOUGH_WINDOWS = 10


@dataclass(frozen=True)
class Split:
    """The first timestamp of the validation span and of the test span, the same for all series."""

    validation_from: np.datetime64
    test_from: np.datetime64

    def part_of(self, times: NDArray[np.datetime64]) -> NDArray[np.int8]:
        """The part of each timestamp: 0 train, 1 validation, 2 test."""
        return (times >= self.validation_from).astype(np.int8) + (times >= self.test_from).astype(np.int8)


def choose_shares(
    n_rows: float, horizons: Sequence[int], lookback: int | None, validation: float | None, test: float | None
) -> tuple[float, float, int]:
    """The shares of the validation and of the test span, and the horizon.

    They are a tenth and a fifth. In a short series they are what holds ten windows, or as many as leave half of the
    rows to train on. A shorter horizon is taken where the longer one leaves fewer than five, or else fewer than three.

    Args:
        n_rows: Rows of a series.
        horizons: The horizons to choose from, the longest first.
        lookback: L; None where it will be chosen to fit.
        validation: The share that was asked for; None if it is open.
        test: The same of the test span.
    """
    asked, usual = (validation, test), (VALIDATION_SHARE, TEST_SHARE)

    def spans_of(needed: int) -> list[float]:
        """The rows of the two spans, at least as many as needed where the share is open."""
        return [
            max(round(normal * n_rows), needed) if share is None else share * n_rows
            for share, normal in zip(asked, usual, strict=True)
        ]

    for fewest_windows, least_share in ((5, 0.5), (3, 0.4), (1, 0.0)):
        for horizon in horizons:
            # A lookback that is open becomes a third of the training rows, at most.
            needed_for_training = 1.5 * horizon + 2 if lookback is None else lookback + horizon
            for n_windows in range(_ENOUGH_WINDOWS, fewest_windows - 1, -1):
                needed = horizon + n_windows - 1
                spans = spans_of(needed)
                for_training = n_rows - sum(spans)
                if min(spans) >= needed and for_training >= max(least_share * n_rows, needed_for_training):
                    shares = [
                        share if share is not None else normal if round(normal * n_rows) >= needed else needed / n_rows
                        for share, normal in zip(asked, usual, strict=True)
                    ]
                    return shares[0], shares[1], horizon
    shares = [normal if share is None else share for share, normal in zip(asked, usual, strict=True)]
    return shares[0], shares[1], horizons[-1]  # too short for a single window: the refusal says what it takes


def split_by_time(panel: Panel, config: DataSettings) -> Split:
    """Divide a panel by shares of its rows or by dates.

    Args:
        panel: S series of T rows in all.
        config: The shares, or the first timestamps; a share that is open is the usual one.

    Raises:
        DataError: If a date cannot be read, or a part would be empty.
    """
    times = panel.times if (panel.times[1:] >= panel.times[:-1]).all() else np.sort(panel.times)
    validation = VALIDATION_SHARE if config.validation is None else config.validation
    test = TEST_SHARE if config.test is None else config.test
    # Rounded first: 0.29 of 100 rows is 28.999… in binary, and 29 rows to everyone else.
    n_test = int(round(test * len(times), 6))
    n_train = int(round((1 - validation - test) * len(times), 6))
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
