"""Connections to a server on the loopback: what is read and written, how long is waited, how many there may be."""

from __future__ import annotations

import asyncio
import http.client
import re
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from clients import running
from forecast.commands.serve.connection import Limits, Request, Response
from forecast.commands.serve.server import Server, listen


class Echo:
    """Answers with the length of the body that it was sent; at /slow and /brief not at once."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, int]] = []

    def refuse(self, request: Request) -> Response | None:
        return self.refusal(404, "no") if request.path == "/none" else None

    async def respond(self, request: Request) -> Response:
        await asyncio.sleep({"/slow": 1.0, "/brief": 0.2}.get(request.path, 0.0))
        size = 1 << 24 if request.path == "/large" else 0
        return Response(200, f"{request.method} {len(request.body)}".encode() + b" " * size)

    def refusal(self, status: int, error: str, hint: str = "") -> Response:
        return Response(status, error.encode())

    def note(self, client: str, request: Request | None, response: Response, seconds: float) -> None:
        assert client == "127.0.0.1"
        self.noted.append(("" if request is None else request.path, response.status))

    def stop(self) -> None:
        self.noted.append(("stop", 0))


LIMITS = Limits(body=100, seconds=0.4, idle_seconds=0.2, connections=5)


@contextmanager
def echoing(limits: Limits = LIMITS) -> Iterator[int]:
    with listen("127.0.0.1", 0) as listening, running(Server(Echo(), limits, listening)):
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server that echoes, within small limits."""
    with echoing() as port:
        yield port


def said(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """All that a server answers to these bytes before it closes, sent one after another."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(pause)
        answer = b""
        while data := client.recv(1 << 16):
            answer += data
    return answer


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([], b""),
        ([b"GET / HTTP/1.1\r\nHost: x\r\n"], b"HTTP/1.1 408 "),
        ([b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234"], b"HTTP/1.1 408 "),
        ([b"\x16\x03\x01\x02\x00\x01\r\n\r\n"], b"HTTP/1.1 400 "),
        ([b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000], b"HTTP/1.1 431 "),
        ([b"GET / HTTP/1.0\r\n\r\n"], b"HTTP/1.1 200 "),
        ([b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n1234"], b"HTTP/1.1 404 "),
    ],
)
def test_a_client_that_says_too_little_or_nonsense_is_let_go(port: int, parts: list[bytes], status: bytes) -> None:
    began = time.monotonic()
    answer = said(port, *parts)
    assert time.monotonic() - began < 2
    assert answer.startswith(status) if status else not answer
    assert b"bytearray" not in answer


def test_headers_that_trickle_have_one_time_for_all_of_them(port: int) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(OSError):
            while time.monotonic() - began < 3:
                client.sendall(b"A: b\r\n")
                time.sleep(0.05)
    assert time.monotonic() - began < 1


def test_requests_may_follow_one_another_and_be_sent_at_once(port: int) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n1234"
    head = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    answer = said(port, request * 2 + head + chunked, b"3\r\nabc\r\n0\r\n\r\n", pause=0.05)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"200", b"100", b"200"]
    assert answer.count(b"POST 4") == 2
    assert b"content-length: 6\r\n\r\nHTTP/1.1 100" in answer  # of HEAD, without its body
    assert answer.endswith(b"POST 3")


def test_an_answer_does_not_wait_for_the_acknowledgement_of_the_one_before(port: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        client.request("GET", "/")
        client.getresponse().read()
        seconds.append(time.perf_counter() - began)
    client.close()
    assert statistics.median(seconds) < 0.02


def test_a_client_that_does_not_read_its_answer_is_let_go(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.8)
        received = 0
        with suppress(OSError):
            while data := client.recv(1 << 20):
                received += len(data)
    assert 0 < received < 1 << 24


def test_who_waits_longest_gives_way_and_who_is_answered_does_not(port: int) -> None:
    with echoing(Limits(body=100, seconds=5, idle_seconds=5, connections=3)) as port:
        busy = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(2)]
        for client in busy:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        silent = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(20)]
        silent[-1].sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(client.recv(9) == b"" for client in silent[:-1])
        time.sleep(0.1)
        refused = said(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert refused.endswith(b'"Try again."}\r\n')
        for client in (*busy, *silent):
            assert client in silent[:-1] or client.recv(12) == b"HTTP/1.1 200"
            client.close()


def test_a_process_with_few_descriptors_answers_beside_many_silent_clients() -> None:
    program = (
        "import asyncio, socket, sys; sys.path.append('tests/commands/serve')\n"
        "from test_connection import *\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "listening = listen('127.0.0.1', 0); print(listening.getsockname()[1], flush=True)\n"
        "asyncio.run(Server(Echo(), Limits(100, 5.0, 30.0), listening).run())"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    silent = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(100)]
    for _ in range(5):
        assert b"200 OK" in said(port, b"GET / HTTP/1.0\r\n\r\n")
    process.terminate()
    assert process.communicate(timeout=10)[1] == b""
    assert process.returncode == 0
    for client in silent:
        client.close()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 40


def test_what_has_arrived_is_answered_before_the_end() -> None:
    with echoing(Limits(body=100, seconds=5)) as port:
        clients = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(50)]
        for client in clients:
            client.sendall(b"GET /brief HTTP/1.1\r\nHost: x\r\n\r\n")
    answers = [client.recv(1 << 16) for client in clients]
    assert all(answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower() for answer in answers)
