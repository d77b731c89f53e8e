"""A run that answers many requests: its networks are loaded once, and forecast for all that wait in one call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import Empty, Queue
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.archive.store import Archive, Row
from forecast.commands.requests import ForecastRequest, request_forecast
from forecast.commands.serve.metrics import Metrics
from forecast.commands.serve.requests import RequestReader
from forecast.data.prepare import Rows
from forecast.data.windows import Ints
from forecast.errors import ForecastError, rendered
from forecast.model import Model, load_models
from forecast.models.network import RowSource
from forecast.models.runtimes import Runtime, States
from forecast.progress import NullProgress
from forecast.runs.calibration import intervals_of
from forecast.runs.csv_tables import to_records
from forecast.runs.run import Run

# More requests in one batch gain nothing, and the first of them waits for the last.
_MOST_AT_ONCE = 32

# Bytes of a request that takes so long to answer that small ones do not wait for it.
_LARGE = 1 << 16


class _Warnings(NullProgress):
    """Keeps the warnings of one request."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self.texts.append(rendered(text, "json"))


class Service:
    """A run with its networks. Nothing of its folder is read again.

    Args:
        run: The run.
        reader: Reads its requests.
        metrics: Counts what is forecast.
        archive: Keeps what is forecast; None if nobody asked for that.

    Raises:
        RunError: If the run is damaged.
    """

    def __init__(
        self, run: Run, reader: RequestReader, metrics: Metrics | None = None, archive: Archive | None = None
    ) -> None:
        self.run, self.reader, self.scores = run, reader, run.metrics
        self._metrics, self._archive = metrics or Metrics({}, {}), archive
        self._models = load_models(run, run.forecast_weights)
        intervals_of(run, "end")  # read now, and kept for the requests

    def respond(self, batch: Sequence[tuple[bytes, Future[bytes]]]) -> None:
        """Answer several requests, for which each network computes once; none sees another's rows or mistakes."""
        readable: list[tuple[Future[bytes], ForecastRequest, list[str]]] = []
        for body, response in batch:
            warnings = _Warnings()
            try:
                request = request_forecast(self.run, self.reader.read(body, warnings), warnings, reads_forecasts=False)
            except Exception as error:
                response.set_exception(error)
            else:
                readable.append((response, request, warnings.texts))
        if not readable:
            return
        self._metrics.observe("forecast_batch_size", f'run="{self.run.name}"', len(readable))
        windows = [pair for _, request, _ in readable for pair in request.windows]
        try:
            models = {name: _batched(model, windows) for name, model in self._models.items()}
        except Exception as error:
            for response, _, _ in readable:
                response.set_exception(error)
            return
        made, kept = [], list[Row]()
        for response, request, texts in readable:
            try:
                forecast = request.whole(models)
                if self._archive is None:
                    self._answer(response, request, forecast, texts)
                else:
                    kept += self._archive.rows_of(forecast, request.fingerprint())
                    made.append((response, request, forecast, texts))
            except Exception as error:
                response.set_exception(error)
        if self._archive is None:
            return
        not_kept = self._keep(self._archive, kept)  # before anybody has them, and all at once
        for response, request, forecast, texts in made:
            try:
                self._answer(response, request, forecast, [*texts, *not_kept])
            except Exception as error:
                response.set_exception(error)

    def _answer(
        self,
        response: Future[bytes],
        request: ForecastRequest,
        forecast: dict[str, Any] | pd.DataFrame,
        warnings: Sequence[str],
    ) -> None:
        answer = to_bytes({"forecast": to_records(forecast), "warnings": list(warnings)})
        self._count(request, warnings)
        response.set_result(answer)

    def _keep(self, archive: Archive, rows: Sequence[Row]) -> list[str]:
        """Keep forecasts; a warning if they cannot be, for the client has use for them all the same."""
        try:
            archive.write(rows)
        except ForecastError as error:
            return [f"The forecast was not kept. {rendered(error.args[0], 'json')}"]
        return []

    def _count(self, request: ForecastRequest, warnings: Sequence[str]) -> None:
        """Count what was forecast, and what the network saw of it."""
        of_run, metrics = f'run="{self.run.name}"', self._metrics
        rows, windows = request.newest.rows, request.newest.windows
        metrics.add("forecast_series_total", of_run, len(windows))
        metrics.add("forecast_warnings_total", of_run, len(warnings))
        steps = windows.starts[:, None] + np.arange(windows.lookback)
        seen = rows.scaled[steps].reshape(-1, rows.scaled.shape[1])
        numbers = ((~np.isnan(seen)).sum(axis=0), np.nansum(seen, axis=0), np.nansum(np.square(seen), axis=0))
        for name, of_columns in zip(("total", "sum", "squares"), np.array(numbers, float), strict=True):
            for column, number in zip(rows.panel.columns, of_columns.tolist(), strict=True):
                metrics.add(f"forecast_inputs_{name}", f'{of_run},column="{column}"', number)


