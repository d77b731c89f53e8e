"""Stream: forecast after each new row."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import Keep, Quiet, RunArgument, RunsDir

EXAMPLES = ("forecast stream mine newer.csv",)


def command(
    run: RunArgument,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A CSV file, or - for standard input.")] = "-",
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait at the end of a file for it to grow, also through rotations.")
    ] = False,
    history: Annotated[str | None, typer.Option(help="Rows that came before, for a stream that begins.")] = None,
    date_format: Annotated[
        str | None, typer.Option(help="Format of the time, such as %d-%m-%Y %H:%M. (default: as the run was given it)")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="What is remembered between calls. (default: RUN.stream.json beside the run)")
    ] = None,
    save_rows: Annotated[int, typer.Option(min=1, help="Write the state at the latest after so many rows.")] = 100,
    save_seconds: Annotated[
        float, typer.Option(min=0, help="Write the state at the latest after so many seconds.")
    ] = 1.0,
    restart: Annotated[bool, typer.Option("--restart", help="Forget all rows before.")] = False,
    keep: Keep = False,
    anomalies: Annotated[
        bool, typer.Option("--anomalies", help="Say of each row how improbable it was, and in what way it is odd.")
    ] = False,
    runs_dir: RunsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document a row.")] = False,
    quiet: Quiet = False,
) -> None:
    """Forecast after each new row, remembering the rows before between calls.

    Each forecast carries the number of its row, by which a reader can tell one that comes again after a kill.
    """
    from forecast.commands.console import ConsoleProgress, print_csv
    from forecast.commands.stream.feed import stream_rows
    from forecast.commands.stream.recent_rows import forget_state
    from forecast.commands.stream.stream import Stream
    from forecast.errors import MachineError
    from forecast.runs.csv_tables import frame_to_csv, to_records
    from forecast.runs.files import check_output, locked
    from forecast.runs.find import STREAM_STATE, find
    from forecast.sources.read import on_disk

    progress = ConsoleProgress(quiet)
    trained = find(run, runs_dir=runs_dir)
    state = state or trained.home.with_name(f"{trained.name}{STREAM_STATE}")
    if not state.parent.is_dir():  # a slip of the pen would begin another stream
        raise MachineError(f"There is no folder {state.parent} for the state.", f"Make it: mkdir -p {state.parent}")
    check_output(state)
    has_header = False
    with (
        locked(state.with_name(f".{state.name}.lock"), f"The stream {state}", "name another state with --state"),
        progress.stopping_on_signals(),
    ):
        if restart:
            forget_state(state)
        stream = Stream(trained, state, keep=keep, anomalies=anomalies)
        if history is not None:
            stream.remember(history)
        forecasts = stream_rows(
            stream,
            on_disk(source, progress),
            follow=follow,
            date_format=date_format,
            save_rows=save_rows,
            save_seconds=save_seconds,
            progress=progress,
        )
        _end_line()
        try:
            with closing(forecasts):  # whatever ends this saves the state, while it is locked
                for forecast in forecasts:
                    try:
                        if as_json:
                            records = to_records(forecast)
                            sys.stdout.write(json.dumps(records, allow_nan=False, ensure_ascii=False) + "\n")
                        else:
                            content = frame_to_csv(forecast)
                            print_csv(content.split(b"\n", 1)[1] if has_header else content)
                            has_header = True
                        sys.stdout.flush()
                    except BaseException:  # a signal, or nobody reads: it comes again
                        stream.undo()
                        raise
        except BrokenPipeError:  # the program that reads the forecasts has ended
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end_line() -> None:
    """End a line that a kill or a full disk cut off in the file that is appended to, so that the next one is whole."""
    with suppress(OSError):  # no file, or one that may not be read
        number = sys.stdout.fileno()
        if stat.S_ISREG(os.fstat(number).st_mode) and os.fstat(number).st_size:
            with open(f"/dev/fd/{number}", "rb") as file:
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    os.write(number, b"\n")
