"""A training whose disk fails at any call refuses in words, or goes through; what is there goes on to the same bits."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from forecast import MachineError
from injection import EVERY_CALL, Faults, check_whole, faults, is_old, results, resume_or_train, train, without_plots

NEEDS_SPACE = ("open", "write", "fsync", "replace", "mkdir")


def failing(number: int) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def left_over(folder: Path) -> list[str]:
    return [str(path) for path in (folder / "runs").rglob("*") if path.name.endswith((".tmp", ".replaced"))]


def struck(folder: Path, uninterrupted: dict[str, bytes], met: Callable[[], Any]) -> bool:
    """Train while the disk fails; whether it failed. Afterwards, whatever was there goes on to the same bits."""
    refusal = None
    with without_plots():
        try:
            with met():
                train(folder)
        except MachineError as error:
            refusal = error
        assert refusal is None or str(folder) in refusal.message
        failed = is_old(check_whole(folder))
        assert left_over(folder) == []
        assert results(resume_or_train(folder)) == uninterrupted
    assert [path.name for path in (folder / "runs").iterdir()] == ["run"]
    return failed


def test_a_disk_that_fills_up_leaves_the_older_checkpoint_and_the_older_run(
    folder: Path, uninterrupted: dict[str, bytes]
) -> None:
    full = failing(errno.ENOSPC)
    assert struck(folder, uninterrupted, lambda: faults(60, full, NEEDS_SPACE))


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("fault", ["full", "broken once"])
def test_a_disk_may_fail_at_any_call(
    start: Path, tmp_path: Path, uninterrupted: dict[str, bytes], fault: str, part: int
) -> None:
    numbers = {"full": [errno.ENOSPC, errno.EDQUOT, errno.EFBIG], "broken once": [errno.EIO, errno.EXDEV]}[fault]
    names = NEEDS_SPACE if fault == "full" else EVERY_CALL
    for number in range(part + 1, 1000, 4):
        folder, strike = (
            Path(shutil.copytree(start, tmp_path / str(number))),
            failing(numbers[number // 4 % len(numbers)]),
        )
        counted: list[Faults] = []

        @contextmanager
        def met(number: int = number, strike: Any = strike, counted: Any = counted) -> Iterator[None]:
            with faults(number, strike, names, lasting=fault == "full") as made:
                yield counted.append(made)

        struck(folder, uninterrupted, met)
        if counted[0].calls < number:
            return
    pytest.fail("The training never went through.")
