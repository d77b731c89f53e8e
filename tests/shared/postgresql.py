"""A real PostgreSQL server for a test."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def address_of_server() -> Iterator[str]:
    """The address of a server that lives as long as the block; the test is skipped where none can be started."""
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("there is no PostgreSQL")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    user = "nobody" if os.getuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp())
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listens = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    database, log = str(folder / "data"), str(folder / "log")
    start = [pg_ctl, "-D", database, "-w", "-l", log, "-o", listens, "start"]
    try:
        for command in ([initdb, "-D", database, "-U", "me", "-A", "trust", "--no-sync"], start):
            done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"PostgreSQL does not start: {done.stderr[-200:]}")
        yield f"postgresql://me:s3cret@127.0.0.1:{port}/postgres"
    finally:
        stop = [pg_ctl, "-D", database, "-m", "immediate", "stop"]
        subprocess.run(stop, user=user, cwd=folder, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
