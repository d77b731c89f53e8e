"""Inputs that are numbers of words: embedded in past and future by every back end, cell and decoder."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from checks import assert_all_compute, rows_of, weights_for
from forecast.models.backends.keras import build_network, weights_of
from forecast.models.backends.numpy import NumpyOps
from forecast.models.cells import CELLS
from forecast.models.network import Network, Shape, gather_windows, weight_shapes
from forecast.training.trainer import _HIDDEN_WORDS, Fit
from samples import DECODE, parts

# Two columns of words, of 4 and of 300 numbers, before two other known columns; and a network with nothing else.
SHAPE = Shape(lookback=7, horizon=5, targets=2, covariates=1, known=4, series=3, categories=(4, 300))
ALONE = Shape(lookback=4, horizon=3, targets=1, covariates=0, known=1, series=1, categories=(20,))


@pytest.mark.parametrize(("cell", "decode"), list(zip(CELLS, cycle(DECODE), strict=False)))
def test_all_compute_every_cell_and_decoder(cell: str, decode: str) -> None:
    assert_all_compute(parts(cell=cell, units=(4, 3), decode=decode, normalise="last", segment=3), SHAPE)


@pytest.mark.parametrize("decode", DECODE)
def test_all_compute_them_beside_values_that_may_be_missing(decode: str) -> None:
    shape = replace(SHAPE, masked=True)
    assert_all_compute(parts(units=(4,), decode=decode, normalise="last-scaled", segment=3, decay=True), shape)


@pytest.mark.parametrize("decode", DECODE)
def test_words_may_be_all_that_is_known(decode: str) -> None:
    assert_all_compute(parts(decode=decode), ALONE)


@pytest.mark.parametrize("decode", DECODE)
def test_a_network_that_is_fed_the_rows_of_the_tables_computes_the_same(decode: str) -> None:
    config, fed = parts(units=(5,), decode=decode, segment=3), SHAPE.embedded
    weights, rows = weights_for(config, SHAPE), rows_of(SHAPE)
    past, future, _ = gather_windows(rows, np.array([0, 11, 30]), SHAPE)

    def embedded(columns: np.ndarray, first: int) -> np.ndarray:
        one, other = (weights[f"category_{number}/table"] for number in (1, 2))
        numbers = columns[..., first : first + 2].astype(int)
        return np.concatenate(
            [columns[..., :first], one[numbers[..., 0]], other[numbers[..., 1]], columns[..., first + 2 :]], axis=-1
        )

    series = rows.identity[[0, 11, 30]]
    plain = {name: array for name, array in weights.items() if not name.startswith("category")}
    assert {name: array.shape for name, array in plain.items()} == weight_shapes(config, fed)
    by_hand = Network(config, fed, NumpyOps(config, plain)).forecast(embedded(past, 3), embedded(future, 0), series)[0]
    found = Network(config, SHAPE, NumpyOps(config, weights)).forecast(past, future, series)[0]
    np.testing.assert_array_equal(found, by_hand)


def test_tables_are_as_wide_as_their_words_need_and_begin_small() -> None:
    assert SHAPE.widths == (3, 7)
    assert Shape(9, 9, 1, 0, 1, 1, (5001,)).widths == (14,)
    tables = [
        array
        for name, array in weights_of(build_network(parts(decode="parallel"), SHAPE, 0)).items()
        if name.startswith("category")
    ]
    assert [table.shape for table in tables] == [(4, 3), (300, 7)]
    assert 0.04 < tables[1].std() < 0.06


def test_a_tenth_of_the_words_is_hidden_throughout_a_window() -> None:
    rng = np.random.default_rng(0)
    past = rng.normal(size=(2000, 6, SHAPE.features)).astype(np.float32)
    past[:, :, 3] = rng.integers(1, 4, 2000)[:, None]  # never changes in a window
    past[:, :, 4] = rng.integers(1, 300, (2000, 6))
    future = past[:, 1:6, 3:].copy()

    class Bare:
        shape = SHAPE

        class config:
            seed = 5

    fed = Fit._some_words_hidden(Bare, 7, {"past": past, "future": future})  # type: ignore[arg-type]
    then, ahead = fed["past"].numpy(), fed["future"].numpy()
    others = [0, 1, 2, 5, 6]
    np.testing.assert_array_equal(then[..., others], past[..., others])
    np.testing.assert_array_equal(ahead, then[:, 1:6, 3:])  # a word is hidden wherever it stands
    for column in (3, 4):
        hidden = then[..., column] == 0
        assert (then[..., column] == np.where(hidden, 0, past[..., column])).all()
        assert abs(hidden.mean() - _HIDDEN_WORDS) < 0.02
    again = Fit._some_words_hidden(Bare, 8, {"past": past, "future": future})["past"].numpy()  # type: ignore[arg-type]
    assert (again != then).any()
