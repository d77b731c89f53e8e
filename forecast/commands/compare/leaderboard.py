"""A leaderboard: means and spreads over seeds, the choice by validation, and what that says, in a sentence."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from forecast.evaluation.metrics import METRICS, Metric
from forecast.evaluation.verdict import significant_sign

# The figures in which a network is compared with references, in metrics.json.
COMPARISONS = ("skill", "skill_interval", "p_value", "detectable")

Kind = Literal["network", "classical", "naive"]

# What a line states as a mean over the seeds, without a spread.
_MEANS = ("parameters", "seconds")


def compared_metrics(scores: Iterable[str] = METRICS) -> dict[str, Metric]:
    """The metrics that leaderboards show, of those that there are scores of."""
    return {name: metric for name, metric in METRICS.items() if metric.shown == "leaderboard" and name in scores}


def scores_of(
    name: str, metrics: Mapping[str, Any], validation: Mapping[str, Any] | None = None
) -> dict[str, float | None]:
    """The errors of one forecast, and its validation error by the measure that skill is of.

    Args:
        name: The forecast.
        metrics: Scores on the windows of the leaderboard, as in metrics.json.
        validation: The same on the validation windows.
    """
    measure = metrics["skill_of"].lower()
    error = None if validation is None else validation["models"][name][measure]
    scores = metrics["models"][name]
    return {"validation": error} | {score: scores[score] for score in compared_metrics() if score in scores}


def leaderboard_line(kind: Kind, by_seed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A line of the leaderboard: means over the seeds, and the standard deviations that go with them.

    Args:
        kind: What kind of forecast it is.
        by_seed: For each seed its scores; ``skill`` maps references to shares. A forecast that has no seed has one
            entry. None is a figure that is not defined, and so is its mean.
    """
    line: dict[str, Any] = {"kind": kind}
    for name in ("validation", *compared_metrics(by_seed[0])):
        values = [scores.get(name) for scores in by_seed]
        line[name] = _mean(values)
        line[f"{name}_spread"] = _spread(values)
    line |= {name: _mean([scores.get(name) for scores in by_seed]) for name in _MEANS}
    if line["parameters"] is not None:  # the same with every seed
        line["parameters"] = int(line["parameters"])
    references = by_seed[0].get("skill", {})
    line["skill"] = {name: _mean([scores["skill"][name] for scores in by_seed]) for name in references}
    return line | {"by_seed": list(by_seed)}


def in_order(lines: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The lines as they are shown: networks by validation error, then classical, then naive forecasts."""
    kinds = ("network", "classical", "naive")

    def rank(name: str) -> tuple[int, float]:
        error = lines[name]["validation"]
        return kinds.index(lines[name]["kind"]), float("inf") if error is None else error

    return {name: lines[name] for name in sorted(lines, key=rank)}


def best_network(lines: Mapping[str, dict[str, Any]]) -> str:
    """The network with the lowest validation error. The test error is reported, and never chosen by."""
    return next(name for name, line in in_order(lines).items() if line["kind"] == "network")


def verdict(lines: Mapping[str, dict[str, Any]], measure: str, unit: str, n_windows: int) -> str:
    """What a leaderboard says, in words.

    Args:
        lines: Networks and naive forecasts by name.
        measure: MAE or MASE, by which skill is measured.
        unit: The targets' own unit.
        n_windows: Test windows.
    """
    chosen = best_network(lines)
    line = lines[chosen]
    errors = {name: each["validation"] for name, each in lines.items() if each["validation"] is not None}
    best = min(errors, key=errors.__getitem__)
    if lines[best]["kind"] == "network":
        sentence = f"{chosen} is chosen: it has the lowest validation {measure}."
    else:
        sentence = f"No network has a lower validation {measure} than {best}; the best of them is {chosen}."
    error = with_spread(line[measure.lower()], line[f"{measure.lower()}_spread"])
    in_unit = f" {unit}" if unit and measure == "MAE" else ""
    over = " over seeds" if line[f"{measure.lower()}_spread"] is not None else ""
    gains = _gains(line, line["skill"], f"{n_windows:,} windows")
    than = f": {gains}" if gains else ""
    return f"{sentence} On {n_windows:,} test windows its {measure} is {error}{in_unit}{over}{than}."


def classical_verdict(
    lines: Mapping[str, Mapping[str, Any]], chosen: str, measure: str, n_windows: int, n_apart: int
) -> str:
    """How the chosen network compares with classical forecasts on their windows, in a sentence.

    Args:
        lines: All forecasts by name.
        chosen: The network.
        measure: MAE or MASE, by which skill is measured.
        n_windows: How many windows these are.
        n_apart: How many of their origins lie so far apart that their outcomes do not overlap.
    """
    references = [name for name, line in lines.items() if line["kind"] == "classical"]
    gains = _gains(lines[chosen], references, f"{n_windows:,} windows, {n_apart:,} of them without overlap,")
    return f"On the {n_windows:,} windows of the classical references its {measure} is {gains}." if gains else ""


def to_frame(boards: Sequence[tuple[int, Mapping[str, Mapping[str, Any]]]], chosen: str) -> pd.DataFrame:
    """Leaderboards as one table, below one another.

    Args:
        boards: The number of windows of each, and its lines.
        chosen: The network that was chosen.
    """
    return pd.DataFrame(
        [
            {"windows": n_windows, "model": name, "chosen": name == chosen}
            | {key: value for key, value in line.items() if key not in ("skill", "by_seed")}
            | {f"skill_{reference}": share for reference, share in line["skill"].items()}
            for n_windows, lines in boards
            for name, line in lines.items()
        ]
    ).astype({"parameters": "Int64"})


def with_spread(mean: float | None, spread: float | None) -> str:
    """A mean and its spread to as many digits as the mean's four: "0.6290 ± 0.0041"."""
    if mean is None:
        return "–"
    text = f"{mean:,.0f}" if abs(mean) >= 1e5 else f"{mean:.4g}"
    return text if spread is None else f"{text} ± {spread:.2g}"


def _gains(line: Mapping[str, Any], references: Iterable[str], windows: str) -> str:
    shares = {name: line["skill"][name] for name in references}
    gains = [_gain(name, share, line["by_seed"], windows) for name, share in shares.items() if share is not None]
    return ", ".join(gains)


def _gain(reference: str, share: float, by_seed: Sequence[Mapping[str, Any]], windows: str) -> str:
    """A skill and its spread over the seeds, and with how many it is significant; if with none, what could be."""
    sign = 1 if share > 0 else -1
    count = sum(significant_sign(reference, scores["skill"], scores["p_value"]) == sign for scores in by_seed)
    if not count:
        least = _mean([scores.get("detectable", {}).get(reference) for scores in by_seed])
        significant = "not significant"
        if least is not None and least < 1:
            significant += f": {windows} show only leads of about {least:.0%} or more"
        elif all(scores["p_value"][reference] is None for scores in by_seed):
            significant = f"not tested: {windows} are too few"
    elif len(by_seed) > 1:
        significant = f"significant with {count} of {len(by_seed)} seeds"
    else:
        significant = "significant"
    spread = _spread([scores["skill"][reference] for scores in by_seed])
    over = "" if spread is None else f"± {spread:.1%} over seeds, "
    return f"{abs(share):.1%} {'lower' if share > 0 else 'higher'} than {reference}'s ({over}{significant})"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def _spread(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) == len(values) and len(values) > 1 else None
