"""Series that are calculated together: none is left out, none is mixed with another."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.intervals import batches as module
from forecast.intervals.batches import batches_of
from forecast.intervals.calibrate import calibrate


def test_each_window_is_in_one_batch_with_those_of_its_series() -> None:
    n_windows = np.array([3, 0, 5, 3, 1])
    series, values = np.repeat(np.arange(5), n_windows), np.arange(12 * 2 * 3).reshape(12, 2, 3)
    numbers = []
    for batch in batches_of(n_windows, 6):
        numbers += batch.numbers.tolist()
        first_windows = batch.apart(batch.take(values)[0])
        for number, first in zip(batch.numbers, first_windows, strict=True):
            assert (first == values[series == number][0]).all()
        assert (batch.together(first_windows) == batch.take(values)[0]).all()
    assert sorted(numbers) == [0, 2, 3, 4]


@pytest.mark.parametrize("points_at_once", [1, 200_000])
def test_each_series_is_calibrated_as_alone(points_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POINTS_AT_ONCE", points_at_once)
    rng, lengths = np.random.default_rng(0), np.array([30, 12, 30, 7])
    series, errors = np.repeat(np.arange(4), lengths), rng.normal(0, 2, (79, 3, 1))
    together = calibrate(errors, np.zeros(errors.shape), series, 4, (80,), (), False, spacing=1)
    for number in range(4):
        own = errors[series == number]
        alone = calibrate(own, np.zeros(own.shape), np.zeros(len(own), int), 1, (80,), (), False, spacing=1)
        assert (together.size[number] == alone.size[0]).all()
        assert (together.usual_size[number] == alone.usual_size[0]).all()
        assert (together.outcomes[number] == alone.outcomes[0]).all()
