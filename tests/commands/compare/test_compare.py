"""Compare: the same windows for all, the choice by validation, and each training the same as on its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, DataError, Run, Settings
from forecast.choices.probe import Found
from forecast.commands.compare import classical
from forecast.commands.compare import compare as comparing
from forecast.commands.compare.classical import References
from forecast.commands.compare.compare import Comparison, _common_windows, _tasks, compare
from forecast.commands.compare.page import comparison_page
from forecast.commands.compare.plot import plot_leaderboard
from forecast.commands.compare.tables import hardest_naive, leaderboard_tables
from forecast.config import TrainingConfig
from forecast.data.windows import Windows
from forecast.plots.style import model_name
from forecast.progress import NullProgress
from naive_names import NAIVE_OF_CYCLES
from recording import RecordingProgress

Tiny = Callable[..., Settings]
Compared = tuple[Comparison, RecordingProgress, Path]

SMALL = {"units": 8, "epochs": 2, "batch_size": 16, "lookback": 6, "horizon": 3, "normalise": "none"}


@pytest.fixture(scope="module")
def quick_references() -> Iterator[None]:
    """Theta, which takes no time, and one that fails at some of its fits."""

    def sometimes(history: np.ndarray, season: int, horizon: int) -> np.ndarray:
        if len(history) % 2:
            raise ValueError
        return np.full(horizon, history.mean())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classical, "_LEAST_ROWS", 1000)
        patch.delitem(classical.CLASSICAL, "ets")  # type: ignore[arg-type]
        patch.setitem(classical.CLASSICAL, "sarima", sometimes)  # type: ignore[arg-type]
        yield


@pytest.fixture(scope="module")
def compared(monthly_csv: Path, tmp_path_factory: pytest.TempPathFactory, quick_references: None) -> Compared:
    """An LSTM beside the vanilla RNN, two seeds each; what was said; and the folder for what is temporary."""
    progress, place = RecordingProgress(), tmp_path_factory.mktemp("aside")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(place))
        found = compare(monthly_csv, ["lstm"], SMALL, seeds=2, classical_seconds=60, progress=progress)
    return found, progress, place


def test_each_training_is_that_of_train(compared: tuple[Comparison, RecordingProgress, Path], trained: Run) -> None:
    first = compared[0].summary["models"]["lstm"]["by_seed"][0]
    told = trained.metrics
    assert first["seed"] == trained.config.training.seed
    assert first["mae"] == pytest.approx(told["models"]["lstm"]["mae"], rel=1e-12)
    assert first["best_epochs"] == trained.manifest["networks"]["model"]["best_epochs"]
    assert first["parameters"] == trained.manifest["networks"]["model"]["parameters"]
    assert compared[0].summary["n_windows"] == told["n_windows"]
    naive = compared[0].summary["models"]["seasonal-naive"]
    assert naive["mae"] == told["models"]["seasonal-naive"]["mae"]


def test_a_notebook_shows_the_leaderboard(compared: Compared) -> None:
    found = compared[0]
    assert repr(found) == f"<Comparison on monthly: {found.verdict}>"
    assert "On all" in found._repr_html_()


def test_the_vanilla_rnn_always_stands_in_the_table(compared: Compared) -> None:
    summary = compared[0].summary
    assert set(summary["models"]) == {"rnn", "lstm", *NAIVE_OF_CYCLES}
    assert set(summary["models"]["lstm"]["skill"]) == {"rnn", *NAIVE_OF_CYCLES}
    assert set(summary["models"]["rnn"]["skill"]) == set(NAIVE_OF_CYCLES)
    assert compared[1].networks == [
        "rnn, seed 0, 1 of 4", "lstm, seed 0, 2 of 4", "rnn, seed 1, 3 of 4", "lstm, seed 1, 4 of 4",
    ]  # fmt: skip


def test_the_lowest_validation_error_is_chosen(compared: Compared) -> None:
    summary = compared[0].summary
    networks = {name: line for name, line in summary["models"].items() if line["kind"] == "network"}
    assert summary["chosen"] == min(networks, key=lambda name: networks[name]["validation"]) == next(iter(networks))
    assert summary["chosen"] in compared[0].verdict


def test_the_classical_stand_beside_all_others_on_their_own_windows(compared: Compared) -> None:
    beside = compared[0].summary["classical"]
    assert list(beside["models"])[2:4] == ["theta", "sarima"]
    assert beside["n_windows"] == compared[0].summary["n_windows"]  # they were fast enough for all of them
    assert beside["models"]["lstm"]["mae"] == pytest.approx(compared[0].summary["models"]["lstm"]["mae"])
    assert {"theta", "sarima"} <= set(beside["models"]["lstm"]["skill"])
    assert beside["failed"]["sarima"] == beside["n_windows"] // 2
    assert any(f"sarima failed at {beside['failed']['sarima']} of" in said for said in compared[1].warnings)


def test_the_table_holds_both(compared: Compared) -> None:
    frame = compared[0].leaderboard
    assert len(frame) == 7 + 9
    assert {"windows", "model", "kind", "chosen", "validation", "mae", "mae_spread", "parameters", "seconds"} <= set(
        frame.columns
    )
    lstm = frame[frame["model"] == "lstm"].iloc[0]
    seeds = [scores["mae"] for scores in compared[0].summary["models"]["lstm"]["by_seed"]]
    assert lstm["mae"] == pytest.approx(np.mean(seeds))
    assert lstm["mae_spread"] == pytest.approx(np.std(seeds, ddof=1))
    assert seeds[0] != seeds[1]


def test_the_summary_is_json_and_nothing_is_left_behind(compared: Compared) -> None:
    assert json.loads(json.dumps(compared[0].summary, allow_nan=False)) == compared[0].summary
    assert list(compared[2].iterdir()) == []


def test_the_plot_is_drawn(compared: Compared) -> None:
    figure = compared[0].plot()
    above, below = figure.axes
    assert [label.get_text() for label in above.get_yticklabels()][:2] == [
        forecast.plots.style.model_name(name) for name in list(compared[0].summary["models"])[:2]  # type: ignore[attr-defined]
    ]  # fmt: skip
    assert len(below.get_yticks()) == 9
    assert len(forecast.plots.to_png(figure)) > 10_000
    alone = compared[0].summary | {"classical": None}
    assert len(plot_leaderboard(alone).axes) == 1


def test_lookbacks_may_differ_and_the_windows_are_the_same(
    monthly: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.choices.defaults.probe", lambda *_: Found(40, why_lookback="it is longer"))
    gapped = monthly.drop(index=155)  # followed by windows of 36 rows sooner than by those of 40
    settings = {name: value for name, value in SMALL.items() if name != "lookback"}
    settings |= {"epochs": 1, "least_observed": 1.0}
    progress = RecordingProgress()
    found = compare(gapped, ["segment-rnn"], settings, seeds=1, classical_seconds=0, progress=progress)
    lookbacks = [note for note in progress.notes if "lookback" in note]
    assert [note.split(" months")[0] for note in lookbacks] == ["rnn: lookback 36", "segment-rnn: lookback 40"]
    assert found.summary["first_origin"][:10] == "2006-04-01"  # 40 rows after the gap
    assert found.summary["n_windows"] == 2
    assert found.summary["models"]["rnn"]["mae_spread"] is None
    assert found.summary["classical"] is None
    assert found.leaderboard["windows"].nunique() == 1


def test_windows_that_all_have_begin_where_the_longest_lookback_does() -> None:
    short, long = Windows(np.array([7, 8, 9, 20]), 3, 2), Windows(np.array([4, 5, 6]), 6, 2)
    found = _common_windows([short, long], "test")
    assert found.cutoffs.tolist() == [9, 10, 11]
    assert found.lookback == 6
    with pytest.raises(DataError, match="No window of the test span can be forecast by all models"):
        _common_windows([short, Windows(np.array([50]), 6, 2)], "test")


def test_an_ensemble_takes_seeds_of_its_own() -> None:
    tasks = _tasks(["rnn", "lstm"], TrainingConfig.model_construct(ensemble=2, seed=5), 3)
    assert tasks[:2] == [("rnn", 5, "seed 5, 1 of 6"), ("lstm", 5, "seed 5, 2 of 6")]
    assert [seed for _, seed, _ in tasks] == [5, 5, 7, 7, 9, 9]


def test_several_targets_are_forecast_in_one_way_by_all(monthly: pd.DataFrame) -> None:
    two = monthly.assign(z=monthly["y"] * 2 + np.arange(len(monthly)) % 5)
    progress = RecordingProgress()
    settings = SMALL | {"target": "y,z", "epochs": 1}
    found = compare(two, ["segment-rnn"], settings, seeds=1, classical_seconds=0, progress=progress)
    assert any("several targets" in note for note in progress.notes)
    assert found.summary["target"] == ["y", "z"]
    assert found.summary["measure"] == "MASE"
    assert "MASE" in found.verdict


def test_what_cannot_be_compared_is_refused_before_any_training(monthly: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="no model 'lstn'"):
        compare(monthly, ["lstn"])
    with pytest.raises(ConfigError, match="seeds must be at least 1"):
        compare(monthly, seeds=0)
    with pytest.raises(ConfigError, match="classical_seconds at least 0"):
        compare(monthly, classical_seconds=float("nan"))


def test_what_is_left_out_is_told_with_the_time_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Windows(np.array([0]), 6, 3)
    slow = References(one, {}, {"ets": 0.3}, {}, left_out=("ets",), least_cutoffs=8)
    monkeypatch.setattr(comparing, "classical_references", lambda *_, **__: slow)
    benchmark = comparing._Benchmark(None, one, one, 12, {})  # type: ignore[arg-type]
    references, notes = comparing._classical_references(benchmark, 2, NullProgress())
    assert references is None
    assert notes == [
        "ets is left out: a fit takes 0.3 seconds, and at least 8 cut-offs are needed: 2.4 seconds, of which it has 2"
    ]


def test_the_naive_forecast_that_is_beaten_least_has_a_column(compared: Compared) -> None:
    summary = compared[0].summary
    (hardest,) = hardest_naive(summary)
    line = summary["models"][summary["chosen"]]
    assert line["skill"][hardest] == min(line["skill"][name] for name in NAIVE_OF_CYCLES)
    columns = [f"vs {model_name(name)}" for name in dict.fromkeys(("rnn", "persistence", "seasonal-naive", hardest))]
    assert [name for name in leaderboard_tables(summary)[0].columns if name.startswith("vs ")] == columns


def test_the_page_of_a_comparison(compared: Compared) -> None:
    summary = compared[0].summary | {"title": "<script>alert(1)</script>"}
    assert any(note.startswith("sarima failed at ") for note in summary["classical_notes"])
    page = comparison_page(summary, "forecast compare x --models lstm")
    assert f"{summary['classical_notes'][0]}." in page
    assert (
        page.index(summary["verdict"].split("'")[0]) < page.index("The leaderboard") < page.index("How to reproduce it")
    )
    assert "<script>" not in page
    assert "forecast compare x --models lstm" in page
    assert summary["fingerprint"] in page
    for name in ("vanilla RNN, chosen", "seasonal naive", "drift"):
        assert name in page or name.removesuffix(", chosen") in page
    assert page.count("data:image/svg+xml") == 2
    assert "http://" not in page.replace("http://www.w3.org", "")
