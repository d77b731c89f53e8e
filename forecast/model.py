"""Model: a trained network, or an ensemble of them, from rows to forecasts in the targets' own units."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.choices.selection import weighted_mean
from forecast.config import MemberConfig, NetworkConfig
from forecast.data.newest import NewestRows
from forecast.data.panel import Arrays, Floats
from forecast.data.prepare import Prepared, Rows, forecasts_in_units, long_columns, long_format
from forecast.data.windows import Forecaster, Ints, Windows, median
from forecast.errors import ConfigError, MachineError, RunError, setting
from forecast.intervals.conformal import Intervals, interval_columns
from forecast.memory import available_memory, megabytes
from forecast.models.catalogue import network_configs
from forecast.models.naive import naive_forecasts
from forecast.models.network import RowSource, Shape, training_bytes
from forecast.models.runtimes import KERAS, ONNX, RUNTIMES, Runtime, States
from forecast.progress import NullProgress, Progress
from forecast.runs.arrays import specs_of
from forecast.runs.run import HISTORY, OPTIMIZER, WEIGHTS, Run, number_members, split_members
from forecast.runs.writer import RunWriter

if TYPE_CHECKING:
    from forecast.training.trainer import Fit

# On how many windows a trained network is compared with its graph, and by how much the scaled forecasts may differ.
_COMPARED, _ROUNDING = 64, 1e-5

# Windows whose order is let go at once after a training; to look for that of fewer takes longer than it is worth.
_LARGE = 1 << 22


@dataclass(frozen=True)
class Member:
    """One network of an ensemble.

    Args:
        config: Its configuration, resolved.
        weights: By name.
        runtime: What computes its scaled forecasts; None in one that has come from another process.
        runs_on: The name of that in `RUNTIMES`.
        shares: What its forecasts count in the ensemble: at each step, or one number for all; None where each member
            counts alike.
        moments: Of its optimiser, to go on with; none where it was loaded, or nothing was learned step by step.
    """

    config: NetworkConfig
    weights: Arrays
    runtime: Runtime
    runs_on: str
    shares: tuple[float, ...] | None = None
    moments: Arrays = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:  # of what travels to another process
        return vars(self) | {"runtime": None}

    def with_weights(self, weights: Arrays, shape: Shape) -> Member:
        """The member with other weights, for windows of this shape."""
        return replace(self, weights=weights, runtime=RUNTIMES[self.runs_on](self.config, shape, weights, None))


@dataclass(frozen=True)
class TrainingRecord:
    """How the members of a model were trained.

    Args:
        histories: The losses of each member by epoch.
        gradients: Of each member, how far back its gradient reached after each epoch; empty if that was not tracked.
        best_epochs: Of each member, the epoch whose weights were kept.
        seconds: How long it took.
    """

    histories: tuple[pd.DataFrame, ...] = ()
    gradients: tuple[list[list[float]], ...] = ()
    best_epochs: tuple[int, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Trial:
    """A member of a portfolio that was planned, and what became of it.

    Args:
        decided: The member, with its weights.
        loss: On the validation windows, of scaled values; None if there was no time for it.
        epochs: How many it was trained.
        best_epoch: The one whose weights were kept.
        seconds: How long that took.
    """

    decided: MemberConfig
    loss: float | None = None
    epochs: int = 0
    best_epoch: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class TrainingContext:
    """What the trainings of one run share.

    Args:
        prepared: Rows, scaler and windows.
        checkpoints: The folder of their checkpoints.
        progress: Receives notes, warnings and progress.
        started: When the run's time began to count, by `time.monotonic`.
        starts: By the names of checkpoints, the weights and the moments of the networks that go on from them.
        fit: Another `Fit`, such as one that draws its windows elsewhere.
    """

    prepared: Prepared
    checkpoints: Path
    progress: Progress = field(default_factory=NullProgress)
    started: float = field(default_factory=time.monotonic)
    starts: Mapping[str, tuple[Arrays, Arrays]] = field(default_factory=dict)
    fit: Callable[..., Fit] | None = None

    @cached_property
    def origin(self) -> str:
        """A digest of the data and the configuration, which a checkpoint must match to be resumed."""
        panel, config = self.prepared.rows.panel, self.prepared.config.before_decisions()
        return hashlib.sha256(f"{panel.fingerprint()} {config.to_json()}".encode()).hexdigest()


@dataclass(frozen=True)
class Model:
    """A trained network, or an ensemble of several that differ by their seed or their design, averaged.

    Args:
        config: The network's configuration, resolved; of a portfolio, the one that its members change.
        shape: Sizes of its windows.
        members: At least one.
        record: How it was trained; empty for a model that was loaded.
        fell_back: Whether it repeats the last value, because it was not better than that.
        trials: Every member of its portfolio, whether it counts or not; empty for other models, and where loaded.
    """

    config: NetworkConfig
    shape: Shape
    members: tuple[Member, ...]
    record: TrainingRecord = TrainingRecord()
    fell_back: bool = False
    trials: tuple[Trial, ...] = ()

    @property
    def name(self) -> str:
        """Its column in tables and plots."""
        return self.config.model

    @property
    def runs_on(self) -> str:
        """What computes its forecasts, as manifests call it."""
        return KERAS if any(member.runs_on == KERAS for member in self.members) else self.members[0].runs_on

    @property
    def n_parameters(self) -> int:
        """The trainable weights of all members."""
        return sum(array.size for member in self.members for array in member.weights.values())

    @property
    def forecasts_alone(self) -> str:
        """What forecasts if no epoch of any member was better, so that all heads are empty; else nothing, ""."""
        if self.members[0].shares is not None:  # of a portfolio, whose members and weights are told
            return ""
        weights = [member.weights for member in self.members]
        if any(array.any() for each in weights for name, array in each.items() if name == "head/kernel"):
            return ""
        has_map = self.config.linear and all(each["linear/kernel"].any() for each in weights)
        return self.config.model_copy(update={"linear": has_map}).adds_to

    def forecast(self, rows: Rows, starts: Ints) -> Floats:
        """Forecasts in the targets' own units, within their limits.

        Args:
            rows: What it is fed.
            starts: First row of each window, [N].

        Returns:
            Points [N, H, D], or quantiles [N, H, D, Q] that ascend, with the median in the middle.
        """
        return forecasts_in_units(self.scaled_forecast(rows, starts), rows, starts)

    def scaled_forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """The same, scaled, of whatever a network can be fed."""
        return self._mean([member.runtime.forecast(rows, starts) for member in self.members])

    def _mean(self, forecasts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The mean of the members' scaled forecasts, by their shares."""
        if self.members[0].shares is not None:
            shares = np.array([np.broadcast_to(member.shares or 0.0, self.shape.horizon) for member in self.members])
            return weighted_mean(np.stack(forecasts), shares)
        return np.asarray(np.mean(forecasts, axis=0, dtype=np.float32)) if len(forecasts) > 1 else forecasts[0]

    def over(self, rows: Rows) -> Forecaster:
        """`forecast` of these rows, as a function of the first rows of windows."""
        return partial(self.forecast, rows)

    def step(self, rows: Rows, starts: Ints, states: Sequence[States | None]) -> tuple[Floats, list[States]]:
        """The forecasts of windows [B], as from `forecast`, of a model that carries its state; and the states after.

        Args:
            rows: What it is fed.
            starts: First row of the window of each series that it carries a state for, [B].
            states: Of each member, those before the windows, each [B, U]; None for a network that has seen nothing.
        """
        steps = [member.runtime.step(rows, starts, before) for member, before in zip(self.members, states, strict=True)]
        scaled = np.mean([forecast for forecast, _ in steps], axis=0)
        return forecasts_in_units(scaled, rows, starts), [after for _, after in steps]

    def repeating_last_value(self) -> Model:
        """A model that counts from the last value and adds nothing to it: its heads and its linear map are empty."""
        empty = {"head/kernel", "head/bias", "linear/kernel"}

        def emptied(weights: Arrays) -> Arrays:
            return {name: np.zeros_like(array) if name in empty else array for name, array in weights.items()}

        members = [member.with_weights(emptied(member.weights), self.shape) for member in self.members]
        return replace(self, members=tuple(members), fell_back=True)

    def save(self, writer: RunWriter, network: str) -> None:
        """Write the weights and the losses into a run's folder.

        Args:
            writer: Of the run.
            network: Which of its networks: ``model``, ``baseline`` or ``refit``.
        """
        writer.write_arrays(WEIGHTS[network], number_members(member.weights for member in self.members))
        writer.write_arrays(OPTIMIZER[network], number_members(member.moments for member in self.members))
        if network != "refit":  # whose losses no span judges
            histories = [history.assign(member=n) for n, history in enumerate(self.record.histories, 1)]
            writer.write_frame(HISTORY[network], pd.concat(histories, ignore_index=True))

    @classmethod
    def load(
        cls, run: Run, network: str = "model", lookback: int | None = None, stateful_series: int | None = None
    ) -> Model:
        """A network of a run.

        Args:
            run: A run.
            network: Which of its networks: ``model``, ``baseline`` or ``refit``.
            lookback: Steps that it sees; None for the run's own.
            stateful_series: For how many series side by side it carries its state; None if it carries none.

        Raises:
            RunError: If the weights are damaged, or not those of this network, or it cannot be computed.
        """
        shape = run.shape if lookback is None else replace(run.shape, lookback=lookback)
        runs_on = run.runtime_of(network)
        try:
            designs = run.members(network)
            members = [
                Member(design, weights, RUNTIMES[runs_on](design, shape, weights, stateful_series), runs_on, shares)
                for (design, shares), weights in zip(
                    designs, split_members(run.weights(network), len(designs)), strict=True
                )
            ]
        except ConfigError as error:  # of a network that no training can have made
            raise RunError(f"The networks of {run.name} cannot be computed: {error.message}") from None
        return cls(run.network_config(network), shape, tuple(members))

    @classmethod
    def of_members(
        cls, config: NetworkConfig, shape: Shape, fitted: Sequence[tuple[Member, MemberRecord]], seconds: float
    ) -> Model:
        """The model of members that `fit_member` has trained in so many seconds."""
        members, records = zip(*fitted, strict=True)
        histories, gradients, best_epochs = zip(*records, strict=True)
        return cls(config, shape, members, TrainingRecord(histories, gradients, best_epochs, seconds))


