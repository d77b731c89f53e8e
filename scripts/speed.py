"""What `benchmark.py` measured: the tables, and the bars with whether each is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from records import markdown

# What one contender answered, see `contenders.contest.answer`; beside it ``start``, the seconds from the start of its
# process to the call of its training, and ``peak``, what the machine's cores multiplied just before, in operations a
# second.
Answer = Mapping[str, Any]

# What the best peer is to be beaten by, in training and in scoring, and what is aimed at.
TRAINING, SCORING = (2.0, 3.0), (3.0, 4.0)

# The share of a large matrix product's speed that training reaches.
OF_PEAK = 0.4

SAME, DEFAULT = "forecast", "forecast, default recipe"
PEERS = {"keras": "Keras recipe", "darts": "Darts", "neuralforecast": "NeuralForecast"}

IMPORT = 'python -c "import tensorflow"'
PREDICT = "forecast predict RUN"

# The share of the import's time that it may take.
OF_IMPORT = 0.12
INSTANT = ("forecast --help", "forecast runs", "forecast datasets")


@dataclass(frozen=True)
class Bar:
    """A demand and what was found.

    Args:
        demand: In words.
        found: What was measured; None if it was never reached.
        limit: What it must reach.
        at_most: Whether it must stay below instead.
        rounds: What was found in each round, of which ``found`` is the median.
    """

    demand: str
    found: float | None
    limit: float
    at_most: bool = False
    rounds: tuple[float, ...] = ()

    @classmethod
    def of_rounds(cls, demand: str, rounds: Sequence[float], limit: float) -> Bar:
        """The demand that the median of some rounds reaches a limit."""
        return cls(demand, median(rounds), limit, rounds=tuple(rounds))

    @property
    def holds(self) -> bool:
        """Whether it is met."""
        if self.found is None:
            return False
        return self.found <= self.limit if self.at_most else self.found >= self.limit


def rates(answers: Sequence[Answer], kind: str) -> list[float]:
    """Windows a second of each round, ``training`` or ``scoring``: medians, the first epoch of training left out."""
    first = 1 if kind == "training" else 0
    return [median(answer[f"{kind}_rates"][first:]) for answer in answers]


def ratios(found: Mapping[str, Sequence[Answer]], kind: str) -> list[float]:
    """How many times the best peer of the same round, in each round."""
    peers = [rates(found[name], kind) for name in PEERS.values() if name in found]
    return [ours / max(theirs) for ours, *theirs in zip(rates(found[SAME], kind), *peers, strict=True)]


def shares_of_peak(answers: Sequence[Answer]) -> list[float]:
    """Of each round, what training multiplied a second over what a large product did just before."""
    return [
        rate * answer["operations"] / answer["peak"]
        for rate, answer in zip(rates(answers, "training"), answers, strict=True)
    ]


def seconds_until(answers: Sequence[Answer], mae: float, whole: bool = False) -> float | None:
    """Seconds of training until the validation error is reached; None if it never is.

    Args:
        answers: Those with the most epochs count.
        mae: The error.
        whole: Count from the start of the process.
    """
    longest = max(len(answer["validation_mae"]) for answer in answers)
    found = [
        next((s for s, error in zip(answer["seconds"], answer["validation_mae"], strict=True) if error <= mae), None)
        for answer in answers
        if len(answer["validation_mae"]) == longest
    ]
    starts = [answer["start"] if whole else 0.0 for answer in answers if len(answer["validation_mae"]) == longest]
    reached = [start + seconds for start, seconds in zip(starts, found, strict=True) if seconds is not None]
    return median(reached) if len(reached) == len(found) else None


def best_mae(answers: Sequence[Answer]) -> float:
    """The lowest validation error of any epoch."""
    return min(min(answer["validation_mae"]) for answer in answers)


def best_peer(found: Mapping[str, Sequence[Answer]]) -> tuple[str, float]:
    """The peer with the lowest validation error, and that error."""
    errors = {name: best_mae(found[name]) for name in PEERS.values() if name in found}
    name = min(errors, key=lambda peer: errors[peer])
    return name, errors[name]


def bars_of(found: Mapping[str, Sequence[Answer]]) -> list[Bar]:
    """The bars of one dataset.

    Args:
        found: The answers of each contender.
    """
    bars = [
        Bar.of_rounds(f"{kind}, same network: times the best peer (aim: {aim:g})", ratios(found, kind), least)
        for kind, (least, aim) in (("training", TRAINING), ("scoring", SCORING))
    ]
    bars.append(Bar.of_rounds("training: share of the peak of a matrix product", shares_of_peak(found[SAME]), OF_PEAK))
    bars.append(
        Bar("making the batches: share of an epoch", median(a["input_share"] for a in found[SAME]), 0.05, at_most=True)
    )
    if DEFAULT in found:
        peer, mae = best_peer(found)
        ours, theirs = seconds_until(found[DEFAULT], mae), seconds_until(found[peer], mae)
        share = ours / theirs if ours is not None and theirs is not None else None
        demand = f"time to the best peer's validation MAE ({mae:.4f}, {peer}): share of its"
        bars.append(Bar(demand, share, 0.2, at_most=True))
    return bars


def bars_of_commands(seconds: Mapping[str, Sequence[float]]) -> list[Bar]:
    """The bars of whole processes.

    Args:
        seconds: Wall time of each command, several times.
    """
    whole = median(seconds[IMPORT])
    limits = {PREDICT: OF_IMPORT, **dict.fromkeys(INSTANT, 0.1)}
    return [
        Bar(f"`{command}`: share of `{IMPORT}`", median(seconds[command]) / whole, limit, at_most=True)
        for command, limit in limits.items()
    ]


def contenders_table(found: Mapping[str, Sequence[Answer]]) -> str:
    """One dataset in Markdown, a row for each contender."""
    mae = best_peer(found)[1]
    n_windows = next(iter(found.values()))[0]["windows"]["train"]
    head = ["", "weights", "s an epoch", "windows/s, training", "windows/s, scoring", "lowest validation MAE"]
    head += [f"s to {mae:.4f}", "the same from the start of the process", "peak memory, MB"]
    rows = [
        [
            name,
            f"{answers[0]['parameters']:,}",
            f"{n_windows / median(rates(answers, 'training')):.1f}",
            _spread(rates(answers, "training")),
            _spread(rates(answers, "scoring")),
            f"{best_mae(answers):.4f}",
            _seconds(seconds_until(answers, mae)),
            _seconds(seconds_until(answers, mae, whole=True)),
            f"{median(answer['memory'] for answer in answers) / 1e6:,.0f}",
        ]
        for name, answers in found.items()
    ]
    return markdown([head, *rows])


def commands_table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Whole processes in Markdown."""
    whole = median(seconds[IMPORT])
    rows = [
        [f"`{name}`" if name in (IMPORT, PREDICT, *INSTANT) else name, f"{median(s):.2f}", f"{median(s) / whole:.1%}"]
        for name, s in seconds.items()
    ]
    return markdown([["process", "seconds", f"share of `{IMPORT}`"], *rows])


def bars_table(bars: Sequence[Bar]) -> str:
    """Bars in Markdown."""
    rows = [
        [
            bar.demand,
            "never" if bar.found is None else f"{bar.found:.3g}",
            " ".join(f"{found:.3g}" for found in bar.rounds),
            f"{'≤' if bar.at_most else '≥'} {bar.limit:g}",
            "holds" if bar.holds else "MISSED",
        ]
        for bar in bars
    ]
    return markdown([["bar", "found", "each round", "demanded", ""], *rows])


def _spread(figures: Sequence[float]) -> str:
    """The median of some rounds, and the least and the largest."""
    whole = f"{median(figures):,.0f}"
    return f"{whole} ({min(figures):,.0f}–{max(figures):,.0f})" if len(figures) > 1 else whole


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"
