"""The command ``forecast serve`` as a process: what it loads, where it listens, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pandas as pd
import pytest
from typer.testing import CliRunner

from clients import asked, rows_of
from forecast import Run
from forecast.cli import build_program
from forecast.commands.serve.server import listen
from forecast.errors import MachineError


def started(run: Run, *options: str) -> tuple[subprocess.Popen[str], int]:
    """A server that says what it imports, and its port."""
    command = [sys.executable, "-X", "importtime", "-m", "forecast", "serve", str(run.path), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert process.stderr is not None
    for line in process.stderr:
        assert "tensorflow" not in line
        assert "keras" not in line
        address = re.search(r"serving months at http://127\.0\.0\.1:(\d+);", line)
        if address:
            return process, int(address[1])
    raise AssertionError("The server ended before it listened.")


def n_sockets(process: str) -> int:
    """How many sockets a process has open."""
    found = 0
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += file.readlink().name.startswith("socket:")
    return found


def test_processes_need_no_tensorflow_count_together_replace_each_other_and_end_in_good_order(
    trained: Run, monthly: pd.DataFrame
) -> None:
    process, port = started(trained, "--workers", "2", "--log", "json")
    assert process.stderr is not None
    body = rows_of(monthly)
    with ThreadPoolExecutor(8) as clients:
        several = [*clients.map(lambda _: asked(port, body=body), range(24))]
    assert all(answer == several[0] for answer in several)
    with urlopen(f"http://127.0.0.1:{port}/metrics") as metrics:
        assert 'forecast_requests_total{path="/forecast",code="200"} 24\n' in metrics.read().decode()
    first, second = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    clients_that_stay = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    assert asked(port, "/health")[0] == 200  # whose connection was accepted after theirs
    assert abs(n_sockets(first) - n_sockets(second)) <= 2  # each process has four of them, one maybe that of /health
    for client in clients_that_stay:
        client.close()
    os.kill(int(first), signal.SIGKILL)
    told = json.loads(next(line for line in process.stderr if "replaced" in line))
    assert (told["level"], told["message"]) == ("warning", "process 0 ended with -9, and is replaced")
    answers: list[tuple[int, Any]] = []
    client = threading.Thread(target=lambda: answers.append(asked(port, body=body)))
    client.start()
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(b"POST /forecast HTTP/1.1\r\n")
        client.join()
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert answers == [several[0]]
    assert len(answers[0][1]["forecast"]) == 3
    assert not re.search("tensorflow|keras|Traceback", rest)
    logged = [json.loads(line) for line in rest.splitlines() if not line.startswith("import time:")]
    assert (logged[-1]["path"], logged[-1]["status"], logged[-1]["client"]) == ("/forecast", 200, "127.0.0.1")


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_requests_end(trained: Run, monthly: pd.DataFrame, number: signal.Signals) -> None:
    process, port = started(trained)
    answers: list[int] = []
    table = rows_of(monthly)
    clients = [threading.Thread(target=lambda: answers.append(asked(port, body=table)[0])) for _ in range(16)]
    for client in clients:
        client.start()
    while not answers:
        pass
    process.send_signal(number)
    for client in clients:
        client.join()
    assert process.wait(20) == 0
    assert set(answers) == {200}


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=f"Cannot listen on 127.0.0.1, port {port}: ") as refused:
            listen("127.0.0.1", port)
    assert refused.value.exit_code == 3
    with pytest.raises(MachineError, match="Cannot listen on no such host"):
        listen("no such host", 0)


def test_what_ends_a_server_is_a_line_of_the_log(trained: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ["--port", str(taken.getsockname()[1]), "--log", "json"]
        result = CliRunner().invoke(build_program(), ["serve", str(trained.path), *options])
    (line,) = result.stderr.splitlines()
    told = json.loads(line)
    assert (told["level"], told["kind"], told["exit_code"], result.exit_code) == ("error", "machine", 3, 3)
    assert told["error"].startswith("Cannot listen on 127.0.0.1")


def test_without_the_extra_it_says_what_to_install(
    trained: Run, monkeypatch: pytest.MonkeyPatch, invoked: Callable[..., BaseException | None]
) -> None:
    monkeypatch.setitem(sys.modules, "h11", None)
    for name in ("connection", "server"):
        monkeypatch.delitem(sys.modules, f"forecast.commands.serve.{name}", raising=False)
    error = invoked("serve", trained.path)
    assert isinstance(error, MachineError)
    assert "needs h11" in error.message
    assert error.advice == "Install it: pip install 'forecast-lstm[serve]'"


@pytest.fixture
def invoked() -> Callable[..., BaseException | None]:
    """Run a command in this process; what it raised."""

    def run(*arguments: object) -> BaseException | None:
        return CliRunner().invoke(build_program(), [str(argument) for argument in arguments]).exception

    return run
