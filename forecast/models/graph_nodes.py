"""An ONNX graph that grows node by node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

# An old set of operators, and a format as old: other programs read it for sure.
_OPSET, _FORMAT = 17, 8


class Graph:
    """Nodes and constants, each under a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names: dict[bytes, str] = {}
        self._count = 0

    def node(self, kind: str, *inputs: str | NDArray[Any], outputs: int = 1, **attributes: Any) -> Any:
        """The name of a new node's output, or the list of them; arrays among its inputs become constants."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        made = [self.fresh(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, **attributes))
        return made[0] if outputs == 1 else made

    def cut(self, value: str, first: int, last: int | None, axis: int) -> str:
        """The slice ``first:last`` along an axis."""
        end = np.iinfo(np.int64).max if last is None else last
        return str(self.node("Slice", value, *(np.array([number]) for number in (first, end, axis))))

    def name(self, name: str, value: str) -> None:
        """Let a value be known by a name, such as that of an output."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def constant(self, array: NDArray[Any]) -> str:
        """The name of an array; one that is there already is not written twice."""
        array = np.asarray(array, order="C")
        content = f"{array.dtype}{array.shape}".encode() + array.tobytes()
        if content not in self._names:
            self._names[content] = self.fresh("constant")
            self._constants.append(numpy_helper.from_array(array, self._names[content]))
        return self._names[content]

    def fresh(self, word: str) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"{word}_{self._count}"

    @contextmanager
    def inside(self) -> Iterator[list[Any]]:
        """Nodes that are made meanwhile go into the list that is given, for the body of a loop."""
        outer, self.nodes = self.nodes, []
        yield self.nodes
        self.nodes = outer

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
        """The bytes of an ONNX model.

        Args:
            inputs: Their names, types and sizes, as ONNX writes them.
            outputs: The same of what the nodes make.
        """
        graph = helper.make_graph(self.nodes, "forecast", inputs, outputs, self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_FORMAT, producer_name="forecast"
        )
        return bytes(model.SerializeToString())
