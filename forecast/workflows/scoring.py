"""Scores of a run on rows that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from forecast.data.panel import Panel
from forecast.data.prepare import Rows, windows_of
from forecast.data.windows import Forecaster, Windows
from forecast.errors import DataError
from forecast.evaluation.scoring import Evaluation, read_naive_errors, score_models
from forecast.intervals.conformal import Intervals
from forecast.runs.calibration import intervals_of
from forecast.runs.run import Run


def intervals_at_start(run: Run, panel: Panel) -> Intervals | None:
    """The intervals of the series of these rows as they stood before the test span; None if the run has none."""
    intervals = intervals_of(run, "start")
    return None if intervals is None else intervals.of_series(run.scaler.positions(panel.series_ids))


def score_models_of_run(
    run: Run, rows: Rows, windows: Windows, models: Mapping[str, Forecaster], intervals: Intervals | None = None
) -> Evaluation:
    """Scores and forecasts of some models on windows of a run, scaled by the run's own naive errors.

    Args:
        run: A run.
        rows: Rows as it takes them.
        windows: What to score.
        models: By name, the judged one first.
        intervals: Those of the models before the first window.
    """
    season, naive_error = run.config.data.season, read_naive_errors(run.metrics)
    return score_models(rows, windows, models, season, naive_error, intervals)


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
