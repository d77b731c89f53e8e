"""The file of forecasts of a run's inputs, as a stream reads it: again whenever it has changed."""

from __future__ import annotations

import os

from forecast.config import ReadOptions
from forecast.data.issues import Issues
from forecast.data.panel import Panel
from forecast.sources.issues import issues_of, joined


class KnownForecasts:
    """Forecasts of inputs that come to a file beside the rows of a stream.

    Args:
        options: How rows of the run are read, and the file.
    """

    def __init__(self, options: ReadOptions) -> None:
        self._options, self._path = options, str(options.known_forecasts)
        self._state: tuple[int, int] | None = None
        self._issues: Issues | None = None

    def beside(self, rows: Panel) -> Panel:
        """Recent rows with what the file forecasts, each known from its issue on.

        Raises:
            DataError: If the file cannot be read.
        """
        now = os.stat(self._path)
        state = now.st_mtime_ns, now.st_size
        if self._issues is None or state != self._state:
            self._issues, self._state = issues_of(rows, self._options), state
        return joined(rows, self._issues, self._path)
