"""The file of what was fetched: its name, what stands beside it, how it is updated, and when it is left alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ReadOptions
from forecast.errors import ConfigError, DataError, MachineError
from forecast.sources.services.fetch import Fetched
from forecast.sources.services.naming import parse_source
from forecast.sources.services.table_file import document_beside
from loopback import Loopback, Reply, StandingClock

Fetch = Callable[..., Fetched]


def series(**values: float | str) -> str:
    """A series of FRED: values by days of October 2026."""
    return "observation_date,X\n" + "".join(f"2026-10-{day[1:]},{value}\n" for day, value in values.items())


def test_the_document_says_what_was_asked_when_and_answered(get: Fetch, services: Loopback, tmp_path: Path) -> None:
    fetched = get("fred:DCOILWTICO", start="2026-10-01")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "answers",
        "fred-dcoilwtico.csv",
        "fred-dcoilwtico.json",
    ]
    document = json.loads((tmp_path / "fred-dcoilwtico.json").read_text())
    assert document["sha256"] == hashlib.sha256(fetched.path.read_bytes()).hexdigest()
    assert document["licence"].startswith("by series")
    assert document["attribution"] == "FRED, Federal Reserve Bank of St. Louis"
    assert document["asked_at"] == "2026-11-02T12:00:00+00:00"
    (answer,) = document["answers"]
    body = (tmp_path / "answers" / "fred" / answer["body"]).read_bytes()
    assert answer["sha256"] == hashlib.sha256(body).hexdigest()
    assert answer["address"] == f"{services.url}/graph/fredgraph.csv?id=DCOILWTICO&cosd=2026-10-01&coed=2026-11-02"
    assert not fetched.was_there


def test_a_file_that_is_there_is_used_until_other_rows_are_asked_for(get: Fetch, services: Loopback) -> None:
    get("fred:DCOILWTICO", start="2026-10-01")
    again = get("fred:DCOILWTICO")
    assert again.was_there
    assert get("fred:dcoilwtico", start="2026-10-01").was_there
    assert len(services.requests) == 1
    pd.testing.assert_frame_equal(again.table.frame, get("fred:DCOILWTICO", start="2026-10-01").table.frame)
    shorter = get("fred:DCOILWTICO", start="2026-10-20")
    assert not shorter.was_there
    assert "are kept in" in shorter.notes[-1]
    assert shorter.table.frame["ds"].min() == pd.Timestamp("2026-10-21")


def test_a_refresh_appends_and_says_what_was_revised(
    get: Fetch, services: Loopback, clock: StandingClock, tmp_path: Path
) -> None:
    services.says("/graph", series(d27=1, d28=2, d29=3, d30="."), series(d27=1, d28=2.5, d29=".", d30=4, d31=5))
    before = get("fred:X", start="2026-10-27").path.read_bytes()
    clock.time += timedelta(days=1)
    fetched = get("fred:X", refresh=True)
    frame = fetched.table.frame
    assert frame["ds"].dt.day.tolist() == [27, 28, 29, 30, 31]
    assert frame["value"].tolist() == [1, 2.5, 3, 4, 5]  # what was there once is kept
    assert (fetched.n_new, fetched.n_revised) == (2, 1)
    revision, kept = fetched.notes
    assert revision == "value at 2026-10-28 was 2 and is 2.5"
    earlier = tmp_path / "earlier" / "fred-x-20261102T120000.csv"
    assert kept == f"The rows as of 2026-11-02T12:00:00+00:00 are kept in {earlier}."
    assert earlier.read_bytes() == before
    assert document_beside(earlier) is not None
    about = json.loads(fetched.path.with_suffix(".json").read_text())
    assert about["revisions"] == [
        {"asked_at": "2026-11-03T12:00:00+00:00", "values": 1, "first": ["value at 2026-10-28 was 2 and is 2.5"]}
    ]
    assert len(about["answers"]) == 2
    assert (
        fetched.path.read_text()
        == "ds,value\n2026-10-27,1.0\n2026-10-28,2.5\n2026-10-29,3.0\n2026-10-30,4.0\n2026-10-31,5.0\n"
    )
    assert get("fred:X", refresh=True, start="2026-10-27").n_new == 0
    with pytest.raises(ConfigError, match="keeps the first day and the columns of the file; another start is given"):
        get("fred:X", refresh=True, start="2026-10-01")
    again = get("fred:X", refresh=True)
    assert (again.n_new, again.notes) == (0, ())


def test_a_refresh_asks_only_for_what_may_be_new(get: Fetch, services: Loopback, clock: StandingClock) -> None:
    get("open-meteo:Oslo", start="2026-01-01", step="daily", columns=["rain_sum"])
    clock.time += timedelta(days=3)
    fetched = get("open-meteo:Oslo", step="daily", refresh=True)
    newest = services.requests[-1].params
    assert (newest["start_date"], newest["end_date"], newest["daily"]) == ("2026-07-04", "2026-11-05", "rain_sum")
    assert (fetched.n_new, len(fetched.table.frame)) == (3, 308)


def test_a_file_that_was_there_stays_whole_when_anything_fails(get: Fetch, services: Loopback) -> None:
    path = get("fred:DCOILWTICO", start="2026-10-01").path
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    for reply in (
        Reply(b"", 500),
        Reply(b"observation_date,DCOILWTICO\n2026-10-01,7", sent=30),
        "<html>",
        Reply(b"", 404),
    ):
        services.says("/graph", reply)
        with pytest.raises(MachineError):
            get("fred:DCOILWTICO", refresh=True)
        with pytest.raises(MachineError):
            get("fred:DCOILWTICO", start="2026-09-01")
        assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before
    assert {name for name in os.listdir(path.parent) if not name.startswith("fred")} == {"answers"}


def test_a_file_of_the_user_is_never_overwritten(get: Fetch, services: Loopback, tmp_path: Path) -> None:
    path = get("fred:DCOILWTICO", start="2026-10-01").path
    changed = path.read_text().replace("2026-10-02", "2026-10-03", 1)
    path.write_text(changed)
    for options in ({}, {"refresh": True}, {"start": "2026-09-01"}):
        with pytest.raises(DataError, match="not as it was fetched") as caught:
            get("fred:DCOILWTICO", **options)
    assert caught.value.advice == f"Move it away, then try again: mv {path} {tmp_path / 'my-fred-dcoilwtico.csv'}"
    assert path.read_text() == changed
    path.with_suffix(".json").write_text('{"fetched_by_forecast": 1, "units": []}')
    with pytest.raises(DataError, match="was not fetched at all"):
        get("fred:DCOILWTICO")
    assert forecast.read(path).units == {}  # as any other file
    path.unlink()
    path.with_suffix(".json").write_text('{"mine": 1}')
    with pytest.raises(DataError, match=r"fred-dcoilwtico\.json says nothing of fetched rows"):
        get("fred:DCOILWTICO")


def test_names_are_divided_by_commas_but_not_within_a_place() -> None:
    def names(text: str) -> tuple[str, ...]:
        return parse_source(f"open-meteo:{text}")[1]

    assert names("Oslo,Bergen, Norway,59.91,10.75,-33.9,151.2") == (
        "Oslo", "Bergen, Norway", "59.91,10.75", "-33.9,151.2"
    )  # fmt: skip
    assert parse_source("stock:AAPL,MSFT,AAPL,^GSPC,7203.T")[1] == ("AAPL", "MSFT", "^GSPC", "7203.T")
    assert parse_source("Meteostat:10384,01001")[1] == ("10384", "01001")
    with pytest.raises(ConfigError, match=r"Nothing is asked of Yahoo") as caught:
        parse_source("stock: , ")
    assert caught.value.advice == "Give a ticker of Yahoo's site, such as AAPL or SAP.DE."
    with pytest.raises(DataError, match="nor a service 'stok'") as unknown:
        parse_source("stok:AAPL")
    assert "Did you mean stock:AAPL?" in unknown.value.advice
    for source, meant in {"weather:Oslo": "open-meteo:Oslo", "yahoo:AAPL": "stock:AAPL"}.items():
        with pytest.raises(DataError) as unknown:
            parse_source(source)
        assert f"Did you mean {meant}?" in unknown.value.advice


def test_a_file_is_named_by_what_it_holds(get: Fetch, services: Loopback) -> None:
    services.says("/graph", lambda params: f"DATE,{params['id']}\n2026-10-01,1\n")
    many = [f"S{number}" for number in range(6)]
    name = get(f"fred:{','.join(many)}", start="2026-10-01").path.name
    assert name.startswith("fred-s0-s1-s2-and-3-more-")
    assert get(f"fred:{','.join(many[:-1])},Z", start="2026-10-01").path.name != name
    first = get("fred:A-B", start="2026-10-01")
    services.says("/graph", "DATE,A.B\n2026-10-01,2\n")
    assert get("fred:A.B", start="2026-10-01").path != first.path
    south = get("open-meteo:-33.9,151.2", start="2026-11-01", columns=["rain"])
    assert south.path.name == "open-meteo-minus-33.9-151.2-hourly.csv"
    one = get("fred:A.B", start="2026-10-01")
    services.says("/graph", "DATE,A.B.\n2026-10-01,3\n")
    alike = get("fred:A.B.", refresh=True)
    assert alike.path == one.path
    assert "are kept in" in alike.notes[-1]
    assert get("open-meteo:Bergen, Norway", start="2026-11-01").path.name == "open-meteo-bergen-norway-hourly.csv"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"start": "2026-11-03"}, "The span begins on 2026-11-03, and today is 2026-11-02."),
        ({"start": "2026-10-03", "end": "2026-10-02"}, "The span begins on 2026-10-03, after its end on 2026-10-02."),
        ({"start": "yesterday"}, "start: takes a day such as 2020-01-31. Received: 'yesterday'."),
        ({"step": "hourly"}, "FRED has no hourly values."),
        ({"product": "archive"}, "FRED has no product 'archive'."),
        ({"columns": ["a&apikey=1"]}, "'a&apikey=1' is no column of FRED."),
        ({"columns": ["close"]}, "FRED has no column 'close'."),
    ],
)
def test_what_cannot_be_is_said(get: Fetch, options: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        get("fred:DCOILWTICO", **options)
    assert (caught.value.message, caught.value.exit_code) == (told, 2)


def test_any_source_is_fetched_when_it_is_needed_and_read_with_its_units(
    services: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_DATA", str(tmp_path / "mine"))
    forecast.fetch("open-meteo:Oslo,Bergen", start=str(date.today() - timedelta(days=30)))
    panel = forecast.read("open-meteo:Oslo,Bergen")
    assert panel.series_ids == ("Bergen", "Oslo")
    assert panel.default_target == "temperature_2m"
    assert panel.units["wind_speed_10m"] == "km/h"
    assert (panel.clock.freq, panel.clock.tz) == ("h", "UTC")
    assert "Fetched from Open-Meteo at" in panel.notes[-1]
    n_asked = len(services.requests)
    assert forecast.read("open-meteo:Oslo,Bergen").fingerprint() == panel.fingerprint()
    assert len(services.requests) == n_asked
    assert forecast.read(tmp_path / "mine" / "open-meteo-oslo-bergen-hourly.csv").units == panel.units
    stocks = forecast.read("stock:AAPL")
    assert (stocks.default_target, stocks.units["close"]) == ("close", "USD")
    assert "adj_close" not in stocks.columns  # each later dividend rewrites it
    with pytest.raises(DataError, match=r"'adj_close' was left out. Later events rewrite it"):
        stocks.column("adj_close")
    assert forecast.read("stock:AAPL", ReadOptions(columns=("close", "adj_close"))).columns == ("close", "adj_close")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stock:MSFT").write_text("ds,y\n" + "".join(f"2026-01-{day:02d},{day}\n" for day in range(1, 31)))
    assert forecast.read("stock:MSFT").columns == ("y",)  # a file goes first
    np.testing.assert_array_equal(forecast.read("stock:MSFT").values[:, 0], np.arange(1, 31))
    with pytest.raises(DataError, match="There is neither a file 'yahu:X' nor a service 'yahu'"):
        forecast.read("yahu:X")
    with pytest.raises(DataError, match="is an address, not a file"):
        forecast.read("s3://bucket/x.csv")
