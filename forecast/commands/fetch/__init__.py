"""Fetch: get weather, prices and economic series from services into files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import AsJson, Quiet

EXAMPLES = ("forecast fetch weather Oslo", "forecast fetch stock AAPL MSFT --start 2020-01-01")


def command(
    kind: Annotated[
        str, typer.Argument(metavar="weather|stock|fred|ADDRESS", help="What to get; or https://… of a file.")
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Places, stations, tickers or series.")
    ] = None,
    place: Annotated[
        list[str] | None, typer.Option(help="A place such as Oslo or 'Paris, Texas'; may be repeated.")
    ] = None,
    latitude: Annotated[float | None, typer.Option(help="Degrees to the north, instead of a place.")] = None,
    longitude: Annotated[float | None, typer.Option(help="Degrees to the east.")] = None,
    station: Annotated[
        list[str] | None, typer.Option(help="A station of Meteostat (10384) or GHCN-Daily (USW00094728).")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DAY", help="First day, as 2020-01-31. (default: by service)")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="DAY", help="Last day. (default: today)")] = None,
    hourly: Annotated[bool, typer.Option("--hourly", help="One row an hour. (default: by service)")] = False,
    daily: Annotated[bool, typer.Option("--daily", help="One row a day.")] = False,
    columns: Annotated[
        str | None, typer.Option(help="Columns, as the service calls them, with commas between. (default: by service)")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Which service, such as meteostat, ghcn or tiingo. (default: by what is asked)")
    ] = None,
    product: Annotated[
        str | None,
        typer.Option(
            help="Of Open-Meteo: archive, forecast, previous-runs or single-runs; of FRED: latest or vintages. "
            "(default: the first)"
        ),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Append what came since, and report what was revised.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where files lie. (default: FORECAST_DATA or ./data)")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Get weather, prices or economic series from a service into a file that every command reads.

    Several places or tickers become one panel. The file says beside it who gave it, under which licence, and when.
    """
    from forecast.commands.console import ConsoleProgress, print_json, say
    from forecast.commands.fetch.fetch import choose_source, describe, to_record
    from forecast.errors import ConfigError
    from forecast.sources.services.download import is_address
    from forecast.sources.services.fetch import fetch

    if hourly and daily:
        raise ConfigError("--hourly and --daily exclude each other.", "Give one of them.")
    progress = ConsoleProgress(quiet)
    is_file = is_address(kind)
    source = (
        kind if is_file else choose_source(kind, names or [], place or [], latitude, longitude, station or [], service)
    )
    with progress.stopping_on_signals():
        fetched = fetch(
            source,
            start=start,
            end=end,
            step="hourly" if hourly else "daily" if daily else None,
            columns=[name.strip() for name in (columns or "").split(",") if name.strip()],
            product=product,
            refresh=refresh,
            data_dir=data_dir,
            progress=progress,
        )
    if as_json:
        print_json(to_record(fetched))
        return
    for note in fetched.notes:
        progress.note(note)
    for line in describe(fetched):
        say(line)
