"""The scores of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forecast.data.lost_windows import count_windows
from forecast.data.prepare import encode
from forecast.evaluation.scoring import score_models
from forecast.evaluation.yardstick import read_naive_errors
from forecast.model import forecasters, load_models
from forecast.progress import NullProgress, Progress
from forecast.runs.calibration import intervals_of
from forecast.runs.find import find
from forecast.runs.rows import fitted_until, new_panel, unseen_windows
from forecast.runs.run import Run
from forecast.sources.read import Source


def evaluate(
    run: Run | str, source: Source | None = None, *, runs_dir: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """The scores of a run, as in metrics.json.

    Args:
        run: A run or its name.
        source: New rows to score on; None for the test span of the rows that it was trained on.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        DataError: If no window of the new rows lies after the rows that the run was fitted to.
    """
    progress = progress or NullProgress()
    run = find(run, runs_dir=runs_dir)
    if source is None:
        return run.metrics
    panel = new_panel(run, source, progress)
    rows = encode(panel, run.config.data, run.scaler)
    windows = unseen_windows(run, rows)
    first = run.clock.format(panel.times[windows.cutoffs + 1].min())
    known_until = fitted_until(run, panel)
    used = f"rows before {run.clock.format(known_until[0])}"
    if (known_until != known_until[0]).any():
        used = "of each series the rows before its test span"
    progress.note(f"scored on {len(windows)} windows from {first} on; {used} were used for training")
    models, season = forecasters(load_models(run), rows), run.config.data.season
    intervals = intervals_of(run, "start", panel.series_ids)
    metrics = score_models(rows, windows, models, season, read_naive_errors(run.metrics), intervals).metrics
    (count,) = count_windows(rows, run.config.data, [(known_until, None)])
    return metrics | {"windows": count.to_json()}
