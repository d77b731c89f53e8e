"""A run that is being made: the only code that writes a run's files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.config import Config
from forecast.errors import ConfigError, MachineError, RunError
from forecast.runs.arrays import arrays_to_bytes
from forecast.runs.csv_tables import frame_to_csv
from forecast.runs.documents import LARGEST_DOCUMENT
from forecast.runs.files import exchange_folders, read_within, refuse_links, set_aside, sync_folder, write_atomically
from forecast.runs.find import NAME, open_run, resume_command, unfinished_runs
from forecast.runs.run import CALIBRATION, HISTORY, SCHEMA, WEIGHTS, Run, read_manifest
from forecast.runs.schemas import config_from_json

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.panel import Arrays


class RunWriter:
    """A run that is being made, in a hidden folder beside its place until it is whole.

    Args:
        runs_dir: Where runs live.
        name: Name of the run.
    """

    def __init__(self, runs_dir: Path, name: str) -> None:
        if not NAME.fullmatch(name) or name == "latest":
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
            manifest = read_manifest(self.folder)
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
        self.write(WEIGHTS[network], arrays_to_bytes(weights))

    def write_calibration(self, calibration: Arrays) -> None:
        """Put what the intervals were calibrated to into the folder."""
        self.write(CALIBRATION, arrays_to_bytes(calibration))

    def write_network(self, network: str, weights: Arrays, history: pd.DataFrame) -> None:
        """Put a network's weights and losses into the folder."""
        self.write_weights(network, weights)
        self.write_frame(HISTORY[network], history)

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


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
