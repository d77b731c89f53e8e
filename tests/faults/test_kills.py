"""A training that is killed at any moment goes on to the same bits or begins anew."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from injection import check_whole, faults, results, resume_or_train, train, update, without_plots
from victim import Victim


class Killed(BaseException):
    """Stands for the end of the process: nothing that comes after it touches the disk."""


def kill() -> NoReturn:
    raise Killed


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(
    folder: Path, uninterrupted: dict[str, bytes]
) -> None:
    step = train
    with without_plots():
        for number in (12, 40, 30, 55):  # the call that it dies at
            with pytest.raises(Killed), faults(number, kill):
                step(folder)
            check_whole(folder)
            step = resume_or_train
        run = resume_or_train(folder)
    assert results(run) == uninterrupted
    assert [path.name for path in (folder / "runs").iterdir()] == ["run"]


@pytest.fixture
def victim() -> Iterator[Victim]:
    process = Victim()
    yield process
    process.end()


def goes_on_to(victim: Victim, folder: Path, uninterrupted: dict[str, bytes]) -> None:
    """After a kill, something whole is there, and going on ends with the same bits and leaves nothing else."""
    check_whole(folder)
    assert victim.does("resume_or_train", folder) == 0
    assert results(check_whole(folder)) == uninterrupted
    left = [path.name for path in (folder / "runs").iterdir()]
    assert set(left) <= {"run", ".run.lock"}  # a dead holder's lock locks nobody out
    shutil.rmtree(folder)


@pytest.mark.thorough
def test_a_kill_at_fifty_random_moments(
    start: Path, tmp_path: Path, uninterrupted: dict[str, bytes], victim: Victim
) -> None:
    folder = Path(shutil.copytree(start, tmp_path / "timed"))
    began = time.monotonic()
    assert victim.does("train", folder) == 0
    longest, moments = time.monotonic() - began, random.Random(0)
    for number in range(50):
        folder = Path(shutil.copytree(start, tmp_path / str(number)))
        victim.does("train", folder, seconds=moments.uniform(0.001, longest))
        goes_on_to(victim, folder, uninterrupted)


def updates_to(folder: Path, expected: dict[str, bytes], again: Callable[[Path], object]) -> None:
    """After a kill the old version is in place, or the new one, whole; and calling again ends with the same bits."""
    there = check_whole(folder)
    assert there.version == 1 or results(there) == expected
    again(folder)
    assert results(check_whole(folder)) == expected
    home = folder / "runs/run"
    assert sorted(path.name for path in (home / "versions").iterdir()) == ["2"]
    assert {path.name for path in (folder / "runs").iterdir()} <= {"run", ".run.lock"}
    assert not list(home.glob(".*"))
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def updated(start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an update comes to if nothing happens."""
    with without_plots():
        return results(update(Path(shutil.copytree(start, tmp_path_factory.mktemp("updated") / "copy"))))


def test_an_update_that_is_killed_leaves_one_version_or_the_next(
    start: Path, tmp_path: Path, updated: dict[str, bytes]
) -> None:
    folder = Path(shutil.copytree(start, tmp_path / "counted"))
    with without_plots(), faults(0, kill) as counted:
        update(folder)
    for back in (4, 12):  # of the last calls: before current.json is there, and before the folder is in its place
        folder = Path(shutil.copytree(start, tmp_path / str(back)))
        with without_plots(), pytest.raises(Killed), faults(counted.calls - back, kill):
            update(folder)
        with without_plots():
            updates_to(folder, updated, update)


@pytest.mark.thorough
@pytest.mark.parametrize("task", ["train", "update"])
@pytest.mark.parametrize("part", range(4))
def test_a_kill_at_any_call(
    start: Path,
    tmp_path: Path,
    uninterrupted: dict[str, bytes],
    updated: dict[str, bytes],
    victim: Victim,
    task: str,
    part: int,
) -> None:
    def update_again(folder: Path) -> None:
        assert victim.does("update", folder) == 0

    for number in range(part + 1, 1000, 4):
        folder = Path(shutil.copytree(start, tmp_path / str(number)))
        ended = victim.does(task, folder, number)
        if task == "train":
            goes_on_to(victim, folder, uninterrupted)
        else:
            updates_to(folder, updated, update_again)
        if ended == 0:
            return
        assert ended == -signal.SIGKILL
    pytest.fail(f"The {task} never went through.")
