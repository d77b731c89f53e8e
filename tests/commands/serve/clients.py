"""Servers on a free port, and a client that is as short as can be."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from forecast import Run
from forecast.commands.serve.app import App, paths_of
from forecast.commands.serve.connection import Limits
from forecast.commands.serve.metrics import server_metrics
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.server import Server, listen
from forecast.commands.serve.service import Service


@contextmanager
def served(run: Run, limits: Limits, **further: Any) -> Iterator[int]:
    """A server in a thread; its port."""
    metrics = server_metrics({run.name: ["y"]}, [*paths_of([run.name])])
    services = {run.name: Service(run, RequestReader(run), metrics)}
    with listen("127.0.0.1", 0) as listening:
        server = Server(App(services, limits, metrics, **further), limits, listening)
        with running(server):
            yield listening.getsockname()[1]


@contextmanager
def running(server: Server) -> Iterator[None]:
    """A server at work in a thread."""
    thread = threading.Thread(target=lambda: asyncio.run(server.run()))
    thread.start()
    yield
    server.stop()
    thread.join()


def asked(port: int, path: str = "/forecast", body: Any = None, method: str | None = None) -> tuple[int, Any]:
    """Status and answer of one request; what is not bytes is sent as JSON."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        client.request(method or ("GET" if body is None else "POST"), path, content)
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        client.close()


def rows_of(frame: pd.DataFrame) -> dict[str, Any]:
    """A request with the rows of a table."""
    return {"rows": frame.assign(ds=frame["ds"].astype(str)).to_dict(orient="records")}
