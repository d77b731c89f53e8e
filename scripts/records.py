"""What the benchmarks share: results that are kept from call to call, processes of their own, tables in Markdown."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from forecast.runs.files import write_atomically

Record = dict[str, object]


def read_records(path: Path) -> list[Record]:
    """The records that `keep_records` wrote; none if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep_records(path: Path, records: Iterable[Record]) -> None:
    """Append records to a file, one line of JSON each."""
    before = path.read_bytes() if path.exists() else b""
    write_atomically(path, before + "".join(json.dumps(record) + "\n" for record in records).encode())


def measure_alone(stages: Callable[..., list[Record]], *given: object, about: Record) -> list[Record]:
    """The records of some stages from a process of its own, each with what they are about; told as they come."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        records = [about | record for record in alone.submit(stages, *given).result()]
    print(*map(json.dumps, records), sep="\n", file=sys.stderr, flush=True)
    return records


def figure_of(record: Record, key: str) -> float:
    """A figure of a record."""
    return float(str(record[key]))


def megabytes(key: str) -> float:
    """``VmRSS``, what this process holds, or ``VmHWM``, the most that it has held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def markdown(rows: Iterable[Sequence[object]]) -> str:
    """Rows as a table in Markdown, the first of them its head."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * (lines[0].count(" | ") + 1))
    return "\n".join(lines)
