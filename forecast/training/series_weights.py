"""How much each series counts in the loss: all alike, as in the mean of scaled errors."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Floats
from forecast.data.prepare import Prepared

# No series counts more than these times the median one, nor less than its inverse: the change of one that is nearly
# constant is next to nothing.
_MOST = 10.0


def series_weights(prepared: Prepared) -> Floats | None:
    """What the errors of each series and target are multiplied by, of mean 1, [S, D]; None for a single series.

    It is the inverse of the mean absolute change over a season in the scaled training rows, by which scores are scaled;
    of the change from step to step where that is zero or unknown.

    Args:
        prepared: Rows, scaler and windows.
    """
    rows, data, n_series = prepared.rows, prepared.config.data, prepared.rows.panel.n_series
    n_channels = len(data.target) if data.channels == "independent" else 1
    if n_series == n_channels:
        return None
    learned = prepared.training_rows & rows.usable & ~np.isnan(rows.scaled[:, : rows.n_targets]).any(axis=1)
    change = np.full((n_series, rows.n_targets), np.nan)
    for distance in (data.season, 1):
        both = learned[distance:] & learned[:-distance] & (rows.series[distance:] == rows.series[:-distance])
        later = np.flatnonzero(both) + distance
        size = np.bincount(rows.series[later], minlength=n_series)
        for target in range(rows.n_targets):
            steps = np.abs(rows.scaled[later, target] - rows.scaled[later - distance, target])
            mean = np.bincount(rows.series[later], steps, n_series) / np.maximum(size, 1)
            change[:, target] = np.where(np.isnan(change[:, target]) & (mean > 0), mean, change[:, target])
    weights = 1 / change
    weights[np.isnan(weights)] = np.nanmedian(weights) if (change > 0).any() else 1.0
    usual = np.median(weights)
    weights = np.clip(weights, usual / _MOST, usual * _MOST)
    return np.asarray(weights / weights.mean())
