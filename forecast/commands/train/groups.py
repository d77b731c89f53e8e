"""Many groups of series, one network a group: each is a task and becomes a run, and those that are done are kept."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from glob import has_magic
from pathlib import Path
from typing import Any

import numpy as np

from forecast.commands.progress import PartProgress
from forecast.commands.train.train import name_of_source, recorded, resume, train
from forecast.config import Settings
from forecast.data.panel import Panel
from forecast.engines.tasks import Engine
from forecast.errors import ConfigError, DataError, ForecastError, listed, rendered, setting
from forecast.plots.style import format_like, printable
from forecast.plots.tables import Cell, Table
from forecast.progress import Progress
from forecast.runs.find import find, open_run, runs_folder
from forecast.runs.run import Run
from forecast.runs.writer import RunWriter
from forecast.sources.issues import lasting
from forecast.sources.read import Source, is_built_in, named_together, on_disk, read, report_notes
from forecast.tables.folders import absolute, files_named, find_files

# What stands for the files of a source, each of which is a group, in place of a column.
BY_FILE = "file"

# Names that an error lists.
_NAMED = 5


@dataclass(frozen=True)
class Group:
    """A group of series that gets a network of its own.

    Args:
        name: The value of the column that they share, or the file's name.
        run: Name of its run.
        source: Where its rows are.
        panel: Its rows, where the source holds others, too.
    """

    name: str
    run: str
    source: Source
    panel: Panel | None = None


@dataclass(frozen=True)
class GroupResult:
    """What became of a group.

    Args:
        group: Its name.
        run: Name of its run.
        state: ``trained``, ``kept`` (it was trained before) or ``failed``.
        metrics: As in metrics.json; empty if it failed.
        error: Why it failed.
    """

    group: str
    run: str
    state: str
    metrics: Mapping[str, Any]
    error: ForecastError | None = None

    def to_json(self) -> dict[str, Any]:
        """The group as a document shows it."""
        about: dict[str, Any] = {"group": self.group, "run": self.run, "state": self.state}
        if self.error is not None:
            return about | {"error": self.error.text("shell")[0]}
        metrics = self.metrics
        scores = metrics["models"][metrics["model"]]
        return about | {
            "n_windows": metrics["n_windows"],
            "unit": metrics["unit"],
            "mae": scores["mae"],
            "skill": metrics["skill"],
        }


def train_groups(
    source: Source,
    settings: Settings,
    group_by: str,
    *,
    run: str | None = None,
    runs_dir: Path | None = None,
    overwrite: bool = False,
    engine: Engine,
    progress: Progress,
    command: str = "",
) -> list[GroupResult]:
    """Train a network for each group of series, without plots; one that fails does not stop the others.

    A group whose run has the same settings and rows is kept, and one that was interrupted goes on from its checkpoint:
    the same call again does what is left.

    Args:
        source: Anything that `read` takes.
        settings: What to do, alike for all groups; what is open, each chooses from its rows.
        group_by: A column that has one value in each series, that of the series' names, or ``file``.
        run: What the names of the runs begin with; None for the source's and the model's.
        runs_dir: Where runs live.
        overwrite: Train all groups again.
        engine: What trains them, side by side.
        progress: Receives warnings, with the group's name before them.
        command: The command line, for the record.

    Raises:
        DataError: If there are no such groups, or two would have runs of one name.
    """
    source = named_together(source)
    source = on_disk(source, progress) if isinstance(source, str) else source
    before = run or f"{name_of_source(source)}-{settings.network.model}"  # as it is called, also where it is a link
    source = _wherever_read(source) if isinstance(source, str) else source
    settings = settings.model_copy(update={"read": lasting(settings.read, source)})
    by_file = group_by == BY_FILE
    groups = _by_file(source, before) if by_file else _by_column(source, settings, group_by, before, progress)
    names = [group.run for group in groups]
    if twice := [group.name for group in groups if names.count(group.run) > 1]:
        raise DataError(f"Several groups would be called {before}-…: {listed(twice, _NAMED)}.", "Name them otherwise.")
    folder = runs_folder(runs_dir).absolute()  # a worker may work elsewhere
    task = partial(_train_group, settings, folder, overwrite, command)
    results = []
    for group, outcome in zip(groups, engine.outcomes(task, groups, progress, "groups"), strict=True):
        if outcome.result is not None:
            results.append(outcome.result)
        elif isinstance(outcome.error, ForecastError):
            progress.warn(f"{group.name}: no network. {outcome.error.text('shell')[0]}")
            results.append(GroupResult(group.name, group.run, "failed", {}, outcome.error))
        elif outcome.error is not None:
            raise outcome.error
    return results


def group_table(results: Sequence[GroupResult]) -> Table:
    """A line for each group."""
    table = Table("", ["group", "run", "MAE", "vs vanilla RNN", "vs last value", ""])
    for result in results:
        shown = result.to_json()
        gains = [shown.get("skill", {}).get(name) for name in ("rnn", "persistence")]
        mae = shown.get("mae")
        texts = [
            printable(result.group, 24),
            result.run,
            "–" if mae is None else f"{format_like([mae], digits=4)(mae)} {shown['unit']}".rstrip(),
            *("–" if gain is None else f"{gain:+.1%}" for gain in gains),
            result.state,
        ]
        table.rows.append([Cell(text) for text in texts])
    return table


def raise_if_failed(results: Sequence[GroupResult]) -> None:
    """Fail where a group has no network.

    Raises:
        ForecastError: Of the kind of the first failure; names the groups.
    """
    failed = {result.group: result.error for result in results if result.error is not None}
    if failed:
        first = next(iter(failed.values()))
        raise type(first)(
            f"{len(failed):,} of {len(results):,} groups have no network: {listed([*failed], _NAMED)}. "
            f"The first: {rendered(first.args[0], 'shell')}",
            f"{first.args[1]}\nWhat is trained is kept when you type the same again.".strip(),
        )


def _train_group(
    settings: Settings, folder: Path, overwrite: bool, command: str, group: Group, progress: Progress
) -> GroupResult:
    """Train a group, or go on with it, or keep it."""
    writer = RunWriter(folder, group.run)
    progress = PartProgress(progress, group.name)
    if (
        writer.path.exists()
        and not overwrite
        and _is_current(found := find(group.run, runs_dir=folder), group, settings)
    ):
        return GroupResult(group.name, group.run, "kept", found.metrics)
    if writer.is_unfinished and not overwrite and writer.read_unfinished()[0]["asked"] == recorded(settings):
        source = group.panel if group.panel is not None else group.source
        trained = resume(group.run, runs_dir=folder, source=source, progress=progress, draw=False)
    else:
        trained = train(
            group.source, settings, run=group.run, runs_dir=folder, overwrite=overwrite, progress=progress, draw=False,
            panel=group.panel, command=command,
        )  # fmt: skip
    return GroupResult(group.name, group.run, "trained", trained.metrics)


def _is_current(run: Run, group: Group, settings: Settings) -> bool:
    """Whether a run has these settings, and no other rows than the group has now."""
    first = open_run(run.home)  # a version that an update made does not know what was asked
    if first.manifest["asked"] != recorded(settings):
        return False
    if group.panel is not None:
        return bool(group.panel.fingerprint() == run.data["fingerprint"])
    return os.path.getmtime(str(group.source)) <= os.path.getmtime(run.path / "manifest.json")


def _wherever_read(source: str) -> str:
    """A source in words that mean the same in every folder, for a worker may work in another."""
    is_files = not is_built_in(source) and (os.path.exists(source) or has_magic(source) or files_named(source))
    return absolute(source) if is_files else source


def _by_file(source: Source, before: str) -> list[Group]:
    found = find_files(str(source)) if isinstance(source, (str, Path)) else None
    if found is None:
        raise DataError(
            f"{setting('group_by', BY_FILE)} makes a group of each file, and {source} is not several.",
            "Give a folder, or a pattern such as 'stations/*.csv'.",
        )
    stems = [os.path.basename(path).split(".")[0] for path in found.files]
    return [Group(stem, _name(before, stem), path) for stem, path in zip(stems, found.files, strict=True)]


def _by_column(source: Source, settings: Settings, column: str, before: str, progress: Progress) -> list[Group]:
    panel = read(source, settings.read)
    report_notes(panel, progress)
    series: dict[str, list[int]] = {}
    for number, value in enumerate(_values(panel, column)):
        series.setdefault(value, []).append(number)
    return [
        Group(value, _name(before, value), source, panel.of_series(np.array(numbers)))
        for value, numbers in series.items()
    ]


def _values(panel: Panel, column: str) -> list[str]:
    """The value of a column in each series."""
    if column in (panel.read_options.get("series_id"), "series_id", "unique_id"):
        return list(panel.series_ids)
    text = panel.texts.get(column)
    cells = text.codes if text is not None else panel.values[:, panel.column(column)]
    values = []
    for number, name in enumerate(panel.series_ids):
        own = np.unique(cells[panel.rows(number)])
        if len(own) != 1:
            raise ConfigError(
                f"group_by: {column!r} has {len(own)} values in the series {name!r}, and each series is of one group.",
                f"Name a column that does not change in a series: {setting('group_by')}",
            )
        values.append(text.words[int(own[0])] if text is not None else f"{own[0]:g}")
    return values


def _name(before: str, group: str) -> str:
    return f"{before}-{re.sub('[^A-Za-z0-9]+', '-', group).strip('-')[:60]}"
