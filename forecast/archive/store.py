"""The archive of a run: what it forecast, when, from which rows and by which version, until that can be scored.

A row is the forecast of one series from one origin by one version: all H steps of the model, of the ends of its
intervals and of two naive forecasts, as numbers of 32 bits, [C, H]. The names of the C columns stand once for each
version. With 24 steps and two intervals a row takes 0.8 kB, so that 10,000 series forecast every hour take 8 MB. Times
are microseconds since 1970 in UTC, as in panels: ``datetime(cutoff / 1e6, 'unixepoch')`` reads them in SQLite.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.archive.database import Database, Execute, database_at
from forecast.archive.due import REFERENCES, DueForecasts, Revision
from forecast.data.bounds import TURN
from forecast.data.clock import Clock, Times
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import count_targets, unique_ids_of
from forecast.data.windows import Flags
from forecast.errors import RunError, phrase
from forecast.runs.files import damaged
from forecast.runs.run import Run

# The file in a run's folder, and where another place for all runs is said.
ARCHIVE, ADDRESS = "archive.sqlite", "FORECAST_ARCHIVE"

SCHEMA = 1

# bytea is PostgreSQL's word for bytes; SQLite takes any.
_TABLES = (
    "create table if not exists archive_schema (number integer primary key)",
    """create table if not exists versions (
        id bigint primary key, run text not null, version integer not null, finished text not null,
        trained_until bigint not null, model text not null, horizon integer not null, columns text not null)""",
    """create table if not exists forecasts (
        version_id bigint not null, cutoff bigint not null, unique_id text not null, issued bigint not null,
        fingerprint text not null, forecast bytea not null, primary key (version_id, cutoff, unique_id))""",
    """create table if not exists observed (
        run text not null, unique_id text not null, ds bigint not null, y double precision not null,
        primary key (run, unique_id, ds))""",
)

# A row of the table of forecasts, or of versions, by column.
Row = dict[str, Any]


@dataclass(frozen=True)
class Archive:
    """The forecasts that were kept of a run, by all of its versions.

    Args:
        run: The run, as of the version that forecasts.
        database: Where they are.
    """

    run: Run
    database: Database

    @classmethod
    def open(cls, run: Run, address: str | None = None) -> Archive:
        """The archive of a run, which need not be there yet.

        Args:
            run: The run.
            address: A database in its place; None for FORECAST_ARCHIVE, or else the file in the run's folder.

        Raises:
            ConfigError: If the address is of no database that an archive can lie in.
        """
        return cls(run, database_at(address or os.environ.get(ADDRESS) or run.home / ARCHIVE))

    def keep(self, forecast: Mapping[str, Any] | pd.DataFrame, fingerprint: str) -> None:
        """Keep a forecast of all H steps of some series; it is there, for good, when this returns.

        Args:
            forecast: As from `predict`: unique_id, ds, cutoff and a column for each model and end of an interval.
            fingerprint: Of the rows that it was made from.

        Raises:
            MachineError: If it cannot be written, or another process does not let go of the archive.
            RunError: If the archive is damaged, or of a newer version.
        """
        self.write(self.rows_of(forecast, fingerprint))

    def rows_of(self, forecast: Mapping[str, Any] | pd.DataFrame, fingerprint: str) -> list[Row]:
        """The rows that `write` keeps of a forecast that is issued now; arguments as of `keep`."""
        horizon, columns = self.run.config.data.horizon, _columns_of(self.run)
        parts = [forecast[name] if name in forecast else np.full(len(forecast["ds"]), np.nan) for name in columns]
        values = np.stack([np.asarray(part, "<f4").reshape(-1, horizon) for part in parts], axis=1)
        names = np.asarray(forecast["unique_id"])[::horizon].tolist()
        cutoffs = _in_utc(pd.Index(forecast["cutoff"])[::horizon]).tolist()
        version, issued = _version_row(self.run)["id"], _now()
        return [
            {"version_id": version, "cutoff": cutoff, "unique_id": unique_id, "issued": issued,
             "fingerprint": fingerprint, "forecast": of_series.tobytes()}
            for unique_id, cutoff, of_series in zip(names, cutoffs, values, strict=True)
        ]  # fmt: skip

    def write(self, rows: Sequence[Row]) -> None:
        """Keep rows from `rows_of`; those that are there already stay as they were issued. Errors as of `keep`."""
        if not rows:
            return
        with self._transaction(writes=True) as execute:
            execute(_insert("versions", _version_row(self.run)), [_version_row(self.run)])
            execute(_insert("forecasts", rows[0]), rows)

    def check_not_empty(self) -> None:
        """Refuse an archive without a forecast of the run, before rows are read.

        Raises:
            RunError: If nothing was kept, or the archive is damaged.
        """
        with self._transaction(writes=False) as execute:
            if not execute(_VERSIONS, {"run": self.run.name}):
                raise self._is_empty()

    def due(self, observed: Panel, since: np.datetime64 | None = None) -> DueForecasts:
        """The forecasts of which at least one step has been observed.

        Args:
            observed: Rows, arranged as the run's network takes them.
            since: The first origin that counts; None for all.

        Raises:
            RunError: If nothing was ever kept, or the archive is damaged.
        """
        targets = observed.columns[: count_targets(self.run.config.data)]
        where = {
            unique_id: (series, target)
            for series, unique_ids in enumerate(unique_ids_of(observed, targets))
            for target, unique_id in enumerate(unique_ids)
        }

        def at(unique_ids: Sequence[str], times: Times) -> Floats:
            return _observed_at(observed, [where[name] for name in unique_ids], times)

        span = {"since": -_LAST if since is None else _to_int(since), "last": _to_int(observed.times.max())}
        return self._due(span, where, at)

    def scored(self) -> DueForecasts:
        """The forecasts as they were scored last, by the observations that are remembered; errors as of `due`."""
        with self._transaction(writes=False) as execute:
            rows = execute(_OBSERVED, {"run": self.run.name, "first": -_LAST, "last": _LAST})
        remembered = {(row[0], row[1]): row[2] for row in rows}

        def at(unique_ids: Sequence[str], times: Times) -> Floats:
            steps = times.astype(np.int64).tolist()
            pairs = zip(unique_ids, steps, strict=True)
            y = [[remembered.get((name, step), np.nan) for step in of_one] for name, of_one in pairs]
            return np.array(y, float).reshape(times.shape)

        return self._due({"since": -_LAST, "last": _LAST}, {row[0] for row in rows}, at)

    def _due(
        self, span: Mapping[str, int], known: Collection[str], at: Callable[[Sequence[str], Times], Floats]
    ) -> DueForecasts:
        """The forecasts from some origins, of series that are known, by what was observed of them at these times.

        They are read some origins at a time, and what is not due of them is let go.
        """
        parts = []
        with self._transaction(writes=False) as execute:
            versions = {row[0]: row for row in execute(_VERSIONS, {"run": self.run.name})}
            if not versions:
                raise self._is_empty()
            counts = execute(_COUNTS, {"run": self.run.name, **span})
            for since, last in _spans(counts) or [(0, 0)]:
                rows = execute(_FORECASTS, {"run": self.run.name, "since": since, "last": last})
                parts.append(self._due_of(rows, versions, known, at))
        return DueForecasts.together(parts)

    def _due_of(
        self,
        rows: Sequence[Any],
        versions: Mapping[int, Any],
        known: Collection[str],
        at: Callable[[Sequence[str], Times], Floats],
    ) -> DueForecasts:
        """Those of some rows of the archive that are due."""
        horizon, own = self.run.config.data.horizon, _columns_of(self.run)
        try:
            alike = {number: (row[3], json.loads(row[4])) == (horizon, own) for number, row in versions.items()}
            # Those of earlier rows than the training's last may have been learned by heart.
            kept = [row for row in rows if row[2] in known and alike[row[0]] and row[1] >= versions[row[0]][2]]
            sizes = {len(row[4]) for row in kept} - {4 * len(own) * horizon}
            values = np.frombuffer(b"".join(row[4] for row in kept), "<f4").reshape(-1, len(own), horizon)
            cutoffs, issued = _to_times([row[1] for row in kept]), _to_times([row[3] for row in kept])
        except (TypeError, ValueError, OverflowError):  # nothing that `write` wrote
            sizes = {0}
        if sizes:
            raise damaged(f"The archive of {self.run.name}", "a row is not like those that are kept", "Move it away.")
        unique_ids, times = [row[2] for row in kept], _steps_after(self.run.clock, cutoffs, horizon)
        y, angles = at(unique_ids, times), angles_of(self.run, unique_ids)
        y = np.where(angles[:, None], y % TURN, y)
        found = DueForecasts(
            unique_ids=np.array(unique_ids, object),
            cutoffs=cutoffs,
            issued=issued,
            versions=np.array([versions[row[0]][1] for row in kept], np.int64),
            times=times,
            y=y.astype(np.float32).astype(float),  # as forecasts are kept: one that is exactly right has no error
            forecasts={name: values[:, column] for column, name in enumerate(own)},
            model=self.run.config.network.model,
            angles=angles,
            passed_over=sum(row[2] in known for row in rows) - len(kept),
        )
        return found.only(np.flatnonzero(~np.isnan(y).all(axis=1)))

    def note_observed(self, due: DueForecasts) -> list[Revision]:
        """Remember what forecasts are scored against, and tell what differs from what they were scored against before.

        Args:
            due: The forecasts, of one scoring.
        """
        seen = ~np.isnan(due.y)
        ids = np.broadcast_to(due.unique_ids[:, None], seen.shape)[seen]
        times, values = due.times[seen].astype(np.int64).tolist(), due.y[seen].tolist()
        now = {(name, time): value for name, time, value in zip(ids, times, values, strict=True)}
        if not now:
            return []
        with self._transaction(writes=True) as execute:
            span = {"run": self.run.name, "first": min(times), "last": max(times)}
            before = {(row[0], row[1]): row[2] for row in execute(_OBSERVED, span)}
            changed = [key for key, value in now.items() if before.get(key) != value]
            if changed:
                execute(
                    _REMEMBER,
                    [{"run": self.run.name, "unique_id": name, "ds": time, "y": now[name, time]}
                     for name, time in changed],
                )  # fmt: skip
        return [
            Revision(key[0], _to_times([key[1]])[0], before[key], now[key]) for key in sorted(changed) if key in before
        ]

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[Execute]:
        """A transaction in an archive whose tables are there."""
        with self.database.transaction(writes) as execute:
            if ("archive_schema",) not in list(map(tuple, execute(self.database.list_tables, {}))):
                if not writes:
                    raise self._is_empty()
                for table in _TABLES:
                    execute(table, {})
                execute("insert into archive_schema values (:number)", {"number": SCHEMA})
            (newest,) = execute("select max(number) from archive_schema", {})[0]
            if newest is None or newest > SCHEMA:
                what = f"The archive of {self.run.name} has schema {newest}; this version reads up to {SCHEMA}."
                raise RunError(what, "Update forecast.")
            yield execute

    def _is_empty(self) -> RunError:
        keep = phrase(f"forecast predict {self.run.name} --keep", f"forecast.predict({self.run.name!r}, keep=True)")
        return RunError(f"No forecast of {self.run.name} was kept.", f"Keep the next ones: {keep}")


_VERSIONS = "select id, version, trained_until, horizon, columns from versions where run = :run"

_FORECASTS = """
    select version_id, cutoff, unique_id, issued, forecast from forecasts
    where version_id in (select id from versions where run = :run) and cutoff >= :since and cutoff < :last
    order by cutoff, unique_id, version_id"""

_COUNTS = """
    select cutoff, count(*) from forecasts
    where version_id in (select id from versions where run = :run) and cutoff >= :since and cutoff < :last
    group by cutoff order by cutoff"""

_OBSERVED = "select unique_id, ds, y from observed where run = :run and ds >= :first and ds <= :last"

_REMEMBER = """
    insert into observed (run, unique_id, ds, y) values (:run, :unique_id, :ds, :y)
    on conflict (run, unique_id, ds) do update set y = excluded.y"""

# Beyond all times.
_LAST = 1 << 62

# Forecasts that are read at a time, if they are not of one origin: some 20 MB.
_AT_A_TIME = 20_000


def _spans(counts: Sequence[Any]) -> list[tuple[int, int]]:
    """Spans of origins, the first and the one after the last, of so many forecasts; by the number of each origin."""
    spans, taken = list[tuple[int, int]](), _AT_A_TIME
    for cutoff, count in counts:
        if taken + count > _AT_A_TIME:
            spans, taken = [*spans, (cutoff, cutoff)], 0
        spans[-1], taken = (spans[-1][0], cutoff + 1), taken + count
    return spans


def _insert(table: str, row: Row) -> str:
    """The statement that adds a row, unless there is one with its key."""
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    return f"insert into {table} ({names}) values ({values}) on conflict do nothing"


def _columns_of(run: Run) -> list[str]:
    """The columns that are kept of a run's forecasts: its model, the ends of its intervals, and the references."""
    model = run.config.network.model
    ends = [f"{model}-{end}-{level}" for level in run.config.intervals.levels for end in ("lo", "hi")]
    return [model, *ends, *REFERENCES]


