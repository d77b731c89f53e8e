"""Steps that are no times: ds = 1, 2, 3 … is the clock where nothing else can be, and forecasts are numbered on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import DataError, Settings
from forecast.errors import NoTimeError


@pytest.fixture(scope="module")
def steps() -> pd.DataFrame:
    """Three series of 80, 70 and 60 steps, the first of which is 1, in the long format of competitions."""
    rng = np.random.default_rng(0)
    rows = [(f"H{n}", step, rng.normal(n)) for n in range(1, 4) for step in range(1, 91 - 10 * n)]
    return pd.DataFrame(rows, columns=["unique_id", "ds", "y"])


def test_numbers_are_the_clock_where_nothing_is_a_time(steps: pd.DataFrame, tmp_path: Path) -> None:
    steps.to_csv(tmp_path / "steps.csv", index=False)
    for source in (steps, steps.sample(frac=1, random_state=1), tmp_path / "steps.csv"):
        panel = forecast.read(source)
        assert panel.clock.freq == "step"
        assert panel.offsets == (0, 80, 150, 210)
        assert panel.columns == ("y",)
        assert panel.clock.format(panel.times[79]) == "80"
        assert any("the clock is the steps that 'ds' numbers, without a calendar" in note for note in panel.notes)


def test_a_time_comes_before_numbers(steps: pd.DataFrame) -> None:
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(steps["ds"], "D")
    panel = forecast.read(steps.rename(columns={"ds": "step"}).assign(day=days))
    assert panel.clock.freq == "D"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda steps: steps.rename(columns={"ds": "size"}),  # not what steps are called
        lambda steps: steps.assign(ds=steps["ds"] ** 2),
        lambda steps: steps.assign(ds=steps["ds"] // 2),  # twice each
        lambda steps: steps.assign(ds=steps["ds"] + 0.5),
    ],
)
def test_other_numbers_are_not_taken_for_steps(
    steps: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    with pytest.raises(NoTimeError, match="no column that is a time") as caught:
        forecast.read(spoil(steps))
    assert isinstance(caught.value, DataError)


def test_forecasts_are_numbered_on(
    steps: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path, plotless: None
) -> None:
    run = forecast.train(steps, tiny(model="rnn", epochs=1), run="run", runs_dir=tmp_path)
    assert run.config.read.freq == "step"
    assert not run.config.data.calendar
    assert run.config.data.split == "series"  # two of three end more than a horizon before step 80
    expected = {"H1": [81, 82, 83], "H2": [71, 72, 73], "H3": [61, 62, 63]}
    assert run.forecast.groupby("unique_id")["ds"].apply(list).to_dict() == expected
    later = pd.DataFrame({"unique_id": "H1", "ds": range(81, 91), "y": np.arange(10.0)})
    found = forecast.predict(run, later)
    assert found["ds"].tolist() == [91, 92, 93]
    assert found["ds"].dtype.kind == "i"
    stream = forecast.Stream(run)
    for step, y in zip(later["ds"], later["y"], strict=True):
        pushed = stream.push(step, {"y": y}, "H1")
    assert pushed is not None
    assert pushed["ds"].tolist() == [91, 92, 93]


def test_the_command_line_writes_whole_numbers(
    steps: pd.DataFrame, quick: Callable[..., object], tiny: Callable[..., Settings], tmp_path: Path, plotless: None
) -> None:
    forecast.train(steps, tiny(model="rnn", epochs=1, baseline=False), run="run", runs_dir=tmp_path)
    path = tmp_path / "new.csv"
    steps.to_csv(path, index=False)
    as_csv = quick("predict", "run", path, "--runs-dir", tmp_path, "--quiet").stdout.splitlines()  # type: ignore[attr-defined]
    assert as_csv[1].startswith("H1,81,80,")
    as_json = json.loads(quick("predict", "run", "--runs-dir", tmp_path, "--json").stdout)  # type: ignore[attr-defined]
    assert as_json[0]["ds"] == 81
