"""Faults that are injected into a training at every call that changes the disk, and what is to hold after them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

import forecast
from forecast import Run, RunError
from forecast.runs import files
from forecast.runs.find import unfinished_runs

CONFIG = {"model": "lstm", "units": 2, "epochs": 2, "steps_per_epoch": 2, "batch_size": 16, "lookback": 4, "horizon": 2}
CONFIG |= {"normalise": "none", "head_dropout": 0.2, "baseline": False}
IN_OS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir")
EVERY_CALL = ("open", "write", "exchange", *IN_OS)


class Faults:
    """Does something at the numbered of all calls that change the disk.

    Args:
        number: Which call, from 1; 0 for none.
        strike: What to do instead of the call.
        names: Calls that it can strike.
        lasting: Whether it strikes all of them that come after, too.
    """

    def __init__(self, number: int, strike: Callable[[], NoReturn], names: Collection[str], lasting: bool) -> None:
        self.number, self.strike, self.names, self.lasting, self.calls = number, strike, names, lasting, 0

    def count(self, name: str) -> None:
        self.calls += 1
        here = self.calls == self.number or (self.lasting and 0 < self.number < self.calls)
        if here and name in self.names:
            self.strike()

    def counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **more: Any) -> Any:
            self.count(name)
            return call(*arguments, **more)

        return counting

    def opened(self, path: Path, mode: str, **more: Any) -> Any:
        self.count("open")
        file = open(path, mode, **more)  # noqa: SIM115 - who asked for it closes it
        if "b" in mode:
            write = file.write

            def torn(content: bytes) -> int:
                half = write(content[: len(content) // 2])
                file.flush()
                self.count("write")
                return half + write(content[half:])

            file = _Writing(file, torn)
        return file


class _Writing:
    """A file whose writes can end half-way."""

    def __init__(self, file: Any, write: Callable[[bytes], int]) -> None:
        self._file, self.write = file, write

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def faults(
    number: int, strike: Callable[[], NoReturn], names: Collection[str] = EVERY_CALL, lasting: bool = True
) -> Iterator[Faults]:
    """Count the calls that change the disk within a block, and strike at one of them."""
    made = Faults(number, strike, names, lasting)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.runs.files.open", made.opened, raising=False)
        patch.setattr("forecast.runs.files._exchange_folders", made.counted("exchange", files._exchange_folders))
        for name in IN_OS:
            patch.setattr(os, name, made.counted(name, getattr(os, name)))
        yield made


@contextmanager
def without_plots() -> Iterator[None]:
    """A checkpoint after every step; and pictures that are written, but not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.runs.checkpoints._SECONDS_BETWEEN", 0.0)
        patch.setattr("forecast.plots.run_plots.draw_files", lambda *_: {"1.png": b"picture" * 99})
        patch.setattr("forecast.plots.run_report.report_page", lambda _: "page")
        yield


def train(folder: Path) -> Run:
    """Train over the old run."""
    return forecast.train(folder / "rows.csv", CONFIG, run="run", runs_dir=folder / "runs", overwrite=True)


def resume_or_train(folder: Path) -> Run:
    """What one does after a crash: continue what is unfinished, else begin anew unless the new run is there."""
    unfinished = unfinished_runs(folder / "runs")
    try:
        return forecast.resume("run", runs_dir=folder / "runs")
    except RunError:
        assert unfinished == []
    there = forecast.find("run", runs_dir=folder / "runs")
    return train(folder) if is_old(there) else there


def update(folder: Path) -> Run:
    """Continue the run on rows that have come, as its second version, whatever it is worth."""
    if forecast.find("run", runs_dir=folder / "runs").version == 2:
        return forecast.find("run", runs_dir=folder / "runs")
    source, runs_dir = folder / "newer.csv", folder / "runs"
    return forecast.update("run", source, train=True, force=True, runs_dir=runs_dir).run


def is_old(run: Run) -> bool:
    return run.config.training.seed == 1


def results(run: Run) -> dict[str, bytes]:
    """The bytes of all files, each of which is what the manifest says."""
    found = {name: (run.path / name).read_bytes() for name in run.manifest["files"]}
    for name, content in found.items():
        assert hashlib.sha256(content).hexdigest() == run.manifest["files"][name]["sha256"], name
    return found


def check_whole(folder: Path) -> Run:
    """At any moment the old run or the new one is there, and every byte of it."""
    run = forecast.find("run", runs_dir=folder / "runs")
    results(run)
    return run
