"""What was found inside a run, as sentences and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from forecast.commands.explain.importance import Importance, Importances
from forecast.commands.explain.measures import Memory, gradient_decay, gradient_reach
from forecast.data.clock import Clock
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Windows
from forecast.models.backends.numpy import Trace
from forecast.runs.run import Run

# A gradient that falls below this share of its newest value, or rises above its inverse, is said to vanish or explode.
_VANISHED = 1e-3

# Shares of the gradient's power.
MOST, NEARLY_ALL = 0.95, 0.99

# Inputs that cost less than this when they are shuffled matter little, and so many are named.
_LITTLE, _NAMED = 0.01, 8

# What a forecast counts from, which the normalised window does not tell, where that is not the last value.
LAST_VALUE = "the last value"
COUNTED_FROM = {
    "standard": "the window's mean",
    "seasonal": "the season before",
    "smoothing": "what exponential smoothing says",
}


@dataclass(frozen=True)
class LookbackCheck:
    """How a network with the lookback that seems enough compares with the run's own.

    Args:
        figures: ``lookback``; where one was trained also ``mae`` by model, ``skill`` and ``p_value``.
        sentence: The same in words.
    """

    figures: Mapping[str, Any]
    sentence: str


@dataclass(frozen=True)
class Findings:
    """What was found inside a run.

    Args:
        run: The run.
        rows: The rows that its networks were fed.
        windows: Windows of these rows that they were not trained on.
        segment: Steps of the clock in one step of the cell.
        memories: What each layer of the model remembers.
        traces: What each layer of the model did with the newest window.
        gradients: The norm of the gradient by lag, the newest step first, by network, [L].
        gradients_beyond: The same of the normalised window, of the networks that normalise it.
        counted_from: What the forecast of each of these counts from, in words; the normalised window does not tell it.
        importances: The importance of each input and of each part of the lookback.
        importances_beyond: The same of what lies beyond the last value; of what has one.
        check: How a shorter lookback compares; None if that was not checked.
    """

    run: Run
    rows: Rows
    windows: Windows
    segment: int
    memories: Sequence[Memory]
    traces: Sequence[Trace]
    gradients: Mapping[str, Floats]
    gradients_beyond: Mapping[str, Floats]
    counted_from: Mapping[str, str]
    importances: Importances
    importances_beyond: Importances
    check: LookbackCheck | None = None

    @property
    def model(self) -> str:
        """The column of the run's model."""
        return self.run.config.network.model

    @property
    def clock(self) -> Clock:
        """The clock of the rows."""
        return self.rows.panel.clock

    @property
    def needed_lookback(self) -> int:
        """The newest steps in which nearly all of the model's gradient lies; all of them if they are smoothed."""
        return self.windows.lookback if self.smooths else gradient_reach(self._farther_gradient, NEARLY_ALL)

    @property
    def _farther_gradient(self) -> Floats:
        """That of the model's gradients which reaches farther back."""
        both = self.gradients[self.model], self.gradients_beyond.get(self.model, self.gradients[self.model])
        return max(both, key=lambda norms: gradient_reach(norms, NEARLY_ALL))

    @property
    def smooths(self) -> bool:
        """Whether the forecast counts from exponential smoothing of the lookback, which the gradient does not show."""
        return self.run.config.network.normalise == "smoothing"

    def sentences(self) -> list[str]:
        """What was found, in words."""
        sentences = [
            *(describe_memory(memory, self.clock, self.windows.lookback) for memory in self.memories),
            *(
                describe_gradient(
                    name, norms, self.clock, self.gradients_beyond.get(name), self.counted_from.get(name, LAST_VALUE)
                )
                for name, norms in self.gradients.items()
            ),
            "Exponential smoothing, from which the forecast counts, reads the whole lookback."
            if self.smooths
            else describe_lookback(self._farther_gradient, self.clock),
            describe_importance(self.importances, self.importances_beyond),
        ]
        return sentences if self.check is None else [*sentences, self.check.sentence]

    def to_json(self) -> dict[str, Any]:
        """The content of explain.json."""
        return {
            "schema": 2,  # of the first one, gradients and importances were those beyond the last value
            "run": self.run.name,
            "model": self.model,
            "freq": self.clock.freq,
            "lookback": self.windows.lookback,
            "windows": len(self.windows),
            "layers": [_memory_to_json(memory) for memory in self.memories],
            **_figures(self.gradients, self.importances),
            "beyond_last_value": _figures(self.gradients_beyond, self.importances_beyond),
            **({} if self.check is None else {"check": dict(self.check.figures)}),
            "sentences": self.sentences(),
        }


def _figures(gradients: Mapping[str, Floats], importances: Importances) -> dict[str, Any]:
    shares = (0.5, MOST, NEARLY_ALL)
    reaches = {
        name: {f"{share:g}": gradient_reach(norms, share) for share in shares} for name, norms in gradients.items()
    }
    return {
        "gradient_by_lag": {name: norms.tolist() for name, norms in gradients.items()},
        "reach": reaches,
        "importance": {
            "columns": {name: asdict(importance) for name, importance in importances.columns.items()},
            "lookback": {name: asdict(importance) for name, importance in importances.parts.items()},
        },
    }


def _memory_to_json(memory: Memory) -> dict[str, Any]:
    half_lives = None if memory.half_lives is None else [round(life, 3) for life in memory.half_lives.tolist()]
    return asdict(memory) | {"half_lives": half_lives}


