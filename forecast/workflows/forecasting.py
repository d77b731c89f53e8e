"""Forecasts and scores of a run that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import chosen
from forecast.data.panel import Clock, Panel
from forecast.data.prepare import Rows, encode, in_units, windows_of
from forecast.data.windows import Ints, InUnits, Windows
from forecast.errors import DataError, RunError
from forecast.evaluation.scoring import Evaluation, read_naive_errors, score_models, update_intervals
from forecast.inference.intervals import Intervals, intervals_of
from forecast.inference.network import Network
from forecast.inference.newest import Newest, newest_forecast, newest_paths, newest_rows
from forecast.progress import NullProgress, Progress
from forecast.runs.find import find
from forecast.runs.run import Run
from forecast.workflows.networks import averaged, networks_of
from forecast.workflows.reading import Source, fitting_panel, training_panel

Networks = Mapping[str, Sequence[Network]]


def predict(
    run: Run | str, source: Source | None = None, *, runs_dir: Path | None = None, progress: Progress | None = None
) -> pd.DataFrame:
    """The forecast of the H steps after the last row: unique_id, ds, cutoff and a column for each model.

    Args:
        run: A run or its name.
        source: New rows to forecast from, with the run's own scaler; None for the rows that it was trained on.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        DataError: If the new rows do not fit the run.
    """
    progress = progress or NullProgress()
    run = find(run, runs_dir=runs_dir)
    if source is not None:
        question = question_of(run, source, progress)
        return question.answered(networks_of(run, question.newest.rows, run.forecast_weights))
    forecast = run.forecast
    if forecast.empty:
        known = run.config.data.known
        lacking = f" or do not hold {', '.join(map(repr, known))} for the steps ahead" if known else ""
        raise DataError(
            f"The rows that {run.name} was trained on end in a gap{lacking}, so no forecast follows them.",
            f"Give newer rows: forecast predict {run.name} FILE",
        )
    return forecast


def sample_paths(
    run: Run | str,
    source: Source | None = None,
    *,
    count: int = 100,
    seed: int = 0,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Ways in which the H steps after the last row may go: unique_id, ds, cutoff, path and a column for each network.

    The quantiles of the paths are those of the intervals, and their steps hang together as the errors of the validation
    span did: from paths one can tell how likely a sum, a maximum or a first crossing is.

    Args:
        run: A run or its name.
        source: New rows to forecast from; None for the rows that it was trained on, which are read again.
        count: Paths of each series and target.
        seed: Decides which.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        RunError: If the run has no intervals.
        DataError: If the rows do not fit the run.
    """
    run = find(run, runs_dir=runs_dir)
    question = question_of(run, training_panel(run) if source is None else source, progress or NullProgress())
    networks = networks_of(run, question.newest.rows, run.forecast_weights)
    intervals = question.caught_up(networks)
    if intervals is None:
        raise RunError(f"{run.name} has no intervals to draw paths from.", "Train it again with --levels 80,95.")
    return newest_paths(question.newest, question.models(networks), intervals, count, seed)


def predict_and_draw(
    run: Run, source: Source | None = None, *, progress: Progress | None = None
) -> tuple[pd.DataFrame, list[bytes]]:
    """The forecast as from `predict`, and its plots as PNG, one for each series and target.

    Args:
        run: A run.
        source: New rows to forecast from; None for the rows that it was trained on.
        progress: Receives notes, warnings and progress.
    """
    from forecast.plots.draw import draw_forecast

    if source is None:
        return predict(run), [run.picture(path) for path in run.plots if path.name.startswith("5-forecast")]
    question = question_of(run, source, progress or NullProgress())
    rows = question.newest.rows
    forecast = question.answered(networks_of(run, rows, run.forecast_weights))
    pictures = draw_forecast(rows, forecast, run.config.network.model, chosen(run.config.data.lookback))
    return forecast, list(pictures.values())


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
    panel = fitting_panel(run, source, progress)
    rows = encode(panel, run.config.data, run.scaler)
    windows = unseen_windows(run, rows)
    first = pd.Timestamp(panel.times[windows.cutoffs + 1].min())
    known_until = pd.Timestamp(run.data["test_from"])
    progress.note(f"scored on {len(windows)} windows from {first} on; rows before {known_until} were trained on")
    return judged(run, rows, windows, forecasters_of(run, rows, "model"), intervals_at_start(run, panel)).metrics


def intervals_at_start(run: Run, panel: Panel) -> Intervals | None:
    """The intervals of the series of these rows as they stood before the test span; None if the run has none."""
    intervals = intervals_of(run, "start")
    return None if intervals is None else intervals.of_series(run.scaler.positions(panel.series_ids))


