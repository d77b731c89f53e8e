"""A model beside its references: what is perfect, what is undefined, and what agrees."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.data.panel import Floats
from forecast.evaluation.comparison import Losses, SumsByOrigin, compare
from forecast.evaluation.significance import diebold_mariano

H = 3


def losses(seed: int, n: int = 60, scale: float = 1.0) -> Losses:
    by_step = scale * np.random.default_rng(seed).random((n, H))
    return Losses(by_step.mean(axis=1), by_step)


def constant(value: float, n: int = 60) -> Losses:
    return Losses(np.full(n, value), np.full((n, H), value))


def test_figures_agree_with_the_losses() -> None:
    model, other = losses(1), losses(2, scale=2.0)
    reasons: dict[str, str] = {}
    found = compare(model, {"rnn": other}, H, 1, reasons)
    assert not reasons
    assert found["skill"]["rnn"] == pytest.approx(1 - model.by_origin.mean() / other.by_origin.mean())
    assert found["skill_by_step"]["rnn"] == pytest.approx(1 - model.by_step.mean(axis=0) / other.by_step.mean(axis=0))
    low, high = found["skill_interval"]["rnn"]
    assert 0 < low < found["skill"]["rnn"] < high < 1
    assert found["p_value"]["rnn"] < 0.05
    assert 0 < found["detectable"]["rnn"] < found["skill"]["rnn"]


def test_a_perfect_reference_leaves_no_skill() -> None:
    reasons: dict[str, str] = {}
    found = compare(losses(1), {"seasonal-naive": constant(0.0), "rnn": losses(2)}, H, 1, reasons)
    for figure in ("skill", "skill_interval", "p_value", "detectable"):
        assert found[figure]["seasonal-naive"] is None
        assert reasons[f"{figure}.seasonal-naive"] == "seasonal-naive makes no error here"
        assert found[figure]["rnn"] is not None
    assert found["skill_by_step"]["seasonal-naive"] == found["p_by_step"]["seasonal-naive"] == [None] * H


def test_small_values_are_no_rounding() -> None:
    found = compare(losses(1, scale=1e-9), {"rnn": losses(2, scale=2e-9)}, H, 1, {})
    assert found["skill"]["rnn"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("n", "undefined"),
    [(7, {"p_value", "skill_interval", "detectable"}), (9, {"skill_interval", "detectable"}), (60, set[str]())],
)
def test_what_too_few_origins_do_not_tell_is_none_with_a_reason(n: int, undefined: set[str]) -> None:
    reasons: dict[str, str] = {}
    found = compare(losses(3, n), {"rnn": losses(4, n)}, 9 if n == 9 else H, 1, reasons)
    assert {
        figure for figure in ("p_value", "skill_interval", "detectable") if found[figure]["rnn"] is None
    } == undefined
    assert reasons.keys() == {f"{figure}.rnn" for figure in undefined}


def sums_by_origin(values: Floats) -> Floats:
    """The sums of five windows' losses at two origins, added in two parts."""
    summed, origins = SumsByOrigin(2, values.shape[1]), np.array([0, 1, 0, 1, 0])
    summed.add(values[:2], origins[:2])
    summed.add(values[2:], origins[2:])
    return summed.sums()


def test_losses_of_one_origin_are_one_loss() -> None:
    values: Floats = np.array([[1.0], [2.0], [3.0], [10.0], [20.0]])
    # Three series at the first origin, two at the second: sums over the mean number of 2.5.
    assert sums_by_origin(values).tolist() == [[24 / 2.5], [12 / 2.5]]


def test_what_was_not_observed_is_no_loss() -> None:
    values: Floats = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [10.0, 4.0], [20.0, np.nan]])
    sums = sums_by_origin(values)
    assert sums[:, 0].tolist() == [21 / 2.5, 12 / 2.5]
    assert np.isnan(sums[0, 1])
    assert sums[1, 1] == 4 / 2.5


def test_a_step_is_compared_at_the_origins_at_which_it_was_observed() -> None:
    model, other = losses(1), losses(2, scale=2.0)
    gone = np.random.default_rng(0).random((60, H)) < 0.4
    gone[5:, 2] = True  # of the last step too few are left to test
    holed = [Losses(each.by_origin, np.where(gone, np.nan, each.by_step)) for each in (model, other)]
    found = compare(holed[0], {"rnn": holed[1]}, H, 1, {})
    for step in range(H):
        seen = ~gone[:, step]
        gain = 1 - model.by_step[seen, step].mean() / other.by_step[seen, step].mean()
        assert found["skill_by_step"]["rnn"][step] == pytest.approx(gain)
    alone = [
        diebold_mariano(model.by_step[seen, step], other.by_step[seen, step], step + 1)
        for step, seen in enumerate(~gone.T[:2])
    ]
    # Of the two tested steps the smaller p-value is doubled (Benjamini & Hochberg 1995), at most to the larger.
    corrected = [max(alone)] * 2 if 2 * min(alone) > max(alone) else [p if p == max(alone) else 2 * p for p in alone]
    assert found["p_by_step"]["rnn"] == [*map(pytest.approx, corrected), None]
