"""The runs that a server has, each loaded again when another one, or a later version, has taken its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread

from forecast.archive.store import Archive
from forecast.commands.serve.metrics import Metrics
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.service import Service
from forecast.data.prepare import count_targets
from forecast.errors import ConfigError, ForecastError
from forecast.runs.find import find
from forecast.runs.run import Run
from forecast.runs.versions import CURRENT

# Seconds between two looks at the folders of the runs.
_LOOK_EVERY = 1.0


class ServedRuns(Mapping[str, Service]):
    """Runs by name. A request that has begun keeps the run with which it began.

    Args:
        runs: At least one.
        max_rows: The most rows of a request; None for what suits each run.
        metrics: Counts what they forecast.
        keep: Keep what they forecast in their archives.

    Raises:
        RunError: If one is damaged.
        ConfigError: If two have the same name, or one needs more rows.
    """

    def __init__(self, runs: Sequence[Run], max_rows: int | None, metrics: Metrics, keep: bool = False) -> None:
        self._max_rows, self._metrics, self._keep = max_rows, metrics, keep
        self._services: dict[str, Service] = {}
        self._seen: dict[str, object] = {}
        for run in runs:
            if run.name in self._services:
                raise ConfigError(f"Two of the runs are called {run.name}.", "Name each run once.")
            self._seen[run.name] = _version_of(run.home)
            self._services[run.name] = self._load(run)

    def __getitem__(self, name: str) -> Service:
        return self._services[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._services)

    def __len__(self) -> int:
        return len(self._services)

    def watch(self, note: Callable[[str], None]) -> None:
        """Look for other runs in the same places from now on, in a thread; says what it finds."""

        def look() -> None:
            while True:
                time.sleep(_LOOK_EVERY)
                self.reload(note)

        Thread(target=look, name="reload", daemon=True).start()

    def reload(self, note: Callable[[str], None]) -> None:
        """Load the runs that have been replaced; one that cannot be read is served on as it was."""
        for name, service in list(self._services.items()):
            home = service.run.home
            version = _version_of(home)
            if version is None or version == self._seen[name]:  # none: it is just being replaced
                continue
            self._seen[name] = version
            try:
                self._services[name] = self._load(find(str(home.resolve())))
            except ForecastError as error:
                note(
                    f"{name} was replaced by a run that cannot be served; the one before is served on: {error.message}"
                )
            else:
                run = self._services[name].run
                which = f" in version {run.version}" if run.version > 1 else ""
                note(f"{name} was replaced, and is served{which} as of {run.manifest['finished']}")

    def _load(self, run: Run) -> Service:
        archive = Archive.open(run) if self._keep else None
        return Service(run, RequestReader(run, self._max_rows), self._metrics, archive)


def columns_of(run: Run) -> list[str]:
    """The columns that the network of a run sees; one name for all targets of independent channels."""
    data = run.config.data
    targets = data.target if count_targets(data) == len(data.target) else ("value",)
    return [*targets, *data.covariates, *data.known]


def _version_of(home: Path) -> object:
    """What tells one version of a run from the next; None while there is none."""
    manifest = _identity(home / "manifest.json")
    return None if manifest is None else (manifest, _identity(home / CURRENT))


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
