"""A training on a panel that is larger than the memory that is allowed: what it learns from, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run, Settings
from forecast.commands.pooling import Scored, pool_parts
from forecast.commands.train.rolling import RollingWindows
from forecast.data.prepare import Rows
from forecast.errors import ConfigError, DataError, RunError
from forecast.plots.footnotes import footnotes
from forecast.progress import NullProgress, StopRequested, Training
from forecast.runs.find import find
from forecast.sources.parts import Parts, parts_of

# Bytes of rows that are held at a time: those of four of the twelve files.
MEMORY = 4 * 2 * 150 * 170


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve files of two series each, on different levels; the last ones are shorter."""
    folder, rng = tmp_path_factory.mktemp("panel"), np.random.default_rng(5)
    for number in range(12):
        parts = []
        for name in ("a", "b"):
            n_rows = 150 - 3 * number
            y = 10 ** rng.uniform(0, 3) * (2 + np.sin(2 * np.pi * np.arange(n_rows) / 12) + rng.normal(0, 0.2, n_rows))
            days = pd.date_range("2024-01-01", periods=n_rows)
            parts.append(pd.DataFrame({"unique_id": f"{number:02d}{name}", "ds": days, "y": y}))
        pd.concat(parts).to_parquet(folder / f"{number:02d}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def settings(tiny: Callable[..., Settings]) -> Settings:
    return tiny(baseline=False, season=12, model="segment-lstm", decode="parallel", segment=3, epochs=3)


@pytest.fixture(scope="module")
def run(folder: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    where = tmp_path_factory.mktemp("runs")
    return forecast.train(folder, settings, run="whole", runs_dir=where, memory=MEMORY, draw=False)


@pytest.fixture(scope="module")
def parts(folder: Path) -> Parts:
    found = parts_of(folder, MEMORY, 0)
    assert found is not None
    return found


def test_a_run_says_of_how_much_it_was_made(run: Run, parts: Parts) -> None:
    assert run.manifest["parts"] == parts.to_record()
    assert run.manifest["parts"]["sampled"] < run.manifest["parts"]["files"] == 12
    sampled = {Path(path).stem for path in parts.sample}
    assert {name[:2] for name in run.data["series_ids"]} == sampled
    assert run.takes_unseen_series
    assert parts.describe() in run.manifest["data"]["notes"]


def test_every_set_is_learned_from_and_none_beyond_its_training_span(run: Run, parts: Parts, folder: Path) -> None:
    windows = RollingWindows(parts, run.config, run.scaler, batch_size=16, steps_per_epoch=1)
    data, learned = run.config.data, dict[str, np.datetime64]()
    begun = dict[str, float]()
    for step in range(0, 25 * len(parts.sets)):
        rows, starts = windows.at(step)
        assert len(starts) == 16
        for start in starts.tolist():
            name = rows.panel.series_ids[rows.series[start]]
            last = rows.panel.times[start + data.lookback + data.horizon - 1]
            learned[name] = max(learned.get(name, last), last)
            begun[name] = rows.scaler.mean[rows.scaler.positions([name])[0], 0]
            known = name in run.data["series_ids"]
            assert rows.identity[start] == (
                run.data["series_ids"].index(name) if known else len(run.data["series_ids"])
            )
    assert len(learned) == 24
    for path in sorted(folder.iterdir()):
        for name, own in pd.read_parquet(path).groupby("unique_id"):
            n_training = len(own) - int(len(own) * 0.2 + 1e-6) - int(len(own) * 0.1 + 1e-6)
            assert learned[str(name)] == own["ds"].iloc[n_training - 1]  # 25 batches pass through every window
            assert begun[str(name)] == pytest.approx(own["y"].iloc[:n_training].mean())


def test_the_number_of_a_step_alone_decides_what_it_sees(run: Run, parts: Parts) -> None:
    def fed(step: int, *before: int) -> tuple[Rows, list[int]]:
        windows = RollingWindows(parts, run.config, run.scaler, 16, 1)
        for earlier in before:
            windows.at(earlier)
        rows, starts = windows.at(step)
        return rows, starts.tolist()

    (rows, starts), (again, same) = fed(60), fed(60, 3, 59)
    assert (rows.panel.series_ids, starts) == (again.panel.series_ids, same)
    assert fed(61)[1] != starts


def _assert_equal(found: object, expected: object, where: str) -> None:
    if isinstance(found, dict):
        assert isinstance(expected, dict)
        for key in found.keys() & expected.keys():
            _assert_equal(found[key], expected[key], f"{where}.{key}")
    elif isinstance(found, (float, list)) and expected is not None:
        assert found == pytest.approx(expected, rel=1e-9, nan_ok=False), where
    else:
        assert found == expected, where


def test_scores_of_parts_are_those_of_all_rows_at_once(run: Run, folder: Path) -> None:
    whole, pooled = forecast.evaluate(run, folder), forecast.evaluate(run, folder, memory=MEMORY)
    by_series = {key for key in whole if key.endswith("by_series")}
    only_whole = {"naive_error", "forecasts_every", "windows", "calibration_warnings", "yardstick", *by_series}
    of_series = {"n_series", "n_series_unscored", "n_series_unscaled", "heaviest_series"}
    assert pooled.keys() - whole.keys() == {"n_files", *of_series}
    assert whole.keys() - pooled.keys() <= only_whole
    _assert_equal(dict(pooled), dict(whole), "scores")
    assert pooled["models"].keys() == whole["models"].keys()
    assert pooled["p_value"]["persistence"] is not None
    assert (pooled["n_files"], pooled["n_series"], pooled["n_series_unscored"]) == (12, 24, 0)
    assert pooled["verdict"] == whole["verdict"]


def test_the_scores_of_a_run_are_those_of_all_files(run: Run, folder: Path) -> None:
    pooled = forecast.evaluate(run, folder, memory=MEMORY)
    assert run.metrics["verdict"] == pooled["verdict"]
    assert (run.metrics["n_windows"], run.metrics["n_files"]) == (pooled["n_windows"], 12)
    for name, scores in pooled["models"].items():
        assert run.metrics["models"][name]["mase"] == pytest.approx(scores["mase"], rel=1e-5)
    assert {name[:3] for name in run.metrics["by_series"]} == set(run.data["series_ids"])  # of the sample
    assert "Figures are of 24 series in 12 files; those by series, and plots, of the 4 of the sample." in footnotes(
        run.metrics
    )


def test_series_without_a_scale_are_no_perfect_forecasts(run: Run, folder: Path, tmp_path: Path) -> None:
    for path in sorted(folder.iterdir())[:5]:
        rows = pd.read_parquet(path).assign(unique_id=lambda known: "new " + known["unique_id"])
        still = rows.groupby("unique_id").cumcount() < 0.8 * len(rows) / 2
        rows.assign(y=rows["y"].where(~still, 5.0)).to_parquet(tmp_path / path.name, index=False)
    found = forecast.evaluate(run, tmp_path, memory=MEMORY)
    assert found["skill"]["persistence"] is None
    assert found["verdict"].startswith("No skill can be measured: values 12 steps apart never differ")


def test_files_that_cannot_be_scored_are_named(parts: Parts) -> None:
    def refuse(files: list[str]) -> dict[str, Scored]:
        raise DataError("There is no such column.", "Give more rows.")

    with pytest.raises(DataError, match=r"^\d\d\.parquet, \d\d\.parquet: There is no such column"):
        pool_parts(parts, refuse, NullProgress())
    with pytest.raises(DataError, match="No file has a window to score"):
        pool_parts(parts, lambda files: {"": Scored(tuple(files), 1, None)}, NullProgress())
    with pytest.raises(DataError, match=r"The series 'a' is in .* memory needs each series whole, in one file"):
        pool_parts(parts, lambda _: {"": Scored(("a",), 1, None)}, NullProgress())


def test_what_is_trained_again_learns_from_all_rows(run: Run, parts: Parts) -> None:
    windows = RollingWindows(parts, run.config, run.scaler, 32, 1, of_all_rows=True)
    last = {}
    for step in range(25):  # of one set
        rows, starts = windows.at(step)
        for series, start in zip(rows.series[starts], starts, strict=True):
            last[series] = max(last.get(series, 0), start + run.config.data.lookback + run.config.data.horizon)
    assert last == {series: rows.panel.rows(series).stop for series in range(rows.panel.n_series)}


def test_a_sample_that_tells_nothing_of_the_other_files_is_refused(
    folder: Path, settings: Settings, tmp_path: Path
) -> None:
    rows = pd.concat([pd.read_parquet(path) for path in sorted(folder.iterdir())[:2]])
    for month, part in rows.groupby(rows["ds"].dt.month):
        (tmp_path / "months").mkdir(exist_ok=True)
        part.to_parquet(tmp_path / "months" / f"{month}.parquet", index=False)
    with pytest.raises(DataError, match=r"The series '00a' is in \d.parquet, and in \d.parquet: memory needs each"):
        forecast.train(tmp_path / "months", settings, runs_dir=tmp_path, memory=2 * 124 * 170)
    for name, part in rows.groupby("unique_id"):
        (tmp_path / "series").mkdir(exist_ok=True)
        part.to_parquet(tmp_path / "series" / f"{name}.parquet", index=False)
    with pytest.raises(DataError, match=r"Half of the memory holds one series, and all is chosen by what it holds"):
        forecast.train(tmp_path / "series", settings, runs_dir=tmp_path, memory=2 * 150 * 170)


def test_a_run_of_parts_is_not_updated_by_its_sample(run: Run) -> None:
    with pytest.raises(ConfigError, match=r"trained in parts on more rows than memory holds") as refused:
        forecast.update(run)
    assert f"memory='{MEMORY}B', run='whole', overwrite=True" in str(refused.value)


class _Stops(NullProgress):
    def step(self, fit: Training) -> None:
        if fit.state.step == 33:
            raise StopRequested(15)


@pytest.mark.thorough
def test_an_interrupted_training_ends_with_the_same_bits(
    run: Run, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(StopRequested):
        forecast.train(folder, settings, run="cut", runs_dir=tmp_path, memory=MEMORY, draw=False, progress=_Stops())
    with pytest.raises(RunError):
        find("cut", runs_dir=tmp_path)
    resumed = forecast.resume("cut", runs_dir=tmp_path)
    for name, weights in run.weights("model").items():
        np.testing.assert_array_equal(resumed.weights("model")[name], weights)
