"""Weights of members: known best mixtures are found, step by step where steps differ, and holes count for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.choices.selection import Judgement, weigh_members, weighted_mean

N, H = 200, 8


def judged(observed: np.ndarray) -> Judgement:
    return Judgement(observed.astype(np.float32), np.ones((len(observed), observed.shape[2])))


@pytest.fixture
def observed() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, H, 1))


def test_errors_that_cancel_are_halved(observed: np.ndarray) -> None:
    away = np.random.default_rng(1).normal(size=observed.shape)
    members = np.stack([observed + away, observed - away, observed + 5]).astype(np.float32)
    weights = weigh_members(members, judged(observed), np.arange(N))
    np.testing.assert_allclose(np.broadcast_to(weights, (3, H)), [[0.5] * H, [0.5] * H, [0.0] * H], atol=1e-6)


def test_the_best_mixture_of_two_is_found(observed: np.ndarray) -> None:
    # Of independent errors with spreads 1 and 2, the mean with the least spread counts them 4 to 1.
    rng = np.random.default_rng(2)
    members = np.stack([observed + rng.normal(0, spread, observed.shape) for spread in (1.0, 2.0)]).astype(np.float32)
    weights = weigh_members(members, judged(observed), np.arange(N))
    assert weights.mean(axis=1) == pytest.approx([0.8, 0.2], abs=0.06)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-6)


def test_steps_may_have_weights_of_their_own(observed: np.ndarray) -> None:
    early = observed + np.where(np.arange(H) < H // 2, 0, 3)[:, None]
    late = observed + np.where(np.arange(H) < H // 2, 3, 0)[:, None]
    members = np.stack([early, late]).astype(np.float32)
    weights = weigh_members(members, judged(observed), np.arange(N))
    assert weights.shape == (2, H)
    assert (weights[0, : H // 2] > 0.6).all()
    assert (weights[1, H // 2 :] > 0.6).all()


def test_what_was_not_observed_counts_for_nothing(observed: np.ndarray) -> None:
    members = np.stack([observed + 1, observed]).astype(np.float32)
    members[1, :50] = 1000
    holes = observed.copy()
    holes[:50] = np.nan
    assert judged(holes).loss_of(members[0]) == pytest.approx(1, abs=1e-6)
    weights = weigh_members(members, judged(holes), np.arange(N))
    np.testing.assert_allclose(np.broadcast_to(weights, (2, H)), [[0.0] * H, [1.0] * H])


def test_quantiles_are_judged_by_their_loss_and_averaged_level_by_level() -> None:
    observed = np.zeros((1, 1, 1), np.float32)
    judgement = Judgement(observed, np.ones((1, 1)), "mae", (0.1, 0.5, 0.9))
    forecast = np.array([-1.0, 2.0, 3.0], np.float32).reshape(1, 1, 1, 3)
    # 2 (0.1 · 1), 2 (0.5 · 2) and 2 (0.1 · 3), of which the mean is taken.
    assert judgement.loss_of(forecast) == pytest.approx((0.2 + 2.0 + 0.6) / 3)
    mean = weighted_mean(np.stack([forecast, -forecast]), np.array([[0.75], [0.25]]))
    np.testing.assert_allclose(mean, forecast / 2)


def test_a_single_origin_is_enough() -> None:
    observed = np.zeros((1, 2, 1), np.float32)
    members = np.array([[[[3.0], [3.0]]], [[[1.0], [1.0]]]], np.float32)
    np.testing.assert_allclose(weigh_members(members, judged(observed), np.zeros(1, int)), [[0], [1]])


def test_qlike_is_of_logarithms() -> None:
    logs, scale = np.array([[[0.4], [-0.2]]]), 0.5
    judgement = Judgement(logs / scale, np.ones((1, 1)), "qlike", scale=np.full((1, 1), scale))
    error = logs - 0.1
    assert judgement.loss_of(np.full((1, 2, 1), 0.1 / scale)) == pytest.approx(np.mean(np.exp(error) - error - 1))
    assert judgement.of(np.array([0]), slice(1)).scale is not None