def _version_row(run: Run) -> Row:
    """The row of the table of versions that the forecasts of a run refer to."""
    version, finished = run.version, str(run.manifest["finished"])
    # Of no other version and no other training, and known to all processes and machines that have the run.
    digest = hashlib.sha256(f"{run.name} {version} {finished}".encode()).digest()
    return {
        "id": int.from_bytes(digest[:7]),
        "run": run.name,
        "version": version,
        "finished": finished,
        "trained_until": _to_int(np.datetime64(run.data["last"])),
        "model": run.config.network.model,
        "horizon": run.config.data.horizon,
        "columns": json.dumps(_columns_of(run)),
    }


def angles_of(run: Run, unique_ids: Sequence[str]) -> Flags:
    """Which of some series and targets of a run are angles."""
    targets, circular = run.config.data.target, run.config.data.circular
    names = targets * len(unique_ids) if len(targets) == 1 else [name.rpartition("/")[2] for name in unique_ids]
    return np.array([name in circular for name in names], bool)


def _steps_after(clock: Clock, cutoffs: Times, horizon: int) -> Times:
    """The times of the H steps after each origin, [N, H]."""
    origins, which = np.unique(cutoffs, return_inverse=True)
    ahead = np.array([clock.future(origin, horizon) for origin in origins], "datetime64[us]")
    return ahead.reshape(-1, horizon)[which]


