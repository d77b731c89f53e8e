"""A request for the newest forecast of a run from new rows: what it asks the models, and how they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.archive.store import Archive
from forecast.data.newest import NewestRows, forecast_warnings, newest_rows
from forecast.data.prepare import Rows, encode, windows_of
from forecast.data.windows import Ints, Windows
from forecast.errors import DataError
from forecast.evaluation.calibrating import update_intervals
from forecast.intervals.conformal import Intervals
from forecast.model import Model, forecasters, newest_columns
from forecast.progress import Progress
from forecast.runs.calibration import intervals_of
from forecast.runs.rows import lacks_issues, new_panel, refuse_no_numbers, scaler_of
from forecast.runs.run import Run
from forecast.sources.read import Source


@dataclass(frozen=True)
class ForecastRequest:
    """A request for the newest forecast of a run from new rows.

    Args:
        run: The run.
        newest: The newest rows, and a window of each series.
        intervals: Those of these series as they stood when the run was made; None if it has none.
        since: All rows, and the windows since the run was made, by whose errors adaptive intervals are updated; None
            if there are none.
    """

    run: Run
    newest: NewestRows
    intervals: Intervals | None
    since: tuple[Rows, Windows] | None

    @property
    def windows(self) -> list[tuple[Rows, Ints]]:
        """The first rows of all windows that the models are asked for, with the rows that they point into."""
        pairs = [(self.newest.rows, self.newest.windows), *([] if self.since is None else [self.since])]
        return [(rows, windows.starts) for rows, windows in pairs]

    def fingerprint(self) -> str:
        """That of the newest rows, as an archive keeps it."""
        return self.newest.rows.panel.fingerprint()

    def updated_intervals(self, models: Mapping[str, Model]) -> Intervals | None:
        """The intervals, updated by the errors since the run was made."""
        if self.intervals is None or self.since is None:
            return self.intervals
        rows, windows = self.since
        season, intervals = self.run.config.data.season, self.intervals.only(models)
        return update_intervals(rows, windows, forecasters(models, rows), season, intervals)

    def forecast(self, models: Mapping[str, Model]) -> pd.DataFrame:
        """The forecast, as from `predict`; arguments and errors as of `columns`."""
        return pd.concat(self.parts(models), ignore_index=True)

    def parts(self, models: Mapping[str, Model], archive: Archive | None = None) -> Iterator[pd.DataFrame]:
        """The forecast, as from `predict`, some series at a time, each kept in an archive if there is one."""
        fingerprint = "" if archive is None else self.fingerprint()
        for columns in self.columns(models):
            if archive is not None:
                archive.keep(columns, fingerprint)
            yield pd.DataFrame(columns, copy=False)

    def whole(self, models: Mapping[str, Model]) -> dict[str, Any] | pd.DataFrame:
        """The forecast by column, as a table only where it has several parts."""
        first, *others = self.columns(models)
        return pd.concat(map(pd.DataFrame, [first, *others])) if others else first

    def columns(self, models: Mapping[str, Model]) -> Iterator[dict[str, Any]]:
        """The columns of the forecast in long format, some series at a time.

        Args:
            models: Those of the run, with its ``forecast_weights``.

        Raises:
            DataError: If the rows lead the network beyond all numbers.
        """
        season, of_rows = self.run.config.data.season, forecasters(models, self.newest.rows)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
            intervals = self.updated_intervals(models)
        for newest in self.newest.parts():
            with np.errstate(over="ignore", invalid="ignore"):
                forecast = newest_columns(newest, of_rows, season, intervals)
            for column in forecast.values():
                if column.dtype.kind == "f":
                    refuse_no_numbers(self.run, column)
            yield forecast


def request_forecast(run: Run, source: Source, progress: Progress, reads_forecasts: bool = True) -> ForecastRequest:
    """Read new rows, and find the windows that a forecast from them needs.

    Args:
        run: A run.
        source: New rows.
        progress: Receives notes on what was inferred, and warnings of what was repaired.
        reads_forecasts: As of `new_panel`.

    Raises:
        DataError: If they do not fit the run.
    """
    panel = new_panel(run, source, progress, reads_forecasts)
    scaler = scaler_of(run, panel)
    newest = newest_rows(panel, run.config.data, scaler)
    if not len(newest.windows):
        what, add_rows, which = newest.refused[0].partition(": add rows ")
        if add_rows:
            raise DataError(f"{what}.", f"Add rows {which}")
        raise DataError(what, "Give more of the newest rows, or more complete ones.")
    for warning in forecast_warnings(newest):
        progress.warn(warning)
    intervals = intervals_of(run, "end", newest.rows.scaler)
    if intervals is None:
        return ForecastRequest(run, newest, None, None)
    later = panel.times > np.datetime64(run.data["last"])
    if not intervals.adaptive or not later.any() or lacks_issues(run, panel):
        return ForecastRequest(run, newest, intervals, None)
    rows = encode(panel, run.config.data, scaler)
    return ForecastRequest(run, newest, intervals, (rows, windows_of(rows, later, run.config.data)))
