"""The members of networks, each trained by a task of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from forecast.config import Config, NetworkConfig
from forecast.data.windows import Windows
from forecast.engines.tasks import Engine
from forecast.model import Member, MemberRecord, Model, TrainingContext, fit_member
from forecast.models.network import Shape, shape_of
from forecast.progress import NullProgress, Progress

if TYPE_CHECKING:
    from forecast.training.trainer import Fit


@dataclass(frozen=True)
class MemberTask:
    """The training of one member; see `fit_member`.

    Args:
        network: Which of the run's networks it belongs to.
        number: Which of its members it is, from 0.
        config: Its network.
        epochs: Epochs after which it stops, validation or not; None for early stopping.
        whole: The configuration that it is trained by; None for the run's.
        is_over: Is asked after each epoch whether it was the last; None for never.
    """

    network: str
    number: int
    config: NetworkConfig
    epochs: int | None = None
    whole: Config | None = None
    is_over: Callable[[Fit], bool] | None = None


@dataclass(frozen=True)
class Fitted:
    """A member that was trained.

    Args:
        member: Its network.
        record: How it was trained.
        seconds: How long that took.
    """

    member: Member
    record: MemberRecord
    seconds: float


def fit_networks_of(
    context: TrainingContext,
    configs: Mapping[str, NetworkConfig],
    windows: Windows,
    engine: Engine,
    epochs: Sequence[int] | None = None,
    is_over: Callable[[Fit], bool] | None = None,
) -> dict[str, Model]:
    """Train networks, as many of their members side by side as the engine computes at a time.

    Args:
        context: What the trainings share.
        configs: Of the networks, by name: ``model``, ``baseline`` or ``refit``.
        windows: The windows to learn from.
        engine: What trains them.
        epochs: Epochs after which each member stops, validation or not; None for early stopping.
        is_over: As of `MemberTask`.

    Raises:
        MachineError: If there is not enough memory.
        ConfigError: If the cell's declaration is not whole, or the training diverges.
    """
    training = context.prepared.config.training
    shape = shape_of(context.prepared.rows, windows.lookback, windows.horizon, training.hide_series > 0)
    stops: Sequence[int | None] = epochs or [None] * training.ensemble
    tasks = [
        MemberTask(network, number, config, stop, is_over=is_over)
        for network, config in configs.items()
        for number, stop in enumerate(stops)
    ]
    fitted, models = fit_members(context, shape, windows, tasks, engine), {}
    for number, (network, config) in enumerate(configs.items()):
        own = fitted[number * len(stops) : (number + 1) * len(stops)]
        seconds = sum(member.seconds for member in own)
        models[network] = Model.of_members(config, shape, [(each.member, each.record) for each in own], seconds)
    return models


def fit_members(
    context: TrainingContext, shape: Shape, windows: Windows, tasks: Sequence[MemberTask], engine: Engine
) -> list[Fitted]:
    """Train members, as many side by side as the engine computes at a time."""
    folder = context.checkpoints.absolute()  # a worker may work elsewhere
    task = partial(_fit, replace(context, checkpoints=folder, progress=NullProgress()), shape, windows)
    return [_computed(own, shape) for own in engine.map(task, tasks, context.progress, "networks")]


def _fit(context: TrainingContext, shape: Shape, windows: Windows, task: MemberTask, progress: Progress) -> Fitted:
    from forecast.models.backends.tensorflow import letting_go_of_graphs

    prepared, began = context.prepared, time.monotonic()
    prepared = replace(prepared, config=task.whole or prepared.config)
    context = replace(context, prepared=prepared, progress=progress)
    is_over = task.is_over or (lambda fit: False)
    own = task.network, task.number, task.config, shape, windows, task.epochs, is_over
    with letting_go_of_graphs():
        member, record = fit_member(context, *own)
    return Fitted(member, record, time.monotonic() - began)


def _computed(fitted: Fitted, shape: Shape) -> Fitted:
    """The same with what computes the member, which it lacks if it has come from another process."""
    if fitted.member.runtime is not None:
        return fitted
    return replace(fitted, member=fitted.member.with_weights(fitted.member.weights, shape))
