"""A run that answers one request after another, or many at once: its networks are loaded once."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from forecast.inference.network import Network
from forecast.inference.newest import newest_rows
from forecast.inference.sharing import Shared
from forecast.runs import Run
from forecast.tabular import records
from forecast.workflows.forecasting import predict_with
from forecast.workflows.listening import Silence
from forecast.workflows.networks import networks_of
from forecast.workflows.reading import typical_panel


class _Warnings(Silence):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def warn(self, text: str) -> None:
        """Keep."""
        self.kept.append(text)


class Service:
    """A run with its networks, for forecasts in several threads.

    Args:
        run: A run. Nothing of its folder is read again.

    Raises:
        RunError: If it is damaged.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.metrics = run, run.metrics
        rows = newest_rows(typical_panel(run, 1), run.config.data, run.scaler).rows
        self._networks: dict[str, list[Network]] = {
            name: [Shared(member) for member in members]
            for name, members in networks_of(run, rows, run.forecast_weights).items()
        }
        _ = run.calibration  # read now, not with the first request

    def forecast(self, rows: pd.DataFrame) -> dict[str, Any]:
        """The forecast after the last of these rows, as ``forecast predict --json`` has it, and what to beware of.

        Args:
            rows: New rows.

        Raises:
            DataError: If they do not fit the run.
        """
        listener = _Warnings()
        found = records(predict_with(self._networks, self.run, rows, listener))
        return {"forecast": found, "warnings": listener.kept}


def as_json(answer: object) -> bytes:
    """An answer as it is sent."""
    return json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
