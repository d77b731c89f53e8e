"""The network in Keras: built with fresh weights, trained, filled, and run on windows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.config import NetworkConfig
from forecast.data.windows import Flags, Ints
from forecast.errors import RunError
from forecast.models.backends.loops import Recurrence, RecurrentCell, staying_here
from forecast.models.backends.tensorflow import HAS_GPU, keras, tf
from forecast.models.network import Network, RowSource, Shape, gather_windows, weight_shapes
from forecast.models.smoothing import Smoothing

ops, layers = keras.ops, keras.layers

# Keras takes cuDNN's fused kernel for these layers on a GPU.
_ON_CUDNN = {"gru": layers.GRU, "lstm": layers.LSTM}

# The layer that hands on the normalised window, by which it can be found.
WINDOW = "window"

# The head starts a tenth as large as usual, so that training starts near the normalised zero: the last value, or the
# mean. What is learned is what is added to it, and on a series that says nothing it stays small.
_HEAD_SCALE = 0.01

# Standard deviation of the first embeddings, as Keras's own; inputs have one of about 1.
_TABLE_SCALE = 0.05

# Windows that are scored at once. Larger batches gain nothing on a CPU and cost memory.
_SCORED_AT_ONCE = 1024


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
    network = Network(config, shape, KerasOps(config, shape, seed))
    inputs = {
        "past": keras.Input((shape.lookback, shape.features), batch_size, name="past"),
        "future": keras.Input((shape.horizon, shape.known), batch_size, name="future"),
        "series": keras.Input((), batch_size, dtype="int32", name="series"),
    }
    forecast, _ = network.forecast(**inputs)
    return keras.Model(inputs, forecast, name="forecast")


class ArrayOps:
    """Functions of Keras's tensors, by the names that `forecast.data.scaling` and `forecast.models.network` use."""

    concat, reshape, repeat = staticmethod(ops.concatenate), staticmethod(ops.reshape), staticmethod(ops.repeat)
    flip, cumsum, sqrt = staticmethod(ops.flip), staticmethod(ops.cumsum), staticmethod(ops.sqrt)
    softplus, exp, log = staticmethod(ops.softplus), staticmethod(ops.exp), staticmethod(ops.log)
    isnan = staticmethod(ops.isnan)
    maximum, minimum, where = staticmethod(ops.maximum), staticmethod(ops.minimum), staticmethod(ops.where)
    round, mod, take, cast = (
        staticmethod(ops.round), staticmethod(ops.mod), staticmethod(ops.take), staticmethod(ops.cast),
    )  # fmt: skip

    @staticmethod
    def mean(value: Any) -> Any:
        """The mean over time, [B, 1, C]."""
        return ops.mean(value, axis=1, keepdims=True)

    @staticmethod
    def variance(value: Any) -> Any:
        """The variance over time, [B, 1, C]."""
        return ops.var(value, axis=1, keepdims=True)


