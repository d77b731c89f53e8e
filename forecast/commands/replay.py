"""Replay: train a run again from its own record, and see whether every figure comes out the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.commands.options import AsJson, Quiet, RunArgument, RunsDir, SameSource
from forecast.errors import ReplayError, phrase

if TYPE_CHECKING:
    from forecast.data.panel import Panel
    from forecast.progress import Progress
    from forecast.runs.run import Run
    from forecast.sources.read import Source

Figure = float | int | bool | None

# How many differences a message names.
_NAMED = 5

EXAMPLES = ("forecast replay mine",)


def command(
    run: RunArgument = "latest",
    source: SameSource = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a run again from its record, and say whether every figure came out the same; exit code 4 if not."""
    from forecast.commands.console import ConsoleProgress, print_json, say

    progress = ConsoleProgress(quiet)
    with progress.stopping_on_signals():
        result = replay(run, source, runs_dir=runs_dir, progress=progress)
    if as_json:
        print_json(result.to_json())
    elif result.same:
        say(f"All {result.n_figures:,} figures of {result.run} came out the same.", strong=True)
        for name, (was, now) in result.changed.items():
            say(f"although {name} was {was} and is {now}")
    result.demand()


@dataclass(frozen=True)
class Difference:
    """A figure that did not come out the same; ``name`` is its path in metrics.json, such as "models.lstm.mae"."""

    name: str
    recorded: Figure
    replayed: Figure

    @property
    def share(self) -> float | None:
        """How far apart they are, as a share of the recorded one; None where that cannot be told."""
        if self.recorded is None or self.replayed is None or not self.recorded:
            return None
        return abs(self.replayed - self.recorded) / abs(self.recorded)

    def __str__(self) -> str:
        was, now = ("undefined" if value is None else repr(value) for value in (self.recorded, self.replayed))
        apart = "" if self.share is None else f" ({self.share:.2g} of it)"
        return f"{self.name} was {was} and is {now}{apart}"


@dataclass(frozen=True)
class Replay:
    """How a run, trained again, differs from its metrics.json of ``n_figures`` figures.

    ``changed`` says what is different now: Python, the system, versions; each as it was and as it is.
    """

    run: str
    n_figures: int
    differences: tuple[Difference, ...]
    changed: Mapping[str, tuple[str, str]]

    @property
    def same(self) -> bool:
        """Whether every figure came out the same, to the last bit."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """The replay as ``--json`` prints it."""
        return {
            "run": self.run,
            "same": self.same,
            "figures": self.n_figures,
            "differences": [asdict(difference) | {"share": difference.share} for difference in self.differences],
            "changed": {name: {"recorded": was, "replayed": now} for name, (was, now) in self.changed.items()},
        }

    def demand(self) -> None:
        """Nothing if every figure came out the same.

        Raises:
            ReplayError: If one did not; names the first of them, and what is likely to be the reason.
        """
        if self.same:
            return
        named = "\n".join(f"  {difference}" for difference in self.differences[:_NAMED])
        more = len(self.differences) - _NAMED
        changes = "; ".join(f"{name} was {was} and is {now}" for name, (was, now) in self.changed.items())
        raise ReplayError(
            f"{len(self.differences):,} of {self.n_figures:,} figures of {self.run} did not come out the same:\n{named}"
            + (f"\n  and {more:,} more ({phrase('--json', 'differences')} lists them all)" if more > 0 else ""),
            f"Likely because {changes}."
            if changes
            else "Python, versions and system are the same; another processor, or a GPU, rounds otherwise.",
        )


def replay(
    run: Run | str, source: Source | None = None, *, runs_dir: Path | None = None, progress: Progress | None = None
) -> Replay:
    """Train a run again in a folder that is deleted afterwards, and compare every figure of its metrics.json.

    Args:
        run: A run or its name.
        source: The rows that it was trained on; None to read them again from where they were.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        DataError: If the rows cannot be read again, or are others.
    """
    from forecast.commands.progress import shown_by_default
    from forecast.commands.train.train import train
    from forecast.progress import StopRequested
    from forecast.runs.find import find
    from forecast.runs.rows import training_panel

    run = find(run, runs_dir=runs_dir)
    panel = training_panel(run, source)
    with tempfile.TemporaryDirectory() as folder:
        try:
            again = (
                _continue_again(run, panel, Path(folder), progress or shown_by_default())
                if run.version > 1
                else train(panel, run.config, run="replay", runs_dir=Path(folder), progress=progress)
            )
        except StopRequested as stop:
            stop.args = (*stop.args[:1], "")  # what was trained so far goes with the folder
            raise
        recorded, replayed = dict(_figures(run.metrics)), dict(_figures(again.metrics))
        was, now = _circumstances(run), _circumstances(again)
    differences = tuple(
        Difference(name, value, replayed.get(name))
        for name, value in recorded.items()
        if name not in replayed or replayed[name] != value
    )
    changed = {name: (was[name], now.get(name, "absent")) for name in was if now.get(name) != was[name]}
    return Replay(run.name, len(recorded), differences, changed)


def _continue_again(run: Run, panel: Panel, folder: Path, progress: Progress) -> Run:
    """A version of a run, continued once more from the one before."""
    from forecast.commands.train.continuing import Continuation, changed_since
    from forecast.commands.train.train import train_next_version
    from forecast.runs.find import open_run
    from forecast.runs.versions import folder_of_version
    from forecast.runs.writer import RunWriter

    before = open_run(folder_of_version(run.home, run.manifest["update"]["continued_from"]))
    continuation = Continuation(before, force=True, changed_since=changed_since(run))
    writer = RunWriter(folder, "replay", run.version)
    return train_next_version(continuation, panel, panel, writer, progress, draw=False)


def _figures(value: Any, name: str = "") -> Iterator[tuple[str, Figure]]:
    """Every figure in a JSON document, with its path; its sentences follow from the figures."""
    parts = value.items() if isinstance(value, Mapping) else enumerate(value, 1) if isinstance(value, list) else None
    if parts is not None:
        for key, part in parts:
            yield from _figures(part, f"{name}.{key}" if name else str(key))
    elif not isinstance(value, str):
        yield name, value


def _circumstances(run: Run) -> dict[str, str]:
    manifest = run.manifest
    return {"Python": manifest["python"], "the system": manifest["platform"], **manifest["versions"]}
