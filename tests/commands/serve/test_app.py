"""A real server on the loopback: what it answers, and what it refuses."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
import shutil
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
from clients import asked, rows_of, running, served
from forecast import Run, Settings
from forecast.commands.requests import request_forecast
from forecast.commands.serve import service
from forecast.commands.serve.app import App
from forecast.commands.serve.connection import Limits, Request
from forecast.commands.serve.log import Log
from forecast.commands.serve.metrics import Metrics
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.served import ServedRuns
from forecast.commands.serve.server import Server, listen
from forecast.commands.serve.service import Lane, Lanes, Service
from forecast.commands.serve.tokens import read_tokens
from forecast.data.panel import Panel
from forecast.errors import ConfigError, DataError, rendered, without_settings
from forecast.runs.csv_tables import to_records
from forecast.runs.find import find


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
    assert isinstance(RequestReader(trained).read(json.dumps(rows_of(monthly)).encode()), Panel)  # no frame on the way


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
        ({"rows": [{"date": 5, "y": 1.0}]}, "row 1, column 'date': must be a valid string. Received: 5."),
        ({"rows": [{"date": "2020-01-01", "y": 1.0}, ROW]}, "the table, row 2: column 'date' is missing."),
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
    assert answer["hint"]


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
    status, answer = asked(port, body=rows_of(table))
    assert (status, answer["error"]) == (422, rendered(without_settings(refused.value.args[0]), "json"))
    assert answer["hint"]
    assert not re.search(r"--|=|\": ", answer["hint"])  # no option, no argument, no setting


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
    assert (set(row["properties"]), row["additionalProperties"]) == ({"ds", "y"}, True)
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


def test_the_time_may_be_called_as_in_a_file_and_further_fields_are_passed_over(
    port: int, monthly: pd.DataFrame
) -> None:
    plain = asked(port, body=rows_of(monthly))[1]["forecast"]
    rows = [
        {"date": str(ds)[:10], "y": y, "rain": None, "note": [{}, "\\"]} for ds, y in monthly.itertuples(index=False)
    ]
    status, answer = asked(port, body={"rows": rows})
    assert (status, answer["forecast"]) == (200, plain)
    assert answer["warnings"] == ["2 fields that the run does not know were passed over: rain, note"]
    parts = [{"year": ds.year, "month": ds.month, "y": y} for ds, y in monthly.itertuples(index=False)]
    assert asked(port, body={"rows": parts})[1]["forecast"] == plain
    with_time = [row | {"ds": row["date"]} for row in rows]
    assert "rain" in asked(port, body={"rows": with_time})[1]["warnings"][0]


def request_with(port: int, body: bytes | None, path: str = "/forecast", method: str = "", **headers: str) -> Any:
    """The response to a request with these headers, read to its end."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    client.request(method or ("GET" if body is None else "POST"), path, body, named)
    answer = client.getresponse()
    answer.content = answer.read()  # type: ignore[attr-defined]
    client.close()
    return answer


