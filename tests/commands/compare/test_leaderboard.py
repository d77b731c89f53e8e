"""The leaderboard: means and spreads over seeds, the best_network by validation, and the sentence."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from forecast.commands.compare.leaderboard import (
    best_network,
    classical_verdict,
    in_order,
    leaderboard_line,
    to_frame,
    verdict,
    with_spread,
)


def seed(validation: float, mae: float, gain: float, p: float | None = 0.001) -> dict[str, Any]:
    return {
        "validation": validation, "mae": mae, "rmse": 2 * mae, "mase": None, "parameters": 10, "seconds": 1.0,
        "skill": {"persistence": gain}, "p_value": {"persistence": p},
    }  # fmt: skip


def naive(validation: float, mae: float) -> dict[str, Any]:
    return leaderboard_line("naive", [{"validation": validation, "mae": mae, "rmse": 2 * mae, "mase": None}])


@pytest.fixture
def lines() -> dict[str, dict[str, Any]]:
    """The LSTM is better on the validation span, the GRU on the test span."""
    return {
        "persistence": naive(3.0, 3.0),
        "gru": leaderboard_line("network", [seed(2.0, 0.9, 0.7), seed(2.2, 1.1, 0.6)]),
        "lstm": leaderboard_line("network", [seed(1.0, 1.4, 0.5), seed(1.1, 1.6, 0.5, p=0.3)]),
    }


def test_a_line_holds_means_and_standard_deviations(lines: dict[str, dict[str, Any]]) -> None:
    gru = lines["gru"]
    assert (gru["mae"], gru["validation"]) == (pytest.approx(1.0), pytest.approx(2.1))
    assert gru["mae_spread"] == statistics.stdev([0.9, 1.1])
    assert gru["skill"]["persistence"] == pytest.approx(0.65)
    assert gru["mase"] is gru["mase_spread"] is None
    assert lines["persistence"]["mae_spread"] is None


def test_the_validation_error_chooses_and_not_the_test_error(lines: dict[str, dict[str, Any]]) -> None:
    assert best_network(lines) == "lstm"
    assert list(in_order(lines)) == ["lstm", "gru", "persistence"]
    assert verdict(lines, "MAE", "°C", 1234) == (
        "lstm is chosen: it has the lowest validation MAE. On 1,234 test windows its MAE is 1.5 ± 0.14 °C over "
        "seeds: 50.0% lower than persistence's (± 0.0% over seeds, significant with 1 of 2 seeds)."
    )


def test_the_spread_of_the_skill_over_the_seeds_is_said() -> None:
    lines = {"lstm": leaderboard_line("network", [seed(1.0, 1.4, gain) for gain in (0.1, 0.2)])}
    lines["persistence"] = naive(2.0, 3.0)
    assert "15.0% lower than persistence's (± 7.1% over seeds, significant with 2 of 2 seeds)" in verdict(
        lines, "MAE", "", 99
    )


def test_a_naive_forecast_that_is_better_on_validation_is_named(lines: dict[str, dict[str, Any]]) -> None:
    said = verdict(lines | {"drift": naive(0.5, 9.0)}, "MAE", "", 10)
    assert said.startswith("No network has a lower validation MAE than drift; the best of them is lstm.")


def test_one_seed_has_no_spread_and_its_significance_is_plain() -> None:
    lines = {"lstm": leaderboard_line("network", [seed(1.0, 1.25, -0.25)]), "persistence": naive(2.0, 1.0)}
    said = verdict(lines, "MAE", "", 10)
    assert said.endswith("its MAE is 1.25: 25.0% higher than persistence's (significant).")
    lines["lstm"] = leaderboard_line("network", [seed(1.0, 1.25, -0.25, p=None)])
    assert verdict(lines, "MAE", "", 10).endswith("(not tested: 10 windows are too few).")


def test_what_is_not_defined_is_left_out(lines: dict[str, dict[str, Any]]) -> None:
    alone = seed(1.0, 0.0, 0.0) | {"skill": {"persistence": None}, "p_value": {"persistence": None}}
    said = verdict({"lstm": leaderboard_line("network", [alone]), "persistence": naive(2.0, 0.0)}, "MAE", "", 10)
    assert said.endswith("On 10 test windows its MAE is 0.")


def test_classical_forecasts_are_compared_on_their_own_windows(lines: dict[str, dict[str, Any]]) -> None:
    beside = seed(1.0, 1.4, 0.5) | {"skill": {"ets": -0.1}, "p_value": {"ets": 0.5}}
    some = {"lstm": leaderboard_line("network", [beside]), "ets": leaderboard_line("classical", [seed(1.0, 1.2, 0.6)])}
    assert classical_verdict(some, "lstm", "MAE", 30, 4) == (
        "On the 30 windows of the classical references its MAE is 10.0% higher than ets's (not significant)."
    )
    some["lstm"]["by_seed"][0]["detectable"] = {"ets": 0.996}
    assert classical_verdict(some, "lstm", "MAE", 30, 4) == (
        "On the 30 windows of the classical references its MAE is 10.0% higher than ets's (not significant: "
        "30 windows, 4 of them without overlap, show only leads of about 100% or more)."
    )
    frame = to_frame([(1234, in_order(lines)), (30, in_order(some))], "lstm")
    assert frame["windows"].tolist() == [1234] * 3 + [30] * 2
    assert frame.loc[frame["chosen"], "model"].tolist() == ["lstm", "lstm"]
    assert str(frame["parameters"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [(None, None, "–"), (0.62904, 0.0041, "0.629 ± 0.0041"), (2.5, None, "2.5"), (123456.7, 10, "123,457 ± 10")],
)
def test_numbers_are_short(mean: float | None, spread: float | None, text: str) -> None:
    assert with_spread(mean, spread) == text
