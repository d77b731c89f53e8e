"""The recent size of errors: when it learns of an outcome, and how fast it forgets."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.intervals.sizes import averaged_sizes, delays_of, known_sizes


def test_a_size_knows_an_outcome_when_it_is_known() -> None:
    absolute = np.ones((8, 3, 1))
    absolute[2] = 50
    usual = np.ones((3, 1))
    for spacing, expected in ((1, [3, 4, 5]), (2, [3, 3, 4]), (3, [3, 3, 3])):
        before = np.broadcast_to(usual, (delays_of(3, spacing)[-1], 3, 1))
        known = known_sizes(averaged_sizes(absolute, before, spacing), 8, usual, spacing)
        assert np.argmax(known[:, :, 0] > 1, axis=0).tolist() == expected
        share = 1 - 0.5 ** (spacing / 50)
        assert known[3, 0, 0] == pytest.approx(1 + share * 49)


def test_a_size_halves_in_fifty_rows_and_goes_no_lower_than_a_fifth() -> None:
    usual, calm = np.full((1, 1), 4.0), np.zeros((400, 1, 1))
    known = known_sizes(averaged_sizes(calm, usual[None], 1), 400, usual, 1)
    assert known[50, 0, 0] == pytest.approx(2.0)
    assert known[399, 0, 0] == pytest.approx(0.8)


def test_what_was_not_observed_leaves_the_average_as_it_was() -> None:
    rng = np.random.default_rng(0)
    absolute, before = rng.random((2, 30, 3, 2)), rng.random((2, 4, 3, 2))
    absolute[:, rng.random((30, 3, 2)) < 0.4] = np.nan  # at the same points of both forecasters
    absolute[:, :, 1, 1] = np.nan
    share, average, expected = 1 - 0.5 ** (2 / 50), before[:, -1], [*np.moveaxis(before, 1, 0)]
    for window in range(30):
        average = np.where(np.isnan(absolute[:, window]), average, average + share * (absolute[:, window] - average))
        expected.append(average)
    assert averaged_sizes(absolute, before, 2) == pytest.approx(np.stack(expected, axis=1))


def test_few_windows_get_the_bits_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    absolute, before = np.random.default_rng(3).exponential(size=(2, 50, 4, 1)), np.ones((2, 3, 4, 1))
    few = averaged_sizes(absolute, before, 2)
    monkeypatch.setattr("forecast.intervals.sizes._MOST_IN_A_LOOP", 0)
    assert (averaged_sizes(absolute, before, 2) == few).all()
