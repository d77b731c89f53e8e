"""Asking a service: what is tried again, how long is waited, and the one error that says what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from forecast.errors import ConfigError, MachineError
from forecast.sources.datasets import DATASETS
from forecast.sources.services.answers import Answers
from forecast.sources.services.bodies import csv_of, json_of, unzipped
from forecast.sources.services.hosts import Query
from forecast.sources.services.transport import Client, ServiceError
from loopback import NOON, Loopback, Reply, StandingClock
from recording import RecordingProgress


@pytest.fixture
def client(tmp_path: Path, clock: StandingClock) -> Client:
    return Client(tmp_path, RecordingProgress(), clock.now, clock.sleep, timeouts=(20.0, 20.0), most_bytes=1000)


def refused(client: Client, query: Query, parse: Callable[[bytes], Any] = json_of) -> tuple[str, str]:
    """The message and the advice of the one error that a question ends with."""
    with pytest.raises(ServiceError) as caught:
        client.ask(query, parse)
    assert caught.value.exit_code == 3
    return caught.value.text("shell")


def test_what_was_asked_and_answered_is_kept_without_the_key(loopback: Loopback, client: Client) -> None:
    loopback.says("/v1", '{"a": 1}')
    host = loopback.host(name="weather")
    query = Query(host, "/v1", {"q": "Århus, 1"}, {"apikey": "s3cret"}, {"Authorization": "Token t0ken"}, weight=2.5)
    assert client.ask(query, json_of) == {"a": 1}
    assert loopback.requests[0].params == {"q": "Århus, 1", "apikey": "s3cret"}
    assert loopback.requests[0].headers["Authorization"] == "Token t0ken"
    body, about = sorted((client.folder / "weather").iterdir(), key=lambda path: path.suffix)
    assert body.read_bytes() == b'{"a": 1}'
    assert json.loads(about.read_text()) == {
        "address": f"{loopback.url}/v1?q=%C3%85rhus%2C+1",
        "asked_at": "2026-11-02T12:00:00+00:00",
        "sha256": hashlib.sha256(b'{"a": 1}').hexdigest(),
        "body": body.name,
        "weight": 2.5,
        "licence": "CC BY 4.0",
        "attribution": "A test",
    }
    assert "s3cret" not in about.read_text()
    assert "t0ken" not in about.read_text()


def test_an_answer_that_is_new_enough_and_whole_is_taken_again(
    loopback: Loopback, client: Client, clock: StandingClock
) -> None:
    loopback.says("/", "[1]", "[2]", "[3]")
    query = Query(loopback.host(), "/")
    hour = timedelta(hours=1)
    assert client.ask(query, json_of, hour) == [1]
    assert client.ask(query, json_of, hour) == [1]
    assert client.ask(Query(loopback.host(), "/other"), json_of, hour) == [2]
    clock.time += 2 * hour
    assert client.ask(query, json_of, hour) == [3]
    for path in (client.folder / "test").glob("*.body"):
        path.write_bytes(b"[4]")
    assert client.ask(query, json_of, hour) == [3]  # damaged ones are asked for again
    assert len(loopback.requests) == 4  # and the second at 14:00 took the place of the first
    (client.folder / "test" / "20261102T150000Z-0-0.about.json").write_text("{")
    assert len(list(Answers(client.folder / "test").since(NOON))) == 3


@pytest.mark.parametrize(
    ("failure", "waits"),
    [
        (Reply(b"busy", 503), [1]),
        (Reply(b"busy", 503, {"Retry-After": "7"}), [7]),
        (Reply(b"busy", 429, {"Retry-After": format_datetime(NOON + timedelta(seconds=30), usegmt=True)}), [30]),
        (Reply(b'{"reason": "Minutely API request limit exceeded. Try again in one minute."}', 429), [60]),
        (Reply(b"Too Many Requests", 429), [60]),
        (Reply(b'{"a": [1, 2, 3]}', sent=7), [1]),  # less than was announced
        (Reply(b'{"a": [1, 2', framed=False), [1]),
        (Reply(b'{"a": [1, 2Unexpected error while streaming data: timeout'), [1]),
        (Reply(b"not gzip", headers={"Content-Encoding": "gzip"}), [1]),
        (Reply(stalls=True), [1]),
        (Reply(b"x" * 100, sent=0), [1]),
    ],
)
def test_what_a_second_try_may_mend_is_tried_again(
    loopback: Loopback, client: Client, clock: StandingClock, failure: Reply, waits: list[float]
) -> None:
    def sleep(seconds: float) -> None:
        client.timeouts = (20.0, 20.0)
        clock.sleep(seconds)

    client.sleep = sleep
    if failure.stalls:
        client.timeouts = (20.0, 0.1)
    loopback.says("/", failure, "[1]")
    assert client.ask(Query(loopback.host(), "/"), json_of) == [1]
    assert clock.waited == waits
    assert f"asked again in {waits[0]} s" in client.progress.notes[0]  # type: ignore[attr-defined]
    assert len(client.answers) == 1


def test_after_three_tries_it_says_what_happened(loopback: Loopback, client: Client, clock: StandingClock) -> None:
    loopback.says("/", Reply(b"<html><title>Bad gateway</title>", 502))
    message, advice = refused(client, Query(loopback.host(), "/"))
    assert message == "The service refused with status 502: Bad gateway, three times."
    assert (len(loopback.requests), clock.waited, advice) == (3, [1, 4], "Try again later.")
    assert not list(client.folder.rglob("*.body"))


@pytest.mark.parametrize(
    ("reply", "told", "advice"),
    [
        (
            Reply(b'{"error":true,"reason":"Daily API request limit exceeded."}', 429),
            "refused with status 429: Daily API request limit exceeded.",
            "Try again after 2026-11-03 12:00 UTC.",
        ),
        (Reply(b"wait", 503, {"Retry-After": "600"}), "503: wait.", "Try again after 2026-11-02 12:10 UTC."),
        (
            Reply(b'{"error":true,"reason":"Parameter \'start_date\' is out of range"}', 400),
            "is out of range.",
            "Check what is asked for: names, days, columns.",
        ),
        (
            Reply(b'{"detail":"Invalid token s3cret."}', 401),
            "refused with status 401: Invalid token ….",
            "Check the key, if it needs one.",
        ),
        (Reply(b"<html><body><h1>Will be right back</h1><p>s"), "a page of HTML instead of JSON: Will be right ba", ""),
        (Reply(b"Date,Close\n"), "answered with text instead of JSON: Date,Close.", ""),
        (Reply(b""), "answered with nothing instead of JSON: nothing.", ""),
        (Reply(b"x" * 1001), "answered with more than 1,000 bytes.", "Ask for a shorter span."),
        (
            Reply(gzip.compress(b"x" * 100_000), headers={"Content-Encoding": "gzip"}),
            "answered with more than 1,000 bytes.",
            "Ask for a shorter span.",
        ),
        (Reply(b"", 302, {"Location": "/"}), "The service sends in circles.", ""),
        (Reply(b"", 302, {"Location": "gopher://here"}), "could not be asked (InvalidSchema)", ""),
    ],
)
def test_what_no_second_try_mends_is_said_at_once(
    loopback: Loopback, client: Client, clock: StandingClock, reply: Reply, told: str, advice: str
) -> None:
    loopback.says("/", reply)
    message, advised = refused(client, Query(loopback.host(), "/", secret={"apikey": "s3cret"}))
    assert told in message
    assert message.startswith("The service ")
    assert "s3cret" not in message
    assert advised == (advice or "Try again later.")
    assert not clock.waited


def test_a_table_must_be_one_and_whole(loopback: Loopback, client: Client) -> None:
    query = Query(loopback.host(), "/")
    loopback.says("/", Reply(b"date,a\n2026-01-01,12.5", framed=False), "date,a\n2026-01-01, 12.5\n")
    assert client.ask(query, lambda body: csv_of(body, "date")) == {"date": ["2026-01-01"], "a": ["12.5"]}
    for body, told in {
        b'{"Information": "25 requests per day"}': "JSON instead of CSV: 25 requests per day",
        b"<!DOCTYPE html><html><script>x</script><p>Sign in &amp; pay": "a page of HTML instead of CSV: Sign in & pay",
        b"when,b\n1,2\n": "a table without the column 'date': when,b 1,2",
        b"date,a\n1,2\n3": "CSV that breaks off, three times",
    }.items():
        loopback.says("/", body)
        assert told in refused(client, query, lambda content: csv_of(content, "date"))[0]


def test_a_packed_file_is_unpacked_to_its_end_and_no_further(loopback: Loopback, client: Client) -> None:
    packed = gzip.compress(b"a,b\n" * 100)
    loopback.says("/", packed)
    query = Query(loopback.host(), "/")
    assert client.ask(query, lambda body: unzipped(body, 1000)) == b"a,b\n" * 100
    for body, told in {
        packed[:-5]: "a gzip file that breaks off, three times",
        packed[:-8] + bytes(8): "a damaged gzip file, three times",
        gzip.compress(b"0" * 10_000): "a gzip file that holds more than 1,000 bytes",
    }.items():
        loopback.says("/", body)
        assert told in refused(client, query, lambda content: unzipped(content, 1000))[0]


def test_nothing_is_no_error_where_it_may_be(loopback: Loopback, client: Client) -> None:
    assert client.ask(Query(loopback.host(), "/2027.csv", absent=(404,)), json_of) is None


def test_an_answer_that_never_ends_is_left(loopback: Loopback, client: Client, clock: StandingClock) -> None:
    def slow(_: dict[str, str]) -> bytes:
        clock.time += timedelta(hours=1)
        return b"[1]"

    loopback.says("/", slow)
    assert "did not end its answer within 300 seconds" in refused(client, Query(loopback.host(), "/"))[0]


def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_without_a_network_it_says_so_at_once_and_names_what_needs_none(
    loopback: Loopback, client: Client, clock: StandingClock
) -> None:
    message, advice = refused(client, Query(loopback.host(url=f"http://127.0.0.1:{unused_port()}"), "/"))
    assert message == "There is no way to The service: 127.0.0.1 cannot be reached from here."
    assert advice == f"Check the network. Built-in series need none: {', '.join(DATASETS)}."
    message, _ = refused(client, Query(loopback.host(url="http://no-such-host.invalid"), "/"))
    assert "no-such-host.invalid cannot be reached" in message
    assert not clock.waited


def test_a_proxy_and_a_certificate_have_an_error_of_their_own(
    loopback: Loopback, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    message, advice = refused(client, Query(loopback.host(url=loopback.url.replace("http", "https")), "/"))
    assert "shows no valid certificate" in message
    assert "REQUESTS_CA_BUNDLE" in advice
    monkeypatch.setenv("http_proxy", f"http://user:s3cret@127.0.0.1:{unused_port()}")
    message, advice = refused(client, Query(loopback.host(url="http://example.invalid"), "/"))
    assert message == "The service could not be asked: the proxy does not let through, or is not there."
    assert "http_proxy" in advice
    monkeypatch.setenv("http_proxy", loopback.url)
    loopback.says("http", Reply(b"log in", 407))
    loopback.says("", Reply(b"log in", 407))
    assert "status 407: log in" in refused(client, Query(loopback.host(url="http://example.invalid"), "/"))[0]


def test_limits_are_kept_across_processes_and_hosts_that_share_them(
    loopback: Loopback, client: Client, clock: StandingClock, tmp_path: Path
) -> None:
    loopback.says("/", "[]")
    limits = ((600.0, 60.0), (5000.0, 3600.0))
    first = Query(loopback.host(name="meteo", limits=limits), "/", weight=500)
    second = Query(loopback.host(name="meteo-archive", limits=limits, shares="meteo"), "/", weight=300)
    client.ask(first, json_of)
    clock.time += timedelta(seconds=20)
    client.ask(second, json_of)
    assert clock.waited == [40]
    later = Client(tmp_path, RecordingProgress(), clock.now, clock.sleep)
    later.ask(second, json_of)
    assert clock.waited == [40]
    later.ask(second, json_of)
    assert clock.waited == [40, 60]
    assert "answers 600 calls in a minute: waiting 60 s" in later.progress.notes[0]  # type: ignore[attr-defined]
    message, advice = refused(client, Query(first.host, "/", weight=601))
    assert message == "The service answers 600 calls in a minute, and this counts as 601."
    assert "fewer columns" in advice
    hourly = Query(loopback.host(name="small", limits=((1.0, 3600.0),)), "/")
    client.ask(hourly, json_of)
    message, advice = refused(client, hourly)
    assert message == "The service answers 1 calls in an hour, and these were used up."
    assert advice == "Try again after 2026-11-02 13:02 UTC."


def test_an_address_comes_from_the_environment(
    loopback: Loopback, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.says("/base/v1", "[1]")
    host = loopback.host(name="open-meteo", url="https://api.open-meteo.com")
    monkeypatch.setenv("FORECAST_OPEN_METEO_URL", f"{loopback.url}/base/")
    assert client.ask(Query(host, "/v1"), json_of) == [1]
    gateway = loopback.url.replace("//", "//me:s3cret@")
    monkeypatch.setenv("FORECAST_OPEN_METEO_URL", f"{gateway}/base")
    client.ask(Query(host, "/v1"), json_of)
    assert loopback.requests[-1].headers["Authorization"].startswith("Basic ")
    assert client.answers[-1].address == f"{loopback.url}/base/v1"
    monkeypatch.setenv("FORECAST_OPEN_METEO_URL", "here")
    with pytest.raises(ConfigError, match="FORECAST_OPEN_METEO_URL is no address: 'here'"):
        client.ask(Query(host, "/v1"), json_of)


def test_a_folder_that_cannot_be_written_is_named(loopback: Loopback, client: Client, tmp_path: Path) -> None:
    loopback.says("/", "[1]")
    (tmp_path / "test").write_text("a file")
    with pytest.raises(MachineError, match="Cannot write"):
        client.ask(Query(loopback.host(), "/"), json_of)
