"""The rows that a query asks of a database: of SQLite by Python itself, of others through SQLAlchemy.

Nothing is ever changed: SQLite is opened to be read only, and what a query does elsewhere is rolled back.
"""

from __future__ import annotations

import decimal
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote as in_address

from forecast.errors import DataError, MachineError, listed, quote, setting
from forecast.tables.input import call_to_read

if TYPE_CHECKING:
    import pandas as pd  # which takes its time, and what is an address is asked before it is needed

# An address: the kind of database, perhaps with its driver, and where it is. Web addresses are none.
_ADDRESS = re.compile(
    r"(sqlite|postgres(?:ql)?|mysql|mariadb|oracle|mssql|duckdb|snowflake|bigquery|redshift)(\+\w+)?://.*"
)
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@")

# Rows that stand in memory as Python's own objects.
_CHUNK = 50_000

# Tables that a message lists.
_LISTED = 10


def is_database(source: object) -> bool:
    """Whether a source is the address of a database, such as ``sqlite:///weather.db``."""
    return isinstance(source, str) and _ADDRESS.fullmatch(source) is not None


def without_password(text: str) -> str:
    """A text whose addresses of databases show no password."""
    return _PASSWORD.sub(r"\1@", text)


def lasting_address(address: str) -> str:
    """An address that leads to the same database from any folder, without the password."""
    if path := sqlite_path(address):
        return f"sqlite:///{path.resolve()}"
    return without_password(address)


def is_database_there(address: str) -> bool:
    """Whether a database may be asked again; of a server nobody knows before."""
    path = sqlite_path(address)
    return path is None or path.is_file()


def database_name(address: str) -> str:
    """What a panel of a database is called."""
    return Path(re.sub(r"\?.*", "", address).rpartition("/")[2]).stem or "database"


def read_query(address: str, query: str | None) -> pd.DataFrame:
    """The rows of a query.

    Args:
        address: The database, as SQLAlchemy writes it.
        query: The query; None is refused with the names of the tables.

    Raises:
        DataError: If the query is refused, or returns no columns.
        MachineError: If the database cannot be reached, or the library for it is missing.
    """
    path = sqlite_path(address)
    return _ask_sqlite(address, path, query) if path is not None else _ask_server(address, query)


class _Cursor(Protocol):
    def fetchmany(self, size: int, /) -> Sequence[Any]: ...


def _ask_sqlite(address: str, path: Path, query: str | None) -> pd.DataFrame:
    import sqlite3

    if not path.is_file():
        raise DataError(
            f"There is no database {quote(path)}.", "Three slashes lead a path, as in sqlite:///weather.db."
        )
    try:
        connection = sqlite3.connect(f"file:{in_address(str(path))}?mode=ro", uri=True)
        try:
            if query is None:
                raise _nothing_asked(address, [name for (name,) in connection.execute(_TABLES)])
            cursor = connection.execute(query)
            return _frame([column[0] for column in cursor.description or ()], cursor)
        finally:
            connection.close()
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise DataError(f"{quote(path)} refuses the query: {error}.", _look_at_tables(address)) from None


_TABLES = "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name"


def _ask_server(address: str, query: str | None) -> pd.DataFrame:
    shown = without_password(address)
    engine = engine_of(address)
    import sqlalchemy

    try:
        with engine.connect() as connection:
            if query is None:
                raise _nothing_asked(shown, sqlalchemy.inspect(connection).get_table_names())
            # As it is: neither a colon nor a per cent sign stands for a parameter.
            result = connection.execution_options(no_parameters=True).exec_driver_sql(query)
            return _frame(list(result.keys()) if result.returns_rows else [], result)
    except sqlalchemy.exc.DBAPIError as error:
        what = " ".join(without_password(str(error.orig)).split())
        if isinstance(error, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError):
            raise MachineError(
                f"{shown} cannot be asked: {what}.", "Check that it is there, and lets you in."
            ) from None
        raise DataError(f"{shown} refuses the query: {what}.", _look_at_tables(shown)) from None
    finally:
        engine.dispose()


def engine_of(address: str) -> Any:
    """SQLAlchemy's engine for a database beside SQLite; nothing is asked of the database yet.

    Raises:
        MachineError: If the library, or the driver of the database, is missing.
    """
    shown = without_password(address)
    try:
        import sqlalchemy
    except ImportError:
        raise MachineError(
            f"{shown}: databases beside SQLite need SQLAlchemy.", "Type: pip install 'forecast-lstm[sql]'"
        ) from None
    try:
        # Its name alone is an older driver's, which knows no Python of today.
        return sqlalchemy.create_engine(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", address))
    except ImportError as error:
        raise MachineError(
            f"{shown}: its driver is missing: {error.name}.", f"Type: pip install {error.name}"
        ) from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        what = without_password(str(error)).rstrip(".")
        raise MachineError(f"{shown} cannot be asked: {what}.", "It is like postgresql://user@host/database.") from None


def _frame(names: list[str], cursor: _Cursor) -> pd.DataFrame:
    """The rows below a cursor, as columns of numbers, times and texts."""
    import pandas as pd

    if not names:
        raise DataError(
            "The query returns no rows.", f"Give one that does: {setting('query', 'select * from weather')}"
        )
    chunks = list(_chunks(names, cursor))
    return pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame(columns=names)


def _chunks(names: list[str], cursor: _Cursor) -> Iterator[pd.DataFrame]:
    import pandas as pd

    while rows := cursor.fetchmany(_CHUNK):
        frame = pd.DataFrame([tuple(row) for row in rows])
        for column in frame:
            if any(isinstance(cell, decimal.Decimal) for cell in frame[column]):
                frame[column] = frame[column].astype(float)
            elif isinstance(frame[column].dtype, pd.DatetimeTZDtype):  # whatever zone the session is in
                frame[column] = frame[column].dt.tz_convert("UTC")
        yield frame.set_axis(names, axis=1)


def _nothing_asked(address: str, tables: Sequence[str]) -> DataError:
    where = f"select * from {tables[0]}" if tables else "select …"
    return DataError(
        f"Nothing is asked of {without_password(address)}. Tables: {listed(list(tables), _LISTED) or 'none'}.",
        f"Try: {call_to_read(address, query=where)}",
    )


def _look_at_tables(address: str) -> str:
    return f"Its tables: {call_to_read(address)}"


def sqlite_path(address: str) -> Path | None:
    """The file of an SQLite database, whose path follows three slashes; None for other databases."""
    found = re.fullmatch(r"sqlite(?:\+pysqlite)?:///?(.*)", address)
    return Path(os.path.expanduser(found[1])) if found else None
