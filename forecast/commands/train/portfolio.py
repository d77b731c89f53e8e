"""A portfolio trained member by member in the time that there is, and weighed on the validation windows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecast.choices.selection import Judgement, weigh_members
from forecast.commands.train.members import Fitted, MemberTask, fit_members, fit_networks_of
from forecast.config import Config, MemberConfig, NetworkConfig
from forecast.data.prepare import Prepared
from forecast.data.windows import Windows
from forecast.engines.tasks import Engine
from forecast.evaluation.comparison import origin_steps
from forecast.model import Member, MemberRecord, Model, TrainingContext, TrainingRecord, Trial
from forecast.models.network import Shape, shape_of, shape_read
from forecast.plots.many_series import MOST_DRAWN
from forecast.runs.documents import to_json
from forecast.runs.files import write_atomically
from forecast.training.series_weights import series_weights

if TYPE_CHECKING:
    from forecast.training.trainer import Fit

# Windows that weights are chosen by, evenly spaced, and the most numbers of all members' forecasts that are held.
_WINDOWS, _MOST_NUMBERS = 2048, 1 << 28

# A schedule of fewer epochs than these teaches a network too little to be worth its time.
_FEWEST_EPOCHS = 5

# Members without layers that take no longer than this are trained even when time is over: short series have them all.
_AT_ONCE_SECONDS = 1.0

# What is kept for intervals, plots and the page: so many seconds, and as many for each series that is drawn; this share
# of the time; and for each window that is scored so many times what its forecast took.
_KEPT_SECONDS, _KEPT_SHARE, _KEPT_FORECASTS = 3.0, 0.03, 2

# Windows whose forecasts are timed.
_TIMED = 512

_JOURNAL = "portfolio.json"


@dataclass(frozen=True)
class Trained:
    """A member that was trained.

    Args:
        planned: The member as it was decided on.
        member: Its network.
        record: How it was trained.
        forecasts: Of the windows that weights are chosen by, scaled, [N, H, D] or [N, H, D, Q].
        loss: Of those forecasts.
        seconds: How long it took.
    """

    planned: MemberConfig
    member: Member
    record: MemberRecord
    forecasts: NDArray[np.float32]
    loss: float
    seconds: float

    @property
    def is_recurrent(self) -> bool:
        """Whether it has recurrent layers, which learn epoch by epoch."""
        return bool(self.member.config.units)


@dataclass
class _Journal:
    """What was decided so far and how much time went by, so that an interrupted training goes on as it would have.

    Args:
        context: What the run's trainings share.
        decided: The members that were decided on, by name.
        spent: Seconds of the training before it was interrupted.
        is_record: Whether all was decided when the run was first trained: no clock counts.
    """

    context: TrainingContext
    decided: dict[str, MemberConfig] = field(default_factory=dict)
    spent: float = 0.0
    is_record: bool = False

    @classmethod
    def of(cls, context: TrainingContext) -> _Journal:
        """That of a training: what its configuration records, or what was written down before it was interrupted."""
        plan = context.prepared.config.portfolio
        if any(member.weights for member in plan):
            decided = {member.name: member.model_copy(update={"weights": ()}) for member in plan}
            return cls(context, decided, is_record=True)
        path = context.checkpoints / _JOURNAL
        if not path.exists():
            return cls(context)
        saved = json.loads(path.read_text(encoding="utf-8"))
        members = [MemberConfig.model_validate(member) for member in saved["decided"]]
        return cls(context, {member.name: member for member in members}, saved["spent"])

    @property
    def seconds(self) -> float:
        """How long the run has taken, interruptions left out."""
        return self.spent + time.monotonic() - self.context.started

    def write(self, member: MemberConfig) -> None:
        """Write down what was decided on a member."""
        self.decided[member.name] = member
        if self.context.checkpoints.exists():  # but of a training that leaves nothing behind
            decided = [own.model_dump(mode="json") for own in self.decided.values()]
            saved = to_json({"decided": decided, "spent": self.seconds})
            write_atomically(self.context.checkpoints / _JOURNAL, saved.encode())


class Portfolio:
    """The members of a run's portfolio: trained one after the other where a clock decides on each, else side by side.

    Args:
        context: What the run's trainings share.
        engine: What trains them, where no clock decides.
    """

    def __init__(self, context: TrainingContext, engine: Engine) -> None:
        self.context, self._engine, prepared = context, engine, context.prepared
        self.config: Config = prepared.config
        self.windows, self._judgement = _to_judge_by(prepared)
        hides = self.config.training.hide_series > 0
        self.shape: Shape = shape_of(prepared.rows, prepared.train.lookback, prepared.train.horizon, hides)
        self.trained: list[Trained] = []
        self._journal = _Journal.of(context)
        self._limit = self.config.training.time_limit
        # Seconds that an epoch of the last network took, in units of the work that it was; seconds that it took beside
        # its epochs; and those that the forecasts of a window by all members took.
        self._pace: float | None = None
        self._seconds_to_begin = 0.0
        self._seconds_a_window = 0.0
        # The longest that a member without layers took.
        self._seconds_to_solve = 0.0

    def fit_first(self) -> Model:
        """Train the first member, and return it as a model by itself: what the run would be without the others."""
        self._fit(range(1 if self._counts_time else len(self.config.portfolio)))
        first = self.trained[0]
        config = self.config.of_member(first.planned).network
        return Model(config, self.shape, (first.member,), _records([first]))

    def fit_baseline(self, network: NetworkConfig) -> Model:
        """Train the vanilla RNN that stands beside the ensemble, for an epoch or half of the time that is left."""
        half = self._left() / 2 if self._counts_time else 0.0
        clock = _Clock(self.config.baseline_stopped_after, (lambda: self._left() - half) if self._counts_time else None)
        windows = self.context.prepared.train
        return fit_networks_of(self.context, {"baseline": network}, windows, self._engine, is_over=clock)["baseline"]

    def fit_others(self) -> Model:
        """Train the others while there is time, and return the ensemble that the validation windows choose."""
        if self._counts_time:
            for number in range(1, len(self.config.portfolio)):
                self._fit([number])
        rows, trained = self.context.prepared.rows, self.trained
        forecasts = np.stack([own.forecasts for own in trained])
        weights = weigh_members(
            forecasts, self._judgement, origin_steps(rows.panel.times[self.windows.cutoffs], rows.panel.clock)
        )
        shares = {own.planned.name: tuple(map(float, of_steps)) for own, of_steps in zip(trained, weights, strict=True)}
        kept = [own for own in trained if any(shares[own.planned.name])]
        return Model(
            self.config.network,
            self.shape,
            tuple(replace(own.member, shares=shares[own.planned.name]) for own in kept),
            _records([own for own in trained if own.is_recurrent]),
            trials=tuple(self._trial(own, shares.get(own.name, (0.0,))) for own in self.config.portfolio),
        )

    def _trial(self, planned: MemberConfig, weights: tuple[float, ...]) -> Trial:
        decided = self._journal.decided[planned.name].model_copy(update={"weights": weights})
        own = next((own for own in self.trained if own.planned.name == planned.name), None)
        if own is None:
            return Trial(decided)
        return Trial(decided, own.loss, len(own.record[0]), own.record[2], own.seconds)

    def _fit(self, numbers: Sequence[int]) -> None:
        """Train some members for which there is time."""
        decided = {number: self._decided(self.config.portfolio[number]) for number in numbers}
        decided = {number: member for number, member in decided.items() if not member.left_out}
        tasks = []
        for number, member in decided.items():
            whole = self.config.of_member(member)
            clock = _Clock(member.stopped_after, self._left if self._counts_time else None)
            tasks.append(MemberTask("model", number, whole.network, whole=whole, is_over=clock))
        windows = self.context.prepared.train
        fitted = fit_members(self.context, self.shape, windows, tasks, self._engine)
        for member, task, own in zip(decided.values(), tasks, fitted, strict=True):
            self._keep(member, task, own)

    def _decided(self, planned: MemberConfig) -> MemberConfig:
        decided = self._journal.decided.get(planned.name)
        if decided is None:
            decided = self._decide(planned)
            self._journal.write(decided)
        return decided

    def _keep(self, decided: MemberConfig, task: MemberTask, fitted: Fitted) -> None:
        """Keep a member that was trained, with what it forecasts of the windows that weights are chosen by."""
        assert task.whole is not None
        member, record, seconds, clock = fitted.member, fitted.record, fitted.seconds, task.is_over
        n_epochs, best_epoch = len(record[0]), record[2]
        if not task.config.units:
            self._seconds_to_solve = max(self._seconds_to_solve, seconds)
        elif isinstance(clock, _Clock) and clock.epoch_seconds:
            self._pace = clock.epoch_seconds / _work(task.config, self.shape)
            self._seconds_to_begin = max(0.0, seconds - n_epochs * clock.epoch_seconds)
        if 0 < n_epochs < task.whole.training.epochs and n_epochs - best_epoch < task.whole.training.patience:
            decided = decided.model_copy(update={"stopped_after": n_epochs})
            self._journal.write(decided)
        rows, starts = self.context.prepared.rows, self.windows.starts
        forecasts = member.runtime.forecast(rows, starts)
        if self._counts_time:  # once more, for the first time takes longer, and of enough windows to tell
            began = time.monotonic()
            member.runtime.forecast(rows, np.resize(starts, _TIMED))
            self._seconds_a_window += (time.monotonic() - began) / _TIMED
        loss = self._judgement.loss_of(forecasts)
        self.trained.append(Trained(decided, member, record, forecasts, loss, seconds))

    def _decide(self, planned: MemberConfig) -> MemberConfig:
        """Whether there is time for a member, and for how many epochs."""
        if not self._counts_time or not self.trained:
            return planned
        config, left = self.config.of_member(planned), self._left()
        without_time = planned.model_copy(update={"left_out": True})
        if not config.network.units:
            return planned if left > 0 or self._seconds_to_solve <= _AT_ONCE_SECONDS else without_time
        left -= self._seconds_to_begin
        an_epoch = (self._pace or 0.0) * _work(config.network, self.shape)  # 0 if none was measured: it is tried
        if left >= an_epoch * config.training.epochs:
            return planned
        if left < an_epoch * min(_FEWEST_EPOCHS, config.training.epochs):
            return without_time
        return planned.model_copy(update={"epochs": int(left / an_epoch)})

    def _left(self) -> float:
        """Seconds that are left for training."""
        assert self._limit is not None
        prepared = self.context.prepared
        to_score = len(prepared.test) + len(prepared.validation)
        drawn = min(MOST_DRAWN, sum(map(len, prepared.rows.unique_ids)))
        kept = _KEPT_SECONDS * (1 + drawn) + _KEPT_SHARE * self._limit
        kept += _KEPT_FORECASTS * to_score * self._seconds_a_window
        left = self._limit - self._journal.seconds - kept
        if self.config.training.refit:  # which takes what the members took, once more
            left = (left - sum(own.seconds for own in self.trained)) / 2
        return left

    @property
    def _counts_time(self) -> bool:
        return self._limit is not None and not self._journal.is_record


@dataclass
class _Clock:
    """Says after each epoch of a member's training whether there is no time for another one.

    Args:
        stop_after: The epoch after which time was over, when that is on record.
        left: Tells the seconds that are left; None where time does not count, but only the record does.
    """

    stop_after: int | None
    left: Callable[[], float] | None
    epoch_seconds: float = 0.0
    _first: tuple[float, int] | None = None

    def __call__(self, fit: Fit) -> bool:
        """Whether training is over."""
        now, done = time.monotonic(), len(fit.state.history)
        if self._first is None:
            self._first = now, done
        began, before = self._first
        self.epoch_seconds = (now - began) / max(1, done - before)
        return done == self.stop_after if self.left is None else self.left() < self.epoch_seconds


def describe_members(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Every member of a portfolio as it stands in metrics.json: its loss on validation windows, and its mean weight."""
    return [
        {
            "name": trial.decided.name,
            "loss": trial.loss,
            "weight": sum(trial.decided.weights) / len(trial.decided.weights),
        }
        for trial in trials
    ]


