"""Load `forecast serve` on the loopback with a client of its own, and print what clients wait for.

    python scripts/benchmark_serve.py [--workers 2] [--seconds 5] [--package FOLDER]

``--package`` measures the package in another folder, such as a checkout of an older version, with the same requests.
The client shares the machine's cores with the server, so a machine of two has less than two for it. Each row of the
table is one pattern of load: a small request has 80 rows, a large one 5,000.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

_ROOT = Path(__file__).parent.parent

# Rows of a small and of a large request.
_SMALL, _LARGE = 80, 5_000


@dataclass
class Client:
    """One connection that sends a request whenever the answer to the last has come.

    Args:
        connection: Connected to the server.
        request: What it sends.
        seconds: How long each answer took.
    """

    connection: socket.socket
    request: bytes
    seconds: list[float] = field(default_factory=list)
    sent: float = 0.0
    received: bytes = b""

    def send(self) -> None:
        """Send the request."""
        self.sent, self.received = time.perf_counter(), b""
        self.connection.setblocking(True)
        self.connection.sendall(self.request)
        self.connection.setblocking(False)

    def receive(self) -> bool:
        """Take what has come; whether the answer is whole."""
        self.received += self.connection.recv(1 << 20)
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if length is None or len(body) < int(length[1]):
            return False
        if b" 200 " not in head[:20]:
            raise RuntimeError(self.received[:500].decode())
        self.seconds.append(time.perf_counter() - self.sent)
        return True


def load(port: int, requests: list[bytes], seconds: float) -> list[list[float]]:
    """How long each answer took to clients that send these requests again and again, each on its own connection."""
    selector, clients = selectors.DefaultSelector(), []
    for request in requests:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients.append(Client(connection, request))
        selector.register(connection, selectors.EVENT_READ, clients[-1])
        clients[-1].send()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for key, _ in selector.select(0.1):
            if key.data.receive():
                key.data.send()
    for client in clients:
        client.connection.close()
    return [client.seconds for client in clients]


def post(rows: pd.DataFrame, target: str) -> bytes:
    """A request with these rows."""
    body = json.dumps({"rows": [{"ds": str(ds)[:10], target: y} for ds, y in rows.itertuples(index=False)]}).encode()
    head = f"POST /forecast HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def megabytes(process: int) -> float:
    """The memory of a process and of its children that is its own, in MB."""
    family = [process, *map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]
    sizes = [re.search(r"Pss:\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text()) for one in family]
    return sum(int(size[1]) for size in sizes if size) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--package", type=Path, default=_ROOT)
    parser.add_argument("--run", type=Path, help="A run of the built-in weather; it is trained if there is none.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"PYTHONPATH": str(asked.package.resolve()), "OMP_NUM_THREADS": "1"}
        run = (asked.run and asked.run.resolve()) or Path(folder) / "served"
        forecast = [sys.executable, "-m", "forecast"]
        if not run.exists():
            train = ["train", "weather", "--run", run.name, "--runs-dir", str(run.parent), "--no-baseline", "--quiet"]
            subprocess.run([*forecast, *train], check=True, env=env, stdout=subprocess.DEVNULL)
        workers = ["--workers", str(asked.workers)] if asked.workers > 1 else []
        command = [*forecast, "serve", str(run), "--port", "0", "--timeout", "60", *workers]
        server = subprocess.Popen(command, env=env, cwd=folder, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        port = next(int(found[1]) for line in server.stderr if (found := re.search(r"http://[^ ]*:(\d+)", line)))
        try:
            report(port, server.pid, asked.seconds)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def report(port: int, process: int, seconds: float) -> None:
    """Print a table of patterns of load."""
    weather = pd.read_csv(_ROOT / "data/weather.csv")
    target, values = weather.columns[1], weather.iloc[:, 1].to_numpy()
    times = pd.date_range(end=str(weather.iloc[-1, 0]), periods=_LARGE, freq="MS", unit="s")
    long = pd.DataFrame({"ds": times, "y": np.resize(values[::-1], _LARGE)[::-1]})
    small, large = post(long.tail(_SMALL), target), post(long, target)
    health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    patterns = {
        "health, 1 client": ([health], 1),
        "small, 1 client": ([small], 1),
        "small, 8 clients": ([small] * 8, 8),
        "small, 50 clients": ([small] * 50, 50),
        "small beside 1 large": ([small, large], 1),
    }
    load(port, [small] * 8, 1.0)
    print(f"{'load':<22}{'p50 ms':>9}{'p95 ms':>9}{'requests/s':>12}{'memory MB':>11}")
    for name, (requests, counted) in patterns.items():
        taken = np.concatenate(load(port, requests, seconds)[:counted])
        p50, p95 = np.quantile(taken, [0.5, 0.95]) * 1000
        print(f"{name:<22}{p50:>9.2f}{p95:>9.2f}{len(taken) / seconds:>12.0f}{megabytes(process):>11.0f}", flush=True)


if __name__ == "__main__":
    main()
