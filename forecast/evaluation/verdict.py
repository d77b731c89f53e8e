"""The verdict: one sentence that says whether a model beats the naive forecasts and the vanilla RNN.

A part of it is the echo test: does a forecast say more than the last value, delayed?
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecast.data.panel import Floats
from forecast.errors import quote
from forecast.evaluation.significance import NO_DIFFERENCE, SIGNIFICANT
from forecast.models.naive import NAIVE

# A lead of this share over the last value is clear, even where too few windows can make it significant.
CLEAR_LEAD = 0.05

# An echo cannot be seen in fewer windows, and its errors are at most this share larger than those of the last value.
_FEWEST_WINDOWS, _LIKE = 30, 0.25

# An error so many times that of a reference, and more, is not said in percent.
_TIMES = 9

# Of fewer series, one that makes more of the error than all the others is nothing odd.
_FEWEST_SERIES = 5

# A lead that would take more times as many origins to show is not worth waiting for.
_MOST_TIMES = 100


def reference_name(reference: str) -> str:
    """The name of a reference in a sentence: "the last value"."""
    if reference in NAIVE:
        return NAIVE[reference].name
    return "the vanilla RNN" if reference == "rnn" else f"the {reference}"


def verdict(metrics: Mapping[str, Any]) -> str:
    """The sentence at the top of every table and plot.

    Args:
        metrics: The content of metrics.json: ``model``; ``skill`` and ``p_value`` by reference, None where undefined;
            and perhaps ``skill_of``, ``skill_by_step``, ``p_by_step``, ``detectable``, ``n_origins``, ``by_series`` and
            ``naive_error``, or what was kept of these, ``network_adds_nothing_to`` and ``echo``.
    """
    model, skill = metrics["model"], metrics["skill"]
    naive = [name for name in NAIVE if name in skill]
    perfect = [name for name in naive if skill[name] is None]
    if perfect:
        finding = f"{model} cannot be better than {reference_name(perfect[0])}, which makes no error here"
        if len(perfect) == len(naive):
            finding = f"{model}: the naive forecasts are already perfect here, so no skill can be measured"
        return "; ".join([finding, *_beside_rnn(metrics)]) + "."
    # To beat the naive forecasts is to beat each of them; of those that are not beaten, the hardest is named.
    unbeaten = [name for name in naive if significant_sign(name, skill, metrics["p_value"]) < 1]
    hardest = min(unbeaten or naive, key=lambda name: skill[name] or 0.0)
    # As the worst of several it seems worse than it is, so its p-value is corrected for their number.
    worst_of = len(naive) if unbeaten and skill[hardest] < 0 else 1
    comparison, sign = _compare(hardest, metrics, worst_of)
    beginning = {1: f"{model} beats", -1: f"{model} is worse than", 0: f"No evidence that {model} beats"}[sign]
    echo = ": its forecasts are the last value, delayed" if metrics.get("echo", {}).get("delayed") else ""
    clauses = [f"{beginning} {comparison}{echo}"]
    if sign == 0:
        clauses += _power(hardest, metrics)
    clauses += _one_series(hardest, metrics)
    clauses += _beside_rnn(metrics)
    if sign > 0:
        clauses += _limit(naive, metrics)
    clauses += [*_which_to_use(metrics), *_series_left_out(metrics)]
    if "zero" in skill and metrics.get("skill_of", "MAE") == "MAE":
        clauses.append("most values are zero, and MAE then rewards forecasting zero")
    return "; ".join(clauses) + "."


def _which_to_use(metrics: Mapping[str, Any]) -> list[str]:
    """Which of the model and the log-HAR to use for a volatility; at most one clause."""
    model, skill = metrics["model"], metrics["skill"]
    if skill.get("log-har") is None:
        return []
    if significant_sign("log-har", skill, metrics["p_value"]) > 0:
        return [f"use {model} rather than the log-HAR"]
    return [f"use the log-HAR, which is simpler, rather than {model}"]


def _beside_rnn(metrics: Mapping[str, Any]) -> list[str]:
    """How the model compares with the vanilla RNN, and whether its own network adds anything; at most two clauses."""
    of_earlier_version = dict.fromkeys(metrics.get("linear_alone", ()), "the linear map beside it")
    without = metrics.get("network_adds_nothing_to", of_earlier_version)
    alone = [f"the network adds nothing to {without[metrics['model']]}"] if metrics["model"] in without else []
    gain = metrics["skill"].get("rnn")
    if gain is None:
        return alone
    if alone and "rnn" in without and abs(gain) <= NO_DIFFERENCE:
        return [f"{alone[0]}, nor does the vanilla RNN: the two are the same forecast"]
    comparison, sign = _compare("rnn", metrics)
    than = {1: "is better than", -1: "is worse than", 0: "cannot be distinguished from"}[sign]
    # Other seeds give other fits, and perhaps another finding.
    return [*alone, f"{'in these two fits ' if sign else ''}it {than} {comparison}"]


def _one_series(reference: str, metrics: Mapping[str, Any]) -> list[str]:
    """The series that makes more of the scaled error than all the others, and what those say; at most one clause."""
    found = metrics.get("heaviest_series", {}).get(reference) or _heaviest_series(reference, metrics)
    own, others = np.array(found["mase"]), np.array(found["others"])
    if found["of"] < _FEWEST_SERIES or (own <= others).all() or not others[1] > 0:
        return []
    size = f"{abs(1 - others[0] / others[1]):.1%} {'lower' if others[0] <= others[1] else 'higher'}"
    return [f"one series, {quote(found['name'])}, decides the comparison: the mean MASE of the others is {size}"]


def _heaviest_series(reference: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The series with the largest MASE of the model or a reference, both of them, and their sums of the others."""
    pair, scaled = (metrics["model"], reference), dict[str, Floats]()
    for name, errors in metrics.get("by_series", {}).items():
        scale = metrics["naive_error"][name]["mae"]
        if metrics.get("skill_of") == "MASE" and scale and errors[reference] is not None:
            scaled[name] = np.array([errors[model] for model in pair]) / scale
    largest = max(scaled, key=lambda name: scaled[name].max(), default="")
    own = scaled.pop(largest, np.zeros(2))
    return {"name": largest, "mase": own, "others": np.sum([*scaled.values()], axis=0), "of": len(scaled) + 1}


