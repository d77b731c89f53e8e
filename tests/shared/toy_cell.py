"""A cell that the package does not have, added in the way that is open to everyone, and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from forecast.models.catalogue import MODELS, Preset
from forecast.models.cells import CELLS, Array, Cell, States, Weights


class IndRNN(Cell):
    """The independently recurrent network (Li et al. 2018): h = tanh(W x + u∘h′ + b), each unit sees itself alone."""

    parts = ("candidate",)
    sees_output = False

    def weight_shapes(self, features: int, units: int, use_bias: bool) -> dict[str, tuple[int, ...]]:
        return super().weight_shapes(features, units, use_bias) | {"own_weight": (units,)}

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        return {"hidden": ops.activation(x + w["own_weight"] * s["hidden"])}


class EveryOperation(Cell):
    """A cell that means nothing, and uses all that a step may use."""

    states = ("hidden", "memory")
    gates, forget_gate = ("keep",), "keep"
    parts = ("keep", "candidate")

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        keep, candidate = ops.split(x + ops.recurrent_matmul(s["hidden"], w["recurrent_kernel"]), 2)
        keep = ops.minimum(ops.recurrent_activation(keep), ops.sigmoid(0.5 - keep))
        candidate = ops.activation(candidate) / (1 + ops.softplus(candidate)) - 1 / (2 + ops.exp(-candidate))
        memory = keep * s["memory"] + (1 - keep) * ops.maximum(candidate, ops.tanh(candidate))
        hidden = ops.sqrt(1 + memory * memory) - 1
        return {"keep": keep, "memory": memory, "hidden": hidden}


@contextmanager
def added(cell: Cell) -> Iterator[None]:
    """CELLS and MODELS have a ``toy`` meanwhile."""
    CELLS["toy"] = cell
    MODELS["toy"] = Preset("A cell of a test.", {"cell": "toy", "units": (4,)})
    try:
        yield
    finally:
        del CELLS["toy"], MODELS["toy"]
