"""Bars for a pipeline: what they are written like, when they are missed, and what is no bar."""

from __future__ import annotations

from typing import Any

import pytest

from forecast.commands.requirements import Requirement, check_references, demand_skill, parse_requirement
from forecast.errors import ConfigError, SkillError


def metrics_of(**skill: float | None) -> dict[str, Any]:
    return {"model": "lstm", "skill": {name.replace("_", "-"): gain for name, gain in skill.items()}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("persistence:0.05", Requirement("persistence", 0.05)),
        ("seasonal-naive", Requirement("seasonal-naive", 0.0)),
        ("rnn:-0.1", Requirement("rnn", -0.1)),
        (" rnn:1e-2 ", Requirement("rnn", 0.01)),
        ("persistence:0.05:significant", Requirement("persistence", 0.05, significant=True)),
        ("rnn:significant", Requirement("rnn", 0.0, significant=True)),
    ],
)
def test_a_requirement_is_a_reference_and_a_share(text: str, expected: Requirement) -> None:
    assert parse_requirement(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":0.5",
        "rnn:",
        "rnn:five",
        "rnn:1",
        "rnn:nan",
        "rnn:1e",
        "a b:0.1",
        "rnn:0.1:2",
        "rnn:0.1:sure",
        "rnn:significant:0.1",
    ],
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--require-skill takes a reference and a share below 1"):
        parse_requirement(text)


def test_an_unknown_reference_is_refused_before_the_work() -> None:
    check_references([Requirement("rnn", 0)], ("persistence", "rnn"))
    with pytest.raises(ConfigError, match="no reference 'naive'") as refused:
        check_references([Requirement("naive", 0)], ("persistence", "rnn"))
    assert refused.value.advice == "References: persistence, rnn."


def test_bars_that_are_cleared_say_nothing() -> None:
    demand_skill([], metrics_of(rnn=-1.0))
    demand_skill([Requirement("rnn", 0.05), Requirement("persistence", -0.1)], metrics_of(rnn=0.05, persistence=-0.1))


@pytest.mark.parametrize(
    ("bar", "gain", "said"),
    [
        (0.05, 0.049, "against rnn it is 4.9%, at least 5.0% is required"),
        (0.0, 0.0, "against rnn it is 0.0%, more than none is required"),
        (0.1, None, "against rnn none can be measured, at least 10.0% is required"),
    ],
)
def test_a_bar_that_is_missed_is_named(bar: float, gain: float | None, said: str) -> None:
    with pytest.raises(SkillError, match="lstm has too little skill") as missed:
        demand_skill([Requirement("rnn", bar), Requirement("persistence", 0.1)], metrics_of(rnn=gain, persistence=0.5))
    assert said in missed.value.message
    assert "persistence" not in missed.value.message
    assert missed.value.exit_code == 4


@pytest.mark.parametrize(
    ("gain", "p", "least", "said"),
    [
        (0.2, 0.04, 0.25, ""),
        (0.2, 0.06, 0.25, "no evidence of a lead (p = 0.06; these windows show only leads of about 25% or more)"),
        (0.2, 0.6, None, "no evidence of a lead (p = 0.6)"),
        (0.2, None, None, "too few windows for evidence"),
        (0.04, 0.001, 0.01, "it is 4.0%, at least 5.0% is required"),
    ],
)
def test_evidence_can_be_asked_for(gain: float, p: float | None, least: float | None, said: str) -> None:
    metrics = metrics_of(rnn=gain) | {"p_value": {"rnn": p}, "detectable": {"rnn": least}}
    if not said:
        demand_skill([Requirement("rnn", 0.05, significant=True)], metrics)
        return
    with pytest.raises(SkillError, match="lstm has too little skill") as missed:
        demand_skill([Requirement("rnn", 0.05, significant=True)], metrics)
    assert said in missed.value.message
