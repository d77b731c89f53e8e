"""Where runs live, and how they are found there: by name, by path, or as the latest."""

from __future__ import annotations

import os
import re
import shlex
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from forecast.errors import ConfigError, RunError
from forecast.runs.documents import LARGEST_DOCUMENT
from forecast.runs.files import read_within, set_aside
from forecast.runs.run import CALIBRATION, HISTORY, LARGEST_HELD, OTHERS, WEIGHTS, Run, open_checked, read_manifest
from forecast.runs.schemas import config_from_json

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def runs_folder(chosen: Path | None) -> Path:
    """Where runs live: the chosen folder, else FORECAST_RUNS, else ./models."""
    return chosen or Path(os.environ.get("FORECAST_RUNS") or "models")


def find(run: Run | str = "latest", *, runs_dir: Path | None = None) -> Run:
    """The run of a name or path; ``latest`` is the one that was finished last. A run is returned as it is.

    Args:
        run: Its name or path.
        runs_dir: Where runs live; None for FORECAST_RUNS or ./models.

    Raises:
        RunError: If there is none; lists those that exist.
    """
    if isinstance(run, Run):
        return run
    name, runs_dir = run, runs_folder(runs_dir)
    if name == "latest":
        runs = all_runs(runs_dir=runs_dir)
        if not runs:
            raise RunError(f"There is no run in {runs_dir}.", "Make one with: forecast train weather")
        return runs[-1]
    place = _place_of(name, runs_dir)
    if place is not None:
        return _of_one_version(place)
    if name in unfinished_runs(runs_dir):
        raise RunError(
            f"The training of {name!r} is not finished.", f"Continue it with: forecast train --resume {name}"
        )
    known = [known.name for known in all_runs(runs_dir=runs_dir)]
    raise RunError(f"There is no run {name!r} in {runs_dir}.", f"Runs: {', '.join(known) or 'none'}.")


def is_run(name: str, runs_dir: Path) -> bool:
    """Whether `find` would look for a run of this name or path: it is there, unfinished, or ``latest``."""
    return name == "latest" or _place_of(name, runs_dir) is not None or name in unfinished_runs(runs_dir)


def _place_of(name: str, runs_dir: Path) -> Path | None:
    # os.path, because Path.is_file raises on a name that is too long to be one.
    for path in (runs_dir / name, Path(name)):
        if os.path.isfile(path / "manifest.json"):
            return path
    return runs_dir / name if NAME.fullmatch(name) and _manifest_of(runs_dir / name) else None


def open_run(path: Path) -> Run:
    """Open a run folder.

    Raises:
        RunError: If it is damaged, unfinished, or of a newer schema.
    """
    manifest = read_manifest(path)
    if manifest["state"] != "finished":
        raise RunError(
            f"The run {path} is not finished.",
            f"Continue it with: {resume_command(path.name.removeprefix('.').removesuffix('.training'), path.parent)}",
        )
    with open_checked(path, "config.json", manifest["files"], LARGEST_DOCUMENT) as file:
        return Run(path, manifest, config_from_json(file.read(), path / "config.json"))


def all_runs(*, runs_dir: Path | None = None) -> list[Run]:
    """Every finished run, the newest last. Folders that are no runs are passed over."""
    runs_dir, runs = runs_folder(runs_dir), []
    for path in sorted(runs_dir.iterdir()) if runs_dir.is_dir() else []:
        if not path.name.startswith(".") and (path / "manifest.json").is_file():
            try:
                runs.append(_of_one_version(path, holding=False))
            except (RunError, ConfigError):
                continue
    return sorted(runs, key=lambda run: str(run.manifest.get("finished", "")))


def resume_command(name: str, runs_dir: Path) -> str:
    """What to type to continue an interrupted training."""
    place = "" if runs_dir == runs_folder(None) else f" --runs-dir {shlex.quote(str(runs_dir))}"
    return f"forecast train --resume {name}{place}"


def unfinished_runs(runs_dir: Path) -> list[str]:
    """Names of the trainings that can be resumed."""
    begun = (path.parent for path in runs_dir.glob(".*.training/manifest.json"))
    # Without checkpoints it is a run that has been replaced, and that a kill kept from being deleted.
    return sorted(path.name[1 : -len(".training")] for path in begun if (path / "checkpoints").is_dir())


# Versions of a run that may follow one another while it is opened.
_MOST_VERSIONS = 100


def _of_one_version(path: Path, holding: bool = True) -> Run:
    """Open a run that a training may be replacing, and read now what would be gone then: all but the large files."""
    for _ in range(_MOST_VERSIONS):
        before = _manifest_of(path)
        try:
            run = open_run(path)
            held = _small_files(run) if holding else {}
        except RunError:
            if _manifest_of(path) == before:
                raise
        else:
            if _manifest_of(path) == before:
                return replace(run, held=held)
    raise RunError(f"The run {path} is replaced again and again.", "Wait until the trainings of it are over.")


def _manifest_of(path: Path) -> bytes:
    for _ in range(_MOST_VERSIONS):
        with suppress(RunError):
            return read_within(path, "manifest.json", LARGEST_DOCUMENT)
        if not set_aside(path).exists():
            break
        time.sleep(0.01)  # the old one has left its place, and the new one has not moved in
    return b""


def _small_files(run: Run) -> dict[str, bytes]:
    held = {}
    for name in (*WEIGHTS.values(), *HISTORY.values(), CALIBRATION, *OTHERS):
        with (
            suppress(RunError),  # a damaged file matters to those who need it, and a large one is read by them
            open_checked(run.path, name, run.manifest["files"], LARGEST_HELD) as file,
        ):
            held[name] = file.read()
    return held