def refit(context: TrainingContext, model: Model, windows: Windows, engine: Engine) -> Model:
    """A trained model, trained again on other windows for as many epochs as were best.

    Args:
        context: What the run's trainings share.
        model: The model.
        windows: The windows to learn from.
        engine: What trains its members.
    """
    if not model.trials:
        return fit_networks_of(context, {"refit": model.config}, windows, engine, model.record.best_epochs)["refit"]
    counted = [trial for trial in model.trials if trial.decided.counts]
    tasks = [
        MemberTask("refit", number, was.config, trial.best_epoch, context.prepared.config.of_member(trial.decided))
        for number, (trial, was) in enumerate(zip(counted, model.members, strict=True))
    ]
    fitted = fit_members(context, model.shape, windows, tasks, engine)
    members = [replace(own.member, shares=was.shares) for own, was in zip(fitted, model.members, strict=True)]
    return replace(model, members=tuple(members))


def _records(trained: Sequence[Trained]) -> TrainingRecord:
    histories, gradients, best_epochs = zip(*(own.record for own in trained), strict=True)
    return TrainingRecord(histories, gradients, best_epochs, sum(own.seconds for own in trained))


def _to_judge_by(prepared: Prepared) -> tuple[Windows, Judgement]:
    """The validation windows that weights are chosen by, and what was observed there."""
    rows, config = prepared.rows, prepared.config
    numbers = prepared.validation.horizon * rows.n_targets * max(1, len(config.network.quantiles))
    most = min(_WINDOWS, max(1, _MOST_NUMBERS // (numbers * len(config.portfolio))))
    windows = prepared.validation.subsample(most)
    series = rows.series[windows.starts]
    observed = rows.scaled[windows.future(), : rows.n_targets]
    of_series = series_weights(prepared)
    weights = np.ones((len(windows), rows.n_targets)) if of_series is None else of_series[series]
    loss, scale = config.training.loss, rows.scaler.scale[series, : rows.n_targets]
    judgement = Judgement(observed, weights, loss, config.network.quantiles, scale if loss == "qlike" else None)
    return windows, judgement


def _work(network: NetworkConfig, shape: Shape) -> float:
    """How much work a window is for a network, in units of no meaning: turns of its layers, times their products."""
    read = shape_read(network, shape)
    turns = -(-read.lookback // network.segment) + -(-read.horizon // network.segment)
    width = network.segment * shape.features
    return float(sum(turns * units * (width + units) for units in network.units))
