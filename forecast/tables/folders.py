"""Several files as one table: those of a folder, or of a pattern. Each is a series, unless the files say otherwise."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.errors import DataError, EmptyError, listed, quote
from forecast.tables.bytes import find_input
from forecast.tables.columns import SERIES_IDS, Measurements
from forecast.tables.input import Dialect, Input, Notation, call_to_read
from forecast.tables.reading import Columns, read_columns
from forecast.tables.table import Ints, Table
from forecast.tables.timecells import TimeColumn

_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".gz", ".zip")

# Files that a sentence names, and warnings of files that are passed on.
_NAMED, _MOST_WARNINGS = 3, 10

# Where more times than this stand twice in a file, it holds several series.
_REPEATED = 0.1


@dataclass(frozen=True)
class _Files(Table):
    """The table of several files: its lines number the rows of all of them.

    Args:
        parts: The table of each.
        ends: How many rows there are up to the end of each.
    """

    parts: tuple[Table, ...] = ()
    ends: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def row(self, number: int) -> str:
        """A row as messages name it: ``stations/north.csv, line 17``."""
        row = number if self.lines is None else int(self.lines[number])
        part = int(np.searchsorted(self.ends, row, side="right"))
        return self.parts[part].row(row - (int(self.ends[part - 1]) if part else 0))


def files_named(source: str) -> list[str]:
    """The files of a source that names several as a search path does, ``north.csv:south.csv``; none of any other.

    Raises:
        DataError: If one of several is no file.
    """
    paths = source.split(os.pathsep)
    there = [path for path in paths if os.path.isfile(path)]
    if len(paths) == 1 or not there or os.path.exists(source):
        return []
    if missing := [path for path in paths if path not in there]:
        raise DataError(f"There is no file {quote(missing[0])}.", "Files that are named together have to be there.")
    return paths


def absolute(source: str) -> str:
    """A file, a pattern, or several files that are named together, by names that mean the same in every folder."""
    return os.pathsep.join(os.path.realpath(path) for path in files_named(source) or [source])


def find_files(source: str) -> Input | None:
    """The files of a folder, of those of the commonest kind, of a pattern ``stations/*.csv``, or several by name.

    Returns:
        None for any other source.

    Raises:
        DataError: If there is no such file.
    """
    if paths := files_named(source):
        return Input(f"{len(paths):,} files", source, files=tuple(paths))
    is_folder = os.path.isdir(source)
    if not is_folder and (os.path.exists(source) or not glob.has_magic(source)):
        return None
    label = Input.at(source).label
    pattern = os.path.join(glob.escape(source), "*") if is_folder else source
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    passed_over: list[str] = []
    if is_folder:
        kinds = Counter(kind for path in paths if (kind := os.path.splitext(path)[1].lower()) in _SUFFIXES)
        commonest = max(kinds, key=lambda kind: kinds[kind], default=None)
        passed_over = [path for path in paths if os.path.splitext(path)[1].lower() != commonest]
        paths = [path for path in paths if path not in passed_over]
    if not paths:
        what = f"{label} is a folder without tables." if is_folder else f"No file is called {label}."
        raise DataError(what, f"Give a folder of CSV or Parquet files, or one file: {call_to_read('data.csv')}")
    told = _named(passed_over)
    warnings = (f"{told} in {label} passed over: not of the kind of the others.",) if passed_over else ()
    n_files = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
    return Input(f"{label} ({n_files})", source, warnings=warnings, files=tuple(paths))


def read_files(found: Input, dialect: Dialect) -> Columns:
    """The tables of several files below one another.

    Files are series, named by them; but those that name their series keep these, and files that follow one another in
    time are the parts of one series. Columns that a file lacks are missing there.

    Args:
        found: What `find_files` returned.
        dialect: How the files are written, as far as that is known.

    Raises:
        DataError: If one cannot be read, or their times cannot be put together; files without rows are left out.
        MachineError: If the disk fails while reading.
    """
    parts: dict[str, Columns] = {}
    empty: list[str] = []
    refused: dict[str, DataError] = {}
    for path in found.files:
        try:
            parts[path] = _read(path, found, dialect)
        except EmptyError:
            empty.append(path)
        except DataError as error:
            refused[path] = error
    formats = {part.time.date_format for part in parts.values()} - {None}
    for path, refusal in refused.items():  # what a few rows leave open, as the order of day and month, others may say
        if dialect.date_format is not None or len(formats) != 1:
            raise refusal
        parts[path] = _read(path, found, replace(dialect, date_format=min(map(str, formats))))
    if not parts:
        raise DataError(f"{found.label}: no file has rows.", "Give at least a few dozen rows of data.")
    left_out = (f"{_named(empty)} without rows left out.",) if empty else ()
    warnings = (*found.warnings, *left_out, *_warnings(parts))
    return _below_one_another(found, {path: parts[path] for path in found.files if path in parts}, warnings, dialect)


def _read(path: str, found: Input, dialect: Dialect) -> Columns:
    return read_columns(replace(find_input(path), given=found.given), None, dialect)


def _named(paths: Sequence[str]) -> str:
    """``2 files (a.csv, b.csv)``."""
    n_files = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
    return f"{n_files} ({listed([os.path.basename(path) for path in paths], _NAMED)})"


def _warnings(parts: Mapping[str, Columns]) -> list[str]:
    """What was mended in the files, and what is no number in some of them, each of the same words once."""
    files: dict[str, list[str]] = {}
    numeric = {name for part in parts.values() for name in part.measured.names}
    for path, part in parts.items():
        words = {name: why for name, why in part.measured.not_numeric.items() if name in numeric}
        lost = (
            f"{quote(name)} holds numbers in other files, and is missing here. {why}" for name, why in words.items()
        )
        for warning in (*part.table.warnings, *part.time.warnings, *lost):
            files.setdefault(warning, []).append(path)
    told = [f"{_named(paths)}: {warning}" for warning, paths in files.items()]
    more = len(told) - _MOST_WARNINGS
    return told[:_MOST_WARNINGS] + ([f"{more:,} more such warnings of single files."] if more > 0 else [])


def _below_one_another(
    found: Input, parts: Mapping[str, Columns], warnings: Sequence[str], dialect: Dialect
) -> Columns:
    columns = [*parts.values()]
    names = [*dict.fromkeys(name for part in columns for name in part.measured.names)]
    ends = np.cumsum([len(part.time.times) for part in columns])
    values = np.full((ends[-1], len(names)), np.nan)
    for part, end in zip(columns, ends, strict=True):
        picked = [names.index(name) for name in part.measured.names]
        values[end - len(part.time.times) : end, picked] = part.measured.values
    texts = {
        name: pa.concat_arrays([_words(part, name) for part in columns])
        for name in dict.fromkeys(name for part in columns for name in part.measured.texts if name != part.series_id)
        if name not in names
    }
    series_id, how = _series(columns, dialect)
    if series_id is not None:
        ids = _ids([*parts])
        texts[series_id] = pa.concat_arrays(
            [
                _words(part, part.series_id) if part.series_id else _constant(name, len(part.time.times))
                for part, name in zip(columns, ids, strict=True)
            ]
        )
    notes = dict.fromkeys(note for part in columns for note in part.table.notes)
    table = _Files(
        found,
        (*names, *texts),
        (),
        lines=np.arange(ends[-1]),
        warnings=tuple(warnings),
        notes=(how, *notes),
        parts=tuple(part.table for part in columns),
        ends=ends,
    )
    return Columns(table, _time(parts), series_id, _measured(columns, names, values, texts))


def _series(columns: Sequence[Columns], dialect: Dialect) -> tuple[str | None, str]:
    """The column that names the series of all files, None where the rows must tell; and what the files are."""
    named = [part.series_id for part in columns if part.series_id]
    if named:
        return named[0], f"{len(columns):,} files, whose rows name their series."
    spans = sorted((part.time.times.min(), part.time.times.max()) for part in columns)
    if len(spans) > 1 and all(first > last for (_, last), (first, _) in pairwise(spans)):
        return None, f"{len(columns):,} files that follow one another in time: the parts of one table."
    if dialect.wide or any(pd.Series(part.time.times).duplicated().mean() > _REPEATED for part in columns):
        return None, f"{len(columns):,} files: the parts of one table."
    return SERIES_IDS[0], f"{len(columns):,} files: each is a series, named by its file."


def _ids(paths: Sequence[str]) -> list[str]:
    """The names of files without their endings; with their folders, and with their endings, where several have one."""
    names = [Input.at(path).name for path in paths]
    if len(set(names)) == len(names):
        return names
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    whole = [os.path.relpath(path, common or ".") for path in paths]
    names = [os.path.splitext(path)[0] for path in whole]
    return names if len(set(names)) == len(names) else whole


def _words(part: Columns, name: str) -> pa.DictionaryArray:
    return part.measured.texts[name] if name in part.measured.texts else _constant("", len(part.time.times))


def _constant(word: str, n_rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(n_rows, np.int32), pa.array([word]))


def _time(parts: Mapping[str, Columns]) -> TimeColumn:
    """The times of all files.

    Raises:
        DataError: If some have a zone or a time of day and others have not; names two.
    """
    times = {path: part.time for path, part in parts.items()}
    first, *others = times
    for what, has in (("a zone", "zoned"), ("no time of day", "whole_days")):
        if other := next((path for path in others if getattr(times[path], has) != getattr(times[first], has)), None):
            one, two = (first, other) if getattr(times[first], has) else (other, first)
            raise DataError(
                f"The times in {Input.at(one).label} have {what}, unlike those in {Input.at(two).label}.",
                "Read the files apart, or write their times alike.",
            )
    columns = [*times.values()]

    def common(field: str) -> str | None:
        found = {getattr(time, field) for time in columns}
        return found.pop() if len(found) == 1 else None

    elapsed = [time.elapsed for time in columns if time.elapsed is not None]
    return TimeColumn(
        times=np.concatenate([time.times for time in columns]),
        form=common("form") or "",
        used=frozenset().union(*(time.used for time in columns)),
        zoned=columns[0].zoned,
        zone=common("zone"),
        whole_days=columns[0].whole_days,
        notes=tuple(dict.fromkeys(note for time in columns for note in time.notes)),
        time_column=common("time_column"),
        date_format=common("date_format"),
        elapsed=np.concatenate(elapsed) if len(elapsed) == len(columns) else None,
    )


def _measured(
    columns: Sequence[Columns], names: Sequence[str], values: np.ndarray, texts: dict[str, pa.DictionaryArray]
) -> Measurements:
    every = [part.measured for part in columns]
    written: dict[str, set[Notation | None]] = {}
    for part in every:
        of_part = {own.column: own for own in part.notation}
        for name in part.names:
            written.setdefault(name, set()).add(of_part.get(name))
    alike = [forms.pop() for forms in written.values() if len(forms) == 1]

    def joined(field: str) -> dict[str, str]:
        found = {name: why for part in every for name, why in getattr(part, field).items()}
        return {name: why for name, why in found.items() if name not in names}

    return Measurements(
        names=tuple(names),
        values=values,
        texts=texts,
        not_numeric=joined("not_numeric"),
        left_out=joined("left_out"),
        notes=tuple(dict.fromkeys(note for part in every for note in part.notes)),
        notation=tuple(own for own in alike if own is not None),  # others are told from each file anew
    )
