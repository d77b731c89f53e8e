"""How fast each cell is trained on this machine, by kind of loop: ``python scripts/benchmark_cells.py``.

Windows a second of a forward and a backward pass of one layer, the best of some turns, for a grid of units,
steps and batch; beside Keras's own layer as it comes, or its loop over the cell where it has no such layer. In brackets
the ratio to it. At the end what is taken by default, with its share of the machine's matrix-product peak.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from forecast.models.backends.loops import Recurrence, RecurrentCell, can_be_fused, is_worth_compiling
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.cells import CELLS
from records import markdown

# Units, steps, features, batch. The first four are the small and middle shapes.
GRID = ((32, 24, 8, 32), (32, 168, 8, 64), (64, 24, 8, 64), (64, 168, 8, 64), (128, 15, 128, 512), (128, 96, 8, 256))
N_SMALL = 4

LOOPS = ("Keras", "default", "unrolled", "fused", "XLA")

# The graph of a longer loop takes minutes to build.
LONGEST_UNROLLED = 48

# Keras's own layers, where it has one.
KERAS_LAYERS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def rates(layers: dict[str, tuple[Any, bool]], shape: tuple[int, int, int], seconds: float) -> dict[str, float]:
    """Windows a second of forward and backward passes over a batch [B, n, F] by each layer, compiled by XLA or not.

    The layers take turns, so that what else the machine does falls on all of them; the fastest turn of each counts.
    """
    batch = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
    steps = {name: _passes(layer, batch, compiled) for name, (layer, compiled) in layers.items()}
    best, until = dict.fromkeys(steps, np.inf), time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < until or np.inf in best.values():
        for name, step in steps.items():
            started = time.perf_counter()
            step()[0].numpy()
            best[name] = min(best[name], time.perf_counter() - started)
    return {name: shape[0] / took for name, took in best.items()}


def _passes(layer: Any, batch: Any, jit_compile: bool) -> Callable[[], Any]:
    layer.build(batch.shape)

    def passes() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(batch, training=True)))
        return tape.gradient(loss, layer.trainable_variables)

    step = tf.function(passes, jit_compile=jit_compile)
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


def layers_of(name: str, units: int, shape: tuple[int, int, int]) -> dict[str, tuple[Any, bool]]:
    """The layers to compare on a batch [B, n, F]: Keras's as it comes, the default, and each loop that can be forced.

    With each, whether it is compiled by XLA.
    """

    def cell() -> RecurrentCell:
        return RecurrentCell(name, units)

    def of_keras() -> Any:
        return KERAS_LAYERS[name](units) if name in KERAS_LAYERS else keras.layers.RNN(cell())

    found = {"Keras": (of_keras(), False), "default": (Recurrence(cell()), is_compiled(cell(), shape))}
    if shape[1] <= LONGEST_UNROLLED:
        found["unrolled"] = Recurrence(cell(), loop="unrolled"), False
    if can_be_fused(cell()):
        found["fused"] = Recurrence(cell(), loop="fused"), False
    return found | {"XLA": (of_keras(), True)}


def is_compiled(cell: Any, shape: tuple[int, int, int]) -> bool:
    """Whether a training step of one layer is compiled by default."""
    inputs = keras.Input(shape[1:], shape[0])
    return is_worth_compiling(keras.Model(inputs, Recurrence(cell)(inputs)), "direct", shape[0])


def operations(name: str, units: int, steps: int, features: int) -> float:
    """Of the matrix products of one window, forwards and backwards."""
    cell = CELLS[name]
    read = features + (units if cell.sees_output else 0)
    return 3 * 2 * steps * len(cell.parts) * units * read


def summary(found: dict[str, list[tuple[float, float, float]]]) -> str:
    """What is taken by default, by shape and cell: windows a second, times Keras's layer, share of the peak.

    Args:
        found: These three of each shape of the grid, by cell.
    """
    head = ["units, steps, features, batch", *found]
    rows = [
        [", ".join(map(str, shape)), *(f"{rate:,.0f} ({ratio:.2f}×, {share:.0%})" for rate, ratio, share in figures)]
        for shape, figures in zip(GRID, zip(*found.values(), strict=True), strict=True)
    ]
    means = [np.exp(np.mean([np.log(ratio) for _, ratio, _ in figures[:N_SMALL]])) for figures in found.values()]
    rows.append(["geometric mean of the first four", *(f"{mean:.2f}×" for mean in means)])
    return markdown([head, *rows])


def main() -> None:
    """Print every loop of every cell, and then a summary."""
    parser = argparse.ArgumentParser(description="Speed of the recurrent layers by cell, shape and kind of loop.")
    parser.add_argument("--cells", default=",".join(CELLS), help="some cells, such as lstm,gru")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each measurement")
    options = parser.parse_args()
    most = peak(options.seconds)
    print(f"peak of a matrix product: {most / 1e9:.0f} GFLOP/s\n")
    head = ("cell", "units", "steps", "features", "batch", *LOOPS)
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in options.cells.split(",")}
    for name, of_cell in figures.items():
        for units, steps, features, batch in GRID:
            shape = (batch, steps, features)
            found = rates(layers_of(name, units, shape), shape, options.seconds)
            cells = [
                f"{found[loop]:,.0f} ({found[loop] / found['Keras']:.2f})" if loop in found else "–" for loop in LOOPS
            ]
            print(f"| {' | '.join(map(str, (name, units, steps, features, batch, *cells)))} |", flush=True)
            share = found["default"] * operations(name, units, steps, features) / most
            of_cell.append((found["default"], found["default"] / found["Keras"], share))
    print(f"\n{summary(figures)}")


if __name__ == "__main__":
    main()