def describe_span(clock: Clock, steps: float) -> str:
    """A number of steps in words, two digits of it; in days where hours make many of them: "9.2 days"."""
    hours = steps * clock.step.astype(np.int64) / 3_600_000_000
    if clock.unit not in ("s", "min", "h"):
        return clock.describe(max(1, round(steps)))
    if hours >= 72:
        return f"{_two_digits(hours / 24)} days"
    count, unit = (_two_digits(hours), "hour") if hours >= 1 else (_two_digits(60 * hours), "minute")
    return f"{count} {unit}" if count == "1" else f"{count} {unit}s"


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def describe_memory(memory: Memory, clock: Clock, lookback: int) -> str:
    """What one layer's gates say about its memory."""
    units = "" if memory.half_lives is None else f" of {len(memory.half_lives)} units"
    parts = []
    if memory.half_lives is not None:
        median = describe_span(clock, float(np.median(memory.half_lives)))
        longest = float(memory.half_lives.max())
        slowest = describe_span(clock, min(longest, lookback))
        slowest = f"not within the lookback of {slowest}" if longest > lookback else slowest
        parts.append(f"half of what a unit holds is gone after {median} (median); in the slowest, {slowest}")
    parts += [
        f"{gate} gate {shares.closed:.0%} nearly closed, {shares.open:.0%} nearly open"
        for gate, shares in memory.saturation.items()
    ]
    if memory.dead_units:
        parts.append(f"{memory.dead_units} {'unit is' if memory.dead_units == 1 else 'units are'} always near zero")
    return f"{memory.layer}{units}: {'; '.join(parts)}." if parts else f"{memory.layer}: a cell without gates."


def describe_gradient(
    name: str, norms: Floats, clock: Clock, beyond: Floats | None = None, counted_from: str = ""
) -> str:
    """How far back a network's gradient reaches, and beyond what the forecast counts from.

    Args:
        name: The network's.
        norms: Of its gradient, the newest step first, [L].
        clock: The clock of the steps.
        beyond: The same of the normalised window; None if it is not normalised.
        counted_from: What that does not tell.
    """
    if not norms.any():
        return f"{name}: nothing in the window moves the forecast."
    of_recurrence = norms if beyond is None else beyond
    sentence = f"{name}: {MOST:.0%} of what moves the forecast lies in {_describe_reach(norms, clock)}"
    if beyond is not None and not beyond.any():
        return f"{sentence}; nothing beyond {counted_from} does."
    if beyond is not None:
        sentence += f"; beyond {counted_from}, {MOST:.0%} in {_describe_reach(beyond, clock)}"
    decay = gradient_decay(of_recurrence)
    if decay < _VANISHED:
        return f"{sentence}; the gradient vanishes: at the far end it is {decay:.0e} of the newest."
    if decay > 1 / _VANISHED:
        return f"{sentence}; the gradient explodes: at the far end it is {decay:.0e} times the newest."
    return f"{sentence}; at the far end the gradient is {decay:.2g} of the newest."


def _describe_reach(norms: Floats, clock: Clock) -> str:
    most, nearly_all = (describe_span(clock, gradient_reach(norms, share)) for share in (MOST, NEARLY_ALL))
    return f"the newest {most.removeprefix('1 ')}, {NEARLY_ALL:.0%} in the newest {nearly_all.removeprefix('1 ')}"


def describe_lookback(norms: Floats, clock: Clock) -> str:
    """Whether a shorter lookback might do."""
    lookback, needed = len(norms), gradient_reach(norms, NEARLY_ALL)
    whole = describe_span(clock, lookback)
    if needed > 0.75 * lookback:
        return f"The whole lookback of {whole} is used; a longer one may help."
    return (
        f"Of the lookback of {whole}, what is older than {describe_span(clock, needed)} moves the forecast by "
        f"{1 - NEARLY_ALL:.0%}; --check-lookback tries to do without it."
    )


def describe_part(clock: Clock, newest: int, oldest: int) -> str:
    """A part of the lookback in words: "the newest 21 hours", "21 to 42 hours ago"."""
    until, since = describe_span(clock, newest), describe_span(clock, oldest)
    if not newest:
        return f"the newest {since}"
    same_unit = until.split(" ", 1)[1].rstrip("s") == since.split(" ", 1)[1].rstrip("s")
    return f"{until.split(' ', 1)[0] if same_unit else until} to {since} ago"


def describe_importance(whole: Importances, beyond: Importances) -> str:
    """What matters among the inputs, and which part of the lookback does; and what lies beyond the last value."""
    sentences = [f"Shuffled between windows, inputs add to the error: {_listed(_ranked(whole))}."]
    sentences += [f"By age: {_listed(whole.parts)}."]
    if beyond.columns:
        own = f"Beyond {LAST_VALUE} of each window: {_listed(_ranked(beyond))}; by age: {_listed(beyond.parts)}."
        sentences.append(own)
    return " ".join(sentences)


def _ranked(importances: Importances) -> dict[str, Importance]:
    return dict(sorted(importances.columns.items(), key=lambda item: -item[1].growth))


def _listed(importances: Mapping[str, Importance]) -> str:
    """The growths that matter, at most `_NAMED` of them, in words."""
    much = [f"{name} {each.growth:.0%}" for name, each in importances.items() if each.growth >= _LITTLE]
    named = much[:_NAMED]
    if len(much) > _NAMED:
        named.append(f"{len(much) - _NAMED} more at least {_LITTLE:.0%}")
    if len(much) < len(importances):
        named.append(f"{'the rest' if much else 'each of them'} less than {_LITTLE:.0%}")
    return ", ".join(named)
