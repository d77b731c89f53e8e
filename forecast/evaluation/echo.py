"""Is a forecast anything but the last value, delayed?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from forecast.data.panel import Floats


@dataclass(frozen=True)
class Echo:
    """How a forecast lies in time beside what was observed.

    Args:
        best_lag: By step of the horizon, the shift at which the forecasts correlate best with what was observed, [H]:
            0 where they tell of the time that they are for, -h where they tell of the last value before step h.
        difference_skill: 1 - error of the forecast changes from step to step / size of the observed ones; NaN where
            nothing ever changes.
    """

    best_lag: tuple[int, ...]
    difference_skill: float

    @property
    def delayed(self) -> bool:
        """Whether most steps, the last one among them, tell of nothing later than the last value."""
        echoes = [lag == -step for step, lag in enumerate(self.best_lag, 1)]
        return echoes[-1] and 2 * sum(echoes) > len(echoes)


@dataclass
class EchoTally:
    """Sums over windows from which an `Echo` is told.

    Args:
        horizon: H.
    """

    horizon: int
    _n: int = 0
    _sums: dict[str, Floats] = field(default_factory=dict)

    def add(self, y_true: Floats, y_pred: Floats, last: Floats) -> None:
        """Add some windows.

        Args:
            y_true: Observed, [n, H], centred so that series on different levels can be pooled.
            y_pred: Forecast, centred the same, [n, H].
            last: The last value seen, centred the same, [n].
        """
        seen = np.concatenate([last[:, None], y_true], axis=1)
        told = np.concatenate([last[:, None], y_pred], axis=1)
        change = np.diff(seen, axis=1)
        self._n += len(y_true)
        sums = {
            "seen": seen.sum(axis=0),
            "told": y_pred.sum(axis=0),
            "seen squared": (seen**2).sum(axis=0),
            "told squared": (y_pred**2).sum(axis=0),
            "product": y_pred.T @ seen,
            "change": np.abs(change).sum(),
            "wrong change": np.abs(change - np.diff(told, axis=1)).sum(),
        }
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in sums.items()}

    def echo(self) -> Echo:
        """What the sums say."""
        sums, n = self._sums, self._n
        told, seen = sums["told"] / n, sums["seen"] / n
        covariance = sums["product"] / n - told[:, None] * seen
        spread = np.maximum(sums["seen squared"] / n - seen**2, 0) ** 0.5
        correlation = np.divide(covariance, spread, out=np.full_like(covariance, -np.inf), where=spread > 0)
        ahead = np.arange(self.horizon + 1) > np.arange(1, self.horizon + 1)[:, None]
        correlation[ahead] = -np.inf
        # Of equals the latest: a series that never moves is no echo.
        best = self.horizon - np.argmax(correlation[:, ::-1], axis=1)
        lags = np.minimum(best - np.arange(1, self.horizon + 1), 0)
        change = float(sums["change"])
        return Echo(
            tuple(int(lag) for lag in lags),
            1 - float(sums["wrong change"]) / change if change > 0 else float("nan"),
        )
