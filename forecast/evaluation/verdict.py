"""Is it better than a vanilla RNN and than the last value? In one sentence."""

from __future__ import annotations

from collections.abc import Mapping

# A difference counts when luck alone would show one as large in fewer than one of twenty cases.
SIGNIFICANT = 0.05

_NAMES = {
    "rnn": "the vanilla RNN",
    "persistence": "the last value",
    "seasonal-naive": "the seasonal naive",
}


def verdict(
    model: str, skill: Mapping[str, float | None], p_value: Mapping[str, float | None], measure: str = "MAE"
) -> str:
    """The sentence that stands at the top of every table and plot.

    Args:
        model: Name of the judged model.
        skill: 1 - MAE / MAE of the reference, by reference; None where undefined.
        p_value: Of equal loss, by reference; None where there are too few windows to say.
        measure: Which error the skill is of: MAE, or MASE over several series.
    """
    naive = [name for name in ("persistence", "seasonal-naive") if name in skill]
    perfect = [name for name in naive if skill[name] is None]
    if len(perfect) == len(naive):
        return f"{model}: the naive forecasts are already perfect here, so no skill can be measured."
    if perfect:
        return f"{model} cannot be better than {_NAMES[perfect[0]]}, which makes no error here."
    hardest = min(naive, key=lambda name: skill[name] or 0.0)
    how = _compare(hardest, skill, p_value, measure)
    if significance(hardest, skill, p_value) > 0:
        sentence = f"{model} beats {how}"
    elif significance(hardest, skill, p_value) < 0:
        sentence = f"{model} is worse than {how}"
    else:
        sentence = f"No evidence that {model} beats {how}"
    if skill.get("rnn") is not None:
        sign = significance("rnn", skill, p_value)
        than = {1: "better than", -1: "worse than", 0: "not to be told apart from"}[sign]
        sentence += f"; it is {than} {_compare('rnn', skill, p_value, measure)}"
    return sentence + "."


def significance(name: str, skill: Mapping[str, float | None], p_value: Mapping[str, float | None]) -> int:
    """Of the judged model against a reference: 1 better, -1 worse, 0 not to be told apart."""
    gain, p = skill[name], p_value.get(name)
    if gain is None or p is None or p >= SIGNIFICANT or gain == 0:
        return 0
    return 1 if gain > 0 else -1


def _compare(name: str, skill: Mapping[str, float | None], p_value: Mapping[str, float | None], measure: str) -> str:
    gain, p = skill[name] or 0.0, p_value.get(name)
    luck = "too few windows to test" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    return f"{_NAMES.get(name, name)} ({measure} {abs(gain):.1%} {'lower' if gain >= 0 else 'higher'}, {luck})"
