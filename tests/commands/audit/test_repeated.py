"""Stretches that stand on both sides of a split are found, as long as they are; what repeats by itself is not."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.commands.audit.repeated import _longest, doubts_about_repeats
from forecast.data.clock import Clock
from forecast.data.panel import Panel

SPLIT = 400


def doubts_of(y: np.ndarray) -> list[str]:
    times = np.datetime64("2020-01-01", "us") + np.arange(len(y)) * np.timedelta64(1, "D")
    panel = Panel(y[:, None], times, ("y",), Clock("D"))
    return [doubt.sentence for doubt in doubts_about_repeats(panel, 1, times[[SPLIT]])]


def drawn(decimals: int = 6) -> np.ndarray:
    return np.round(np.random.default_rng(0).normal(size=500), decimals)


@pytest.mark.parametrize(("decimals", "length"), [(6, 8), (2, 20), (0, 40)])
def test_a_stretch_that_stands_twice_is_named(decimals: int, length: int) -> None:
    y = drawn(decimals)
    y[450 : 450 + length] = y[100 : 100 + length]
    y[[449, 450 + length]] = 77
    (sentence,) = doubts_of(y)
    where = "from 2020-04-10 on, before the test span, and from 2021-03-26 on, within it"
    assert sentence == f"the target 'y' has the same {length} rows {where}: are they there twice?"


@pytest.mark.parametrize(
    "y",
    [
        drawn(),
        drawn(0),
        np.tile(np.arange(24.0), 21)[:500],
        np.where(drawn() > 2, drawn(), 0.0),
        np.full(500, 3.0),
        np.full(500, np.nan),
    ],
)
def test_what_repeats_by_itself_is_none(y: np.ndarray) -> None:
    assert doubts_of(y) == []


def test_the_longest_run_is_that_of_a_search_through_all_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(25):
        n = int(rng.integers(4, 50))
        codes, after = rng.integers(0, 3, n), np.arange(n) >= rng.integers(1, n)
        parts, before = after.astype(np.int64), ~after
        for other in (after, before):
            pairs = [(i, j) for i in np.flatnonzero(before) for j in np.flatnonzero(other) if i != j]
            best = max((_same(codes, parts, i, j) for i, j in pairs), default=0)
            length, (first, again) = _longest(codes, parts, before, other)
            assert length == best
            assert not length or (first != again and _same(codes, parts, first, again) == length)


def _same(codes: np.ndarray, parts: np.ndarray, i: int, j: int) -> int:
    length = 0
    while (
        max(i, j) + length < len(codes)
        and codes[i + length] == codes[j + length]
        and parts[i + length] == parts[i]
        and parts[j + length] == parts[j]
    ):
        length += 1
    return length
