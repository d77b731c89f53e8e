"""Prices and economic series: raw and adjusted closes, events, keys, and services that answer with something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ConfigError, MachineError
from forecast.sources.services.fetch import Fetched
from loopback import Loopback, Reply
from services import as_json, value_at

Fetch = Callable[..., Fetched]


def test_sessions_of_several_tickers_are_one_panel_with_their_events(get: Fetch, services: Loopback) -> None:
    fetched = get("stock:AAPL,MSFT", start="2026-10-26")
    frame = fetched.table.frame
    assert frame.columns.tolist() == ["unique_id", "ds", "open", "high", "low", "close", "adj_close", "volume"]
    week = pd.date_range("2026-10-26", "2026-10-30").tolist()
    assert frame["unique_id"].tolist() == ["AAPL"] * 5 + ["MSFT"] * 5
    assert frame["ds"].tolist() == week + week  # the session of today is not over
    close = [value_at(datetime(2026, 10, day, 14, 30, tzinfo=UTC), 100) for day in range(26, 31)]
    assert frame["close"].tolist()[:5] == close
    assert frame["adj_close"].tolist()[:5] == [round(price * 0.9, 2) for price in close]
    about = fetched.table.about
    assert about["units"] == dict.fromkeys(["open", "high", "low", "close", "adj_close"], "USD") | {"volume": "shares"}
    assert about["about"]["AAPL"] == {
        "currency": "USD",
        "time_zone": "America/New_York",
        "events": [{"date": "2026-10-26", "dividend": 0.24}, {"date": "2026-11-02", "split": "4:1"}],
    }
    assert services.requests[0].params == {
        "period1": "1792972800", "period2": "1793664000", "interval": "1d", "events": "div,splits",
    }  # fmt: skip
    assert fetched.path.name == "stock-aapl-msft.csv"
    before = fetched.path.read_bytes()
    again = get("stock:AAPL,MSFT", refresh=True)
    assert (again.n_new, again.notes, fetched.path.read_bytes()) == (0, (), before)


def chart(**changes: object) -> dict[str, object]:
    """A chart of two sessions of Tokyo, the second of which has no price, and a third that was not asked for."""
    stamps = [int(datetime(2026, 10, day, 0, 0, tzinfo=UTC).timestamp()) for day in (28, 29, 30)]
    prices = [1500.5, None, 1510.0]
    quotes = dict.fromkeys(("open", "high", "low", "close"), prices) | {"volume": [10, None, 12]}
    result = {
        "meta": {"currency": "JPY", "exchangeTimezoneName": "Asia/Tokyo"},
        "timestamp": stamps,
        "indicators": {"quote": [quotes], "adjclose": [{"adjclose": prices}]},
    }
    return {"chart": {"result": [result | changes], "error": None}}


def test_a_day_is_that_of_the_exchange_and_holes_stay(get: Fetch, services: Loopback) -> None:
    services.says("/v8/finance/chart/7203.T", as_json(chart()))
    frame = get("stock:7203.T", start="2026-10-27", end="2026-10-30", columns=["close", "volume"]).table.frame
    assert frame["ds"].tolist() == [pd.Timestamp(f"2026-10-{day}") for day in (28, 29, 30)]
    np.testing.assert_array_equal(frame["close"], [1500.5, np.nan, 1510])
    assert len(get("stock:7203.T", start="2026-10-27", end="2026-10-29").table.frame) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found"}}}, "No data found"),
        (chart(timestamp=None, indicators={"quote": [{}], "adjclose": [{}]}), "Yahoo has nothing of 'X' from"),
        (chart(meta={"currency": "USD"}), "what is of another form (KeyError: 'exchangeTimezoneName')"),
        (chart(indicators={}), "what is of another form (KeyError: 'quote')"),
        (chart(timestamp=[1]), "what is of another form (ValueError"),
        (chart(timestamp=["soon"] * 3), "what is of another form (TypeError"),
        ("Will be right back", "answered with 'Will be right back', three times"),
        ("<html><title>Yahoo - login</title>", "a page of HTML instead of JSON: Yahoo - login"),
        (Reply(b"Too Many Requests\n", 429, {"Retry-After": "300"}), "refused with status 429: Too Many Requests"),
        (Reply(b"", 404), "Yahoo knows no 'X'"),
    ],
)
def test_yahoo_may_answer_with_anything(get: Fetch, services: Loopback, answer: object, told: str) -> None:
    services.says("/v8/finance/chart/X", as_json(answer) if isinstance(answer, dict) else answer)  # type: ignore[arg-type]
    with pytest.raises(MachineError) as caught:
        get("stock:X", start="2026-10-20")
    assert told in caught.value.message
    assert caught.value.exit_code == 3


def test_a_key_comes_from_the_environment_and_stands_nowhere_else(
    get: Fetch, services: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = {"close": 30.0, "high": 31.0, "low": 29.0, "open": 30.5, "volume": 7, "adjClose": 15.0, "divCash": 0.0}
    rows = [{"date": "2026-10-29T00:00:00.000Z", "splitFactor": 1.0} | day,
            {"date": "2026-10-30T00:00:00.000Z", "splitFactor": 2.0} | day | {"divCash": 0.5}]  # fmt: skip
    services.says("/tiingo/daily/AAPL/prices", as_json(rows))
    monkeypatch.delenv("TIINGO_API_KEY", raising=False)
    with pytest.raises(MachineError, match="TIINGO_API_KEY is not set"):
        get("tiingo:AAPL")
    monkeypatch.setenv("TIINGO_API_KEY", "s3cret")
    fetched = get("tiingo:AAPL", start="2026-10-01")
    assert fetched.table.frame[["close", "adj_close", "volume"]].to_numpy().tolist() == [[30, 15, 7]] * 2
    assert fetched.table.about["about"]["AAPL"]["events"] == [{"date": "2026-10-30", "dividend": 0.5, "split": "2:1"}]
    assert services.requests[-1].headers["Authorization"] == "Token s3cret"
    assert not [path for path in fetched.path.parent.rglob("*.*") if b"s3cret" in path.read_bytes()]
    for reply, told in {
        '{"detail": "Error: limit of s3cret reached"}': "no rows: Error: limit of … reached",
        '[{"date": "2026-10-29"}]': "what is of another form (KeyError",
    }.items():
        services.says("/tiingo/daily/AAPL/prices", reply)
        with pytest.raises(MachineError) as caught:
            get("tiingo:AAPL", start="2026-10-02")
        assert told in caught.value.message


def test_alpha_vantage_refuses_with_status_200(get: Fetch, services: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHAVANTAGE_API_KEY", "s3cret")
    table = "timestamp,open,high,low,close,volume\r\n2026-10-30,1,2,0.5,1.5,100\r\n2026-10-29,1,2,0.5,1.25,90\r\n"
    services.says("/query", table)
    fetched = get("alpha-vantage:IBM", start="2026-10-01")
    assert fetched.table.frame["close"].tolist() == [1.25, 1.5]
    assert services.requests[-1].params["outputsize"] == "compact"
    for key in ("Information", "Note", "Error Message"):
        services.says("/query", json.dumps({key: "We have detected your API key as s3cret and 25 requests per day."}))
        with pytest.raises(MachineError, match="JSON instead of CSV: We have detected your API key as …") as caught:
            get("alpha-vantage:IBM", start="2015-01-01")
        assert "s3cret" not in str(caught.value)
    assert services.requests[-1].params["outputsize"] == "full"


def test_an_economic_series_under_its_old_and_its_new_name_of_the_time(get: Fetch, services: Loopback) -> None:
    fetched = get("fred:dcoilwtico", start="2026-10-26")
    assert fetched.table.frame["ds"].tolist() == pd.date_range("2026-10-27", "2026-10-30").tolist()
    assert services.requests[0].params == {"id": "DCOILWTICO", "cosd": "2026-10-26", "coed": "2026-11-02"}
    services.says("/graph/fredgraph.csv", "DATE,GDP\n2026-01-01,.\n2026-04-01,1.5\n2026-07-01,\n2026-10-01,2.5\n")
    np.testing.assert_array_equal(get("fred:GDP", start="2026-01-01").table.frame["value"], [1.5, np.nan, 2.5])
    for reply, told in {
        "DATE,GDP_20260830\n2026-01-01,1\n": "a table without the column 'GDP'",
        "when,GDP\n2026-01-01,1\n": "a table without the column 'observation_date': when, GDP",
        "DATE,GDP\n1.1.2026,1\n": 'what is of another form (ValueError: time data "1.1.2026"',
        "DATE,GDP\n": "FRED has nothing of 'GDP' from 2026-01-02",
        "<!DOCTYPE html><title>Maintenance</title>": "a page of HTML instead of CSV: Maintenance",
    }.items():
        services.says("/graph/fredgraph.csv", reply)
        with pytest.raises(MachineError) as caught:
            get("fred:GDP", start="2026-01-02")
        assert told in caught.value.message
    services.says("/graph/fredgraph.csv", Reply(b"<html>Error</html>", 404))
    with pytest.raises(MachineError, match="FRED knows no 'NOPE'"):
        get("fred:NOPE")
    with pytest.raises(ConfigError, match="is no series of FRED"):
        get("fred:a b")


def test_vintages_are_what_stood_there_at_the_time(get: Fetch, services: Loopback) -> None:
    stood = {
        "2026-08-01": "observation_date,GDP_20260801\n2026-04-01,1.0\n2026-07-01,.\n",
        "2026-09-01": "observation_date,GDP_20260829\n2026-04-01,1.5\n2026-07-01,2.0\n",  # no vintage of that day
        "2026-10-01": "observation_date,GDP_20261001\n2026-04-01,1.5\n2026-07-01,2.0\n",
        "2026-11-01": "observation_date,GDP_20261101\n2026-04-01,1.5\n2026-07-01,2.5\n",
    }
    services.says("/graph/fredgraph.csv", lambda params: stood.get(params["vintage_date"], Reply(b"", 404)))
    fetched = get("fred:GDP", product="vintages", start="2026-07-01")
    frame = fetched.table.frame
    assert frame.columns.tolist() == ["issued_at", "ds", "value"]
    frame = frame.assign(ds=frame["ds"].dt.strftime("%Y-%m-%d"))
    assert frame.astype(str).to_numpy().tolist() == [
        ["2026-08-02 06:00:00", "2026-04-01", "1.0"],
        ["2026-08-30 06:00:00", "2026-04-01", "1.5"],
        ["2026-08-30 06:00:00", "2026-07-01", "2.0"],
        ["2026-11-02 06:00:00", "2026-07-01", "2.5"],
    ]
    assert fetched.path.name == "fred-gdp-vintages.csv"
    assert len(services.requests) == 5
    get("fred:GDP", product="vintages", refresh=True)
    assert len(services.requests) == 6  # but for the one that had no answer they are there
    stood["2026-07-01"] = "observation_date,GDP\n2026-04-01,1.0\n"
    with pytest.raises(MachineError, match="without the column 'GDP_YYYYMMDD'"):
        get("fred:GDP", product="vintages", refresh=True)