def load_models(
    run: Run, network: str = "model", lookback: int | None = None, stateful_series: int | None = None
) -> dict[str, Model]:
    """The models of a run by column: the model, and the vanilla RNN if one stands beside it.

    Args:
        run: A run.
        network: Whose weights the model gets: ``model`` or ``refit``.
        lookback: Steps that they see; None for the run's own.
        stateful_series: For how many series side by side they carry their state; None if they carry none.

    Raises:
        RunError: If the weights are damaged, or not those of these networks.
    """
    networks = [network if name == "model" else name for name in network_configs(run.config)]
    models = [Model.load(run, name, lookback, stateful_series) for name in networks]
    return {model.name: model for model in models}


def forecasters(models: Mapping[str, Model], rows: Rows) -> dict[str, Forecaster]:
    """The forecasts of models of these rows, each as a function of the first rows of windows."""
    return {name: model.over(rows) for name, model in models.items()}


def forecasts_alone(models: Mapping[str, Model]) -> dict[str, str]:
    """What forecasts in those models whose networks add nothing to it, by the model's name."""
    return {name: model.forecasts_alone for name, model in models.items() if model.forecasts_alone}


def newest_forecast(
    newest: NewestRows, models: Mapping[str, Forecaster], season: int, intervals: Intervals | None = None
) -> pd.DataFrame:
    """The table of `newest_columns`."""
    return pd.DataFrame(newest_columns(newest, models, season, intervals), copy=False)


