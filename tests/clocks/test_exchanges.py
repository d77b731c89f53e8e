"""Exchanges as clocks: by name, by the rows, and without the library that knows them."""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from forecast.choices.defaults import resolve
from forecast.config import Config, ReadOptions, Settings
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.errors import DataError, MachineError
from forecast.runs.run import Run
from forecast.sources.read import read

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of versions to come
    library = pytest.importorskip("exchange_calendars")


def rows(exchange: str, first: str, last: str) -> pd.DataFrame:
    """A price on each session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        days = library.get_calendar(exchange, start=first, end=last).sessions
    return pd.DataFrame({"ds": days, "close": 100 + np.sin(np.arange(len(days)) / 9)})


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return rows("XNYS", "2024-01-02", "2026-11-24")


@pytest.fixture(scope="module")
def panel(frame: pd.DataFrame) -> Panel:
    return read(frame)


def days_after(panel: Panel, steps: int) -> list[str]:
    return panel.clock.future(panel.times[-1], steps).astype("datetime64[D]").astype(str).tolist()


def test_rows_of_one_exchange_choose_its_sessions(panel: Panel) -> None:
    assert panel.clock.freq == "XNYS"
    assert days_after(panel, 3) == ["2026-11-25", "2026-11-27", "2026-11-30"]  # Thanksgiving is the 26th
    assert any("fit the sessions of XNYS and of no other exchange" in note for note in panel.notes)
    assert any("end early: 2026-11-27, 2026-12-24" in note for note in panel.notes)
    assert len(np.unique(panel.stretches())) == 1


def test_the_sessions_are_kept_in_the_configuration(
    panel: Panel, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = resolve(Settings(), panel)
    kept = Config.model_validate_json(config.to_json()).read
    assert kept.session_days == panel.clock.session_days
    assert kept.session_days is not None
    assert kept.session_days.until == "2036-12-31"
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)  # another version, or none
    again = read(frame[-9:], kept)
    assert again.clock == panel.clock
    assert days_after(again, 2) == ["2026-11-25", "2026-11-27"]


def test_without_the_library_rows_stay_on_business_days_and_a_name_asks_for_it(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    panel = read(frame)
    assert panel.clock.freq == "B"
    assert days_after(panel, 2) == ["2026-11-25", "2026-11-27"]  # by the rule that the rows show
    with pytest.raises(MachineError, match="not installed") as refusal:
        read(frame, ReadOptions(freq="XNYS"))
    assert "forecast-lstm[calendars]" in refusal.value.text("shell")[1]
    assert refusal.value.exit_code == 3


def test_a_run_on_business_days_stays_on_them(frame: pd.DataFrame) -> None:
    run = SimpleNamespace(config=SimpleNamespace(read=ReadOptions()), clock=Clock("B"))
    assert read(frame, Run.read_options.func(run)).clock.freq == "B"  # type: ignore[attr-defined]
    run = SimpleNamespace(config=SimpleNamespace(read=ReadOptions(freq="pattern")), clock=Clock("D MON-SAT"))
    assert Run.read_options.func(run).freq == "D MON-SAT"  # type: ignore[attr-defined]


def test_what_is_asked_for_is_taken(frame: pd.DataFrame) -> None:
    assert read(frame, ReadOptions(freq="B")).clock.freq == "B"
    odd = pd.concat([frame, pd.DataFrame({"ds": [pd.Timestamp("2024-07-04")], "close": [100.0]})]).sort_values("ds")
    panel = read(odd, ReadOptions(freq="XNYS"))
    assert panel.n_rows == len(frame)
    assert any("1 row(s) when XNYS is closed, the first of 2024-07-04, are left out" in said for said in panel.warnings)
    assert read(odd).clock.freq == "B"  # a day on which the exchange was closed is another market's


def test_exchanges_with_the_same_sessions_are_told_and_none_is_chosen() -> None:
    panel = read(rows("XPAR", "2023-01-02", "2024-12-31"))
    assert panel.clock.freq == "B"
    assert any("XAMS" in note and "XPAR" in note and "alike" in note for note in panel.notes)


def test_a_clock_of_an_exchange_needs_no_rows() -> None:
    future = Clock("XNYS").future(np.datetime64("2026-11-24"), 2)
    np.testing.assert_array_equal(future, np.array(["2026-11-25", "2026-11-27"], "datetime64[us]"))
    assert Clock("NYSE") == Clock("XNYS")
    with pytest.raises(DataError, match="'XNYZ' is neither a frequency nor an exchange") as refusal:
        Clock("XNYZ")
    assert "Exchanges: AIXK" in refusal.value.text("python")[1]


def test_the_built_in_prices_are_forecast_on_trading_days() -> None:
    panel = read("stocks")
    expected = rows("XNYS", "2008-10-15", "2009-12-31")["ds"].to_numpy().astype("datetime64[us]")
    np.testing.assert_array_equal(panel.clock.future(panel.times[-1], len(expected)), expected)
