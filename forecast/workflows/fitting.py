"""Training the networks of a run, each from its newest checkpoint if there is one."""

from __future__ import annotations

import gc
import hashlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from forecast.config import NetworkConfig
from forecast.data.panel import Arrays
from forecast.data.prepare import Prepared, Rows, in_units
from forecast.data.scaling import Scaler
from forecast.data.windows import Forecaster, Windows
from forecast.errors import MachineError
from forecast.evaluation.metrics import NaiveError
from forecast.evaluation.scoring import score_models
from forecast.evaluation.verdict import CLEAR_LEAD, significant_sign
from forecast.inference.network import Network
from forecast.memory import available_memory, megabytes
from forecast.models.catalogue import network_configs
from forecast.models.footprint import training_bytes
from forecast.models.shape import shape_of
from forecast.progress import Progress, StopRequested
from forecast.runs.arrays import specs_of
from forecast.runs.run import number_members
from forecast.runs.writer import RunWriter
from forecast.workflows.networks import (
    KERAS,
    ONNX,
    averaged,
    column_names,
    without_tensorflow,
)

if TYPE_CHECKING:
    from forecast.models.backend import keras
    from forecast.training.trainer import Fit

# Windows whose order is let go at once after a training; to look for that of fewer takes longer than it is worth.
_LARGE = 1 << 22


@dataclass(frozen=True)
class Workshop:
    """What every step of one run's making shares."""

    prepared: Prepared
    writer: RunWriter
    progress: Progress

    @cached_property
    def origin(self) -> str:
        """A digest of the data and the configuration, by which checkpoints know what they belong to."""
        panel, config = self.prepared.rows.panel, self.prepared.config
        return hashlib.sha256(f"{panel.fingerprint()} {config.to_json()}".encode()).hexdigest()


@dataclass(frozen=True)
class Member:
    """One trained network of an ensemble.

    Args:
        network: As Keras has it.
        forecaster: The same network, as it forecasts.
        on_keras: Why it forecasts with Keras; None if it needs no TensorFlow for it.
        history: Its losses by epoch.
        gradients: How far back its gradient reached after each epoch; empty if that was not tracked.
        best_epoch: The epoch whose weights were kept.
    """

    network: keras.Model
    forecaster: Network
    on_keras: str | None
    history: pd.DataFrame
    gradients: list[list[float]]
    best_epoch: int


@dataclass(frozen=True)
class Trained:
    """A network of the run: one member, or several that differ by their seed and whose forecasts are averaged."""

    members: tuple[Member, ...]
    seconds: float
    fell_back: bool = False

    @property
    def parameters(self) -> int:
        """The trainable weights of all members."""
        return sum(member.network.count_params() for member in self.members)

    @property
    def runtime(self) -> str:
        """What computes its forecasts, as manifests call it."""
        return KERAS if any(member.on_keras for member in self.members) else ONNX

    @property
    def best_epochs(self) -> list[int]:
        """The epoch whose weights were kept, of each member."""
        return [member.best_epoch for member in self.members]

    @property
    def weights(self) -> Arrays:
        """The weights of all members, by member and name."""
        from forecast.models.recurrent import weights_of

        return number_members(weights_of(member.network) for member in self.members)

    @property
    def history(self) -> pd.DataFrame:
        """The losses of all members."""
        return pd.concat(
            [member.history.assign(member=number + 1) for number, member in enumerate(self.members)], ignore_index=True
        )

    def over(self, rows: Rows, scaler: Scaler) -> Forecaster:
        """The function from first rows of windows to forecasts in the targets' own units.

        Args:
            rows: What it is fed.
            scaler: The run's scaler.
        """
        return in_units(averaged([member.forecaster.over(rows) for member in self.members]), rows, scaler)


