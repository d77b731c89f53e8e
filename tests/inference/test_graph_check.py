"""The check of an ONNX file: graphs of ours pass, and whatever else such a file can hold does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from forecast.errors import RunError
from forecast.inference.graph_check import LARGEST_GRAPH, OPERATORS, Port, check_graph

INPUTS, OUTPUTS = {"past": Port("<f4", (None, 6, 1))}, {"forecast": Port("<f4", (None, 6, 2))}
LENGTHS = {"from": 0, "to": 1, "axis": 1}
WEIGHTS = np.arange(2, dtype=np.float32).reshape(1, 2)


def sound() -> onnx.ModelProto:
    """A cumulative sum by Scan, and a product with weights."""
    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "row"], ["next"]), helper.make_node("Identity", ["next"], ["seen"])],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("sum", "row")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("next", "seen")],
    )
    scan = helper.make_node(
        "Scan", ["zero", "past"], ["last", "sums"], num_scan_inputs=1, body=body, scan_input_axes=[1],
        scan_output_axes=[1],
    )  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["past", "from", "to", "axis"], ["first"]),
        helper.make_node("ReduceMean", ["first", "axis"], ["flat"], keepdims=0),
        helper.make_node("Sub", ["flat", "flat"], ["zero"]),
        scan,
        helper.make_node("Constant", [], ["bias"], value=helper.make_tensor("b", TensorProto.FLOAT, [1], [0.5])),
        helper.make_node("MatMul", ["sums", "kernel"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["forecast"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("past", TensorProto.FLOAT, ["windows", 6, 1])],
        [helper.make_tensor_value_info("forecast", TensorProto.FLOAT, ["windows", 6, 2])],
        [
            numpy_helper.from_array(WEIGHTS, "kernel"),
            *(
                helper.make_tensor(name, TensorProto.INT64, [1], [n])
                for name, n in (("from", 0), ("to", 1), ("axis", 1))
            ),
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, producer_name="forecast"
    )


def checked(model: onnx.ModelProto | bytes) -> None:
    check_graph(model if isinstance(model, bytes) else model.SerializeToString(), INPUTS, OUTPUTS)


def test_a_sound_graph_passes_and_runs() -> None:
    import onnxruntime

    model = sound()
    onnx.checker.check_model(model)
    checked(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"past": np.ones((1, 6, 1), np.float32)})
    assert made[0, :, 1].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "PyOp"


def custom_domain_of_a_node(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.microsoft"


def custom_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))


def no_domain(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


def function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Add", ["a", "a"], ["b"])
    model.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], [node], [helper.make_opsetid("", 18)]))


def external_data(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")


def place_of_external_data_alone(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")


def huge_declared_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**40]


def negative_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-1, -2]


def too_few_bytes(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = b"\0" * 7


def too_few_numbers(model: onnx.ModelProto) -> None:
    model.graph.initializer[1].dims[:] = [2]


def two_kinds_of_data(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].float_data.extend([1.0, 2.0])


def strings(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(helper.make_tensor("s", TensorProto.STRING, [1], [b"x"]))


def sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().dims.append(3)


def large_constant(model: onnx.ModelProto) -> None:
    model.graph.node[4].attribute[0].t.dims[:] = [2**50]


def branch(model: onnx.ModelProto) -> None:
    model.graph.node[3].op_type = "If"


def graph_in_another_node(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(model.graph.node[3].attribute[0])


def scan_within_scan(model: onnx.ModelProto) -> None:
    outer = next(attribute for attribute in model.graph.node[3].attribute if attribute.name == "body")
    inner = onnx.NodeProto()
    inner.CopyFrom(model.graph.node[3])
    outer.g.node.append(inner)


def reads_what_is_not_there(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "elsewhere"


def reads_what_comes_later(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "product"


def gives_a_name_twice(model: onnx.ModelProto) -> None:
    model.graph.node[0].output[0] = "kernel"


def output_of_nothing(model: onnx.ModelProto) -> None:
    model.graph.node[6].output[0] = "other"


def another_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "present"


def one_more_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def another_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 7


def another_kind(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def sequence(model: onnx.ModelProto) -> None:
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    model.graph.input.append(helper.make_value_info("more", helper.make_sequence_type_proto(kind)))


def training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def metadata(model: onnx.ModelProto) -> None:
    model.metadata_props.add(key="a", value="b")


HARMS = [custom_operator, custom_domain_of_a_node, custom_domain, no_domain, function, external_data,
         place_of_external_data_alone, huge_declared_shape, negative_shape, too_few_bytes, too_few_numbers,
         two_kinds_of_data, strings, sparse, large_constant, branch, graph_in_another_node, scan_within_scan,
         reads_what_is_not_there, reads_what_comes_later, gives_a_name_twice, output_of_nothing, another_input,
         one_more_input, another_shape, another_kind, sequence, training, metadata]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_what_a_graph_must_not_have_is_refused(harm: Callable[[onnx.ModelProto], None]) -> None:
    model = sound()
    harm(model)
    with pytest.raises(RunError, match="The graph is damaged, or was not written here") as caught:
        checked(model)
    assert caught.value.exit_code == 2


def test_bytes_that_are_cut_or_changed_never_end_in_another_error() -> None:
    content = sound().SerializeToString()
    for place in range(len(content)):
        with pytest.raises(RunError):
            checked(content[:place])
        changed = bytearray(content)
        changed[place] ^= 0x55
        try:
            checked(bytes(changed))
        except RunError:
            continue
        onnx.load_from_string(bytes(changed))  # what passes is still a message of that kind


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x3a\xff\xff\xff\xff\x7f", b"\x3a\x00" * 2, bytes(50)])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(RunError):
        checked(content)


def test_a_swarm_of_empty_nodes_is_refused() -> None:
    nodes = b"\x0a\x00" * 300_000
    with pytest.raises(RunError, match="more than 200,000 parts"):
        checked(b"\x3a" + onnx_length(len(nodes)) + nodes)


def onnx_length(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def test_a_file_that_is_too_large_is_not_looked_into() -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return LARGEST_GRAPH + 1

    with pytest.raises(RunError, match="where 1,073,741,824 are the most"):
        checked(Large())


def test_a_smaller_set_of_operators_can_be_asked_for() -> None:
    content = sound().SerializeToString()
    check_graph(content, INPUTS, OUTPUTS, OPERATORS - {"GRU"})
    with pytest.raises(RunError, match="the operator 'MatMul'"):
        check_graph(content, INPUTS, OUTPUTS, OPERATORS - {"MatMul"})


def test_graphs_nested_without_end_are_refused() -> None:
    nested = b""
    for _ in range(1000):  # a graph of a node of an attribute of a graph …
        for key in (b"\x32", b"\x2a", b"\x0a"):
            nested = key + onnx_length(len(nested)) + nested
    with pytest.raises(RunError):
        checked(b"\x3a" + onnx_length(len(nested)) + nested)


def test_the_check_imports_neither_onnx_nor_tensorflow() -> None:
    code = "import sys, forecast.inference.graph_check; assert not {'onnx', 'google', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
