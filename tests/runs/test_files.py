"""Writing whole or not at all, and locks that no dead process holds."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forecast.errors import MachineError
from forecast.runs.files import check_output, locked, write_atomically, write_output

OLD, NEW = b"old" * 100, b"new" * 5000


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def running(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has printed a line; it is killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_content_is_put_in_place_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.bin"
    for content in (OLD, NEW, b""):
        write_atomically(path, content)
        assert files(path.parent) == {"file.bin": content}


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EXDEV])
def test_a_failing_call_leaves_the_old_whole(
    tmp_path: Path, call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, OLD)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(MachineError) as caught:
        write_atomically(path, NEW)
    assert caught.value.message == f"Cannot write {path} (15,000 bytes): {os.strerror(number)}."
    assert caught.value.exit_code == 3
    assert files(tmp_path) == {"file.bin": OLD}


def test_an_interrupt_leaves_the_old_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, OLD)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, NEW)
    assert files(tmp_path) == {"file.bin": OLD}


def test_what_the_disk_did_not_keep_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, OLD)
    monkeypatch.setattr(Path, "read_bytes", lambda _: NEW[:-1])
    with pytest.raises(MachineError, match="did not keep what was written"):
        write_atomically(path, NEW)
    monkeypatch.undo()
    assert files(tmp_path) == {"file.bin": OLD}


def test_a_limit_of_file_size_leaves_the_old_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, OLD)
    script = """
import resource, sys
from pathlib import Path
from forecast.errors import MachineError
from forecast.runs.files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(Path(sys.argv[1]), b"new" * 5000)
except MachineError as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"Cannot write {path} (15,000 bytes): File too large.\n"
    assert files(tmp_path) == {"file.bin": OLD}


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    script = """
import itertools, sys
from pathlib import Path
from forecast.runs.files import write_atomically
for number in itertools.count():
    write_atomically(Path(sys.argv[1]), bytes([number % 256]) * 1_000_000)
    print(number, flush=True)
"""
    for wait in (0.0, 0.003, 0.011):
        with running(script, path) as process:
            time.sleep(wait)
            for _ in range(20):  # and so does any moment at which it is read
                content = path.read_bytes()
                assert content == content[:1] * 1_000_000
            process.send_signal(signal.SIGKILL)
            process.wait()
        content = path.read_bytes()
        assert content == content[:1] * 1_000_000


@pytest.mark.parametrize("place", ["file/below/a/file", "folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        MachineError, match=r"Cannot write .* \(15,000 bytes\): (Not a directory|Is a directory|File exi)"
    ):
        write_atomically(tmp_path / place, NEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "lock"
    with locked(path, "The run x"):
        assert path.read_text() == str(os.getpid())
        with pytest.raises(MachineError) as caught, locked(path, "The run x"):
            pass
        assert caught.value.message == f"The run x is being written by process {os.getpid()}."
        assert caught.value.exit_code == 3
        assert path.exists()  # the one who was refused took nothing away
    assert not path.exists()


HOLD = """
import sys
from pathlib import Path
from forecast.runs.files import locked
with locked(Path(sys.argv[1]), "The run x"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_another_process_is_kept_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with running(HOLD, path) as process:
        with pytest.raises(MachineError, match=rf"by process {process.pid}\."), locked(path, "The run x"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.read_text() == str(process.pid)
        with locked(path, "The run x"):
            assert path.read_text() == str(os.getpid())
    assert not path.exists()


def test_a_failure_under_the_lock_lets_it_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyError), locked(path, "The run x"):
        raise KeyError
    assert not path.exists()
    with locked(path, "The run x"):
        pass


def test_a_lock_file_that_was_taken_away_meanwhile_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between opening the file and locking it, its former holder ends and removes it: the lock would be on no file.
    path, flock = tmp_path / "lock", fcntl.flock
    removals = [path]

    def remove_then_lock(file: object, operation: int) -> None:
        while removals:
            removals.pop().unlink()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_then_lock)
    with (
        locked(path, "The run x"),
        pytest.raises(MachineError, match="is being written by process"),
        locked(path, "The run x"),
    ):
        pass


def test_a_lock_in_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with (
        pytest.raises(MachineError, match=r"Cannot lock .*lock: (Not a directory|File exists)"),
        locked(tmp_path / "file" / "lock", "The run x"),
    ):
        pass


def test_an_output_goes_through_links_and_pipes(tmp_path: Path) -> None:
    real, link, pipe = tmp_path / "real.csv", tmp_path / "link.csv", tmp_path / "pipe"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_output(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_output(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert not pipe.is_file()


def test_a_full_device_is_told_and_stays_what_it_is() -> None:
    with pytest.raises(MachineError, match="No space left") as refused:
        write_output(Path("/dev/full"), b"x")
    assert refused.value.advice.startswith("Free some space")
    assert not Path("/dev/full").is_file()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "below.csv", Path("/proc/x/a.csv")):
        with pytest.raises(MachineError) as refused:
            check_output(place)
        assert refused.value.advice == "Choose another place."
    check_output(None)
    check_output(tmp_path / "new" / "deep" / "a.csv")
    assert not (tmp_path / "new").exists()


def test_a_planted_link_leads_nowhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (tmp_path / ".run.lock").symlink_to(elsewhere)
    with pytest.raises(MachineError, match="Cannot lock"), locked(tmp_path / ".run.lock", "The run"):
        pass
    (tmp_path / f".file.{os.getpid()}.tmp").symlink_to(elsewhere)
    with pytest.raises(MachineError, match="Cannot write"):
        write_atomically(tmp_path / "file", b"new")
    assert elsewhere.read_text() == "kept"
