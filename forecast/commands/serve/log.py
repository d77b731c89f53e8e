"""What a server says on standard error: sentences; or JSON, a line each, for what collects logs."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import typer

from forecast.commands.console import ConsoleProgress, print_error
from forecast.errors import ForecastError, rendered


class Log:
    """Writes each line at once and whole, as several processes write to the same place.

    Args:
        as_json: Whether every line is one document of JSON. Only then requests are logged, too.
        quiet: Keep notes to itself.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self._as_json, self._quiet = as_json, quiet
        self._console = ConsoleProgress(quiet)

    def note(self, text: str) -> None:
        """Something that whoever runs the server may want to know."""
        if not self._as_json:
            self._console.note(text)
        elif not self._quiet:
            self._write(level="info", message=rendered(text, "shell"))

    def warn(self, text: str) -> None:
        """Something that whoever runs the server should look after, though it goes on."""
        if self._as_json:
            self._write(level="warning", message=rendered(text, "shell"))
        else:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Let an error of the user end the command, told in the form of the log."""
        try:
            yield
        except ForecastError as error:
            if not self._as_json:
                raise
            self.refused(error)
            raise typer.Exit(error.exit_code) from None

    def refused(self, error: ForecastError) -> None:
        """Why the server, or one of its processes, cannot begin."""
        if self._as_json:
            self._write(level="error", **error.document("shell"), exit_code=error.exit_code)
        else:
            print_error(error)

    def failed(self, text: str) -> None:
        """A failure of ours, whose exception is being handled."""
        if self._as_json:
            self._write(level="error", message=text, traceback=traceback.format_exc())
        else:
            traceback.print_exc(file=sys.stderr)

    def answered(self, **request: str | float) -> None:
        """A request and its answer."""
        if self._as_json:
            self._write(**request)

    def _write(self, **line: object) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        sys.stderr.write(json.dumps({"time": time, **line}, ensure_ascii=False) + "\n")
        sys.stderr.flush()
