"""Series that a run was not trained on: their scale and their means are those of their own rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.config import DataConfig
from forecast.data.bounds import bounds_of
from forecast.data.normals import Normals, fit_normals, join_normals
from forecast.data.panel import Panel
from forecast.data.scaling import Scaler, fit_scaler
from forecast.data.windows import Flags
from forecast.errors import DataError


def with_unseen_series(scaler: Scaler, panel: Panel, known_rows: Flags, config: DataConfig) -> Scaler:
    """A run's scaler, and after its series those of a panel that it does not know; the scaler itself if it knows all.

    Args:
        scaler: Of S series.
        panel: Arranged columns.
        known_rows: Which rows the statistics may be of, [T]: none that is forecast from them.
        config: The run's data configuration.

    Raises:
        DataError: If a column has no value in these rows of any of the series.
    """
    numbers = scaler.unseen(panel.series_ids)
    if not len(numbers):
        return scaler
    rows = np.concatenate([np.arange(*panel.offsets[number : number + 2]) for number in numbers])
    own, known_rows = panel.of_series(numbers), known_rows[rows]
    logged = tuple(np.array(scaler.columns)[scaler.logged].tolist())
    try:
        fitted = fit_scaler(own, known_rows, logged, (), bounds_of(numbers, config).circular)
    except DataError as error:
        raise DataError(f"A series that was not trained on is scaled by its own rows. {error.message}") from None
    # What is known ahead has one scale for all series, which keeps the differences between them.
    pooled = [own.column(name) for name in config.known]
    fitted.mean[:, pooled], fitted.scale[:, pooled] = scaler.mean[0, pooled], scaler.scale[0, pooled]
    normals = None if scaler.normals is None else _with_own_normals(scaler.normals, own, known_rows, config)
    return replace(
        scaler,
        mean=np.concatenate([scaler.mean, fitted.mean]),
        scale=np.concatenate([scaler.scale, fitted.scale]),
        series_ids=scaler.series_ids + own.series_ids,
        normals=normals,
        n_unseen=len(numbers),
    )


def _with_own_normals(normals: Normals, panel: Panel, known_rows: Flags, config: DataConfig) -> Normals:
    """The normals of a run's series, and after them those of the series of a panel, which may be too short for some."""
    n_targets = normals.mean.shape[1]
    season, har_steps = config.season, config.horizon * config.volatility
    fitted = [
        fit_normals(panel.of_series(np.array([series])), known_rows[panel.rows(series)], n_targets, season, har_steps)
        for series in range(panel.n_series)
    ]
    return join_normals(normals, fitted)
