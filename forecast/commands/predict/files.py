"""The forecasts of many files, each a file of its own: each is a task, and those that are done are passed over."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from forecast.archive.store import ADDRESS, Archive
from forecast.commands.progress import PartProgress
from forecast.commands.requests import request_forecast
from forecast.engines.tasks import Engine
from forecast.errors import ConfigError, DataError, ForecastError, MachineError, listed, rendered
from forecast.model import Model, load_models
from forecast.progress import Progress
from forecast.runs.find import open_run
from forecast.runs.run import Run
from forecast.runs.table_files import write_parts
from forecast.runs.versions import CURRENT
from forecast.tables.folders import find_files

# Files that an error names.
_NAMED = 5


@dataclass(frozen=True)
class FileForecasts:
    """What became of the files.

    Args:
        written: How many forecasts were written.
        passed_over: How many had been written before, by this run from these files.
        failed: Why there is no forecast, by file.
    """

    written: int = 0
    passed_over: int = 0
    failed: dict[str, ForecastError] = field(default_factory=dict)

    def raise_if_failed(self, folder: Path) -> None:
        """Fail where a file has no forecast.

        Raises:
            MachineError: If that is why each of them failed; names the first files.
            DataError: Otherwise.
        """
        if not self.failed:
            return
        kind = MachineError if all(isinstance(why, MachineError) for why in self.failed.values()) else DataError
        first = next(iter(self.failed.values()))
        raise kind(
            f"{len(self.failed):,} of {self.written + self.passed_over + len(self.failed):,} files have no forecast: "
            f"{listed([*self.failed], _NAMED)}. The first: {rendered(first.args[0], 'shell')}",
            f"The forecasts of the others are in {folder}. Type the same again: what is done is passed over."
            if self.written + self.passed_over
            else "",
        )


def forecast_files(
    run: Run, source: str, folder: Path, engine: Engine, progress: Progress, keep: bool = False
) -> FileForecasts:
    """Write the forecast from each file into a file of the same name, as .parquet for such files and else as .csv.

    A forecast that is newer than its file and than the run is passed over, so that an interrupted or failed call goes
    on where it was. Each is written whole or not at all.

    Args:
        run: A run.
        source: A folder, a pattern such as ``new/*.parquet``, or a file.
        folder: Where the forecasts go; files of folders below one another keep these.
        engine: What makes them; each of its workers loads the networks once.
        progress: Receives warnings, with the file's name before them.
        keep: Keep those that are made, too, as of `predict`.

    Raises:
        ConfigError: If those of several files are to be kept by a run of one series.
        DataError: If there is no file, or two would be written into one.
        MachineError: If there is a file where the folder should be.
    """
    if folder.exists() and not folder.is_dir():
        raise MachineError(f"{folder} is a file, and the forecasts go into a folder.", "Choose another place.")
    outputs = _outputs(source, folder)
    if keep and len(run.data["series_ids"]) == 1 and len(outputs) > 1:
        raise ConfigError(
            f"--keep: {run.name} forecasts one series, and nothing would tell the forecasts of {len(outputs):,} files "
            "apart in its archive.",
            "Leave --keep out, or train one run of all these series, which have names then.",
        )
    made = max(_made(run.path / "manifest.json"), _made(run.home / CURRENT))
    due = [(path, out) for path, out in outputs.items() if not _made(out) >= max(_made(path), made, 1)]
    written, failed = 0, dict[str, ForecastError]()
    tasks = [(os.path.abspath(path), os.path.abspath(out)) for path, out in due]  # a worker may work elsewhere
    address = os.environ.get(ADDRESS, "") if keep else None  # which a worker elsewhere need not have
    made_by = partial(_forecast_file, os.path.abspath(run.path), address)
    outcomes = engine.outcomes(made_by, tasks, progress, "files")
    for number, ((path, _), outcome) in enumerate(zip(due, outcomes, strict=True), start=1):
        if outcome.error is None:
            written += 1
        elif isinstance(outcome.error, ForecastError):
            failed[path] = outcome.error
            progress.warn(f"{path}: no forecast. {rendered(outcome.error.args[0], 'shell')}")
        else:
            raise outcome.error
        if not engine.is_elsewhere:
            progress.counted("files", number, len(due))
    return FileForecasts(written, len(outputs) - len(due), failed)


def _outputs(source: str, folder: Path) -> dict[str, str]:
    """Where the forecast of each file goes."""
    found = find_files(source)
    paths = [source] if found is None else list(found.files)
    if found is None and not os.path.isfile(source):
        raise DataError(f"There is no file {source}.", "Give a folder of files with new rows, or a pattern.")
    above = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    outputs = {}
    for path in paths:
        relative = Path(os.path.relpath(os.path.abspath(path), above))
        unpacked = relative.with_name(relative.name.removesuffix(".gz").removesuffix(".zip"))
        ending = ".parquet" if unpacked.suffix.lower() == ".parquet" else ".csv"
        outputs[path] = str(folder / unpacked.with_suffix(ending))
    twice = [output for output, count in Counter(outputs.values()).items() if count > 1]
    if twice:
        raise DataError(f"Several files would be forecast into {twice[0]}.", "Give them apart, or name them otherwise.")
    if set(map(os.path.realpath, outputs.values())) & set(map(os.path.realpath, paths)):
        raise DataError(f"The forecasts would replace the files in {folder}.", "Write them into another folder.")
    return outputs


def _made(path: str | Path) -> float:
    """When a file was written, in seconds of Unix's time; 0 if there is none."""
    return os.path.getmtime(path) if os.path.exists(path) else 0.0


@lru_cache(maxsize=1)
def _loaded(path: str) -> tuple[Run, dict[str, Model]]:
    """A run with its networks, which a worker loads once."""
    run = open_run(Path(path))
    return run, load_models(run, run.forecast_weights)


def _forecast_file(run_path: str, address: str | None, task: tuple[str, str], progress: Progress) -> None:
    """Write the forecast from one file, and keep it, unless the address of an archive is None."""
    path, output = task
    run, models = _loaded(run_path)
    request = request_forecast(run, path, PartProgress(progress, path))
    archive = None if address is None else Archive.open(run, address)
    write_parts(Path(output), request.parts(models, archive))
