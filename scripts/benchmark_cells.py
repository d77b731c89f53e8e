"""How fast each cell is trained on this machine, by way of looping: ``python scripts/benchmark_cells.py``.

Windows a second of a forward and a backward pass of one layer, the best of some turns, for a grid of units,
steps and batch; beside Keras's own layer as it comes. In brackets the ratio to it; at the end the geometric mean of
the small and middle shapes, and the share of the machine's matrix-product peak that the default way reaches.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from forecast.models.backend import keras, tf
from forecast.models.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell, SLSTMCell
from forecast.models.loops import Recurrence, can_be_fused

# Units, steps, features, batch. The first four are the small and middle shapes.
GRID = ((32, 24, 8, 32), (32, 168, 8, 64), (64, 24, 8, 64), (64, 168, 8, 64), (128, 15, 128, 512), (128, 96, 8, 256))
N_SMALL = 4

WAYS = ("Keras", "default", "unrolled", "fused")

CELLS: dict[str, tuple[Any, Any]] = {
    "rnn": (SimpleRNNCell, keras.layers.SimpleRNN),
    "gru": (GRUCell, keras.layers.GRU),
    "lstm": (LSTMCell, keras.layers.LSTM),
    "peephole": (PeepholeLSTMCell, None),
    "coupled": (CoupledLSTMCell, None),
    "slstm": (SLSTMCell, None),
}


def rates(layers: dict[str, Any], shape: tuple[int, int, int], seconds: float) -> dict[str, float]:
    """Windows a second of forward and backward passes over a batch [B, n, F] by each layer.

    The layers take turns, so that what else the machine does falls on all of them; the fastest turn of each counts.
    """
    batch = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
    steps = {name: _passes(layer, batch) for name, layer in layers.items()}
    best, until = dict.fromkeys(steps, np.inf), time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < until or np.inf in best.values():
        for name, step in steps.items():
            started = time.perf_counter()
            step()[0].numpy()
            best[name] = min(best[name], time.perf_counter() - started)
    return {name: shape[0] / took for name, took in best.items()}


def _passes(layer: Any, batch: Any) -> Callable[[], Any]:
    layer.build(batch.shape)

    def passes() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(batch, training=True)))
        return tape.gradient(loss, layer.trainable_variables)

    step = tf.function(passes)
    step()
    return step


def peak(seconds: float) -> float:
    """Floating-point operations a second of a large matrix product."""
    n = 1024
    one = tf.constant(np.random.default_rng(0).normal(size=(n, n)), tf.float32)
    product = tf.function(lambda: one @ one)
    product()
    best, until = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        product().numpy()
        best = min(best, time.perf_counter() - started)
    return 2 * n**3 / best


def ways(name: str, units: int, steps: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The layers to compare: Keras's as it comes, the default, and each way that can be forced."""
    cell, layer = CELLS[name]
    keras_layer = (lambda: layer(units)) if layer else (lambda: keras.layers.RNN(cell(units)))
    yield "Keras", keras_layer
    yield "default", lambda: Recurrence(cell(units))
    if steps <= 48:
        yield "unrolled", lambda: Recurrence(cell(units), way="unrolled")
    if can_be_fused(cell(units)):
        yield "fused", lambda: Recurrence(cell(units), way="fused")


def operations(name: str, units: int, steps: int, features: int) -> float:
    """Of the matrix products of one window, forwards and backwards."""
    gates = {"rnn": 1, "gru": 3, "coupled": 3}.get(name, 4)
    return 3 * 2 * steps * gates * units * (units + features)


def main() -> None:
    """Print a table for each cell."""
    parser = argparse.ArgumentParser(description="Speed of the recurrent layers by cell, shape and way of looping.")
    parser.add_argument("--cells", default=",".join(CELLS), help="some cells, such as lstm,gru")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each measurement")
    options = parser.parse_args()
    most = peak(options.seconds)
    print(f"peak of a matrix product: {most / 1e9:.0f} GFLOP/s\n")
    head = ("cell", "units", "steps", "features", "batch", *WAYS, "share of the peak")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in options.cells.split(","):
        ratios = []
        for units, steps, features, batch in GRID:
            layers = {way: make() for way, make in ways(name, units, steps)}
            found = rates(layers, (batch, steps, features), options.seconds)
            cells = [f"{found[way]:,.0f} ({found[way] / found['Keras']:.2f})" if way in found else "–" for way in WAYS]
            share = found["default"] * operations(name, units, steps, features) / most
            row = (name, units, steps, features, batch, *cells, f"{share:.0%}")
            print(f"| {' | '.join(map(str, row))} |", flush=True)
            ratios.append(found["default"] / found["Keras"])
        mean = np.exp(np.mean(np.log(ratios[:N_SMALL])))
        print(f"| {name} | small and middle, geometric mean | | | | | {mean:.2f} | | | |", flush=True)


if __name__ == "__main__":
    main()
