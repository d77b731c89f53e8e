"""What every cell and every network must pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from forecast.config import NetworkConfig
from forecast.models.backends.loops import Loop, Recurrence, RecurrentCell
from forecast.models.backends.tensorflow import tf
from forecast.models.network import Shape, gather_windows, weight_shapes
from forecast.models.runtimes import RUNTIMES
from references import Array, Weights, reference_of, run, states_of, variants
from rounding import forecast_with_bound
from samples import ArrayRows

FEATURES, UNITS, BATCH, STEPS = 3, 4, 5, 9


def rows_of(shape: Shape, n_rows: int = 60) -> ArrayRows:
    """Rows of random inputs; where a shape is masked, a third of the measured ones are missing."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(n_rows, shape.measured + shape.known)).astype(np.float32)
    n_words = len(shape.categories)
    values[:, shape.measured : shape.measured + n_words] = rng.integers(0, shape.categories, (n_rows, n_words))
    if shape.masked:
        values[:, : shape.measured][rng.random((n_rows, shape.measured)) < 1 / 3] = np.nan
    return ArrayRows(values, np.sort(rng.integers(0, shape.series, n_rows)))


def weights_for(config: NetworkConfig, shape: Shape) -> dict[str, np.ndarray]:
    """Any weights of a network, biases included."""
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.3, size).astype(np.float32) for name, size in weight_shapes(config, shape).items()}


def assert_all_compute(config: NetworkConfig, shape: Shape) -> None:
    """All runtimes compute what the network is, to float32 rounding."""
    weights, rows, starts = weights_for(config, shape), rows_of(shape), np.array([0, 7, 21, 22, 39])
    past, future, _ = gather_windows(rows, starts, shape)
    fed = {"past": past, "future": future, "series": rows.identity[starts]}
    exact, bound = forecast_with_bound(config, shape, weights, fed)
    quantiles = (len(config.quantiles),) if config.quantiles else ()
    assert exact.shape == (5, shape.horizon, shape.targets, *quantiles)
    assert np.abs(exact).max() > 0.05
    assert bound.max() < 1e-4 * np.abs(exact).max()
    for name, make in RUNTIMES.items():
        forecasts = make(config, shape, weights, None).forecast(rows, starts)
        assert (forecasts.shape, forecasts.dtype) == (exact.shape, np.float32)
        assert (np.abs(forecasts - exact) <= bound).all(), name


def layer_of(variant: str, dtype: str = "float64", seed: int = 0, **arguments: Any) -> Any:
    """A layer over a cell, with random weights."""
    cell = RecurrentCell(units=UNITS, dtype=dtype, **variants()[variant])
    layer = Recurrence(cell, return_sequences=True, return_state=True, dtype=dtype, **arguments)
    layer.build((BATCH, STEPS, FEATURES))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    return layer


def layer_weights(layer: Any) -> Weights:
    return {variable.name: variable.numpy() for variable in layer.trainable_variables}


def data_for(variant: str, seed: int = 1) -> tuple[Array, list[Array]]:
    """A batch of sequences, and states to start from."""
    sequences = np.random.default_rng(seed).normal(size=(BATCH, STEPS, FEATURES))
    return sequences, states_of(variant, BATCH, UNITS, seed + 1)


def gradients(layer: Any, sequences: Array, states: list[Array]) -> dict[str, Array]:
    """Of a weighted sum of outputs and last states, with respect to everything."""
    dtype = layer.compute_dtype
    fed = [tf.constant(sequences, dtype), *(tf.constant(state, dtype) for state in states)]
    with tf.GradientTape() as tape:
        tape.watch(fed)
        total = weighted(*layer(fed[0], initial_state=fed[1:]))
    names = ["inputs", *(f"state {number}" for number in range(len(states))), *layer_weights(layer)]
    found = tape.gradient(total, [*fed, *layer.trainable_variables])
    return {name: tf.convert_to_tensor(gradient).numpy() for name, gradient in zip(names, found, strict=True)}


def weighted(*outputs: Any) -> Any:
    return sum(tf.reduce_sum(part * tf.constant(_waves(part.shape), part.dtype)) for part in outputs)


def _waves(shape: Any) -> Array:
    return np.cos(np.arange(np.prod(shape))).reshape(shape)


def assert_gradients(variant: str, loop: Loop) -> None:
    """A layer's gradients are those of finite differences of the cell's equations."""
    layer = layer_of(variant, loop=loop)
    sequences, states = data_for(variant)
    weights, step = layer_weights(layer), reference_of(variant)

    def total(point: dict[str, Array]) -> float:
        told = [point[f"state {number}"] for number in range(len(states))]
        outputs, last = run(step, {name: point[name] for name in weights}, point["inputs"], told)
        return float(sum((part * _waves(part.shape)).sum() for part in (outputs, *last)))

    here = {"inputs": sequences, **{f"state {number}": state for number, state in enumerate(states)}, **weights}
    rng = np.random.default_rng(3)
    for name, gradient in gradients(layer, sequences, states).items():
        direction = rng.normal(size=gradient.shape)
        there, back = (here | {name: here[name] + sign * 1e-5 * direction} for sign in (1, -1))
        slope = (total(there) - total(back)) / 2e-5
        np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-6, err_msg=name)
