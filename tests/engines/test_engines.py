"""Engines: the same results in the same order from this process, a pool and a Ray cluster, whatever dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine_tasks import die, divide, environment, refuse_three, square
from forecast.engines import engine
from forecast.engines.pool import Pool
from forecast.engines.tasks import ONE_CORE, Engine, ThisProcess
from forecast.errors import ConfigError, DataError, MachineError
from forecast.memory import core_count
from forecast.progress import NullProgress


class Notes(NullProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.counts: list[int] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def counted(self, task: str, done: int, total: int) -> None:
        self.counts.append(done)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2) as started:
        yield started


def test_results_and_notes_come_in_the_order_of_the_arguments(pool: Pool) -> None:
    engines: tuple[Engine, ...] = (ThisProcess(), pool)
    for each in engines:
        told = Notes()
        results = [result for result, _ in each.map(square, range(6), told)]
        assert results == [0, 1, 4, 9, 16, 25]
        assert told.notes == [f"{number} is squared" for number in range(6)]
        assert told.counts == ([1, 2, 3, 4, 5, 6] if each is pool else [])


def test_workers_are_processes_that_stay(pool: Pool) -> None:
    first = {process for _, process in pool.map(square, range(6))}
    assert os.getpid() not in first
    assert len(first) == 2
    assert {process for _, process in pool.map(square, range(6))} == first


def test_a_worker_computes_on_one_core(pool: Pool) -> None:
    assert list(pool.map(environment, list(ONE_CORE))) == list(ONE_CORE.values())


def test_an_error_ends_a_map_and_no_more(pool: Pool) -> None:
    engines: tuple[Engine, ...] = (ThisProcess(), pool)
    for each in engines:
        results = each.map(refuse_three, range(6))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(DataError, match="3 is refused") as caught:
            next(results)
        assert caught.value.advice == "Take another."
        outcomes = list(each.outcomes(refuse_three, range(6)))
        assert [outcome.result for outcome in outcomes] == [0, 1, 2, None, 4, 5]
        assert isinstance(outcomes[3].error, DataError)


def test_a_bug_in_a_worker_shows_where_it_is(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match=r"in divide\n.*\n.*\nZeroDivisionError"):
        list(pool.map(divide, [1, 0]))


def test_a_worker_that_is_killed_is_replaced_and_its_task_computed_again(pool: Pool, tmp_path: Path) -> None:
    assert list(pool.map(partial(die, str(tmp_path), 1), range(5))) == [0, 1, 4, 9, 16]
    attempts = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert attempts == ["0", "1", "2", "2", "3", "4"]


def test_a_task_that_kills_every_worker_is_given_up(pool: Pool, tmp_path: Path) -> None:
    outcomes = list(pool.outcomes(partial(die, str(tmp_path), 99), range(4)))
    assert [outcome.result for outcome in outcomes] == [0, 1, None, 9]
    assert isinstance(outcomes[2].error, MachineError)
    assert "4 workers were lost" in str(outcomes[2].error)
    assert "signal 9" in str(outcomes[2].error)


def test_engines_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(engine(), ThisProcess)
    assert isinstance(engine(workers=2), Pool)
    assert isinstance(engine("local"), Pool)
    for arguments, what in (
        (("dask",), "no engine 'dask'"),
        ((None, 0), "at least 1"),
        (("local", 1, "auto"), "processes of this machine have none"),
        ((None, None, "auto"), "only the engine ray has one"),
    ):
        with pytest.raises(ConfigError, match=what):
            engine(*arguments)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MachineError, match=r"pip install 'forecast-lstm\[ray\]'"):
        engine("ray")


def test_a_process_computes_on_the_cores_that_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert core_count() == os.cpu_count()
    monkeypatch.setenv("FORECAST_CORES", "3")
    assert core_count() == 3
    for wrong in ("0", "all", "-1"):
        monkeypatch.setenv("FORECAST_CORES", wrong)
        with pytest.raises(ConfigError, match="FORECAST_CORES: must be a number of cores"):
            core_count()
