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
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from forecast.artefacts.archives import Form, Forms, arrays_of, arrays_to_bytes, largest_archive
from forecast.artefacts.documents import LARGEST_DOCUMENT, Record, record_of
from forecast.artefacts.files import open_within, read_within, refuse_links, sha256_of
from forecast.artefacts.schemas import check_manifest, check_metrics
from forecast.config import Config, chosen, config_from_json
from forecast.data.features import calendar_names
from forecast.data.panel import Clock
from forecast.data.prepare import count_targets
from forecast.data.scaling import Scaler, scaler_from_json
from forecast.errors import ConfigError, MachineError, RunError
from forecast.models.catalogue import network_configs
from forecast.models.naive import NAIVE
from forecast.models.shape import Shape, weight_shapes
from forecast.storage import exchange_folders, set_aside, sync_folder, write_atomically
from forecast.tabular import frame_from_csv, frame_to_csv, numbers_from_csv
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
        metrics = self._record("metrics.json")
        check_metrics(metrics)
        return metrics

    @cached_property
    def scaler(self) -> Scaler:
        """The fitted scaler.

        Raises:
            RunError: If it is damaged, or its columns are not those that the configuration names.
        """
        scaler = scaler_from_json(self._read("scaler.json", LARGEST_DOCUMENT), self.path / "scaler.json")
        data, series = self.config.data, self.shape.series
        columns = count_targets(data) + len(chosen(data.covariates)) + len(data.known)
        if scaler.mean.shape != (series, columns):
            raise RunError(
                f"The scaler of {self.path} is of {scaler.mean.shape[0]} series and {scaler.mean.shape[1]} columns, "
                f"where the run has {series} and {columns}.",
                "Train the run again.",
            )
        return scaler

    @property
    def shape(self) -> Shape:
        """The sizes of the windows that its networks were trained on."""
        data, told = self.config.data, self.data
        n_targets = count_targets(data)
        return Shape(
            lookback=chosen(data.lookback),
            horizon=chosen(data.horizon),
            targets=n_targets,
            covariates=len(chosen(data.covariates)),
            known=len(data.known) + (len(calendar_names(Clock(told["freq"]))) if data.calendar else 0),
            series=len(told["series_ids"]) * len(data.target) // n_targets,
        )

    @property
    def forecast(self) -> pd.DataFrame:
        """The newest forecast, as it was made when the run ended: unique_id, ds, cutoff and a column for each model."""
        return self._frame("forecast.csv")

    @property
    def test_forecasts(self) -> pd.DataFrame:
        """The forecasts of the test span, long format."""
        return self._frame("test_forecasts.csv")

    @property
    def history(self) -> pd.DataFrame:
        """Losses of the model by epoch."""
        return self.history_of("model")

    def history_of(self, network: str) -> pd.DataFrame:
        """Losses of ``model`` or ``baseline`` by epoch."""
        name, training = _HISTORY[network], self.config.training
        with self._opened(name, _LONGEST_LINE * (1 + training.epochs * training.ensemble)) as file:
            return numbers_from_csv(file, self.path / name)

    @property
    def tracked_gradients(self) -> dict[str, Any]:
        """By network, how far back its gradient reached after each epoch, [E, L]; empty if that was not tracked."""
        name = "gradients.json"
        return self._record(name) if name in self.manifest["files"] else {}

    @property
    def plots(self) -> tuple[Path, ...]:
        """The plots, in the order of their names."""
        names = sorted(name for name in self.manifest["files"] if name.startswith("plots/") and name.endswith(".png"))
        return tuple(self.path / name for name in names if (self.path / name).exists())

    def picture(self, plot: Path) -> bytes:
        """One of the `plots` as a PNG file.

        Raises:
            RunError: If it is damaged.
        """
        return self._read(f"plots/{plot.name}", _LARGEST_PICTURE)

    @property
    def report(self) -> Path | None:
        """The report as it was written when the run ended; None for a run of a version that wrote none."""
        return self.path / "report.html" if "report.html" in self.manifest["files"] else None

    def weights(self, network: str) -> Arrays:
        """The weights of ``model``, ``baseline`` or ``refit``, by name.

        Raises:
            RunError: If they are damaged, not those of the run's network, or not finite.
        """
        networks = network_configs(self.config)
        shapes = weight_shapes(networks.get(network, self.config.network), self.shape)
        forms = {
            f"{member}/{name}": Form("<f4", shape)
            for member in range(1, self.config.training.ensemble + 1)
            for name, shape in shapes.items()
        }
        arrays = self._arrays(_WEIGHTS[network], forms)
        if missing := forms.keys() - arrays.keys():
            raise RunError(f"{self.path / _WEIGHTS[network]} does not hold {min(missing)!r}.", "Train the run again.")
        return arrays

    @cached_property
    def calibration(self) -> Arrays:
        """What the intervals were calibrated to, by name; empty if the run has none.

        Raises:
            RunError: If it is damaged, or not finite.
        """
        if _CALIBRATION not in self.manifest["files"]:
            return {}
        shape, quantiles = self.shape, len(self.config.network.quantiles)
        each = (shape.series, shape.horizon, shape.targets)
        offsets = Form("<f8", (*each, range(1, 10 + 2 * len(self.config.intervals.levels))))
        forms = {
            "heads": Form("<f8", (range(quantiles + 1),)),
            "ranks": Form("<f8", (range(1, REMEMBERED + 1), *each[1:])),
            "usual": Form("<f8", each),
        }
        for moment in ("start", "end"):
            forms |= {moment: offsets, f"{moment}/size": Form("<f8", each)}
        forecasters = (self.config.network.model, "rnn", *NAIVE)
        return self._arrays(
            _CALIBRATION, {f"{name}/{part}": form for name in forecasters for part, form in forms.items()}
        )

    @property
    def forecast_weights(self) -> str:
        """Which weights make forecasts: ``refit`` if the run was refitted on every row, else ``model``."""
        return "refit" if self.manifest.get("forecast_weights") == "refit" else "model"

    def _arrays(self, name: str, forms: Forms) -> Arrays:
        with self._opened(name, largest_archive(forms)) as file:
            arrays = arrays_of(file, forms, str(self.path / name))
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise RunError(f"{self.path / name} holds numbers that are not finite.", "Train the run again.")
        return arrays

    def _frame(self, name: str) -> pd.DataFrame:
        with self._opened(name, _LARGEST_TABLE) as file:
            return frame_from_csv(file, self.path / name)

    def _record(self, name: str) -> Record:
        return record_of(self._read(name, LARGEST_DOCUMENT), self.path / name)

    def _read(self, name: str, largest: int) -> bytes:
        with self._opened(name, largest) as file:
            return file.read()

    def _opened(self, name: str, largest: int) -> IO[bytes]:
        if len(self.held.get(name, b"")) > largest:
            raise RunError(f"{self.path / name} is too large: at most {largest:,} bytes make sense.")
        try:
            if name in self.held:
                return io.BytesIO(self.held[name])
            return _open_checked(self.path, name, self.manifest["files"], largest)
        except RunError:
            now = self.manifest
            with suppress(RunError):
                now = _read_manifest(self.path)
            if now != self.manifest:
                raise RunError(f"The run {self.name} was replaced since it was opened.", "Open it again.") from None
            raise