def _observed_at(observed: Panel, places: Sequence[tuple[int, int]], times: Times) -> Floats:
    """What was observed at some times [N, H]; NaN where nothing was.

    Args:
        observed: Rows.
        places: The series and the target of each forecast, [N].
        times: The times.
    """
    y = np.full(times.shape, np.nan)
    series, targets = np.array(places, np.int64).reshape(-1, 2).T
    order = np.argsort(series, kind="stable")
    for of_series in np.split(order, np.flatnonzero(np.diff(series[order])) + 1) if len(order) else ():
        rows = observed.rows(series[of_series[0]])
        own, wanted = observed.times[rows], times[of_series]
        at = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
        seen = observed.values[rows][at, targets[of_series][:, None]]
        y[of_series] = np.where(own[at] == wanted, seen, np.nan)
    return y


def _in_utc(times: pd.Index) -> NDArray[np.int64]:
    """Times as users get them, or the numbers of steps, as microseconds of panels."""
    if not isinstance(times, pd.DatetimeIndex):
        return times.to_numpy(np.int64)
    return (times if times.tz is None else times.tz_convert(None)).to_numpy("datetime64[us]").astype(np.int64)


def _to_int(time: np.datetime64) -> int:
    return int(time.astype("datetime64[us]").astype(np.int64))


def _to_times(numbers: Sequence[int]) -> Times:
    return np.array(numbers, np.int64).astype("datetime64[us]")


def _now() -> int:
    return _to_int(np.datetime64("now", "us"))
