"""A run that is being made: the only code that writes a run's files."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.config import Config
from forecast.errors import ConfigError, MachineError, RunError, phrase, setting
from forecast.runs.arrays import arrays_to_bytes
from forecast.runs.documents import largest_document, parse_json, to_json
from forecast.runs.files import (
    move_folder,
    path_aside,
    read_within,
    refuse_links,
    sha256_of,
    sync_folder,
    write_atomically,
)
from forecast.runs.find import (
    STREAM_STATE,
    can_name_a_run,
    is_folder_of_run,
    open_run,
    resume_command,
    run_command,
    unfinished_runs,
)
from forecast.runs.run import EXPLANATION, SCHEMA, WEIGHTS, Run, read_manifest
from forecast.runs.table_files import table_to_bytes
from forecast.runs.versions import folder_of_version, numbers_of_versions, read_current

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.panel import Arrays

_OVERWRITE = f"Train again with {setting('overwrite', True)}."

# Paths of files that a run may have although its manifest does not list them, or cannot be read.
_OWN = re.compile(
    r"current\.json|(versions/(\d+|\.\d+\.training)/)?("
    r"(manifest|config|scaler|metrics|gradients|explain/explain)\.json|"
    r"((baseline/)?(weights|optimizer)|refit|calibration|ranges|rows)\.npz|"
    r"((baseline/)?history|forecast|test_forecasts)\.csv|test_forecasts\.parquet|report\.html|(plots|explain)/\d-[\w-]+\.(png|svg)|"
    r"checkpoints/.*|(.*/)?\.[^/]*\.tmp)"
)


class RunWriter:
    """A run that is being made, in a hidden folder, which is moved to its place when it is whole.

    Args:
        runs_dir: Where runs live.
        name: Name of the run.
        version: Which version of it: 1 unless it is continued.
    """

    def __init__(self, runs_dir: Path, name: str, version: int = 1) -> None:
        if not can_name_a_run(name):
            raise ConfigError(
                f"{name!r} cannot be the name of a run.",
                f"Use up to 100 letters, digits, dots, dashes and underscores, without {STREAM_STATE} at the end.",
            )
        self.name, self.runs_dir, self.version = name, runs_dir, version
        self.path = folder_of_version(runs_dir / name, version)
        self.folder = self.path.with_name(f".{self.path.name}.training")
        self.lock = runs_dir / f".{name}.lock"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def resume_command(self) -> str:
        """What continues an interrupted training, in the forms of each surface."""
        return resume_command(self.name, self.runs_dir, self.version)

    @property
    def is_unfinished(self) -> bool:
        """Whether there is a training that can be continued."""
        # Without checkpoints it is a run that was replaced, and a kill came before it was deleted.
        return self.checkpoints.is_dir() and (self.folder / "manifest.json").exists()

    def check_free(self, overwrite: bool) -> None:
        """Check that a run of this name may be made; what is asked of `begin`, before rows are read.

        Raises:
            ConfigError: If a run of that name exists or waits to be resumed, and is not to be overwritten; or if what
                has that name is not a run.
        """
        another = f"Name another with {phrase('--run NAME', 'run=NAME')}"
        if self.path.exists() and not overwrite:
            raise ConfigError(
                f"There is a run {self.name!r} already, in {self.runs_dir}.",
                f"{another}, or replace it with {setting('overwrite', True)}.",
            )
        if self.path.exists() and not is_folder_of_run(self.path):
            raise ConfigError(f"{self.path} is not a run, so it is not replaced.", f"{another}.")
        if self.is_unfinished and not overwrite:
            raise ConfigError(
                f"An unfinished training of {self.name!r} is there.",
                f"Continue it with: {self.resume_command}\nOr start over with {setting('overwrite', True)}.",
            )

    def begin(self, manifest: dict[str, Any], config: Config, overwrite: bool) -> list[str]:
        """Make the hidden folder, with the configuration and the first manifest in it.

        Returns:
            The files in the folder of a run to be overwritten that are not that run's; they will stay there.

        Raises:
            ConfigError: As of `check_free`.
            MachineError: If the folder cannot be written.
        """
        self.check_free(overwrite)
        try:
            self.delete_leftovers()
            # The manifest first: a kill then leaves nothing that looks like a training to resume.
            (self.folder / "manifest.json").unlink(missing_ok=True)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.checkpoints.mkdir(parents=True)
            sync_folder(self.folder.parent)
        except OSError as error:
            raise MachineError(
                f"Cannot write {self.folder}: {error.strerror}.",
                f"Choose a folder that you may write to with {setting('runs_dir')}.",
            ) from None
        try:
            self.write("config.json", config.to_json())
            self.write_json("manifest.json", {**manifest, "schema": SCHEMA, "state": "training"})
        except BaseException:
            self.discard_untrained()
            raise
        return foreign_files(self.path)

    def read_unfinished(self) -> tuple[dict[str, Any], Config]:
        """The manifest and the configuration of a training that was interrupted.

        Raises:
            RunError: If there is none of that name.
        """
        if not self.is_unfinished:
            unfinished = unfinished_runs(self.runs_dir)
            if (self.path / "manifest.json").exists():
                raise RunError(
                    f"The run {self.name!r} is finished, so there is nothing to resume.", self._advise_on_finished()
                )
            lists = phrase("forecast runs", "forecast.all_runs()")
            raise RunError(
                f"There is no unfinished training {self.name!r} in {self.runs_dir}.",
                f"Unfinished: {', '.join(unfinished) or 'none'}. {lists} lists the finished ones.",
            )
        try:
            refuse_links(self.folder)
            manifest = read_manifest(self.folder)
            content = read_within(self.folder, "config.json", largest_document())
            config = Config.from_sections(parse_json(content, self.folder / "config.json"))
        except RunError as error:
            raise RunError(
                f"The unfinished training {self.name!r} cannot be continued: {error.args[0]}", _OVERWRITE
            ) from None
        return manifest, config

    def _advise_on_finished(self) -> str:
        """What can be done with a run that is finished."""
        advice = f"See it with: {run_command('report', self.name, self.runs_dir)}"
        advice += f"\nForecast with: {run_command('predict', self.name, self.runs_dir)}"
        with suppress(RunError):
            manifest = read_manifest(self.path)
            command, source = manifest.get("command"), manifest.get("source")
            if command and source:
                words = shlex.split(command)
                if not any(word.startswith("--run=") or word == "--run" for word in words):
                    words += ["--run", self.name]
                if "--overwrite" not in words:
                    words.append("--overwrite")
                python = f"forecast.train({source!r}, …, run={self.name!r}, overwrite=True)"
                advice += f"\nTrain it again with: {phrase(shlex.join(words), python)}"
        return advice

    def discard_untrained(self) -> None:
        """Delete the hidden folder, unless there is a checkpoint in it."""
        if not any(self.checkpoints.glob("*.ckpt")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def discard(self) -> None:
        """Delete the hidden folder, the manifest first: a kill then leaves nothing that looks like a training."""
        (self.folder / "manifest.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the run."""
        write_atomically(self.folder / name, content.encode() if isinstance(content, str) else content)

    def write_json(self, name: str, value: object) -> None:
        """Write a JSON document of the run; refuses NaN and Infinity."""
        self.write(name, to_json(value))

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Write a table of the run, as CSV or Parquet by how the name ends."""
        self.write(name, table_to_bytes(name, frame))

    def write_arrays(self, name: str, arrays: Arrays) -> None:
        """Write arrays of the run as an .npz file."""
        self.write(name, arrays_to_bytes(arrays))

    def finish(self, manifest: dict[str, Any]) -> Run:
        """Hash every file, write the last manifest, and move the folder to its place.

        Raises:
            MachineError: If a file cannot be read again, or the folder cannot be moved.
        """
        try:
            for temporary in self.folder.rglob(".*.tmp"):  # of a process that was killed while it wrote
                temporary.unlink()
            files = {
                path.relative_to(self.folder).as_posix(): _size_and_digest(path)
                for path in sorted(self.folder.rglob("*"))
                if path.is_file() and path.name != "manifest.json" and self.checkpoints not in path.parents
            }
        except OSError as error:
            raise MachineError(f"Cannot read what was written to {self.folder}: {error.strerror}.") from None
        self.write_json("manifest.json", {**manifest, "schema": SCHEMA, "state": "finished", "files": files})
        return self.move_into_place()

    def move_into_place(self) -> Run:
        """Move a folder that is whole to its place; an older run there changes places with it, and is deleted.

        Raises:
            MachineError: If it cannot be moved; then nothing is lost.
        """
        try:
            move_folder(self.folder, self.path)
        except OSError as error:
            raise MachineError(
                f"Cannot move the run to {self.path}: {error.strerror}.", f"Try again with: {self.resume_command}"
            ) from None
        self.delete_leftovers()
        return open_run(self.path)

    def delete_leftovers(self) -> None:
        """Delete what is no longer needed once a run is in its place, also if its process was killed before that.

        The checkpoints are deleted last: where an older and a newer run are left, the newer one has them.
        """
        aside = path_aside(self.path)
        if aside.exists() and not self.path.exists():
            with suppress(OSError):
                os.rename(aside, self.path)
        if self.path.exists():
            for replaced in (aside, *([] if self.checkpoints.exists() else [self.folder])):
                with suppress(OSError):
                    _keep_foreign_files(replaced, self.path)
                    shutil.rmtree(replaced)
            shutil.rmtree(self.path / self.checkpoints.name, ignore_errors=True)


# What is kept of an old version: what it is listed by, and how a stream that went on from it is known.
_OF_OLD = {"manifest.json", "config.json", "metrics.json"}


def thin_out(home: Path, whole: int) -> None:
    """Delete old versions of a run but for their scores; the lock of the run is held.

    The first stays whole, and so do the one in place and the one that it continues.

    Args:
        home: The folder of the run.
        whole: How many of the newest stay whole, at least 1.
    """
    in_place, _ = read_current(home)
    manifest = read_manifest(folder_of_version(home, in_place))
    kept = {1, in_place, manifest.get("update", {}).get("continued_from")}
    for number in numbers_of_versions(home)[:-whole]:
        folder = folder_of_version(home, number)
        if number in kept or {*os.listdir(folder)} <= _OF_OLD:
            continue
        with suppress(RunError, OSError):  # what a link leads to is nobody's to delete
            refuse_links(folder)
            files = read_manifest(folder)["files"]
            for name in (WEIGHTS["model"], *files):  # without weights it is no longer one to put back
                if name not in _OF_OLD:
                    (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / EXPLANATION, ignore_errors=True)
            for within in {(folder / name).parent for name in files} - {folder}:
                if within.is_dir() and not os.listdir(within):
                    within.rmdir()


def _size_and_digest(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": sha256_of(file).hex()}


def foreign_files(folder: Path) -> list[str]:
    """The files in the folder of a run that are not the run's, as paths in it; none where it is absent or a link."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    own: set[str] = set()
    for version in numbers_of_versions(folder):
        of_version = folder_of_version(folder, version)
        with suppress(RunError):
            files = read_manifest(of_version).get("files", {})
            own |= {(of_version / name).relative_to(folder).as_posix() for name in files}
    found = []
    for within, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(within, name))]
        found += [os.path.relpath(os.path.join(within, name), folder) for name in (*files, *links)]
    return sorted(path for path in found if path not in own and not _OWN.fullmatch(path))


def _keep_foreign_files(replaced: Path, path: Path) -> None:
    """Move the files of a replaced run that are not the run's to the run in its place, replacing nothing there."""
    for name in foreign_files(replaced):
        kept = path / name
        while os.path.lexists(kept):
            kept = kept.with_name(f"{kept.name}.kept")
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.rename(replaced / name, kept)
