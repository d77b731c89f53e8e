"""Series whose rows come in turns, such as stations at :51 and :53, are told apart; words that come back are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.config import ReadOptions
from forecast.errors import DataError

N = 200


def in_turns(column: str, minutes: Sequence[int], names: Sequence[object] = "abcd", by_time: bool = False):
    """Hourly series, each at a minute of its own; the value tells series and row."""
    hours = pd.date_range("2024-01-01", periods=N, freq="h")
    parts = [
        pd.DataFrame({column: name, "ds": hours + pd.Timedelta(minute, "min"), "y": 1000.0 * number + np.arange(N)})
        for number, (minute, name) in enumerate(zip(minutes, names, strict=False))
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values("ds", ignore_index=True) if by_time else table


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("column", ["id", "station", "STATION_ID", "Sensor name", "site"])
@pytest.mark.parametrize("minutes", [(51, 53), (51, 53, 7, 20), (0, 30)])
def test_stations_at_different_minutes_are_series(column, minutes, by_time):
    panel = forecast.read(in_turns(column, minutes, by_time=by_time))
    assert (panel.columns, panel.clock.freq) == (("y",), "h")
    assert panel.series_ids == tuple("abcd"[: len(minutes)])
    for series in range(panel.n_series):
        np.testing.assert_array_equal(panel.values[panel.rows(series), 0], 1000 * series + np.arange(N))
    assert panel.read_options["series_id"] == column


def test_rows_that_are_absent_do_not_hide_the_series():
    table = in_turns("station", (51, 53), by_time=True)
    panel = forecast.read(table[np.random.default_rng(0).random(len(table)) > 0.1])
    assert panel.series_ids == ("a", "b")


def test_two_stations_are_not_read_as_one_in_silence_where_the_name_does_not_say_so():
    panel = forecast.read(in_turns("kind", (51, 53)))
    assert panel.n_series == 1
    (warning,) = [text for text in panel.warnings if "'kind'" in text]
    assert warning == (
        "The rows of each word in 'kind' lie on a clock of their own, and are read as one series "
        "(series_id='kind' reads them as several)."
    )
    with pytest.raises(DataError, match="each word in 'kind' lie on a clock of their own") as refusal:
        forecast.read(in_turns("kind", (51, 53, 7, 20)))
    assert refusal.value.advice.startswith("Try: forecast.read(")
    assert "series_id='kind'" in refusal.value.advice.split("\n")[0]
    assert forecast.read(in_turns("kind", (51, 53, 7, 20)), ReadOptions(series_id="kind")).n_series == 4


def test_a_run_that_learned_the_words_reads_them_alike_in_new_rows():
    days = pd.date_range("2024-01-01", periods=N, freq="30min")
    lasting = pd.DataFrame({"ds": days, "y": np.arange(N), "sensor": np.where(np.arange(N) // 40 % 2, "a", "b")})
    trained = forecast.read(lasting)
    assert trained.columns == ("y", "sensor=a", "sensor=b")
    turns = in_turns("sensor", (0, 30), by_time=True)
    assert forecast.read(turns).n_series == 2
    assert forecast.read(turns, ReadOptions(notation=trained.read_options["notation"])).columns == trained.columns


@pytest.mark.parametrize("minutes", [(51, 53), (51, 53, 7, 20)])
def test_numbers_of_stations_are_not_taken_unasked(minutes):
    """They may as well be read: what they are is for their user to say."""
    table = in_turns("station", minutes, (725300, 725305, 725310, 725320))
    with pytest.raises(DataError, match="each number in 'station' lie on a clock of their own") as refusal:
        forecast.read(table)
    assert "series_id='station'" in refusal.value.advice
    assert forecast.read(table, ReadOptions(series_id="station")).n_series == len(minutes)


def words(kind: str) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Times of one series, and words beside them that come back."""
    rng, hours = np.random.default_rng(0), pd.date_range("2024-01-01", periods=600, freq="h")
    days, halves = pd.bdate_range("2022-01-03", periods=600), pd.date_range("2024-01-01", periods=600, freq="12h")
    reports = hours[:500].union(hours[rng.choice(500, 60, replace=False)] + pd.Timedelta("17min"))
    return {
        "a flag": (hours, np.where(rng.random(600) < 0.5, "good", "suspect")),
        "a flag that is seldom set": (hours, np.where(rng.random(600) < 0.05, "suspect", "good")),
        "a state that lasts": (hours, np.where(np.arange(600) // 50 % 2, "off", "on")),
        "a check at midnight": (hours, np.where(hours.hour == 0, "check", "measured")),
        "halves of the day": (halves, np.where(halves.hour == 0, "night", "day")),
        "weekdays": (days, days.day_name().to_numpy()),
        "special reports": (reports, np.where(reports.minute == 0, "METAR", "SPECI")),
    }[kind]


KINDS = ["a flag", "a flag that is seldom set", "a state that lasts", "a check at midnight", "halves of the day",
         "weekdays", "special reports"]  # fmt: skip


# Of a station by day and one by night the name decides.
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, "kind") for kind in KINDS] + [(kind, "station") for kind in KINDS if "halves" not in kind]
)
def test_words_that_come_back_name_no_series(kind, name):
    times, beside = words(kind)
    table = pd.DataFrame({"ds": times, "y": np.arange(600.0)[: len(times)], name: beside})
    options = ReadOptions(resample="h") if kind == "special reports" else ReadOptions()
    panel = forecast.read(table, options)
    assert panel.n_series == 1
    assert not [text for text in panel.warnings if "of their own" in text]


def test_names_of_several_parts_never_meet() -> None:
    days = [*pd.date_range("2024", periods=30)] * 2
    parts = {"a": ["x/y"] * 30 + ["x"] * 30, "b": ["z"] * 30 + ["y/z"] * 30}
    panel = forecast.read(pd.DataFrame({"ds": days, **parts, "v": range(60)}), forecast.ReadOptions(series_id="a,b"))
    assert sorted(panel.series_ids) == ["x/y\\/z", "x\\/y/z"]
