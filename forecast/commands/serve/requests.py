"""The body of a request: checked before anything is computed, and read as the table that is forecast."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Required

import pandas as pd
from pydantic import ConfigDict, FailFast, Field, FiniteFloat, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from forecast.commands.serve.plain import PlainRows
from forecast.data.clock import STEP
from forecast.data.panel import Panel
from forecast.errors import ConfigError, DataError, listed, setting
from forecast.progress import NullProgress, Progress
from forecast.runs.run import Run
from forecast.sources.formulas import raw_columns
from forecast.tables.input import series_keys
from forecast.tables.timeforms import TIMELIKE
from forecast.tables.timeparts import names_a_part

# The names of the long format for the time and the series; a run that was given other names keeps those.
_TIME, _SERIES = "ds", "unique_id"

# Words of a column that its description names.
_WORDS = 12

# The most rows of a request, unless a run needs more.
_ROWS = 10_000

# The end of a field's name: where nothing is escaped, there are as many as fields.
_FIELD = re.compile(rb'"\s*:')

_STRICT, _OPEN = (ConfigDict(extra=extra, strict=True) for extra in ("forbid", "allow"))

# Columns that a sentence names.
_NAMED = 5


class RequestReader:
    """Reads the requests that a run can take: ``{"rows": [{"ds": "2024-01-01", "y": 1.5}, …]}``.

    Args:
        run: A run.
        max_rows: The most rows of a request; None for ten thousand, or twice what the run needs if that is more.

    Raises:
        ConfigError: If the run needs more rows than that.
    """

    def __init__(self, run: Run, max_rows: int | None = None) -> None:
        data, read, series_ids = run.config.data, run.config.read, run.data["series_ids"]
        self._run = run
        self.time: str = read.time_column if read.time_column and "," not in read.time_column else _TIME
        self.series = read.series_id or _SERIES
        needed = (data.lookback + data.horizon * bool(data.known)) * len(series_ids)
        self.max_rows = max_rows or max(_ROWS, 2 * needed)
        if self.max_rows < needed:
            raise ConfigError(
                f"{setting('max_rows', max_rows)} is too few: a forecast of {run.name} needs {needed:,} rows.",
                f"Allow at least {setting('max_rows', needed)}.",
            )
        time = Annotated[str, Field(description="Time, as ISO 8601 or as the run was given it.")]
        columns: dict[str, Any] = {self.time: time}
        if run.clock.freq == STEP:
            columns = {
                self.time: Annotated[int, Field(description="Number of the step; rows without it are in order.")]
            }
        if len(series_ids) > 1:
            other = "; others are scaled by their own rows" if run.takes_unseen_series else ""
            named = Annotated[str, Field(description=f"Names the series, such as {series_ids[0]!r}{other}.")]
            columns |= dict.fromkeys(series_keys(self.series), Required[named])
        columns |= dict.fromkeys(raw_columns(run.data["columns"]), FiniteFloat | None)
        for notation in read.notation:
            if notation.truth and notation.column in columns:
                columns[notation.column] = bool | FiniteFloat | None
            elif notation.words:
                known = listed([repr(word) for word in notation.words if word], _WORDS)
                word = Annotated[str, Field(description=f"One of {known}; any other is unknown.")]
                columns = {name: kind for name, kind in columns.items() if name not in notation.columns}
                columns[notation.column] = word | None
        row = with_config(_OPEN)(TypedDict("Row", columns, total=False))  # type: ignore[operator]
        rows = Annotated[list[row], Field(min_length=1, max_length=self.max_rows), FailFast()]  # type: ignore[valid-type]
        request = with_config(_STRICT)(TypedDict("Request", {"rows": rows}))  # type: ignore[operator]
        self._adapter: TypeAdapter[Any] = TypeAdapter(request)
        self.columns = tuple(columns)
        of_rows = {self.time, *(series_keys(self.series) if len(series_ids) > 1 else ())}
        self._plain = PlainRows(run, self.time, self.series, [name for name in columns if name not in of_rows])

    def read(self, body: bytes, progress: Progress | None = None) -> pd.DataFrame | Panel:
        """The rows of a request: a panel if they are plain, else a table that is read as any is.

        Args:
            body: The request.
            progress: Receives which fields were passed over.

        Raises:
            DataError: If it is not JSON, holds too many rows, a field twice, no time, or a value that is not a finite
                number.
        """
        try:
            rows = self._adapter.validate_json(body)["rows"]
        except ValidationError as error:
            raise self._refusal(error) from None
        if b"\\" in body or len(_FIELD.findall(body)) != 1 + sum(map(len, rows)):
            _refuse_repeated_fields(body)
        rows, times = self._with_time(rows)
        fields = dict.fromkeys(name for row in rows for name in row)
        extra = [name for name in fields if name not in self.columns and name not in times]
        if extra:
            what = "1 field" if len(extra) == 1 else f"{len(extra)} fields"
            known = "that the run does not know " + ("was" if len(extra) == 1 else "were")
            (progress or NullProgress()).warn(f"{what} {known} passed over: {listed(extra, _NAMED)}")
            rows = [{name: value for name, value in row.items() if name not in extra} for row in rows]
        plain = self._plain.panel(rows)
        if plain is not None:
            return plain
        return pd.DataFrame.from_records(rows, columns=[*times, *(name for name in self.columns if name in fields)])

    def _with_time(self, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The rows with their time under the name that the run has for it, as far as it has one.

        In a file it is called otherwise, such as ``date``, or stands in several columns.

        Returns:
            The rows, and the names of further fields that tell the time.

        Raises:
            DataError: If a row has no time.
        """
        if self.time in rows[0] or self._run.clock.freq == STEP:
            name = self.time
        else:
            called = [
                name for name in rows[0] if name not in self.columns and (TIMELIKE.search(name) or names_a_part(name))
            ]
            if len(called) > 1:
                return rows, tuple(called)
            name = called[0] if called else self.time
        for number, row in enumerate(rows, 1) if self._run.clock.freq != STEP else ():
            if name not in row:
                what = f"the table, row {number}: column {name!r} is missing."
                raise DataError(what, f"Fields: {', '.join(map(repr, self.columns))}.")
            if not isinstance(row[name], str):
                what = f"must be a valid string. Received: {_shorten(row[name])}."
                raise DataError(f"the table, row {number}, column {name!r}: {what}", "Write times as ISO 8601.")
        if name == self.time:
            return rows, ()
        return [{self.time if field == name else field: value for field, value in row.items()} for row in rows], ()

    def schema(self) -> dict[str, Any]:
        """The JSON schema of a request, without references."""
        schema = self._adapter.json_schema()
        schema["properties"]["rows"]["items"] = schema.pop("$defs")["Row"]
        return schema

    def _refusal(self, error: ValidationError) -> DataError:
        first = error.errors(include_url=False)[0]
        kind, location = first["type"], first["loc"]
        fields, form = f"Fields: {', '.join(map(repr, self.columns))}.", 'Send {"rows": [{…}, …]}'
        if kind == "json_invalid":
            return DataError(f"The body is not JSON: {first['ctx']['error']}.", f"{form}.")
        if kind == "too_long":
            return DataError(f"The table has more than {self.max_rows:,} rows.", "Send only the newest ones.")
        if kind == "too_short":
            return DataError("The table has no rows.", f"{form}.")
        reason = (
            first["msg"]
            .replace("Input should be", "must be")
            .replace("Extra inputs are not permitted", "no such field")
        )
        if len(location) < 2:
            where = f"{location[0]!r}" if location else "The body"
            return DataError(f"{where}: {reason}.", f"{form} and nothing else.")
        where = f"the table, row {int(location[1]) + 1}"
        received = f"Received: {_shorten(first['input'])}."
        if len(location) < 3:
            return DataError(f"{where}: {reason}. {received}", fields)
        column = repr(location[2])
        if kind == "missing":
            return DataError(f"{where}: column {column} is missing.", fields)
        return DataError(f"{where}, column {column}: {reason}. {received}", "Write a missing value as null.")


def _refuse_repeated_fields(body: bytes) -> None:
    """Check that no object of a request that is valid otherwise has a field twice: which value is meant?

    Raises:
        DataError: If one has; names the row and the field.
    """
    n_rows = 0

    def check(pairs: list[tuple[str, Any]]) -> None:
        nonlocal n_rows  # objects come in the order of their ends: row by row, and the body last
        names = [name for name, _ in pairs]
        is_body = any(name == "rows" and isinstance(value, list) for name, value in pairs)
        n_rows += not is_body
        if len(set(names)) < len(names):
            where = "The body" if is_body else f"the table, row {n_rows}"
            name = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{where}: {name!r} is given twice.", "Give each field once.")

    json.loads(body, object_pairs_hook=check)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