def or_last_value(trained: Trained, network: str, workshop: Workshop, naive_error: Mapping[str, NaiveError]) -> Trained:
    """The network, if it beats the last value on the validation span; if not, one that repeats that value.

    It beats it if it is better significantly, or by a twentieth.

    Args:
        trained: A network that counts from the last value.
        network: Which of the run's networks it is.
        workshop: What the run shares.
        naive_error: What scaled errors are divided by, for each unique id.
    """
    from forecast.models.recurrent import repeat_last_value

    prepared = workshop.prepared
    name = column_names(prepared.config)[network]
    scores = score_models(
        prepared.rows,
        prepared.validation,
        {name: trained.over(prepared.rows, prepared.scaler)},
        prepared.config.data.season,
        naive_error,
    ).metrics
    gain, p = scores["skill"]["persistence"], scores["p_value"]["persistence"]
    plain = gain is not None and gain >= CLEAR_LEAD
    if plain or significant_sign("persistence", scores["skill"], scores["p_value"]) > 0:
        return trained
    measured = "no skill can be measured" if gain is None else f"skill {gain:.1%}"
    measured += ", too few windows to test" if p is None else f", p = {p:.2g}"
    workshop.progress.warn(f"on the validation span {name} does not beat the last value ({measured}), so it repeats it")
    members = []
    parts = network_configs(prepared.config)[network]
    for member in trained.members:
        repeat_last_value(member.network)
        forecaster, on_keras = _forecaster_of(member.network, parts, prepared, prepared.validation)
        members.append(replace(member, forecaster=forecaster, on_keras=on_keras))
    return Trained(tuple(members), trained.seconds, fell_back=True)


def fit_networks(workshop: Workshop, naive_error: Mapping[str, NaiveError]) -> dict[str, Trained]:
    """Train the networks of a configuration: the model, and the vanilla RNN if one stands beside it.

    Args:
        workshop: What the run shares.
        naive_error: What scaled errors are divided by, for each unique id.
    """
    config = workshop.prepared.config
    trained = {
        network: fit_network(workshop, network, parts, workshop.prepared.train)
        for network, parts in network_configs(config).items()
    }
    if not config.training.fall_back:
        return trained
    return {network: or_last_value(result, network, workshop, naive_error) for network, result in trained.items()}


@dataclass(frozen=True)
class Fitted:
    """Networks that were trained to be judged, and belong to no run.

    Args:
        trained: By network, ``model`` and perhaps ``baseline``.
        models: What they forecast over the rows that they were prepared from, by column.
    """

    trained: Mapping[str, Trained]
    models: Mapping[str, Forecaster]


def fit_aside(prepared: Prepared, naive_error: Mapping[str, NaiveError], progress: Progress) -> Fitted:
    """Train the networks of a configuration and leave nothing behind: neither a run nor a plot.

    Args:
        prepared: Rows, scaler and windows.
        naive_error: What scaled errors are divided by, for each unique id.
        progress: Receives notes, warnings and progress.
    """
    names = column_names(prepared.config)
    with tempfile.TemporaryDirectory() as place:
        trained = fit_networks(Workshop(prepared, RunWriter(Path(place), "aside"), progress), naive_error)
    models = {names[network]: result.over(prepared.rows, prepared.scaler) for network, result in trained.items()}
    return Fitted(trained, models)


def fit_network(
    workshop: Workshop, name: str, parts: NetworkConfig, windows: Windows, epochs: Sequence[int] | None = None
) -> Trained:
    """Train the members of one network.

    Args:
        workshop: What the run shares.
        name: Which network: model, baseline or refit.
        parts: Its configuration.
        windows: The windows to learn from.
        epochs: Epochs after which each member stops, validation or not; None for early stopping.
    """
    started = time.monotonic()
    members = []
    for number in range(workshop.prepared.config.training.ensemble):
        stop = epochs[number] if epochs is not None else None
        members.append(_fit_member(workshop, name, number, parts, windows, stop))
        if len(windows) > _LARGE:
            gc.collect()  # a training refers to itself, and holds its order until it is found to be unused
    return Trained(tuple(members), time.monotonic() - started)


