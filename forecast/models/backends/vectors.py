"""Loops over vectors of floats, written down in Python and compiled by LLVM for the processor at hand.

What a kernel needs, and no more: functions of pointers and sizes, counted loops, vectors of eight floats with their
arithmetic, and a product of matrices that keeps its sums in registers. Nothing is compiled when the package is
installed, and nothing needs a compiler: llvmlite brings LLVM as a library.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import binding, ir

# Floats in a vector: a register of AVX2. LLVM takes two where a processor's are half as wide.
LANES = 8

# Vectors in a row of a block of a product, and rows of a block. Their sums, 8 registers of 16, are as many as keep two
# units busy whose results come after four cycles.
ACROSS, ROWS = 2, 4

_FLOAT, _SIZE = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_POINTER = ir.PointerType(_FLOAT)


class Value:
    """A vector, a size or a pointer of a function that is being written, with the operators of a number."""

    def __init__(self, code: Code, value: Any) -> None:
        self.code, self.value = code, value

    def _with(self, kind: str, other: Any, swapped: bool = False) -> Value:
        left, right = self.value, self.code.constant(other, self.value.type)
        if self.value.type == _VECTOR:
            # A product and a sum may become one instruction with one rounding.
            made = getattr(self.code.builder, f"f{kind}")(
                *((right, left) if swapped else (left, right)), flags=("contract",)
            )
        elif self.value.type == _SIZE:
            made = getattr(self.code.builder, kind)(*((right, left) if swapped else (left, right)))
        else:
            made = self.code.builder.gep(left, [self.code.constant(other, _SIZE)])
        return Value(self.code, made)

    def __add__(self, other: Any) -> Value:
        return self._with("add", other)

    def __radd__(self, other: Any) -> Value:
        return self._with("add", other, swapped=True)

    def __sub__(self, other: Any) -> Value:
        return self._with("sub", other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("sub", other, swapped=True)

    def __mul__(self, other: Any) -> Value:
        return self._with("mul", other)

    def __rmul__(self, other: Any) -> Value:
        return self._with("mul", other, swapped=True)

    def __truediv__(self, other: Any) -> Value:
        return self._with("div", other)

    def __floordiv__(self, other: Any) -> Value:
        return self._with("sdiv", other)

    def __and__(self, other: Any) -> Value:
        return Value(self.code, self.code.builder.and_(self.value, self.code.constant(other, _SIZE)))

    def clip(self, limit: float) -> Value:
        """The vector within ± a limit."""
        call, vector = self.code.call, self.code.vector
        return call("minnum", call("maxnum", self, vector(-limit)), vector(limit))

    def flush(self, least: float) -> Value:
        """The vector, with 0 for what is nearer to 0 than this."""
        builder, (limit, zero) = self.code.builder, map(self.code.vector, (least, 0.0))
        is_small = builder.fcmp_ordered("<", self.code.call("fabs", self).value, limit.value)
        return Value(self.code, builder.select(is_small, zero.value, self.value))


class Code:
    """A function of pointers to floats and of sizes, as it is written down.

    Args:
        module: Where it is.
        name: By which it is found.
        pointers: Names of its first arguments; none of these arrays overlap.
        sizes: Names of the others.
    """

    def __init__(self, module: ir.Module, name: str, pointers: Sequence[str], sizes: Sequence[str]) -> None:
        # As ctypes names them.
        self.name, self.kinds = name, [ctypes.c_void_p] * len(pointers) + [ctypes.c_int64] * len(sizes)
        kinds = [_POINTER] * len(pointers) + [_SIZE] * len(sizes)
        self._function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
        self._module = module
        self.builder = ir.IRBuilder(self._function.append_basic_block())
        for argument in self._function.args[: len(pointers)]:
            argument.add_attribute("noalias")
        self.arguments = [Value(self, argument) for argument in self._function.args]

    def constant(self, value: Any, kind: Any) -> Any:
        """A number as LLVM takes it; a value as it is."""
        if isinstance(value, Value):
            return value.value
        return ir.Constant(kind, [ir.Constant(_FLOAT, value)] * LANES if kind == _VECTOR else value)

    def vector(self, number: float) -> Value:
        """A vector of one number."""
        return Value(self, self.constant(number, _VECTOR))

    def load(self, pointer: Value) -> Value:
        """The vector at a place."""
        return Value(self, self.builder.load(self._as_vector(pointer), align=4))

    def store(self, vector: Value, pointer: Value) -> None:
        """Put a vector at a place."""
        self.builder.store(vector.value, self._as_vector(pointer), align=4)

    def spread(self, pointer: Value) -> Value:
        """The one float at a place, in every lane."""
        nothing, index = ir.Constant(_VECTOR, ir.Undefined), ir.IntType(32)
        one = self.builder.insert_element(nothing, self.builder.load(pointer.value, align=4), ir.Constant(index, 0))
        lanes = ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
        return Value(self, self.builder.shuffle_vector(one, nothing, lanes))

    def _as_vector(self, pointer: Value) -> Any:
        return self.builder.bitcast(pointer.value, ir.PointerType(_VECTOR))

    def call(self, name: str, *vectors: Value) -> Value:
        """One of LLVM's own functions of vectors, such as ``minnum``."""
        name = f"llvm.{name}.v{LANES}f32"
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(vectors))
        found = self._module.globals.get(name) or ir.Function(self._module, kind, name)
        return Value(self, self.builder.call(found, [vector.value for vector in vectors]))

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1) -> Iterator[Value]:
        """What is written meanwhile is done for each start, start + step, … below stop."""
        with self._loop(start, stop, step, []) as (index, _):
            yield index

    def accumulate(
        self, count: Any, totals: Sequence[Value], turn: Callable[[Value, list[Value]], list[Value]]
    ) -> list[Value]:
        """The totals after so many turns, each of which makes new ones from its number and the totals before."""
        with self._loop(0, count, 1, [total.value for total in totals]) as (index, carried):
            before = [Value(self, phi) for phi in carried]
            carried[:] = [total.value for total in turn(index, before)]
        return before

    @contextmanager
    def _loop(self, start: Any, stop: Any, step: int, first: list[Any]) -> Iterator[tuple[Value, list[Any]]]:
        builder, before = self.builder, self.builder.block
        head, body, after = (self._function.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        index, phis = builder.phi(_SIZE), [builder.phi(value.type) for value in first]
        for phi, value in zip((index, *phis), (self.constant(start, _SIZE), *first), strict=True):
            phi.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", index, self.constant(stop, _SIZE)), body, after)
        builder.position_at_end(body)
        carried = list(phis)
        yield Value(self, index), carried
        for phi, value in zip((index, *phis), (builder.add(index, ir.Constant(_SIZE, step)), *carried), strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    def multiply(self, rows: tuple[Any, Any], start: Entry, terms: Sequence[Term], put: Put) -> None:
        """Write down a product of matrices, `ACROSS` vectors wide: ``put`` gets ``start`` plus all terms.

        Args:
            rows: The first row, and the one after the last.
            start: The vector that a row and the number of its vector begin with.
            terms: What is added to it.
            put: Takes a row, the number of its vector, and what it has become.
        """

        def write(block: list[Value]) -> None:
            entries = [(row, number) for row in block for number in range(ACROSS)]
            totals = [start(*entry) for entry in entries]
            for count, left, right in terms:

                def turn(index: Value, before: list[Value], left: Entry = left, right: Any = right) -> list[Value]:
                    across = [self.load(right(index) + LANES * number) for number in range(ACROSS)]
                    ones = [self.spread(left(row, index)) for row in block for _ in across]
                    return [
                        total + one * vector
                        for total, one, vector in zip(before, ones, across * len(block), strict=True)
                    ]

                totals = self.accumulate(count, totals, turn)
            for entry, total in zip(entries, totals, strict=True):
                put(*entry, total)

        first, last = rows
        whole = last - (last - first & ROWS - 1)
        with self.loop(first, whole, ROWS) as row:
            write([row + number for number in range(ROWS)])
        with self.loop(whole, last) as row:
            write([row])

    def finish(self) -> Code:
        """Itself, with its end."""
        self.builder.ret_void()
        return self


# Of a row and a number, a vector or a place; and what is done with a row, a number and a vector.
Entry = Callable[[Value, Any], Value]
Put = Callable[[Value, int, Value], None]

# Over how many turns products are summed; of a row and a turn, where its number is; of a turn, where its vectors are.
Term = tuple[Value, Entry, Callable[[Value], Value]]


def compile_functions(module: ir.Module, functions: Sequence[Code]) -> tuple[Callable[..., None], ...]:
    """The functions of a module as Python calls them: with addresses and sizes; other threads go on meanwhile."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features, opt=2
    )
    parsed = binding.parse_assembly(str(module))
    # Loops stay as they are written: unrolled ones would not find room in the registers.
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    engine = binding.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    _ENGINES.append(engine)
    return tuple(
        ctypes.CFUNCTYPE(None, *function.kinds)(engine.get_function_address(function.name)) for function in functions
    )


# What is compiled lives as long as the engine that holds it.
_ENGINES: list[Any] = []
