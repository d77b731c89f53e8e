"""The address of a file as a source: fetched once, told as a copy, got anew where that is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import forecast
from forecast.errors import ConfigError, MachineError
from forecast.progress import NullProgress
from forecast.sources.services.refresh import refresh

ROWS = "time,temp\n" + "".join(f"2024-01-{1 + day:02d},{day}\n" for day in range(30))


class Web(dict[str, bytes]):
    """What stands at each path, and how often it was asked for."""

    address = ""
    asked = 0


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("FORECAST_DATA", str(tmp_path / "data"))
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked += 1
            body = web.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield web
        server.shutdown()


def test_it_is_fetched_once_and_said_to_be_a_copy(web: Web) -> None:
    web["/river.csv?day=1"] = ROWS.encode()
    address = f"{web.address}/river.csv?day=1"
    first, second = forecast.read(address), forecast.read(address)
    assert web.asked == 1
    assert first.fingerprint() == second.fingerprint()
    assert first.columns == ("temp",)
    assert f"As it was at {address}" in second.notes[-1]
    web["/river.csv?day=1"] = (ROWS + "2024-01-31,99\n").encode()
    path = forecast.fetch(address, refresh=True).path
    assert path.name.startswith("127.0.0.1-river-")
    assert forecast.read(address).values[-1] == 99
    web["/river.csv?day=1"] = (ROWS + "2024-01-31,98\n").encode()
    assert refresh(path, NullProgress()) == str(path)  # as `forecast update --fetch` asks for it
    assert forecast.read(path).values[-1] == 98


def test_what_is_no_table_is_refused_and_leaves_nothing(web: Web, tmp_path: Path) -> None:
    web["/page.csv"] = b"<!DOCTYPE html><title>Not here</title>"
    with pytest.raises(MachineError, match="what is no table: Not here"):
        forecast.read(f"{web.address}/page.csv")
    with pytest.raises(MachineError, match="status 404") as refusal:
        forecast.read(f"{web.address}/none.csv")
    assert "Check the name, or the address" in refusal.value.advice
    assert not list((tmp_path / "data").glob("*.csv"))


def test_python_fetches_a_file_as_the_command_does(web: Web) -> None:
    web["/river.csv"] = ROWS.encode()
    first, again = (forecast.fetch(f"{web.address}/river.csv") for _ in range(2))
    assert (first.was_there, again.was_there, web.asked) == (False, True, 1)
    assert first.path.read_text() == ROWS
    with pytest.raises(ConfigError, match="start is asked of a service"):
        forecast.fetch(f"{web.address}/river.csv", start="2024-01-01")
