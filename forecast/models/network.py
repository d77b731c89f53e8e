"""The recurrent network, written once over the operations of a back end.

past [L, F] -> normalise -> (segment + embed) -> recurrent layer 1 … k -> decode -> head -> de-normalise -> [H, D, Q]
                        '-> (linear map) -----------------------------------------------'

`Network.forecast` is the whole computation. A back end in `forecast.models.backends` supplies the operations (`Ops`):
Keras builds a model that can be trained, ONNX writes a graph that forecasts without TensorFlow, NumPy computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from forecast.config import NetworkConfig
from forecast.data.holes import fill_within
from forecast.data.windows import Flags, Ints
from forecast.errors import ConfigError, setting
from forecast.models.cells import ACTIVATIONS, cell_of
from forecast.models.smoothing import Smoothing

if TYPE_CHECKING:
    from forecast.data.prepare import Rows

# An array, tensor or graph value of a back end.
Array = Any

# Smallest scale of a window, as a share of the training rows' spread: noise on a flat window must not be blown up.
SMALLEST_SCALE = 0.1

# Normalisations whose forecasts count from a simpler forecast, one value for each step ahead.
COUNTED_AHEAD = ("seasonal", "smoothing")

# The most numbers that stand for a word.
_WIDEST = 16

# The most numbers of known columns that the linear map reads: with more its normal equations take too long.
_MOST_KNOWN = 2000

# Feeding forecasts back is a loop in the graph, one turn a segment.
MOST_FED_BACK = 192


@dataclass(frozen=True)
class Shape:
    """The sizes of what a network is fed and of what it returns.

    Args:
        lookback: L.
        horizon: H.
        targets: D, the first columns of the window.
        covariates: P, the columns after them, seen up to the cut-off.
        known: K, the last columns, known ahead: the user's own and the calendar.
        series: The series that it tells apart: S, and the unknown one if it learned what to do with it.
        categories: The first of the known columns hold numbers of words: how many numbers each has, 0 for the unknown
            word included.
        masked: Whether measured values may be missing: it is fed their ages beside them.
    """

    lookback: int
    horizon: int
    targets: int
    covariates: int
    known: int
    series: int
    categories: tuple[int, ...] = ()
    masked: bool = False

    @property
    def measured(self) -> int:
        """D + P, the columns that are measured."""
        return self.targets + self.covariates

    @property
    def features(self) -> int:
        """F, the columns of the window: the measured ones, their ages where values may be missing, the known ones."""
        return self.measured * (1 + self.masked) + self.known

    @property
    def widths(self) -> tuple[int, ...]:
        """How many numbers stand for a word, in each column of words: as many as its embedding is wide.

        The rule of thumb is the fourth root of the vocabulary ("Introducing TensorFlow Feature Columns", 2017);
        here a bit more, for two numbers separate a dozen words badly.
        """
        return tuple(min(_WIDEST, 1 + int(1.6 * size**0.25)) for size in self.categories)

    @property
    def embedded(self) -> Shape:
        """The sizes once each number of a word has become its row of an embedding table."""
        return replace(self, known=self.known + sum(self.widths) - len(self.widths), categories=())


def shape_read(config: NetworkConfig, shape: Shape) -> Shape:
    """The sizes of what a network reads of its windows: their newest steps, where it does not read all of them."""
    return replace(shape, lookback=min(config.newest or shape.lookback, shape.lookback))


def map_inputs(config: NetworkConfig, shape: Shape) -> tuple[int, int, int]:
    """How many numbers the linear map reads: of a target's past; beside a single one, of covariates and known columns.

    The covariates are those at the cut-off, the known columns those of the whole horizon. Words are left out, whose
    embeddings change while the network learns.
    """
    steps = shape_read(config, shape).lookback
    if not (config.linear and config.linear_inputs) or shape.targets > 1:
        return steps, 0, 0
    known = shape.horizon * (shape.known - len(shape.categories))
    return steps, shape.covariates, known if config.decode != "direct" and known <= _MOST_KNOWN else 0


def shape_of(rows: Rows, lookback: int, horizon: int, hides_series: bool = False) -> Shape:
    """The sizes of a network that is fed these rows, and, where series are hidden from it, an unknown one."""
    n_series = rows.n_identities + hides_series
    return Shape(
        lookback, horizon, rows.n_targets, rows.n_covariates, rows.n_known, n_series, rows.categories, rows.masked
    )


class RowSource(Protocol):
    """The part of `Rows` that a network is fed from."""

    def window_inputs(self, starts: Ints, lookback: int, horizon: int) -> NDArray[np.float32]:
        """The inputs of windows by their first rows [B], without ages, NaN where missing: [B, L + H, D + P + K]."""

    @property
    def identity(self) -> Ints:
        """The index of each row's series among the S, [T]; S for a series that is none of them."""