class KerasOps(ArrayOps):
    """The operations of `forecast.models.network.Ops`, and the layers of one network with their seeds.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        seed: Of the whole network; each part gets one of its own.
    """

    def __init__(self, config: NetworkConfig, shape: Shape, seed: int) -> None:
        self.config, self.shape, self.seeds = config, shape, itertools.count(1000 * seed)
        self.sizes = weight_shapes(config, shape)
        # In an order that never changes, since each takes the next seed.
        directions = ("recurrent", "backward") if config.bidirectional else ("recurrent",)
        self.recurrent_layers = {
            f"{direction}_{number + 1}": self._recurrent_layer(f"{direction}_{number + 1}", number)
            for direction in directions
            for number in range(len(config.units))
        }
        self.dense_layers = {"head": self._dense_layer("head", _HEAD_SCALE)} if config.units else {}
        self.lookups: dict[str, Any] = {}
        self.head_dropout = layers.Dropout(config.head_dropout, seed=next(self.seeds), name="head_dropout")

    def dense(self, name: str, value: Any, relu: bool = False) -> Any:
        """A dense layer, made when it is first needed."""
        if name not in self.dense_layers:
            self.dense_layers[name] = self._dense_layer(name, activation="relu" if relu else "linear")
        return self.dense_layers[name](value)

    def recurrent(
        self, name: str, inputs: Any, states: list[Any] | None, backwards: bool = False
    ) -> tuple[Any, list[Any]]:
        """A recurrent layer, which knows itself whether it reads backwards."""
        del backwards
        outputs, *last = self.recurrent_layers[name](inputs, initial_state=states)
        return outputs, last

    def lookup(self, name: str, numbers: Any) -> Any:
        """An embedding, made when it is first needed."""
        if name not in self.lookups:
            self.lookups[name] = Lookup(self.sizes[f"{name}/table"], next(self.seeds), name=name)
        return self.lookups[name](numbers)

    def queries(self, series: Any) -> Any:
        """What the parallel decoder asks, [B, m, width]."""
        positions, identities = self.sizes["queries/positions"], self.sizes.get("queries/identities")
        return Queries(positions, identities, next(self.seeds), name="queries")(series)

    def decay(self, ages: Any) -> Any:
        """A layer of two weights for each column."""
        return Decay(name="decay")(ages)

    def smooth(self, sizes: Smoothing, past: Any, observed: Any | None) -> Any:
        """A layer without weights, so that a file keeps its sizes and not its matrices."""
        return SmoothedAhead(vars(sizes))(past, observed)

    def dropout(self, value: Any) -> Any:
        """The head's dropout."""
        return self.head_dropout(value)

    def penalise(self, value: Any) -> Any:
        """A penalty on the outputs."""
        # Not the recurrent layer's own argument: with return_state Keras penalises the states too, and its SimpleRNN
        # forgets the argument.
        penalty = self.config.activity_regularizer
        return layers.ActivityRegularization(l2=penalty)(value) if penalty else value

    def mark_window(self, value: Any) -> Any:
        """A layer of a known name, behind which the network can be cut open."""
        return layers.Identity(name=WINDOW)(value)

    def _dense_layer(self, name: str, scale: float = 1.0, activation: str = "linear") -> Any:
        """A dense layer; its kernel starts as Glorot and Bengio's (2010), with ``scale`` times the variance."""
        start = keras.initializers.VarianceScaling(scale, "fan_avg", "uniform", seed=next(self.seeds))
        width, use_bias = self.sizes[f"{name}/kernel"][1], f"{name}/bias" in self.sizes
        return layers.Dense(width, activation, use_bias, kernel_initializer=start, name=name)

    def _recurrent_layer(self, name: str, number: int) -> Any:
        """One recurrent layer, with the arguments that Keras's layer of the same name takes."""
        config, units = self.config, self.config.units[number]
        kinds = ("kernel", "recurrent", "bias")
        initializers = {kind: self._initializer(getattr(config, f"{kind}_initializer")) for kind in kinds}
        penalties = {kind: getattr(config, f"{kind}_regularizer") for kind in kinds}
        regularizers = {kind: keras.regularizers.L2(penalty) for kind, penalty in penalties.items() if penalty}
        named = {kind: getattr(config, f"{kind}_constraint") for kind in kinds}
        constraints = {kind: keras.constraints.get(value) for kind, value in named.items() if value != "none"}
        of_cell: dict[str, Any] = {"activation": config.activation, "recurrent_activation": config.recurrent_activation,
                   "use_bias": config.use_bias}  # fmt: skip
        of_layer: dict[str, Any] = {
            "dropout": config.dropout,
            "recurrent_dropout": config.recurrent_dropout,
            "seed": next(self.seeds),
            "return_sequences": number < len(config.units) - 1,
            "return_state": True,
            "go_backwards": config.go_backwards or name.startswith("backward"),
            "stateful": config.stateful,
            "name": name,
        }
        if HAS_GPU and config.cell in _ON_CUDNN:
            flat = {
                f"{kind}_{what}": value
                for what, values in (
                    ("initializer", initializers),
                    ("regularizer", regularizers),
                    ("constraint", constraints),
                )
                for kind, value in values.items()
            }
            own = "reset_after" if config.cell == "gru" else "unit_forget_bias"
            flat[own] = getattr(config, own)
            return _ON_CUDNN[config.cell](units, unroll=bool(config.unroll), **of_cell, **flat, **of_layer)
        cell = RecurrentCell(
            config.cell, units, **of_cell, unit_forget_bias=config.unit_forget_bias, reset_after=config.reset_after,
            initializers=initializers, regularizers=regularizers, constraints=constraints,
        )  # fmt: skip
        return Recurrence(cell, unroll=config.unroll, **of_layer)

    def _initializer(self, name: str) -> Any:
        kind = type(keras.initializers.get(name))
        return kind() if name in ("zeros", "ones") else kind(seed=next(self.seeds))


