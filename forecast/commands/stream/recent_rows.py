"""The most recent rows of a series that grows, the states of the networks after them, and the file that keeps both."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from forecast.data.clock import STEP, Clock, Times
from forecast.data.newest import count_measured
from forecast.data.panel import Floats
from forecast.errors import DataError, RunError, phrase, setting
from forecast.models.cells import CELLS
from forecast.outliers.discoveries import StreamOfDiscoveries
from forecast.runs.files import read_within, write_atomically
from forecast.runs.find import versions_of
from forecast.runs.run import Run

# The states of each network by its name, each [S, U].
States = Mapping[str, tuple[NDArray[np.float32], ...]]

RESTART = phrase("--restart", "a new Stream")

# How the file begins.
_BEGIN = b'{"schema":'

# Series that a run was not trained on, of which a stream keeps recent rows.
_MOST_UNSEEN = 1000

# Bytes of a number or a time in the file, at most.
_NUMBER_BYTES = 40


@dataclass(frozen=True)
class RecentRows:
    """The most recent rows of one series. `append` returns new ones, so a row that is refused changes nothing.

    Args:
        times: Timestamps [n], unbroken on the clock.
        values: In the columns' own units, [n, C]; the last columns are those that are known ahead.
        n_known: How many those are.
        states: The states of each network after the last row; empty where the networks see only these rows.
        number: How many rows the stream took of this series; the number of the last one.
        discoveries: Which of them were odd, where they are judged.
    """

    times: Times
    values: Floats
    n_known: int
    states: States = field(default_factory=dict)
    number: int = 0
    discoveries: StreamOfDiscoveries = field(default_factory=StreamOfDiscoveries)

    def contains(self, time: np.datetime64, values: Floats) -> bool:
        """Whether a row with this time and these values is among them."""
        row = int(np.searchsorted(self.times, time))
        if row == len(self.times) or self.times[row] != time:
            return False
        return np.array_equal(self.values[row], values, equal_nan=True)

    def append(self, time: np.datetime64, values: Floats, clock: Clock, most: int, bridges_gaps: bool) -> RecentRows:
        """The rows with one more of values [C]; only the newest ``most`` are kept.

        Args:
            time: Of the row.
            values: [C].
            clock: The run's clock.
            most: Rows to keep.
            bridges_gaps: Whether absent rows before it become rows without a value, which may come later, rather than
                being refused.

        Raises:
            DataError: If the row is out of order, or is not the next one after the last.
        """
        if not len(self.times):
            return replace(self, times=np.array([time]), values=values[None])
        if time <= self.times[-1]:
            return self._with_measurements(time, values, clock, bridges_gaps)
        check_slot(time, self.times[-1], clock)
        expected = clock.future(self.times[-1], 1)[0]
        absent = np.diff(clock.ordinals(np.array([self.times[-1], time]))) - 1
        if ((clock.unit == "B" or clock.holidays) and absent[0] == 0) or clock.is_closed_for(absent).all():  # a holiday
            expected = time
        times, rows = self.times, self.values
        if time > expected and bridges_gaps:
            between = clock.absent(times[-1], min(int(absent[0]), most))
            if between[-1] < time:
                times, rows = np.append(times, between), np.vstack([rows, np.full((len(between), len(values)), np.nan)])
                expected = time
        if time != expected:
            what = "is not on the clock" if time < expected else "leaves a gap"
            raise DataError(
                f"The row of {clock.format(time)} {what}: after {clock.format(self.times[-1])} comes "
                f"{clock.format(expected)}.",
                f"Send the rows in between first (their values may be empty), or forget all before with {RESTART}.",
            )
        return replace(self, times=np.append(times, time)[-most:], values=np.vstack([rows, values])[-most:])

    def _with_measurements(self, time: np.datetime64, values: Floats, clock: Clock, bridges_gaps: bool) -> RecentRows:
        """The rows, with the measurements of a row that so far held only what is known ahead, or was absent."""
        n = self.n_known
        row, at = count_measured(self.values, n), int(np.searchsorted(self.times, time))
        is_next = n > 0 and row == at < len(self.times) and not np.isnan(values[:-n]).all()
        if self.times[at] == time and (is_next or (bridges_gaps and np.isnan(self.values[at]).all())):
            rows = self.values.copy()
            rows[at] = values
            return replace(self, values=rows)
        newest = self.times[row - 1] if row else self.times[-1]
        raise DataError(
            f"The row of {clock.format(time)} comes too late: the newest is of {clock.format(newest)}, "
            "and other values were seen for that time, or none.",
            f"Send each row once, in order of time; a correction of the past needs {RESTART}.",
        )


def check_slot(time: np.datetime64, known: np.datetime64, clock: Clock) -> None:
    """Check that a time is on a clock of fixed steps or of business days.

    Args:
        time: The time.
        known: A time that is.
        clock: The clock.

    Raises:
        DataError: If it is not; names the nearest slot.
    """
    nearest = time
    if not clock.is_open(np.array([time]))[0]:
        before, after = clock.past(time, 1)[0], clock.future(time, 1)[0]
        nearest = before if time - before < after - time else after
    elif clock.has_equal_steps and not clock.is_uneven and clock.freq != STEP:
        nearest = known + clock.step * round((time - known) / clock.step)
    if nearest != time:
        raise DataError(
            f"The row of {clock.format(time)} is not on the clock of {clock.describe()}: the nearest slot is "
            f"{clock.format(nearest)}.",
            "Send it with the time of its slot.",
        )


class _SavedRows(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    times: list[str]
    values: list[list[FiniteFloat | None]]
    states: dict[str, list[list[list[FiniteFloat]]]]
    number: Annotated[int, Field(ge=0)] = 0  # a file of version 0.5 has none
    odd: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(), strict=False)


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    schema_: Annotated[int, Field(alias="schema", ge=1, le=2)]
    weights: str
    header: str = ""
    tails: dict[str, _SavedRows]


def write_state(path: Path, run: Run, recent: Mapping[str, RecentRows], header: str) -> None:
    """Write the recent rows of each series and the header of the file that they come from, whole or not at all."""
    tails = {
        series_id: {
            "times": np.datetime_as_string(rows.times).tolist(),
            "values": [[None if np.isnan(value) else value for value in row] for row in rows.values.tolist()],
            "states": {name: [state.tolist() for state in states] for name, states in rows.states.items()},
            "number": rows.number,
            **({"odd": rows.discoveries.ages} if rows.discoveries.ages else {}),
        }
        for series_id, rows in recent.items()
    }
    saved = {"schema": 2, "weights": _weights_hash(run), "header": header, "tails": tails}
    write_atomically(path, json.dumps(saved, allow_nan=False).encode())


def read_state(path: Path, run: Run, most_rows: int, n_columns: int) -> tuple[dict[str, RecentRows], str]:
    """The recent rows of each series and the header that `write_state` wrote.

    Args:
        path: The file.
        run: The run whose stream it is.
        most_rows: Rows of each series, at most.
        n_columns: C, the values of a row.

    Raises:
        RunError: If the file is damaged, too large, or belongs to another training.
    """
    restart = phrase("Start over with --restart.", "Delete that file to start over.")
    try:
        content = read_within(Path(os.path.realpath(path.parent)), path.name, _most_bytes(run, most_rows, n_columns))
        saved = _Saved.model_validate_json(content)
        recent = {
            series_id: RecentRows(
                np.array(rows.times, dtype="datetime64[us]"),
                np.array(rows.values, np.float64).reshape(len(rows.times), n_columns),
                len(run.config.data.known),
                {name: tuple(np.array(state, np.float32) for state in states) for name, states in rows.states.items()},
                rows.number,
                StreamOfDiscoveries(rows.odd),
            )
            for series_id, rows in saved.tails.items()
        }
        if not all(_ascend(rows.times) for rows in recent.values()):
            raise ValueError
    except RunError as error:
        raise RunError(error.args[0], restart) from None
    except ValueError:
        raise RunError(f"{path} is not a state of a stream, or is damaged.", restart) from None
    strange = set(recent) - set(run.data["series_ids"])
    # The rows are those of any version of the run; the states that its networks carry are of one alone.
    is_own = saved.weights == _weights_hash(run) or (
        not run.config.network.carries_states and saved.weights in map(_weights_hash, versions_of(run.home)[0])
    )
    if not is_own or (strange and not run.takes_unseen_series):
        raise RunError(f"{path} is the state of another training than {run.name}.", restart)
    return recent, saved.header


def _ascend(times: Times) -> bool:
    return bool(not np.isnat(times).any() and (np.diff(times) > np.timedelta64(0)).all())


def forget_state(path: Path) -> None:
    """Delete the file that `write_state` wrote, be it damaged.

    Raises:
        RunError: If it is another file; that stays.
    """
    if not os.path.lexists(path):
        return
    with suppress(OSError), open(path, "rb") as file:
        begin = file.read(len(_BEGIN))
        if begin == _BEGIN[: len(begin)]:
            path.unlink()
            return
    raise RunError(f"{path} is not the state of a stream, so it is not deleted.", f"Name another {setting('state')}.")


def _weights_hash(run: Run) -> str:
    return str(run.manifest["files"]["weights.npz"]["sha256"])


def _most_bytes(run: Run, most_rows: int, n_columns: int) -> int:
    """The most bytes of the file: the rows of each series, and the states of the model and the baseline."""
    network = run.config.network
    n_states = 2 * run.config.training.ensemble * len(CELLS[network.cell].states) * sum(network.units)
    numbers = most_rows * (2 + n_columns) + (n_states if network.stateful else 0)
    return _NUMBER_BYTES * (1000 + most_series(run) * numbers)


def most_series(run: Run) -> int:
    """The most series that a stream follows: those of the run, and others if it forecasts series never seen."""
    return len(run.data["series_ids"]) + (_MOST_UNSEEN if run.takes_unseen_series else 0)