def judged(
    run: Run, rows: Rows, windows: Windows, models: Mapping[str, InUnits], intervals: Intervals | None = None
) -> Evaluation:
    """Scores and forecasts of some models on windows of a run, scaled by the run's own naive errors.

    Args:
        run: A run.
        rows: Rows as it takes them.
        windows: What to score.
        models: By name, the judged one first.
        intervals: Those of the models before the first window.
    """
    season, naive_error = chosen(run.config.data.season), read_naive_errors(run.metrics)
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


@dataclass(frozen=True)
class Question:
    """What the newest forecast of a run from some rows asks its networks.

    Args:
        run: The run.
        newest: The newest rows, and a window of each series.
        intervals: Those of these series as they stood when the run was made; None if it has none.
        since: All rows, and the windows since the run was made, whose errors the intervals follow; None if they do not.
    """

    run: Run
    newest: Newest
    intervals: Intervals | None
    since: tuple[Rows, Windows] | None

    @property
    def asked(self) -> list[tuple[Rows, Ints]]:
        """The first rows of all windows that the networks are asked for, with the rows that they point into."""
        pairs = [(self.newest.rows, self.newest.windows), *([] if self.since is None else [self.since])]
        return [(rows, windows.starts) for rows, windows in pairs]

    def models(self, networks: Networks) -> dict[str, InUnits]:
        """The networks over the newest rows, in the targets' own units."""
        return forecasters_over(self.newest.rows, self.run, networks)

    def caught_up(self, networks: Networks) -> Intervals | None:
        """The intervals, after they have followed the errors since the run was made."""
        if self.intervals is None or self.since is None:
            return self.intervals
        rows, windows = self.since
        models = forecasters_over(rows, self.run, networks)
        return update_intervals(rows, windows, models, chosen(self.run.config.data.season), self.intervals.only(models))

    def answered(self, networks: Networks) -> pd.DataFrame:
        """The forecast, as from `predict`.

        Args:
            networks: What `networks_of` returned for the run and its `forecast_weights`.

        Raises:
            DataError: If the rows lead the network beyond all numbers.
        """
        season, models = chosen(self.run.config.data.season), self.models(networks)
        forecast = newest_forecast(self.newest, models, season, self.caught_up(networks))
        if not np.isfinite(forecast.drop(columns=["unique_id", "ds", "cutoff"])).all(axis=None):
            raise DataError(
                f"The rows are so far from those that {self.run.name} was trained on that its forecast is no number.",
                "Are they in the same units?",
            )
        return forecast


def question_of(run: Run, source: Source, progress: Progress) -> Question:
    """Read new rows, and find out what a forecast from them takes.

    Args:
        run: A run.
        source: New rows.
        progress: Is told what was inferred and mended.

    Raises:
        DataError: If they do not fit the run.
    """
    panel = fitting_panel(run, source, progress)
    newest = newest_rows(panel, run.config.data, run.scaler)
    if not len(newest.windows):
        raise DataError(newest.refused[0], "Give more of the newest rows, without such holes.")
    for warning in newest.refused + newest.filled:
        progress.warn(warning)
    intervals = intervals_of(run, "end")
    if intervals is None:
        return Question(run, newest, None, None)
    intervals = intervals.of_series(run.scaler.positions(panel.series_ids))
    later = panel.times > np.datetime64(run.data["last"])
    if not intervals.adaptive or not later.any():
        return Question(run, newest, intervals, None)
    rows = encode(panel, run.config.data, run.scaler)
    return Question(run, newest, intervals, (rows, windows_of(rows, later, run.config.data)))


def forecasters_of(run: Run, rows: Rows, model_weights: str) -> dict[str, InUnits]:
    """The networks of a run over new rows, in the targets' own units, by the name of their column.

    Args:
        run: A run.
        rows: What they are fed.
        model_weights: Which weights the model gets: ``model`` or ``refit``.
    """
    return forecasters_over(rows, run, networks_of(run, rows, model_weights))


def forecasters_over(rows: Rows, run: Run, networks: Networks) -> dict[str, InUnits]:
    """Networks of a run over new rows, in the targets' own units.

    Args:
        rows: What they are fed.
        run: The run.
        networks: What `networks_of` returned.
    """
    return {
        name: in_units(averaged([member.over(rows) for member in members]), rows, run.scaler)
        for name, members in networks.items()
    }


def age_in_steps(forecast: pd.DataFrame, run: Run) -> int:
    """How many steps of the run's clock have passed since the newest row that a forecast was made from."""
    clock = Clock(run.data["freq"])
    newest, now = forecast["cutoff"].max().to_datetime64().astype("datetime64[us]"), np.datetime64("now", "us")
    return int(np.diff(clock.ordinals(np.array([newest, now])))[0])