def gather_windows(
    rows: RowSource, starts: Ints, shape: Shape, hidden: Flags | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The windows that start at some rows.

    Args:
        rows: What they are taken from.
        starts: First row of each window, [B].
        shape: Sizes of the windows.
        hidden: Which measured values are hidden, [B, L, D + P], of windows in which values may be missing.

    Returns:
        The past [B, L, F]; of the horizon, what is known ahead [B, H, K], and the scaled targets [B, H, D], NaN where
        they are missing.
    """
    window = rows.window_inputs(starts, shape.lookback, shape.horizon)
    past, ahead = window[:, : shape.lookback], window[:, shape.lookback :]
    if shape.masked:
        filled, ages = fill_within(past[:, :, : shape.measured], hidden)
        past = np.concatenate([filled, ages, past[:, :, shape.measured :]], axis=-1)
    return past, ahead[:, :, shape.measured :], ahead[:, :, : shape.targets]


class Ops(Protocol):
    """What a back end supplies: operations on its arrays, and the parts of the network that hold weights.

    Its arrays also know + - * / @ and slices such as ``x[:, -1:]`` and ``x[..., 1::3]``.
    """

    def concat(self, values: Sequence[Array], axis: int) -> Array:
        """Arrays joined along an axis."""

    def reshape(self, value: Array, shape: tuple[int, ...]) -> Array:
        """The same numbers in another shape; -1 is the number of windows."""

    def repeat(self, value: Array, times: int, axis: int) -> Array:
        """Each entry along axis 0 repeated so often; or an array [B, 1, ...] repeated along axis 1."""

    def flip(self, value: Array, axis: int) -> Array:
        """The array with an axis reversed."""

    def mean(self, value: Array) -> Array:
        """The mean over time of [B, L, C], [B, 1, C]."""

    def variance(self, value: Array) -> Array:
        """The variance over time of [B, L, C], [B, 1, C]."""

    def sqrt(self, value: Array) -> Array:
        """The square root."""

    def softplus(self, value: Array) -> Array:
        """log(1 + exp(x))."""

    def cumsum(self, value: Array, axis: int) -> Array:
        """Running sums along an axis."""

    def dense(self, name: str, value: Array, relu: bool = False) -> Array:
        """The product with ``name/kernel``, plus ``name/bias`` if there is one; with relu, its positive part."""

    def recurrent(
        self, name: str, inputs: Array, states: list[Array] | None, backwards: bool = False
    ) -> tuple[Array, list[Array]]:
        """One recurrent layer over [B, n, F].

        Args:
            name: Of its weights, such as ``recurrent_1``.
            inputs: What it reads, step by step.
            states: Those before the first step, each [B, U]; None for zeros, or those that the layer carries.
            backwards: Read from the last step to the first.

        Returns:
            All outputs [B, n, U] in the order of reading, undefined for the last layer of the stack; and the states
            after the last step, of which the first is the last output.
        """

    def lookup(self, name: str, numbers: Array) -> Array:
        """The rows of ``name/table`` [V, W] by their numbers [B, n], which are whole floats: [B, n, W]."""

    def queries(self, series: Array) -> Array:
        """What the parallel decoder asks for each of the m output segments of each window, [B, m, width].

        The rows of ``queries/positions``; beside them the series' row of ``queries/identities``, where there are
        several series.
        """

    def dropout(self, value: Array) -> Array:
        """The head's dropout; the value itself but while training."""

    def minimum(self, value: Array, other: float) -> Array:
        """The smaller of each number and another one."""

    def decay(self, ages: Array) -> Array:
        """How much of a value is left at its age [B, L, C]: exp(-relu(w age + b)), with w and b of each column."""

    def penalise(self, value: Array) -> Array:
        """The value itself; while training, it adds to the loss what ``activity_regularizer`` asks for."""

    def smooth(self, sizes: Smoothing, past: Array, observed: Array | None) -> Array:
        """What `Smoothing.forecast` says of one target's windows [B, L], of which some values were observed: [B, H]."""

    def mark_window(self, value: Array) -> Array:
        """The value itself, which is the normalised window, so that a back end can find it again."""


class FixedWeightsOps:
    """The operations that every back end writes alike whose weights are given, because it only forecasts.

    Args:
        config: A resolved configuration.
        weights: By name, as `weight_shapes` lists them.
    """

    def __init__(self, config: NetworkConfig, weights: Mapping[str, Array]) -> None:
        self.config, self.weights, self.cell = config, weights, cell_of(config)

    def weights_of(self, layer: str) -> dict[str, Array]:
        """The weights of one layer, by their names within it."""
        prefix = f"{layer}/"
        return {name.removeprefix(prefix): value for name, value in self.weights.items() if name.startswith(prefix)}

    def activation(self, value: Array) -> Array:
        """Of candidate and output."""
        return ACTIVATIONS[self.config.activation](self, value)

    def recurrent_activation(self, value: Array) -> Array:
        """Of the gates."""
        return ACTIVATIONS[self.config.recurrent_activation](self, value)

    def relu(self, value: Array) -> Array:
        """The positive part."""
        return ACTIVATIONS["relu"](self, value)

    def dense(self, name: str, value: Array, relu: bool = False) -> Array:
        """The product with a kernel, plus a bias where there is one."""
        product = value @ self.weights[f"{name}/kernel"]
        if f"{name}/bias" in self.weights:
            product = product + self.weights[f"{name}/bias"]
        return self.relu(product) if relu else product

    def decay(self, ages: Array) -> Array:
        """How much of a value is left at its age."""
        slowed = self.relu(ages * self.weights["decay/kernel"] + self.weights["decay/bias"])
        return ACTIVATIONS["exponential"](self, -slowed)

    def smooth(self, sizes: Smoothing, past: Array, observed: Array | None) -> Array:
        """What exponential smoothing forecasts."""
        return sizes.forecast(self, past, observed)

    def dropout(self, value: Array) -> Array:
        """The value itself: nothing is trained here."""
        return value

    penalise = mark_window = dropout


class Network:
    """The network of a configuration.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        ops: What computes it.

    Raises:
        ConfigError: If the parts do not fit the shape.
    """

    def __init__(self, config: NetworkConfig, shape: Shape, ops: Ops) -> None:
        self.skipped = shape.lookback - shape_read(config, shape).lookback
        self.config, self.fed, self.shape, self.ops = config, shape, shape_read(config, shape).embedded, ops
        shape = self.shape
        self.segment = min(config.segment, shape.lookback)
        self.n_past = -(-shape.lookback // self.segment)
        self.n_future = -(-shape.horizon // self.segment)
        self.n_quantiles = max(1, len(config.quantiles))
        self.cycle = config.cycle or 1
        if config.normalise == "seasonal" and self.cycle > shape.lookback:
            raise ConfigError(
                f"normalise = seasonal counts from {self.cycle} steps before, and the lookback has {shape.lookback}.",
                f"Use {setting('lookback', self.cycle)} or more, or {setting('normalise', 'last')}.",
            )
        if config.decode == "recursive" and self.n_future > MOST_FED_BACK:
            raise ConfigError(
                f"decode = recursive would feed back {self.n_future} times; at most {MOST_FED_BACK} are allowed.",
                f"Use {setting('segment', -(-shape.horizon // MOST_FED_BACK))} or more, or "
                f"{setting('decode', 'direct')}.",
            )

    def forecast(
        self, past: Array, future: Array, series: Array, states: list[list[Array]] | None = None
    ) -> tuple[Array, list[list[Array]]]:
        """The forecast of each window, all scaled.

        Args:
            past: [B, L, F].
            future: What is known ahead, [B, H, K]; not used where K = 0 or decode is direct.
            series: The index of each window's series, [B].
            states: The states of each layer before the first step, each [B, U]; None for zeros.

        Returns:
            [B, H, D], or [B, H, D, Q] where it forecasts quantiles; and the states of each layer after the last step.
        """
        past = self.embed_words(self.newest(past), self.fed.features - self.fed.known)
        if self.config.decode != "direct":
            future = self.embed_words(future, 0)
        window, centre, scale = self.normalise(past)
        if not self.config.units:
            return self.denormalised(self.without_layers(window, past, future), centre, scale), []
        last = self.encode(self.embed(window), states)
        final = [list(of_layer) for of_layer in last]
        if self.config.decode == "direct":
            forecast = self.direct(last)
        elif self.config.decode == "parallel":
            forecast = self.parallel(future, series, last)
        else:
            forecast = self.recursive(window, future, last)
        if self.config.quantiles:
            forecast = self.ascending(forecast)
        if self.config.linear:
            forecast = forecast + self.beside_quantiles(self.linear(window, past, future))
        return self.denormalised(forecast, centre, scale), final

    def without_layers(self, window: Array, past: Array, future: Array) -> Array:
        """What a network without recurrent layers adds to the centre: the linear map, or nothing; [B, H, D (, Q)]."""
        if self.config.linear:
            forecast = self.linear(window, past, future)
        else:
            forecast = 0.0 * self.ops.repeat(window[:, -1:, : self.shape.targets], self.shape.horizon, axis=1)
        if not self.config.quantiles:
            return forecast
        return self.ops.concat([self.beside_quantiles(forecast)] * self.n_quantiles, axis=-1)

    def newest(self, past: Array) -> Array:
        """The steps of the windows [B, L, F] that it reads."""
        return past[:, self.skipped :] if self.skipped else past

    def denormalised(self, forecast: Array, centre: Array | None, scale: Array | None) -> Array:
        """A forecast [B, H, D], or quantiles [B, H, D, Q], on the scale of what the network was fed."""
        if scale is not None:
            forecast = forecast * self.beside_forecast(scale)
        if centre is not None:
            # The centre first: what Keras's sum finds second it takes for a bias along the second axis, where the batch
            # has as many windows as the horizon has steps.
            forecast = self.beside_forecast(centre) + forecast
        return forecast

    def embed_words(self, columns: Array, first: int) -> Array:
        """Inputs [B, n, C] in which each number of a word, from column ``first`` on, is replaced by its embedding."""
        end = first + len(self.fed.categories)
        if first == end:
            return columns
        parts = [columns[:, :, :first]] if first else []
        for number, column in enumerate(range(first, end), 1):
            parts.append(self.ops.lookup(f"category_{number}", columns[:, :, column]))
        if end < first + self.fed.known:
            parts.append(columns[:, :, end:])
        return self.ops.concat(parts, axis=-1) if len(parts) > 1 else parts[0]

    def normalise(self, past: Array) -> tuple[Array, Array | None, Array | None]:
        """The window with each measured channel centred and scaled; centre and scale [B, 1, D + P], where there are.

        What a forecast counts from is another centre than the window's where it is a forecast itself, [B, H, D].
        """
        ops, kind = self.ops, self.config.normalise
        measured, beside = past[:, :, : self.shape.measured], past[:, :, self.shape.measured :]
        centre = scale = None
        if kind in ("last", "last-scaled", *COUNTED_AHEAD):
            centre = measured[:, -1:]
        elif kind == "standard":
            centre = ops.mean(measured)
        if kind in ("standard", "last-scaled"):
            scale = ops.sqrt(ops.variance(measured) + SMALLEST_SCALE**2)
        if centre is None and not self.shape.masked:
            return ops.mark_window(past), None, None
        centred = measured if centre is None else measured - centre
        window = centred if scale is None else centred / scale
        if kind == "seasonal":
            centre = self.cycle_before(past)
        elif kind == "smoothing":
            ages = beside[:, :, : self.shape.measured] if self.shape.masked else None
            centre = measured[:, -1:, : self.shape.targets] + self.smoothed(window, ages)
        if self.shape.masked:
            window, beside = self.with_masks(window, beside)
        has_more = self.shape.features > self.shape.measured
        return ops.mark_window(ops.concat([window, beside], axis=-1) if has_more else window), centre, scale

    def with_masks(self, window: Array, beside: Array) -> tuple[Array, Array]:
        """The measured columns [B, L, D + P], and what stands beside them with masks in place of ages.

        A mask is 1 where a value is missing. With ``decay``, what was carried forward returns to the window's mean, the
        older, the more (GRU-D, Che et al. 2018).
        """
        ops, ages = self.ops, beside[:, :, : self.shape.measured]
        missing = ops.minimum(ages, 1.0)
        if self.config.decay:
            mean = ops.mean(window)
            window = window + missing * (1.0 - ops.decay(ages)) * (mean - window)
        if not self.shape.known:
            return window, missing
        return window, ops.concat([missing, beside[:, :, self.shape.measured :]], axis=-1)

    def cycle_before(self, past: Array) -> Array:
        """The targets of the newest cycle that was seen, repeated over the horizon: the seasonal naive, [B, H, D]."""
        newest = past[:, self.shape.lookback - self.cycle :, : self.shape.targets]
        times = -(-self.shape.horizon // self.cycle)
        return (self.ops.concat([newest] * times, axis=1) if times > 1 else newest)[:, : self.shape.horizon]

    def smoothed(self, window: Array, ages: Array | None) -> Array:
        """The forecasts of each target by exponential smoothing, [B, H, D]."""
        ops, sizes, parts = self.ops, Smoothing(self.shape.lookback, self.shape.horizon, self.cycle), []
        observed = None if ages is None else 1.0 - ops.minimum(ages, 1.0)
        for target in range(self.shape.targets):
            past, seen = (
                None if values is None else ops.reshape(values[:, :, target : target + 1], (-1, self.shape.lookback))
                for values in (window, observed)
            )
            parts.append(ops.reshape(ops.smooth(sizes, past, seen), (-1, self.shape.horizon, 1)))
        return ops.concat(parts, axis=-1) if len(parts) > 1 else parts[0]

    def beside_forecast(self, statistic: Array) -> Array:
        """The centre or scale of the targets [B, 1 or H, D], in a shape that broadcasts with the forecast."""
        of_targets = statistic[:, :, : self.shape.targets]
        steps = self.shape.horizon if self.config.normalise in COUNTED_AHEAD else 1
        return self.ops.reshape(of_targets, (-1, steps, self.shape.targets, 1)) if self.config.quantiles else of_targets

    def linear(self, window: Array, past: Array, future: Array) -> Array:
        """One dense map to the horizon of each target, the same for all targets, [B, H, D]."""
        ops, parts = self.ops, []
        for target in range(self.shape.targets):
            read = self.read_by_map(window, past, future, target)
            parts.append(ops.reshape(ops.dense("linear", read), (-1, self.shape.horizon, 1)))
        return ops.concat(parts, axis=-1) if len(parts) > 1 else parts[0]

    def read_by_map(self, window: Array, past: Array, future: Array, target: int) -> Array:
        """What the linear map reads of windows, for one target: its past, then the rest of `map_inputs`; [B, width]."""
        ops, (steps, covariates, known) = self.ops, map_inputs(self.config, self.fed)
        parts = [ops.reshape(window[:, :, target : target + 1], (-1, steps))]
        if covariates:
            parts.append(ops.reshape(past[:, -1:, self.shape.targets : self.shape.measured], (-1, covariates)))
        if known:
            numbers = future[:, :, -(known // self.shape.horizon) :]  # words come first
            parts.append(ops.reshape(numbers, (-1, known)))
        return ops.concat(parts, axis=-1) if len(parts) > 1 else parts[0]

    def beside_quantiles(self, forecast: Array) -> Array:
        """Points [B, H, D], in a shape that broadcasts with the forecast."""
        whole = (-1, self.shape.horizon, self.shape.targets, 1)
        return self.ops.reshape(forecast, whole) if self.config.quantiles else forecast

    def embed(self, window: Array) -> Array:
        """What the first recurrent layer reads, [B, n, F]: the steps themselves, or segments of them, embedded."""
        if self.segment == 1:
            return window
        # The oldest segment is filled up with the oldest row, so that the newest ends at the cut-off.
        missing = self.n_past * self.segment - self.shape.lookback
        if missing:
            window = self.ops.concat([self.ops.repeat(window[:, :1], missing, axis=1), window], axis=1)
        segments = self.ops.reshape(window, (-1, self.n_past, self.segment * self.shape.features))
        return self.ops.dense("embed", segments, relu=True)

    def encode(self, inputs: Array, states: list[list[Array]] | None) -> list[list[Array]]:
        """The final states of each layer of the stack, each [B, U], or [B, 2U] where it reads from both ends."""
        ops, final = self.ops, []
        for number in range(len(self.config.units)):
            initial = states[number] if states else None
            name, is_last = f"recurrent_{number + 1}", number == len(self.config.units) - 1
            outputs, state = ops.recurrent(name, inputs, initial, backwards=self.config.go_backwards)
            if self.config.bidirectional:
                from_end, state_from_end = ops.recurrent(f"backward_{number + 1}", inputs, None, backwards=True)
                if not is_last:  # what the backward layer says of a step comes last in its own order
                    outputs = ops.concat([outputs, ops.flip(from_end, axis=1)], axis=-1)
                state = [ops.concat(pair, axis=-1) for pair in zip(state, state_from_end, strict=True)]
            if is_last:
                state[0] = ops.penalise(state[0])
            else:
                inputs = ops.penalise(outputs)
            final.append(state)
        return final

    def direct(self, states: list[list[Array]]) -> Array:
        """One dense map from the last state to all H steps."""
        return self.answers(states[-1][0], self.shape.horizon)

    def answers(self, state: Array, steps: int) -> Array:
        """The head's answer to a state [B, U], or to several [B, m, U], as so many steps: [B, steps, D * Q]."""
        answer = self.ops.dense("head", self.ops.dropout(state))
        return self.ops.reshape(answer, (-1, steps, self.shape.targets * self.n_quantiles))

    def parallel(self, future: Array, series: Array, states: list[list[Array]]) -> Array:
        """Ask the stack once for each output segment, all at once from the last state (Lin et al. 2023, SegRNN).

        The query is the segment's position, the series' identity, and what is known of the segment's steps.
        """
        ops, m = self.ops, self.n_future
        inputs = ops.queries(series)
        if self.shape.known:
            inputs = inputs + ops.dense("known", self.known_segments(future))
        width = self.config.units[0] if self.segment > 1 else self.shape.features
        inputs = ops.reshape(inputs, (-1, 1, width))
        for number in range(len(self.config.units)):
            # Each segment of a window starts from the window's own states: [B, U] becomes [B * m, U].
            initial = [ops.repeat(part, m, axis=0) for part in states[number]]
            inputs, last = ops.recurrent(f"recurrent_{number + 1}", inputs, initial)
        answers = ops.reshape(last[0], (-1, m, self.config.units[-1]))
        return self.answers(answers, m * self.segment)[:, : self.shape.horizon]

    def recursive(self, window: Array, future: Array, states: list[list[Array]]) -> Array:
        """Feed each forecast segment back as the next input; covariates keep their last value.

        The head also reads what is known of the segment that it forecasts.
        """
        ops, shape, forecasts = self.ops, self.shape, []
        held = (
            ops.repeat(window[:, -1:, shape.targets : shape.measured], self.segment, axis=1)
            if shape.covariates
            else None
        )
        known = self.known_segments(future) if shape.known else None
        state = states[-1][0]
        for number in range(self.n_future):
            read = ops.dropout(state)
            ahead = known[:, number] if known is not None else None
            if ahead is not None:
                read = ops.concat([read, ahead], axis=-1)
            answer = ops.dense("head", read)
            steps = ops.reshape(answer, (-1, self.segment, shape.targets * self.n_quantiles))
            forecasts.append(steps)
            if number == self.n_future - 1:
                break
            token = [steps[..., self.n_quantiles // 2 :: self.n_quantiles]]
            if held is not None:
                token.append(held)
            if shape.masked:  # a forecast counts as observed
                token += [0.0 * part for part in token]
            if ahead is not None:
                token.append(ops.reshape(ahead, (-1, self.segment, shape.known)))
            inputs = ops.concat(token, axis=-1) if len(token) > 1 else token[0]
            inputs = ops.reshape(inputs, (-1, 1, self.segment * shape.features))
            if self.segment > 1:
                inputs = ops.dense("embed", inputs, relu=True)
            for depth in range(len(self.config.units)):
                inputs, states[depth] = ops.recurrent(f"recurrent_{depth + 1}", inputs, states[depth])
            state = states[-1][0]
        whole = ops.concat(forecasts, axis=1) if len(forecasts) > 1 else forecasts[0]
        return whole[:, : shape.horizon]

    def known_segments(self, future: Array) -> Array:
        """What is known of each output segment, [B, m, w * K]; beyond the horizon the last step is repeated."""
        missing = self.n_future * self.segment - self.shape.horizon
        if missing:
            future = self.ops.concat([future, self.ops.repeat(future[:, -1:], missing, axis=1)], axis=1)
        return self.ops.reshape(future, (-1, self.n_future, self.segment * self.shape.known))

    def ascending(self, raw: Array) -> Array:
        """Quantiles [B, H, D, Q] that cannot cross: the median, and positive distances outward from it."""
        ops, middle = self.ops, self.n_quantiles // 2
        raw = ops.reshape(raw, (-1, self.shape.horizon, self.shape.targets, self.n_quantiles))
        if self.n_quantiles == 1:
            return raw
        median, distances = raw[..., middle : middle + 1], ops.softplus(raw)
        above = ops.cumsum(distances[..., middle + 1 :], axis=-1)
        below = ops.flip(ops.cumsum(ops.flip(distances[..., :middle], axis=-1), axis=-1), axis=-1)
        return ops.concat([median - below, median, median + above], axis=-1)


def weight_shapes(config: NetworkConfig, shape: Shape) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of a network, by name, before any of them is made or read.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
    """
    shape = shape_read(config, shape)
    tables = enumerate(zip(shape.categories, shape.widths, strict=True), 1)
    shapes: dict[str, tuple[int, ...]] = {f"category_{number}/table": size for number, size in tables}
    linear = {"linear/kernel": (sum(map_inputs(config, shape)), shape.horizon)} if config.linear else {}
    if not config.units:
        return shapes | linear
    cell, segment, shape = cell_of(config), min(config.segment, shape.lookback), shape.embedded
    sides = ("recurrent", "backward") if config.bidirectional else ("recurrent",)
    width = features = config.units[0] if segment > 1 else shape.features
    for number, units in enumerate(config.units, 1):
        for side in sides:
            of_layer = cell.weight_shapes(features, units, config.use_bias)
            shapes |= {f"{side}_{number}/{name}": size for name, size in of_layer.items()}
        features = units * len(sides)
    if segment > 1:
        shapes |= {"embed/kernel": (segment * shape.features, width), "embed/bias": (width,)}
    if config.decay and shape.masked:
        shapes |= {"decay/kernel": (shape.measured,), "decay/bias": (shape.measured,)}
    if config.decode == "parallel":
        of_series = width // 2 if shape.series > 1 else 0
        shapes["queries/positions"] = (-(-shape.horizon // segment), width - of_series)
        if of_series:
            shapes["queries/identities"] = (shape.series, of_series)
        if shape.known:
            shapes["known/kernel"] = (segment * shape.known, width)
    if config.decode == "recursive":
        features += segment * shape.known
    shapes |= linear
    steps = shape.horizon if config.decode == "direct" else segment
    answer = steps * shape.targets * max(1, len(config.quantiles))
    return shapes | {"head/kernel": (features, answer), "head/bias": (answer,)}


# Of each weight: itself, its gradient, two moments, the average and the best while training, and four copies of all but
# the gradient while a checkpoint is written.
_COPIES_OF_WEIGHTS = 6 + 4 * 5

_FLOAT = 4


def training_bytes(config: NetworkConfig, shape: Shape, batch_size: int) -> int:
    """Bytes that training takes at least: the weights, their checkpoint, and what each step keeps of a batch.

    Args:
        config: A resolved configuration.
        shape: Sizes of the windows.
        batch_size: Windows in a batch.
    """
    shape = shape_read(config, shape)
    weights = sum(int(np.prod(size)) for size in weight_shapes(config, shape).values())
    cell, segment = cell_of(config), min(config.segment, shape.lookback)
    directions = 2 if config.bidirectional else 1
    turns = -(-shape.lookback // segment) + (0 if config.decode == "direct" else -(-shape.horizon // segment))
    # Of every step, parts and states wait for the way back, and their gradients come to lie beside them; a step of a
    # single part keeps its output alone.
    kept = 1 if len(cell.parts) == 1 else 2 * len(cell.parts) + 2
    window = (shape.lookback + shape.horizon) * shape.embedded.features
    kept_of_batch = batch_size * (turns * directions * sum(config.units) * kept + window)
    return _FLOAT * (_COPIES_OF_WEIGHTS * weights + kept_of_batch)
