"""The members of an ensemble: what was tried, what it got on the validation span, what it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forecast.config import MemberConfig
from forecast.evaluation.significance import SIGNIFICANT
from forecast.plots.style import printable
from forecast.plots.tables import PAGE, Cell, Table, TableStyle

# How many members are named for which there was no time.
_NAMED = 4

# A weight below this is as good as none, and so is a difference that rounds to 0.0 %.
_COUNTS, _SEEN = 0.01, 0.0005


def member_table(
    metrics: Mapping[str, Any],
    portfolio: Sequence[MemberConfig],
    times: Sequence[Mapping[str, Any]],
    style: TableStyle = PAGE,
) -> Table:
    """A row for each member that was trained.

    Args:
        metrics: The content of metrics.json.
        portfolio: The members, and what was decided on each.
        times: Of each, its epochs and seconds, as the manifest has them.
        style: How the surface writes tables.
    """
    columns = ["member", "differs by", "validation loss", "weight", "first step", "last step", "epochs", "seconds"]
    table = Table("Members", columns)
    figures = metrics["members"]
    losses = [member["loss"] for member in figures if member["loss"] is not None]
    for member, figure, time in zip(portfolio, figures, times, strict=True):
        if figure["loss"] is None:
            continue
        table.rows.append([
            Cell(style.model(member.name)),
            Cell(_settings(member)),
            Cell(f"{figure['loss'] / losses[0]:.3f}" if losses[0] else "–", best=figure["loss"] == min(losses)),
            *(Cell(_share(weight)) for weight in (figure["weight"], member.weights[0], member.weights[-1])),
            Cell(f"{time['epochs']:,}" + (", time over" if member.stopped_after else "")),
            Cell(f"{time['seconds']:,.1f}"),
        ])  # fmt: skip
    if style.narrow:
        kept = [0, 2, 3, 6, 7]
        table.columns = [table.columns[index] for index in kept]
        table.rows = [[row[index] for index in kept] for row in table.rows]
    return table


def ensemble_in_words(metrics: Mapping[str, Any]) -> str:
    """What became of an ensemble, and how it compares with its first member alone."""
    tried = [member for member in metrics["members"] if member["loss"] is not None]
    counts = sum(member["weight"] >= _COUNTS for member in tried)
    single = metrics["single"]
    sentence = f"Of {len(tried)} members that were trained, {counts} {'counts' if counts == 1 else 'count'} 1% or more"
    if left_out := [member["name"] for member in metrics["members"] if member["loss"] is None]:
        named = ", ".join(left_out[:_NAMED]) + (f" and {len(left_out) - _NAMED} more" if left_out[_NAMED:] else "")
        sentence += f"; there was no time for {named}"
    gain, chance = metrics["skill"].get(single), metrics["p_value"].get(single)
    if gain is None:
        return f"{sentence}."
    if abs(gain) < _SEEN:
        return f"{sentence}. On the test span its {metrics['skill_of']} is that of {printable(single, 24)} alone."
    measure = f"{abs(gain):.1%} {'lower' if gain >= 0 else 'higher'}"
    tested = "too few windows to test" if chance is None else f"p = {chance:.2g}"
    sure = chance is not None and chance < SIGNIFICANT
    return (
        f"{sentence}. On the test span its {metrics['skill_of']} is {measure} than that of {printable(single, 24)} "
        f"alone ({tested}){'' if sure else ', which may be chance'}."
    )


def _share(weight: float) -> str:
    return "< 1%" if 0 < weight < _COUNTS else f"{weight:.0%}"


def _settings(member: MemberConfig) -> str:
    changed = member.settings | ({} if member.epochs is None else {"epochs": member.epochs})
    return (
        ", ".join(f"{name} {_value(value)}" for name, value in changed.items() if not _is_implied(name, member)) or "–"
    )


def _is_implied(name: str, member: MemberConfig) -> bool:
    """Whether a setting says nothing of a member without layers."""
    return name in ("segment", "decode") and not member.settings.get("units", True)


def _value(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return "none" if not value else ",".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