def _series_left_out(metrics: Mapping[str, Any]) -> list[str]:
    """How many series the comparison is not about, and why; at most two clauses."""
    every = metrics.get("naive_error", ())
    count = {
        "n_series": len(every),
        "n_series_unscaled": len(metrics.get("unscaled", ())),
        "n_series_unscored": len(every) - len(metrics.get("by_series", every)),
        **metrics,
    }
    lacking = {"unscaled": "scale to be judged by", "unscored": "window that could be scored"}
    return [
        f"{n:,} of {count['n_series']:,} series {'is' if n == 1 else 'are'} not in this sentence, having no {what}"
        for why, what in lacking.items()
        if (n := count[f"n_series_{why}"])
    ]


def _power(name: str, metrics: Mapping[str, Any]) -> list[str]:
    """What could have been found, where nothing was; and how much longer it takes to find the lead that was seen."""
    if name not in metrics.get("detectable", {}) or metrics["p_value"].get(name) is None:
        return []
    gain, least, n = metrics["skill"][name], metrics["detectable"][name], metrics["n_origins"]
    origins = "windows" if n == metrics["n_windows"] else "origins"
    if least is None or least >= 1:
        return [f"{n:,} {origins} are too few to show any lead over it"]
    clause = f"{n:,} {origins} show only leads over it of about {rounded_share(least)} or more"
    times = (least / gain) ** 2 if gain > 0 else math.inf
    if 1 < times <= _MOST_TIMES:
        clause += f", and to show {gain:.1%} takes some {_two_digits(n * times):,} of them"
    return [clause]


