"""Plain rows are read as any table is: the same panel, the same warnings; what is not plain is left to that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.clocks.exchanges import sessions_of
from forecast.commands.serve.plain import PlainRows
from forecast.config import ReadOptions
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.sources.read import read

OPTIONS = ReadOptions(codes=())


def plain(
    freq: str,
    ids: tuple[str, ...] = ("",),
    columns: tuple[str, ...] = ("y", "rain"),
    options: ReadOptions = OPTIONS,
) -> PlainRows:
    """How the rows of a run with this clock, these series and these columns are read."""
    clock = Clock(freq, options.tz, session_days=options.session_days)
    run: Any = SimpleNamespace(clock=clock, read_options=options, data={"series_ids": list(ids)})
    return PlainRows(run, "ds", "unique_id", columns)


def table(freq: str, n_rows: int = 40, kind: str = "noise") -> pd.DataFrame:
    """Rows on a clock, with columns of this kind."""
    rng = np.random.default_rng(3)
    times = pd.date_range("2021-03-01", periods=n_rows, freq=freq)
    y, rain = rng.normal(20, 5, n_rows), rng.gamma(0.3, 4.0, n_rows)
    if kind == "odd":
        y[7], rain[3:6] = 4e4, 0.0
    elif kind == "stuck":
        y[5:30] = y[5]
    elif kind == "constant":
        y[:], rain[:] = 3.0, np.round(rain)
    elif kind == "holes":
        y[[4, 5, 20]] = np.nan
    elif kind == "small":
        y, rain = 1e6 + y * 1e-3, rain * 1e-12
    return pd.DataFrame({"ds": times.strftime("%Y-%m-%dT%H:%M:%S" if "h" in freq or "min" in freq else "%Y-%m-%d"),
                         "y": y, "rain": rain})  # fmt: skip


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict(orient="records")


def assert_same(found: Panel | None, expected: Panel) -> None:
    assert found is not None
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.times, expected.times)
    for field in ("columns", "series_ids", "offsets", "warnings", "texts", "coded", "issues"):
        assert getattr(found, field) == getattr(expected, field), field
    assert (found.clock.freq, found.clock.tz) == (expected.clock.freq, expected.clock.tz)
    assert found.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("freq", ["h", "15min", "D", "2D", "W-MON", "MS", "ME", "QS-OCT", "YS-JAN"])
def test_rows_on_any_rule_are_the_panel_that_the_table_gives(freq: str) -> None:
    frame = table(freq)
    expected = read(frame, OPTIONS)
    assert_same(plain(expected.clock.freq).panel(as_rows(frame)), expected)


@pytest.mark.parametrize("freq", ["B", "XNYS", "h MON-FRI 09:00-17:00", "MS 15", "W-MON", "step"])
def test_rows_on_a_clock_that_was_named_are_the_panel_that_the_table_gives(freq: str) -> None:
    session_days = sessions_of(freq) if freq == "XNYS" else None
    options = OPTIONS.model_copy(update={"freq": freq, "session_days": session_days})
    last = np.datetime64(1_000, "us") if freq == "step" else np.datetime64("2021-04-30T13:00", "us")
    times = Clock(freq, session_days=session_days).past(last, 40)
    frame = table("h").assign(ds=times.astype(np.int64) if freq == "step" else np.datetime_as_string(times, unit="m"))
    if freq == "B":
        frame = frame.assign(ds=frame["ds"].str[:10])[frame["ds"].str[:10] != "2021-04-02"]  # Good Friday
    elif "h" not in freq and freq != "step":
        frame = frame.assign(ds=frame["ds"].str[:10])
    assert_same(plain(freq, options=options).panel(as_rows(frame)), read(frame, options))


@pytest.mark.parametrize(
    ("end", "written"),
    [("2021-04-02 12:00", "%Y-%m-%d %H:%M"), ("2021-10-31 00:00", "%Y-%m-%d %H:%M"),
     ("2021-11-03 01:00", "%Y-%m-%dT%H:%M:%S%z"), ("2021-11-03 01:00", "utc")],
)  # fmt: skip
def test_rows_of_a_zone_are_the_panel_that_the_table_gives(end: str, written: str) -> None:
    options = OPTIONS.model_copy(update={"tz": "Europe/Berlin"})
    # Clocks go forward among them, or back after them, or back among them.
    times = pd.date_range(end=end, periods=240, freq="h", tz="UTC").tz_convert("Europe/Berlin")
    text = times.tz_convert(None).strftime("%Y-%m-%dT%H:%MZ") if written == "utc" else times.strftime(written)
    frame = table("h", 240).assign(ds=[f"{t[:-2]}:{t[-2:]}" if written.endswith("z") else t for t in text])
    assert_same(plain("h", options=options).panel(as_rows(frame)), read(frame, options))


@pytest.mark.parametrize("kind", ["odd", "stuck", "constant", "holes", "small"])
def test_what_is_odd_in_them_is_told_alike(kind: str) -> None:
    frame = table("h", 60, kind)
    assert_same(plain("h").panel(as_rows(frame)), read(frame, OPTIONS))


def test_series_may_stand_in_any_order() -> None:
    frame = pd.concat([table("D").assign(unique_id=name) for name in ("south", "north")]).sample(frac=1, random_state=1)
    columns = ["ds", "unique_id", "y", "rain"]
    expected = read(frame[columns].sort_values(["unique_id", "ds"]), OPTIONS)
    assert_same(plain("D", ("north", "south")).panel(as_rows(frame[columns])), expected)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda rows: rows[:5],
        lambda rows: rows[:10] + rows[11:],
        lambda rows: [*rows, rows[-1]],
        lambda rows: rows[::-1],
        lambda rows: [*rows[:-1], rows[-1] | {"ds": "2021-04-09T00:00"}],
        lambda rows: [*rows[:-1], rows[-1] | {"ds": "2021-13-09"}],
        lambda rows: [row | {"ds": row["ds"] + "T00:00+02:00"} for row in rows],
        lambda rows: [*rows[:-1], {"ds": "2021-04-09", "y": 1.0}],
        lambda rows: [row | {"more": 1.0} for row in rows],
        lambda rows: [row | {"rain": None} for row in rows],
        lambda rows: [row | {"y": 1.6e9 + 86_400 * number} for number, row in enumerate(rows)],
        lambda rows: [row | {"y": -999.0} if number in (3, 9) else row for number, row in enumerate(rows)],
    ],
)
def test_what_is_not_plain_is_left_to_the_reader_of_tables(spoilt: Any) -> None:
    assert plain("D").panel(spoilt(as_rows(table("D")))) is None


def test_hours_of_a_zone_that_come_twice_or_not_at_all_are_left_to_the_reader_of_tables() -> None:
    reader = plain("h", options=OPTIONS.model_copy(update={"tz": "Europe/Berlin"}))
    for day in ("2021-03-28", "2021-10-31"):
        local = pd.date_range(end=f"{day} 02:00", periods=40, freq="h").strftime("%Y-%m-%d %H:%M").tolist()
        frame = table("h").assign(ds=[*local[1:], local[-1]] if day == "2021-10-31" else local)
        assert reader.panel(as_rows(frame)) is None


@pytest.mark.parametrize(
    ("freq", "columns"), [("B", ("y",)), ("step", ("y",)), ("D", ("y", "year")), ("D", ("y", "id")), ("D", ("end",))]
)
def test_a_run_whose_rows_may_be_read_in_other_ways_has_none(freq: str, columns: tuple[str, ...]) -> None:
    frame = table("D").assign(**dict.fromkeys(columns, 1.0))
    assert plain(freq, columns=columns).panel(as_rows(frame[["ds", *columns]])) is None
