"""The run folder: the only code that knows the names of its files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Config, config_from_json
from forecast.data.scaling import Scaler, scaler_from_json
from forecast.errors import ConfigError, MachineError, RunError
from forecast.storage import exchange_folders, set_aside, sync_folder, write_atomically
from forecast.tabular import frame_from_csv, frame_to_csv
from forecast.training.checkpoint import arrays_from_bytes, arrays_to_bytes
from forecast.training.state import Arrays

SCHEMA = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Run:
    """A finished run, opened for reading. Files are checked against the manifest's hashes when they are read.

    Args:
        path: The run folder.
        manifest: The content of manifest.json.
        config: The resolved configuration.
        held: The bytes of files that were read when it was opened, all of one version of the run.
    """

    path: Path
    manifest: dict[str, Any]
    config: Config
    held: Mapping[str, bytes] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        return f"<Run {self.name}: {self.config.network.model} on {self.manifest['title']}>"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def data(self) -> dict[str, Any]:
        """What the manifest says of the data: clock, columns, series, dates of the split.

        Raises:
            RunError: If it does not say all of that.
        """
        data = self.manifest.get("data")
        missing = _DATA_FACTS - set(data if isinstance(data, dict) else ())
        if missing:
            raise RunError(
                f"The manifest of {self.path} does not say {min(missing)!r} of its data: it is damaged, or of another "
                "version.",
                "Train the run again.",
            )
        return dict(self.manifest["data"])

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        return _json(self._read("metrics.json"), self.path / "metrics.json")

    @property
    def scaler(self) -> Scaler:
        """The fitted scaler."""
        return scaler_from_json(self._read("scaler.json").decode())

    @property
    def forecast(self) -> pd.DataFrame:
        """The newest forecast, as it was made when the run ended: unique_id, ds, cutoff and a column for each model."""
        return frame_from_csv(self._read("forecast.csv"))

    @property
    def test_forecasts(self) -> pd.DataFrame:
        """The forecasts of the test span, long format."""
        return frame_from_csv(self._read("test_forecasts.csv"))

    @property
    def history(self) -> pd.DataFrame:
        """Losses of the model by epoch."""
        return self.history_of("model")

    def history_of(self, network: str) -> pd.DataFrame:
        """Losses of ``model`` or ``baseline`` by epoch."""
        return pd.read_csv(io.BytesIO(self._read(_HISTORY[network])))

    @property
    def tracked_gradients(self) -> dict[str, Any]:
        """By network, how far back its gradient reached after each epoch, [E, L]; empty if that was not tracked."""
        name = "gradients.json"
        return _json(self._read(name), self.path / name) if name in self.manifest["files"] else {}

    @property
    def plots(self) -> tuple[Path, ...]:
        """The plots, in the order of their names."""
        return tuple(sorted((self.path / "plots").glob("*.png")))

    @property
    def report(self) -> Path | None:
        """The report as it was written when the run ended; None for a run of a version that wrote none."""
        return self.path / "report.html" if "report.html" in self.manifest["files"] else None

    def weights(self, network: str) -> Arrays:
        """The weights of ``model``, ``baseline`` or ``refit``, by name.

        Raises:
            RunError: If they are damaged, or not finite.
        """
        return self._arrays(_WEIGHTS[network])

    @property
    def calibration(self) -> Arrays:
        """What the intervals were calibrated to, by name; empty if the run has none.

        Raises:
            RunError: If it is damaged, or not finite.
        """
        return self._arrays(_CALIBRATION) if _CALIBRATION in self.manifest["files"] else {}

    @property
    def forecast_weights(self) -> str:
        """Which weights make forecasts: ``refit`` if the run was refitted on every row, else ``model``."""
        return "refit" if self.manifest.get("forecast_weights") == "refit" else "model"

    def _arrays(self, name: str) -> Arrays:
        arrays = arrays_from_bytes(self._read(name))
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise RunError(f"{self.path / name} holds numbers that are not finite.", "Train the run again.")
        return arrays

    def _read(self, name: str) -> bytes:
        try:
            return self.held[name] if name in self.held else _read_checked(self.path, name, self.manifest["files"])
        except RunError:
            with suppress(OSError, ValueError):
                if json.loads((self.path / "manifest.json").read_bytes()) != self.manifest:
                    raise RunError(f"The run {self.name} was replaced since it was opened.", "Open it again.") from None
            raise


_DATA_FACTS = {"freq", "columns", "series_ids", "test_from", "last"}

_WEIGHTS = {"model": "weights.npz", "baseline": "baseline/weights.npz", "refit": "refit.npz"}
_CALIBRATION = "calibration.npz"
_HISTORY = {"model": "history.csv", "baseline": "baseline/history.csv"}


class RunWriter:
    """A run that is being made, in a hidden folder beside its place until it is whole.

    Args:
        runs_dir: Where runs live.
        name: Name of the run.
    """

    def __init__(self, runs_dir: Path, name: str) -> None:
        if not _NAME.fullmatch(name) or name == "latest":
            raise ConfigError(
                f"{name!r} cannot name a run.", "Use up to 100 letters, digits, dots, dashes and underscores."
            )
        self.name, self.place = name, runs_dir / name
        self.folder = runs_dir / f".{name}.training"
        self.lock = runs_dir / f".{name}.lock"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    def begin(self, manifest: dict[str, Any], config: Config, overwrite: bool) -> None:
        """Start the folder.

        Raises:
            ConfigError: If a run of that name exists or waits to be resumed, and is not to be overwritten.
            MachineError: If the folder cannot be written.
        """
        if self.place.exists() and not overwrite:
            raise ConfigError(
                f"There is a run {self.name!r} already, in {self.place.parent}.",
                "Name another with --run NAME, or replace it with --overwrite.",
            )
        if self.place.exists() and not (self.place / "manifest.json").is_file():
            raise ConfigError(f"{self.place} is no run, so it is not replaced.", "Name another with --run NAME.")
        if self.name in unfinished_runs(self.place.parent) and not overwrite:
            raise ConfigError(
                f"An unfinished training of {self.name!r} is there.",
                f"Continue it with: {self.resume_command}\nOr start anew with --overwrite.",
            )
        try:
            self.sweep()
            # The manifest first: without it, what a kill leaves of the folder is no training that could be resumed.
            (self.folder / "manifest.json").unlink(missing_ok=True)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.checkpoints.mkdir(parents=True)
            sync_folder(self.place.parent)
        except OSError as error:
            raise MachineError(
                f"Cannot write {self.folder}: {error.strerror}.",
                "Choose a folder that you may write to with --runs-dir.",
            ) from None
        try:
            self.write("config.json", config.to_json())
            self.write("manifest.json", _pretty({**manifest, "schema": SCHEMA, "state": "training"}))
        except BaseException:
            self.discard_untrained()
            raise

    def begun(self) -> tuple[dict[str, Any], Config]:
        """The manifest and the configuration of a training that was interrupted.

        Raises:
            RunError: If there is none of that name.
        """
        if self.name not in unfinished_runs(self.place.parent):
            if (self.place / "manifest.json").exists():
                raise RunError(f"The run {self.name!r} is finished.", f"See it with: forecast report {self.name}")
            known = unfinished_runs(self.place.parent)
            raise RunError(
                f"There is no unfinished training {self.name!r} in {self.place.parent}.",
                f"Unfinished: {', '.join(known) or 'none'}. forecast runs lists the finished ones.",
            )
        try:
            config = config_from_json((self.folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(
                f"The unfinished training {self.name!r} cannot be continued: {error}.", "Train again with --overwrite."
            ) from None
        return _json((self.folder / "manifest.json").read_bytes(), self.folder / "manifest.json"), config

    @property
    def resume_command(self) -> str:
        """What to type to continue an interrupted training."""
        return resume_command(self.name, self.place.parent)

    def discard_untrained(self) -> None:
        """Take the folder away again, unless a checkpoint is in it."""
        if not any(self.checkpoints.glob("*.ckpt")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name: str, content: str | bytes) -> None:
        """Put one file into the folder."""
        write_atomically(self.folder / name, content.encode() if isinstance(content, str) else content)

    def write_weights(self, network: str, weights: Arrays) -> None:
        """Put the weights of ``model``, ``baseline`` or ``refit`` into the folder."""
        self.write(_WEIGHTS[network], arrays_to_bytes(weights))

    def write_calibration(self, calibration: Arrays) -> None:
        """Put what the intervals were calibrated to into the folder."""
        self.write(_CALIBRATION, arrays_to_bytes(calibration))

    def write_network(self, network: str, weights: Arrays, history: pd.DataFrame) -> None:
        """Put a network's weights and losses into the folder."""
        self.write_weights(network, weights)
        self.write_frame(_HISTORY[network], history)

    def write_json(self, name: str, value: object) -> None:
        """Put a JSON document into the folder; refuses NaN and Infinity."""
        self.write(name, _pretty(value))

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Put a table into the folder as CSV."""
        self.write(name, frame_to_csv(frame))

    def finish(self, manifest: dict[str, Any]) -> Run:
        """Hash every file, write the manifest, and move the folder to its place.

        Raises:
            MachineError: If a file cannot be read again, or the folder cannot be moved.
        """
        try:
            for left_over in self.folder.rglob(".*.tmp"):  # of a process that was killed while it wrote
                left_over.unlink()
            files = {
                path.relative_to(self.folder).as_posix(): {
                    "bytes": path.stat().st_size,
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                }
                for path in sorted(self.folder.rglob("*"))
                if path.is_file() and path.name != "manifest.json" and self.checkpoints not in path.parents
            }
        except OSError as error:
            raise MachineError(f"Cannot read what was written to {self.folder}: {error.strerror}.") from None
        self.write("manifest.json", _pretty({**manifest, "schema": SCHEMA, "state": "finished", "files": files}))
        return self.settle()

    def settle(self) -> Run:
        """Move a folder that is whole to its place; a run of the same name changes places with it, and is deleted.

        Raises:
            MachineError: If it cannot be moved; then nothing is lost.
        """
        try:
            if self.place.exists():
                exchange_folders(self.folder, self.place)
            else:
                os.rename(self.folder, self.place)
            sync_folder(self.place.parent)
        except OSError as error:
            raise MachineError(
                f"Cannot move the run to {self.place}: {error.strerror}.", f"Try again with: {self.resume_command}"
            ) from None
        self.sweep()
        return open_run(self.place)

    def sweep(self) -> None:
        """Delete what is left once a run is in its place, also by a process that was killed before it could.

        A finished run that still has its checkpoints is the newer of two: they are the last to be deleted.
        """
        aside = set_aside(self.place)
        if aside.exists() and not self.place.exists():
            with suppress(OSError):
                os.rename(aside, self.place)
        if self.place.exists():
            shutil.rmtree(aside, ignore_errors=True)
            if not self.checkpoints.exists():
                shutil.rmtree(self.folder, ignore_errors=True)
            shutil.rmtree(self.place / self.checkpoints.name, ignore_errors=True)


def runs_folder(chosen: Path | None) -> Path:
    """Where runs live: the chosen folder, else FORECAST_RUNS, else ./models."""
    return chosen or Path(os.environ.get("FORECAST_RUNS") or "models")


def find_run(name: str, runs_dir: Path) -> Run:
    """The run of a name or path; ``latest`` is the one that was finished last.

    Raises:
        RunError: If there is none; lists those that exist.
    """
    if name == "latest":
        runs = list_runs(runs_dir)
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
    known = [run.name for run in list_runs(runs_dir)]
    raise RunError(f"There is no run {name!r} in {runs_dir}.", f"Runs: {', '.join(known) or 'none'}.")


def is_run(name: str, runs_dir: Path) -> bool:
    """Whether `find_run` would look for a run of this name or path: it is there, unfinished, or ``latest``."""
    return name == "latest" or _place_of(name, runs_dir) is not None or name in unfinished_runs(runs_dir)


def _place_of(name: str, runs_dir: Path) -> Path | None:
    # os.path, because Path.is_file raises on a name that is too long to be one.
    for path in (runs_dir / name, Path(name)):
        if os.path.isfile(path / "manifest.json"):
            return path
    return runs_dir / name if _NAME.fullmatch(name) and _manifest_of(runs_dir / name) else None


def open_run(path: Path) -> Run:
    """Open a run folder.

    Raises:
        RunError: If it is damaged, unfinished, or of a newer schema.
    """
    try:
        manifest = _json((path / "manifest.json").read_bytes(), path / "manifest.json")
    except OSError as error:
        raise RunError(f"Cannot read the run {path}: {error.strerror}.") from None
    if not isinstance(manifest.get("schema"), int) or manifest["schema"] > SCHEMA:
        raise RunError(
            f"{path} has schema {manifest.get('schema')!r}; this version reads up to {SCHEMA}.", "Update forecast."
        )
    if manifest.get("state") != "finished":
        raise RunError(
            f"The run {path} is not finished.",
            f"Continue it with: {resume_command(path.name.removeprefix('.').removesuffix('.training'), path.parent)}",
        )
    if not _lists_files(manifest.get("files")):
        raise RunError(f"The manifest of {path} is damaged: its list of files makes no sense.", "Train the run again.")
    return Run(path, manifest, config_from_json(_read_checked(path, "config.json", manifest["files"]).decode()))


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
        with suppress(OSError):
            return (path / "manifest.json").read_bytes()
        if not set_aside(path).exists():
            break
        time.sleep(0.01)  # the old one has left its place, and the new one has not moved in
    return b""


def _small_files(run: Run) -> dict[str, bytes]:
    held = {}
    for name in run.manifest["files"]:
        if not name.startswith("plots/") and name not in ("report.html", "test_forecasts.csv"):
            with suppress(RunError):  # a damaged file matters to those who need it
                held[name] = _read_checked(run.path, name, run.manifest["files"])
    return held


def list_runs(runs_dir: Path) -> list[Run]:
    """Every finished run of a folder, the newest last. Folders that are no runs are passed over."""
    runs = []
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


def _lists_files(files: object) -> bool:
    return isinstance(files, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("bytes"), int) and isinstance(entry.get("sha256"), str)
        for entry in files.values()
    )


def _read_checked(folder: Path, name: str, files: dict[str, Any]) -> bytes:
    """The bytes of a run's file, if they are those that the manifest speaks of."""
    expected = files.get(name)
    if expected is None:
        raise RunError(f"The run {folder.name} has no {name}.")
    path = folder / name
    try:
        content = path.read_bytes() if path.stat().st_size == expected["bytes"] else b""
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror}.") from None
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise RunError(f"{path} is not what the manifest says: it was changed or damaged.", "Train the run again.")
    return content


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _json(content: bytes, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise RunError(f"{path} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise RunError(f"{path} is not a JSON object.")
    return value
