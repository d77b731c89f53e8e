"""Spikes: against a plain loop over the rows, alone by what stands before, and seldom where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.sources.spikes import FAR, REACH, find_spikes

FIRST = np.zeros(1, np.int64)


def spikes_by_hand(values: np.ndarray) -> np.ndarray:
    """The rule as the module's page states it, row by row."""
    found = np.zeros(len(values), bool)

    def quantile(of: np.ndarray, share: float) -> float:
        of = np.sort(of[~np.isnan(of)])
        return of[int(np.ceil(share * len(of))) - 1] if len(of) else np.nan

    for row in range(1, len(values)):
        window, with_one_more = values[max(0, row - REACH) : row], values[max(0, row - REACH - 1) : row]
        usual = quantile(np.abs(window), 0.5)
        scales = [lambda x: x]
        if not (window < 0).any():
            scales.append(lambda x, usual=usual: np.sign(x) * np.log1p(np.abs(x) / usual))
        level = quantile(values[max(0, row - 7) : row], 0.5)
        judged = []
        for scale in scales:
            steps = np.abs(np.diff(scale(with_one_more)))
            if np.isnan(values[row - 1]) or (~np.isnan(steps)).sum() < 20:
                judged.append(False)
                continue
            step = min(abs(scale(values[row]) - scale(values[row - 1])), abs(scale(values[row]) - scale(level)))
            judged.append(bool(step > FAR * quantile(steps, 0.98) > 0))
        found[row] = all(judged)
    return found


def process(kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
    """Series without spikes: each kind that is often taken for having them."""
    step = np.arange(n)
    ar = np.zeros(n)
    noise = rng.normal(0, 1, n)
    for i in range(1, n):
        ar[i] = 0.9 * ar[i - 1] + noise[i]
    return {
        "AR(1)": ar,
        "season": 10 + 8 * np.sin(2 * np.pi * step / 24) + ar,
        "random walk": np.cumsum(noise),
        "prices": 100 * np.exp(np.cumsum(rng.standard_t(4, n)) * 0.01),
        "volumes": np.exp(rng.normal(0, 1.5, n)) * 1000,
        "rain": np.where(rng.random(n) < 0.1, rng.exponential(2, n) ** 2, 0),
        "sun": np.maximum(0, np.sin(2 * np.pi * step / 24)) * rng.uniform(0.2, 1, n) * 900,
        "counts": rng.poisson(3, n).astype(float),
        "t, 3 degrees of freedom": rng.standard_t(3, n),
    }[kind]


KINDS = ["AR(1)", "season", "random walk", "prices", "volumes", "rain", "sun", "counts", "t, 3 degrees of freedom"]


@pytest.mark.parametrize("seed", range(6))
def test_the_rule_is_that_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for kind in ("random walk", "volumes", "counts"):
        values = process(kind, rng, int(rng.integers(2, 700)))
        values[rng.random(len(values)) < 0.05] = np.nan
        values[rng.integers(0, len(values), 5)] = rng.choice([1e3, -500, 0, 1e300], 5)
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(find_spikes(values, FIRST), spikes_by_hand(values))


def test_a_value_is_judged_by_the_rows_before_it_alone() -> None:
    rng = np.random.default_rng(0)
    values = process("season", rng, 900)
    values[[300, 301, 555]] += 80
    spikes = find_spikes(values, FIRST)
    assert spikes[[300, 555]].all()
    assert not spikes[301]
    for cut in (301, 302, 556, 800):
        later = values.copy()
        later[cut:] = rng.normal(0, 1e6, 900 - cut)
        np.testing.assert_array_equal(find_spikes(later, FIRST)[:cut], spikes[:cut])
        # No row before the last ones counts, so a stream that keeps these says the same.
        kept = values[max(0, cut - REACH - 2) : cut]
        assert find_spikes(kept, FIRST)[-1] == spikes[cut - 1]


def test_a_lasting_change_costs_one_value_however_often_it_is_read() -> None:
    values = np.random.default_rng(1).normal(0, 1, 400)
    values[200:] += 100
    spikes = find_spikes(values, FIRST)
    assert np.flatnonzero(spikes).tolist() == [200]
    values[spikes] = np.nan
    assert not find_spikes(values, FIRST).any()


def test_series_are_judged_by_their_own_rows() -> None:
    values = np.concatenate([np.random.default_rng(2).normal(0, 1, 300), np.random.default_rng(3).normal(1e4, 1, 300)])
    assert not find_spikes(values, np.array([0, 300])).any()
    values[450] = 0
    assert np.flatnonzero(find_spikes(values, np.array([0, 300]))).tolist() == [450]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_series_has_next_to_none(kind: str) -> None:
    flagged = sum(int(find_spikes(process(kind, np.random.default_rng(seed), 1000), FIRST).sum()) for seed in range(50))
    assert flagged <= 15, f"{flagged} of 50,000 values"


@pytest.mark.parametrize("kind", ["AR(1)", "season", "random walk", "prices"])
@pytest.mark.parametrize("size", [15.0, 1e300])
def test_gross_errors_are_found(kind: str, size: float) -> None:
    found = 0
    for seed in range(20):
        values = process(kind, np.random.default_rng(seed), 600)
        usual = np.quantile(np.abs(np.diff(values)), 0.9)
        values[400] += size * usual
        found += bool(find_spikes(values, FIRST)[400])
    assert found >= 18
