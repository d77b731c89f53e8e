"""Rows of a zone over a year: kept in UTC, read by the clock on the wall."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.data.features import calendar_features
from forecast.sources.read import read

UTC = pd.date_range("2021-12-31 23:00", "2022-12-31 22:00", freq="h", tz="UTC")
BERLIN = UTC.tz_convert("Europe/Berlin")
# The same rows as they are written without an offset, with one, and in UTC: in spring an hour is absent, in autumn one
# stands twice.
WRITTEN = {
    "on the wall": BERLIN.strftime("%Y-%m-%d %H:%M"),
    "with its offset": pd.Index([time.isoformat() for time in BERLIN]),
    "in UTC": UTC.strftime("%Y-%m-%dT%H:%M:%SZ"),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_every_hour_is_there_once_and_the_rush_hour_stays_at_eight(written: pd.Index) -> None:
    frame = pd.DataFrame({"ds": written, "y": np.arange(len(UTC), dtype=float)})
    panel = read(frame, ReadOptions(tz="Europe/Berlin"))
    np.testing.assert_array_equal(panel.times, UTC.tz_localize(None).to_numpy().astype("datetime64[us]"))
    assert len(np.unique(panel.stretches())) == 1
    sine, cosine = calendar_features(panel.times, panel.clock)[:, :2].T
    hours = np.arctan2(sine, cosine) / (2 * np.pi) * 24 % 24
    np.testing.assert_allclose((hours - BERLIN.hour + 12) % 24, 12, atol=1e-9)
    assert panel.clock.isoformat(panel.clock.future(panel.times[-1], 1)[0]) == "2023-01-01T00:00:00+01:00"
    days = read(frame, ReadOptions(tz="Europe/Berlin", resample="D"))
    by_day = frame.groupby(BERLIN.tz_localize(None).normalize())["y"]
    assert sorted(by_day.count().unique()) == [23, 24, 25]
    np.testing.assert_allclose(days.values[:, 0], by_day.mean())