def newest_columns(
    newest: NewestRows, models: Mapping[str, Forecaster], season: int, intervals: Intervals | None = None
) -> dict[str, Any]:
    """The forecast of every model and of the naive ones: unique_id, ds, cutoff and a column for each.

    Args:
        newest: What `newest_rows` returned.
        models: By name.
        season: m.
        intervals: Those of the models, of the series of these rows; their ends get columns, such as ``lstm-lo-80``.
    """
    rows, windows = newest.rows, newest.windows
    forecasts = {name: model(windows.starts) for name, model in models.items()}
    y_pred = {name: median(values) for name, values in forecasts.items()}
    y_pred |= naive_forecasts(rows, windows, slice(None), season)
    if intervals is not None:
        series = rows.series[windows.starts]
        quantiles = intervals.only(models).quantiles(forecasts, series, newest.carried)
        quantiles = {name: rows.bounds.clip(values, series) for name, values in quantiles.items()}
        y_pred |= interval_columns(quantiles, intervals)
    return long_columns(rows, windows, np.arange(len(windows)), y_pred)


def newest_paths(
    newest: NewestRows, models: Mapping[str, Forecaster], intervals: Intervals, count: int, seed: int
) -> pd.DataFrame:
    """Sample paths of every model from the newest origin: unique_id, ds, cutoff, path and a column for each.

    Args:
        newest: What `newest_rows` returned.
        models: By name.
        intervals: Those of the models, of the series of these rows.
        count: Paths of each series and target.
        seed: Decides which.
    """
    rows, windows = newest.rows, newest.windows
    series = rows.series[windows.starts]
    forecasts = {name: model(windows.starts) for name, model in models.items()}
    quantiles = intervals.only(models).quantiles(forecasts, series, newest.carried)
    drawn = {
        name: intervals.calibrations[name].paths(values, count, np.random.default_rng(seed))
        for name, values in quantiles.items()
    }
    every = np.arange(len(windows))
    frames = []
    for path in range(count):
        columns = {name: rows.bounds.clip(paths[path], series) for name, paths in drawn.items()}
        frames.append(long_format(rows, windows, every, columns).assign(path=path + 1))
    found = pd.concat(frames, ignore_index=True)[["unique_id", "ds", "cutoff", "path", *models]]
    return found.sort_values(["unique_id", "path", "ds"], kind="stable", ignore_index=True)


