"""Lines of files that grow, are moved away, emptied and replaced: each that was written whole comes once, in order."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from forecast.commands.stream import rotation
from forecast.commands.stream.lines import lines_of


class _Over(Exception):
    """Nothing more happens to the file."""


def followed(
    path: Path, monkeypatch: pytest.MonkeyPatch, *happens: Callable[[], object]
) -> tuple[list[tuple[int, bytes]], list[str]]:
    """The lines of a file to which something happens at each wait for it, and what was told."""
    turns, got, told = iter(happens), [], list[str]()

    def sleep(seconds: float) -> None:
        assert seconds == rotation._WAIT
        step = next(turns, None)
        if step is None:
            raise _Over
        step()

    monkeypatch.setattr("time.sleep", sleep)
    with suppress(_Over):
        for numbered in lines_of(str(path), True, told.append):
            if numbered is not None:
                got.append(numbered)
    return got, told


def test_a_file_that_was_moved_away_is_read_to_its_end_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"h\na\n")
    writer = path.open("ab", buffering=0)

    def last_words() -> None:  # the writer is told only now that its file was moved
        writer.write(b"d\n")
        with path.open("ab") as file:
            file.write(b"h\ne\n")

    got, told = followed(
        path,
        monkeypatch,
        lambda: writer.write(b"b\n"),
        lambda: path.rename(tmp_path / "rows.csv.1"),
        lambda: writer.write(b"c\n"),
        path.touch,
        last_words,
        lambda: None,
        lambda: path.open("ab").write(b"f\n"),
    )
    writer.close()
    assert got == [(1, b"h"), (2, b"a"), (3, b"b"), (4, b"c"), (5, b"d"), (1, b"h"), (2, b"e"), (3, b"f")]
    assert told == ["rows.csv was replaced: on with the new file"]


@pytest.mark.parametrize("rotated", ["rows.csv.1", "rows-20240131.csv"])
def test_the_rest_of_a_file_that_was_emptied_is_read_from_its_copy(
    rotated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"h\n" + b"".join(b"%d\n" % number for number in range(1000)))
    (tmp_path / "rows.csv.2").write_bytes(b"h\n" + b"".join(b"%d\n" % (9000 - number) for number in range(1000)))

    def copytruncate() -> None:
        with path.open("ab") as file:
            file.write(b"ab\ncd\nunfin")
        shutil.copy(path, tmp_path / rotated)
        os.truncate(path, 0)
        with path.open("ab") as file:  # more than there was, before anybody looks
            file.write(b"".join(b"x%d\n" % number for number in range(2000)))

    got, told = followed(path, monkeypatch, lambda: path.open("ab").write(b"a"), copytruncate)
    assert got[-2004:-2000] == [(1000, b"998"), (1001, b"999"), (1002, b"aab"), (1003, b"cd")]
    assert got[-2000:] == [(number + 1, b"x%d" % number) for number in range(2000)]
    assert told == [
        f"rows.csv was emptied: what was written to it before, but not read yet, is read from {rotated}",
        "rows.csv ends in the middle of a line, which is not used: 'unfin'",
    ]


def test_a_file_that_was_there_only_between_two_looks_is_read_where_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, (last, middle, new) = tmp_path / "rows.csv", (tmp_path / f"rows.csv.{number}" for number in (2, 1, 0))

    def write(content: bytes, seconds: int) -> None:
        path.write_bytes(content)
        os.utime(path, (seconds, seconds))

    def rotate_twice() -> None:
        path.rename(last)
        write(b"h\nb\n", 2000)
        path.rename(middle)
        write(b"b\n", 2001)
        path.rename(new)
        (tmp_path / "rows-forecasts.csv").write_bytes(b"ds\nx\n")
        os.utime(tmp_path / "rows-forecasts.csv", (2002, 2002))
        write(b"h\nc\n", 2003)

    write(b"h\na\n", 1000)
    got, told = followed(path, monkeypatch, rotate_twice, lambda: None)
    assert got == [(1, b"h"), (2, b"a"), (1, b"h"), (2, b"b"), (1, b"h"), (2, b"c")]
    assert told == [
        "rows.csv.0 may hold rows that came before those of rows.csv, and is not read",
        "rows.csv was replaced more than once: rows.csv.1 is read first",
        "rows.csv was replaced: on with the new file",
    ]


def test_what_is_told_of_a_file_that_is_emptied_or_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now = tmp_path / "rows.csv", iter(range(0, 100, 4))
    path.write_bytes(b"h\na\nb\n")
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    no_appender = path.open("r+b", buffering=0)
    no_appender.seek(6)
    got, told = followed(
        path,
        monkeypatch,
        lambda: os.truncate(path, 0),
        lambda: no_appender.write(b"c\n"),  # behind a hole of six zeros
        lambda: path.write_bytes(b"h\nd\n"),
        path.unlink,
        lambda: None,
        lambda: None,
        lambda: path.write_bytes(b"e\n"),
    )
    no_appender.close()
    assert got == [(1, b"h"), (2, b"a"), (3, b"b"), (1, b"c"), (1, b"h"), (2, b"d"), (1, b"e")]
    lost = "rows.csv was emptied: what was written to it before, but not read yet, is in no file beside it"
    assert told == [
        lost,
        lost,
        "rows.csv is gone: waiting for the next one",
        "rows.csv was replaced: on with the new file",
    ]


def test_a_file_that_is_written_anew_with_the_same_rows_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"h\na\n")
    got, told = followed(path, monkeypatch, lambda: path.write_bytes(b"h\na\nb\n"))
    assert (got, told) == ([(1, b"h"), (2, b"a"), (3, b"b")], [])


def test_a_pipe_tells_that_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as stdin, os.fdopen(writing, "wb", buffering=0) as pipe:
        monkeypatch.setattr(sys, "stdin", stdin)
        pipe.write(b"h\na\nunfin")
        told = list[str]()
        lines = lines_of("-", True, told.append)
        assert [next(lines), next(lines), next(lines), next(lines)] == [(1, b"h"), (2, b"a"), None, None]
        threading.Timer(0.1, pipe.close).start()
        assert [
            line for line in lines if line is not None
        ] == []  # also though it is followed: nobody can write any more
        assert told == ["standard input ends in the middle of a line, which is not used: 'unfin'"]
