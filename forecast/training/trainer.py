"""The training loop: Adam, warm-up and cosine, clipping, averaged weights, early stopping, the best weights kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from forecast.config import TrainingConfig
from forecast.data.panel import Arrays
from forecast.data.prepare import Prepared, Rows
from forecast.data.windows import Ints, Windows, median
from forecast.data.words import UNKNOWN
from forecast.errors import ConfigError, RunError, setting
from forecast.models.backends.keras import Adam, KerasRuntime, gather, input_specs
from forecast.models.backends.loops import is_worth_compiling
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.gradients import SplitNetwork, gradient_by_lag
from forecast.models.network import shape_of
from forecast.progress import Epoch, TrainingState
from forecast.training.sampling import window_order
from forecast.training.series_weights import series_weights

# Validation looks at no more windows than these, evenly spaced: enough to choose by, cheap enough to do each epoch.
_VALIDATION_WINDOWS = 2048

# Windows of the training span whose gradient is tracked, evenly spaced.
_GRADIENT_WINDOWS = 64

# A series that is passed in fewer steps than these is passed several times in an epoch: sixty rows make one batch, and
# thirty steps teach nothing.
_SHORTEST_EPOCH = 20

# Share of the words of each window that stand for the unknown word, so that its embedding is learned, too.
_HIDDEN_WORDS = 0.1

_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2

# Scaled values lie within a few units, so a loss of this size is no forecast any more; clipping keeps it finite.
_DIVERGED = 1e6

_LOSSES: dict[str, Callable[[Any], Any]] = {
    "mae": tf.abs,
    "mse": tf.square,
    "qlike": lambda error: tf.exp(error) - error - 1,
    "huber": lambda error: tf.where(tf.abs(error) < 1, 0.5 * tf.square(error), tf.abs(error) - 0.5),
}


class Watcher(Protocol):
    """What looks on while a network is trained: shows progress, saves checkpoints, asks to stop."""

    def after_step(self, fit: Fit) -> None:
        """Called after every step; may raise to end the training."""

    def after_epoch(self, fit: Fit) -> None:
        """Called when an epoch and its validation are over."""


class Fit:
    """One training of one network, as a state that steps forward.

    Args:
        network: What `build_network` returned; trained in place.
        twin: The same network without a carried state, to score with, where the trained one carries its state.
        prepared: Rows, scaler and windows.
        config: How to train.
        windows: The windows to learn from.
        epochs: Epochs after which to stop, validation or not; None for the whole schedule with early stopping.
        goes_on: Whether the network was trained before: its weights are kept unless an epoch is better.
    """

    def __init__(
        self,
        network: keras.Model,
        prepared: Prepared,
        config: TrainingConfig,
        windows: Windows,
        epochs: int | None = None,
        twin: keras.Model | None = None,
        goes_on: bool = False,
    ) -> None:
        rows = prepared.rows
        self.network, self.config, self.windows = network, config, windows
        self._has_layers = bool(prepared.config.network.units)
        self.unit: str | None = rows.unit if rows.one_unit else None
        self.shape = shape_of(rows, windows.lookback, windows.horizon, config.hide_series > 0)
        self.order = window_order(windows, config, carries_state=twin is not None)
        self.steps_per_epoch = min(max(self.order.steps_per_pass, _SHORTEST_EPOCH), config.steps_per_epoch)
        self.last_epoch = config.epochs if epochs is None else epochs
        self.validation = prepared.validation.subsample(_VALIDATION_WINDOWS) if epochs is None else None
        self.state = TrainingState(finished=self.last_epoch == 0)
        self.optimizer = Adam(config.learning_rate, global_clipnorm=config.clip_norm)
        self.optimizer.build(network.trainable_variables)
        self.averages = [tf.Variable(variable) for variable in network.trainable_variables]
        self.best: list[NDArray[Any]] = [variable.numpy() for variable in network.trainable_variables]
        self._series_weights = series_weights(prepared)
        self._scaler, self._rows, self._quantiles = prepared.scaler, rows, prepared.config.network.quantiles
        self.scored = twin or network
        self.runtime = KerasRuntime(self.scored, self.shape)
        self._gatherer = ThreadPoolExecutor(1)
        self._ahead: dict[int, Future[Any]] = {}
        # Every batch is full; with its size the layers choose the fastest way through their loops.
        self._step = tf.function(
            self._one_step,
            input_signature=[
                tf.TensorSpec([], tf.int32),
                input_specs(self.shape, self.order.batch_size),
                tf.TensorSpec([self.order.batch_size, self.shape.horizon, self.shape.targets], tf.float32),
                tf.TensorSpec([], tf.float32),
                tf.TensorSpec([], tf.float32),
            ],
            autograph=False,  # no branch of Python depends on a tensor; to look for some takes most of the tracing
            jit_compile=is_worth_compiling(network, prepared.config.network.decode, self.order.batch_size) or None,
        )

        # To a solved linear map, or to smoothing, a network may have nothing to add; it begins with adding nothing.
        begins_solved = (goes_on or prepared.config.network.adds_to) and self.validation is not None
        self._loss_at_start = self._validate()[0] if begins_solved else np.inf

    @property
    def epoch(self) -> int:
        """The epoch that is under way, from 1."""
        return min(self.state.step // self.steps_per_epoch + 1, self.last_epoch)

    def run(self, watcher: Watcher) -> None:
        """Train until the schedule ends or validation stops improving, then put the best weights into ``scored``.

        Raises:
            ConfigError: If the loss is no longer a number.
        """
        while not self.state.finished:
            self.step()
            if self.state.step % self.steps_per_epoch == 0:
                self._end_epoch()
                watcher.after_epoch(self)
            # After the epoch's end, so that a training that stops here has nothing left half done.
            watcher.after_step(self)
        _assign(self.scored, self.best)
        self._forget_names_not_learned()

    def _forget_names_not_learned(self) -> None:
        """Make a series without a window to learn from the unknown one, whose identity was learned."""
        is_named = self.config.hide_series and self._has_layers
        identities = self.scored.get_layer("queries").identities if is_named else None
        if identities is not None:  # a query of a single number has no room for one
            values, learned = identities.numpy(), np.unique(self._rows.identity[self.windows.starts])
            values[np.setdiff1d(np.arange(len(values)), learned)] = values[-1]
            identities.assign(values)

    def step(self) -> None:
        """Learn from one batch."""
        state = self.state
        rate = learning_rate(state.step, self.config.epochs * self.steps_per_epoch, self.config)
        if self.order.resets_state(state.step):
            _reset_states(self.network)
        momentum = averaging_momentum(state.step, self.config.ema)
        numbers = map(tf.constant, (rate, momentum))
        loss, mae = self._step(tf.constant(state.step), *self._batch(state.step), *numbers).numpy().tolist()
        if not loss < _DIVERGED:
            raise self._diverged(f"The loss is {loss} at step {state.step + 1}")
        state.step += 1
        state.loss_sum += loss
        state.mae_sum += mae

    def _batch(self, step: int) -> Any:
        """The inputs and targets of a step; those of the next are gathered while this one is learned from."""
        ahead = self._ahead.pop(step, None)
        batch = self._gathered(step) if ahead is None else ahead.result()
        self._ahead = {step + 1: self._gatherer.submit(self._gathered, step + 1)}
        return batch

    def _drawn(self, step: int) -> tuple[Rows, Ints]:
        """Rows, and the first ones of the windows of a step among them, [B]."""
        return self._rows, self.order.starts(step)

    def _gathered(self, step: int) -> Any:
        (rows, starts), share, hidden = self._drawn(step), self.config.hide_values, None
        if self.shape.masked and share:
            chance = np.random.default_rng([self.config.seed, step]).random
            hidden = chance((len(starts), self.shape.lookback, self.shape.measured), np.float32) < share
        return gather(rows, starts, self.shape, hidden)

    def _diverged(self, sign: str) -> ConfigError:
        return ConfigError(
            f"{sign} (epoch {self.epoch}): training has diverged.",
            f"Try a smaller {setting('learning_rate')} than {self.config.learning_rate:g}, or a smaller "
            f"{setting('clip_norm')} than {self.config.clip_norm:g}.",
        )

    def _one_step(self, step: Any, inputs: dict[str, Any], y_true: Any, rate: Any, momentum: Any) -> Any:
        if self.config.mirror:
            inputs, y_true = self._half_mirrored(step, inputs, y_true)
        fed = self._some_unnamed(step, inputs) if self.config.hide_series else inputs
        fed = self._some_words_hidden(step, fed) if self.shape.categories else fed
        with tf.GradientTape() as tape:
            y_pred = self.network(fed, training=True)
            loss = self._loss(y_true, y_pred, inputs["series"])
            penalised = tf.add_n([loss, *self.network.losses])
        variables = self.network.trainable_variables
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(tape.gradient(penalised, variables), variables)
        for average, variable in zip(self.averages, variables, strict=True):
            average.assign(momentum * average + (1 - momentum) * variable.value)
        return tf.stack([loss, self._mae_in_units(y_true, median(y_pred), inputs["series"])])

    def _loss(self, y_true: Any, y_pred: Any, series: Any) -> Any:
        """The mean loss of points, or of quantiles, which is the absolute error at the median; series count alike.

        Args:
            y_true: [B, H, D]; NaN where nothing was observed, which counts for nothing.
            y_pred: [B, H, D], or quantiles [B, H, D, Q].
            series: The index of each window's series, [B].
        """
        if self._quantiles:
            error = self._seen(y_true[..., None], y_pred) - y_pred
            quantiles = tf.constant(self._quantiles, y_pred.dtype)
            losses = 2 * tf.maximum(quantiles * error, (quantiles - 1) * error)
        else:
            error = self._seen(y_true, y_pred) - y_pred
            if self.config.loss == "qlike":  # of logarithms, whose unit it is of
                error *= tf.gather(tf.constant(self._scaler.scale[:, None, : self.shape.targets], error.dtype), series)
            losses = _LOSSES[self.config.loss](error)
        if self._series_weights is not None:
            weights = tf.gather(tf.constant(self._series_weights, y_pred.dtype), series)[:, None]
            losses *= weights[..., None] if self._quantiles else weights
        return self._mean(losses, y_true)

    def _seen(self, y_true: Any, y_pred: Any) -> Any:
        """What was observed; the forecast itself where nothing was, so that its error is 0 and moves no weight."""
        return tf.where(tf.math.is_nan(y_true), y_pred, y_true) if self.shape.masked else y_true

    def _mean(self, losses: Any, y_true: Any) -> Any:
        """The mean of losses [B, H, D] or [B, H, D, Q] over what was observed; they are 0 elsewhere."""
        mean = tf.reduce_mean(losses)
        if self.shape.masked:
            mean /= tf.reduce_mean(tf.cast(~tf.math.is_nan(y_true), losses.dtype))
        return mean

    def _half_mirrored(self, step: Any, inputs: dict[str, Any], y_true: Any) -> tuple[dict[str, Any], Any]:
        """Half of the windows, at random, mirrored about their last value: up and down become equally likely."""
        past, measured = inputs["past"], self.shape.targets + self.shape.covariates
        chance = tf.random.stateless_uniform([tf.shape(past)[0], 1, 1], [self.config.seed, step])
        sign = tf.where(chance < 0.5, -1.0, 1.0)
        last = past[:, -1:, :measured]
        mirrored = last + sign * (past[:, :, :measured] - last)
        last = last[:, :, : self.shape.targets]
        inputs = inputs | {"past": tf.concat([mirrored, past[:, :, measured:]], axis=-1)}
        return inputs, last + sign * (y_true - last)

    def _some_unnamed(self, step: Any, inputs: dict[str, Any]) -> dict[str, Any]:
        """The same windows, some of them, at random, as of a series that is none of the S."""
        # By the step's number, as all that is random here, but not by the numbers that mirror the windows.
        chance = tf.random.stateless_uniform(tf.shape(inputs["series"]), [self.config.seed, -1 - step])
        unknown = self.shape.series - 1
        return inputs | {"series": tf.where(chance < self.config.hide_series, unknown, inputs["series"])}

    def _some_words_hidden(self, step: Any, inputs: dict[str, Any]) -> dict[str, Any]:
        """The same windows, in each of which some words, at random, are the unknown one wherever they stand."""
        n_words, seed = len(self.shape.categories), [-1 - self.config.seed, step]
        chance = tf.random.stateless_uniform([tf.shape(inputs["past"])[0], 1, n_words], seed)

        def hidden(columns: Any, first: int) -> Any:
            before, numbers, after = tf.split(columns, [first, n_words, -1], axis=-1)
            # Steps of the golden ratio scatter numbers evenly over 0 … 1: which tenth of them it is, chance says.
            is_hidden = (chance + numbers * _GOLDEN_RATIO) % 1.0 < _HIDDEN_WORDS
            return tf.concat([before, tf.where(is_hidden, float(UNKNOWN), numbers), after], axis=-1)

        past = hidden(inputs["past"], self.shape.features - self.shape.known)
        return inputs | {"past": past, "future": hidden(inputs["future"], 0)}

    def _mae_in_units(self, y_true: Any, y_pred: Any, series: Any) -> Any:
        # The reader's units, not the loss's: a scaled loss tells nobody how wrong the forecast is.
        n = self.shape.targets
        scale = tf.gather(tf.constant(self._scaler.scale[:, None, :n], tf.float32), series)
        mean = tf.gather(tf.constant(self._scaler.mean[:, None, :n], tf.float32), series)
        logged = tf.constant(self._scaler.logged[:n])

        def exponential(scaled: Any) -> Any:
            return tf.exp(tf.where(logged, scaled * scale + mean, 0.0))

        # The mean cancels where nothing is logged; adding it would drown a small spread in float32.
        seen = self._seen(y_true, y_pred)
        linear = (seen - y_pred) * scale
        return self._mean(tf.abs(tf.where(logged, exponential(seen) - exponential(y_pred), linear)), y_true)

    def _end_epoch(self) -> None:
        state = self.state
        loss, mae = self._validate()
        last_step = state.step - 1
        state.history.append(
            Epoch(
                epoch=len(state.history) + 1,
                steps=state.step,
                learning_rate=learning_rate(last_step, self.config.epochs * self.steps_per_epoch, self.config),
                loss=state.loss_sum / self.steps_per_epoch,
                mae=state.mae_sum / self.steps_per_epoch,
                validation_loss=loss,
                validation_mae=mae,
            )
        )
        if self.config.track_gradients:
            state.gradients.append(self._gradient_by_lag())
        state.loss_sum = state.mae_sum = 0.0
        best = state.history[state.best_epoch - 1].validation_loss if state.best_epoch else self._loss_at_start
        if self.validation is None or loss < best:
            state.best_epoch = len(state.history)
            self.best = [average.numpy() for average in self.averages]
        tired = len(state.history) - state.best_epoch >= self.config.patience
        state.finished = len(state.history) >= self.last_epoch or tired

    def _validate(self) -> tuple[float, float]:
        """Loss on the scaled validation windows and error in the targets' own units, both of the averaged weights."""
        if self.validation is None:
            return np.nan, np.nan
        rows, windows = self._rows, self.validation
        with self._averaged():
            y_pred = self.runtime.forecast(rows, windows.starts)
        future, series = windows.future(), rows.series[windows.starts]
        scaled = rows.scaled[future, : rows.n_targets]
        loss = float(self._loss(tf.constant(scaled, tf.float64), tf.constant(y_pred, tf.float64), series))
        observed = rows.observed(future)
        in_units = self._scaler.inverse(median(y_pred).astype(np.float64), series)
        in_units = rows.bounds.unwrap_towards(in_units, observed, series)
        return loss, float(np.nanmean(np.abs(observed - in_units)))

    @cached_property
    def _split(self) -> SplitNetwork:
        return SplitNetwork(self.scored)

    def _gradient_by_lag(self) -> list[float]:
        """How far back the gradient of the averaged weights reaches, over some training windows; six digits of it."""
        inputs, _ = gather(self._rows, self.windows.subsample(_GRADIENT_WINDOWS).starts, self.shape)
        with self._averaged():
            return [float(f"{norm:.6g}") for norm in gradient_by_lag(self._split, inputs)]

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the averaged weights into the network that is scored, for a while."""
        raw = [variable.numpy() for variable in self.network.trainable_variables]
        _assign(self.scored, [average.numpy() for average in self.averages])
        yield
        _assign(self.network, raw)

    def arrays(self) -> Arrays:
        """Everything that changes while training, by name: weights, seeds of the dropout, optimiser, averages, best.

        Raises:
            ConfigError: If some of it is no longer a number, which the loss shows only one step later.
        """
        held = {f"network/{number}": variable.numpy() for number, variable in enumerate(self._state())}
        held |= {f"optimizer/{number}": variable.numpy() for number, variable in enumerate(self.optimizer.variables)}
        for number, (average, best) in enumerate(zip(self.averages, self.best, strict=True)):
            held[f"average/{number}"] = average.numpy()
            held[f"best/{number}"] = best
        if not all(np.isfinite(array).all() for array in held.values()):
            raise self._diverged(f"The weights are no longer finite after step {self.state.step}")
        return held

    def _state(self) -> list[Any]:
        # Keras does not count the states that a stateful layer carries among its variables.
        carried = [
            state for layer in self.network.layers if getattr(layer, "stateful", False) for state in layer.states
        ]
        return [*self.network.variables, *carried]

    def restore(self, arrays: Arrays, state: TrainingState) -> None:
        """Continue from arrays and a state that were saved.

        Raises:
            RunError: If the arrays are not those of this network.
        """
        if {name: value.shape for name, value in arrays.items()} != {
            name: value.shape for name, value in self.arrays().items()
        }:
            raise RunError("The checkpoint is of another network.", "Train the run again with --overwrite.")
        for number, variable in enumerate(self._state()):
            variable.assign(arrays[f"network/{number}"])
        for number, variable in enumerate(self.optimizer.variables):
            variable.assign(arrays[f"optimizer/{number}"])
        for number, average in enumerate(self.averages):
            average.assign(arrays[f"average/{number}"])
            self.best[number] = arrays[f"best/{number}"]
        self.state = state


def _assign(network: keras.Model, values: list[NDArray[Any]]) -> None:
    for variable, value in zip(network.trainable_variables, values, strict=True):
        variable.assign(value)


def _reset_states(network: keras.Model) -> None:
    for layer in network.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()


def learning_rate(step: int, total: int, config: TrainingConfig) -> float:
    """The learning rate of a step: a linear warm-up, then a cosine to zero or a constant (Loshchilov & Hutter 2017).

    Args:
        step: The step's number, from 0.
        total: Steps of the whole training.
        config: Highest rate, share of the warm-up, and course.
    """
    warmup = int(config.warmup * total)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def averaging_momentum(step: int, momentum: float) -> float:
    """The momentum of the weights' moving average: small at first, so that the fresh weights are soon forgotten."""
    return min(momentum, (1 + step) / (10 + step))
