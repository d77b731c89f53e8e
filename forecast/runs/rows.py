"""The rows of a run: those that it was trained on, read again; new ones, and those it has not seen; typical ones."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import Rows, arrange, windows_of
from forecast.data.windows import Windows
from forecast.errors import DataError, phrase
from forecast.progress import Progress
from forecast.runs.run import Run
from forecast.sources.read import Source, is_built_in, read, report_notes

_SOURCE = phrase("SOURCE behind the run", "source")


def training_panel(run: Run, source: Source | None = None) -> Panel:
    """The rows that a run was trained on, read again.

    Args:
        run: A run.
        source: Where they are now; None for where they were.

    Raises:
        DataError: If they are no longer there, or are others.
    """
    again = run.manifest["source"] if source is None else source
    if again is None:
        raise DataError(f"{run.name} was trained on rows that cannot be read again.", f"Give them as {_SOURCE}.")
    if source is None and not is_built_in(again) and not os.path.isfile(str(again)):  # no pipe either
        raise DataError(
            f"{again}, which {run.name} was trained on, is no longer there.", f"Give its rows as {_SOURCE}."
        )
    panel = read(again, run.config.read)
    if panel.fingerprint() == run.manifest["data"]["fingerprint"]:
        return panel
    if source is not None:
        raise DataError(
            f"The source given does not hold the rows that {run.name} was trained on: {panel.n_rows:,} rows from "
            f"{panel.times.min()} on, where the run had {run.manifest['data']['rows']:,} from "
            f"{run.manifest['data']['first']} on, or the same with other values or columns.",
            "Give the rows as they were.",
        )
    raise DataError(
        f"{again} has changed since {run.name} was trained on it.",
        f"Bring the old file back, or give the rows that it holds now as {_SOURCE}.",
    )


def unseen_windows(run: Run, rows: Rows) -> Windows:
    """The windows that a run has not seen: it was neither trained nor chosen by them.

    Args:
        run: A run.
        rows: Rows as it takes them.

    Raises:
        DataError: If there is none.
    """
    fitted_until = pd.Timestamp(run.data["test_from"])
    windows = windows_of(rows, rows.panel.times >= fitted_until.to_datetime64(), run.config.data)
    if not len(windows):
        raise DataError(
            f"There is no window to score: the rows end at {pd.Timestamp(rows.panel.times.max())}, and those before "
            f"{fitted_until} were trained on. A window needs {run.config.data.lookback} rows before and "
            f"{run.config.data.horizon} after its cut-off."
        )
    return windows


def typical_panel(run: Run, n_series: int | None = None) -> Panel:
    """Rows of the form that a run's network takes, arranged, each value its mean over the training rows.

    Args:
        run: A run.
        n_series: How many of its series; None for all.

    Returns:
        Of each series as many rows as a window sees, the last at the end of the run's data; where something is known
        ahead, also the rows of the horizon, which hold that alone.
    """
    data, scaler, clock = run.config.data, run.scaler, Clock(run.data["freq"])
    last, n_known, lookback = pd.Timestamp(run.data["last"]), len(data.known), data.lookback
    past = pd.date_range(end=last, periods=lookback, freq=clock.freq).to_numpy().astype("datetime64[us]")
    times = np.concatenate([past, clock.future(past[-1], data.horizon if n_known else 0)])
    means = np.where(scaler.logged, np.exp(np.where(scaler.logged, scaler.mean, 0.0)), scaler.mean)[:n_series]
    values = np.repeat(means[:, None], len(times), axis=1)
    values[:, lookback:, : len(scaler.columns) - n_known] = np.nan
    return Panel(
        values=values.reshape(-1, len(scaler.columns)),
        times=np.tile(times, len(means)),
        columns=scaler.columns,
        clock=clock,
        series_ids=scaler.series_ids[:n_series],
        offsets=tuple(range(0, values.size // len(scaler.columns) + 1, len(times))),
        name=run.name,
    )


def new_panel(run: Run, source: Source, progress: Progress) -> Panel:
    """New rows, arranged as the run's network takes them.

    Raises:
        DataError: If a column is missing, the clock is another, or a series is unknown.
    """
    config = run.config
    panel = read(source, config.read)
    report_notes(panel, progress)
    needed = config.data.target + (config.data.covariates or ()) + config.data.known
    missing = [name for name in needed if name not in panel.columns]
    if missing:
        raise DataError(
            f"Column {missing[0]!r} is missing: the run {run.name} was trained on {', '.join(map(repr, needed))}.",
            f"The source has {', '.join(map(repr, panel.columns))}.",
        )
    extra = [name for name in panel.columns if name not in run.data["columns"]]
    if extra:
        progress.warn(f"{len(extra)} columns that the run does not know were passed over: {', '.join(extra)}")
    freq = run.data["freq"]
    if panel.clock.freq != freq:
        raise DataError(
            f"The clock of the rows is {panel.clock.freq}; the run {run.name} was trained on {freq}.",
            f"Bring the rows onto the clock {freq}, or train a run on theirs.",
        )
    trained_ids = run.data["series_ids"]
    if panel.n_series == len(trained_ids) == 1:  # a lone series may carry another name in another file
        panel = replace(panel, series_ids=tuple(trained_ids))
    arranged = arrange(panel, config.data)
    run.scaler.for_series(arranged.series_ids)  # refuses unknown series
    return arranged