@keras.saving.register_keras_serializable("forecast")
class Queries(keras.layers.Layer):  # type: ignore[misc]
    """What the parallel decoder asks for each output segment, [B, m, width]: its position, and the window's series.

    Args:
        positions: Shape of the positions' weight, [m, width − I].
        identities: Shape of the series' weight, [S, I]; None where there is one series.
        seed: Of the first weights.
        arguments: Those of a Keras layer.
    """

    def __init__(
        self, positions: tuple[int, ...], identities: tuple[int, ...] | None, seed: int, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.sizes, self.seed = (positions, identities), seed

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        positions, identities = self.sizes
        return super().get_config() | {"positions": positions, "identities": identities, "seed": self.seed}

    def build(self, input_shape: object) -> None:
        """Make the weights."""
        del input_shape
        positions, identities = self.sizes
        start = keras.initializers.RandomNormal(stddev=0.5, seed=self.seed)
        self.positions = self.add_weight(positions, start, name="positions")
        self.identities = None
        if identities is not None:
            start = keras.initializers.RandomNormal(stddev=0.5, seed=self.seed + 1)
            self.identities = self.add_weight(identities, start, name="identities")

    def call(self, series: Any) -> Any:
        """The queries of a batch of series [B]."""
        batch = ops.shape(series)[0]
        queries = ops.broadcast_to(self.positions[None], (batch, *self.positions.shape))
        if self.identities is None:
            return queries
        # A product with one-hot rows, not a lookup: the gradient of a lookup adds in no fixed order.
        identity = ops.one_hot(series, self.identities.shape[0]) @ self.identities
        return ops.concatenate([queries, ops.repeat(identity[:, None], self.positions.shape[0], axis=1)], axis=-1)


# A value that was carried forward one step starts as one of which a tenth has decayed.
_FIRST_DECAY = 0.1


@keras.saving.register_keras_serializable("forecast")
class Decay(keras.layers.Layer):  # type: ignore[misc]
    """How much of a value is left at its age, [B, L, C]."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        size = (input_shape[-1],)
        self.kernel = self.add_weight(size, keras.initializers.Constant(_FIRST_DECAY), name="kernel")
        self.bias = self.add_weight(size, "zeros", name="bias")

    def call(self, ages: Any) -> Any:
        """Between 1, for what was just observed, and 0."""
        return ops.exp(-ops.relu(ages * self.kernel + self.bias))


@keras.saving.register_keras_serializable("forecast")
class SmoothedAhead(keras.layers.Layer):  # type: ignore[misc]
    """`Smoothing.forecast` as a layer.

    Args:
        sizes: Those of the smoothing.
        arguments: Those of a Keras layer.
    """

    def __init__(self, sizes: dict[str, int], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.sizes = sizes

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return super().get_config() | {"sizes": dict(self.sizes)}

    def call(self, past: Any, observed: Any = None) -> Any:
        """The forecasts [B, H] of windows [B, L]."""
        return Smoothing(**self.sizes).forecast(ArrayOps, past, observed)


@keras.saving.register_keras_serializable("forecast")
class Lookup(keras.layers.Layer):  # type: ignore[misc]
    """An embedding: the rows of a table by their numbers [B, n], which come as whole floats, [B, n, W].

    Args:
        size: Shape of the table, [V, W].
        seed: Of the first weights.
        arguments: Those of a Keras layer.
    """

    def __init__(self, size: tuple[int, ...], seed: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.size, self.seed = size, seed

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return super().get_config() | {"size": self.size, "seed": self.seed}

    def build(self, input_shape: object) -> None:
        """Make the table. It starts small: a word that is rarely seen says little."""
        del input_shape
        start = keras.initializers.RandomNormal(stddev=_TABLE_SCALE, seed=self.seed)
        self.table = self.add_weight(self.size, start, name="table")

    def call(self, numbers: Any) -> Any:
        """The rows."""
        return ops.take(self.table, ops.cast(numbers, "int32"), axis=0)


class Adam(keras.optimizers.Adam):  # type: ignore[misc]
    """Keras's Adam, to the bit, in half as many operations for each weight, which are traced one by one.

    TensorFlow has it in one operation, which takes 1 - 0.9 for another number.
    """

    def apply(self, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        """Clip the gradients, and let the variables take a step."""
        step = tf.cast(self.iterations + 1, tf.float32)
        rate = self.learning_rate * tf.sqrt(1 - tf.pow(self.beta_2, step)) / (1 - tf.pow(self.beta_1, step))
        self._numbers = rate, *map(tf.constant, (1 - self.beta_1, 1 - self.beta_2, self.epsilon))
        super().apply(gradients, variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Let a variable take a step; but for the rows of a table, where Keras counts each row that is asked for."""
        if isinstance(gradient, tf.IndexedSlices):
            return super().update_step(gradient, variable, learning_rate)
        rate, new_in_first, new_in_second, epsilon = self._numbers
        number = self._get_variable_index(variable)
        first, second = self._momentums[number].value, self._velocities[number].value
        m = first.assign_add((gradient - first) * new_in_first)
        v = second.assign_add((tf.square(gradient) - second) * new_in_second)
        variable.assign_sub(m * rate / (tf.sqrt(v) + epsilon))


def weights_of(network: keras.Model) -> dict[str, NDArray[np.float32]]:
    """The trainable weights by layer and name, such as ``recurrent_1/kernel``."""
    return {name: variable.numpy() for name, variable in _variables(network).items()}


def set_weights(network: keras.Model, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Fill a network with weights that `weights_of` returned.

    Raises:
        RunError: If names or shapes are not those of the network.
    """
    variables = _variables(network)
    received = {name: tuple(array.shape) for name, array in weights.items()}
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    if received != expected:
        different = sorted(set(received.items()) ^ set(expected.items()))
        raise RunError(f"The weights are not those of this network: {different[0][0]} differs.", "Train the run again.")
    for name, variable in variables.items():
        variable.assign(weights[name])


def moments_of(network: keras.Model, optimizer: keras.Optimizer) -> dict[str, NDArray[Any]]:
    """Adam's moments of every weight, such as ``head/kernel/velocity``, and the steps that it made, ``iteration``."""
    return {name: np.asarray(variable) for name, variable in _moments(network, optimizer).items()}


def set_moments(network: keras.Model, optimizer: keras.Optimizer, moments: Mapping[str, NDArray[Any]]) -> None:
    """Let an optimiser go on with moments that `moments_of` returned; with none it begins anew."""
    for name, variable in _moments(network, optimizer).items() if moments else ():
        variable.assign(moments[name])


def _moments(network: keras.Model, optimizer: keras.Optimizer) -> dict[str, Any]:
    names = {id(variable): name for name, variable in _variables(network).items()}
    found = {"iteration": optimizer.iterations}
    for kind in ("momentum", "velocity"):
        of_kind = [variable for variable in optimizer.variables if variable.name.endswith(f"_{kind}")]
        weights = zip(network.trainable_variables, of_kind, strict=True)
        found |= {f"{names[id(weight)]}/{kind}": moment for weight, moment in weights}
    return found


def empty_head(network: keras.Model) -> None:
    """Let a network add nothing to what it stands beside."""
    head = network.get_layer("head")
    head.set_weights([np.zeros_like(array) for array in head.get_weights()])


def add_constants(network: keras.Model, constants: NDArray[np.floating]) -> None:
    """Let a head add a constant at each step [H, D]; one that answers for several steps at once adds their mean."""
    bias = network.get_layer("head").bias
    alike = np.full(bias.shape, constants.mean())
    bias.assign(bias + (constants.ravel() if constants.size == alike.size else alike))


def filled_network(
    config: NetworkConfig, shape: Shape, weights: Mapping[str, NDArray[np.float32]], stateful_series: int | None = None
) -> keras.Model:
    """A trained network.

    Args:
        config: A resolved configuration.
        shape: Sizes of its windows.
        weights: What `weights_of` returned.
        stateful_series: For how many series side by side it carries its state; None if it carries none.

    Raises:
        RunError: If names or shapes of the weights are not those of the network.
    """
    network = build_network(
        config.model_copy(update={"stateful": stateful_series is not None}), shape, 0, stateful_series
    )
    set_weights(network, weights)
    return network


def _variables(network: keras.Model) -> dict[str, Any]:
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


def gather(rows: RowSource, starts: Ints, shape: Shape, hidden: Flags | None = None) -> tuple[dict[str, Any], Any]:
    """The network's inputs and the scaled targets [B, H, D] of the windows that start at some rows, on the device.

    Args:
        rows: What they are taken from.
        starts: First row of each window, [B].
        shape: Sizes of the windows.
        hidden: Which measured values are hidden, [B, L, D + P]; None for none.
    """
    past, future, y_true = gather_windows(rows, starts, shape, hidden)
    series = rows.identity[starts].astype(np.int32)
    inputs = {"past": tf.constant(past), "future": tf.constant(future), "series": tf.constant(series)}
    return inputs, tf.constant(y_true)


def input_specs(shape: Shape, batch_size: int | None) -> dict[str, tf.TensorSpec]:
    """What `gather` returns as the network's inputs, by name.

    Args:
        shape: Sizes of the windows.
        batch_size: B; None for any number.
    """
    return {
        "past": tf.TensorSpec([batch_size, shape.lookback, shape.features], tf.float32),
        "future": tf.TensorSpec([batch_size, shape.horizon, shape.known], tf.float32),
        "series": tf.TensorSpec([batch_size], tf.int32),
    }


class KerasRuntime:
    """A network as TensorFlow computes it, compiled once; see `forecast.models.runtimes.Runtime`.

    Args:
        network: What `build_network` returned.
        shape: Sizes of its windows.
        batch_size: For how many series it carries a state; None if it carries none.
    """

    def __init__(self, network: keras.Model, shape: Shape, batch_size: int | None = None) -> None:
        def forecast(inputs: dict[str, Any]) -> Any:
            with staying_here():
                return network(inputs, training=False)

        self._forecast = tf.function(forecast, input_signature=[input_specs(shape, batch_size)], autograph=False)
        self._network, self._shape, self._answer = network, shape, network.output_shape[1:]

    def forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D] or [N, H, D, Q] of windows with these first rows [N]."""
        result = np.empty((len(starts), *self._answer), np.float32)
        for first in range(0, len(starts), _SCORED_AT_ONCE):
            part = slice(first, first + _SCORED_AT_ONCE)
            result[part] = self._forecast(gather(rows, starts[part], self._shape)[0]).numpy()
        return result

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states; the number of series is that which the network was built for."""
        del n_series
        return [tuple(part.shape) for part in self._states]

    @property
    def _states(self) -> list[Any]:
        return [part for layer in self._network.layers for part in getattr(layer, "states", None) or ()]

    def step(
        self, rows: RowSource, starts: Ints, states: Sequence[NDArray[np.float32]] | None
    ) -> tuple[NDArray[np.float32], Sequence[NDArray[np.float32]]]:
        """The forecasts of windows [B], and the states after them, each [B, U]."""
        for number, part in enumerate(self._states):
            part.assign(np.zeros(part.shape, np.float32) if states is None else states[number])
        return self.forecast(rows, starts), [part.numpy() for part in self._states]
