"""What is summed over windows while they are scored, so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Flags, Ints, Windows
from forecast.evaluation.echo import EchoTally
from forecast.evaluation.metrics import NaiveError, directions, pinball, symmetric_errors
from forecast.inference.intervals import DECILES, Intervals, interval

# A forecast or observation that differs from the last value by less than this share of a usual change has not moved:
# networks calculate in float32.
_STILL = 1e-3


@dataclass(frozen=True)
class Seen:
    """Some windows as every model is scored on them.

    Args:
        number: Their numbers among all windows, [n].
        series: Their series, ascending, [n].
        y_true: Observed, [n, H, D].
        last: The last value seen before each, [n, D].
    """

    number: Ints
    series: Ints
    y_true: Floats
    last: Floats


@dataclass
class ModelSums:
    """Sums of one model's errors by series, step and target, [S, H, D]; and its losses, chunk by chunk.

    Args:
        absolute: Of absolute errors.
        squared: Of their squares.
        symmetric: Of symmetric percentage errors.
        signed: Of forecast minus observed.
        told: How many points moved where a move was forecast.
        right: How many of those moved to the side that was forecast.
        by_window: Weighted mean absolute error of each window, [n].
        by_step: The same by step, of the windows that are tested by step, [k, H].
    """

    absolute: Floats
    squared: Floats
    symmetric: Floats
    signed: Floats
    told: Floats
    right: Floats
    by_window: list[Floats] = field(default_factory=list)
    by_step: list[Floats] = field(default_factory=list)


def _new_model_sums(shape: tuple[int, ...]) -> ModelSums:
    zeros = partial(np.zeros, shape)
    return ModelSums(zeros(), zeros(), zeros(), zeros(), zeros(), zeros())


@dataclass
class FanSums:
    """Sums of one model's intervals and quantiles.

    Args:
        covered: Points within their interval, by level and step, [L, H].
        width: Widths, by level and step, [L, H].
        beyond: How far points lie outside, by level, [L].
        pinball: Losses of the deciles, the mean of them.
    """

    covered: Floats
    width: Floats
    beyond: Floats
    pinball: float = 0.0


@dataclass
class Sums:
    """Everything that is summed.

    Args:
        yardsticks: The naive forecast's mean absolute error of each series and target, [S, D]; NaN where unknown.
        squared_yardsticks: Its root mean squared error.
        weights: What the errors of each series and target count in skill and significance, [S, D].
        tested: Which windows are tested step by step: those of every so many cut-offs, [N].
        tested_every: Every so many cut-offs.
        circular: Whether a target is an angle, so that relative errors mean nothing.
        counts: Windows of each series, [S].
        observed: Sum of absolute observations.
        models: By name.
        echo: Of the judged model.
        origins: The last value before the first window of each series and target, [S, D]; NaN before it is seen.
        fans: By name, where there are intervals.
        levels: Of the intervals; empty where there are none.
        adaptive: Whether they move along time.
    """

    yardsticks: Floats
    squared_yardsticks: Floats
    weights: Floats
    tested: Flags
    tested_every: int
    circular: bool
    counts: Ints
    echo: EchoTally
    origins: Floats
    observed: float = 0.0
    models: dict[str, ModelSums] = field(default_factory=dict)
    fans: dict[str, FanSums] = field(default_factory=dict)
    levels: Sequence[int] = ()
    adaptive: bool = False

    @property
    def several_scales(self) -> bool:
        """Whether skill is judged on scaled errors: of several series or targets, with a naive error to scale by."""
        return _several_scales(self.yardsticks)

    @property
    def relative(self) -> bool:
        """Whether errors can be told in relation to what was observed."""
        return self.observed > 0 and not self.circular

    @property
    def no_relative(self) -> str:
        """Why they cannot."""
        return "an angle has no zero" if self.circular else "everything observed is zero"

    def add(self, seen: Seen, y_pred: Mapping[str, Floats], judged: str) -> None:
        """Add some windows.

        Args:
            seen: The windows.
            y_pred: Forecasts by model, [n, H, D].
            judged: The model that is asked whether it is an echo.
        """
        np.add.at(self.counts, seen.series, 1)
        self.observed += float(np.abs(seen.y_true).sum())
        for name, values in y_pred.items():
            if name not in self.models:
                self.models[name] = _new_model_sums((len(self.counts), *values.shape[1:]))
            self._add_model(self.models[name], seen, values)
        self._add_echo(seen, y_pred[judged])

    def _add_echo(self, seen: Seen, y_pred: Floats) -> None:
        # Series and targets on different levels and scales are pooled: each counts from where it was first seen.
        firsts = np.flatnonzero(np.diff(seen.series, prepend=-1))
        of_series = seen.series[firsts]
        self.origins[of_series] = np.where(
            np.isnan(self.origins[of_series]), seen.last[firsts], self.origins[of_series]
        )
        size = np.where(self.yardsticks > 0, self.yardsticks, 1.0)

        def centred(values: Floats) -> Floats:
            return (values - self.origins[seen.series][:, None]) / size[seen.series][:, None]

        parts = [centred(values) for values in (seen.y_true, y_pred, seen.last[:, None])]
        for target in range(y_pred.shape[2]):
            y_true, told, last = (part[..., target] for part in parts)
            self.echo.add(y_true, told, last[:, 0])

    def _add_model(self, sums: ModelSums, seen: Seen, y_pred: Floats) -> None:
        signed = y_pred - seen.y_true
        error = np.abs(signed)
        still, last = _STILL * np.nan_to_num(self.yardsticks)[seen.series][:, None], seen.last[:, None]
        told, right = directions(seen.y_true - last, y_pred - last, still)
        firsts = np.flatnonzero(np.diff(seen.series, prepend=-1))
        for total, values in (
            (sums.absolute, error),
            (sums.squared, error**2),
            (sums.symmetric, symmetric_errors(seen.y_true, y_pred)),
            (sums.signed, signed),
            (sums.told, told.astype(np.float64)),
            (sums.right, right.astype(np.float64)),
        ):
            total[seen.series[firsts]] += np.add.reduceat(values, firsts)
        weighted = error * self.weights[seen.series][:, None, :]
        sums.by_window.append(weighted.mean(axis=(1, 2)))
        sums.by_step.append(weighted[self.tested[seen.number]].mean(axis=2))

    def add_fans(self, y_true: Floats, fans: Mapping[str, Floats], intervals: Intervals) -> None:
        """Add the quantiles of some windows: observed [n, H, D], and by model [n, H, D, P]."""
        self.levels, self.adaptive = intervals.levels, intervals.adaptive
        for name, fan in fans.items():
            shape = (len(self.levels), y_true.shape[1])
            sums = self.fans.setdefault(name, FanSums(np.zeros(shape), np.zeros(shape), np.zeros(shape[0])))
            for number, level in enumerate(self.levels):
                low, high = interval(fan, intervals.probabilities, level)
                below, above = low - y_true, y_true - high
                sums.covered[number] += ((below <= 0) & (above <= 0)).sum(axis=(0, 2))
                sums.width[number] += (high - low).sum(axis=(0, 2))
                sums.beyond[number] += (np.maximum(below, 0) + np.maximum(above, 0)).sum()
            losses = [pinball(y_true - fan[..., intervals.probabilities.index(p)], p).sum() for p in DECILES]
            sums.pinball += float(np.mean(losses))


def new_sums(rows: Rows, windows: Windows, naive_error: Mapping[str, NaiveError], tested_every: int) -> Sums:
    """Sums of nothing."""
    both = np.array([[naive_error[name] for name in of_series] for of_series in rows.unique_ids])
    return Sums(
        yardsticks=both[..., 0],
        squared_yardsticks=both[..., 1],
        weights=_weights(both[..., 0]),
        tested=np.unique(rows.panel.times[windows.cutoffs], return_inverse=True)[1] % tested_every == 0,
        tested_every=tested_every,
        circular=bool(rows.bounds.circular.any()),
        counts=np.zeros(rows.panel.n_series, np.int64),
        echo=EchoTally(windows.horizon),
        origins=np.full(both.shape[:2], np.nan),
    )


def _weights(yardsticks: Floats) -> Floats:
    """What each series' and target's errors count in skill and p-value, [S, D].

    One series counts as it is. Several would be decided by the largest numbers alone, so each is divided by its own
    naive error, as in MASE; one that has none counts nothing.
    """
    if not _several_scales(yardsticks):
        return np.ones_like(yardsticks)
    return np.divide(1.0, yardsticks, out=np.zeros_like(yardsticks), where=yardsticks > 0)


def _several_scales(yardsticks: Floats) -> bool:
    return yardsticks.size > 1 and bool((yardsticks > 0).any())
