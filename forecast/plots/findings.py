"""What was found in a run's errors, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from forecast.evaluation.significance import SIGNIFICANT
from forecast.plots.diagnosis import WHOLES, ClockErrors, Reliability, Residuals
from forecast.plots.style import Labels, format_number, model_name, printable
from forecast.plots.tables import format_signed

_WHEN = {"hour": "at {}:00", "weekday": "on {}", "month": "in {}"}

# Of fewer autocorrelations one outside the band says nothing: chance puts one of twenty there.
_FEWEST_LAGS = 10


def hindsight_in_words(metrics: Mapping[str, Any], model: str) -> str:
    """By how much one would have fooled oneself with inputs that were known only later; empty where none was fed.

    Args:
        metrics: Of a run; ``hindsight`` are the errors with such inputs.
        model: Its model.
    """
    found, error = metrics.get("hindsight", {}), metrics["models"][model]["mae"]
    if not found.get("columns") or not error:
        return ""
    later = found["models"][model]["mae"]
    names = ", ".join(printable(name, 40) for name in found["columns"])
    seemed = f"{1 - later / error:.0%} less" if later < error else "no less"
    return (
        f"Fed as forecast at the time: {names}. With what came, which nobody knows when a forecast is due, the "
        f"{model_name(model)} would have seemed to err {seemed} (MAE {later:.3g} instead of {error:.3g})."
    )


def steps_that_differ(skill: Sequence[float | None], p_values: Sequence[float | None]) -> str:
    """At how many steps the difference is significant, and to which side: "better at 3 and worse at 1 of 24 steps"."""
    n_steps = len(p_values)
    shown = [
        gain > 0
        for gain, p in zip(skill, p_values, strict=True)
        if gain is not None and p is not None and p < SIGNIFICANT
    ]
    steps = f"of {n_steps} steps" if n_steps > 1 else "the one step"
    if not shown:
        return f"no significant difference at {'any ' if n_steps > 1 else ''}{steps}"
    better = sum(shown)
    if better in (0, n_steps) and len(shown) == n_steps:
        every = f"all {n_steps} steps" if n_steps > 1 else steps
        return f"significantly {'better' if better else 'worse'} at {every}"
    sides = {"better": better, "worse": len(shown) - better}
    return f"significantly {' and '.join(f'{side} at {count}' for side, count in sides.items() if count)} {steps}"


def clock_errors_in_words(parts: Sequence[ClockErrors], model: str) -> list[str]:
    """When the error is largest and when it is least, where that is more than chance; else that nothing is known.

    The p-values are corrected for the number of parts (Bonferroni).
    """
    return [_clock_error_in_words(part, model, part.p_value * len(parts)) for part in parts]


def _clock_error_in_words(part: ClockErrors, model: str, p: float) -> str:
    errors, n, whole = part.errors[model], part.n_wholes, WHOLES[part.part]
    if np.isnan(p):
        little = f"{n} {whole}s are too few" if n > 1 else f"{'one' if n else 'less than a'} {whole} is too short"
        return f"By {part.part}, {little} to tell."
    if p >= SIGNIFICANT:
        return f"By {part.part}, the error differs no more over {n:,} {whole}s than chance explains."
    most, least = (_WHEN[part.part].format(part.names[int(index)]) for index in (errors.argmax(), errors.argmin()))
    times = f"{errors.max() / errors.min():.1f} times as large as" if errors.min() > 0 else "while there is none"
    return f"By {part.part}, the error is largest {most}, {times} {least} (p = {p:.2g}, over {n:,} {whole}s)."


def reliability_in_words(reliability: Reliability, labels: Labels) -> str:
    """Whether forecasts swing as far as what is observed, and whether they are too high or too low on average."""
    name = f"the {model_name(labels.model)}"
    if not np.isfinite(reliability.bias):
        return "Nothing was observed to compare."
    bias = f"{labels.format_amount(abs(reliability.bias))} too {'much' if reliability.bias > 0 else 'little'}"
    overall = f"Overall, it forecasts {bias}."
    if reliability.is_still:
        return f"What is observed never changes, so no swing of what {name} forecasts is right. {overall}"
    if not np.isfinite(reliability.slope):
        return f"What {name} forecasts never changes, so there is nothing to compare. {overall}"
    observed = f"{format_number(abs(reliability.slope))} {'less' if reliability.slope < 0 else 'more'}"
    return f"Where {name} forecasts 1 more, {observed} is observed on average (1 more is ideal). {overall}"


def residuals_in_words(residuals: Residuals, labels: Labels) -> str:
    """Whether the residuals follow a pattern in time, as far as their number can tell."""
    if residuals.is_still:
        return "What is observed never changes, so there is no pattern to learn."
    known = np.flatnonzero(np.isfinite(residuals.autocorrelation))
    if not len(known):
        return "The test span is too short, or the residuals vary too little, to look for a pattern."
    largest = known[np.argmax(np.abs(residuals.autocorrelation[known]))]
    correlation, lag = float(residuals.autocorrelation[largest]), residuals.lags[largest]
    size = f"{format_signed(correlation)}, {labels.format_duration(lag)} apart"
    if len(known) < _FEWEST_LAGS:
        return (
            f"The test span is too short to tell a pattern from chance: of its {len(known)} "
            f"autocorrelation{'' if len(known) == 1 else 's'} one step ahead, the largest is {size}."
        )
    by_luck = 0.05 * len(known)
    how_many = (
        "more than chance explains: something is left to learn"
        if residuals.outside > 2 * by_luck + 1
        else "about as many as chance explains"
    )
    return (
        f"One step ahead, {residuals.outside} of {len(known)} autocorrelations lie outside the band, {how_many}. "
        f"The largest is {size}."
    )
