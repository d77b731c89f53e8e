"""Bars that forecasts must clear, for use in a pipeline."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forecast.errors import ConfigError, SkillError


@dataclass(frozen=True)
class Requirement:
    """The least skill against one reference.

    Args:
        reference: Its column, such as ``persistence``, ``seasonal-naive`` or ``rnn``.
        skill: 1 - error / error of the reference, at least.
    """

    reference: str
    skill: float


def parse_requirement(text: str) -> Requirement:
    """The requirement that ``persistence:0.05`` stands for; without a number, any skill above none will do.

    Raises:
        ConfigError: If it is not of this form.
    """
    found = re.fullmatch(r"([\w-]+)(?::([-+0-9.eE]+))?", text.strip())
    try:
        skill = float(found[2] or 0) if found else math.nan
    except ValueError:
        skill = math.nan
    if found is None or not skill < 1:
        raise ConfigError(
            f"--require-skill takes a reference and a share below 1. Received: {text!r}.",
            "For example: --require-skill persistence:0.05 --require-skill rnn",
        )
    return Requirement(found[1], skill)


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
        SkillError: If the skill against a reference is lower than demanded, or cannot be measured.
    """
    missed = []
    for requirement in requirements:
        skill = metrics["skill"].get(requirement.reference)
        least = f"{requirement.skill:.1%}" if requirement.skill else "more than none"
        if skill is None:
            missed.append(f"against {requirement.reference} none can be measured, {least} is required")
        elif skill < requirement.skill or (requirement.skill == 0 and skill <= 0):
            missed.append(f"against {requirement.reference} it is {skill:.1%}, {least} is required")
    if missed:
        raise SkillError(f"{metrics['model']} has too little skill: {'; '.join(missed)}.", otherwise)
