"""A stream as a real process, through rotations of its file, kills and signals: each row has one forecast."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from forecast import Run, Stream
from forecast.runs.csv_tables import to_records

# Seconds until a process that says nothing is thought to say nothing any more.
PATIENCE = 60


@contextmanager
def streaming(
    run: Run, path: Path, out: Path, *options: object
) -> Iterator[tuple[subprocess.Popen[str], Callable[[int], None]]]:
    """A process that follows a file and writes to the end of another; and how to wait for the forecast of a row."""

    def wait_for(number: int) -> None:
        until = time.monotonic() + PATIENCE
        while f'"number": {number}}}' not in out.read_text():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, out.read_text()[-2000:]
            time.sleep(0.02)

    command = [sys.executable, "-m", "forecast", "stream", run.path, path, "--follow", "--json", *options]
    with (
        out.open("a") as file,
        subprocess.Popen([str(word) for word in command], stdout=file, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            yield process, wait_for
        finally:
            process.kill()


def test_a_stream_survives_rotations_and_kills(trained: Run, monthly: pd.DataFrame, tmp_path: Path) -> None:
    path, out, state = tmp_path / "rows.csv", tmp_path / "out.jsonl", tmp_path / "state.json"
    rows = monthly.tail(60)
    header, *lines = rows.to_csv(index=False).splitlines(keepends=True)

    def append(first: int, last: int, head: str = "") -> None:
        with path.open("a") as file:
            file.write(head + "".join(lines[first:last]))

    options = ("--state", state, "--save-rows", 7, "--save-seconds", 600)
    append(0, 15, header)
    with streaming(trained, path, out, *options) as (process, wait_for):
        wait_for(15)
        with path.open("a") as writer:  # moved away, while the program that writes still has it open
            path.rename(tmp_path / "rows.csv.1")
            writer.write("".join(lines[15:18]))
        append(18, 25, header)
        wait_for(25)
        append(25, 27)  # copied and emptied at once, before the stream can have looked
        shutil.copy(path, tmp_path / "rows.csv.2")
        os.truncate(path, 0)
        append(27, 38)
        wait_for(38)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert json.loads(state.read_text())["tails"][""]["number"] == 34  # 27 at the new file, and 7 rows later
    whole, lines[49] = lines[49], lines[49][:-3]  # the last line is being written
    append(38, 50)
    with out.open("a") as file:
        file.write('[{"unique_id": "cut off, such as by a full dis')
    with streaming(trained, path, out, *options) as (process, wait_for):
        wait_for(49)
        lines[49] = whole[-3:]
        append(49, 60)
        wait_for(60)
        process.send_signal(signal.SIGTERM)
        told = process.communicate()[1]
        assert process.returncode == 143, told
        assert json.loads(told.splitlines()[-1]) == {"stopped": "SIGTERM", "hint": "", "exit_code": 143}
    assert str(rows["ds"].iloc[-1].date()) in state.read_text()
    names = ["out.jsonl", "rows.csv", "rows.csv.1", "rows.csv.2", "state.json"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == names
    documents = [json.loads(line) for line in out.read_text().splitlines() if not line.endswith(" dis")]
    numbers = [document[0]["number"] for document in documents]
    assert numbers == [*range(6, 39), *range(35, 61)]  # those since the state was saved come again
    by_number: dict[int, list[dict[str, object]]] = {}
    for number, document in zip(numbers, documents, strict=True):
        assert by_number.setdefault(number, document) == document
    stream = Stream(trained)
    found = {number: stream.push(row.ds, {"y": row.y}) for number, row in enumerate(rows.itertuples(), 1)}
    for number, steps in by_number.items():
        frame = found[number].assign(number=number)
        assert json.loads(json.dumps(to_records(frame))) == steps
