"""The echo test: does a forecast say more than the last value, delayed?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from forecast.data.panel import Floats


@dataclass(frozen=True)
class Echo:
    """By how many steps forecasts lag behind the observations.

    Args:
        best_lag: For each step of the horizon, the shift at which the forecasts correlate best with the observations,
            [H]: 0 where they fit the time that they are for, -h where they fit the last value before step h.
        difference_skill: 1 - error of the forecast changes from step to step / size of the observed ones; NaN where
            nothing ever changes.
    """

    best_lag: tuple[int, ...]
    difference_skill: float

    @property
    def delayed(self) -> bool:
        """Whether most steps, and the last one, fit nothing later than the last value."""
        echoes = [lag == -step for step, lag in enumerate(self.best_lag, 1)]
        return echoes[-1] and 2 * sum(echoes) > len(echoes)


@dataclass
class EchoSums:
    """Sums over windows from which an `Echo` follows.

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
            y_pred: Forecast, centred in the same way, [n, H].
            last: The last value seen, centred in the same way, [n].
        """
        observed = np.concatenate([last[:, None], y_true], axis=1)
        forecast = np.concatenate([last[:, None], y_pred], axis=1)
        change = np.diff(observed, axis=1)
        self._n += len(y_true)
        sums = {
            "observed": observed.sum(axis=0),
            "forecast": y_pred.sum(axis=0),
            "observed squared": (observed**2).sum(axis=0),
            "product": y_pred.T @ observed,
            "change": np.abs(change).sum(),
            "wrong change": np.abs(change - np.diff(forecast, axis=1)).sum(),
        }
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in sums.items()}

    def echo(self) -> Echo:
        """The echo of all windows."""
        sums, n = self._sums, self._n
        forecast, observed = sums["forecast"] / n, sums["observed"] / n
        covariance = sums["product"] / n - forecast[:, None] * observed  # [H, H + 1]: of each step with each time
        spread = np.maximum(sums["observed squared"] / n - observed**2, 0) ** 0.5
        correlation = np.divide(covariance, spread, out=np.full_like(covariance, -np.inf), where=spread > 0)
        ahead = np.arange(self.horizon + 1) > np.arange(1, self.horizon + 1)[:, None]
        correlation[ahead] = -np.inf
        # Of equal correlations the latest counts: a series that never moves is no echo.
        best = self.horizon - np.argmax(correlation[:, ::-1], axis=1)
        lags = np.minimum(best - np.arange(1, self.horizon + 1), 0)
        change = float(sums["change"])
        return Echo(
            tuple(int(lag) for lag in lags),
            1 - float(sums["wrong change"]) / change if change > 0 else float("nan"),
        )
