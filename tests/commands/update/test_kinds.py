"""Every kind of run is continued: on a source that has grown, then once more from its record, to the same figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Settings
from forecast.commands.replay import replay
from forecast.progress import NullProgress

pytestmark = pytest.mark.thorough

SINCE = pd.Timestamp("2004-03-01")

KINDS: dict[str, dict[str, Any]] = {
    "ensemble": {"ensemble": 2},
    "refitted": {"refit": True, "ensemble": 2},
    "beside a vanilla RNN": {"baseline": True},
    "stateful": {"stateful": True, "batch_size": 1},
    "quantiles": {"quantiles": "0.1,0.5,0.9"},
    "portfolio": {"members": "recurrent"},
    "with a linear map": {"linear": True},
}


@pytest.fixture(scope="module", autouse=True)
def eager(plotless: None) -> Iterator[None]:
    """Without graphs, whose tracing takes longer than these trainings."""
    from forecast.models.backends.tensorflow import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def grows(folder: Path, before: pd.DataFrame, after: pd.DataFrame, settings: Settings) -> None:
    """Train on rows, update when there are more, and replay the version."""
    source = folder / "rows.csv"
    before.to_csv(source, index=False)
    forecast.train(source, settings, run="run", runs_dir=folder, draw=False)
    after.to_csv(source, index=False)
    quiet = NullProgress()
    run = forecast.update("run", train=True, force=True, runs_dir=folder, draw=False, progress=quiet).run
    assert run.version == 2
    assert replay(run, progress=quiet).same
    assert np.isfinite(forecast.predict(run, source, progress=quiet)[run.config.network.model]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_each_kind(kind: str, tmp_path: Path, monthly: pd.DataFrame, tiny: Callable[..., Settings]) -> None:
    settings = tiny(**{"baseline": False, "steps_per_epoch": 4} | KINDS[kind])
    grows(tmp_path, monthly[monthly["ds"] < SINCE], monthly, settings)


@pytest.mark.parametrize("split", ["time", "series"])
def test_a_panel_of_which_one_series_begins_late_and_one_ends(
    split: str, tmp_path: Path, three: pd.DataFrame, tiny: Callable[..., Settings]
) -> None:
    late, ended = (three["unique_id"] == "south") & (three["ds"] < "1995"), three["unique_id"] == "east"
    rows = three[~late & ~(ended & (three["ds"] >= "2003-06-01"))]
    settings = tiny(split=split, baseline=False, steps_per_epoch=4)
    grows(tmp_path, rows[rows["ds"] < SINCE], rows, settings)


def test_columns_that_are_known_ahead(tmp_path: Path, monthly: pd.DataFrame, tiny: Callable[..., Settings]) -> None:
    rows = monthly.assign(plan=np.cos(2 * np.pi * np.arange(200) / 12))
    settings = tiny(model="segment-lstm", segment=3, known="plan", baseline=False, steps_per_epoch=4)
    before = rows[rows["ds"] < SINCE].copy()
    before.loc[before["ds"] >= "2003-12-01", "y"] = np.nan  # three months of plans
    ahead = rows.copy()
    ahead.loc[ahead.index[-3:], "y"] = np.nan
    grows(tmp_path, before, ahead, settings)


def test_numbered_rows_and_slots_of_a_week(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Callable[..., Settings]
) -> None:
    for name, times, options in (
        ("numbers", pd.Series(range(200)), {"freq": "step"}),
        ("slots", _shop_hours(), {"freq": "pattern"}),
    ):
        rows = pd.DataFrame({"ds": times, "y": monthly["y"]})
        (tmp_path / name).mkdir()
        settings = tiny(baseline=False, steps_per_epoch=4, **options)
        grows(tmp_path / name, rows[:170], rows, settings)


def _shop_hours() -> pd.Series:
    hours = pd.Series(pd.date_range("2024-01-01", periods=24 * 50, freq="h"))
    return hours[(hours.dt.dayofweek < 5) & hours.dt.hour.between(9, 14)][:200].reset_index(drop=True)
