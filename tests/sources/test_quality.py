"""What is odd in a panel: each finding on a series made to have it, and none on one that does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.sources.from_table import read_panel
from forecast.sources.odd_values import least_spread, spread_about
from forecast.sources.quality import inspect_columns, panel_warnings

STEP = np.arange(400)
WAVE = 20 + 10 * np.sin(STEP / 7)


def panel_of(values: np.ndarray, name: str = "v", freq: str = "h") -> Panel:
    times = np.datetime64("2020-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "h")
    return Panel(values[:, None], times, (name,), Clock(freq))


def test_a_report_counts_what_is_missing():
    values = np.array([1.0, np.nan, 3.0, np.nan, np.nan, 5.0, 8.0])
    panel = Panel(values[:, None], panel_of(values).times, ("T (C)",), Clock("h"), units={"T (C)": "C"})
    (report,) = inspect_columns(panel)
    assert (report.name, report.unit, report.missing, report.longest_missing) == ("T (C)", "C", 3, 2)
    assert (report.minimum, report.median, report.maximum) == (1, 4, 8)
    assert report.findings == ("3 of 7 values are missing, at most 2 in a row.",)


def test_runs_of_missing_values_end_with_their_series():
    values = np.array([1, 2, np.nan, np.nan, 1, 2])
    times = np.tile(panel_of(values).times[:3], 2)
    panel = Panel(values[:, None], times, ("v",), Clock("h"), series_ids=("a", "b"), offsets=(0, 3, 6))
    assert inspect_columns(panel)[0].longest_missing == 1


def test_a_column_may_be_impossible_throughout():
    (finding,) = panel_warnings(panel_of(WAVE + 1000, "humidity"))
    assert "400 value(s) are above 100 %" in finding


@pytest.mark.parametrize("seed", range(8))
def test_what_rules_oddity_out_is_certain(seed):
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal(0, 1 + seed, 300)) * rng.choice([-1, 1], 300) + 10.0**seed
    values[rng.random(300) < 0.1] = np.nan
    present = values[~np.isnan(values)]
    for median in (np.median(present), present.min(), present.max()):
        assert 0 <= least_spread(values, float(np.ptp(present))) <= spread_about(present, float(median))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("v", WAVE),
        ("rain", np.where(STEP % 50 < 3, 1.5, 0.0)),
        ("sun", np.maximum(0, np.sin(STEP / 24 * 2 * np.pi)).round(2)),
        ("close", 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, 400)))),
    ],
)
def test_a_sound_column_has_no_findings(name, values):
    assert panel_warnings(panel_of(values, name)) == ()


def test_absent_rows_are_counted_with_the_longest_gap():
    panel = panel_of(WAVE)
    kept = np.r_[0:100, 103:200, 210:400]
    gappy = Panel(panel.values[kept], panel.times[kept], ("v",), Clock("h"))
    assert "13 hours absent in 2 gap(s), the longest 10 hours after 2020-01-09 07:00" in panel_warnings(gappy)[0]


def test_holidays_of_an_exchange_are_no_gap():
    days = np.array(["2020-12-23", "2020-12-24", "2020-12-29", "2020-12-30"], "datetime64[us]")
    assert panel_warnings(Panel(np.array([[1.0], [2.0], [4.0], [3.0]]), days, ("v",), Clock("B"))) == ()


def test_a_lonely_row_of_1970_is_named():
    times = np.r_[np.datetime64("1970-01-01", "us"), panel_of(WAVE).times]
    panel = Panel(np.r_[1.0, WAVE][:, None], times, ("v",), Clock("h"))
    assert any("1970-01-01" in sentence and "unset clock" in sentence for sentence in panel_warnings(panel))


def test_missing_cells_of_a_column_of_words_are_told_once():
    sky = np.where(STEP % 10 == 0, "", np.where(STEP % 3 == 0, "fog", "sun"))
    frame = pd.DataFrame({"ds": pd.date_range("2020", periods=400, freq="h"), "v": WAVE, "sky": sky})
    panel = read_panel(frame)
    assert panel.columns == ("v", "sky=fog", "sky=sun")
    assert panel.warnings == ("'sky': 40 cell(s) without a word are missing in all of its columns.",)
