"""The scores of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from forecast.commands.evaluate.carried import carried_forecasts, check_states
from forecast.commands.pooling import Scored, ToScore, pool_parts, sum_up
from forecast.commands.progress import shown_by_default
from forecast.data.panel import Panel
from forecast.data.prepare import encode
from forecast.data.split import at_or_after
from forecast.errors import ConfigError, setting
from forecast.evaluation.scoring import score_models
from forecast.evaluation.yardstick import naive_errors_beside
from forecast.model import Model, forecasters, forecasts_alone, load_models
from forecast.plots.lost_windows import count_windows
from forecast.progress import NullProgress, Progress
from forecast.runs.calibration import intervals_of
from forecast.runs.find import find
from forecast.runs.rows import fitted_until, new_panel, refuse_no_window, scaler_of, training_panel, windows_to_score
from forecast.runs.run import Run
from forecast.shown import Scores
from forecast.sources.parts import parts_of
from forecast.sources.read import Source

# Kinds of series, which are scored apart.
_TRAINED, _UNSEEN = "trained", "not_trained_on"


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
        ConfigError: If a stream is to be scored of a run whose networks carry no state, or parts of one of one series.
        DataError: If no window of the new rows lies after the rows that the run was fitted to.
    """
    progress = progress or shown_by_default()
    run = find(run, runs_dir=runs_dir)
    for warning in run.metrics.get("calibration_warnings", ()):
        progress.warn(warning)
    if memory is not None and (source is None or stream):
        what = "a stream, which carries its state through all rows" if stream else "the rows of the training"
        raise ConfigError(f"memory: is for a new SOURCE, and not for {what}.", f"Leave {setting('memory')} out.")
    if source is None and not stream:
        return Scores(run.metrics)
    if stream:
        check_states(run)
    models = load_models(run)
    if memory is not None and source is not None and (parts := parts_of(source, memory, run.config.training.seed)):
        if run.n_series == 1:
            raise ConfigError(
                f"{run.name} was trained on one series, and which of the files holds it, is not known.",
                f"Leave {setting('memory')} out, and give a file.",
            )
        kinds = pool_parts(parts, partial(_score_files, run, models), progress)
        unseen = {"n_series": kinds[_UNSEEN]["n_series"]} if _UNSEEN in kinds else {}
    else:
        panel = new_panel(run, training_panel(run) if source is None else source, progress)
        panels = _by_kind(run, panel)
        kinds = {
            kind: _score(run, models, some, progress, stream and kind == _TRAINED) for kind, some in panels.items()
        }
        unseen = {"series": [*panels[_UNSEEN].series_ids]} if _UNSEEN in kinds else {}
    if _UNSEEN not in kinds:
        return Scores(kinds[_TRAINED])
    if _TRAINED not in kinds:
        return Scores(kinds[_UNSEEN] | {_UNSEEN: unseen})
    return Scores(kinds[_TRAINED] | {_UNSEEN: unseen | kinds[_UNSEEN]})


def _score_files(run: Run, models: Mapping[str, Model], files: list[str]) -> dict[str, Scored]:
    """The sums over the windows of some files, by kind of series."""
    panel = new_panel(run, files, NullProgress())  # what is odd in each of many files, nobody would read
    return {kind: sum_up(_to_score(run, models, some)) for kind, some in _by_kind(run, panel).items()}


def _by_kind(run: Run, panel: Panel) -> dict[str, Panel]:
    """The series of a panel that a run was trained on, and those that it was not.

    A run that learned from more than memory holds knows a sample of its series only, and tells no others apart.
    """
    unseen = run.scaler.unseen(panel.series_ids)
    if not len(unseen) or "parts" in run.manifest:
        return {_TRAINED: panel}
    trained = np.setdiff1d(np.arange(panel.n_series), unseen)
    kinds = {_TRAINED: trained, _UNSEEN: unseen}
    return {kind: panel.of_series(numbers) for kind, numbers in kinds.items() if len(numbers)}


def _to_score(run: Run, models: Mapping[str, Model], panel: Panel) -> ToScore:
    since = fitted_until(run, panel)
    rows = encode(panel, run.config.data, scaler_of(run, panel, since))
    season = run.config.data.season
    return ToScore(
        rows,
        windows_to_score(run, rows),
        forecasters(models, rows),
        season,
        naive_errors_beside(run.metrics, rows, ~at_or_after(panel, since), season),
        intervals_of(run, "start", rows.scaler),
        forecasts_alone(models),
    )


def _score(run: Run, models: Mapping[str, Model], panel: Panel, progress: Progress, stream: bool) -> dict[str, Any]:
    """The scores of some series.

    Raises:
        DataError: If they have no window to score.
    """
    asked, since = _to_score(run, models, panel), fitted_until(run, panel)
    if not len(asked.windows):
        refuse_no_window(run, panel)
    first = run.clock.format(panel.times[asked.windows.cutoffs + 1].min())
    used = f"rows before {run.clock.format(since[0])}"
    if (since != since[0]).any():
        used = "of each series the rows before its test span"
    what = "say how they are scaled" if len(run.scaler.unseen(panel.series_ids)) else "were used for training"
    progress.note(f"scored on {len(asked.windows)} windows from {first} on; {used} {what}")
    if stream:
        asked = asked._replace(models=carried_forecasts(run, asked.rows, asked.windows, progress))
    metrics = score_models(*asked).metrics
    (count,) = count_windows(asked.rows, run.config.data, [(since, None)])
    warnings = run.metrics.get("calibration_warnings", [])
    return metrics | {"windows": count.to_json(), "calibration_warnings": warnings}
