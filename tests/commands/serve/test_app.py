"""A real server on the loopback: what it answers, and what it refuses."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import forecast
from clients import asked, rows_of, served
from forecast import Run, Settings
from forecast.commands.requests import request_forecast
from forecast.commands.serve import service
from forecast.commands.serve.connection import Limits
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.service import Lane, Lanes, Service
from forecast.errors import ConfigError, DataError
from forecast.runs.csv_tables import to_records


@pytest.fixture(scope="module")
def port(trained: Run) -> Iterator[int]:
    """The trained run, served within small limits."""
    with served(trained, Limits(body=100_000, seconds=20)) as port:
        yield port


def test_the_answer_is_that_of_predict(port: int, trained: Run, monthly: pd.DataFrame, monthly_csv: Path) -> None:
    status, answer = asked(port, body=rows_of(monthly))
    assert status == 200
    assert answer["forecast"] == to_records(forecast.predict(trained, monthly_csv))
    assert answer["warnings"] == []


def test_newer_rows_move_the_intervals_as_they_do_in_predict(port: int, trained: Run, monthly: pd.DataFrame) -> None:
    times = pd.date_range("1990-01-01", periods=230, freq="MS")
    longer = pd.DataFrame({"ds": times, "y": [*monthly["y"], *monthly["y"][:30] + 3]})
    longer.loc[228, "y"] = None
    status, answer = asked(port, body=json.loads(json.dumps(rows_of(longer)).replace("NaN", "null")))
    assert status == 200
    assert answer["forecast"] == to_records(forecast.predict(trained, longer))
    assert "the last seen values are carried forward" in answer["warnings"][-1]


ROW = {"ds": "2020-01-01", "y": 1.0}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is not JSON: EOF"),
        (b'{"rows": [', "The body is not JSON: EOF"),
        (b"\xff\xfe", "The body is not JSON"),
        (b"[" * 50_000, "The body is not JSON: recursion limit exceeded"),
        (b'{"rows": [{"ds": "2020-01-01", "y": NaN}]}', "row 1, column 'y': must be a finite number. Received: nan."),
        (b'{"rows": [{"ds": "2020-01-01", "y": -Infinity}]}', "column 'y': must be a finite number. Received: -inf."),
        (b'{"rows": [{"ds": "2020-01-01", "y": 1e999}]}', "column 'y': must be a finite number. Received: inf."),
        (b'{"rows": [{"ds": "2020-01-01", "y": ' + b"9" * 5000 + b"}]}", "number out of range"),
        (b'{"rows": [{"ds": "\\ud800", "y": 1}]}', "The body is not JSON"),
        ([ROW], "The body: must be an object."),
        ({}, "'rows': Field required."),
        ({"rows": []}, "The table has no rows."),
        ({"rows": [ROW], "horizon": 3}, "'horizon': no such field."),
        ({"rows": [ROW, 5]}, "the table, row 2: must be an object. Received: 5."),
        ({"rows": [ROW, {"y": 1}]}, "the table, row 2: column 'ds' is missing."),
        ({"rows": [ROW | {"rain": 1}]}, "the table, row 1: the run months has no column 'rain'."),
        ({"rows": [ROW | {"y": "1"}]}, "the table, row 1, column 'y': must be a valid number. Received: '1'."),
        ({"rows": [ROW | {"y": True}]}, "the table, row 1, column 'y': must be a valid number. Received: True."),
        (
            b'{"rows": [{"ds": "2020-01-01", "y": 1}, {"ds": "2020-02-01", "y": 1, "y": 2}]}',
            "row 2: 'y' is given twice.",
        ),
        (b'{"rows": [{"ds": "2020-01-01", "ds": "2020-01-01", "y": 1}]}', "row 1: 'ds' is given twice."),
        (
            b'{"rows": [{"ds": "2020-01-01", "y": 1}], "rows": [{"ds": "2020-01-01"}]}',
            "body: 'rows' is given twice.",
        ),
        ({"rows": [ROW | {"ds": 5}]}, "the table, row 1, column 'ds': must be a valid string. Received: 5."),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_words(port: int, body: Any, said: str) -> None:
    status, answer = asked(port, body=body)
    assert status == 422
    assert said in answer["error"]
    assert answer["advice"]


@pytest.mark.parametrize("spoilt", ["short", "daily", "twice", "nameless", "far"])
def test_bad_rows_are_refused_in_the_words_of_predict(
    port: int, trained: Run, monthly: pd.DataFrame, spoilt: str
) -> None:
    table = {
        "short": monthly[:4],
        "daily": monthly.assign(ds=pd.date_range("2020-01-01", periods=200)),
        "twice": pd.concat([monthly, monthly.tail(5).assign(y=0.5)]),
        "nameless": monthly.drop(columns="y"),
        "far": monthly.assign(ds="soon"),
    }[spoilt]
    with pytest.raises(DataError) as refused:
        forecast.predict(trained, table)
    assert asked(port, body=rows_of(table)) == (
        422,
        dict(zip(("error", "advice"), refused.value.text("json"), strict=True)),
    )


def test_too_many_rows_are_refused_with_the_limit(trained: Run) -> None:
    reader = RequestReader(trained, max_rows=7)
    with pytest.raises(DataError, match="more than 7 rows"):
        reader.read(json.dumps({"rows": [ROW] * 8}).encode())
    with pytest.raises(ConfigError, match="needs 6 rows"):
        RequestReader(trained, max_rows=5)


def test_too_large_a_body_is_refused_whether_its_size_is_told_or_not(port: int) -> None:
    for body in (b" " * 200_000, iter([b" " * 50_000] * 4)):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.request("POST", "/forecast", body)
        answer = client.getresponse()
        assert answer.status == 413
        assert "larger than 100,000 bytes" in json.loads(answer.read())["error"]
        client.close()


def test_it_says_what_it_serves(port: int, trained: Run) -> None:
    status, model = asked(port, "/model")
    assert status == 200
    told = {name: model[name] for name in ("name", "time", "targets", "clock", "lookback", "horizon", "verdict")}
    assert told == {
        "name": "months", "time": "ds", "targets": ["y"], "clock": "MS", "lookback": 6, "horizon": 3,
        "verdict": trained.metrics["verdict"],
    }  # fmt: skip
    assert model["scores"]["lstm"]["mae"] == trained.metrics["models"]["lstm"]["mae"]
    assert asked(port, "/health") == (200, {"status": "ok"})


def test_the_description_names_the_columns_and_needs_nothing_from_elsewhere(port: int) -> None:
    status, described = asked(port, "/openapi.json")
    assert status == 200
    request = described["paths"]["/forecast"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    row = request["properties"]["rows"]["items"]
    assert (set(row["properties"]), row["required"], row["additionalProperties"]) == ({"ds", "y"}, ["ds"], False)
    assert asked(port, "/docs")[0] == 404
    assert asked(port, "/forecast", method="GET")[0] == 405


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Forecasts are not begun before this is set."""
    released, begin = threading.Event(), service.request_forecast

    def wait(*arguments: Any, **further: Any) -> Any:
        assert released.wait(20)
        return begin(*arguments, **further)

    monkeypatch.setattr(service, "request_forecast", wait)
    yield released
    released.set()


