"""The simulated night: right where it can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from simulate_night import least_seconds, main, simulate


def test_two_cores_share_four_tasks() -> None:
    night = simulate(np.array([3.0, 1.0, 1.0, 1.0]), 2, hand_over=0.0)
    assert night.seconds == 3
    assert night.cores_busy == 1
    assert night.scheduler_busy == 0


def test_a_slow_scheduler_is_the_bottleneck() -> None:
    night = simulate(np.full(100, 1.0), 50, hand_over=1.0)
    assert night.seconds == pytest.approx(101)  # a task a second, and the last one's own
    assert night.scheduler_busy == pytest.approx(100 / 101)


def test_no_night_is_faster_than_the_work_or_the_longest_task() -> None:
    lengths = np.random.default_rng(1).exponential(size=200)
    for n_cores in (1, 7, 500):
        assert simulate(lengths, n_cores, 0.0).seconds >= least_seconds(lengths, n_cores) - 1e-9
    assert simulate(lengths, 500, 0.0).seconds == pytest.approx(lengths.max())


def test_it_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--groups", "100", "--nodes", "1", "2"])
    assert len(capsys.readouterr().out.splitlines()) == 4
