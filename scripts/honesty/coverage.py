"""How often intervals hold what they promise, by length and kind of series."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from honesty.pipeline import LINEAR, Fit, fit, linear_map, network, panel_of
from honesty.series import (
    Kind,
    ar1,
    counts,
    garch,
    growing_variance,
    intermittent,
    level_shift,
    random_walk,
    seasonal,
    shifts_at,
    silent,
)
from honesty.table import Bar, Figure, Line, Table, mean

KINDS: dict[str, Kind] = {
    "AR(1)": ar1,
    "seasonal": seasonal,
    "random walk": random_walk,
    "growing variance": growing_variance,
    "counts": counts,
    "GARCH": garch,
}

# Rows, season, horizon, clock.
LENGTHS: dict[str, tuple[int, int, int, str]] = {
    "1,500 hours": (1500, 24, 24, "h"),
    "1,000 days": (1000, 7, 7, "D"),
    "600 months": (600, 12, 12, "MS"),
    "520 weeks": (520, 52, 13, "W"),
    "400 days": (400, 7, 12, "D"),
}

LEVELS = (80, 95)

_OF_PANELS: dict[str, Kind] = {
    "seasonal": seasonal,
    "random walk": random_walk,
    "intermittent": intermittent,
    "silent": silent,
}


def linear(length: str, kind: str, replications: int) -> Line:
    """Coverage of a linear map."""
    held = [coverage_of(length, KINDS[kind], seed, linear_map) for seed in range(replications)]
    return {"length": length, "series": kind, **_figures(held)}


def networks(length: str, replications: int) -> Line:
    """Coverage of networks, trained with the product's defaults, of all kinds together."""
    held = [coverage_of(length, kind, seed, network) for seed in range(replications) for kind in KINDS.values()]
    return {"length": length, "trainings": len(held), **_figures(held)}


def coverage_of(length: str, kind: Kind, seed: int, how: Fit) -> list[float]:
    """Of each level: the share of the test span's outcomes within the interval, and the share at the last step."""
    n, season, horizon, clock = LENGTHS[length]
    panel = panel_of([kind(np.random.default_rng(seed), n, season)], clock)
    settings: dict[str, object] = {"horizon": horizon, "season": season, "baseline": False, "seed": seed}
    if how is linear_map:
        settings["lookback"] = 2 * horizon
    metrics = fit(panel, settings, how).judge().metrics
    (of_model, *_) = metrics["intervals"]["models"].values()
    return [
        share
        for level in LEVELS
        for share in (of_model[str(level)]["coverage"], of_model[str(level)]["coverage_by_step"][-1])
    ]


def _figures(held: list[list[float]]) -> dict[str, Figure]:
    names = [name for level in LEVELS for name in (f"{level} %", f"{level} %, last step")]
    return {name: mean(shares) for name, shares in zip(names, np.transpose(held), strict=True)}


def after_shift(level: int, replications: int) -> Line:
    """Coverage by the origin's distance from a shift of the level of 3,000 hours."""
    n, stages = 3000, {"before": (-200, -24), "1 to 24": (0, 24), "25 to 100": (24, 100), "101 to 400": (100, 400)}
    held: dict[str, list[float]] = {stage: [] for stage in stages}
    for seed in range(replications):
        panel = panel_of([level_shift(np.random.default_rng(seed), n, 24)], "h")
        forecasts = fit(panel, {"horizon": 24, "lookback": 48}, linear_map).judge().forecasts
        rows_after = np.searchsorted(panel.times, forecasts["cutoff"].to_numpy()) - shifts_at(n)
        for stage, (first, end) in stages.items():
            held[stage].append(_holds(forecasts[(rows_after >= first) & (rows_after < end)], level).mean())
    return {"level": f"{level} %"} | {
        f"{stage} rows after" if stage != "before" else stage: mean(shares) for stage, shares in held.items()
    }


def in_panel(many: str, few: str, replications: int) -> Line:
    """Coverage of twenty series of one kind and of three of another in one panel of 600 days, by kind of series."""
    held = []
    for seed in range(replications):
        rng = np.random.default_rng(seed)
        series = [_OF_PANELS[kind](rng, 600, 7) for kind, count in ((many, 20), (few, 3)) for _ in range(count)]
        settings = {"horizon": 7, "lookback": 14, "season": 7}
        forecasts = fit(panel_of(series, "D"), settings, linear_map).judge().forecasts
        number = forecasts["unique_id"].str.removeprefix("series ").astype(int)
        held.append([_holds(forecasts[some], level).mean() for level in LEVELS for some in (number <= 20, number > 20)])
    names = [f"{level} %, {which}" for level in LEVELS for which in ("of the twenty", "of the three")]
    return {"twenty": many, "three": few} | {
        name: mean(shares) for name, shares in zip(names, np.transpose(held), strict=True)
    }


def _holds(forecasts: pd.DataFrame, level: int) -> NDArray[np.bool_]:
    """Whether each outcome lies within the interval of a level, [n]."""
    low, high = (forecasts[f"{LINEAR}-{end}-{level}"] for end in ("lo", "hi"))
    return forecasts["y"].between(low, high).to_numpy()


def _near(level: int, points: float, points_if_short: float) -> Bar:
    """Coverage may miss its level by so many points; by more where there are 400 rows."""

    def bar(line: Line) -> tuple[float, float]:
        miss = points_if_short if str(line["length"]).startswith("400") else points
        return (level - miss) / 100, (level + miss) / 100

    return bar


def _not_below(level: int, points: float) -> Bar:
    """Coverage may be so many points below its level, and anything above it: some outcomes are mostly zero."""
    return lambda _: ((level - points) / 100, 1.0)


_BARS = {
    f"{level} %{step}": _near(level, *points)
    for level in LEVELS
    for step, points in (("", (2, 4)), (", last step", (4, 7)))
}

LINEAR_COVERAGE = Table(
    "Coverage by length and kind",
    "Intervals about a linear map, over all steps and at the last one. Wanted: within 2 points of the level, and 4 at "
    "the last step; of 400 rows within 4 and 7.",
    linear,
    tuple(product(LENGTHS, KINDS)),
    100,
    tuple(product(("520 weeks",), ("random walk", "counts"))),
    6,
    _BARS,
)

NETWORK_COVERAGE = Table(
    "Coverage of networks",
    "The same about networks, trained with the defaults, over all kinds of series.",
    networks,
    tuple((length,) for length in LENGTHS),
    2,
    (),
    1,
    _BARS,
)

SHIFT = Table(
    "Coverage after a shift",
    "An autoregression of 3,000 hours rises by five standard deviations in the test span: coverage by how many rows "
    "after the shift a forecast was made.",
    after_shift,
    tuple((level,) for level in LEVELS),
    40,
    ((95,),),
    2,
    {"101 to 400 rows after": lambda line: (0.75, 0.85) if line["level"] == "80 %" else (0.9, 1.0)},
)

PANEL_COVERAGE = Table(
    "Coverage in panels",
    "Three series of one kind among twenty of another, all forecast by one linear map.",
    in_panel,
    (("seasonal", "random walk"), ("intermittent", "silent")),
    10,
    (("seasonal", "random walk"),),
    1,
    {f"{level} %, of the three": _not_below(level, 5) for level in LEVELS},
)
