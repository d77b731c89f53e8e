"""What was found inside a network, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from forecast.commands.explain.importance import Importance
from forecast.commands.explain.memory import Memory, fading, reach
from forecast.data.panel import Clock, Floats

# A gradient that falls below this share of its newest value, or rises above its inverse, is said to vanish or explode.
_VANISHED = 1e-3

# Shares of the gradient's power: most of it, and all that counts.
MOST, ALL = 0.95, 0.99

# Inputs that cost less than this when they are shuffled matter little.
_LITTLE = 0.01


def span(clock: Clock, steps: float) -> str:
    """A number of steps in words, two digits of it; in days where hours make many of them: "9.2 days"."""
    hours = steps * clock.step.astype(np.int64) / 3_600_000_000
    if clock.unit not in ("s", "min", "h"):
        return clock.describe(max(1, round(steps)))
    if hours >= 72:
        return f"{_two_digits(hours / 24)} days"
    return f"{_two_digits(hours)} hours" if hours >= 1 else f"{_two_digits(60 * hours)} minutes"


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def of_memory(memory: Memory, clock: Clock, lookback: int) -> str:
    """What one layer's gates say about its memory."""
    units = "" if memory.half_lives is None else f" of {len(memory.half_lives)} units"
    parts = []
    if memory.half_lives is not None:
        median, longest = float(np.median(memory.half_lives)), float(memory.half_lives.max())
        most = f"not within the lookback of {span(clock, lookback)}" if longest > lookback else span(clock, longest)
        parts.append(f"half of what a unit holds is gone after {span(clock, median)} (median); in the slowest, {most}")
    parts += [
        f"{gate} gate {found.closed:.0%} nearly closed, {found.open:.0%} nearly open"
        for gate, found in memory.saturation.items()
    ]
    if memory.dead:
        parts.append(f"{memory.dead} {'unit says' if memory.dead == 1 else 'units say'} nothing")
    return f"{memory.layer}{units}: {'; '.join(parts)}." if parts else f"{memory.layer}: a cell without gates."


def of_gradient(name: str, norms: Floats, clock: Clock) -> str:
    """How far back a network's gradient reaches."""
    rest = fading(norms)
    if math.isnan(rest):
        return f"{name}: nothing in the window moves the forecast."
    sentence = (
        f"{name}: {MOST:.0%} of what moves the forecast lies in the newest {span(clock, reach(norms, MOST))}, "
        f"{ALL:.0%} in the newest {span(clock, reach(norms, ALL))}"
    )
    if rest < _VANISHED:
        return f"{sentence}; the gradient vanishes: at the far end it is {rest:.0e} of the newest."
    if rest > 1 / _VANISHED:
        return f"{sentence}; the gradient explodes: at the far end it is {rest:.0e} times the newest."
    return f"{sentence}; at the far end the gradient is {rest:.2g} of the newest."


def of_lookback(norms: Floats, clock: Clock) -> str:
    """Whether a shorter lookback might do."""
    lookback, needed = len(norms), reach(norms, ALL)
    if needed > 0.75 * lookback:
        return f"The whole lookback of {span(clock, lookback)} is used; a longer one may help."
    return (
        f"Of the lookback of {span(clock, lookback)}, what is older than {span(clock, needed)} moves the forecast by "
        f"{1 - ALL:.0%}; --check-lookback tries to do without it."
    )


def stretch(clock: Clock, newest: int, oldest: int) -> str:
    """A part of the lookback in words: "the newest 21 hours", "21 to 42 hours ago"."""
    until, since = span(clock, newest), span(clock, oldest)
    if not newest:
        return f"the newest {since}"
    same_unit = until.split(" ", 1)[1] == since.split(" ", 1)[1]
    return f"{until.split(' ', 1)[0] if same_unit else until} to {since} ago"


def of_importance(columns: Mapping[str, Importance], parts: Mapping[str, Importance]) -> str:
    """What matters among the inputs, and which part of the lookback does."""
    ranked = dict(sorted(columns.items(), key=lambda item: -item[1].growth))
    return f"Shuffled between windows, inputs add to the error: {_listed(ranked)}. By age: {_listed(parts)}."


def _listed(found: Mapping[str, Importance]) -> str:
    much = [f"{name} {place.growth:.0%}" for name, place in found.items() if place.growth >= _LITTLE]
    if len(much) < len(found):
        much.append(f"{'the rest' if much else 'each of them'} less than {_LITTLE:.0%}")
    return ", ".join(much)
