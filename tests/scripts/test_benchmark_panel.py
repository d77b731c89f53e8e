"""The generated panel is what it says, and the benchmark of panels judges what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import benchmark_panel as benchmark
import forecast
from generate_panel import generate_panel, write_panel


def test_the_panel_is_the_same_each_time_and_read_as_it_was_made(tmp_path: Path) -> None:
    table = generate_panel(12, 240)
    assert table.equals(generate_panel(12, 240))
    assert not table.equals(generate_panel(12, 240, seed=5))
    for name in ("panel.csv", "panel.parquet"):
        write_panel(tmp_path / name, table)
        panel = forecast.read(tmp_path / name)
        assert (panel.n_series, panel.clock.freq, panel.columns) == (12, "h", ("y",))
        np.testing.assert_array_equal(panel.values[:, 0], table["y"].to_numpy())
    lengths = np.diff(panel.offsets)
    assert 0.73 * 240 - 1 <= lengths.min() < lengths.max() <= 240
    levels = [np.median(panel.values[panel.rows(series)]) for series in range(12)]
    assert max(levels) > 20 * min(levels)


def test_some_series_end_early_by_less_than_a_day() -> None:
    table = generate_panel(60, 240).to_pandas()
    late = table["ds"].max() - table.groupby("unique_id", observed=True)["ds"].max()
    hours = late.dt.total_seconds() / 3600
    assert 0 < (hours > 0).mean() < 0.3
    assert hours.max() <= 24


def test_a_series_may_not_cost_more_among_many() -> None:
    def record(series: int, stage: str, cpu: float) -> dict[str, object]:
        size = {"series": series, "steps": 500, "rows": 500 * series}
        return size | {"stage": stage, "seconds": cpu, "cpu": cpu, "megabytes": 500 * series * 16 / 1024**2}

    records = [
        record(100, "score", 9.0),  # what a stage costs once weighs most among few series
        record(1_000, "score", 10.0),
        record(1_000, "read", 10.0),
        record(10_000, "score", 100.0),
        record(10_000, "read", 1_000.0),
    ]
    lines = [line.strip(" |").split(" | ") for line in benchmark.markdown_table(records).splitlines()[2:]]
    assert [line[-1] for line in lines[-2:]] == ["kept", "a series costs 10.0 × as much"]
    assert lines[-1][:7] == ["10,000 × 500", "read", "1000.0", "1000.0", "100.00", "76", "2.0"]


@pytest.mark.thorough
def test_every_stage_is_measured(tmp_path: Path) -> None:
    write_panel(tmp_path / "panel.parquet", generate_panel(30, 120, "D"))
    records = benchmark.stages(tmp_path / "panel.parquet", epochs=1)
    assert [record["stage"] for record in records][-2:] == ["all of train", "predict anew"]
    assert all(float(str(record["cpu"])) > 0 for record in records)
