"""Is an ONNX file one of the graphs that are written here? Decided by reading its bytes, before anybody runs it.

An ONNX file is a protobuf message. What is read of it is written down here field by field; a field that is not listed
- functions, external data, sparse tensors, training, sequences and maps - is refused by that alone. So nothing needs to
be imported, and nothing is allocated that the file does not hold itself.

Reference: onnx.proto of ONNX, IR version 10; https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from forecast.errors import RunError

OPERATORS = frozenset({
    "Add", "Cast", "Concat", "Constant", "CumSum", "Div", "Elu", "Exp", "Expand", "GRU", "Gather", "Gemm",
    "HardSigmoid", "Identity", "LSTM", "MatMul", "Max", "Min", "Mul", "Neg", "OneHot", "RNN", "ReduceMean", "Relu",
    "Reshape", "Scan", "Shape", "Sigmoid", "Slice", "Softmax", "Softplus", "Softsign", "Split", "Sqrt", "Squeeze",
    "Sub", "Tanh", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip

LARGEST_GRAPH = 1024**3  # bytes, most of which are weights

# Parts of a message: nodes, names, numbers. Weights are one part each, however large.
_MOST_PARTS = 200_000

# Bytes of each number, by the code that ONNX has for its kind.
_KINDS = {1: ("<f4", 4), 6: ("<i4", 4), 7: ("<i8", 8), 9: ("|b1", 1), 11: ("<f8", 8)}


class Port(NamedTuple):
    """An input or output of a graph.

    Args:
        dtype: As NumPy writes it, such as ``<f4``.
        shape: Of each axis its length; None where any number of windows goes.
    """

    dtype: str
    shape: tuple[int | None, ...]


# Of each message its fields by number: name, what it is, and whether there may be several. "data" is not looked into.
_FIELDS: dict[str, dict[int, tuple[str, str, bool]]] = {
    "model": {
        1: ("ir_version", "int", False),
        2: ("producer_name", "text", False),
        3: ("producer_version", "text", False),
        4: ("domain", "text", False),
        5: ("model_version", "int", False),
        6: ("doc_string", "text", False),
        7: ("graph", "graph", False),
        8: ("opset_import", "opset", True),
    },
    "opset": {1: ("domain", "text", False), 2: ("version", "int", False)},
    "graph": {
        1: ("node", "node", True),
        2: ("name", "text", False),
        5: ("initializer", "tensor", True),
        10: ("doc_string", "text", False),
        11: ("input", "value", True),
        12: ("output", "value", True),
        13: ("value_info", "value", True),
    },
    "node": {
        1: ("input", "text", True),
        2: ("output", "text", True),
        3: ("name", "text", False),
        4: ("op_type", "text", False),
        5: ("attribute", "attribute", True),
        6: ("doc_string", "text", False),
        7: ("domain", "text", False),
    },
    "attribute": {
        1: ("name", "text", False),
        2: ("f", "float", False),
        3: ("i", "int", False),
        4: ("s", "text", False),
        5: ("t", "tensor", False),
        6: ("g", "graph", False),
        7: ("floats", "float", True),
        8: ("ints", "int", True),
        9: ("strings", "text", True),
        20: ("type", "int", False),
    },
    "tensor": {
        1: ("dims", "int", True),
        2: ("data_type", "int", False),
        4: ("float_data", "float", True),
        7: ("int64_data", "int", True),
        8: ("name", "text", False),
        9: ("raw_data", "data", False),
    },
    "value": {1: ("name", "text", False), 2: ("type", "type", False), 3: ("doc_string", "text", False)},
    "type": {1: ("tensor_type", "tensor_type", False)},
    "tensor_type": {1: ("elem_type", "int", False), 2: ("shape", "shape", False)},
    "shape": {1: ("dim", "dim", True)},
    "dim": {1: ("dim_value", "int", False), 2: ("dim_param", "text", False)},
}

Message = dict[str, Any]


def check_graph(
    content: bytes,
    inputs: Mapping[str, Port],
    outputs: Mapping[str, Port],
    operators: frozenset[str] = OPERATORS,
) -> None:
    """Nothing if a file is a graph of known operators with these inputs and outputs.

    What an operator allocates while it runs, such as Expand, is not known from this.

    Args:
        content: The file.
        inputs: What the graph takes, by name.
        outputs: What it returns, by name.
        operators: Those of the default domain that may be in it.

    Raises:
        RunError: If it is anything else; says what was found.
    """
    try:
        if len(content) > LARGEST_GRAPH:
            raise ValueError(f"it has {len(content):,} bytes, where {LARGEST_GRAPH:,} are the most")
        model = _Reader().message(memoryview(content), "model")
        domains = [_ours(opset.get("domain", "")) for opset in model.get("opset_import", ())]
        if domains != [True] or "graph" not in model:
            raise ValueError("it is not one graph of operators of the domain ai.onnx")
        graph = model["graph"]
        for role, ports in (("input", inputs), ("output", outputs)):
            found = {value.get("name", ""): _port(value) for value in graph.get(role, ())}
            if found != ports or len(found) != len(graph.get(role, ())):
                raise ValueError(f"its {role}s are {sorted(found)}, or have other shapes than {sorted(ports)}")
        _check_nodes(graph, operators, frozenset(), inner=False)
    except (ValueError, RecursionError) as error:  # graphs within graphs within graphs
        raise RunError(f"The graph is damaged, or was not written here: {str(error)[:500]}.", _AGAIN) from None


_AGAIN = "Train the run again."


def _check_nodes(graph: Message, operators: frozenset[str], outside: frozenset[str], inner: bool) -> None:
    """Every node of known kind, every name given once, and none used before it is there."""
    named = [value.get("name", "") for value in graph.get("input", ())]
    for tensor in graph.get("initializer", ()):
        _check_tensor(tensor)
        named.append(tensor.get("name", ""))
    known = set(outside)
    _name(named, known)
    for node in graph.get("node", ()):
        operator = node.get("op_type", "")
        if not _ours(node.get("domain", "")) or operator not in operators:
            raise ValueError(f"it has the operator {operator[:50]!r} of {node.get('domain', '')[:50]!r}")
        absent = [name for name in node.get("input", ()) if name and name not in known]
        if absent:
            raise ValueError(f"{operator} reads {absent[0][:50]!r}, which is not there")
        for attribute in node.get("attribute", ()):
            if "t" in attribute:
                _check_tensor(attribute["t"])
            if "g" in attribute:
                if inner or operator != "Scan" or attribute.get("name") != "body":
                    raise ValueError(f"it has a graph within {operator}")
                _check_nodes(attribute["g"], operators, frozenset(known), inner=True)
        _name([name for name in node.get("output", ()) if name], known)
    for value in graph.get("output", ()):
        if value.get("name") not in known:
            raise ValueError("one of its outputs is computed by nothing")


def _name(names: list[str], known: set[str]) -> None:
    for name in names:
        if not name or name in known:
            raise ValueError(f"it gives the name {name[:50]!r} twice, or gives none")
        known.add(name)


def _check_tensor(tensor: Message) -> None:
    """The size that a tensor declares is that of the bytes that it has."""
    kind, dims = tensor.get("data_type", 0), tensor.get("dims", [])
    held = [name for name in ("raw_data", "float_data", "int64_data") if name in tensor]
    if kind not in _KINDS or len(held) > 1 or any(axis < 0 for axis in dims):
        raise ValueError(f"the tensor {tensor.get('name', '')[:50]!r} is none of plain numbers")
    field = held[0] if held else "raw_data"
    if (field, kind) not in (("float_data", 1), ("int64_data", 7)) and field != "raw_data":
        raise ValueError(f"the tensor {tensor.get('name', '')[:50]!r} has data of another kind")
    length = len(tensor.get(field, ()))
    if length != math.prod(dims) * (_KINDS[kind][1] if field == "raw_data" else 1):
        raise ValueError(f"the tensor {tensor.get('name', '')[:50]!r} has not the size that it declares")


def _port(value: Message) -> Port:
    tensor = value.get("type", {}).get("tensor_type", {})
    axes = tensor.get("shape", {}).get("dim", ())
    return Port(_KINDS.get(tensor.get("elem_type"), ("?", 0))[0], tuple(axis.get("dim_value") for axis in axes))


def _ours(domain: str) -> bool:
    return domain in ("", "ai.onnx")


class _Reader:
    """Reads messages by their tables, and counts what it reads."""

    def __init__(self) -> None:
        self.left = _MOST_PARTS

    def message(self, data: memoryview, kind: str) -> Message:
        """A message by the names of its fields.

        Raises:
            ValueError: If it has a field that is not listed, one twice that stands once, or ends in the midst.
        """
        message: Message = {}
        fields, place = _FIELDS[kind], 0
        while place < len(data):
            key, place = _varint(data, place)
            number, wire = key >> 3, key & 7
            if number not in fields:
                raise ValueError(f"its {kind} has the field {number}, which none of ours has")
            name, what, several = fields[number]
            found, place = self.values(data, place, wire, what, several)
            self.left -= len(found)
            if self.left < 0:
                raise ValueError(f"it has more than {_MOST_PARTS:,} parts")
            if several:
                message.setdefault(name, []).extend(found)
            elif name in message:
                raise ValueError(f"its {kind} has two of {name}")
            else:
                message[name] = found[0]
        return message

    def values(self, data: memoryview, place: int, wire: int, what: str, several: bool) -> tuple[list[Any], int]:
        """The values of one field, of which a packed one has several, and where it ends."""
        if wire == 0 and what == "int":
            value, place = _varint(data, place)
            return [_signed(value)], place
        if wire == 5 and what == "float":
            if place + 4 > len(data):
                raise ValueError("it ends in the midst of a number")
            return [float(np.frombuffer(data[place : place + 4], "<f4")[0])], place + 4
        if wire != 2 or (what in ("int", "float") and not several):
            raise ValueError(f"it has {what} of the wire type {wire}")
        length, place = _varint(data, place)
        part, end = data[place : place + length], place + length
        if end > len(data):
            raise ValueError("it ends in the midst of a field")
        if what == "data":
            return [part], end
        if what == "text":
            return [str(part, "utf-8")], end
        if what == "float":
            return self.floats(part), end
        if what == "int":
            return self.ints(part), end
        return [self.message(part, what)], end

    def floats(self, part: memoryview) -> list[Any]:
        """A packed list of numbers."""
        if len(part) % 4 or len(part) > 4 * self.left:
            raise ValueError("it has a list of numbers that is broken or too long")
        return np.frombuffer(part, "<f4").tolist()

    def ints(self, part: memoryview) -> list[Any]:
        """A packed list of integers."""
        found, place = [], 0
        if len(part) > 10 * self.left:
            raise ValueError("it has a list of numbers that is too long")
        while place < len(part):
            value, place = _varint(part, place)
            found.append(_signed(value))
        return found


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError("it ends in the midst of a number")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
    raise ValueError("it has a number that never ends")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
