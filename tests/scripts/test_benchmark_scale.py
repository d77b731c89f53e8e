"""The benchmark of scale measures what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import benchmark_scale as benchmark
import forecast


def test_both_formats_hold_the_same_rows(tmp_path: Path) -> None:
    panels = []
    for form in ("csv", "parquet"):
        benchmark.write_simulated(tmp_path / f"table.{form}", 5000)
        panels.append(forecast.read(tmp_path / f"table.{form}"))
    np.testing.assert_array_equal(panels[0].values, panels[1].values)
    np.testing.assert_array_equal(panels[0].times, panels[1].times)
    assert 0 < np.isnan(panels[0].values).mean() < 0.01
    assert panels[0].clock.freq == "min"


def test_the_bars_are_judged_on_the_largest_number_of_rows() -> None:
    def record(rows: int, stage: str, seconds: float, megabytes: float) -> dict[str, object]:
        return {"format": "csv", "rows": rows, "stage": stage, "seconds": seconds, "megabytes": megabytes}

    array = 10_000_000 * 4 * 8 / 1024**2
    records = [
        record(1_000_000, "read", 2.0, array),
        record(1_000_000, "score", 2.0, 0.1 * array),
        record(10_000_000, "read", 29.0, 2.9 * array),
        record(10_000_000, "score", 31.0, 3.1 * array),
    ]
    lines = [line.split(" | ") for line in benchmark.table(records).splitlines()[2:]]
    assert [line[-1].strip(" |") for line in lines] == ["", "", "kept", "memory over 3 ×, a row costs 1.6 × as much"]
    assert lines[2][3:7] == ["29.0", "2.90", "885", "2.90"]


@pytest.mark.thorough
def test_every_stage_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    benchmark.write_simulated(path, 20_000)
    records = benchmark.stages(path)
    assert [record["stage"] for record in records] == [
        "read and check",
        "prepare",
        "train an epoch",
        "newest forecast",
        "score",
    ]
    assert all(record["seconds"] > 0 for record in records)


def test_reading_is_measured_beside_pyarrow() -> None:
    head, _, line = benchmark.beside_pyarrow(3000, 1).splitlines()
    assert head.count("|") == line.count("|")
    assert float(line.split("|")[-2]) > 0