def test_bodies_may_be_packed(port: int, monthly: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(rows_of(monthly)).encode()
    plain = request_with(port, body)
    packed = request_with(port, gzip.compress(body), content_encoding="gzip", accept_encoding="gzip, br")
    assert (packed.status, packed.headers["content-encoding"]) == (200, None)  # a short answer stays as it is
    assert packed.content == plain.content
    monkeypatch.setattr("forecast.commands.serve.app._WORTH_PACKING", 1000)
    described = request_with(port, None, "/openapi.json", accept_encoding="gzip")
    assert json.loads(gzip.decompress(described.content)) == asked(port, "/openapi.json")[1]
    for content, encoding, status in (
        (gzip.compress(b" " * 200_000), "gzip", 413),
        (gzip.compress(body)[:-20], "gzip", 400),
        (body, "gzip", 400),
        (body, "br", 415),
    ):
        assert request_with(port, content, content_encoding=encoding).status == status


def test_a_token_is_asked_for_everywhere_but_where_load_balancers_look(
    trained: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tokens").write_text("a-token-of-this-test\n\nanother-token-of-it\n")
    tokens = read_tokens(tmp_path / "tokens")
    with served(trained, Limits(body=100_000, seconds=20), tokens=tokens, log=Log(as_json=True)) as port:
        assert [asked(port, path)[0] for path in ("/health", "/ready", "/model", "/metrics")] == [200, 200, 401, 401]
        assert request_with(port, b"{}").headers["www-authenticate"] == "Bearer"
        assert request_with(port, b"{}", authorization="Bearer another-token-of-it").status == 422
        assert request_with(port, b"{}", authorization="Bearer another-token-of-I").status == 401
        assert request_with(port, None, "/model", "HEAD", authorization="Bearer a-token-of-this-test").content == b""
    logged = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in logged][-2:] == [
        ("POST", "/forecast", 401),
        ("HEAD", "/model", 200),
    ]
    assert {*logged[0]} == {"time", "client", "method", "path", "status", "seconds", "bytes"}
    for text in ("short\n", " \n"):
        (tmp_path / "tokens").write_text(text)
        with pytest.raises(ConfigError, match=r"16 or more|no token"):
            read_tokens(tmp_path / "tokens")


def test_what_was_asked_and_seen_is_counted(trained: Run, monthly: pd.DataFrame) -> None:
    with served(trained, Limits(body=100_000, seconds=20)) as port:
        for body in (rows_of(monthly), rows_of(monthly.assign(y=monthly["y"] + 100)), {}):
            asked(port, body=body)
        text = request_with(port, None, "/metrics").content.decode()
    counted = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert counted['forecast_requests_total{path="/forecast",code="200"}'] == "2"
    assert counted['forecast_requests_total{path="/forecast",code="422"}'] == "1"
    assert counted['forecast_request_seconds_count{path="/forecast"}'] == "3"
    assert counted['forecast_batch_size_bucket{run="months",le="1"}'] == "2"
    of_input = '{run="months",column="y"}'
    mean, scale = trained.scaler.mean[0, 0], trained.scaler.scale[0, 0]
    newest = (monthly["y"].to_numpy()[-6:, None] + [0, 100] - mean) / scale
    assert counted["forecast_inputs_total" + of_input] == "12"
    assert float(counted["forecast_inputs_sum" + of_input]) == pytest.approx(newest.sum(), rel=1e-5)
    assert float(counted["forecast_inputs_squares" + of_input]) == pytest.approx((newest**2).sum(), rel=1e-5)


def test_a_server_that_stops_lives_and_is_not_ready(trained: Run) -> None:
    app = App({}, Limits(body=100, seconds=1), Metrics({}, {}))
    app.stop()
    statuses = [asyncio.run(app.respond(Request("GET", path, {}))).status for path in ("/health", "/ready")]
    assert statuses == [200, 503]


def test_several_runs_have_paths_of_their_own(trained: Run) -> None:
    limits, metrics = Limits(body=100_000, seconds=20), Metrics({}, {})
    services = {name: Service(trained, RequestReader(trained)) for name in ("a", "b")}
    with listen("127.0.0.1", 0) as listening, running(Server(App(services, limits, metrics), limits, listening)):
        port = listening.getsockname()[1]
        assert [model["name"] for model in asked(port, "/runs")[1]] == ["months"] * 2
        assert asked(port, "/runs/b/model")[1]["lookback"] == 6
        assert asked(port, "/runs/a/forecast", body={})[0] == 422
        status, answer = asked(port, "/forecast", body={})
        assert status == 404
        assert "/runs/a/forecast (POST)" in answer["hint"]
        assert {"/runs/a/forecast", "/ready"} <= asked(port, "/openapi.json")[1]["paths"].keys()


def test_a_run_that_is_replaced_is_loaded_and_a_broken_one_is_not(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.path, tmp_path / "months")
    services = ServedRuns([find(str(tmp_path / "months"))], None, Metrics({}, {}))
    said: list[str] = []
    first = services["months"]
    services.reload(said.append)
    assert services["months"] is first
    assert not said
    shutil.move(tmp_path / "months", tmp_path / "before")  # as if it were just being replaced
    services.reload(said.append)
    assert not said
    shutil.copytree(trained.path, tmp_path / "months", copy_function=shutil.copy)
    services.reload(said.append)
    assert services["months"] is not first
    assert said == [f"months was replaced, and is served as of {trained.manifest['finished']}"]
    (tmp_path / "months/weights.npz").write_bytes(b"broken")
    (tmp_path / "months/manifest.json").touch()
    second = services["months"]
    services.reload(said.append)
    assert services["months"] is second
    assert "the one before is served on" in said[1]
    with pytest.raises(ConfigError, match="Two of the runs are called months"):
        ServedRuns([first.run, first.run], None, Metrics({}, {}))


def test_no_request_is_dropped_while_a_run_is_replaced(trained: Run, monthly: pd.DataFrame, tmp_path: Path) -> None:
    path, body = tmp_path / "months", rows_of(monthly)
    shutil.copytree(trained.path, path)
    metrics = Metrics({}, {})
    services, limits = ServedRuns([find(str(path))], None, metrics), Limits(body=100_000, seconds=20)
    said: list[str] = []
    with listen("127.0.0.1", 0) as listening, running(Server(App(services, limits, metrics), limits, listening)):
        port = listening.getsockname()[1]
        with ThreadPoolExecutor(4) as clients:
            answers = [clients.submit(asked, port, "/forecast", body) for _ in range(60)]
            for number in range(3):
                shutil.copytree(path, tmp_path / f"next-{number}", copy_function=shutil.copy)
                path.rename(tmp_path / f"before-{number}")
                (tmp_path / f"next-{number}").rename(path)
                services.reload(said.append)
            found = [answer.result() for answer in answers]
    assert len(said) == 3
    assert all(answer == (200, found[0][1]) for answer in found)


def test_a_failure_of_ours_is_told_without_a_traceback(
    port: int, monthly: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(service, "request_forecast", fail)
    said = {"error": "The forecast failed; the server's log says why.", "kind": "server", "setting": None, "hint": ""}
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
