"""The newest forecast of a run, as a table, as paths or drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import pandas as pd

from forecast.archive.store import Archive
from forecast.commands.console import say
from forecast.commands.predict.stored import stored_forecast
from forecast.commands.progress import shown_by_default
from forecast.commands.requests import request_forecast
from forecast.commands.tables import TERMINAL, print_table
from forecast.data.panel import Panel
from forecast.errors import RunError, setting
from forecast.model import forecasters, load_models, newest_paths
from forecast.plots.style import Labels, with_unit
from forecast.plots.tables import MOST_SERIES, MOST_STEPS, forecast_table
from forecast.progress import Progress
from forecast.runs.find import find
from forecast.runs.rows import training_panel
from forecast.runs.run import Run
from forecast.runs.table_files import write_parts
from forecast.sources.read import Source
from forecast.tables.frames import like

# What is answered with a DataFrame; frames of other kinds, with one of theirs.
_InPandas = str | Path | Panel | pd.DataFrame | pd.Series | None


@overload
def predict(
    run: Run | str,
    source: _InPandas = None,
    *,
    keep: bool | str = False,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame: ...


@overload
def predict(
    run: Run | str,
    source: Source,
    *,
    keep: bool | str = False,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Any: ...


def predict(
    run: Run | str,
    source: Source | None = None,
    *,
    keep: bool | str = False,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Any:
    """The forecast of the H steps after the last row: unique_id, ds, cutoff and a column for each model.

    It is a DataFrame, or a frame of the kind in which the new rows came: of Polars, of Arrow, arrays by name.

    Args:
        run: A run or its name.
        source: New rows to forecast from, with the run's own scaler; None for the rows that it was trained on.
        keep: Keep the forecast, so that `forecast.score` can tell how good it was: in the run's folder, or in the
            database of an address, that of FORECAST_ARCHIVE if there is one.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        DataError: If the new rows do not fit the run.
        RunError: If its weights are damaged or missing.
        MachineError: If the forecast cannot be kept.
    """
    progress = progress or shown_by_default()
    run = find(run, runs_dir=runs_dir)
    archive = Archive.open(run, None if keep is True else keep) if keep else None
    if source is not None:
        request = request_forecast(run, source, progress)
        forecast = request.forecast(load_models(run, run.forecast_weights))
    else:
        request, forecast = None, stored_forecast(run, progress)
    if archive is not None:
        archive.keep(forecast, run.data["fingerprint"] if request is None else request.fingerprint())
    return like(source, forecast)


def predict_into(path: Path, run: Run, source: Source, progress: Progress, keep: bool = False) -> pd.Timestamp:
    """Write the forecast from new rows into a file, as .parquet without ever holding that of all series.

    Args:
        path: The file.
        run: A run.
        source: New rows.
        progress: Receives notes, warnings and progress.
        keep: Keep the forecast, too, as of `predict`.

    Returns:
        The newest cut-off.
    """
    cutoffs, archive = [], Archive.open(run) if keep else None

    def parts() -> Iterator[pd.DataFrame]:
        request = request_forecast(run, source, progress)
        for part in request.parts(load_models(run, run.forecast_weights), archive):
            cutoffs.append(part["cutoff"].max())
            yield part

    write_parts(path, parts())
    return max(cutoffs)


@overload
def sample_paths(
    run: Run | str,
    source: _InPandas = None,
    *,
    count: int = 100,
    seed: int = 0,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame: ...


@overload
def sample_paths(
    run: Run | str,
    source: Source,
    *,
    count: int = 100,
    seed: int = 0,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Any: ...


def sample_paths(
    run: Run | str,
    source: Source | None = None,
    *,
    count: int = 100,
    seed: int = 0,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Any:
    """Sample paths of the H steps after the last row: unique_id, ds, cutoff, path and a column for each network.

    They are a DataFrame, or a frame of the kind in which the new rows came, as from `predict`.

    The quantiles of the paths are those of the intervals. The steps of a path depend on each other as the errors of the
    validation span did, so paths show how likely a sum, a maximum or a first crossing is.

    Args:
        run: A run or its name.
        source: New rows to forecast from; None for the rows that it was trained on, which are read again.
        count: Paths of each series and target.
        seed: Decides the paths.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        RunError: If the run has no intervals.
        DataError: If the rows do not fit the run.
    """
    run = find(run, runs_dir=runs_dir)
    request = request_forecast(run, training_panel(run) if source is None else source, progress or shown_by_default())
    models = load_models(run, run.forecast_weights)
    intervals = request.updated_intervals(models)
    if intervals is None:
        raise RunError(
            f"{run.name} has no intervals to draw paths from.", f"Train it again with {setting('levels', '80,95')}."
        )
    return like(source, newest_paths(request.newest, forecasters(models, request.newest.rows), intervals, count, seed))


def predict_and_draw(
    run: Run, source: Source | None = None, *, keep: bool = False, progress: Progress | None = None
) -> tuple[pd.DataFrame, list[bytes]]:
    """The forecast as from `predict`, and its plots as PNG, one for each series and target.

    Args:
        run: A run.
        source: New rows to forecast from; None for the rows that it was trained on.
        keep: As of `predict`.
        progress: Receives notes, warnings and progress.
    """
    from forecast.plots.run_plots import draw_forecasts

    if source is None:
        return predict(run, keep=keep, progress=progress), [
            run.picture(path) for path in run.plots if path.name.startswith("5-forecast")
        ]
    request = request_forecast(run, source, progress or shown_by_default())
    rows = request.newest.rows
    forecast = request.forecast(load_models(run, run.forecast_weights))
    if keep:
        Archive.open(run).keep(forecast, request.fingerprint())
    return forecast, draw_forecasts(rows, forecast, run.config.network.model, run.config.data.lookback)


def print_forecast(forecast: pd.DataFrame, run: Run) -> None:
    """Print a forecast as a table for each series; of many series, and of many steps, the first ones.

    Args:
        forecast: ``unique_id, ds, cutoff`` and a column for each model and each end of an interval.
        run: The run that made it.
    """
    metrics = run.metrics
    labels = Labels("", "", metrics["unit"], run.clock, metrics["model"], None)
    names = forecast["unique_id"].unique()
    for name in names[:MOST_SERIES]:
        rows = forecast[forecast["unique_id"] == name]
        cutoff = labels.format_time(rows["cutoff"].iloc[0])
        duration = labels.format_duration(len(rows)).removeprefix("1 ")
        caption = f"{with_unit(name, metrics['unit'], longest=60)}: the next {duration} after {cutoff}"
        table = replace(forecast_table(rows, name, labels, TERMINAL), caption=caption)
        references = [head for head in table.columns[2:] if not head.endswith("interval")]
        print_table(table, may_lack=references[::-1])
    n_steps, everything = run.config.data.horizon, "; --output FILE writes all of them"
    if n_steps > MOST_STEPS:
        say(f"the first {MOST_STEPS} of {n_steps:,} steps{everything}")
    if len(names) > MOST_SERIES:
        say(f"the first {MOST_SERIES} of {len(names):,} series{everything}")