def _fit_member(
    workshop: Workshop, name: str, number: int, parts: NetworkConfig, windows: Windows, epochs: int | None
) -> Member:
    from forecast.models.backend import HAS_GPU
    from forecast.models.recurrent import build_network, leaves_cudnn
    from forecast.runs.checkpoints import load_checkpoint
    from forecast.training.sampling import window_order
    from forecast.training.trainer import Fit

    prepared, config = workshop.prepared, workshop.prepared.config
    training = config.training.model_copy(update={"seed": config.training.seed + number})
    shape = shape_of(prepared.rows, windows.lookback, windows.horizon)
    _check_memory(parts, training_bytes(parts, shape, min(training.batch_size, len(windows))))
    if parts.stateful:
        batch_size = window_order(windows, training, carries_state=True).batch_size
        network = build_network(parts, shape, training.seed, batch_size)
        twin = build_network(parts.model_copy(update={"stateful": False}), shape, training.seed)
    else:
        network, twin = build_network(parts, shape, training.seed), None
    fit = Fit(network, prepared, training, windows, epochs, twin)
    checkpoint = f"{name}.{number + 1}"
    saved = load_checkpoint(workshop.writer.checkpoints, checkpoint, specs_of(fit.arrays()), workshop.origin)
    if saved is not None:
        arrays, state, warnings = saved
        for warning in warnings:
            workshop.progress.warn(warning)
        fit.restore(arrays, state)
    column = column_names(config).get(name, f"{parts.model} on every row")
    title = f"{column} {number + 1}/{config.training.ensemble}" if config.training.ensemble > 1 else column
    off_path = leaves_cudnn(parts) if HAS_GPU and name == "model" else None
    if off_path is not None:
        workshop.progress.note(off_path)
    workshop.progress.started(title, fit)
    fit.run(_Keeper(workshop, checkpoint))
    workshop.progress.ended(title, fit)
    forecaster, on_keras = _forecaster_of(fit.scored, parts, prepared, windows)
    if on_keras is not None and number == 0:
        workshop.progress.note(f"{column} forecasts with TensorFlow, which takes seconds to start: {on_keras}")
    return Member(
        network=fit.scored,
        forecaster=forecaster,
        on_keras=on_keras,
        history=pd.DataFrame([vars(epoch) for epoch in fit.state.history]),
        gradients=fit.state.gradients,
        best_epoch=fit.state.best_epoch,
    )


def _check_memory(parts: NetworkConfig, needed: int) -> None:
    available = available_memory()
    if needed > available:
        raise MachineError(
            f"Training {parts.cell} of {', '.join(map(str, parts.units))} units would take at least "
            f"{megabytes(needed)} of memory; {megabytes(available)} are available.",
            "Try fewer --units, a smaller --batch-size or a shorter --lookback.",
        )


def _forecaster_of(
    network: keras.Model, parts: NetworkConfig, prepared: Prepared, windows: Windows
) -> tuple[Network, str | None]:
    shape = shape_of(prepared.rows, windows.lookback, windows.horizon)
    return without_tensorflow(network, parts, shape, prepared.rows, windows)


# A checkpoint after every epoch, and within a long one after so many seconds. Saving takes a fraction of one.
_SECONDS_BETWEEN_CHECKPOINTS = 60.0


@dataclass
class _Keeper:
    """Saves a checkpoint after every epoch, now and then within one, and when the user asks to stop."""

    workshop: Workshop
    name: str
    saved: float = field(default_factory=time.monotonic)

    def after_step(self, fit: Fit) -> None:
        """Report the step; on a request to stop, save first."""
        try:
            self.workshop.progress.step(fit)
        except StopRequested:
            self.after_epoch(fit)
            raise
        if time.monotonic() - self.saved >= _SECONDS_BETWEEN_CHECKPOINTS:
            self.after_epoch(fit)

    def after_epoch(self, fit: Fit) -> None:
        """Save."""
        from forecast.runs.checkpoints import save_checkpoint

        workshop = self.workshop
        save_checkpoint(workshop.writer.checkpoints, self.name, fit.arrays(), fit.state, workshop.origin)
        self.saved = time.monotonic()
