"""What the benchmarks share: results that are kept from call to call, and tables in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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


def markdown(rows: Iterable[Sequence[object]]) -> str:
    """Rows as a table in Markdown, the first of them its head."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * (lines[0].count(" | ") + 1))
    return "\n".join(lines)
