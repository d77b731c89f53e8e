"""What the verdict claims of networks, trained with the product's defaults, on series of which the truth is known."""

from __future__ import annotations

from itertools import product

import numpy as np

from forecast.models.naive import NAIVE
from honesty.pipeline import LINEAR, Fit, fit, linear_map, network, panel_of
from honesty.series import (
    Kind,
    ar1,
    ar2,
    mean_of_season,
    moving_average,
    random_walk,
    seasonal_ar1,
    white_noise,
    wrong_season,
)
from honesty.table import Line, Table, at_most, mean, share

# Rows of a series, and of its continuation, on which a lead that was claimed must be there again.
_ROWS, _LATER = 1000, 2000

_HOPELESS: dict[str, Kind] = {
    "random walk": random_walk,
    "white noise": white_noise,
    "mean of the season and noise": mean_of_season,
    "moving average": moving_average,
}

_FORESEEABLE: dict[str, Kind] = {
    "autoregression": ar1,
    "autoregression that swings": ar2,
    "season and autoregression": seasonal_ar1,
    "cycle that is not the season": wrong_season,
}


_SERIES = _HOPELESS | _FORESEEABLE

# Name: how it is fitted, and how many are for each network.
_FORECASTERS: dict[str, tuple[Fit, int]] = {"network": (network, 1), LINEAR: (linear_map, 5)}


def claims(horizon: int, name: str, forecaster: str, replications: int) -> Line:
    """How often the verdict says that a forecaster beats the naive ones, and whether that lead is there later on."""
    (how, times), claimed, leads = _FORECASTERS[forecaster], [], []
    settings: dict[str, object] = {"horizon": horizon, "baseline": False}
    for seed in range(times * replications):
        values = _SERIES[name](np.random.default_rng(seed), _ROWS + _LATER, 24)
        fitted = fit(panel_of([values[:_ROWS]], "h"), settings | {"seed": seed}, how)
        metrics = fitted.judge().metrics
        claimed.append(metrics["verdict"].startswith(f"{metrics['model']} beats"))
        skill = fitted.skill_on(panel_of([values], "h"))
        leads.append(min(skill[reference] for reference in NAIVE if reference in skill))
    refuted = np.array(claimed) & (np.array(leads) <= 0)
    return {
        "series": name,
        "forecaster": forecaster,
        "times": len(claimed),
        '"beats" is claimed': share(claimed),
        "lead on later rows": mean(leads),
        "claimed without such a lead": share(refuted),
    }


FALSE_PRAISE = Table(
    "False praise",
    f"A forecaster, a network by the product's defaults or a linear map, is fitted to {_ROWS:,} hours of a series that "
    f"no one can forecast much better than a naive forecast does, 24 hours ahead, and is tried on {_LATER:,} later "
    "ones, too. One verdict of twenty may claim a lead.",
    claims,
    tuple(product((24,), _HOPELESS, _FORECASTERS)),
    20,
    ((24, "white noise", LINEAR),),
    1,
    {'"beats" is claimed': at_most(0.05)},
)

TRUE_SKILL = Table(
    "True skill",
    "The same of series that can be forecast, 6 hours ahead: how often a lead is claimed, and how large it is later.",
    claims,
    tuple(product((6,), _FORESEEABLE, _FORECASTERS)),
    10,
    ((6, "season and autoregression", LINEAR),),
    1,
    {"claimed without such a lead": at_most(0.05)},
)
