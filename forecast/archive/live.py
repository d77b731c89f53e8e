"""How a run has done since it went live: what came due of its forecasts, how good it was, and what has changed."""

from __future__ import annotations

from forecast.archive.drift import alarms_of
from forecast.archive.due import LiveScores
from forecast.archive.scoring import score_due
from forecast.archive.store import Archive
from forecast.data.panel import Panel
from forecast.runs.run import Run


def score_live(run: Run, observed: Panel, archive: Archive, last: int | None = None) -> LiveScores:
    """Score what is due, and remember what it was scored against.

    Args:
        run: The run.
        observed: Rows, arranged as the run's network takes them.
        archive: The run's.
        last: Only the forecasts of so many newest origins that are due are scored; None for all.

    Raises:
        RunError: If nothing was kept, or the archive is damaged.
        DataError: If nothing is due.
    """
    due = archive.due(observed)
    revisions = tuple(archive.note_observed(due))
    alarms = tuple(alarms_of(run, due, observed)) if len(due) else ()
    if last is not None:
        due = due.newest(last)
    summary = score_due(run, due)
    clock = run.clock
    summary["revised"] = [
        {"unique_id": each.unique_id, "time": clock.isoformat(each.time), "before": each.before, "now": each.now}
        for each in revisions
    ]
    summary["alarms"] = [alarm.to_json(clock) for alarm in alarms]
    return LiveScores(summary, due, clock, revisions, alarms)
