"""Databases as sources: SQLite by Python itself, a real PostgreSQL where one can be started."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import DataError, MachineError, ReadOptions
from forecast.cli import main
from forecast.sources.sql import lasting_address, read_query, without_password
from postgresql import address_of_server

DAYS = pd.date_range("2026-01-01", periods=60).strftime("%Y-%m-%d")
QUERY = "select day, celsius from weather where station = 'north' order by day"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two stations of sixty days."""
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("weather.db")) as connection:
        connection.execute("create table weather (station text, day text, celsius real)")
        rows = [(name, day, level + n) for name, level in (("north", 0.5), ("south", 10)) for n, day in enumerate(DAYS)]
        connection.executemany("insert into weather values (?, ?, ?)", rows)
        connection.execute("update weather set celsius = null where station = 'north' and day = ?", (DAYS[7],))
        connection.commit()
    return "sqlite:///weather.db"


def test_the_rows_of_a_query_are_read_as_those_of_a_file(database: str) -> None:
    panel = forecast.read(database, ReadOptions(query=QUERY))
    assert (panel.name, panel.columns, panel.clock.freq) == ("weather", ("celsius",), "D")
    np.testing.assert_array_equal(panel.values[:, 0], [0.5 + n if n != 7 else np.nan for n in range(60)])
    both = forecast.read(database, ReadOptions(query="select * from weather", series_id="station"))
    assert both.series_ids == ("north", "south")
    assert forecast.read(database, ReadOptions(query=f"{QUERY} -- 100% of :it")).fingerprint() == panel.fingerprint()


def test_a_query_that_is_refused_leaves_the_database_as_it_is(database: str) -> None:
    before = Path("weather.db").read_bytes()
    for query, told in {
        "select * from wether": "refuses the query: no such table: wether",
        "drop table weather": "refuses the query: attempt to write a readonly database",
        "select 1; select 2": "refuses the query: You can only execute one statement",
        "attach database 'other.db' as other": "The query returns no rows.",
        "select * from weather where celsius > 1e9": "sqlite:///weather.db has 0 rows",
        "selekt": "refuses the query",
    }.items():
        with pytest.raises(DataError) as caught:
            forecast.read(database, ReadOptions(query=query))
        assert told in caught.value.message
    assert Path("weather.db").read_bytes() == before
    with pytest.raises(DataError, match=r"Nothing is asked of sqlite:///weather.db. Tables: weather.") as nothing:
        forecast.read(database)
    assert nothing.value.text("shell")[1] == (
        "Try: forecast inspect sqlite:///weather.db --query 'select * from weather'"
    )
    with pytest.raises(DataError, match=r"There is no database 'wether.db'"):
        forecast.read("sqlite:///wether.db")
    assert not Path("wether.db").exists()
    Path("text.db").write_text("ds,y\n" * 200)
    with pytest.raises(DataError, match=r"'text.db' refuses the query: file is not a database"):
        forecast.read("sqlite:///text.db", ReadOptions(query="select * from weather"))


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """The exit code of a command and what it says."""
    monkeypatch.setattr(sys, "argv", ["forecast", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    streams = capsys.readouterr()
    return int(ended.value.code or 0), streams.out + streams.err


def test_a_command_takes_it_as_a_source_or_by_an_option(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = said(capsys, monkeypatch, "inspect", "--database", database, "--query", QUERY)
    assert (code, told.splitlines()[0][:16]) == (0, "weather: 60 rows")
    assert said(capsys, monkeypatch, "inspect", database, "--query", QUERY)[1] == told
    for arguments, what in {
        ("weather", "--database", database): "--database is another source than weather.",
        ("weather", "--query", QUERY): "--query is asked of a database, and weather is none.",
        (): "There is no SOURCE.",
    }.items():
        code, told = said(capsys, monkeypatch, "inspect", *arguments)
        assert (code, what in told) == (2, True), told


def test_an_address_is_kept_so_that_it_is_found_again_and_shows_no_password(database: str, tmp_path: Path) -> None:
    assert lasting_address(database) == f"sqlite:///{tmp_path / 'weather.db'}"
    assert lasting_address("postgresql://me:s3cret@host/db") == "postgresql://me@host/db"
    assert without_password("forecast train 'mysql+x://me:a/b@host/db'") == "forecast train 'mysql+x://me@host/db'"


def test_other_databases_need_a_library_and_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MachineError, match="need SQLAlchemy") as caught:
        read_query("postgresql://me:s3cret@host/db", "select 1")
    assert "s3cret" not in str(caught.value)
    assert caught.value.advice == "Type: pip install 'forecast-lstm[sql]'"


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of a server that lives as long as the test; skipped where none can be started."""
    with address_of_server() as address:
        yield address


def test_a_real_postgresql_answers_with_times_and_exact_numbers(postgres: str) -> None:
    query = (
        "select timestamptz '2026-01-01 00:00+00' + n * interval '1 hour' as time, "
        "case when n <> 5 then n::numeric / 4 end as quarter, ':x 100%' as note from generate_series(0, 99) n"
    )
    panel = forecast.read(postgres, ReadOptions(query=query))
    assert (panel.name, panel.columns, panel.clock.freq, panel.clock.tz) == ("postgres", ("quarter",), "h", "UTC")
    np.testing.assert_array_equal(panel.values[:, 0], [n / 4 if n != 5 else np.nan for n in range(100)])
    days = "select date '2026-01-01' + n as day, n as y from generate_series(0, 99) n"
    assert forecast.read(postgres, ReadOptions(query=days)).clock.freq == "D"
    with pytest.raises(DataError, match='refuses the query: relation "wether" does not exist') as caught:
        forecast.read(postgres, ReadOptions(query="select * from wether"))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(DataError, match=r"Nothing is asked of postgresql://me@127.*Tables: none"):
        forecast.read(postgres)
    with pytest.raises(MachineError, match="cannot be asked"):
        forecast.read(postgres.replace("/postgres", "/nowhere"), ReadOptions(query="select 1"))
