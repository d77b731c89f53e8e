"""Where runs live, and how a run is found there: by name, by path, or as the latest."""

from __future__ import annotations

import os
import re
import shlex
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from forecast.config import Config
from forecast.errors import ConfigError, ForecastError, MachineError, RunError, phrase
from forecast.runs.documents import largest_document, parse_json
from forecast.runs.files import path_aside, read_within
from forecast.runs.run import LARGEST_PRELOADED, PRELOADED, WEIGHTS, Run, open_checked, read_manifest
from forecast.runs.versions import CURRENT, folder_in_place, folder_of_version, numbers_of_versions
from forecast.tables.spelling import did_you_mean

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

# Beside a run lies the state of its stream.
STREAM_STATE = ".stream.json"


def runs_folder(chosen: Path | str | None) -> Path:
    """Where runs live: the chosen folder, else FORECAST_RUNS, else ./models."""
    return Path(chosen or os.environ.get("FORECAST_RUNS") or "models")


def can_name_a_run(name: str) -> bool:
    """Whether a run can be called so: no other file or word has such a name."""
    return bool(_NAME.fullmatch(name)) and name != "latest" and not name.endswith(STREAM_STATE)


def is_folder_of_run(path: Path) -> bool:
    """Whether a folder is a run, be it damaged: its manifest is one, or it has a configuration and weights."""
    with suppress(RunError):
        read_manifest(path)
        return True
    return all(os.path.lexists(path / name) for name in ("config.json", WEIGHTS["model"]))


def find(run: Run | str | Path = "latest", *, runs_dir: Path | None = None) -> Run:
    """The run of a name or path; ``latest`` is the one that was finished last. A run is returned as it is.

    Args:
        run: Its name or path.
        runs_dir: Where runs live; None for FORECAST_RUNS or ./models.

    Raises:
        RunError: If there is none; lists those that exist.
    """
    if isinstance(run, Run):
        return run
    if not isinstance(run, (str, Path)):
        what = f"A value of type {type(run).__name__} is no run."
        raise RunError(what, "Give a run, its name or its folder.", setting="run")
    name, runs_dir = str(run), runs_folder(runs_dir)
    if name == "latest":
        runs = all_runs(runs_dir=runs_dir)
        if not runs:
            first = phrase("forecast train weather", "forecast.train('weather')")
            raise RunError(f"There is no run in {runs_dir}.", f"Make one with: {first}")
        return runs[-1]
    folder = folder_named(name, runs_dir)
    if folder is not None:
        return _open_one_version(folder)
    if name in unfinished_runs(runs_dir):
        raise RunError(
            f"The training of {name!r} is not finished.", f"Continue it with: {resume_command(name, runs_dir)}"
        )
    names = [other.name for other in all_runs(runs_dir=runs_dir)]
    known = f"{did_you_mean(name, names)}Runs: {', '.join(names) or 'none'}."
    what = f"There is no run {name!r} in {runs_dir}."
    raise RunError(what, known, setting="run", value=name, allowed=names)


def is_run(name: str, runs_dir: Path) -> bool:
    """Whether this is the name or path of a run, finished or not, or ``latest``."""
    return name == "latest" or folder_named(name, runs_dir) is not None or name in unfinished_runs(runs_dir)


def open_run(path: Path) -> Run:
    """Open a run folder.

    Raises:
        RunError: If it is damaged, unfinished, or of a newer schema.
        ConfigError: If its configuration has a value that is not allowed.
    """
    manifest = read_manifest(path)
    if manifest["state"] != "finished":
        name = path.name.removeprefix(".").removesuffix(".training")
        raise RunError(f"The run {path} is not finished.", f"Continue it with: {resume_command(name, path.parent)}")
    with open_checked(path, "config.json", manifest["files"], largest_document()) as file:
        sections = parse_json(file.read(), path / "config.json")
    try:
        config = Config.from_sections(sections)
    except ConfigError as error:
        raise ConfigError(
            f"{path / 'config.json'}: {error.message}",
            "The run comes from another version, or from a program that added a cell to CELLS; add it before the run "
            "is read.",
        ) from None
    return Run(path, manifest, config)


def versions_of(home: Path) -> tuple[list[Run], dict[str, ForecastError]]:
    """The versions of a run that can be read, the oldest first; and by number why each other one cannot be.

    Args:
        home: The folder of the run.
    """
    runs: list[Run] = []
    unreadable: dict[str, ForecastError] = {}
    for number in numbers_of_versions(home):
        try:
            runs.append(open_run(folder_of_version(home, number)))
        except (RunError, ConfigError) as error:
            unreadable[str(number)] = error
    return runs, unreadable


