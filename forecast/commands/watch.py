"""Watch: update a run again and again, for those who have neither cron nor systemd."""

from __future__ import annotations

import json
import re
import time
from typing import Annotated

import typer

from forecast.commands.options import AsJson, NewSource, Quiet, RunArgument, RunsDir, Versions
from forecast.runs.versions import MOST_WHOLE

EXAMPLES = ("forecast watch mine --every 1h --fetch --train-on-drift",)

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def command(
    run: RunArgument,
    source: NewSource = None,
    every: Annotated[str, typer.Option(metavar="DURATION", help="Time from one update to the next: 15m, 1h, 1d.")] = (
        "1h"
    ),
    fetch: Annotated[bool, typer.Option("--fetch", help="As of update.")] = False,
    train: Annotated[bool, typer.Option("--train", help="As of update.")] = False,
    train_on_drift: Annotated[bool, typer.Option("--train-on-drift", help="As of update.")] = False,
    margin: Annotated[float | None, typer.Option(metavar="SHARE", help="As of update.")] = None,
    versions: Versions = MOST_WHOLE,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Do what update does every hour, say, until a SIGTERM or Ctrl-C; prints a line each time.

    An update that fails, because a service does not answer, is told of on standard error, and the next one is awaited.
    """
    from forecast.commands.console import ConsoleProgress, err, print_error
    from forecast.commands.update.update import update
    from forecast.commands.update.words import in_a_line
    from forecast.errors import ForecastError
    from forecast.progress import StopRequested
    from forecast.runs.find import find

    seconds, progress = _seconds(every), ConsoleProgress(quiet)
    name = str(find(run, runs_dir=runs_dir).home.resolve())  # `latest` may be another by the next round
    try:
        with progress.stopping_on_signals():
            while True:
                began = time.monotonic()
                try:
                    done = update(
                        name,
                        source,
                        fetch=fetch,
                        train=train,
                        train_on_drift=train_on_drift,
                        margin=margin,
                        versions=versions,
                        progress=progress,
                        command=f"forecast watch {run}",
                    )
                except StopRequested:
                    raise
                except ForecastError as error:
                    if not as_json:
                        err.print(time.strftime("%Y-%m-%d %H:%M"), end=" ")
                    print_error(error, as_json)
                else:
                    print(json.dumps(done.to_json()) if as_json else in_a_line(done), flush=True)
                time.sleep(max(0.0, seconds - (time.monotonic() - began)))
    except StopRequested:
        return  # a service that was told to stop has done so


def _seconds(text: str) -> float:
    """A duration such as ``15m`` in seconds.

    Raises:
        ConfigError: If it is none.
    """
    from forecast.errors import ConfigError

    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None or float(found[1]) <= 0:
        raise ConfigError(f"--every: {text!r} is no duration.", "Give one such as 15m, 1h or 1d.")
    return float(found[1]) * _SECONDS[found[2]]
