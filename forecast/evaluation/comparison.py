"""A model beside its references: skill, how sure it is, at which steps, and what could have been found.

The losses of all series at one origin count as one, because they share the weather and the market of that time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.data.clock import Clock, Times
from forecast.data.panel import Floats
from forecast.data.windows import Ints
from forecast.evaluation.metrics import skill
from forecast.evaluation.significance import (
    FEWEST_ORIGINS,
    detectable_skill,
    diebold_mariano,
    p_values_by_step,
    skill_interval,
)


@dataclass(frozen=True)
class Losses:
    """The losses of one forecast.

    Args:
        by_origin: In order of time, [N].
        by_step: The same for each step, of the origins that are tested by step, [K, H]; NaN where nothing was observed.
    """

    by_origin: Floats
    by_step: Floats


def compare(
    model: Losses, references: Mapping[str, Losses], horizon: int, spacing: int, reasons: dict[str, str]
) -> dict[str, Any]:
    """Skill against each reference, with p-value, interval and steps, as it stands in metrics.json.

    Args:
        model: Losses of the judged model.
        references: Those of the others at the same origins, by name.
        horizon: H, in origins.
        spacing: Steps between the origins that are tested by step.
        reasons: Receives why a figure is None.
    """
    figures: dict[str, Any] = {
        key: {} for key in ("skill", "skill_interval", "skill_by_step", "p_value", "p_by_step", "detectable")
    }
    few = len(model.by_origin) < FEWEST_ORIGINS
    for name, losses in references.items():
        of_reference = losses.by_origin
        if not float(of_reference.mean()) > 0:
            for key in ("skill", "skill_interval", "p_value", "detectable"):
                figures[key][name] = None
                reasons[f"{key}.{name}"] = f"{name} makes no error here"
            steps = model.by_step.shape[1]
            figures["skill_by_step"][name] = figures["p_by_step"][name] = [None] * steps
            continue
        ends = skill_interval(model.by_origin, of_reference, horizon)
        figures["skill"][name] = skill(float(model.by_origin.mean()), float(of_reference.mean()))
        figures["skill_interval"][name] = None if math.isnan(ends[1]) else [known(end) for end in ends]
        figures["p_value"][name] = known(diebold_mariano(model.by_origin, of_reference, horizon))
        figures["detectable"][name] = known(detectable_skill(model.by_origin, of_reference, horizon))
        if few:
            reasons |= {f"{key}.{name}": "fewer than eight origins" for key in ("p_value", "skill_interval")}
        elif math.isnan(ends[1]):
            reasons[f"skill_interval.{name}"] = "the losses of so few or so uneven origins bound it on neither side"
        if figures["detectable"][name] is None:
            reasons[f"detectable.{name}"] = "no skill could be found at so few origins"
        means = zip(_means_of_steps(model.by_step), _means_of_steps(losses.by_step), strict=True)
        gains = [known(skill(*pair)) for pair in means]
        chances = p_values_by_step(model.by_step, losses.by_step, spacing)
        figures["skill_by_step"][name] = gains
        figures["p_by_step"][name] = [
            None if gain is None else known(chance) for gain, chance in zip(gains, chances, strict=True)
        ]
    return figures


def loss_weights(naive_mae: Floats, of_more: bool = False) -> Floats:
    """The weight of each series' and target's errors in skill and p-value, [S, D].

    One series counts as it is. Several would be decided by the largest numbers alone, so each is divided by its own
    naive error, as in MASE; one that has none counts nothing. So is one that is one of more.
    """
    if not (of_more or several_scales(naive_mae)):
        return np.ones_like(naive_mae)
    return np.divide(1.0, naive_mae, out=np.zeros_like(naive_mae), where=naive_mae > 0)


def several_scales(naive_mae: Floats) -> bool:
    """Whether skill is judged on scaled errors: of several series or targets, with a naive error to scale by."""
    return naive_mae.size > 1 and bool((naive_mae > 0).any())


def origin_steps(cutoffs: Times, clock: Clock) -> Ints:
    """The step of the clock from which each window forecasts, [N], by its cut-off.

    Series may tick at different minutes of the same hour: their losses are as dependent as those of one minute.
    """
    return (cutoffs - cutoffs.min()) // clock.step if clock.has_equal_steps else clock.ordinals(cutoffs)


class SumsByOrigin:
    """Losses summed over the series at each origin, as they are not independent; some windows at a time.

    A loss that is NaN, as nothing was observed, adds nothing; where all of an origin are, so is their sum.

    Args:
        n_origins: How many origins there are.
        n_losses: How many losses a window has.
    """

    def __init__(self, n_origins: int, n_losses: int = 1) -> None:
        self._sums, self._known = np.zeros((n_origins, n_losses)), np.zeros((n_origins, n_losses), bool)
        self._n_windows = 0

    def add(self, losses: Floats, origins: Ints) -> None:
        """Add the losses of some windows [n, n_losses] with these numbers of their origins [n]."""
        self._n_windows += len(losses)
        at = origins[:, None] * self._sums.shape[1] + np.arange(self._sums.shape[1])
        known = ~np.isnan(losses)
        np.add.at(self._sums.reshape(-1), at[known], losses[known])
        self._known.reshape(-1)[at[known]] = True

    def add_sums(self, other: SumsByOrigin, origins: Ints, every: int = 1) -> None:
        """Add the sums of other windows at every so many origins of theirs, which have these numbers here."""
        self._n_windows += other._n_windows
        self._sums[origins] += other._sums[::every]
        self._known[origins] |= other._known[::every]

    def sums(self) -> Floats:
        """The sums over the mean number of series, [n_origins, n_losses]."""
        return np.where(self._known, self._sums / (self._n_windows / len(self._sums)), np.nan)


def _means_of_steps(losses: Floats) -> Floats:
    """The mean of the losses [K, H] that are known at each step, [H]; NaN where none is."""
    missing = np.isnan(losses)
    if not missing.any():
        return np.asarray(losses.mean(axis=0))
    counts = (~missing).sum(axis=0)
    return np.divide(np.nansum(losses, axis=0), counts, out=np.full(len(counts), np.nan), where=counts > 0)


def known(value: float) -> float | None:
    """The value as JSON takes it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None