_DATA_FACTS = {"freq", "columns", "series_ids", "test_from", "last"}

_WEIGHTS = {"model": "weights.npz", "baseline": "baseline/weights.npz", "refit": "refit.npz"}
_CALIBRATION = "calibration.npz"
_HISTORY = {"model": "history.csv", "baseline": "baseline/history.csv"}

# Windows, at most, whose errors' ranks are kept to draw paths from.
REMEMBERED = 500

_OTHERS = ("scaler.json", "metrics.json", "gradients.json", "forecast.csv")

# Bytes: of each file that is held in memory; of a line of the history; of the forecasts of a test span, which are a
# million lines at most; of a plot.
_LARGEST_HELD = 8 * 1024**2
_LONGEST_LINE = 1024
_LARGEST_TABLE = 1024**3
_LARGEST_PICTURE = 64 * 1024**2


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
            refuse_links(self.folder)
            manifest = _read_manifest(self.folder)
            config = config_from_json(read_within(self.folder, "config.json", LARGEST_DOCUMENT), self.folder)
        except RunError as error:
            raise RunError(
                f"The unfinished training {self.name!r} cannot be continued: {error.message}",
                "Train again with --overwrite.",
            ) from None
        return manifest, config

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
    manifest = _read_manifest(path)
    if manifest["state"] != "finished":
        raise RunError(
            f"The run {path} is not finished.",
            f"Continue it with: {resume_command(path.name.removeprefix('.').removesuffix('.training'), path.parent)}",
        )
    with _open_checked(path, "config.json", manifest["files"], LARGEST_DOCUMENT) as file:
        return Run(path, manifest, config_from_json(file.read(), path / "config.json"))


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
    for name in (*_WEIGHTS.values(), *_HISTORY.values(), _CALIBRATION, *_OTHERS):
        with (
            suppress(RunError),  # a damaged file matters to those who need it, and a large one is read by them
            _open_checked(run.path, name, run.manifest["files"], _LARGEST_HELD) as file,
        ):
            held[name] = file.read()
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


def _read_manifest(folder: Path) -> Record:
    manifest = record_of(read_within(folder, "manifest.json", LARGEST_DOCUMENT), folder / "manifest.json")
    schema = manifest.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise RunError(f"{folder} has schema {schema!r}; this version reads up to {SCHEMA}.", "Update forecast.")
    check_manifest(manifest)
    return manifest


def _open_checked(folder: Path, name: str, files: dict[str, Any], largest: int) -> IO[bytes]:
    """A run's file, opened at its beginning, if it is the one that the manifest speaks of."""
    expected = files.get(name)
    if expected is None:
        raise RunError(f"The run {folder.name} has no {name}.")
    file = open_within(folder, name, largest)
    if os.fstat(file.fileno()).st_size != expected["bytes"] or sha256_of(file).hex() != expected["sha256"]:
        file.close()
        raise RunError(
            f"{folder / name} is not what the manifest says: it was changed or damaged.", "Train the run again."
        )
    file.seek(0)
    return file


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
