"""An update in words."""

from __future__ import annotations

import time

from forecast.commands.console import say
from forecast.commands.update.update import Update
from forecast.errors import rendered


def say_update(done: Update) -> None:
    """Print what an update did, in two lines."""
    say(f"{done.run.name}: {_rows(done)}")
    for alarm in done.alarms:
        say(alarm.sentence)
    say(_outcome(done), strong=done.replaced)


def in_a_line(done: Update) -> str:
    """The same in one line, with the time of day."""
    return f"{time.strftime('%Y-%m-%d %H:%M')} {done.run.name}: {_rows(done)}; {_outcome(done)}"


def _rows(done: Update) -> str:
    rows = f"{done.rows_new:,} new row{'' if done.rows_new == 1 else 's'}" if done.rows_new else "no new rows"
    scored = f", {done.scored:,} forecast{'' if done.scored == 1 else 's'} scored" if done.scored else ""
    alarms = f", {len(done.alarms)} alarm{'' if len(done.alarms) == 1 else 's'}" if done.alarms else ""
    return f"{rows}, until {done.last}{scored}{alarms}"


def _outcome(done: Update) -> str:
    return f"version {done.run.version} is in place: {rendered(done.why, 'shell')}"