# Of one member: its losses by epoch, how far back its gradient reached after each, and the epoch that was kept.
MemberRecord = tuple[pd.DataFrame, list[list[float]], int]


def fit_member(
    context: TrainingContext,
    network: str,
    number: int,
    config: NetworkConfig,
    shape: Shape,
    windows: Windows,
    epochs: int | None = None,
    is_over: Callable[[Fit], bool] = lambda fit: False,
) -> tuple[Member, MemberRecord]:
    """Train one member of a network, from its newest checkpoint if there is one.

    Args:
        context: What the run's trainings share; its configuration is the member's.
        network: Which of the run's networks.
        number: Which of its members, from 0.
        config: The member's network.
        shape: Sizes of its windows.
        windows: The windows to learn from.
        epochs: Epochs after which it stops, validation or not; None for early stopping.
        is_over: Is asked after each epoch whether there is no time for another one.

    Raises:
        MachineError: If there is not enough memory.
        ConfigError: If the cell's declaration is not whole, or the training diverges.
    """
    from forecast.choices.linear import begin
    from forecast.models.backends.keras import build_network, leaves_cudnn, moments_of, set_moments
    from forecast.models.backends.onnx import check_cell
    from forecast.models.backends.tensorflow import HAS_GPU
    from forecast.runs.checkpoints import CheckpointWriter, load_checkpoint
    from forecast.training.sampling import window_order
    from forecast.training.trainer import Fit

    if config.units:
        check_cell(config)
    else:
        epochs = 0  # there is nothing to learn step by step
    prepared, progress = context.prepared, context.progress
    training = prepared.config.training
    training = training.model_copy(update={"seed": training.seed + number})
    _check_memory(config, training_bytes(config, shape, min(training.batch_size, len(windows))))
    if config.stateful:
        batch_size = window_order(windows, training, carries_state=True).batch_size
        keras_network = build_network(config, shape, training.seed, batch_size)
        twin = build_network(config.model_copy(update={"stateful": False}), shape, training.seed)
    else:
        keras_network, twin = build_network(config, shape, training.seed), None
    checkpoint = f"{network}.{number + 1}"
    weights, moments = context.starts.get(checkpoint, (None, {}))
    begin(keras_network, config, shape, prepared, windows, weights)
    fit = (context.fit or Fit)(keras_network, prepared, training, windows, epochs, twin, weights is not None)
    set_moments(keras_network, fit.optimizer, moments)
    saved = load_checkpoint(context.checkpoints, checkpoint, specs_of(fit.arrays()), context.origin)
    if saved is not None:
        arrays, state, warnings = saved
        for warning in warnings:
            progress.warn(warning)
        fit.restore(arrays, state)
    title = f"{config.model} on every row" if network == "refit" else config.model
    title += f" {number + 1}/{training.ensemble}" * (training.ensemble > 1)
    off_cudnn = leaves_cudnn(config) if HAS_GPU and network == "model" else None
    if off_cudnn is not None:
        progress.note(off_cudnn)
    if config.units:
        progress.started(title, fit)
    fit.run(CheckpointWriter(context.checkpoints, checkpoint, context.origin, progress, is_over))
    if config.units:
        progress.ended(title, fit)
    member, why = _without_tensorflow(fit, config, prepared.rows, windows)
    if why is not None and number == 0:
        progress.note(f"{config.model} forecasts with TensorFlow, which takes seconds to start: {why}")
    member = replace(member, moments=moments_of(keras_network, fit.optimizer) if config.units else {})
    record = pd.DataFrame([vars(epoch) for epoch in fit.state.history]), fit.state.gradients, fit.state.best_epoch
    del fit
    if len(windows) > _LARGE:
        gc.collect()  # a training refers to itself, and holds its order until it is found to be unused
    return member, record


