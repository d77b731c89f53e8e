"""Bars that forecasts must clear, for use in a pipeline."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forecast.errors import ConfigError, SkillError
from forecast.evaluation.verdict import rounded_share, significant_sign


@dataclass(frozen=True)
class Requirement:
    """The least skill against one reference.

    Args:
        reference: Its column, such as ``persistence``, ``seasonal-naive`` or ``rnn``.
        skill: 1 - error / error of the reference, at least.
        significant: Whether there must be evidence of a lead, too: a p-value below 0.05.
    """

    reference: str
    skill: float
    significant: bool = False


def parse_requirement(text: str) -> Requirement:
    """The requirement that ``persistence:0.05:significant`` stands for.

    Without a number, any skill above none will do; without the last word, it may be by chance.

    Raises:
        ConfigError: If it is not of this form.
    """
    found = re.fullmatch(r"([\w-]+)(?::([-+0-9.eE]+))?(:significant)?", text.strip())
    try:
        skill = float(found[2] or 0) if found else math.nan
    except ValueError:
        skill = math.nan
    if found is None or not skill < 1:
        raise ConfigError(
            f"--require-skill takes a reference and a share below 1. Received: {text!r}.",
            "For example: --require-skill persistence:0.05 --require-skill rnn --require-skill drift:0.1:significant",
        )
    return Requirement(found[1], skill, found[3] is not None)


def check_references(requirements: Sequence[Requirement], known: Sequence[str]) -> None:
    """Refuse a reference that will not be there, before any work is done.

    Raises:
        ConfigError: If one is not among those that are known.
    """
    for requirement in requirements:
        if requirement.reference not in known:
            raise ConfigError(
                f"--require-skill: there is no reference {requirement.reference!r}.",
                f"References: {', '.join(known)}.",
            )


def demand_skill(
    requirements: Sequence[Requirement], metrics: Mapping[str, Any], otherwise: str = "The run is kept."
) -> None:
    """Fail unless every bar is cleared.

    Args:
        requirements: The bars.
        metrics: The content of metrics.json.
        otherwise: What there is all the same, for the message.

    Raises:
        SkillError: If the skill against a reference is lower than demanded, not significant where it must be, or cannot
            be measured.
    """
    missed = []
    for requirement in requirements:
        skill = metrics["skill"].get(requirement.reference)
        least = f"at least {requirement.skill:.1%}" if requirement.skill else "more than none"
        if skill is None:
            missed.append(f"against {requirement.reference} none can be measured, {least} is required")
        elif skill < requirement.skill or (requirement.skill == 0 and skill <= 0):
            missed.append(f"against {requirement.reference} it is {skill:.1%}, {least} is required")
        elif requirement.significant:
            missed += _no_evidence(requirement.reference, metrics)
    if missed:
        raise SkillError(f"{metrics['model']} has too little skill: {'; '.join(missed)}.", otherwise)


def parse_coverage(text: str) -> tuple[str, float]:
    """The level of an interval in % and the least share of observations that it must hold, of ``80:0.75``.

    Without a share it is the level itself.

    Raises:
        ConfigError: If it is not of this form.
    """
    found = re.fullmatch(r"(\d\d?)(?::(0?\.\d+))?", text.strip())
    if found is None:
        raise ConfigError(
            f"--require-coverage takes a level in % and a share below 1. Received: {text!r}.",
            "For example: --require-coverage 80:0.75",
        )
    return found[1], float(found[2] or int(found[1]) / 100)


def check_levels(required: Sequence[tuple[str, float]], known: Sequence[int]) -> None:
    """Refuse an interval that will not be there, before any work is done.

    Raises:
        ConfigError: If there is no interval of a level.
    """
    for level, _ in required:
        if int(level) not in known:
            levels = ", ".join(map(str, known)) or "none"
            raise ConfigError(f"--require-coverage: there is no interval of {level}%.", f"Levels: {levels}.")


def demand_coverage(required: Sequence[tuple[str, float]], metrics: Mapping[str, Any], otherwise: str) -> None:
    """Fail unless each interval holds at least this share of the observations.

    Raises:
        SkillError: If one holds less, or there were too few errors for it.
    """
    for level, least in required:
        share = metrics["coverage"].get(level, {}).get("share")
        if share is None or share < least:
            held = "no observation" if share is None else f"{share:.1%} of the observations"
            what = f"The {level}% intervals of {metrics['model']} hold {held}, at least {least:.1%} is required."
            raise SkillError(what, otherwise)


def _no_evidence(reference: str, metrics: Mapping[str, Any]) -> list[str]:
    """What is missing from the evidence of a lead, at most one entry."""
    if significant_sign(reference, metrics["skill"], metrics["p_value"]) > 0:
        return []
    p, least = metrics["p_value"].get(reference), metrics.get("detectable", {}).get(reference)
    if p is None:
        return [f"against {reference} there are too few windows for evidence"]
    found = (
        ""
        if least is None or least >= 1
        else f"; these windows show only leads of about {rounded_share(least)} or more"
    )
    return [f"against {reference} there is no evidence of a lead (p = {p:.2g}{found})"]