class Lane:
    """A thread that answers the requests that wait for it, those that came while it was at work together."""

    def __init__(self, name: str) -> None:
        self._waiting: Queue[tuple[Service, bytes, Future[bytes]]] = Queue()
        # A daemon, because the end of the process need not wait for it: all requests have been answered by then.
        Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, service: Service, body: bytes) -> Future[bytes]:
        """The response to a request, as JSON: the forecast after its last row, as `predict` makes it, and warnings.

        The request can be cancelled while it waits. The future raises a `DataError` if the request cannot be read, or
        its rows do not fit the run.
        """
        response: Future[bytes] = Future()
        self._waiting.put((service, body, response))
        return response

    def _work(self) -> None:
        while True:
            waiting = [self._waiting.get()]
            try:
                while len(waiting) < _MOST_AT_ONCE:
                    waiting.append(self._waiting.get_nowait())
            except Empty:
                pass
            batches: dict[Service, list[tuple[bytes, Future[bytes]]]] = {}
            for service, body, response in waiting:
                if response.set_running_or_notify_cancel():
                    batches.setdefault(service, []).append((body, response))
            for service, batch in batches.items():
                service.respond(batch)


class Lanes:
    """Two lanes, so that no small request waits behind a large one."""

    def __init__(self) -> None:
        self._small, self._large = Lane("small"), Lane("large")

    def submit(self, service: Service, body: bytes) -> Future[bytes]:
        """As of `Lane`."""
        return (self._large if len(body) > _LARGE else self._small).submit(service, body)


@dataclass(frozen=True)
class _JoinedRows:
    """The rows of several requests below one another."""

    rows: Sequence[RowSource]
    offsets: Ints
    identity: Ints

    def window_inputs(self, starts: Ints, lookback: int, horizon: int) -> NDArray[np.float32]:
        which = np.searchsorted(self.offsets, starts, side="right") - 1  # ascends, as the requests do
        parts = [
            rows.window_inputs(starts[which == number] - self.offsets[number], lookback, horizon)
            for number, rows in enumerate(self.rows)
        ]
        return np.concatenate(parts)


class Batch:
    """A network that has already forecast the windows of several requests.

    Args:
        network: Computes the forecasts, once.
        requests: The rows of each request, and the first rows of its windows, ascending.
    """

    def __init__(self, network: Runtime, requests: Sequence[tuple[RowSource, Ints]]) -> None:
        identities = [rows.identity for rows, _ in requests]
        offsets = np.cumsum([0, *map(len, identities[:-1])])
        joined = _JoinedRows([rows for rows, _ in requests], offsets, np.concatenate(identities))
        starts = [starts + offset for (_, starts), offset in zip(requests, offsets, strict=True)]
        forecasts = network.forecast(joined, np.concatenate(starts))
        ends = np.cumsum([len(of_request) for of_request in starts])[:-1]
        self._network = network
        self._known = [(*request, part) for request, part in zip(requests, np.split(forecasts, ends), strict=True)]

    def forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D] or [N, H, D, Q] of windows of a request, by their first rows [N]."""
        known, forecasts = next((known, forecasts) for source, known, forecasts in self._known if source is rows)
        return forecasts[np.searchsorted(known, starts)]

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""
        return self._network.state_shapes(n_series)

    def step(self, rows: RowSource, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows of a network that carries its state, and the states after them; see `Runtime`."""
        return self._network.step(rows, starts, states)


def _batched(model: Model, windows: Sequence[tuple[Rows, Ints]]) -> Model:
    """A model that has already forecast the windows of several requests."""
    members = (replace(member, runtime=Batch(member.runtime, windows)) for member in model.members)
    return replace(model, members=tuple(members))


def to_bytes(document: object) -> bytes:
    """A JSON document as it is sent."""
    return json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
