"""The errors that are usual: how large those of each series are, and how they are distributed, near and far ahead.

They are those of forecasts of rows that the network was not trained on: of the validation span for rows of the test
span, and of the test span, which the run holds, for later ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from forecast.config import DataConfig
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Ints, Windows, median
from forecast.errors import DataError
from forecast.model import Model
from forecast.outliers.distribution import FEWEST_ERRORS, ErrorDistribution
from forecast.runs.run import Run

# Suspect rows in sequence after which a level is taken for the new one. It is more than a spike of two rows, and as
# few as possible: until then each row is judged by a forecast from farther back.
MOST_SUSPECT = 3

# Rows after which an error has half its weight in the size of the errors, as in `intervals/sizes.py`; an error counts
# at most so many sizes in it, so that an anomaly does not hide the next one. The size is at least this share of the
# usual one.
_SHARE = 1 - 0.5 ** (1 / 50)
_MOST_SIZES = 4.0
_LEAST_SIZE = 0.2

# A distribution of its own needs so many errors: with fewer, a series has that of all series.
_OWN = 200

# The size of errors where there is none: not zero, to divide by.
_NO_SIZE = 1e-100

# Errors that are kept of all series together; more of them change nothing.
_MOST_ERRORS = 100_000


@dataclass(frozen=True)
class UsualErrors:
    """The usual errors of one series, transformed as the network's targets are, per lead and target.

    Args:
        sizes: Mean absolute error 1 … K + 1 steps ahead, K being `MOST_SUSPECT`, and far ahead, [K + 2, D].
        near: The distribution of errors one step ahead in multiples of their recent size, for each target.
        far: That of errors far ahead.
        logged: Whether errors are those of logarithms.
    """

    sizes: Floats
    near: tuple[ErrorDistribution, ...]
    far: tuple[ErrorDistribution, ...]
    logged: bool


def leads_of(config: DataConfig) -> Ints:
    """The steps ahead that are judged: 1 … K + 1, and far ahead, which is a season, or the horizon if that is shorter.

    A season of hours is a day. Of a short horizon the last step stands for those beyond it, [K + 2].
    """
    return np.minimum([*range(1, MOST_SUSPECT + 2), max(config.season, 1)], config.horizon)


def updated_size(size: Floats, usual: Floats, absolute: Floats) -> Floats:
    """The recent size of errors after one more; one that is NaN tells nothing."""
    clipped = np.minimum(absolute, _MOST_SIZES * size)
    return np.maximum(np.where(np.isnan(absolute), size, size + _SHARE * (clipped - size)), _LEAST_SIZE * usual)


def usual_errors(run: Run, rows: Rows, errors: Mapping[str, Floats]) -> list[UsualErrors]:
    """The usual errors of each series of some rows; of one that has none, those of all series for its own spread.

    Args:
        run: A run.
        rows: Rows of some series.
        errors: By name of a series, the errors of its windows in order of time at `leads_of`, [n, K + 2, D].

    Raises:
        DataError: If there are too few.
    """
    n_targets, spread = rows.n_targets, rows.scaler.scale[:, : rows.n_targets]
    nothing = np.zeros((0, MOST_SUSPECT + 2, n_targets))
    by_series = [errors.get(name, nothing) for name in rows.panel.series_ids]
    by_series = [own if np.isfinite(own).any(axis=0).all() else nothing for own in by_series]
    n_errors = sum(map(_count, by_series))
    if n_errors < FEWEST_ERRORS:
        raise DataError(
            f"{run.name} has {n_errors} forecasts of rows that it was not trained on: too few to say what is usual.",
            f"{FEWEST_ERRORS} are needed: train it on more rows.",
        )
    means = np.array(
        [np.nanmean(np.abs(own), axis=0) if len(own) else np.full(own.shape[1:], np.nan) for own in by_series]
    )
    relative = np.nanmean(means / spread[:, None], axis=0)
    usual = np.where(means > 0, means, np.maximum(relative * spread[:, None], _NO_SIZE))
    scaled = [_in_sizes(own[:, [0, -1]], of_own[[0, -1]]) for own, of_own in zip(by_series, usual, strict=True)]
    of_all = _distributions(np.concatenate(scaled))
    distributions = [_distributions(own) if _count(own) >= _OWN else of_all for own in scaled]
    return [UsualErrors(sizes, *both, rows.logged) for sizes, both in zip(usual, distributions, strict=True)]


def _count(errors: Floats) -> int:
    """How many of errors [n, K, D] are known at each lead of each target."""
    return int(np.isfinite(errors).sum(axis=0).min())


def _distributions(errors: Floats) -> tuple[tuple[ErrorDistribution, ...], tuple[ErrorDistribution, ...]]:
    """Those near and far ahead, for each target, of errors [n, 2, D]."""
    near, far = (tuple(map(ErrorDistribution.fit, errors[:, lead].T)) for lead in (0, 1))
    return near, far


def errors_of_windows(rows: Rows, model: Model, windows: Windows, leads: Ints) -> dict[str, Floats]:
    """The errors of the newest windows of each series, [n, K + 2, D], by its name.

    Args:
        rows: The rows that the windows point into.
        model: Which was not trained on them.
        windows: Those of the validation span.
        leads: Steps ahead, of `leads_of`.
    """
    series = rows.series[windows.starts]
    most, result = max(_OWN, _MOST_ERRORS // rows.panel.n_series), {}
    for number, name in enumerate(rows.panel.series_ids):
        own = replace(windows, starts=windows.starts[series == number][-most:])
        if len(own):
            y_true = rows.observed(own.future())
            forecasts = median(model.forecast(rows, own.starts))
            forecasts = rows.bounds.unwrap_towards(forecasts, y_true, rows.series[own.starts])
            result[name] = _errors(y_true, forecasts, rows.logged)[:, leads - 1]
    return result


def errors_of_test_span(run: Run, rows: Rows, leads: Ints) -> dict[str, Floats]:
    """The same of the forecasts of its test span that a run holds, of those of its series that are among the rows."""
    table, horizon = run.test_forecasts, run.config.data.horizon
    by_id = {str(name): part for name, part in table.groupby("unique_id", sort=False)}
    result = {}
    for series, (series_id, names) in enumerate(zip(rows.panel.series_ids, rows.unique_ids, strict=True)):
        if any(name not in by_id for name in names):
            continue
        y_true, forecasts = (
            np.stack([by_id[name][column].to_numpy().reshape(-1, horizon) for name in names], axis=-1)
            for column in ("y", run.config.network.model)
        )
        forecasts = rows.bounds.unwrap_towards(forecasts, y_true, np.full(len(y_true), series))
        result[series_id] = _errors(y_true, forecasts, rows.logged)[:, leads - 1]
    return result


def _errors(y_true: Floats, forecasts: Floats, logged: bool) -> Floats:
    return np.log(y_true) - np.log(forecasts) if logged else y_true - forecasts


def _in_sizes(errors: Floats, usual: Floats) -> Floats:
    """Errors in order of time [n, leads, D] in multiples of their recent size, as it was known before each."""
    size, scaled = usual, np.empty_like(errors)
    for number, error in enumerate(errors):
        scaled[number] = error / size
        size = updated_size(size, usual, np.abs(error))
    return scaled
