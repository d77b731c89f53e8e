"""The forecast that a run already holds, for whose sake nothing is imported that reads rows or computes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.clock import STEP
from forecast.errors import DataError, phrase
from forecast.models.catalogue import network_configs
from forecast.progress import Progress
from forecast.runs.run import Run


def stored_forecast(run: Run, progress: Progress) -> pd.DataFrame:
    """The forecast that a run made of the rows that it was trained on.

    Args:
        run: A run.
        progress: Receives warnings.

    Raises:
        DataError: If no forecast follows these rows.
        RunError: If its weights are damaged or missing.
    """
    for network in network_configs(run.config):  # a table of networks that are no more would be trusted all the same
        run.weights(run.forecast_weights if network == "model" else network)
    forecast, warnings = run.forecast, run.data.get("warnings", ())
    if forecast.empty:
        from forecast.data.newest import why_no_forecast

        raise DataError(
            f"No forecast follows the rows that {run.name} was trained on. {why_no_forecast(warnings)}".rstrip(),
            f"Give newer rows: {phrase(f'forecast predict {run.name} FILE', f'forecast.predict({run.name!r}, rows)')}",
        )
    if warnings:
        from forecast.data.newest import carried_forward

        for warning in carried_forward(warnings):
            progress.warn(warning)
    return forecast


def warn_of_age(newest: pd.Timestamp, run: Run, progress: Progress) -> None:
    """Warn where the newest cut-off of a forecast is more than two steps ago."""
    age = age_in_steps(newest, run)
    if age > 2:
        since = run.clock.format(run.clock.to_utc(newest))
        progress.warn(f"the forecast starts after {since}, {age:,} steps ago")


def age_in_steps(newest: pd.Timestamp, run: Run) -> int:
    """How many steps of the run's clock have passed since the newest row, or cut-off, of a forecast."""
    clock = run.clock
    if clock.freq == STEP:
        return 0
    times = np.array([clock.to_utc(newest), np.datetime64("now", "us")])
    return int(np.diff(clock.ordinals(times))[0])