def test_requests_that_wait_are_computed_together_and_a_bad_one_spoils_none(
    trained: Run, monthly: pd.DataFrame, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    compute = service.Batch

    def counted(network: Any, asked: Any) -> Any:
        sizes.append(len(asked))
        return compute(network, asked)

    monkeypatch.setattr(service, "Batch", counted)
    working, lane = Service(trained, RequestReader(trained)), Lane("small")
    tables = [monthly[: 100 + number] for number in range(9)]
    bodies = [json.dumps(rows_of(table)).encode() for table in tables]
    answers = [lane.submit(working, bodies[0])]
    while lane._waiting.qsize():  # the first is at work, and the others wait for it
        time.sleep(0.001)
    answers += [lane.submit(working, body) for body in bodies[1:]]
    bad, dropped = lane.submit(working, b"{}"), lane.submit(working, bodies[0])
    assert dropped.cancel()
    held.set()
    for answer, table in zip(answers, tables, strict=True):  # bit for bit, whatever was computed beside it
        assert json.loads(answer.result(20))["forecast"] == to_records(forecast.predict(trained, table))
    with pytest.raises(DataError, match="'rows': Field required"):
        bad.result(20)
    assert sizes == [1, 1, 8, 8]  # the LSTM and the vanilla RNN, for the first and for the eight


def test_a_small_request_does_not_wait_behind_a_large_one(
    trained: Run, monthly: pd.DataFrame, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = service.request_forecast
    monkeypatch.setattr(service, "_LARGE", 8_000)
    monkeypatch.setattr(
        service,
        "request_forecast",
        lambda run, panel, *rest, **more: (
            begin(run, panel, *rest, **more) if panel.n_rows == 200 else request_forecast(run, panel, *rest, **more)
        ),
    )
    working, lanes = Service(trained, RequestReader(trained)), Lanes()
    large, small = (json.dumps(rows_of(table)).encode() for table in (monthly, monthly[:100]))
    assert len(small) < 8_000 < len(large)
    waits = lanes.submit(working, large)
    assert lanes.submit(working, small).result(20)
    assert not waits.done()
    held.set()
    assert waits.result(20)


def test_time_is_limited_for_forecasts_and_for_clients(
    trained: Run, monthly: pd.DataFrame, held: threading.Event
) -> None:
    with served(trained, Limits(body=100_000, seconds=0.2)) as port:
        status, answer = asked(port, body=rows_of(monthly))
        assert status == 504
        assert "longer than 0.2 s" in answer["error"]
        held.set()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(b"POST /forecast HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
        assert asked(port, "/health")[0] == 200


def test_a_failure_of_ours_is_told_without_a_traceback(
    port: int, monthly: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(service, "request_forecast", fail)
    said = {"error": "The forecast failed; the server's log says why.", "advice": ""}
    assert asked(port, body=rows_of(monthly)) == (500, said)


@pytest.mark.thorough
@pytest.mark.usefixtures("no_plots")
def test_many_clients_of_several_series_get_what_predict_says(
    three: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = tiny(model="segment-lstm", segment=3, ensemble=2, quantiles=(0.1, 0.5, 0.9), transform="log")
    run = forecast.train(three, settings, run="three", runs_dir=tmp_path)
    tables = [three[three["unique_id"] != ("south", "")[n % 2]].groupby("unique_id").head(60 + n) for n in range(40)]
    expected = [to_records(forecast.predict(run, table)) for table in tables]
    with served(run, Limits(body=10**7, seconds=60)) as port, ThreadPoolExecutor(20) as clients:
        for _ in range(5):
            for (status, answer), records in zip(
                clients.map(lambda table: asked(port, body=rows_of(table)), tables), expected, strict=True
            ):
                assert status == 200
                assert answer["forecast"] == records
        status, answer = asked(port, body={"rows": [ROW | {"unique_id": "west"}] * 3})
        assert status == 422
        status, answer = asked(port, body={"rows": [ROW]})
        assert answer["error"] == "the table, row 1: column 'unique_id' is missing."
