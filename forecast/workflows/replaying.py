"""Train a run again from its own record, and see whether every figure comes out the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.commands.train.train import train
from forecast.errors import ReplayError
from forecast.progress import Progress, StopRequested
from forecast.runs.find import find
from forecast.runs.run import Run
from forecast.workflows.reading import Source, training_panel

Figure = float | int | bool | None

# How many differences a message names.
_NAMED = 5


@dataclass(frozen=True)
class Difference:
    """A figure that did not come out the same.

    Args:
        name: Its place in metrics.json: "models.lstm.mae".
        recorded: What the run says; None where it is undefined.
        replayed: What came out now; None where it is undefined or absent.
    """

    name: str
    recorded: Figure
    replayed: Figure

    @property
    def share(self) -> float | None:
        """How far apart they are, as a share of the recorded one; None where that cannot be told."""
        numbers = [value for value in (self.recorded, self.replayed) if isinstance(value, (int, float))]
        return abs(numbers[1] - numbers[0]) / abs(numbers[0]) if len(numbers) == 2 and numbers[0] else None

    def __str__(self) -> str:
        apart = "" if self.share is None else f" ({self.share:.2g} of it)"
        return f"{self.name} was {_said(self.recorded)} and is {_said(self.replayed)}{apart}"


@dataclass(frozen=True)
class Replay:
    """What came of training a run again.

    Args:
        run: Its name.
        n_figures: How many figures its metrics.json holds.
        differences: Those that did not come out the same.
        changed: What is another now: Python, the machine, versions; each as it was and as it is.
    """

    run: str
    n_figures: int
    differences: tuple[Difference, ...]
    changed: Mapping[str, tuple[str, str]]

    @property
    def same(self) -> bool:
        """Whether every figure came out the same, to the last bit."""
        return not self.differences

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
            + (f"\n  and {more:,} more (--json lists them all)" if more > 0 else ""),
            f"Likely because {changes}."
            if changes
            else "Python, versions and system are the same; another processor, or a GPU, rounds otherwise.",
        )


def replay(
    run: Run | str,
    source: Source | None = None,
    *,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Train a run again in a folder that is taken away afterwards, and compare every figure of its metrics.json.

    Args:
        run: A run or its name.
        source: The rows that it was trained on; None to read them again from where they were.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        DataError: If the rows cannot be read again, or are others.
    """
    run = find(run, runs_dir=runs_dir)
    panel = training_panel(run, source)
    with tempfile.TemporaryDirectory() as place:
        try:
            again = train(panel, run.config, run="replay", runs_dir=Path(place), progress=progress)
        except StopRequested as stop:
            stop.args = (*stop.args[:1], "")  # what was trained so far goes with the folder
            raise
        recorded, replayed = dict(_figures(run.metrics)), dict(_figures(again.metrics))
        changed = _changed(run.manifest, again.manifest)
    differences = tuple(
        Difference(name, value, replayed.get(name))
        for name, value in recorded.items()
        if name not in replayed or replayed[name] != value
    )
    return Replay(run.name, len(recorded), differences, changed)


def _figures(value: Any, name: str = "") -> Iterator[tuple[str, Figure]]:
    """Every figure in a JSON document, with its place; what is said in words follows from them."""
    if isinstance(value, Mapping):
        parts: Any = value.items()
    elif isinstance(value, list):
        parts = enumerate(value, start=1)
    else:
        if not isinstance(value, str):
            yield name, value
        return
    for key, part in parts:
        yield from _figures(part, f"{name}.{key}" if name else str(key))


def _changed(recorded: Mapping[str, Any], replayed: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    then, now = (
        {"Python": manifest["python"], "the system": manifest["platform"], **manifest["versions"]}
        for manifest in (recorded, replayed)
    )
    return {name: (was, now.get(name, "absent")) for name, was in then.items() if now.get(name) != was}


def _said(value: Figure) -> str:
    return "undefined" if value is None else repr(value)
