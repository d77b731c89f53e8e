"""The scores of a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from forecast.commands.evaluate.carried import carried_forecasts, check_states
from forecast.commands.evaluate.parts import score_parts
from forecast.commands.progress import shown_by_default
from forecast.data.panel import Panel
from forecast.data.prepare import encode
from forecast.data.split import at_or_after
from forecast.evaluation.scoring import score_models
from forecast.evaluation.yardstick import naive_errors_beside
from forecast.model import forecasters, forecasts_alone, load_models
from forecast.plots.lost_windows import count_windows
from forecast.progress import NullProgress, Progress
from forecast.runs.calibration import intervals_of
from forecast.runs.find import find
from forecast.runs.rows import fitted_until, new_panel, scaler_of, training_panel, unseen_windows
from forecast.runs.run import Run
from forecast.shown import Scores
from forecast.sources.parts import parts_of
from forecast.sources.read import Source


def evaluate(
    run: Run | str,
    source: Source | None = None,
    *,
    stream: bool = False,
    memory: int | str | None = None,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Scores:
    """The scores of a run, as in metrics.json.

    Args:
        run: A run or its name.
        source: New rows to score on; None for the test span of the rows that it was trained on. Series that it was not
            trained on are scored apart, under ``not_trained_on``, on the last share of their rows.
        stream: Score what a stream forecasts: with the states that are carried from the first row on.
        memory: Bytes of rows that are held at a time, such as ``"2GB"``, of a folder of Parquet files, each with some
            of the series: their scores are pooled from sets of files.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        ConfigError: If a stream is to be scored of a run whose networks carry no state.
        DataError: If no window of the new rows lies after the rows that the run was fitted to.
    """
    progress = progress or shown_by_default()
    run = find(run, runs_dir=runs_dir)
    for warning in run.metrics.get("calibration_warnings", ()):
        progress.warn(warning)
    if source is None and not stream:
        return Scores(run.metrics)
    if stream:
        check_states(run)
    if memory is not None and source is not None and (parts := parts_of(source, memory, run.config.training.seed)):
        return Scores(score_parts(parts, partial(_score_files, run), progress))
    panel = new_panel(run, training_panel(run) if source is None else source, progress)
    unseen = run.scaler.unseen(panel.series_ids)
    trained = np.setdiff1d(np.arange(panel.n_series), unseen)
    if not len(unseen):
        return Scores(_score(run, panel, progress, stream))
    apart = {"series": [panel.series_ids[number] for number in unseen]}
    if not len(trained):
        return Scores(_score(run, panel, progress) | {"not_trained_on": apart})
    scores = _score(run, panel.of_series(trained), progress, stream)
    return Scores(scores | {"not_trained_on": apart | _score(run, panel.of_series(unseen), progress)})


def _score_files(run: Run, files: list[str]) -> list[dict[str, Any]]:
    """The scores of some files: of the series that a run was trained on, and of others."""
    silent = NullProgress()  # what is odd in each of many files, nobody would read
    panel = new_panel(run, files, silent)
    unseen = run.scaler.unseen(panel.series_ids)
    kinds = (np.setdiff1d(np.arange(panel.n_series), unseen), unseen)
    return [_score(run, panel.of_series(numbers), silent) for numbers in kinds if len(numbers)]


def _score(run: Run, panel: Panel, progress: Progress, stream: bool = False) -> dict[str, Any]:
    """The scores of some series, none of which, or each, the run was trained on."""
    since = fitted_until(run, panel)
    rows = encode(panel, run.config.data, scaler_of(run, panel, since))
    windows = unseen_windows(run, rows)
    first = run.clock.format(panel.times[windows.cutoffs + 1].min())
    used = f"rows before {run.clock.format(since[0])}"
    if (since != since[0]).any():
        used = "of each series the rows before its test span"
    what = "say how they are scaled" if len(run.scaler.unseen(panel.series_ids)) else "were used for training"
    progress.note(f"scored on {len(windows)} windows from {first} on; {used} {what}")
    models, season = load_models(run), run.config.data.season
    forecasts, alone = forecasters(models, rows), forecasts_alone(models)
    if stream:
        forecasts = carried_forecasts(run, rows, windows, progress)
    intervals = intervals_of(run, "start", rows.scaler)
    naive_error = naive_errors_beside(run.metrics, rows, ~at_or_after(panel, since), season)
    metrics = score_models(rows, windows, forecasts, season, naive_error, intervals, alone).metrics
    (count,) = count_windows(rows, run.config.data, [(since, None)])
    warnings = run.metrics.get("calibration_warnings", [])
    return metrics | {"windows": count.to_json(), "calibration_warnings": warnings}
