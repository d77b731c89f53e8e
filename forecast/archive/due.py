"""Forecasts of which something has been observed by now, how they did, and what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from forecast.data.bounds import TURN
from forecast.data.clock import Clock, Times
from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints
from forecast.shown import Shown

# The naive forecasts that are kept beside the model's.
REFERENCES = ("persistence", "seasonal-naive")

# What `DueForecasts` holds of each forecast, beside the forecasts themselves.
_BY_FORECAST = ("unique_ids", "cutoffs", "issued", "versions", "times", "y", "angles")


@dataclass(frozen=True)
class DueForecasts:
    """Forecasts of which something has been observed by now, by cut-off and series.

    Args:
        unique_ids: The series of each, [N].
        cutoffs: Its origin, [N].
        issued: When it was issued, [N]; in UTC, as all times here.
        versions: By which version of the run, [N].
        times: What its steps are for, [N, H].
        y: What was observed, [N, H]; NaN where nothing is yet, and where it never was.
        forecasts: Of the model, the ends of its intervals and the references, float32 [N, H] by column.
        model: The model's column.
        angles: Whether the series is an angle, which is then within 0 … 360, [N].
        passed_over: How many forecasts are not among these: from rows that the version was trained on, or by another
            model of the same name.
    """

    unique_ids: NDArray[np.object_]
    cutoffs: Times
    issued: Times
    versions: Ints
    times: Times
    y: Floats
    forecasts: Mapping[str, NDArray[np.floating]]
    model: str
    angles: Flags
    passed_over: int = 0

    @classmethod
    def together(cls, parts: Sequence[DueForecasts]) -> DueForecasts:
        """Those of several parts, at least one, below one another."""
        first = parts[0]
        columns = {name: np.concatenate([part.forecasts[name] for part in parts]) for name in first.forecasts}
        kept: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _BY_FORECAST}
        return replace(first, forecasts=columns, passed_over=sum(part.passed_over for part in parts), **kept)

    def __len__(self) -> int:
        return len(self.cutoffs)

    def only(self, picked: Flags | Ints | slice) -> DueForecasts:
        """Some of them."""
        kept = {name: getattr(self, name)[picked] for name in _BY_FORECAST}
        return replace(self, forecasts={name: part[picked] for name, part in self.forecasts.items()}, **kept)

    def newest(self, origins: int) -> DueForecasts:
        """Those of so many newest origins."""
        since = np.unique(self.cutoffs)[-origins:]
        return self.only(np.isin(self.cutoffs, since))

    def errors(self, column: str) -> Floats:
        """What was observed minus what was forecast, [N, H]; of angles the shorter way."""
        errors = self.y - self.forecasts[column]
        turned = (errors + TURN / 2) % TURN - TURN / 2
        return np.where(self.angles[:, None], turned, errors)


@dataclass(frozen=True)
class Revision:
    """An observation that differs from the one that forecasts were scored against before.

    Args:
        unique_id: The series.
        time: When it was.
        before: The value then.
        now: The value now.
    """

    unique_id: str
    time: np.datetime64
    before: float
    now: float


@dataclass(frozen=True)
class Alarm:
    """Something that has changed since a run was trained.

    Args:
        kind: What changed: the losses, the coverage of the intervals, or an input.
        column: The input; empty for others.
        series: The series, or the one that changed most; empty where there is only one without a name.
        began: Since when, by the cumulative sum.
        noticed: When it was clear.
        sentence: All of that in words.
        or_else: Inputs of which one may have changed instead: where two tell of each other, nobody knows which.
    """

    kind: Literal["losses", "coverage", "inputs"]
    column: str
    series: str
    began: np.datetime64
    noticed: np.datetime64
    sentence: str
    or_else: tuple[str, ...] = ()

    def to_json(self, clock: Clock) -> dict[str, Any]:
        """The alarm as a document."""
        return asdict(self) | {"began": clock.isoformat(self.began), "noticed": clock.isoformat(self.noticed)}


@dataclass(frozen=True, eq=False)
class LiveScores(Shown):
    """How the forecasts of a run did that have come due.

    Args:
        summary: All figures, as ``forecast score --json`` prints them.
        due: The forecasts that were scored.
        clock: The run's.
        revisions: What was observed otherwise when it was scored before.
        alarms: What has changed since the run was trained.
    """

    summary: dict[str, Any]
    due: DueForecasts
    clock: Clock
    revisions: tuple[Revision, ...] = ()
    alarms: tuple[Alarm, ...] = ()

    def __repr__(self) -> str:
        return f"<LiveScores of {self.summary['run']}: {self.verdict}>"

    @property
    def verdict(self) -> str:
        """Whether the forecasts beat the naive ones, in a sentence."""
        return str(self.summary["verdict"])
