"""Does the test know that the series of a panel share their weather, also where they tick at different minutes?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, Rows
from forecast.data.windows import Forecaster, Ints
from forecast.evaluation.significance import SIGNIFICANT
from honesty.pipeline import fit, panel_of
from honesty.table import Line, Table, at_most, share

_LOOKBACK, _HORIZON = 24, 12

# Rows for training and validation: nothing is fitted, and the errors are scaled by them.
_TRAINING, _BEFORE_TEST = 200, 250


def size_in_panels(n_series: int, origins: int, replications: int) -> Line:
    """How often the test finds a difference between two forecasts that are equally good on every series of a panel."""
    aligned, moved = [], []
    n = _BEFORE_TEST + origins + _HORIZON - 1
    for seed in range(replications):
        rng = np.random.default_rng(seed)
        panel, errors = panel_of(list(10 + _shared(rng, n_series, n)), "h"), [_shared(rng, n_series, n) for _ in "12"]
        minutes = np.repeat(rng.permutation(60)[:n_series], n).astype("timedelta64[m]")
        aligned.append(_p_value(panel, errors))
        moved.append(_p_value(replace(panel, times=panel.times + minutes), errors))
    return {
        "series": n_series,
        "origins": origins,
        "a difference is found": share(np.array(aligned) < SIGNIFICANT),
        "at different minutes": share(np.array(moved) < SIGNIFICANT),
        "the p-value differs": share(np.array(aligned) != moved),
    }


def _shared(rng: np.random.Generator, n_series: int, n: int) -> Floats:
    """Shocks that all series of a panel share but for a tenth of their variance, [S, n]."""
    return 0.9**0.5 * rng.normal(size=n) + 0.1**0.5 * rng.normal(size=(n_series, n))


def _p_value(panel: Panel, errors: list[Floats]) -> float:
    """Of two forecasts that miss the values of a panel by these errors, [S, n] each."""
    forecasts = dict(zip(("one", "rnn"), (panel.values[:, 0] + error.ravel() for error in errors), strict=True))

    def made_before(_: Prepared) -> Callable[[Rows], Mapping[str, Forecaster]]:
        return lambda _: {name: _read_from(values) for name, values in forecasts.items()}

    settings = {
        "lookback": _LOOKBACK,
        "horizon": _HORIZON,
        "season": 24,
        "levels": "none",
        # By hours, so that the same rows of each series are tested at whatever minute.
        "validation_from": str(panel.times[_TRAINING].astype("datetime64[h]")),
        "test_from": str(panel.times[_BEFORE_TEST].astype("datetime64[h]")),
    }
    return float(fit(panel, settings, made_before).judge().metrics["p_value"]["rnn"])


def _read_from(values: Floats) -> Forecaster:
    def forecast(starts: Ints) -> Floats:
        return values[starts[:, None] + np.arange(_LOOKBACK, _LOOKBACK + _HORIZON)][..., None]

    return forecast


PANELS = Table(
    "Panels",
    "As above, of the series of a panel, which share nine tenths of the variance of their errors: stamped at the same "
    "minute of the hour, and each at a minute of its own, which must not change a p-value.",
    size_in_panels,
    tuple(product((1, 5, 12), (120, 500))),
    200,
    ((5, 120),),
    10,
    {
        "a difference is found": at_most(0.075),
        "at different minutes": at_most(0.075),
        "the p-value differs": at_most(0.0),
    },
)
