"""What came since a run was trained: read, scored, and learned from, as a version that takes its place if better."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from forecast.archive.due import Alarm
from forecast.commands.progress import shown_by_default
from forecast.commands.train.continuing import Continuation, NotBetter, changed_since
from forecast.commands.train.train import train_next_version
from forecast.commands.update.drift import score_and_watch
from forecast.commands.update.rows import old_and_new_rows
from forecast.data.panel import Panel
from forecast.errors import ConfigError, phrase, rendered, setting
from forecast.progress import Progress
from forecast.runs.files import locked
from forecast.runs.find import find, open_run
from forecast.runs.rows import arranged_for
from forecast.runs.run import Run
from forecast.runs.versions import MOST_WHOLE, folder_of_version, numbers_of_versions, put_in_place, read_current
from forecast.runs.writer import RunWriter, thin_out
from forecast.shown import Shown
from forecast.sources.read import Source


@dataclass(frozen=True)
class Update(Shown):
    """What `update` did.

    Args:
        run: The version that is in place now.
        rows: How many were read, of which ``rows_new`` came since that version was trained.
        rows_new: Those.
        last: The time of the last one, as text.
        scored: How many forecasts that were kept have come due.
        alarms: What has changed since the version was trained that was in place before.
        trained: Whether a version was trained.
        replaced: Whether it took the place of the one before.
        why: Why it was trained or not, and why it took the place or not.
    """

    run: Run
    rows: int
    rows_new: int
    last: str
    scored: int
    alarms: tuple[Alarm, ...]
    trained: bool
    replaced: bool
    why: str

    def __repr__(self) -> str:
        return f"<Update of {self.run.name}: version {self.run.version} is in place; {self.why}>"

    def to_json(self) -> dict[str, Any]:
        """The update as ``--json`` prints it."""
        return {
            "run": self.run.name,
            "version": self.run.version,
            **{name: getattr(self, name) for name in ("rows", "rows_new", "last", "scored")},
            "alarms": [alarm.to_json(self.run.clock) for alarm in self.alarms],
            "trained": self.trained,
            "replaced": self.replaced,
            "why": rendered(self.why, "json"),
        }


def update(
    run: Run | str,
    source: Source | None = None,
    *,
    fetch: bool = False,
    train: bool = False,
    train_on_drift: bool = False,
    margin: float | None = None,
    force: bool = False,
    versions: int = MOST_WHOLE,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
    draw: bool = True,
    command: str = "",
) -> Update:
    """Read what came since a run was trained, score the forecasts that are due, and continue the training if asked to.

    A version that was trained takes the place of the one before only if it is better on the newest rows, which neither
    was trained on. Whoever reads the run meanwhile finds one version or the other; an update that was interrupted goes
    on when it is called again.

    Args:
        run: A run or its name.
        source: All rows, or only those that came since; None for the source of the run, which has grown.
        fetch: Ask the service that the rows come from first.
        train: Continue from the weights of the version in place, on old and new rows.
        train_on_drift: Do so if something has changed.
        margin: By which share the error of the new version must be lower, such as 0.01; None for significantly.
        force: Let it take the place however good it is.
        versions: How many of the newest versions stay whole, beside the first, the one in place and the one that it
            continues; of older ones the scores are kept.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.
        draw: Draw the plots of a version, and write its report.
        command: The command line that asked for it, for the record.

    Raises:
        DataError: If the rows cannot be read, or are too few.
        MachineError: If the run is being trained or updated.
        ConfigError: If a margin is given that is no share, no version is to be kept, or the run was trained on more
            rows than memory holds.
    """
    progress = progress or shown_by_default()
    if margin is not None and not 0 <= margin < 1:
        raise ConfigError(f"{setting('margin')}: takes a share from 0 to 1. Received: {margin}.", setting="margin")
    if versions < 1:
        raise ConfigError(f"{setting('versions')}: at least 1. Received: {versions}.", setting="versions")
    home = find(run, runs_dir=runs_dir).home
    with locked(RunWriter(home.parent, home.name).lock, f"The run {home.name}"):
        _put_finished_in_place(home, progress)
        before = find(home.resolve())
        _refuse_parts(before)
        panel, again = old_and_new_rows(before, source, fetch, progress)
        n_new = int((panel.times > np.datetime64(before.data["last"])).sum())
        scored, alarms = score_and_watch(before, arranged_for(before, panel, progress), progress)
        last = before.clock.format(panel.times.max())
        done = Update(before, panel.n_rows, n_new, last, scored, alarms, False, False, "")
        if not (train or (train_on_drift and alarms)):
            why = "nothing has changed" if train_on_drift else f"{phrase('--train', 'train=True')} asks for it"
            return replace(done, why=f"not trained: {why}")
        if not n_new:
            return replace(done, why="not trained: no row is new")
        changed = min((alarm.began.astype("datetime64[us]") for alarm in alarms), default=changed_since(before))
        done = _train(Continuation(before, margin, force, changed), done, panel, again, progress, draw, command)
        thin_out(home, versions)
        return done


def _refuse_parts(run: Run) -> None:
    """Refuse a run whose rows do not fit in memory, of which a version would learn from a sample alone."""
    if (parts := run.manifest.get("parts")) is None:
        return
    memory = f"{parts['memory']}B"
    shell = f"forecast train {shlex.quote(parts['folder'])} --memory {memory} --run {run.home.name}"
    again = phrase(
        f"{(run.manifest['command'] or shell).removesuffix(' --overwrite')} --overwrite",
        f"forecast.train({parts['folder']!r}, memory={memory!r}, run={run.home.name!r}, overwrite=True)",
    )
    raise ConfigError(
        f"{run.name} was trained in parts on more rows than memory holds, and an update holds all rows at once.",
        f"Train it again when files have grown: {again}",
    )


def _train(
    continuation: Continuation,
    done: Update,
    panel: Panel,
    source: Source,
    progress: Progress,
    draw: bool,
    command: str,
) -> Update:
    home = continuation.before.home
    writer = RunWriter(home.parent, home.name, max(numbers_of_versions(home)) + 1)
    try:
        trained = train_next_version(continuation, panel, source, writer, progress, draw, command)
    except NotBetter as judged:
        why = f"the one that continues it has {judged}, so it did not take the place"
        return replace(done, trained=True, why=why)
    put_in_place(home, trained.version)
    why = f"it has {trained.manifest['update']['why']}{', and was forced' if continuation.force else ''}"
    return replace(done, run=trained, trained=True, replaced=True, why=why)


def _put_finished_in_place(home: Path, progress: Progress) -> None:
    """Finish an update that was interrupted when its version was whole: only one that is better gets so far."""
    _, latest = read_current(home)
    number = max(numbers_of_versions(home))
    writer = RunWriter(home.parent, home.name, number + 1)
    if writer.is_unfinished and writer.read_unfinished()[0]["state"] == "finished":
        number = writer.move_into_place().version
    if number > latest:
        open_run(folder_of_version(home, number))
        put_in_place(home, number)
        progress.note(f"version {number} of {home.name}, of an update that was interrupted, is in place now")
