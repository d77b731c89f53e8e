"""Train, validation and test spans: the same for all series, or the last share of each one's own rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.config import DataSettings
from forecast.data.clock import STEP, Clock, Times
from forecast.data.panel import Panel
from forecast.errors import DataError, setting

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")

# The usual shares of the validation and of the test span.
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2


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
        by_share[0]
        if config.validation_from is None
        else timestamp_of(config.validation_from, "validation_from", clock),
        by_share[1] if config.test_from is None else timestamp_of(config.test_from, "test_from", clock),
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


def timestamp_of(text: str, field: str, clock: Clock) -> np.datetime64:
    """The time that the text of a setting names."""
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
