"""A training that is killed at any moment, or whose disk fails, goes on to the same bits or begins anew.

Run as a program, this file is the victim: it does what it reads from standard input, each in a process of its own that
is forked before TensorFlow has any threads.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import MachineError, Run, RunError
from forecast.runs import writer
from forecast.runs.place import unfinished_runs

CONFIG = {"model": "lstm", "units": 2, "epochs": 2, "steps_per_epoch": 2, "batch_size": 16, "lookback": 4, "horizon": 2}
CONFIG |= {"normalise": "none", "head_dropout": 0.2, "baseline": False}
IN_OS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir")
EVERY_CALL = ("open", "write", "exchange", *IN_OS)
NEEDS_SPACE = ("open", "write", "fsync", "replace", "mkdir")


class Killed(BaseException):
    """Stands for the end of the process: nothing that comes after it touches the disk."""


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

    def opened(self, path: Path, mode: str) -> Any:
        self.count("open")
        file = open(path, mode)  # noqa: SIM115 - who asked for it closes it
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
        patch.setattr("forecast.storage.open", made.opened, raising=False)
        patch.setattr("forecast.runs.writer.exchange_folders", made.counted("exchange", writer.exchange_folders))
        for name in IN_OS:
            patch.setattr(os, name, made.counted(name, getattr(os, name)))
        yield made


def kill() -> NoReturn:
    raise Killed


def failing(number: int) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


@contextmanager
def cheap() -> Iterator[None]:
    """A checkpoint after every step; and pictures that are written, but not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.workflows.fitting._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patch.setattr("forecast.report.draw.draw_run", lambda *_: {"1.png": b"picture" * 99})
        patch.setattr("forecast.report.page.report_page", lambda _: "page")
        yield


def train(folder: Path) -> Run:
    """Train over the old run."""
    return forecast.train(folder / "rows.csv", CONFIG, run="run", runs_dir=folder / "runs", overwrite=True)


def go_on(folder: Path) -> Run:
    """What one does after a crash: continue what is unfinished, else begin anew unless the new run is there."""
    unfinished = unfinished_runs(folder / "runs")
    try:
        return forecast.resume("run", runs_dir=folder / "runs")
    except RunError:
        assert unfinished == []
    there = forecast.find("run", runs_dir=folder / "runs")
    return train(folder) if is_old(there) else there


def is_old(run: Run) -> bool:
    return run.config.training.seed == 1


def results(run: Run) -> dict[str, bytes]:
    """The bytes of all files, each of which is what the manifest says."""
    return {name: run._read(name) for name in run.manifest["files"]}


def check_whole(folder: Path) -> Run:
    """At any moment the old run or the new one is there, and every byte of it."""
    run = forecast.find("run", runs_dir=folder / "runs")
    results(run)
    return run


def left_over(folder: Path) -> list[str]:
    return [str(path) for path in (folder / "runs").rglob("*") if path.name.endswith((".tmp", ".replaced"))]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series and an old run of it."""
    folder = tmp_path_factory.mktemp("start")
    months = np.arange(80)
    y = 20 + 5 * np.sin(2 * np.pi * months / 12) + np.random.default_rng(0).normal(0, 0.5, 80)
    frame = pd.DataFrame({"ds": pd.date_range("1990-01-01", periods=80, freq="MS"), "y": y})
    frame.to_csv(folder / "rows.csv", index=False)
    with cheap():
        old = {**CONFIG, "epochs": 1, "seed": 1}
        forecast.train(folder / "rows.csv", old, run="run", runs_dir=folder / "runs")
    return folder


@pytest.fixture
def folder(start: Path, tmp_path: Path) -> Path:
    """A copy of the start."""
    return copied(start, tmp_path / "copy")


def copied(start: Path, folder: Path) -> Path:
    return Path(shutil.copytree(start, folder))


@pytest.fixture(scope="module")
def straight(start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the training comes to if nothing happens."""
    with cheap():
        return results(train(copied(start, tmp_path_factory.mktemp("straight") / "copy")))


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(
    folder: Path, straight: dict[str, bytes]
) -> None:
    step = train
    with cheap():
        for number in (12, 40, 30, 55):  # the call that it dies at
            with pytest.raises(Killed), faults(number, kill):
                step(folder)
            check_whole(folder)
            step = go_on
        run = go_on(folder)
    assert results(run) == straight
    assert [path.name for path in (folder / "runs").iterdir()] == ["run"]


