"""Does the test of two forecasts keep its promises: how often does it see what is not there, and what is?"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from forecast.data.panel import Floats
from forecast.evaluation.comparison import Losses, compare
from forecast.evaluation.significance import SIGNIFICANT, detectable_skill, diebold_mariano, skill_interval
from forecast.evaluation.verdict import verdict
from honesty.losses import LOSSES, equal_losses
from honesty.table import Figure, Line, Table, at_most, share

_ORIGINS = (60, 120, 250, 500)


def size(kind: str, horizon: int, replications: int) -> Line:
    """How often the test finds a difference between two forecasts that are equally good."""
    by_origins, disagrees = {}, []
    for n in _ORIGINS:
        found = []
        for seed in range(replications):
            loss, reference = equal_losses(kind, n, horizon, 2, np.random.default_rng(seed)).mean(axis=2)
            low, high = skill_interval(loss, reference, horizon)
            found.append(diebold_mariano(loss, reference, horizon) < SIGNIFICANT)
            disagrees.append(not np.isnan(low) and found[-1] != (not low <= 0 <= high))
        by_origins[f"{n} origins"] = share(found)
    return {"losses": kind, "horizon": horizon, **by_origins, "interval disagrees": share(disagrees)}


def power(horizon: int, n: int, replications: int) -> Line:
    """How often the test finds a lead that is there, and how large a lead it says that it would find."""
    leads = (0.05, 0.1, 0.2, 0.3)
    pairs = [
        equal_losses("correlated", n, horizon, 2, np.random.default_rng(seed)).mean(axis=2)
        for seed in range(replications)
    ]

    def finds(lead: float) -> list[bool]:
        return [diebold_mariano((1 - lead) * loss, reference, horizon) < SIGNIFICANT for loss, reference in pairs]

    told = [detectable_skill(loss, reference, horizon) for loss, reference in pairs]
    typical = float(np.median(told))
    return {
        "horizon": horizon,
        "origins": n,
        **{f"lead of {lead:.0%}": share(finds(lead)) for lead in leads},
        "detectable lead": f"{100 * typical:.1f}" if typical < 1 else "none",
        "such a lead": share(finds(typical)) if typical < 1 else Figure(math.nan, math.nan),
    }


def selection(kind: str, case: str, n: int, replications: int) -> Line:
    """How often the verdict claims a win or a loss of a model that is as good as the hardest of four references."""
    # How much larger the losses of each reference are than those of the model.
    worse = {"all alike": (1.0, 1.0, 1.0, 1.0), "one is hard": (1.0, 1.3, 1.3, 2.0)}[case]
    names, horizon = ("persistence", "seasonal-naive", "drift", "mean"), 12
    beats, is_worse = [], []
    for seed in range(replications):
        model, *others = equal_losses(kind, n, horizon, 5, np.random.default_rng(seed))
        references = {name: _losses(factor * other) for name, factor, other in zip(names, worse, others, strict=True)}
        figures = compare(_losses(model), references, horizon, 1, {})
        sentence = verdict({"model": "it", "n_windows": n, "n_origins": n, **figures})
        beats.append(sentence.startswith("it beats"))
        is_worse.append(sentence.startswith("it is worse"))
    return {
        "losses": kind,
        "references": case,
        "origins": n,
        '"beats"': share(beats),
        '"is worse than"': share(is_worse),
    }


def _losses(by_step: Floats) -> Losses:
    return Losses(by_step.mean(axis=1), by_step[:, [0, -1]])  # of steps the verdict tells only where a lead ends


SIZE = Table(
    "Size of the test",
    "How often a difference is found between two forecasts that are equally good: at the level of 5 %, in one test of "
    "twenty. The interval of the skill is of the same statistic as the p-value, so that they never disagree.",
    size,
    tuple(product(LOSSES, (1, 12, 24))),
    1000,
    tuple(product(LOSSES, (12,))),
    60,
    {f"{n} origins": at_most(0.075) for n in _ORIGINS} | {"interval disagrees": at_most(0.0)},
)

POWER = Table(
    "Power of the test",
    "How often a lead is found that one of two forecasts has. The detectable lead is the one that the verdict names "
    'beside "no evidence", the least that is found with a chance of 80 %: the median of what it names.',
    power,
    tuple(product((1, 24), (*_ORIGINS, 2000))),
    1000,
    ((1, 120),),
    200,
    {"such a lead": lambda _: (0.75, 0.85)},
)

SELECTION = Table(
    "Choosing among references",
    "A model is exactly as good as the hardest of four references, and the verdict says that it beats them, or that it "
    "is worse than one of them.",
    selection,
    tuple(product(("correlated", "GARCH", "bursts"), ("all alike", "one is hard"), (120, 500))),
    400,
    (("GARCH", "all alike", 120), ("GARCH", "one is hard", 120)),
    100,
    {'"beats"': at_most(0.05), '"is worse than"': at_most(0.05)},
)
