"""Train, validation and test spans: the same for all series, or the last share of each one's own rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.config import DataSettings, Division
from forecast.data.clock import STEP, Clock, Times
from forecast.data.panel import Panel
from forecast.errors import DataError, setting

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")

# The usual shares of the validation and of the test span.
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2

# Windows that each of the two spans holds, if that leaves half of the rows to train on: intervals take ten.
_ENOUGH_WINDOWS = 10

# By time, a series that ends early has no test span. Where more than this share of them do, each is divided itself.
_MOST_EARLY = 0.1


@dataclass(frozen=True)
class Split:
    """The first timestamps of the validation span and of the test span.

    Args:
        validation_from: Of each series, [S].
        test_from: Of each series, [S].
    """

    validation_from: Times
    test_from: Times

    @property
    def is_by_time(self) -> bool:
        """Whether the spans of all series begin at the same times."""
        return all(map(are_alike, (self.validation_from, self.test_from)))

    def part_of(self, panel: Panel) -> NDArray[np.int8]:
        """The part of each row of a panel of these series, [T]: 0 train, 1 validation, 2 test."""
        return at_or_after(panel, self.validation_from).astype(np.int8) + at_or_after(panel, self.test_from)

    def of_source(self, n_series: int) -> Split:
        """The split of the panel as it was read, if each of its series has been divided into independent channels."""
        n_channels = len(self.test_from) // n_series
        return Split(self.validation_from[::n_channels], self.test_from[::n_channels])

    def to_record(self) -> dict[str, str | list[str]]:
        """The dates as manifests keep them: one for all series, or one for each."""
        dates = {"validation_from": self.validation_from, "test_from": self.test_from}
        return {
            name: str(of_all[0]) if self.is_by_time else of_all.astype(str).tolist() for name, of_all in dates.items()
        }


def are_alike(dates: Times) -> bool:
    """Whether the dates of all series [S] are the same."""
    return bool((dates == dates[:1]).all())


def at_or_after(panel: Panel, dates: Times) -> NDArray[np.bool_]:
    """Which rows [T] are not before the date of their series, of which there is one each [S]."""
    return panel.times >= (dates[:1] if are_alike(dates) else np.repeat(dates, np.diff(panel.offsets)))


def span_in_words(test_from: Times, clock: Clock) -> str:
    """Where a test span begins that does so at these times [S], to stand behind "12 windows"."""
    if are_alike(test_from):
        return f"from {clock.format(test_from[0])} on"
    return "in the last part of each series"


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


def choose_validation_from(panel: Panel, test_from: str, horizon: int, needed: int) -> str:
    """Where the validation span begins, if the test span begins at a date: a tenth of the rows before it are of it.

    It holds ten windows, or as many as leave half of these rows to train on, or else a single window.

    Args:
        panel: S series of T rows in all.
        test_from: The first timestamp of the test span.
        horizon: H.
        needed: Rows of a series that a window to train on takes.
    """
    before = panel.times < _timestamp(test_from, "test_from", panel.clock)
    if not before.any():
        return test_from  # no row is left to train on, which is refused
    n_rows = float(np.median(np.diff(np.concatenate([[0], np.cumsum(before)])[list(panel.offsets)])))
    spans = [max(round(VALIDATION_SHARE * n_rows), horizon + n - 1) for n in range(_ENOUGH_WINDOWS, 4, -1)]
    fitting = [span for span in spans if n_rows - span >= max(n_rows / 2, needed)]
    n_validation = fitting[0] if fitting else horizon
    times = np.unique(panel.times[before])
    return panel.clock.isoformat(times[max(0, len(times) - n_validation)])


def choose_division(panel: Panel, horizon: int) -> tuple[Division, str]:
    """Whether to divide a panel by time or by series, and why.

    Args:
        panel: S series of T rows in all.
        horizon: H.
    """
    last_rows = np.array(panel.offsets[1:])[np.diff(panel.offsets) > 0] - 1
    end = panel.times[last_rows].max()
    n_early = int((panel.times[last_rows] < panel.clock.past(end, horizon + 1)[0]).sum())
    early = f"{n_early:,} of {panel.n_series:,} series end more than {horizon:,} steps before {panel.clock.format(end)}"
    if n_early > _MOST_EARLY * len(last_rows):
        return "series", early
    return "time", early if n_early else "all series reach the end"


def split_panel(panel: Panel, config: DataSettings) -> Split:
    """Divide a panel by shares of its rows or by dates.

    Args:
        panel: S series of T rows in all.
        config: The shares, or the first timestamps; a share that is open is the usual one.

    Raises:
        DataError: If a date cannot be read, or a part would be empty.
    """
    split = split_by_series(panel, config) if config.split == "series" else _split_by_time(panel, config)
    counts = np.bincount(split.part_of(panel), minlength=3)
    if not counts.all():
        first, last = (panel.clock.format(time) for time in (panel.times.min(), panel.times.max()))
        raise DataError(
            f"Of {panel.n_rows} rows from {first} to {last}, {counts[0]} are for training, {counts[1]} for validation "
            f"and {counts[2]} for the test; none may be empty.",
            f"Choose {setting('validation')} and {setting('test')}, or {setting('validation_from')} and "
            f"{setting('test_from')}, so that each part has rows.",
        )
    return split


def shares_of(config: DataSettings) -> tuple[float, float]:
    """The shares of the validation and of the test span; one that is open is the usual one."""
    return (
        VALIDATION_SHARE if config.validation is None else config.validation,
        TEST_SHARE if config.test is None else config.test,
    )


def _split_by_time(panel: Panel, config: DataSettings) -> Split:
    times = panel.times if (panel.times[1:] >= panel.times[:-1]).all() else np.sort(panel.times)
    validation, test = shares_of(config)
    # Rounded first: 0.29 of 100 rows is 28.999… in binary, and 29 rows to everyone else.
    n_test = int(round(test * len(times), 6))
    n_train = int(round((1 - validation - test) * len(times), 6))
    by_share = times[[min(n_train, len(times) - 1), min(len(times) - n_test, len(times) - 1)]]
    clock = panel.clock
    dates = (
        by_share[0] if config.validation_from is None else _timestamp(config.validation_from, "validation_from", clock),
        by_share[1] if config.test_from is None else _timestamp(config.test_from, "test_from", clock),
    )
    if dates[0] > dates[1]:
        raise DataError(
            f"Validation would begin at {clock.format(dates[0])}, after the test at {clock.format(dates[1])}.",
            f"Choose {setting('validation_from')} before {setting('test_from')}.",
        )
    return Split(*(np.full(panel.n_series, date) for date in dates))


def split_by_series(panel: Panel, config: DataSettings) -> Split:
    """Divide each series by shares of its own rows; of a short one the test is a horizon, if it holds a lookback, too.

    It has no validation span where that would leave no window to train on.
    """
    n_rows = np.diff(panel.offsets)
    horizon = config.horizon or 1
    window = horizon + (config.lookback or 1)
    n_validation, n_test = (np.floor(np.round(share * n_rows, 6)).astype(np.int64) for share in shares_of(config))
    n_test = np.where(n_rows >= window, np.maximum(n_test, horizon), n_test)
    n_validation = np.maximum(n_validation, horizon)
    n_validation[n_rows - n_test - n_validation < window] = 0
    ends = np.array(panel.offsets[1:])
    rows = (np.maximum(ends - n_test - back, 0) for back in (n_validation, 0))
    return Split(*(panel.times[np.minimum(row, ends - 1)] for row in rows))


def _timestamp(text: str, field: str, clock: Clock) -> np.datetime64:
    if clock.freq == STEP and text.isdigit():
        return np.datetime64(int(text), "us")
    stamp = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if pd.isna(stamp):
        raise DataError(f"{field}: {text!r} is not a date.", "Write it as 2015-07-01 or 2015-07-01T12:00.")
    return clock.to_utc(stamp)


def rows_before_test(panel: Panel, known_rows: NDArray[np.bool_]) -> list[slice]:
    """The rows of each series before the test span: the first ones, as many as are known [T]."""
    spans = map(panel.rows, range(panel.n_series))
    return [slice(rows.start, rows.start + int(np.count_nonzero(known_rows[rows]))) for rows in spans]
