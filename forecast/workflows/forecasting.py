"""Forecasts and scores of a run that is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import chosen
from forecast.data.panel import Clock
from forecast.data.prepare import Rows, encode, in_units, windows_of
from forecast.data.windows import InUnits, Windows
from forecast.errors import DataError
from forecast.evaluation.scoring import Evaluation, judge
from forecast.inference.newest import newest_forecast, newest_rows
from forecast.runs import Run, find_run, list_runs, runs_folder
from forecast.workflows.listening import Listener, Silence
from forecast.workflows.networks import averaged, column_names, rebuilt
from forecast.workflows.reading import Source, fitting_panel


def find(name: str = "latest", *, runs_dir: Path | None = None) -> Run:
    """The run of a name or path; ``latest`` is the one that was finished last.

    Raises:
        RunError: If there is none; lists those that exist.
    """
    return find_run(name, runs_folder(runs_dir))


def all_runs(*, runs_dir: Path | None = None) -> list[Run]:
    """Every finished run, the newest last."""
    return list_runs(runs_folder(runs_dir))


def predict(
    run: Run | str, source: Source | None = None, *, runs_dir: Path | None = None, listener: Listener | None = None
) -> pd.DataFrame:
    """The forecast of the H steps after the last row: unique_id, ds, cutoff and a column for each model.

    Args:
        run: A run or its name.
        source: New rows to forecast from, with the run's own scaler; None for the rows that it was trained on.
        runs_dir: Where runs live.
        listener: Is told what goes on.

    Raises:
        DataError: If the new rows do not fit the run.
    """
    listener = listener or Silence()
    run = run if isinstance(run, Run) else find(run, runs_dir=runs_dir)
    if source is not None:
        return _newest(run, source, listener)[0]
    forecast = run.forecast
    if forecast.empty:
        known = run.config.data.known
        lacking = f" or do not hold {', '.join(map(repr, known))} for the steps ahead" if known else ""
        raise DataError(
            f"The rows that {run.name} was trained on end in a gap{lacking}, so no forecast follows them.",
            f"Give newer rows: forecast predict {run.name} FILE",
        )
    return forecast


def predict_and_draw(
    run: Run, source: Source | None = None, *, listener: Listener | None = None
) -> tuple[pd.DataFrame, list[bytes]]:
    """The forecast as from `predict`, and its plots as PNG, one for each series and target.

    Args:
        run: A run.
        source: New rows to forecast from; None for the rows that it was trained on.
        listener: Is told what goes on.
    """
    from forecast.report.draw import draw_forecast

    if source is None:
        return predict(run), [path.read_bytes() for path in run.plots if path.name.startswith("5-forecast")]
    forecast, rows = _newest(run, source, listener or Silence())
    pictures = draw_forecast(rows, forecast, run.config.network.model, chosen(run.config.data.lookback))
    return forecast, list(pictures.values())


def evaluate(
    run: Run | str, source: Source | None = None, *, runs_dir: Path | None = None, listener: Listener | None = None
) -> dict[str, Any]:
    """The scores of a run, as in metrics.json.

    Args:
        run: A run or its name.
        source: New rows to score on; None for the test span of the rows that it was trained on.
        runs_dir: Where runs live.
        listener: Is told what goes on.

    Raises:
        DataError: If no window of the new rows lies after the rows that the run was fitted to.
    """
    listener = listener or Silence()
    run = run if isinstance(run, Run) else find(run, runs_dir=runs_dir)
    if source is None:
        return run.metrics
    panel = fitting_panel(run, source, listener)
    rows = encode(panel, run.config.data, run.scaler)
    windows = unseen_windows(run, rows)
    first = pd.Timestamp(panel.times[windows.cutoffs + 1].min())
    listener.note(
        f"scored on {len(windows)} windows from {first} on; rows before {run.data['test_from']} were trained on"
    )
    return scored(run, rows, windows, forecasters_of(run, rows, "model"))


def scored(run: Run, rows: Rows, windows: Windows, models: Mapping[str, InUnits]) -> dict[str, Any]:
    """The scores of some models on windows of a run, scaled by the run's own naive errors; as in metrics.json."""
    return judged(run, rows, windows, models).metrics


def judged(run: Run, rows: Rows, windows: Windows, models: Mapping[str, InUnits]) -> Evaluation:
    """The scores as from `scored`, and the forecasts in the long format."""
    known = {name: np.nan if error is None else error for name, error in run.metrics["naive_error"].items()}
    return judge(rows, windows, models, chosen(run.config.data.season), known)


def unseen_windows(run: Run, rows: Rows) -> Windows:
    """The windows that a run was not trained on, nor chosen by.

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


def _newest(run: Run, source: Source, listener: Listener) -> tuple[pd.DataFrame, Rows]:
    panel = fitting_panel(run, source, listener)
    newest = newest_rows(panel, run.config.data, run.scaler)
    if not len(newest.windows):
        raise DataError(newest.refused[0], "Give more of the newest rows, without such holes.")
    for warning in newest.refused + newest.filled:
        listener.warn(warning)
    models = forecasters_of(run, newest.rows, run.forecast_weights)
    return newest_forecast(newest, models, chosen(run.config.data.season)), newest.rows


def forecasters_of(run: Run, rows: Rows, model_weights: str) -> dict[str, InUnits]:
    """The networks of a run over new rows, in the targets' own units, by the name of their column.

    Args:
        run: A run.
        rows: What they are fed.
        model_weights: Which weights the model gets: ``model`` or ``refit``.
    """
    from forecast.models.feeding import Feeder, Forecaster, shape_of

    data = run.config.data
    shape = shape_of(rows, chosen(data.lookback), chosen(data.horizon))
    feeder = Feeder(rows.inputs, rows.identity)
    return {
        column_names(run.config)[network]: in_units(
            averaged([Forecaster(member, shape).over(feeder) for member in members]), rows, run.scaler
        )
        for network, members in rebuilt(run, shape, model_weights).items()
    }


def age_in_steps(forecast: pd.DataFrame, run: Run) -> int:
    """How many steps of the run's clock have passed since the newest row that a forecast was made from."""
    clock = Clock(run.data["freq"])
    newest, now = forecast["cutoff"].max().to_datetime64().astype("datetime64[us]"), np.datetime64("now", "us")
    return int(np.diff(clock.ordinals(np.array([newest, now])))[0])