def rounded_share(least: float) -> str:
    """A share that is an estimate itself, to two digits at most: "28%", "0.8%"."""
    return f"{least:.0%}" if least >= 0.095 else f"{least:.1%}" if least < 0.0095 else f"{100 * least:.2g}%"


def _two_digits(number: float) -> int:
    """A number rounded to two digits: 4,900 for 4,873."""
    size = 10 ** max(math.floor(math.log10(number)) - 1, 0)
    return round(number / size) * size


def _limit(naive: Sequence[str], metrics: Mapping[str, Any]) -> list[str]:
    """The steps at which the lead over the naive forecasts is significant, if not all; at most one clause."""
    reaches = []
    for name in naive:
        gains, p = metrics.get("skill_by_step", {}).get(name, ()), metrics.get("p_by_step", {}).get(name, ())
        shown = [
            step
            for step, (gain, chance) in enumerate(zip(gains, p, strict=True), 1)
            if gain is not None and chance is not None and gain > 0 and chance < SIGNIFICANT
        ]
        if len(shown) < len(gains):
            reaches.append((len(gains), shown, reference_name(name)))
    # The reference that is beaten at the fewest steps limits most.
    for horizon, shown, name in sorted(reaches, key=lambda reach: len(reach[1])):
        if not shown:
            return [f"there is no evidence at any single step that it beats {name}"]
        first, last = shown[0], shown[-1]
        if len(shown) <= last - first:  # with holes
            return [f"there is evidence that it beats {name} at only {len(shown)} of {horizon} steps"]
        if first > 1 and last < horizon:
            steps = f"from step {first} to step {last}" if first < last else f"at step {first}"
            return [f"there is evidence that it beats {name} only {steps}"]
        if last < horizon:
            return [f"beyond step {last} there is no evidence that it beats {name}"]
        if first > 1:
            before = f"up to step {first - 1}" if first > 2 else "at the first step"
            return [f"{before} there is no evidence that it beats {name}"]
    return []


def is_echo(skill: Mapping[str, float | None], p_value: Mapping[str, float | None], n_windows: int) -> bool:
    """Whether forecasts that lag behind like the last value err like it, too, on enough windows.

    Args:
        skill: By reference.
        p_value: By reference.
        n_windows: The number of windows that were scored.
    """
    gain = skill.get("persistence")
    if n_windows < _FEWEST_WINDOWS or gain is None:
        return False
    return -_LIKE < gain < CLEAR_LEAD and significant_sign("persistence", skill, p_value) < 1


def significant_sign(name: str, skill: Mapping[str, float | None], p_value: Mapping[str, float | None]) -> int:
    """1 if the judged model is significantly better than a reference, -1 if it is worse, 0 if neither is shown."""
    gain, p = skill[name], p_value.get(name)
    if gain is None or p is None or p >= SIGNIFICANT or gain == 0:
        return 0
    return 1 if gain > 0 else -1


def _compare(name: str, metrics: Mapping[str, Any], worst_of: int = 1) -> tuple[str, int]:
    """A reference with its figures in words, and `significant_sign` against it.

    Args:
        name: The reference.
        metrics: As of `verdict`.
        worst_of: Among how many references it was chosen for being beaten least (Bonferroni).
    """
    gain, p, measure = metrics["skill"][name] or 0.0, metrics["p_value"].get(name), metrics.get("skill_of", "MAE")
    corrected = None if p is None else min(worst_of * p, 1.0)
    chance = _chance(p)
    if worst_of > 1 and _chance(corrected) != chance:
        chance += f", {_chance(corrected)} as the hardest of {worst_of} to beat"
    size = f"{abs(gain):.1%} {'lower' if gain >= 0 else 'higher'}"
    if gain <= -_TIMES:
        size = f"{1 - gain:,.0f} times as high"
    return f"{reference_name(name)} ({measure} {size}, {chance})", significant_sign(
        name, metrics["skill"], {name: corrected}
    )


