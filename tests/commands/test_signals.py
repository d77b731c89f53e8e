"""Signals that come while the process is deep in a call, or twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Deriving a key takes minutes, and Python calls no handler before it is over. The other thread gets its turn, and tells
# of it, only when the first is in that call.
STUCK = """
import hashlib, sys, threading
from forecast.commands import console
console._SECONDS_TO_STOP = float(sys.argv[1])
progress = console.ConsoleProgress()
progress.resumable("forecast train --resume long")
deep = threading.Event()
with progress.stopping_on_signals():
    threading.Thread(target=lambda: deep.wait() and print("stuck", flush=True)).start()
    sys.setswitchinterval(1000)
    deep.set()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""


def until_delivered(pid: int) -> None:
    """Wait until no signal is pending: of two that are, the kernel delivers the one with the lower number first."""
    status = Path(f"/proc/{pid}/status")
    while status.exists() and re.search(r"^(Sig|Shd)Pnd:\s*0*[1-9a-f]", status.read_text(), re.MULTILINE):
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("seconds", "numbers"),
    [(0.1, [signal.SIGTERM]), (0.1, [signal.SIGINT]), (600.0, [signal.SIGTERM, signal.SIGINT])],
    ids=["time is up", "time is up for SIGINT", "a second signal"],
)
def test_a_process_that_is_stuck_in_a_call_ends_all_the_same(seconds: float, numbers: list[signal.Signals]) -> None:
    command = [sys.executable, "-c", STUCK, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            for number in numbers:
                process.send_signal(number)
                until_delivered(process.pid)
            assert process.wait(timeout=60) == 128 + numbers[0]
            assert process.stderr is not None
            assert process.stderr.read() == "Stopped.\nContinue with: forecast train --resume long\n"
        finally:
            process.kill()


def test_after_the_work_nothing_ends_the_process_and_no_pipe_is_left() -> None:
    from forecast.commands import console

    before, opened = signal.getsignal(signal.SIGTERM), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with console.ConsoleProgress().stopping_on_signals():
            assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.set_wakeup_fd(-1) == -1
    assert len(os.listdir("/proc/self/fd")) <= opened + 3  # the threads are closing theirs
