"""The benchmark of memory writes what it says, and measures the memory of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmark_memory as benchmark
from forecast.sources.parts import parts_of


def test_half_of_the_memory_holds_four_files(tmp_path: Path) -> None:
    n_rows = benchmark.write_panel(tmp_path, 4_000_000, 2)
    assert 8_000_000 <= 170 * n_rows < 9_000_000
    parts = parts_of(tmp_path, "4MB", 0)
    assert parts is not None
    assert all(len(files) >= 4 for files in parts.sets[:-1])


def test_what_a_process_takes_is_seen_and_a_failure_is_told() -> None:
    most, asked, seconds = benchmark.measure(["datasets"])
    assert 5 < most < asked < 5_000
    assert seconds > 0
    with pytest.raises(RuntimeError, match="no run"):
        benchmark.measure(["predict", "no such run"])
