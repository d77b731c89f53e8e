"""The accuracy table keeps to the published protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import benchmark_accuracy as benchmark
import forecast
from forecast.choices.defaults import resolve

DATASETS = Path(__file__).parents[3] / "shared" / "datasets"


def test_the_published_figures_are_those_of_the_papers() -> None:
    known = benchmark.published()
    assert known["PatchTST/64", "ETTh1", 96] == (0.370, 0.400)
    assert known["TimeMixer(searched)", "Weather", 720] == (0.310, 0.330)
    means = {
        model: np.mean(
            [known[model, name, horizon][0] for name in benchmark.ROWS_OF_20 for horizon in (96, 192, 336, 720)]
        )
        for model in benchmark.SHOWN
    }
    assert means["TimeMixer(searched)"] == pytest.approx(0.3106, abs=5e-5)
    assert means["SegRNN(GRU)"] == pytest.approx(0.3175, abs=5e-5)


def test_the_table_averages_seeds_and_cells() -> None:
    def record(name: str, seed: int, model: str, mse: float) -> dict[str, object]:
        scores = {"mse": mse, "mae": 0.5, "seconds": 10 * mse, "parameters": 145_000}
        return {"dataset": name, "horizon": 96, "seed": seed, "model": model, **scores}

    factors = {"segment-lstm": 1.0, "rnn": 1.25, "persistence": 3.0}
    records = [record("ETTh1", seed, model, by * (1 + seed)) for seed in (0, 1) for model, by in factors.items()]
    records += [record("Exchange", 0, model, 9.0) for model in factors]
    records.append(record("ETTh1", 0, "ensemble", 1.25))
    _, _, first, exchange, mean, _, comparison = benchmark.table(records).splitlines()
    assert first.startswith(
        "| ETTh1 96 | 15 | 145k | 1.500/0.500 | 1.250/0.500 | 1.875/0.500 | 4.500/0.500 | 0.351/0.392 |"
    )
    assert exchange.startswith("| Exchange 96 | 90 | 145k | 9.000/0.500 | – |")
    assert mean.startswith("| mean MSE of 1 |  |  | 1.5000 | 1.2500 |")  # Exchange is not among the twenty
    assert "10.0% lower in the mean, lower in 1 of 2 cells" in comparison

    *_, first, mean = benchmark.table([record("ETTh1", 0, "ensemble", 1.25)]).splitlines()
    assert first.startswith("| ETTh1 96 | 12 | 145k | 1.250/0.500 | 0.351/0.392 |")
    assert mean.startswith("| mean MSE of 1 |  |  | 1.2500 | 0.3510 |")


@pytest.mark.skipif(not DATASETS.is_dir(), reason="the datasets are not here")
@pytest.mark.parametrize(
    ("name", "horizon", "windows"), [("ETTh1", 96, 2785), ("Weather", 720, 9820), ("Exchange", 96, 1422)]
)
def test_every_test_window_of_the_protocol_is_there(name: str, horizon: int, windows: int) -> None:
    panel, settings = benchmark.load(benchmark.TASKS[name], DATASETS)
    config = forecast.configure(settings, lookback=720, horizon=horizon)
    prepared = forecast.prepare(panel, resolve(config, panel)[0])
    assert len(prepared.test) == windows * len(panel.columns)
    np.testing.assert_allclose(prepared.scaler.mean, 0, atol=1e-9)
    np.testing.assert_allclose(prepared.scaler.scale, 1, atol=1e-9)
