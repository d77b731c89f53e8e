"""A run that answers many requests: its networks are loaded once, and compute for all who wait at the same time."""

from __future__ import annotations

import json
from concurrent.futures import Future
from queue import Empty, Queue
from threading import Thread

from forecast.commands.serve.requests import RequestReader
from forecast.data.newest import newest_rows
from forecast.inference.batch import Batch
from forecast.inference.network import Network
from forecast.progress import NullProgress
from forecast.runs.calibration import intervals_of
from forecast.runs.csv_tables import to_records
from forecast.runs.rows import typical_panel
from forecast.runs.run import Run
from forecast.workflows.networks import networks_of
from forecast.workflows.requests import ForecastRequest, request_forecast

# More requests in one batch gain nothing, and the first of them waits for the last.
_MOST_AT_ONCE = 32


class _Warnings(NullProgress):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def warn(self, text: str) -> None:
        """Keep."""
        self.kept.append(text)


class Service:
    """A run with its networks, and a thread that makes forecasts.

    Requests that come while it is at work are computed together, in one call of each network.

    Args:
        run: A run. Nothing of its folder is read again.
        reader: Reads the requests.

    Raises:
        RunError: If the run is damaged.
    """

    def __init__(self, run: Run, reader: RequestReader) -> None:
        self.run, self.reader, self.metrics = run, reader, run.metrics
        rows = newest_rows(typical_panel(run, 1), run.config.data, run.scaler).rows
        self._networks = networks_of(run, rows, run.forecast_weights)
        intervals_of(run, "end")  # read now, and kept for the requests
        self._waiting: Queue[tuple[bytes, Future[bytes]]] = Queue()
        # A daemon, which the end of the process does not wait for: what clients wait for has been answered by then.
        Thread(target=self._work, name="forecasts", daemon=True).start()

    def submit(self, body: bytes) -> Future[bytes]:
        """The answer to a request, as JSON: the forecast after its last row, as `predict` makes it, and warnings.

        Args:
            body: The request. While it waits, it can be cancelled.

        The future raises a `DataError` if the request cannot be read, or its rows do not fit the run.
        """
        answer: Future[bytes] = Future()
        self._waiting.put((body, answer))
        return answer

    def _work(self) -> None:
        while True:
            batch = [self._waiting.get()]
            try:
                while len(batch) < _MOST_AT_ONCE:
                    batch.append(self._waiting.get_nowait())
            except Empty:
                pass
            self._answer(batch)

    def _answer(self, batch: list[tuple[bytes, Future[bytes]]]) -> None:
        ready: list[tuple[Future[bytes], ForecastRequest, list[str]]] = []
        for body, answer in batch:
            if answer.set_running_or_notify_cancel():
                progress = _Warnings()
                try:
                    request = request_forecast(self.run, self.reader.read(body), progress)
                except Exception as error:
                    answer.set_exception(error)
                else:
                    ready.append((answer, request, progress.kept))
        if not ready:
            return
        asked = [pair for _, request, _ in ready for pair in request.windows]
        try:
            networks: dict[str, list[Network]] = {
                name: [Batch(member, asked) for member in members] for name, members in self._networks.items()
            }
        except Exception as error:
            for answer, _, _ in ready:
                answer.set_exception(error)
            return
        for answer, request, warnings in ready:
            try:
                found = {"forecast": to_records(request.forecast(networks)), "warnings": warnings}
                answer.set_result(as_json(found))
            except Exception as error:
                answer.set_exception(error)


def as_json(answer: object) -> bytes:
    """An answer as it is sent."""
    return json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
