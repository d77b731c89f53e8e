"""The two kernels of an LSTM over a whole sequence, forwards and backwards, as they are written down for LLVM.

A step multiplies blocks of windows by columns of weights that lie together, so that the sums stay in registers and the
rest in the core's nearest caches, and goes on to the gates at once. What the way back needs of a step is kept as it is
made. The weights' gradients are summed step by step, while what they are made of is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from llvmlite import ir

from forecast.models.backends.vectors import ACROSS, LANES, Code, Term, Value, compile_functions

# Floats in a row of a block of a product.
WIDTH = ACROSS * LANES

# Gradients nearer to 0 than this move no weight. Below 1e-38 a processor would compute with them many times slower.
_LEAST_GRADIENT = 1e-25

# tanh x = x P(x²) / Q(x²) within ± this, beyond which it is ±1 in float32: the minimax coefficients of Eigen, from the
# highest power down; off by 2e-7 at most.
_TANH_LIMIT = 7.90531110763549805
_TANH_P = (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
           1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03)  # fmt: skip
_TANH_Q = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)


def _tanh(x: Value) -> Value:
    x = x.clip(_TANH_LIMIT)
    square = x * x

    def polynomial(coefficients: tuple[float, ...]) -> Value:
        total = square * coefficients[0] + coefficients[1]
        for coefficient in coefficients[2:]:
            total = total * square + coefficient
        return total

    return x * polynomial(_TANH_P) / polynomial(_TANH_Q)


def _sigmoid(x: Value) -> Value:
    return _tanh(x * 0.5) * 0.5 + 0.5


def _write_forward(module: ir.Module) -> Code:
    """Write down the way forwards of the windows from ``first`` to ``last``, see `forecast.models.backends.lstm`.

    The outputs of step t are kept at t & ``kept_outputs``, its cell state and gates at t & ``kept``: -1 keeps all of
    them, 1 the last two. The columns of ``weights`` and of ``bias`` come in blocks: of `LANES` units, those of the
    input and the forget gate, then those of the candidate and the output gate.
    """
    pointers = ("x", "hidden", "cell", "gates", "weights", "bias", "sums")
    sizes = ("first", "last", "steps", "windows", "features", "units", "kept_outputs", "kept")
    code = Code(module, "forward", pointers, sizes)
    x, hidden, cell, gates, weights, bias, sums = code.arguments[:7]
    first, last, steps, windows, features, units, kept_outputs, kept = code.arguments[7:]
    state, parts = windows * units, units * 4
    with code.loop(0, steps) as step:
        h_before, h_after = (hidden + (at & kept_outputs) * state for at in (step, step + 1))
        c_before, c_after = (cell + (at & kept) * state for at in (step, step + 1))
        x_now, gates_now = x + step * features, gates + (step & kept) * (state * 4)
        with code.loop(0, units // LANES) as block:
            with code.loop(0, 2) as half:
                panel, to = block * 2 + half, sums + half * WIDTH
                of_x, of_bias = weights + panel * ((features + units) * WIDTH), bias + panel * WIDTH
                of_h = of_x + features * WIDTH
                from_x: Term = (
                    features,
                    lambda row, index: x_now + row * (steps * features) + index,
                    lambda index: of_x + index * WIDTH,
                )
                from_h: Term = (
                    units,
                    lambda row, index: h_before + row * units + index,
                    lambda index: of_h + index * WIDTH,
                )
                code.multiply(
                    (first, last),
                    lambda row, number: code.load(of_bias + LANES * number),
                    [from_x, from_h],
                    lambda row, number, total: code.store(total, to + row * (2 * WIDTH) + LANES * number),
                )
            # In two loops: what a processor looks ahead over holds several windows only if each has few operations.
            with code.loop(first, last) as row:
                at, of_row = row * units + block * LANES, sums + row * (2 * WIDTH)
                i, f, c, o = (code.load(of_row + LANES * number) for number in range(4))
                i, f, c, o = _sigmoid(i), _sigmoid(f), _tanh(c), _sigmoid(o)
                code.store(f * code.load(c_before + at) + i * c, c_after + at)
                for number, gate in enumerate((i, f, c, o)):
                    code.store(gate, gates_now + row * parts + units * number + block * LANES)
            with code.loop(first, last) as row:
                at, output = row * units + block * LANES, gates_now + row * parts + units * 3 + block * LANES
                code.store(code.load(output) * _tanh(code.load(c_after + at)), h_after + at)
    return code.finish()


def _write_backward(module: ir.Module) -> Code:
    """Write down the way back of the windows from ``first`` to ``last``, see `forecast.models.backends.lstm`.

    The gradient of the outputs of step t is at t * ``each_output``, so that 0 makes it the same everywhere. ``turned``
    are the columns of the recurrent kernel's transpose in blocks of `WIDTH`.
    """
    pointers = ("x", "hidden", "cell", "gates", "of_outputs", "of_h", "of_c", "turned", "of_sums", "of_weights")
    sizes = ("first", "last", "steps", "windows", "features", "units", "each_output")
    code = Code(module, "backward", pointers, sizes)
    x, hidden, cell, gates, of_outputs, of_h, of_c, turned, of_sums, of_weights = code.arguments[:10]
    first, last, steps, windows, features, units, each_output = code.arguments[10:]
    state, parts = windows * units, units * 4
    of_bias = of_weights + (features + units) * parts

    def sum_weights(sums: Value, read: Value, between: Value, count: Value, gradients: Value) -> None:
        """Add to the gradients of weights what a step made of what it read: so many floats, so far apart by window."""
        with code.loop(0, parts, WIDTH) as column:

            def at(row: Value, number: int) -> Value:
                return gradients + row * parts + column + LANES * number

            of_windows: Term = (
                last - first,
                lambda row, index: read + (first + index) * between + row,
                lambda index: sums + (first + index) * parts + column,
            )
            code.multiply(
                (0, count),
                lambda row, number: code.load(at(row, number)),
                [of_windows],
                lambda row, number, total: code.store(total, at(row, number)),
            )

    with code.loop(0, steps) as turn:
        step = steps - 1 - turn
        before, gates_now, sums_now = step * state, gates + step * (state * 4), of_sums + step * (state * 4)
        with code.loop(first, last) as row, code.loop(0, units, LANES) as unit:
            at, at_gates = row * units + unit, row * parts + unit
            i, f, c, o = (code.load(gates_now + at_gates + units * number) for number in range(4))
            squashed = _tanh(code.load(cell + before + state + at))
            h_grad = code.load(of_h + at) + code.load(of_outputs + step * each_output + at)
            c_grad = code.load(of_c + at) + h_grad * o * (1.0 - squashed * squashed)
            found = (
                c_grad * c * i * (1.0 - i),
                c_grad * code.load(cell + before + at) * f * (1.0 - f),
                c_grad * i * (1.0 - c * c),
                h_grad * squashed * o * (1.0 - o),
            )
            for number, gradient in enumerate(found):
                code.store(gradient, sums_now + at_gates + units * number)
                so_far = of_bias + units * number + unit
                code.store(code.load(so_far) + gradient, so_far)
            code.store((c_grad * f).flush(_LEAST_GRADIENT), of_c + at)
        with code.loop(0, units, WIDTH) as unit:
            columns = turned + unit * parts
            code.multiply(
                (first, last),
                lambda row, number: code.vector(0.0),
                [(parts, lambda row, index: sums_now + row * parts + index, lambda index: columns + index * WIDTH)],
                lambda row, number, total: code.store(
                    total.flush(_LEAST_GRADIENT), of_h + row * units + unit + LANES * number
                ),
            )
        sum_weights(sums_now, x + step * features, steps * features, features, of_weights)
        sum_weights(sums_now, hidden + before, units, units, of_weights + features * parts)
    return code.finish()


@lru_cache(maxsize=1)
def kernels() -> tuple[Callable[..., None], ...]:
    """The compiled ways forwards and backwards; compiling takes a third of a second, once in a process."""
    module = ir.Module()
    return compile_functions(module, [_write_forward(module), _write_backward(module)])
