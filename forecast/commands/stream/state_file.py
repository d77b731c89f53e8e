"""The file that keeps a stream between calls: schema, hash of the weights, and the recent rows of each series."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from forecast.commands.stream.recent_rows import RecentRows
from forecast.errors import RunError, phrase
from forecast.models.cells import CELLS
from forecast.runs.files import read_within, write_atomically
from forecast.runs.run import Run

# Bytes of a number or a time in the file, at most.
_NUMBER_BYTES = 40


class _SavedRows(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    times: list[str]
    values: list[list[FiniteFloat | None]]
    states: dict[str, list[list[list[FiniteFloat]]]]


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    schema_: Annotated[int, Field(alias="schema", ge=1, le=1)]
    weights: str
    tails: dict[str, _SavedRows]


def write_state(path: Path, run: Run, recent: Mapping[str, RecentRows]) -> None:
    """Write the recent rows of each series, whole or not at all."""
    tails = {
        series_id: {
            "times": np.datetime_as_string(rows.times).tolist(),
            "values": [[None if np.isnan(value) else value for value in row] for row in rows.values.tolist()],
            "states": {name: [state.tolist() for state in states] for name, states in rows.states.items()},
        }
        for series_id, rows in recent.items()
    }
    saved = {"schema": 1, "weights": _weights_hash(run), "tails": tails}
    write_atomically(path, json.dumps(saved, allow_nan=False).encode())


def read_state(path: Path, run: Run, most_rows: int, n_columns: int) -> dict[str, RecentRows]:
    """The recent rows of each series that `write_state` wrote: of each at most ``most_rows``, each of C values.

    Raises:
        RunError: If the file is damaged, too large, or belongs to another training.
    """
    restart = phrase("Begin anew with --restart.", "Delete that file to begin anew.")
    try:
        content = read_within(Path(os.path.realpath(path.parent)), path.name, _most_bytes(run, most_rows, n_columns))
        saved = _Saved.model_validate_json(content)
        recent = {
            series_id: RecentRows(
                np.array(rows.times, dtype="datetime64[us]"),
                np.array(rows.values, np.float64).reshape(len(rows.times), n_columns),
                len(run.config.data.known),
                {name: tuple(np.array(one, np.float32) for one in states) for name, states in rows.states.items()},
            )
            for series_id, rows in saved.tails.items()
        }
    except RunError as error:
        raise RunError(error.args[0], restart) from None
    except ValueError:
        raise RunError(f"{path} is no state of a stream, or is damaged.", restart) from None
    if saved.weights != _weights_hash(run) or not set(recent) <= set(run.data["series_ids"]):
        raise RunError(f"{path} is the state of another training than {run.name}.", restart)
    return recent


def _weights_hash(run: Run) -> str:
    return str(run.manifest["files"]["weights.npz"]["sha256"])


def _most_bytes(run: Run, most_rows: int, n_columns: int) -> int:
    """Bytes of the file at most: of each series its rows, and the states of the model and the baseline."""
    network = run.config.network
    n_states = 2 * run.config.training.ensemble * len(CELLS[network.cell].states) * sum(network.units)
    numbers = most_rows * (2 + n_columns) + (n_states if network.stateful else 0)
    return _NUMBER_BYTES * (1000 + len(run.data["series_ids"]) * numbers)
