"""The public tasks: what is written for the program, and that its forecasts come back at the task's own cut-offs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import benchmark_practical as benchmark

PROTOCOL = """
import numpy as np, pandas as pd
from pathlib import Path
DATASETS = Path("nowhere")
TASKS = {"sales": dict(benchmark="fev", h=3, m=4, windows=2, known=["plan"]), "absent": dict(h=3, m=4, windows=2)}
def frames(task):
    if task == "absent": raise FileNotFoundError
    return [pd.DataFrame({"a": np.arange(n) % 4 + n, "plan": np.arange(n) % 2.0},
            index=pd.date_range("1900-01-31", periods=n, freq="ME")) for n in (60, 48)]
def unique_id(number, column): return f"{number}:{column}"
def cutoffs(task, frame): return [len(frame) - 7, len(frame) - 4]
def published(task, metric): return pd.Series({"Auto-ETS": 45.0, "Seasonal_Naive": 50.0} if metric == "MASE" else {})
def score(task, made):
    truth = pd.concat(f.assign(unique_id=f"{k}:a") for k, f in enumerate(frames(task)))
    assert sorted(made.cutoff.unique()) == sorted({f.index[c] for f in frames(task) for c in cutoffs(task, f)})
    ends = made[[str(level / 10) for level in range(1, 10)]].to_numpy()
    assert (np.diff(ends, axis=1) >= 0).all() and len(made) == 2 * 2 * 3
    return {"MASE": float(made["0.5"].mean()), "SQL": 1.0, "WQL": 1.0, "missing": 0}
"""


@pytest.mark.usefixtures("no_plots")
def test_forecasts_come_back_at_the_cut_offs_of_each_series(tmp_path: Path) -> None:
    (tmp_path / "protocol.py").write_text(PROTOCOL)
    protocol = benchmark.load_protocol(tmp_path, tmp_path)
    assert vars(protocol)["DATASETS"] == tmp_path
    table = benchmark.long_table(protocol, "sales")
    assert table.groupby("unique_id")["ds"].agg(["min", "max", "size"]).to_numpy().tolist() == [
        [pd.Timestamp("1900-01-31"), pd.Timestamp("1904-12-31"), 60],
        [pd.Timestamp("1901-01-31"), pd.Timestamp("1904-12-31"), 48],
    ]
    record = benchmark.run_task(protocol, "sales", 0, {"epochs": 1, "units": 4, "lookback": 8, "segment": 4})
    assert record["chosen"]["lookback"] == 8  # type: ignore[index]
    assert 40 < float(str(record["MASE"])) < 70  # levels of 48 and of 60
    row, means = (line.split(" | ") for line in benchmark.table([record], protocol).splitlines()[2:])
    assert row[0] == "| sales"
    assert row[6:8] == ["50.0000", "45.0000"]
    assert means[:3] == ["| 1 of fev-bench / seasonal naive", "", ""]
    assert float(means[3]) == pytest.approx(float(row[3]) / 50, abs=1e-4)
    assert means[4:9] == ["–", "–", "1.0000", "0.9000", "–"]
    assert benchmark.readable_tasks(protocol) == ["sales"]