def _check_memory(config: NetworkConfig, needed: int) -> None:
    available = available_memory()
    if needed > available:
        raise MachineError(
            f"Training {config.cell} of {', '.join(map(str, config.units))} units would take at least "
            f"{megabytes(needed)} of memory; {megabytes(available)} are available.",
            f"Try fewer {setting('units')}, a smaller {setting('batch_size')} or a shorter {setting('lookback')}.",
        )


def _without_tensorflow(fit: Fit, config: NetworkConfig, rows: Rows, windows: Windows) -> tuple[Member, str | None]:
    """A trained network on ONNX Runtime, if it forecasts there as in Keras; else in Keras, and why.

    Args:
        fit: The training.
        config: The network's configuration.
        rows: Rows to compare the two on.
        windows: Windows of these rows.
    """
    from forecast.models.backends.keras import weights_of

    weights = weights_of(fit.scored)
    in_onnx = RUNTIMES[ONNX](config, fit.shape, weights, None)
    starts = windows.subsample(_COMPARED).starts
    expected = fit.runtime.forecast(rows, starts)
    apart = float(np.abs(in_onnx.forecast(rows, starts) - expected).max(initial=0.0))
    if apart <= _ROUNDING * max(1.0, float(np.abs(expected).max(initial=0.0))):
        return Member(config, weights, in_onnx, ONNX), None
    why = f"ONNX Runtime and Keras differ by {apart:.2g} on the same windows"
    return Member(config, weights, fit.runtime, KERAS), why
