"""Which p-values are discoveries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from forecast.outliers.discoveries import StreamOfDiscoveries, benjamini_hochberg


def test_it_is_the_procedure_of_benjamini_and_hochberg() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.uniform(size=300), rng.uniform(size=30) / 1000])
    found, limit = benjamini_hochberg(np.append(p, np.nan), 0.1)
    assert found[:-1].tolist() == (stats.false_discovery_control(p) <= 0.1).tolist()
    assert not found[-1]
    assert limit == p[found[:-1]].max()
    assert benjamini_hochberg(np.array([0.5, 0.9]), 0.1)[1] == 0


def test_over_many_spans_the_rate_is_held_although_p_values_share_their_calibration() -> None:
    rng, false = np.random.default_rng(1), []
    for _ in range(300):
        seen = np.sort(rng.normal(size=500))
        rows = np.concatenate([rng.normal(size=190), rng.normal(4, 1, size=10)])
        p = (len(seen) - np.searchsorted(seen, rows) + 1) / (len(seen) + 1)
        found, _ = benjamini_hochberg(p, 0.1)
        false.append(found[:190].sum() / max(1, found.sum()))
    assert np.mean(false) < 0.11


def test_a_stream_spends_no_more_than_its_discoveries_allow() -> None:
    state, rng = StreamOfDiscoveries(), np.random.default_rng(2)
    spent = earned = 0.0
    for row in range(3000):
        level = state.level(0.1)
        spent, earned = 0.999 * spent + level, 0.999 * earned
        is_found = bool(rng.random() < (0.3 if 500 <= row < 540 else 0.0002))
        earned += is_found
        state = state.after(is_found)
        assert spent <= 0.1 * (1 + earned) + 1e-9
    assert StreamOfDiscoveries().level(0.1) == pytest.approx(1e-4)


def test_right_after_a_discovery_a_stream_finds_more() -> None:
    quiet = StreamOfDiscoveries()
    levels = [quiet.after(True).level(0.1), quiet.after(True).after(False).level(0.1), quiet.level(0.1)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 100 * levels[-1]
