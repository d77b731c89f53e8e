"""A run that version 0.1 trained on `weather`, an ensemble of two; its plots and test forecasts were left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run
from forecast.runs.calibration import intervals_of
from forecast.runs.find import open_run


@pytest.fixture(scope="module")
def old() -> Run:
    return open_run(Path(__file__).parent / "version-0.1")


def test_a_run_of_version_0_1_forecasts_what_it_did_then(old: Run) -> None:
    keys = ["unique_id", "ds", "cutoff"]
    now, then = forecast.predict(old, "weather"), old.forecast
    pd.testing.assert_frame_equal(now[keys], then[keys], check_dtype=False)
    assert list(now) == list(then)
    np.testing.assert_allclose(now.drop(columns=keys), then.drop(columns=keys), rtol=1e-5)


def test_a_run_of_version_0_1_is_read_whole(old: Run) -> None:
    assert old.manifest["versions"]["forecast"] == "0.1.0"
    assert (old.weights("model").keys(), old.weights("refit").keys()) == (old.weights("refit").keys(),) * 2
    assert old.weights("baseline")
    assert old.metrics["models"].keys() == {"lstm", "rnn", "persistence", "seasonal-naive", "drift"}
    assert old.history["member"].tolist() == old.history_of("baseline")["member"].tolist() == [1, 2]
    assert old.tracked_gradients.keys() == {"lstm", "rnn"}
    intervals = intervals_of(old, "start")
    assert intervals is not None
    one = intervals.calibrations["lstm"]  # whose outcomes were not counted then
    assert np.isnan(one.outcomes).all()
    assert one.borrowed.tolist() == [False]
    assert old.report is None
