"""How a table is written, as far as its user says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """How a table is written; what is None is inferred.

    Args:
        time_column: The name of the column of the time, or of several, divided by commas.
        date_format: How the time is written, as in ``strptime``.
        series_id: The column that tells several series apart.
        encoding: A Python text codec.
        delimiter: What stands between fields: one character, or its name such as ``tab``.
        decimal: What stands before the fraction of a number.
        thousands: What groups the digits of a number by three.
        skip_rows: Lines before the header that are left out.
    """

    time_column: str | None = None
    date_format: str | None = None
    series_id: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    skip_rows: int = 0
