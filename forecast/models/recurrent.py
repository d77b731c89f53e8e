"""The one builder of every recurrent network: normalise, segment, recur, decode, head, de-normalise.

window [L, F] -> normalise -> (segment + embed) -> recurrent layer 1 … k -> decode -> head -> de-normalise -> [H, D]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.config import NetworkConfig
from forecast.errors import ConfigError, RunError
from forecast.models.backend import HAS_GPU, keras
from forecast.models.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell, SLSTMCell
from forecast.models.loops import Recurrence
from forecast.models.shape import MOST_FED_BACK, SMALLEST_SCALE, Shape

ops, layers = keras.ops, keras.layers

_CELLS = {
    "rnn": SimpleRNNCell,
    "gru": GRUCell,
    "lstm": LSTMCell,
    "peephole": PeepholeLSTMCell,
    "coupled": CoupledLSTMCell,
    "slstm": SLSTMCell,
}

# Keras takes cuDNN's fused kernel for these layers on a GPU.
_ON_CUDNN = {"gru": layers.GRU, "lstm": layers.LSTM}

# The layer that hands on the normalised window, by which it can be found.
WINDOW = "window"

# The head starts a tenth as large as usual, so that training starts near the normalised zero: the last value, or the
# mean. What is learned is what is added to it, and on a series that says nothing it stays small.
_HEAD_SCALE = 0.01


def build_network(config: NetworkConfig, shape: Shape, seed: int, batch_size: int | None = None) -> keras.Model:
    """The network of a configuration, with fresh weights.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        seed: Decides the weights and the dropout; the same seed gives the same bits.
        batch_size: Only for a network that carries its state, which must know it.

    Returns:
        A Keras model from ``{"past": [B, L, F], "future": [B, H, K], "series": [B]}`` to ``[B, H, D]``, or, where it
        forecasts quantiles, ``[B, H, D, Q]``; all scaled.

    Raises:
        ConfigError: If the parts do not fit the shape.
    """
    return _Builder(config, shape, seed).build(batch_size)


class _Builder:
    """Holds what the parts of one network share: its configuration, its sizes, and a fresh seed for each part."""

    def __init__(self, config: NetworkConfig, shape: Shape, seed: int) -> None:
        self.config, self.shape = config, shape
        self.segment = min(config.segment, shape.lookback)
        self.n_past = -(-shape.lookback // self.segment)
        self.n_future = -(-shape.horizon // self.segment)
        self.n_quantiles = max(1, len(config.quantiles))
        self.seeds: Iterator[int] = itertools.count(1000 * seed)
        self.recurrent = [self.recurrent_layer(number) for number in range(len(config.units))]
        self.backward = [
            self.recurrent_layer(number, backward=True) for number in range(len(config.units)) if config.bidirectional
        ]
        self.head = self.dense(self.outputs_per_state(), "head", scale=_HEAD_SCALE)
        self.head_dropout = layers.Dropout(config.head_dropout, seed=next(self.seeds), name="head_dropout")
        self.embed = self.dense(config.units[0], "embed", "relu") if self.segment > 1 else None

    def build(self, batch_size: int | None) -> keras.Model:
        shape = self.shape
        past = keras.Input((shape.lookback, shape.features), batch_size, name="past")
        future = keras.Input((shape.horizon, shape.known), batch_size, name="future")
        series = keras.Input((), batch_size, dtype="int32", name="series")
        window, centre, scale = self.normalise(past)
        states = self.encode(self.tokens(window))
        decode = {"direct": self.direct, "parallel": self.parallel, "recursive": self.recursive}[self.config.decode]
        scaled = decode(window, future, series, states)
        centre, scale = centre[:, :, : shape.targets], scale[:, :, : shape.targets]
        if self.config.quantiles:
            scaled, centre, scale = self.ascending(scaled), centre[..., None], scale[..., None]
        # The centre first: what Keras's sum finds second it takes for a bias along the second axis, where the batch has
        # as many windows as the horizon has steps.
        forecast = centre + scaled * scale
        return keras.Model({"past": past, "future": future, "series": series}, forecast, name="forecast")

    def normalise(self, past: Any) -> tuple[Any, Any, Any]:
        """The window with each measured channel centred and scaled, and the centre and scale [B, 1, D + P]."""
        measured = past[:, :, : self.shape.targets + self.shape.covariates]
        known = past[:, :, self.shape.targets + self.shape.covariates :]
        kind = self.config.normalise
        centre, scale = ops.zeros_like(measured[:, -1:]), ops.ones_like(measured[:, -1:])
        if kind in ("last", "last-scaled"):
            centre = measured[:, -1:]
        if kind == "standard":
            centre = ops.mean(measured, axis=1, keepdims=True)
        if kind in ("standard", "last-scaled"):
            scale = ops.sqrt(ops.var(measured, axis=1, keepdims=True) + SMALLEST_SCALE**2)
        window = ops.concatenate([(measured - centre) / scale, known], axis=-1)
        return layers.Identity(name=WINDOW)(window), centre, scale

    def tokens(self, window: Any) -> Any:
        """What the cell is fed, [B, n, U]: the steps themselves, or one embedded segment after another."""
        if self.embed is None:
            return window
        # The oldest segment is filled up with the oldest row, so that the newest ends at the cut-off.
        missing = self.n_past * self.segment - self.shape.lookback
        if missing:
            window = ops.concatenate([ops.repeat(window[:, :1], missing, axis=1), window], axis=1)
        return self.embed(ops.reshape(window, (-1, self.n_past, self.segment * self.shape.features)))

    def encode(self, tokens: Any) -> list[list[Any]]:
        """Run the stack over the tokens; the final states of each layer: [h] or [h, c], each [B, U]."""
        states = []
        for depth, layer in enumerate(self.recurrent):
            before = tokens
            tokens, *state = layer(before)
            if self.backward:
                backward, *state_backward = self.backward[depth](before)
                if layer.return_sequences:  # what the backward layer says of a step comes last in its own order
                    backward = ops.flip(backward, axis=1)
                tokens = ops.concatenate([tokens, backward], axis=-1)
                pairs = zip(state, state_backward, strict=True)
                state = [ops.concatenate(pair, axis=-1) for pair in pairs]
            if self.config.activity_regularizer:
                # Not the layer's own argument: with return_state Keras penalises the states too, and its SimpleRNN
                # forgets the argument.
                tokens = layers.ActivityRegularization(l2=self.config.activity_regularizer)(tokens)
                if not layer.return_sequences:  # the last output is the state that is decoded
                    state[0] = tokens
            states.append(state)
        return states

    def ascending(self, raw: Any) -> Any:
        """Quantiles [B, H, D, Q] that cannot cross: the median, and positive distances outward from it."""
        raw = ops.reshape(raw, (-1, self.shape.horizon, self.shape.targets, self.n_quantiles))
        middle = self.n_quantiles // 2
        median, away = raw[..., middle : middle + 1], ops.softplus(raw)
        above = ops.cumsum(away[..., middle + 1 :], axis=-1)
        below = ops.flip(ops.cumsum(ops.flip(away[..., :middle], axis=-1), axis=-1), axis=-1)
        return ops.concatenate([median - below, median, median + above], axis=-1)

    def direct(self, window: Any, future: Any, series: Any, states: list[list[Any]]) -> Any:
        """One dense map from the last state to all H steps."""
        del window, future, series
        flat = self.head(self.head_dropout(states[-1][0]))
        return ops.reshape(flat, (-1, self.shape.horizon, self.shape.targets * self.n_quantiles))

    def parallel(self, window: Any, future: Any, series: Any, states: list[list[Any]]) -> Any:
        """Ask the stack once for each output segment, all at once from the last state (Lin et al. 2023, SegRNN).

        The question is the segment's position, the series' identity, and what is known of the segment's steps.
        """
        del window
        width = self.config.units[0] if self.embed is not None else self.shape.features
        queries = Queries(self.n_future, self.shape.series, width, next(self.seeds), name="queries")(series)
        if self.shape.known:
            queries = queries + self.dense(width, "known", use_bias=False)(self.cut(future))
        flat = ops.reshape(queries, (-1, 1, width))
        for layer, state in zip(self.recurrent, states, strict=True):
            flat, *_ = layer(flat, initial_state=[ops.repeat(part, self.n_future, axis=0) for part in state])
        answers = ops.reshape(flat, (-1, self.n_future, self.config.units[-1]))
        steps = self.head(self.head_dropout(answers))
        steps = ops.reshape(steps, (-1, self.n_future * self.segment, self.shape.targets * self.n_quantiles))
        return steps[:, : self.shape.horizon]

    def recursive(self, window: Any, future: Any, series: Any, states: list[list[Any]]) -> Any:
        """Feed each forecast segment back as the next input; covariates keep their last value.

        The head also reads what is known of the segment that it forecasts.
        """
        del series
        shape = self.shape
        if self.n_future > MOST_FED_BACK:
            raise ConfigError(
                f"decode = recursive would feed back {self.n_future} times; at most {MOST_FED_BACK} are allowed.",
                f"Use --segment {-(-shape.horizon // MOST_FED_BACK)} or more, or --decode direct.",
            )
        held = ops.repeat(window[:, -1:, shape.targets : shape.targets + shape.covariates], self.segment, axis=1)
        known = self.cut(future)
        answer, forecasts = states[-1][0], []
        for number in range(self.n_future):
            answer = self.head_dropout(answer)
            if shape.known:
                answer = ops.concatenate([answer, known[:, number]], axis=-1)
            steps = ops.reshape(self.head(answer), (-1, self.segment, shape.targets * self.n_quantiles))
            forecasts.append(steps)
            if number == self.n_future - 1:
                break
            median = steps[..., self.n_quantiles // 2 :: self.n_quantiles]
            token = ops.concatenate([median, held], axis=-1)
            if shape.known:
                ahead = ops.reshape(known[:, number], (-1, self.segment, shape.known))
                token = ops.concatenate([token, ahead], axis=-1)
            token = ops.reshape(token, (-1, 1, self.segment * shape.features))
            answer = self.embed(token) if self.embed is not None else token
            for depth, layer in enumerate(self.recurrent):
                answer, *states[depth] = layer(answer, initial_state=states[depth])
        return ops.concatenate(forecasts, axis=1)[:, : shape.horizon]

    def cut(self, future: Any) -> Any:
        """What is known of each output segment, [B, m, w * K]; beyond the horizon the last step is repeated."""
        missing = self.n_future * self.segment - self.shape.horizon
        if missing:
            future = ops.concatenate([future, ops.repeat(future[:, -1:], missing, axis=1)], axis=1)
        return ops.reshape(future, (-1, self.n_future, self.segment * self.shape.known))

    def outputs_per_state(self) -> int:
        steps = self.shape.horizon if self.config.decode == "direct" else self.segment
        return steps * self.shape.targets * self.n_quantiles

    def dense(
        self, width: int, name: str, activation: str = "linear", use_bias: bool = True, scale: float = 1.0
    ) -> Any:
        """A dense layer; its kernel starts as Glorot and Bengio's (2010), with ``scale`` times the variance."""
        initialiser = keras.initializers.VarianceScaling(scale, "fan_avg", "uniform", seed=next(self.seeds))
        return layers.Dense(width, activation, use_bias, kernel_initializer=initialiser, name=name)

    def recurrent_layer(self, number: int, backward: bool = False) -> Any:
        """One recurrent layer, with the arguments that Keras's layer of the same name takes."""
        config = self.config
        of_cell = {
            "activation": config.activation,
            "use_bias": config.use_bias,
            "kernel_initializer": self.initialiser(config.kernel_initializer),
            "recurrent_initializer": self.initialiser(config.recurrent_initializer),
            "bias_initializer": self.initialiser(config.bias_initializer),
            "kernel_regularizer": _l2(config.kernel_regularizer),
            "recurrent_regularizer": _l2(config.recurrent_regularizer),
            "bias_regularizer": _l2(config.bias_regularizer),
            "kernel_constraint": _constraint(config.kernel_constraint),
            "recurrent_constraint": _constraint(config.recurrent_constraint),
            "bias_constraint": _constraint(config.bias_constraint),
            "dropout": config.dropout,
            "recurrent_dropout": config.recurrent_dropout,
            "seed": next(self.seeds),
        }
        if config.cell != "rnn":
            of_cell["recurrent_activation"] = config.recurrent_activation
            own = "reset_after" if config.cell == "gru" else "unit_forget_bias"
            of_cell[own] = getattr(config, own)
        of_layer: dict[str, Any] = {
            "return_sequences": number < len(config.units) - 1,
            "return_state": True,
            "go_backwards": config.go_backwards or backward,
            "stateful": config.stateful,
            "name": f"{'backward' if backward else 'recurrent'}_{number + 1}",
        }
        units = config.units[number]
        if HAS_GPU and config.cell in _ON_CUDNN:
            return _ON_CUDNN[config.cell](units, unroll=bool(config.unroll), **of_cell, **of_layer)
        return Recurrence(_CELLS[config.cell](units, **of_cell), unroll=config.unroll, **of_layer)

    def initialiser(self, name: str) -> Any:
        kind = type(keras.initializers.get(name))
        return kind() if name in ("zeros", "ones") else kind(seed=next(self.seeds))


