"""The command: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import json
import re
import shlex
import sys
import textwrap
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import typer

import forecast
from forecast.cli import build_program, main
from loopback import Loopback, Reply
from services import everything

Say = Callable[..., tuple[int, str, str]]

COLUMNS = "temperature_2m, precipitation"
RECENT = str(date.today() - timedelta(days=20))


@pytest.fixture(scope="module")
def program() -> typer.Typer:
    """The program, built once."""
    return build_program()


@pytest.fixture
def say(
    loopback: Loopback,
    program: typer.Typer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Say:
    """Run the command in an empty folder, with all services at hand: exit code, standard output, standard error."""
    for name, value in loopback.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("forecast.cli.build_program", lambda names: program)
    monkeypatch.delenv("FORECAST_DATA", raising=False)
    monkeypatch.delenv("TIINGO_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    everything(loopback)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["forecast", "fetch", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        streams = capsys.readouterr()
        assert "Traceback" not in streams.err
        return int(ended.value.code or 0), streams.out, " ".join(streams.err.split())

    return run


def test_weather_of_a_place(say: Say) -> None:
    code, told, notes = say(
        "weather", "--place", "Oslo", "--start", RECENT, "--columns", "temperature_2m, precipitation"
    )
    assert (code, notes) == (0, "")
    first, columns, place, licence, following = told.splitlines()
    assert first.startswith("data/open-meteo-oslo-hourly.csv: ")
    assert f"rows, {RECENT} 00:00 UTC … " in first
    assert columns == "  temperature_2m (°C), precipitation (mm)"
    assert place == "  Oslo: Oslo, Oslo County, Norway, latitude 59.9127, longitude 10.7461"
    assert "CC BY 4.0" in licence
    assert "Weather data by Open-Meteo.com" in licence
    assert following == "next: forecast train open-meteo:Oslo"
    assert "it was there" in say("weather", "Oslo")[1]
    told = say("weather", "Oslo", "--refresh")[1]
    assert "no values were revised" in told


def test_prices_of_tickers_say_that_nobody_promises_them(say: Say) -> None:
    code, told, notes = say("stock", "AAPL", "MSFT", "--start", RECENT)
    assert code == 0
    assert notes.startswith("warning: Yahoo promises neither answers nor their form")
    assert "close (USD)" in told
    assert "AAPL: 2 dividends and splits, listed in data/stock-aapl-msft.json" in told
    assert told.splitlines()[-1] == "next: forecast train stock:AAPL,MSFT"


def test_vintages_are_trained_on_as_they_stood(say: Say, loopback: Loopback) -> None:
    def vintage(params: dict[str, str]) -> str:
        return f"observation_date,GDP_{params['vintage_date'].replace('-', '')}\n{params['cosd']},1.5\n"

    loopback.says("/graph", vintage)
    _, told, _ = say("fred", "GDP", "--product", "vintages", "--start", str(date.today() - timedelta(days=70)))
    assert told.splitlines()[-1] == "next: forecast train data/fred-gdp-vintages.csv --issued-at issued_at"


def test_every_command_of_its_page_works_and_prints_what_it_shows(say: Say) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/fetch-data.md").read_text(encoding="utf-8")
    first, *others = re.findall(r"^    forecast fetch (.*?)\s*(?:#.*)?$", page, re.MULTILINE)
    assert textwrap.indent(say(*shlex.split(first))[1], "    ") in page
    assert len(others) == 4
    for command in others:
        arguments = shlex.split(re.sub(r"(?<=--start )\S+", RECENT, command))  # fewer rows
        if not {"--start", "--refresh"} & {*arguments}:
            arguments += ["--start", RECENT]
        code, told, error = say(*arguments)
        assert code == 0, f"{command}\n{error}"
        assert "next: forecast train " in told


@pytest.mark.usefixtures("two_steps", "no_plots")
def test_a_run_keeps_where_its_rows_come_from(say: Say, tiny: Callable[..., forecast.Settings], tmp_path: Path) -> None:
    say("fred", "DCOILWTICO", "--start", str(date.today() - timedelta(days=200)))
    run = forecast.train("fred:DCOILWTICO", tiny(baseline=False), runs_dir=tmp_path)
    assert run.name == "fred-dcoilwtico-lstm"
    assert run.manifest["source"] == str(tmp_path / "data" / "fred-dcoilwtico.csv")
    assert any(note.startswith("Fetched from FRED at") for note in run.data["notes"])


def test_json_is_one_document(say: Say) -> None:
    code, told, _ = say("fred", "DCOILWTICO", "--start", RECENT, "--json", "--quiet")
    document = json.loads(told)
    assert (code, document["path"], document["was_there"]) == (0, "data/fred-dcoilwtico.csv", False)
    assert document["asked"]["names"] == ["DCOILWTICO"]


def test_a_station_says_by_its_form_whose_it_is(say: Say, loopback: Loopback) -> None:
    _, told, _ = say("weather", "--station", "USW00094728", "--start", RECENT)
    assert told.splitlines()[-1] == "next: forecast train ncei:USW00094728"
    assert say("weather", "--station", "10384", "--start", RECENT)[0] == 3
    assert loopback.requests[-1].path.startswith("/hourly/")
    code, told, _ = say("weather", "--latitude", "59.91", "--longitude", "10.75", "--daily", "--start", RECENT)
    assert (code, told.split(":")[0]) == (0, "data/open-meteo-59.91-10.75-daily.csv")
    _, told, _ = say("weather", "Oslo", "--product", "previous-runs", "--columns", "temperature_2m", "--start", RECENT)
    assert "each row was known from its issued_at on" in told
    assert told.splitlines()[-1] == (
        "next: forecast train open-meteo:Oslo --known-forecasts data/open-meteo-oslo-hourly-previous-runs.csv"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("wether Oslo", 2, "there is no 'wether' to get. Did you mean weather?"),
        ("weather", 2, "Nothing is asked of Open-Meteo. Give a place"),
        ("weather Olso", 3, "knows no place 'Olso'. Did you mean 'Oslo, Oslo County, Norway'"),
        ("weather --latitude 1", 2, "--latitude and --longitude go together"),
        ("weather --latitude 99 --longitude 1", 2, "no place at latitude 99"),
        ("weather Oslo --station 10384", 2, "--station excludes places"),
        ("stock AAPL --place Oslo", 2, "are of weather, not of stock. Type: forecast fetch stock AAPL"),
        ("stock AAPL --service ncei", 2, "--service: 'ncei' has no stock. Of stock: stock, tiingo, alpha-vantage."),
        ("stock AAPL --service tiingo", 3, "TIINGO_API_KEY is not set. Get one at its site"),
        ("stock NOPE", 3, "Yahoo knows no 'NOPE'."),
        ("stock AAPL --hourly", 2, "Yahoo has no hourly values. It has daily ones."),
        ("weather Oslo --hourly --daily", 2, "exclude each other"),
        ("weather Oslo --start tomorrow", 2, "--start: takes a day such as 2020-01-31. Received: 'tomorrow'."),
        ("weather Oslo --product hindcast", 2, "It has archive, forecast, previous-runs, single-runs."),
        ("fred ../../etc", 2, "is no series of FRED"),
    ],
)
def test_nonsense_is_refused_in_words(say: Say, arguments: str, code: int, told: str) -> None:
    found, printed, error = say(*arguments.split())
    assert (found, printed) == (code, "")
    assert told in error
    assert not list(Path("data").glob("*.*"))


def test_without_a_network_it_names_what_needs_none(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_OPEN_METEO_GEOCODING_URL", "http://no-such-host.invalid")
    code, _, error = say("weather", "Oslo")
    assert code == 3
    assert "no-such-host.invalid cannot be reached from here" in error
    assert "Built-in series need none: weather, co2, stocks, station." in error


def test_errors_are_json_where_results_are(say: Say, loopback: Loopback) -> None:
    loopback.says("/graph", Reply(b"<html>Error</html>", 400))
    code, _, error = say("fred", "X", "--json")
    document = json.loads(error)
    assert (code, document["exit_code"]) == (3, 3)
    assert document["error"] == "FRED refused with status 400: Error."
