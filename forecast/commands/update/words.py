"""An update in words."""

from __future__ import annotations

from forecast.commands.console import say
from forecast.commands.update.update import Update
from forecast.errors import rendered


def say_update(done: Update) -> None:
    """Print what an update did, in two lines."""
    run = done.run
    rows = f"{done.rows_new:,} new row{'' if done.rows_new == 1 else 's'}" if done.rows_new else "no new rows"
    say(f"{run.name}: {rows}, until {done.last}")
    say(f"version {run.version} is in place: {rendered(done.why, 'shell')}", strong=done.replaced)