@keras.saving.register_keras_serializable("forecast")
class Queries(keras.layers.Layer):  # type: ignore[misc]
    """What the decoder asks for each output segment, [B, m, width]: its position and the series that it is for."""

    def __init__(self, segments: int, series: int, width: int, seed: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.segments, self.series, self.width, self.seed = segments, series, width, seed

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        own = {"segments": self.segments, "series": self.series, "width": self.width, "seed": self.seed}
        return super().get_config() | own

    def build(self, input_shape: object) -> None:
        """Make the weights."""
        del input_shape
        of_series = self.width // 2 if self.series > 1 else 0
        start = keras.initializers.RandomNormal(stddev=0.5, seed=self.seed)
        self.positions = self.add_weight((self.segments, self.width - of_series), start, name="positions")
        if of_series:
            start = keras.initializers.RandomNormal(stddev=0.5, seed=self.seed + 1)
            self.identities = self.add_weight((self.series, of_series), start, name="identities")

    def call(self, series: Any) -> Any:
        """The questions of a batch of series [B]."""
        batch = ops.shape(series)[0]
        queries = ops.broadcast_to(self.positions[None], (batch, *self.positions.shape))
        if self.positions.shape[1] == self.width:
            return queries
        # A product with one-hot rows, not a lookup: the gradient of a lookup adds in no fixed order.
        identity = ops.one_hot(series, self.series) @ self.identities
        return ops.concatenate([queries, ops.repeat(identity[:, None], self.segments, axis=1)], axis=-1)


def _l2(penalty: float) -> Any:
    return keras.regularizers.L2(penalty) if penalty else None


def _constraint(name: str) -> Any:
    return None if name == "none" else keras.constraints.get(name)


def weights_of(network: keras.Model) -> dict[str, NDArray[np.float32]]:
    """The trainable weights by layer and name, such as ``recurrent_1/kernel``."""
    return {name: variable.numpy() for name, variable in _named(network).items()}


def set_weights(network: keras.Model, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Fill a network with weights that `weights_of` returned.

    Raises:
        RunError: If names or shapes are not those of the network.
    """
    variables = _named(network)
    received = {name: tuple(array.shape) for name, array in weights.items()}
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    if received != expected:
        odd = sorted(set(received.items()) ^ set(expected.items()))
        raise RunError(f"The weights are not those of this network: {odd[0][0]} differs.", "Train the run again.")
    for name, variable in variables.items():
        variable.assign(weights[name])


def repeat_last_value(network: keras.Model) -> None:
    """Empty the head of a network that counts from the last value: what it adds to that value is then nothing."""
    head = network.get_layer("head")
    head.set_weights([np.zeros_like(part) for part in head.get_weights()])


def _named(network: keras.Model) -> dict[str, Any]:
    # Not Keras's paths: they count the cells of the whole process.
    return {
        f"{layer.name}/{variable.name}": variable for layer in network.layers for variable in layer.trainable_weights
    }


def leaves_cudnn(config: NetworkConfig) -> str | None:
    """Which settings keep the layer off cuDNN's fused kernel on a GPU, in words; None when it stays on it.

    Keras takes the fused kernel only for the standard gates; elsewhere it loops over the steps.
    """
    reasons = {
        f"cell = {config.cell}": config.cell not in _ON_CUDNN,
        f"activation = {config.activation}": config.activation != "tanh",
        f"recurrent_activation = {config.recurrent_activation}": config.recurrent_activation != "sigmoid",
        f"recurrent_dropout = {config.recurrent_dropout:g}": config.recurrent_dropout > 0,
        "use_bias = false": not config.use_bias,
        "reset_after = false": config.cell == "gru" and not config.reset_after,
        "unroll = true": config.unroll is True,
    }
    found = [reason for reason, applies in reasons.items() if applies]
    return f"{', '.join(found)}: off cuDNN's fused kernel on a GPU" if found else None