def struck(folder: Path, straight: dict[str, bytes], met: Callable[[], Any]) -> bool:
    """Train while the disk fails; whether it failed. Afterwards, whatever was there goes on to the same bits."""
    refusal = None
    with cheap():
        try:
            with met():
                train(folder)
        except MachineError as error:
            refusal = error
        assert refusal is None or str(folder) in refusal.message
        failed = is_old(check_whole(folder))
        assert left_over(folder) == []
        assert results(go_on(folder)) == straight
    assert [path.name for path in (folder / "runs").iterdir()] == ["run"]
    return failed


def test_a_disk_that_fills_up_leaves_the_older_checkpoint_and_the_older_run(
    folder: Path, straight: dict[str, bytes]
) -> None:
    full = failing(errno.ENOSPC)
    assert struck(folder, straight, lambda: faults(60, full, NEEDS_SPACE))


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("fault", ["full", "broken once"])
def test_a_disk_may_fail_at_any_call(
    start: Path, tmp_path: Path, straight: dict[str, bytes], fault: str, part: int
) -> None:
    numbers = {"full": [errno.ENOSPC, errno.EDQUOT, errno.EFBIG], "broken once": [errno.EIO, errno.EXDEV]}[fault]
    names = NEEDS_SPACE if fault == "full" else EVERY_CALL
    for number in range(part + 1, 1000, 4):
        folder, strike = copied(start, tmp_path / str(number)), failing(numbers[number // 4 % len(numbers)])
        counted: list[Faults] = []

        @contextmanager
        def met(number: int = number, strike: Any = strike, counted: Any = counted) -> Iterator[None]:
            with faults(number, strike, names, lasting=fault == "full") as made:
                yield counted.append(made)

        struck(folder, straight, met)
        if counted[0].calls < number:
            return
    pytest.fail("The training never went through.")


class Victim:
    """A process that trains in processes of its own, each of which can be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def does(self, task: str, folder: Path, number: int = 0, seconds: float = 0.0) -> int:
        """How a task ended: 0 if it was done, -9 if it was killed at a call or after a time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([task, str(folder), number, seconds]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture
def victim() -> Iterator[Victim]:
    process = Victim()
    yield process
    process.end()


def goes_on_to(victim: Victim, folder: Path, straight: dict[str, bytes]) -> None:
    """After a kill, something whole is there, and going on ends with the same bits and leaves nothing else."""
    check_whole(folder)
    assert victim.does("go_on", folder) == 0
    assert results(check_whole(folder)) == straight
    left = [path.name for path in (folder / "runs").iterdir()]
    assert set(left) <= {"run", ".run.lock"}  # a dead holder's lock locks nobody out
    shutil.rmtree(folder)


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(4))
def test_a_kill_at_any_call(start: Path, tmp_path: Path, straight: dict[str, bytes], victim: Victim, part: int) -> None:
    for number in range(part + 1, 1000, 4):
        folder = copied(start, tmp_path / str(number))
        ended = victim.does("train", folder, number)
        goes_on_to(victim, folder, straight)
        if ended == 0:
            return
        assert ended == -signal.SIGKILL
    pytest.fail("The training never went through.")


@pytest.mark.thorough
def test_a_kill_at_fifty_random_moments(
    start: Path, tmp_path: Path, straight: dict[str, bytes], victim: Victim
) -> None:
    folder = copied(start, tmp_path / "timed")
    began = time.monotonic()
    assert victim.does("train", folder) == 0
    longest, moments = time.monotonic() - began, random.Random(0)
    for number in range(50):
        folder = copied(start, tmp_path / str(number))
        victim.does("train", folder, seconds=moments.uniform(0.001, longest))
        goes_on_to(victim, folder, straight)


def obey() -> None:
    """Do one task after the other, each in a fork, and print how it ended."""
    for module in ("models.recurrent", "report.draw", "report.page", "training.trainer"):
        import_module(f"forecast.{module}")

    def kill_for_good() -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    for line in sys.stdin:
        task, folder, number, seconds = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            try:
                with cheap(), faults(number, kill_for_good):
                    {"train": train, "go_on": go_on}[task](Path(folder))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if seconds:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    obey()