def _chance(p: float | None) -> str:
    return "too few windows to test" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


@dataclass(frozen=True)
class Echo:
    """By how many steps forecasts lag behind the observations.

    Args:
        best_lag: For each step of the horizon, the shift at which the forecasts correlate best with the observations,
            [H]: 0 where they fit the time that they are for, -h where they fit the last value before step h.
        difference_skill: 1 - error of the forecast changes from step to step / size of the observed ones; NaN where
            nothing ever changes.
    """

    best_lag: tuple[int, ...]
    difference_skill: float

    @property
    def delayed(self) -> bool:
        """Whether most steps, and the last one, fit nothing later than the last value."""
        echoes = [lag == -step for step, lag in enumerate(self.best_lag, 1)]
        return echoes[-1] and 2 * sum(echoes) > len(echoes)


@dataclass
class EchoSums:
    """Sums over windows from which an `Echo` follows.

    Args:
        horizon: H.
        sums: By what is summed; those of other windows can be added.
    """

    horizon: int
    sums: dict[str, Floats] = field(default_factory=dict)

    def add(self, y_true: Floats, y_pred: Floats, last: Floats) -> None:
        """Add some windows.

        Args:
            y_true: Observed, [n, H], centred so that series on different levels can be pooled; NaN where nothing was.
            y_pred: Forecast, centred in the same way, [n, H].
            last: The last value seen, centred in the same way, [n].
        """
        observed = np.concatenate([last[:, None], y_true], axis=1)
        forecast = np.concatenate([last[:, None], y_pred], axis=1)
        change = np.diff(observed, axis=1)
        wrong = change - np.diff(forecast, axis=1)
        # In how many windows a time was observed, and the sums of what was forecast for each step in these, [H, H + 1].
        count, of_these = np.asarray(len(y_true)), [power.sum(axis=0)[:, None] for power in (y_pred, y_pred**2)]
        missing = np.isnan(observed)
        if missing.any():
            count, of_these = (~missing).sum(axis=0), [power.T @ ~missing for power in (y_pred, y_pred**2)]
            change, wrong = change[~np.isnan(change)], wrong[~np.isnan(wrong)]
            observed = np.where(missing, 0, observed)
        sums = {
            "count": count,
            "observed": observed.sum(axis=0),
            "forecast": of_these[0],
            "forecast squared": of_these[1],
            "observed squared": (observed**2).sum(axis=0),
            "product": y_pred.T @ observed,
            "change": np.abs(change).sum(),
            "wrong change": np.abs(wrong).sum(),
        }
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in sums.items()}

    def echo(self) -> Echo:
        """The echo of all windows."""
        sums, n = self.sums, np.maximum(self.sums["count"], 1)
        forecast, observed = sums["forecast"] / n, sums["observed"] / n
        covariance = sums["product"] / n - forecast * observed  # [H, H + 1]: of each step with each time
        spread = np.maximum(sums["observed squared"] / n - observed**2, 0) ** 0.5
        # The forecasts' own spread matters where it is not that of the same windows for each time.
        of_forecast = np.maximum(sums["forecast squared"] / n - forecast**2, 0) ** 0.5
        most = of_forecast.max(axis=1, keepdims=True)
        spread = spread * np.divide(of_forecast, most, out=np.ones_like(of_forecast), where=most > 0)
        correlation = np.divide(covariance, spread, out=np.full_like(covariance, -np.inf), where=spread > 0)
        ahead = np.arange(self.horizon + 1) > np.arange(1, self.horizon + 1)[:, None]
        correlation[ahead] = -np.inf
        # Of equal correlations the latest counts: a series that never moves is no echo.
        best = self.horizon - np.argmax(correlation[:, ::-1], axis=1)
        lags = np.minimum(best - np.arange(1, self.horizon + 1), 0)
        change = float(sums["change"])
        return Echo(
            tuple(int(lag) for lag in lags),
            1 - float(sums["wrong change"]) / change if change > 0 else float("nan"),
        )
