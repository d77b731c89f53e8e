"""How a run has done since it went live: what came due of its forecasts, how good it was, and what has changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.archive.drift import alarms_of
from forecast.archive.due import Alarm, DueForecasts, LiveScores, Revision
from forecast.archive.scoring import score_due
from forecast.archive.store import Archive
from forecast.data.panel import Panel
from forecast.errors import RunError
from forecast.runs.run import Run


def score_live(
    run: Run, observed: Panel, archive: Archive, since: np.datetime64 | None = None, last: int | None = None
) -> LiveScores:
    """Score what is due, and remember what it was scored against.

    Args:
        run: The run.
        observed: Rows, arranged as the run's network takes them.
        archive: The run's.
        since: The first origin that counts; None for all.
        last: Only the forecasts of so many newest origins that are due are scored; None for all.

    Raises:
        RunError: If nothing was kept, or the archive is damaged.
        DataError: If nothing is due.
    """
    due = archive.due(observed, since)
    revisions = tuple(archive.note_observed(due))
    return _scores(run, due, alarms_of(run, due, observed), revisions, last)


def live_so_far(run: Run) -> LiveScores | None:
    """The scores as far as they are known without any rows: as of the last scoring; None if nothing was kept or due.

    What has changed of the inputs is not among them.
    """
    try:
        due = Archive.open(run).scored()
    except RunError:  # nothing was kept; or the archive is damaged, which `score` says
        return None
    return _scores(run, due, alarms_of(run, due, None), ()) if len(due) else None


def _scores(
    run: Run, due: DueForecasts, alarms: Sequence[Alarm], revisions: Sequence[Revision], last: int | None = None
) -> LiveScores:
    due = due if last is None else due.newest(last)
    summary, clock = score_due(run, due), run.clock
    summary["revised"] = [
        {"unique_id": each.unique_id, "time": clock.isoformat(each.time), "before": each.before, "now": each.now}
        for each in revisions
    ]
    summary["alarms"] = [alarm.to_json(clock) for alarm in alarms]
    return LiveScores(summary, due, clock, tuple(revisions), tuple(alarms))
