"""An LSTM over a whole sequence, forwards and backwards, by kernels that are compiled when they are first needed.

Each core takes windows of its own through all steps, as `forecast.models.backends.lstm_kernels` writes them down.
"""

from __future__ import annotations

import itertools
import mmap
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from forecast.memory import core_count

Floats = NDArray[np.float32]

# Units come in blocks of as many, windows in blocks of these.
BLOCK, ROWS = 16, 4

# Fewer windows than these do not keep a core busy.
FEWEST_ON_CORE = 16


@lru_cache(maxsize=1)
def is_available() -> bool:
    """Whether LLVM is there to compile it."""
    return find_spec("llvmlite") is not None


def _kernels() -> tuple[Callable[..., None], ...]:
    from forecast.models.backends.lstm_kernels import kernels  # which imports LLVM

    return kernels()


# Memory that arrays of a size were in and no longer are. A step takes as much as the one before it, and memory that the
# system hands out anew costs it a third of its time.
_FREE: defaultdict[int, list[mmap.mmap]] = defaultdict(list)


def _empty(*shape: int) -> Floats:
    """An array on a page of its own, which TensorFlow takes without copying; its memory is used again."""
    size = 4 * int(np.prod(shape))
    try:
        memory = _FREE[size].pop()
    except IndexError:
        _FREE.clear()  # other shapes than before: what those took is let go
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE)
    whole = np.frombuffer(memory, np.float32)
    finalize(whole, lambda: _FREE[size].append(memory))  # when no view of it is left, in TensorFlow either
    return whole.reshape(shape)


def _shares(windows: int) -> list[tuple[int, int]]:
    """The first and the last window of each core; whole blocks, and not too few for one."""
    cores = max(1, min(core_count(), windows // FEWEST_ON_CORE))
    bounds = [windows * core // cores // ROWS * ROWS for core in range(cores)] + [windows]
    return list(itertools.pairwise(bounds))


@lru_cache(maxsize=1)
def _cores() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(core_count())


def _on_cores(
    kernel: Callable[..., None], arrays: Sequence[Floats], sizes: Sequence[int], own: Floats | None = None
) -> None:
    """Call a kernel for the windows of each core.

    Args:
        kernel: Which.
        arrays: Of float32 that lie together, which all cores share.
        sizes: Those after the first and the last window.
        own: One more array for each core.
    """
    pointers = [array.ctypes.data for array in arrays]
    shares = _shares(sizes[1])
    tasks = [
        (*pointers, *([own[core].ctypes.data] if own is not None else []), *share, *sizes)
        for core, share in enumerate(shares)
    ]
    others = [_cores().submit(kernel, *task) for task in tasks[1:]]
    kernel(*tasks[0])
    for other in others:
        other.result()


def forward(
    x: Floats,
    h: Floats,
    c: Floats,
    kernel: Floats,
    recurrent: Floats,
    bias: Floats,
    every: bool = True,
    learns: bool = True,
) -> tuple[Floats, Floats, Floats]:
    """A sequence, step by step.

    Args:
        x: The inputs, [B, n, F].
        h: The output before the first step, [B, U].
        c: The cell state before it, [B, U].
        kernel: [F, 4U], in the order input, forget, candidate, output.
        recurrent: [U, 4U].
        bias: [4U].
        every: Keep the outputs of every step.
        learns: Keep its cell state and gates, too, for the way back.

    Returns:
        Outputs and cell states, beginning with those before the first step, [n + 1, B, U], and the gates [n, B, 4U].
        Where not all are kept there are two, in turns; the last one is at n & 1.
    """
    (windows, steps, features), units = x.shape, h.shape[1]
    hidden = _empty(steps + 1 if every else 2, windows, units)
    cell, gates = _empty(steps + 1 if learns else 2, windows, units), _empty(steps if learns else 2, windows, 4 * units)
    hidden[0], cell[0] = h, c
    # What is read together lies together, see `_write_forward`.
    columns = np.concatenate([kernel, recurrent]).reshape(-1, 2, 2, units // 8, 8).transpose(3, 1, 0, 2, 4)
    start = bias.reshape(4, units // 8, 8).transpose(1, 0, 2)
    packed = [np.ascontiguousarray(array) for array in (columns, start)]
    arrays = [np.ascontiguousarray(x), hidden, cell, gates, *packed, np.empty((windows, 32), np.float32)]
    sizes = [steps, windows, features, units, *(-1 if kept else 1 for kept in (every, learns))]
    _on_cores(_kernels()[0], arrays, sizes)
    return hidden, cell, gates


def run(
    x: Floats, h: Floats, c: Floats, kernel: Floats, recurrent: Floats, bias: Floats, every: bool
) -> tuple[Floats, ...]:
    """All outputs [n, B, U], if they are asked for, and the last h and c [B, U]; it takes what `forward` takes."""
    hidden, cell, _ = forward(x, h, c, kernel, recurrent, bias, every, learns=False)
    last = x.shape[1] & 1
    return (hidden[1:], hidden[-1], cell[last]) if every else (hidden[last], cell[last])


def backward(
    x: Floats, hidden: Floats, cell: Floats, gates: Floats, recurrent: Floats, *given: Floats
) -> tuple[Floats, ...]:
    """The gradients of a sequence.

    Args:
        x: The inputs, [B, n, F].
        hidden: What `forward` returned of them.
        cell: The same.
        gates: The same.
        recurrent: [U, 4U].
        given: The gradients of all outputs [n, B, U], if there are any, and of the last h and c, [B, U].

    Returns:
        Those of the sums before the gates [n, B, 4U], of the first h and c, of both kernels and of the bias.
    """
    (steps, windows, parts), units, features = gates.shape, recurrent.shape[0], x.shape[2]
    *outputs, h, c = given
    from_h, from_c, from_sums = _empty(windows, units), _empty(windows, units), _empty(*gates.shape)
    from_h[:], from_c[:] = h, c
    turned = np.ascontiguousarray(recurrent.T.reshape(parts, -1, BLOCK).transpose(1, 0, 2))
    from_outputs = np.ascontiguousarray(outputs[0]) if outputs else np.zeros((windows, units), np.float32)
    arrays = [np.ascontiguousarray(x), hidden, cell, gates, from_outputs, from_h, from_c, turned, from_sums]
    own = np.zeros((len(_shares(windows)), features + units + 1, parts), np.float32)
    sizes = [steps, windows, features, units, windows * units if outputs else 0]
    _on_cores(_kernels()[1], arrays, sizes, own)
    weights = own.sum(axis=0)
    return from_sums, from_h, from_c, weights[:features], weights[features:-1], weights[-1]