def all_runs(*, runs_dir: Path | None = None) -> list[Run]:
    """Every finished run, the newest last. Other folders are passed over, and so are damaged runs."""
    return read_runs(runs_folder(runs_dir))[0]


def read_runs(runs_dir: Path) -> tuple[list[Run], dict[str, ForecastError]]:
    """Every finished run, the newest last; and by name why each other folder of a run cannot be read.

    Raises:
        MachineError: If the folder of runs cannot be read.
    """
    runs: list[Run] = []
    unreadable: dict[str, ForecastError] = {}
    try:
        paths = sorted(runs_dir.iterdir()) if runs_dir.is_dir() else []
    except OSError as error:
        raise MachineError(f"Cannot read {runs_dir}: {error.strerror}.") from None
    for path in paths:
        if path.name.startswith(".") or not (os.path.lexists(path / "manifest.json") or is_folder_of_run(path)):
            continue
        try:
            runs.append(_open_one_version(path, preload=False))
        except (RunError, ConfigError) as error:
            unreadable[path.name] = error
    return sorted(runs, key=lambda run: str(run.manifest.get("finished", ""))), unreadable


def unfinished_runs(runs_dir: Path) -> list[str]:
    """Names of the trainings that can be resumed."""
    folders = (path.parent for path in runs_dir.glob(".*.training/manifest.json"))
    # Without checkpoints it is a run that was replaced, and a kill came before it was deleted.
    return sorted(path.name[1 : -len(".training")] for path in folders if (path / "checkpoints").is_dir())


def resume_command(name: str, runs_dir: Path, version: int = 1) -> str:
    """What continues an interrupted training, in the forms of each surface."""
    if version > 1:
        return run_command("update", name, runs_dir)
    if runs_dir == runs_folder(None):
        return phrase(f"forecast train --resume {name}", f"forecast.resume({name!r})")
    return phrase(
        f"forecast train --resume {name} --runs-dir {shlex.quote(str(runs_dir))}",
        f"forecast.resume({name!r}, runs_dir=Path({str(runs_dir)!r}))",
    )


def run_command(command: Literal["predict", "report", "replay", "update"], name: str, runs_dir: Path) -> str:
    """What is done with a finished run, in the forms of each surface."""
    shell, arguments = f"forecast {command} {name}{' --train' if command == 'update' else ''}", repr(name)
    if runs_dir != runs_folder(None):
        shell += f" --runs-dir {shlex.quote(str(runs_dir))}"
        arguments += f", runs_dir=Path({str(runs_dir)!r})"
    python = {
        "predict": f"forecast.predict({arguments})",
        "report": f"forecast.find({arguments}).report",
        "replay": f"forecast.replay({arguments})",
        "update": f"forecast.update({arguments}, train=True)",
    }
    return phrase(shell, python[command])


def folder_named(name: str, runs_dir: Path) -> Path | None:
    """The folder of a run by its name or path, be it damaged; None if there is none."""
    # os.path, because Path.is_file raises on a name that is too long.
    for path in (runs_dir / name, Path(name)):
        if os.path.isfile(path / "manifest.json"):
            return path
    return runs_dir / name if can_name_a_run(name) and _manifest_bytes(runs_dir / name) else None


# Versions of a run that may follow one another while it is opened.
_MOST_VERSIONS = 100


def _open_one_version(path: Path, preload: bool = True) -> Run:
    """Open a run that a training may be replacing; its small files are read now, because they would be gone then."""
    for _ in range(_MOST_VERSIONS):
        before = _bytes_in_place(path)
        try:
            run = open_run(folder_in_place(path))
            preloaded = _read_small_files(run) if preload else {}
        except RunError:
            if _bytes_in_place(path) == before:
                raise
        else:
            if _bytes_in_place(path) == before:
                return replace(run, preloaded=preloaded)
    raise RunError(f"The run {path} keeps being replaced.", "Wait until its trainings are over.")


def _bytes_in_place(path: Path) -> bytes:
    """What changes when another version is put in place, or the run is replaced."""
    manifest = _manifest_bytes(path)
    with suppress(RunError):
        return manifest + read_within(path, CURRENT, largest_document())
    return manifest


def _manifest_bytes(path: Path) -> bytes:
    for _ in range(_MOST_VERSIONS):
        with suppress(RunError):
            return read_within(path, "manifest.json", largest_document())
        if not path_aside(path).exists():
            break
        time.sleep(0.01)  # the old folder has been moved aside, and the new one is not there yet
    return b""


def _read_small_files(run: Run) -> dict[str, bytes]:
    contents = {}
    for name in PRELOADED:
        with (
            suppress(RunError),  # a damaged file matters only to those who need it, and a large one is read by them
            open_checked(run.path, name, run.manifest["files"], LARGEST_PRELOADED) as file,
        ):
            contents[name] = file.read()
    return contents
