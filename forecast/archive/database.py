"""Where an archive lies: in one SQLite file, or in PostgreSQL, which several machines share. The SQL is the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from forecast.errors import ConfigError, ForecastError, MachineError, RunError
from forecast.sources.sql import engine_of, is_database, sqlite_path, without_password

# Seconds that a process waits for another one that is writing.
_PATIENCE = 60.0

# The lock of PostgreSQL that a process holds while it writes: any number that nobody else means.
_LOCK = 7_202_661_130

# What SQLite says of a file that is not what it wrote, by the name of its code.
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

# Runs a statement with named parameters, once or once for each of several sets, and returns the rows that it asked for.
Execute = Callable[[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]], Sequence[Any]]


class Database(Protocol):
    """A database, asked in transactions, of which each takes place whole or not at all."""

    @property
    def list_tables(self) -> str:
        """The query for the names of its tables."""

    def transaction(self, writes: bool) -> Any:
        """A context that gives an `Execute`; what it wrote is there, for good, when it ends without an error."""


def database_at(address: str | Path) -> Database:
    """The database at an address, or the SQLite file of a path.

    Raises:
        ConfigError: If the address is of no database that an archive can lie in.
        MachineError: If its driver is missing.
    """
    if isinstance(address, Path):
        return SqliteFile(address)
    if not is_database(address) or not address.startswith(("sqlite", "postgres")):
        raise ConfigError(
            f"An archive cannot lie at {without_password(address)!r}.",
            "Give an address such as postgresql://user@host/database or sqlite:///archive.sqlite.",
            setting="keep",
        )
    path = sqlite_path(address)
    return Server(address) if path is None else SqliteFile(path)


@dataclass(frozen=True)
class SqliteFile:
    """A database in one file, which is opened for each transaction: processes that fork, or end, leave nothing open.

    It has no files beside it but while a transaction is written, and after a kill until the next one, which undoes the
    half of it.

    Args:
        path: The file.
    """

    path: Path

    list_tables = "select name from sqlite_master"

    @contextmanager
    def transaction(self, writes: bool) -> Iterator[Execute]:
        """As of `Database`.

        Raises:
            RunError: If the file is damaged, or a link.
            MachineError: If it cannot be written, or another process does not let go of it.
        """
        if self.path.is_symlink():  # a stranger's folder would send what is written elsewhere
            raise RunError(f"{self.path} is a link, and an archive is no link.", "Put the file itself in its place.")
        connection = None
        try:
            if not writes and not self.path.exists():  # which would be made
                connection = sqlite3.connect(":memory:")
            else:
                connection = sqlite3.connect(self.path, timeout=_PATIENCE)
            connection.isolation_level = None
            connection.execute("pragma trusted_schema = off")  # nothing in the file is executed
            # At once, for a transaction that begins by reading cannot wait for its turn to write.
            connection.execute("begin immediate" if writes else "begin")

            def execute(statement: str, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Sequence[Any]:
                if isinstance(values, Mapping):
                    return connection.execute(statement, values).fetchall()
                connection.executemany(statement, values)
                return ()

            yield execute
            connection.execute("commit")
        except sqlite3.Error as error:
            raise self._explained(error) from None
        finally:
            if connection is not None:
                connection.close()  # undoes what was not committed

    def _explained(self, error: sqlite3.Error) -> ForecastError:
        code = getattr(error, "sqlite_errorname", None) or ""
        if code.startswith(_DAMAGED) or isinstance(error, sqlite3.DataError):
            return RunError(
                f"The archive {self.path} is damaged: {error}.",
                "Move it away, and the next forecast that is kept begins another one.",
            )
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return MachineError(
                f"The archive {self.path} is being written by another process for more than {_PATIENCE:g} seconds.",
                "Wait for it.",
            )
        advice = "Free some space there." if "FULL" in code else "Check that the file and its folder may be written."
        return MachineError(f"The archive {self.path} cannot be used: {error}.", advice)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL database.

    Args:
        address: As SQLAlchemy writes it.
    """

    address: str

    list_tables = "select tablename from pg_tables where schemaname = any(current_schemas(false))"

    @cached_property
    def _engine(self) -> Any:
        return engine_of(self.address)

    @contextmanager
    def transaction(self, writes: bool) -> Iterator[Execute]:
        """As of `Database`.

        Raises:
            MachineError: If the server cannot be reached, or refuses.
        """
        engine = self._engine
        import sqlalchemy

        try:
            with engine.begin() as connection:
                if writes:  # one at a time, so that no two make the tables, or wait for each other's rows
                    connection.execute(sqlalchemy.text(f"select pg_advisory_xact_lock({_LOCK})"))

                def execute(statement: str, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Sequence[Any]:
                    result = connection.execute(sqlalchemy.text(statement), values)
                    return result.fetchall() if result.returns_rows else ()

                yield execute
        except sqlalchemy.exc.SQLAlchemyError as error:
            what = " ".join(without_password(str(getattr(error, "orig", error))).split()).rstrip(".?")
            raise MachineError(
                f"The archive at {without_password(self.address)} cannot be used: {what}.",
                "Check that it is there, and lets you in.",
            ) from None
        finally:
            engine.dispose()  # a process that forks afterwards shares no connection
