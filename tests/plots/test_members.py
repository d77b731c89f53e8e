"""The table of members: what was tried, by what it differs, what it got and what it counts."""

from __future__ import annotations

from typing import Any

from forecast.config import MemberConfig
from forecast.plots.members import ensemble_in_words, member_table

PORTFOLIO = (
    MemberConfig(name="lstm", weights=(0.25,)),
    MemberConfig(name="linear", settings={"units": (), "segment": 1, "linear": True}, weights=(0.5, 1.0)),
    MemberConfig(name="gru", settings={"cell": "gru"}, epochs=9, stopped_after=7, weights=(0.25, 0.004)),
    MemberConfig(name="wide", settings={"units": (128,)}, left_out=True, weights=(0.0,)),
)
METRICS: dict[str, Any] = {
    "members": [
        {"name": "lstm", "loss": 0.4, "weight": 0.25},
        {"name": "linear", "loss": 0.2, "weight": 0.625},
        {"name": "gru", "loss": 0.5, "weight": 0.125},
        {"name": "wide", "loss": None, "weight": 0.0},
    ],
    "single": "lstm",
    "skill": {"lstm": 0.043},
    "p_value": {"lstm": 0.02},
    "skill_of": "MAE",
}
TIMES = [{"epochs": 30, "seconds": 12.0}, {"epochs": 0, "seconds": 0.1}, {"epochs": 7, "seconds": 3.25}, {}]


def test_a_row_for_each_member_that_was_trained() -> None:
    rows = [[cell.text for cell in row] for row in member_table(METRICS, PORTFOLIO, TIMES).rows]
    assert rows == [
        ["LSTM", "–", "1.000", "25%", "25%", "25%", "30", "12.0"],
        ["linear", "units none, linear yes", "0.500", "62%", "50%", "100%", "0", "0.1"],
        ["GRU", "cell gru, epochs 9", "1.250", "12%", "25%", "< 1%", "7, time over", "3.2"],
    ]


def test_losses_of_a_constant_series_have_no_ratio() -> None:
    losses = [member | {"loss": loss} for member, loss in zip(METRICS["members"], [0.0, 0.0, 0.2, None], strict=True)]
    rows = member_table(METRICS | {"members": losses}, PORTFOLIO, TIMES).rows
    assert [row[2].text for row in rows] == ["–", "–", "–"]


def test_a_run_that_was_opened_has_the_same_table() -> None:
    opened = [MemberConfig.model_validate_json(member.model_dump_json()) for member in PORTFOLIO]
    assert member_table(METRICS, opened, TIMES) == member_table(METRICS, PORTFOLIO, TIMES)


def test_what_the_ensemble_is_worth_is_said_with_its_significance() -> None:
    assert ensemble_in_words(METRICS) == (
        "Of 3 members that were trained, 3 count 1% or more; there was no time for wide. On the test span its MAE is "
        "4.3% lower than that of lstm alone (p = 0.02)."
    )
    unsure = METRICS | {"p_value": {"lstm": 0.4}}
    assert ensemble_in_words(unsure).endswith("that of lstm alone (p = 0.4), which may be chance.")
    same = METRICS | {"skill": {"lstm": -0.0004}}
    assert ensemble_in_words(same).endswith("On the test span its MAE is that of lstm alone.")
    few = METRICS | {"p_value": {"lstm": None}}
    assert ensemble_in_words(few).endswith("(too few windows to test), which may be chance.")
