"""The network of a configuration and its weights as an ONNX graph: what forecasts are made with, without TensorFlow.

The parts are those of `forecast.models.recurrent`, one for one, and compute the same to float32 rounding. The graph is
written anew from the weights whenever it is needed, so that none is ever read from a file that someone else made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from forecast.config import NetworkConfig
from forecast.models.graph_cells import STATES, as_node, refusal
from forecast.models.graph_nodes import Graph
from forecast.models.shape import MOST_FED_BACK, SMALLEST_SCALE, Shape

_FLOAT, _INT = TensorProto.FLOAT, TensorProto.INT64

# ONNX Runtime projects every step of a layer's input before the first of its turns. Of the windows that a core takes at
# once, what that writes of so many gates still lies in its cache when they are read.
WINDOWS_AT_ONCE = 48
_GATES_AT_ONCE = 160_000
# Each piece of a sequence has a copy of the weights.
_MOST_PIECES = 16

Weights = Mapping[str, NDArray[np.float32]]


class NotInGraph(Exception):
    """A network that this module cannot write down; the text says why."""


def graph_of(config: NetworkConfig, shape: Shape, weights: Weights, carrying: bool = False) -> bytes:
    """The network as the bytes of an ONNX model.

    Inputs are ``past`` [B, L, F], ``future`` [B, H, K] where K > 0, and ``series`` [B] where the network knows its
    series apart; the output is ``forecast``, [B, H, D] or [B, H, D, Q]; all scaled.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        weights: By name, as `weights_of` in `forecast.models.recurrent` returns them.
        carrying: Whether the states of the layers before the first step are inputs too, ``state_1`` …, each [B, U],
            and those after the last step outputs, ``new_state_1`` ….

    Raises:
        NotInGraph: If ONNX has no node for the cell with these arguments.
    """
    names = ("past", "future", "series")
    return _Writer(Graph(), dict(zip(names, names, strict=True)), config, shape, weights, carrying).written()


def written_into(graph: Graph, fed: Mapping[str, str], config: NetworkConfig, shape: Shape, weights: Weights) -> str:
    """The name of a network's scaled forecast, which is added to a graph.

    Args:
        graph: Where to.
        fed: The names that the graph has for what `graph_of` takes.
        config: A resolved configuration.
        shape: Sizes of input and output.
        weights: By name.

    Raises:
        NotInGraph: If ONNX has no node for the cell with these arguments.
    """
    return _Writer(graph, fed, config, shape, weights).forecast()


class _Writer:
    """Writes one network down; its methods are those of the builder."""

    def __init__(
        self,
        graph: Graph,
        fed: Mapping[str, str],
        config: NetworkConfig,
        shape: Shape,
        weights: Weights,
        carrying: bool = False,
    ) -> None:
        reason = refusal(config)
        if reason is not None:
            raise NotInGraph(reason)
        self.config, self.shape, self.weights, self.carrying = config, shape, weights, carrying
        self.graph, self.node, self.cut, self.fed = graph, graph.node, graph.cut, fed
        self.segment = min(config.segment, shape.lookback)
        self.n_past = -(-shape.lookback // self.segment)
        self.n_future = -(-shape.horizon // self.segment)
        self.n_quantiles = max(1, len(config.quantiles))
        self.inputs = [helper.make_tensor_value_info("past", _FLOAT, ["B", shape.lookback, shape.features])]
        self.outputs: list[Any] = []

    def written(self) -> bytes:
        self.graph.name("forecast", self.forecast())
        size = [self.shape.horizon, self.shape.targets, *([self.n_quantiles] if self.config.quantiles else [])]
        self.outputs.insert(0, helper.make_tensor_value_info("forecast", _FLOAT, ["B", *size]))
        return self.graph.model(self.inputs, self.outputs)

    def forecast(self) -> str:
        window, centre, scale = self.normalise()
        states = self.encode(self.tokens(window))
        decode = {"direct": self.direct, "parallel": self.parallel, "recursive": self.recursive}[self.config.decode]
        scaled = decode(window, states)
        if self.config.quantiles:
            scaled = self.ascending(scaled)
        if scale is not None:
            scaled = self.node("Mul", scaled, self.of_targets(scale))
        if centre is not None:
            scaled = self.node("Add", scaled, self.of_targets(centre))
        return scaled

    def normalise(self) -> tuple[str, str | None, str | None]:
        """The window with each measured channel centred and scaled, and what was taken away, [B, 1, D + P]."""
        kind, measured = self.config.normalise, self.shape.targets + self.shape.covariates
        if kind == "none":
            return self.fed["past"], None, None
        past = self.fed["past"]
        values, known = self.cut(past, 0, measured, 2), self.cut(past, measured, self.shape.features, 2)
        centre, scale = self.cut(values, -1, None, 1), None
        mean = self.node("ReduceMean", values, axes=[1]) if kind != "last" else None
        if mean is not None:
            away = self.node("Sub", values, mean)
            variance = self.node("ReduceMean", self.node("Mul", away, away), axes=[1])
            scale = self.node("Sqrt", self.node("Add", variance, np.array(SMALLEST_SCALE**2, np.float32)))
        if kind == "standard":
            centre = str(mean)
        values = self.node("Sub", values, centre)
        if scale is not None:
            values = self.node("Div", values, scale)
        return self.node("Concat", values, known, axis=2) if self.shape.known else values, centre, scale

    def of_targets(self, statistic: str) -> str:
        """Centre or scale of the targets, as it stands beside the forecast."""
        statistic = self.cut(statistic, 0, self.shape.targets, 2)
        return self.node("Unsqueeze", statistic, np.array([3])) if self.config.quantiles else statistic

    def tokens(self, window: str) -> str:
        """What the cell is fed, time first: [n, B, U]."""
        if self.segment > 1:
            missing = self.n_past * self.segment - self.shape.lookback
            if missing:
                oldest = self.cut(window, 0, 1, 1)
                window = self.node("Concat", *[oldest] * missing, window, axis=1)
            window = self.reshaped(window, -1, self.n_past, self.segment * self.shape.features)
            window = self.node("Relu", self.dense(window, "embed"))
        return self.node("Transpose", window, perm=[1, 0, 2])

    def encode(self, tokens: str) -> list[list[str]]:
        """Run the stack over the tokens; the final states of each layer, each [B, U]."""
        states, deep = [], len(self.config.units)
        for number in range(deep):
            before, initial = tokens, self.carried_in(number)
            if self.config.go_backwards:
                before = self.flipped(tokens)
            outputs, state = self.layer(f"recurrent_{number + 1}", number, before, initial, self.n_past)
            if self.config.bidirectional:
                name = f"backward_{number + 1}"
                backward, state_backward = self.layer(name, number, self.flipped(tokens), None, self.n_past)
                if outputs:
                    outputs = self.node("Concat", outputs, self.flipped(backward), axis=2)
                state = [self.node("Concat", *pair, axis=1) for pair in zip(state, state_backward, strict=True)]
            tokens = outputs
            self.carry_out(state)
            states.append(state)
        return states

    def layer(
        self, name: str, number: int, tokens: str, states: list[str] | None, n_tokens: int = 1
    ) -> tuple[str, list[str]]:
        """One recurrent layer over [n, B, F]: all outputs [n, B, U], and the last states [B, U].

        Of the last layer nobody reads more than the states, so its outputs are not even written, and have no name.
        """
        arrays = {key.removeprefix(f"{name}/"): value for key, value in self.weights.items() if key.startswith(name)}
        units, last = self.config.units[number], number == len(self.config.units) - 1
        if self.config.cell == "slstm":
            return self.slstm(arrays, units, tokens, states)
        kind, weights, attributes = as_node(self.config, arrays, units)
        peepholes = [weights.pop()] if len(weights) == 4 else []
        carried = [self.node("Unsqueeze", state, np.array([0])) for state in states or ()]
        length = max(_GATES_AT_ONCE // (WINDOWS_AT_ONCE * 4 * units), -(-n_tokens // _MOST_PIECES))
        outputs = []
        for first in range(0, n_tokens, length):
            piece = self.cut(tokens, first, first + length, 0) if length < n_tokens else tokens
            initial = carried or [""] * (len(STATES[self.config.cell]) if peepholes else 0)
            output, *carried = self.node(
                kind, piece, *weights, *(["", *initial] if initial else ()), *peepholes,
                outputs=1 + len(STATES[self.config.cell]), hidden_size=units, **attributes,
            )  # fmt: skip
            if last:
                self.graph.nodes[-1].output[0] = ""
            outputs.append(output)
        whole = self.node("Concat", *outputs, axis=0) if len(outputs) > 1 and not last else outputs[0]
        return (
            "" if last else self.node("Squeeze", whole, np.array([1])),
            [self.node("Squeeze", state, np.array([0])) for state in carried],
        )

    def slstm(self, arrays: Weights, units: int, tokens: str, states: list[str] | None) -> tuple[str, list[str]]:
        """An sLSTM layer, for which ONNX has no node: a loop over the steps."""
        projected = self.node("MatMul", tokens, arrays["kernel"])
        if "bias" in arrays:
            projected = self.node("Add", projected, arrays["bias"])
        if states is None:
            like = self.cut(self.node("Gather", projected, np.array(0), axis=0), 0, units, 1)
            states = [self.node("Mul", like, np.array(0, np.float32))] * 4
        with self.graph.inside() as body:
            h, c, n, m = (self.graph.fresh("state") for _ in range(4))
            step = self.graph.fresh("step")
            gates = self.node("Add", step, self.node("MatMul", h, arrays["recurrent_kernel"]))
            i, f, candidate, o = self.node("Split", gates, np.array([units] * 4), outputs=4, axis=1)
            f = self.node("Add", f, m)
            new_m = self.node("Max", f, i)
            i, f = (self.node("Exp", self.node("Sub", gate, new_m)) for gate in (i, f))
            new_c = self.node("Mul", i, self.node("Tanh", candidate))
            new_c = self.node("Add", self.node("Mul", f, c), new_c)
            new_n = self.node("Add", self.node("Mul", f, n), i)
            whole = self.node("Max", new_n, np.array(1e-30, np.float32))
            new_h = self.node("Div", self.node("Mul", self.node("Sigmoid", o), new_c), whole)
            said = self.node("Identity", new_h)
        one_step = helper.make_graph(
            body,
            self.graph.fresh("slstm"),
            [helper.make_tensor_value_info(name, _FLOAT, None) for name in (h, c, n, m, step)],
            [helper.make_tensor_value_info(name, _FLOAT, None) for name in (new_h, new_c, new_n, new_m, said)],
        )
        *last, outputs = self.node("Scan", *states, projected, outputs=5, body=one_step, num_scan_inputs=1)
        return outputs, last

    def direct(self, window: str, states: list[list[str]]) -> str:
        """One dense map from the last state to all H steps."""
        del window
        return self.reshaped(self.dense(states[-1][0], "head"), -1, self.shape.horizon, self.outputs_per_step)

    def parallel(self, window: str, states: list[list[str]]) -> str:
        """The stack asked once for each output segment, all at once from the last state."""
        del window
        positions = self.weights["queries/positions"]
        width, m = self.config.units[0] if self.segment > 1 else self.shape.features, self.n_future
        windows = self.node("Gather", self.node("Shape", self.fed["past"]), np.array([0]), axis=0)

        def repeated(part: str, size: int) -> str:  # [B, size] for each of the m segments
            rows = self.node("Concat", windows, np.array([m, size]), axis=0)
            return self.node("Expand", self.node("Unsqueeze", part, np.array([1])), rows)

        rows = self.node("Concat", windows, np.array(positions.shape), axis=0)
        queries = self.node("Expand", positions[None], rows)
        if "queries/identities" in self.weights:
            self.inputs.append(helper.make_tensor_value_info("series", _INT, ["B"]))
            identities = self.weights["queries/identities"]
            of_series = repeated(self.node("Gather", identities, self.fed["series"], axis=0), identities.shape[1])
            queries = self.node("Concat", queries, of_series, axis=2)
        if self.shape.known:
            known = self.node("MatMul", self.known_segments(), self.weights["known/kernel"])
            queries = self.node("Add", queries, known)
        flat = self.reshaped(queries, 1, -1, width)
        for number, state in enumerate(states):
            units = self.config.units[number]
            start = [self.reshaped(repeated(part, units), -1, units) for part in state]
            flat, last = self.layer(f"recurrent_{number + 1}", number, flat, start)
        answers = self.reshaped(last[0], -1, m, self.config.units[-1])
        steps = self.reshaped(self.dense(answers, "head"), -1, m * self.segment, self.outputs_per_step)
        return self.cut(steps, 0, self.shape.horizon, 1)

    def recursive(self, window: str, states: list[list[str]]) -> str:
        """Each forecast segment fed back as the next input; covariates keep their last value."""
        if self.n_future > MOST_FED_BACK:
            raise NotInGraph(f"forecasts would be fed back {self.n_future} times, and {MOST_FED_BACK} are the most")
        shape, answer, forecasts = self.shape, states[-1][0], []
        measured = shape.targets + shape.covariates
        last = self.cut(self.cut(window, -1, None, 1), shape.targets, measured, 2)
        held = self.node("Concat", *[last] * self.segment, axis=1)
        known = self.known_segments() if shape.known else ""
        for number in range(self.n_future):
            ahead = ""
            if shape.known:
                ahead = self.node("Gather", known, np.array(number), axis=1)
                answer = self.node("Concat", answer, ahead, axis=1)
            steps = self.reshaped(self.dense(answer, "head"), -1, self.segment, self.outputs_per_step)
            forecasts.append(steps)
            if number == self.n_future - 1:
                break
            medians = np.arange(self.n_quantiles // 2, self.outputs_per_step, self.n_quantiles)
            token = self.node("Concat", self.node("Gather", steps, medians, axis=2), held, axis=2)
            if shape.known:
                ahead = self.reshaped(ahead, -1, self.segment, shape.known)
                token = self.node("Concat", token, ahead, axis=2)
            token = self.reshaped(token, 1, -1, self.segment * shape.features)
            if self.segment > 1:
                token = self.node("Relu", self.dense(token, "embed"))
            for depth in range(len(states)):
                token, states[depth] = self.layer(f"recurrent_{depth + 1}", depth, token, states[depth])
            answer = states[-1][0]
        forecast = self.node("Concat", *forecasts, axis=1) if len(forecasts) > 1 else forecasts[0]
        return self.cut(forecast, 0, shape.horizon, 1)

    def ascending(self, raw: str) -> str:
        """Quantiles [B, H, D, Q] that cannot cross: the median, and positive distances outward from it."""
        raw = self.reshaped(raw, -1, self.shape.horizon, self.shape.targets, self.n_quantiles)
        middle = self.n_quantiles // 2
        median, away, axis = self.cut(raw, middle, middle + 1, 3), self.node("Softplus", raw), np.array(3)
        above = self.node("CumSum", self.cut(away, middle + 1, self.n_quantiles, 3), axis)
        below = self.node("CumSum", self.cut(away, 0, middle, 3), axis, reverse=1)
        ends = self.node("Sub", median, below), median, self.node("Add", median, above)
        return self.node("Concat", *ends, axis=3)

    def known_segments(self) -> str:
        """What is known of each output segment, [B, m, w * K]; beyond the horizon the last step is repeated."""
        size = self.shape.horizon, self.shape.known
        self.inputs.append(helper.make_tensor_value_info("future", _FLOAT, ["B", *size]))
        future, missing = self.fed["future"], self.n_future * self.segment - self.shape.horizon
        if missing:
            future = self.node("Concat", future, *[self.cut(future, -1, None, 1)] * missing, axis=1)
        return self.reshaped(future, -1, self.n_future, self.segment * self.shape.known)

    def carried_in(self, number: int) -> list[str] | None:
        """The states of a layer before the first step, where they are inputs."""
        if not self.carrying:
            return None
        first, states = len(self.inputs), STATES[self.config.cell]
        names = [f"state_{first + place}" for place in range(len(states))]
        size: list[str | int | None] = ["B", self.config.units[number]]
        self.inputs += [helper.make_tensor_value_info(name, _FLOAT, size) for name in names]
        return names

    def carry_out(self, state: Sequence[str]) -> None:
        """Make the states of a layer after the last step outputs, where they are carried."""
        for part in state if self.carrying else ():
            name = f"new_state_{len(self.outputs) + 1}"
            self.graph.name(name, part)
            self.outputs.append(helper.make_tensor_value_info(name, _FLOAT, None))

    @property
    def outputs_per_step(self) -> int:
        return self.shape.targets * self.n_quantiles

    def dense(self, value: str, name: str) -> str:
        return self.node(
            "Add", self.node("MatMul", value, self.weights[f"{name}/kernel"]), self.weights[f"{name}/bias"]
        )

    def reshaped(self, value: str, *size: int) -> str:
        return self.node("Reshape", value, np.array(size))

    def flipped(self, value: str) -> str:
        """[n, B, U] with the last step first."""
        least = np.iinfo(np.int64).min
        return self.node("Slice", value, *(np.array([number]) for number in (-1, least, 0, -1)))
