"""The training loop: exact to continue, honest about the best epoch, and able to learn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from forecast.choices.defaults import resolve
from forecast.config import Config
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, prepare
from forecast.errors import ConfigError, RunError
from forecast.models.backends.keras import build_network, gather, weights_of
from forecast.models.backends.tensorflow import tf
from forecast.models.catalogue import configure
from forecast.models.network import shape_of
from forecast.runs.arrays import specs_of
from forecast.runs.checkpoints import load_checkpoint, save_checkpoint
from forecast.training import trainer
from forecast.training.sampling import window_order
from forecast.training.trainer import Fit, averaging_momentum, learning_rate

PLAIN = {
    "target": "y",
    "covariates": "none",
    "calendar": False,
    "lookback": 6,
    "horizon": 3,
    "season": 7,
    "transform": "none",
    "channels": "joint",
    "model": "rnn",
    "units": (3,),
    "normalise": "none",
    "segment": 1,
    "batch_size": 8,
    "steps_per_epoch": 4,
    "epochs": 3,
    "learning_rate": 0.02,
}
DROPOUT = {"dropout": 0.3, "recurrent_dropout": 0.3, "head_dropout": 0.3}
STATEFUL = {"model": "lstm", "stateful": True, "batch_size": 2}


def noisy(n_rows: int = 120) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.sin(2 * np.pi * np.arange(n_rows) / 7) + 0.3 * rng.normal(size=n_rows)


def prepared_of(values: np.ndarray, n_series: int = 1, **options: object) -> Prepared:
    times = np.datetime64("2020-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "D")
    ids = ("",) if n_series == 1 else tuple(f"s{number}" for number in range(n_series))
    offsets = tuple(range(0, n_series * len(values) + 1, len(values)))
    panel = Panel(np.tile(values, n_series)[:, None], np.tile(times, n_series), ("y",), Clock("D"), ids, offsets)
    return prepare(panel, resolve(configure(PLAIN | options), panel)[0])


def fit_of(prepared: Prepared, epochs: int | None = None) -> Fit:
    config: Config = prepared.config
    training, network = config.training, config.network
    shape = shape_of(prepared.rows, prepared.train.lookback, prepared.train.horizon, training.hide_series > 0)
    if not network.stateful:
        return Fit(build_network(network, shape, training.seed), prepared, training, prepared.train, epochs)
    lanes = window_order(prepared.train, training, carries_state=True).batch_size
    twin = build_network(network.model_copy(update={"stateful": False}), shape, training.seed)
    carrying = build_network(network, shape, training.seed, lanes)
    return Fit(carrying, prepared, training, prepared.train, epochs, twin)


class Stopped(Exception):
    """Raised by a watcher that has seen enough."""


@dataclass
class Watching:
    """Calls back after each step and epoch, and counts them."""

    each_step: Callable[[Fit], None] = lambda fit: None
    each_epoch: Callable[[Fit], None] = lambda fit: None
    steps: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    def after_step(self, fit: Fit) -> None:
        self.steps.append(fit.state.step)
        self.each_step(fit)

    def after_epoch(self, fit: Fit) -> None:
        self.epochs.append(len(fit.state.history))
        self.each_epoch(fit)


def stop_at(step: int) -> Callable[[Fit], None]:
    def stop(fit: Fit) -> None:
        if fit.state.step == step:
            raise Stopped

    return stop


def bits(fit: Fit) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in (fit.arrays() | weights_of(fit.scored)).items()}


KINDS = {
    "plain": {},
    "dropout": {"model": "lstm", "lookback": 3, "mirror": True, **DROPOUT},
    "stateful": {**STATEFUL, "track_gradients": True},
    "hidden": {"n_series": 2, "model": "segment-lstm", "segment": 3, "hide_series": 0.5, "mirror": True},
}


@pytest.fixture(scope="module")
def straight(request: pytest.FixtureRequest) -> tuple[Prepared, Fit]:
    """A training of some kind that nothing interrupted."""
    prepared = prepared_of(noisy(), **KINDS[request.param])
    fit = fit_of(prepared)
    fit.run(Watching())
    return prepared, fit


# Of three epochs of four steps; the stateful network's lanes are six windows long.
@pytest.mark.parametrize(
    ("straight", "stopped_at"),
    [("plain", 4), ("plain", 12), ("dropout", 6), ("stateful", 9), ("hidden", 6)],
    indirect=["straight"],
)
def test_stopped_and_continued_is_never_stopped(
    straight: tuple[Prepared, Fit], stopped_at: int, tmp_path: Path
) -> None:
    prepared, never_stopped = straight
    interrupted = fit_of(prepared)
    with pytest.raises(Stopped):
        interrupted.run(Watching(each_step=stop_at(stopped_at)))
    save_checkpoint(tmp_path, "model", interrupted.arrays(), interrupted.state, "a1")
    continued = fit_of(prepared)
    loaded = load_checkpoint(tmp_path, "model", specs_of(continued.arrays()), "a1")
    assert loaded is not None
    continued.restore(*loaded[:2])
    watching = Watching()
    continued.run(watching)
    assert watching.steps == list(range(stopped_at + 1, 13))
    assert continued.state == never_stopped.state
    assert bits(continued) == bits(never_stopped)
    tracked = prepared.config.training.track_gradients
    assert [len(norms) for norms in continued.state.gradients] == ([6, 6, 6] if tracked else [])


@pytest.mark.parametrize("straight", ["plain"], indirect=True)
def test_continued_after_the_end_is_the_end(straight: tuple[Prepared, Fit]) -> None:
    prepared, finished = straight
    continued = fit_of(prepared)
    continued.restore(finished.arrays(), finished.state)
    watching = Watching()
    continued.run(watching)
    assert watching.steps == []
    assert bits(continued) == bits(finished)


def test_the_names_of_a_tenth_of_the_windows_are_hidden_and_nothing_else() -> None:
    fit = fit_of(prepared_of(noisy(), n_series=3, model="segment-lstm"))
    series = tf.constant(np.arange(6000) % 3, tf.int32)
    inputs = {"past": 7, "series": series}
    fed = fit._some_unnamed(tf.constant(4), inputs)
    hidden = fed["series"].numpy() != series.numpy()
    assert 500 < hidden.sum() < 700
    assert set(fed["series"].numpy()[hidden]) == {3}  # behind the three
    assert fed["past"] == 7
    again, later = (fit._some_unnamed(tf.constant(step), inputs)["series"].numpy() for step in (4, 5))
    assert (again == fed["series"].numpy()).all()
    assert (later != again).any()


def test_the_unknown_name_is_learned() -> None:
    fit = fit_of(prepared_of(noisy(), n_series=2, model="segment-lstm", segment=3, hide_series=0.5))
    before = weights_of(fit.scored)["queries/identities"]
    fit.run(Watching())
    after = weights_of(fit.scored)["queries/identities"]
    assert after.shape[0] == 3
    assert (after != before).any(axis=1).all()


def test_the_seed_decides_the_training() -> None:
    one, same, other = (fit_of(prepared_of(noisy(), epochs=1, seed=seed, **DROPOUT)) for seed in (1, 1, 2))
    for fit in (one, same, other):
        fit.run(Watching())
    assert bits(same) == bits(one)
    assert same.state == one.state
    assert bits(other).keys() == bits(one).keys()
    assert all(bits(other)[name] != array for name, array in bits(one).items() if name.startswith("network/"))


def test_the_watcher_sees_every_step_and_epoch() -> None:
    watching, fit = Watching(), fit_of(prepared_of(noisy()))
    fit.run(watching)
    assert watching.steps == list(range(1, 13))
    assert watching.epochs == [1, 2, 3]
    history = fit.state.history
    assert [epoch.steps for epoch in history] == [4, 8, 12]
    rates = [learning_rate(step, 12, fit.config) for step in (3, 7, 11)]
    assert [epoch.learning_rate for epoch in history] == rates


@pytest.mark.parametrize(
    ("batch_size", "steps_per_epoch", "expected"),
    [(2, 1000, 38), (2, 4, 4), (8, 1000, 20), (8, 4, 4)],  # a pass of 10 batches is short and is made twice
)
def test_an_epoch_is_a_pass_at_most_but_never_a_few_steps(batch_size: int, steps_per_epoch: int, expected: int) -> None:
    fit = fit_of(prepared_of(noisy(), batch_size=batch_size, steps_per_epoch=steps_per_epoch))
    assert len(fit.windows) == 84 - 8  # 76 windows
    assert fit.steps_per_epoch == expected


def test_the_best_weights_are_kept_and_training_stops_when_tired() -> None:
    # A high rate, held, on noise alone: validation soon gets worse.
    rng = np.random.default_rng(0)
    prepared = prepared_of(rng.normal(size=120), patience=2, epochs=40, learning_rate=0.1, schedule="constant", ema=0)
    fit, after = fit_of(prepared), []
    fit.run(Watching(each_epoch=lambda fit: after.append([array.numpy() for array in fit.averages])))
    losses = [epoch.validation_loss for epoch in fit.state.history]
    best = int(np.argmin(losses)) + 1
    assert fit.state.best_epoch == best
    assert len(losses) == best + 2 < 40
    assert fit.state.finished
    for kept, array in zip(after[best - 1], weights_of(fit.scored).values(), strict=True):
        assert kept.tobytes() == array.tobytes()


@pytest.mark.parametrize(("loss", "transform"), [("mae", "none"), ("mse", "none"), ("huber", "none"), ("mae", "log")])
def test_the_figures_of_the_best_epoch_are_those_of_its_weights(loss: str, transform: str) -> None:
    values = 50 * np.exp(0.3 * noisy())
    prepared = prepared_of(values, loss=loss, transform=transform, epochs=2)
    fit = fit_of(prepared)
    fit.run(Watching())
    windows = prepared.validation
    y_pred = fit.runtime.forecast(prepared.rows, windows.starts)[:, :, 0].astype(np.float64)
    logged = np.log(values) if transform == "log" else values
    mean, scale = logged[:84].mean(), logged[:84].std()
    error = (logged[windows.future()] - mean) / scale - y_pred
    small = np.abs(error) < 1
    by_loss = {"mae": np.abs(error), "mse": error**2, "huber": np.where(small, error**2 / 2, np.abs(error) - 0.5)}
    unscaled = y_pred * scale + mean
    in_units = values[windows.future()] - (np.exp(unscaled) if transform == "log" else unscaled)
    best = fit.state.history[fit.state.best_epoch - 1]
    assert best.validation_loss == pytest.approx(by_loss[loss].mean(), rel=1e-5)
    assert best.validation_mae == pytest.approx(np.abs(in_units).mean(), rel=1e-5)


@pytest.mark.parametrize(("mean", "spread"), [(0, 1), (15, 10), (1e9, 0.01)])
def test_training_errors_are_in_the_units_of_the_target(mean: float, spread: float) -> None:
    prepared = prepared_of(mean + spread * noisy())
    fit = fit_of(prepared)
    fit.run(Watching())
    for epoch in fit.state.history:
        assert epoch.mae == pytest.approx(epoch.loss * prepared.scaler.scale[0, 0], rel=1e-4)


def test_training_errors_of_logged_targets_are_in_their_units_too() -> None:
    values = 50 * np.exp(0.3 * noisy())
    prepared = prepared_of(values, transform="log", epochs=1, steps_per_epoch=1, batch_size=1000)
    fit = fit_of(prepared)
    fresh = fit.runtime.forecast(prepared.rows, fit.windows.starts)  # the whole of the first and only batch
    fit.run(Watching())
    y_pred = np.exp(fresh[:, :, 0] * prepared.scaler.scale[0, 0] + prepared.scaler.mean[0, 0])
    expected = np.abs(values[fit.windows.future()] - y_pred).mean()
    assert fit.state.history[0].mae == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_averages_follow_the_weights(ema: float) -> None:
    fit = fit_of(prepared_of(noisy(), ema=ema, epochs=1))
    expected = weights_of(fit.network)

    def follow(fit: Fit) -> None:
        momentum = averaging_momentum(fit.state.step - 1, ema)
        for name, array in weights_of(fit.network).items():
            expected[name] = momentum * expected[name] + (1 - momentum) * array

    fit.run(Watching(each_step=follow))
    for name, array in weights_of(fit.scored).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-7)


def test_validation_leaves_the_weights_that_are_trained_alone() -> None:
    fit, states = fit_of(prepared_of(noisy())), []
    fit.run(
        Watching(
            each_step=lambda fit: states.append(weights_of(fit.network)),
            each_epoch=lambda fit: states.append(weights_of(fit.network)),
        )
    )
    for last_step, epoch_end in ((3, 4), (8, 9), (13, 14)):
        assert all(array.tobytes() == states[epoch_end][name].tobytes() for name, array in states[last_step].items())


def test_a_refit_follows_the_schedule_that_was_judged_and_needs_no_validation() -> None:
    prepared = prepared_of(noisy())
    judged, refit = fit_of(prepared), fit_of(prepared, epochs=2)
    judged.run(Watching())
    last: list[dict[str, np.ndarray]] = []
    refit.run(Watching(each_epoch=lambda fit: last.append({str(n): a.numpy() for n, a in enumerate(fit.averages)})))
    history = refit.state.history
    assert [(epoch.learning_rate, epoch.loss) for epoch in history] == [
        (epoch.learning_rate, epoch.loss) for epoch in judged.state.history[:2]
    ]
    assert np.isnan([epoch.validation_loss for epoch in history]).all()
    assert refit.state.best_epoch == 2
    assert [array.tobytes() for array in weights_of(refit.scored).values()] == [a.tobytes() for a in last[-1].values()]


@pytest.mark.parametrize("loss", ["mae", "mse", "huber"])
def test_a_training_that_diverges_is_stopped_and_says_where(loss: str) -> None:
    fit = fit_of(prepared_of(noisy(), learning_rate=1e30, warmup=0, loss=loss))
    watching = Watching()
    with pytest.raises(ConfigError) as caught:
        fit.run(watching)
    step = len(watching.steps) + 1
    assert f"at step {step} (epoch {(step - 1) // 4 + 1}): training has diverged." in caught.value.message
    assert "learning_rate than 1e+30" in caught.value.advice
    assert "--learning-rate than 1e+30" in caught.value.text("shell")[1]


@pytest.mark.parametrize(("loss", "diverged"), [(999_999.0, False), (1e6, True), (np.inf, True), (np.nan, True)])
def test_a_loss_of_a_million_is_no_forecast_any_more(
    monkeypatch: pytest.MonkeyPatch, loss: float, diverged: bool
) -> None:
    fit = fit_of(prepared_of(noisy()))
    monkeypatch.setattr(fit, "_step", lambda *_: tf.constant([loss, 1.0], tf.float64))
    with pytest.raises(ConfigError, match="diverged") if diverged else nullcontext():
        fit.step()
    assert fit.state.step == (0 if diverged else 1)


def test_half_of_the_windows_are_mirrored_about_their_last_value() -> None:
    prepared = prepared_of(noisy(400), calendar=True, mirror=True)
    fit = fit_of(prepared)
    picked = fit.windows.starts[:200]
    inputs, y_true = gather(prepared.rows, picked, fit.shape)
    seen, past, y = [], inputs["past"].numpy(), y_true.numpy()
    for step in (0, 0, 1):
        changed, targets = fit._half_mirrored(step, inputs, y_true)
        assert (changed["past"].numpy()[:, :, 1:] == past[:, :, 1:]).all()  # the calendar
        assert (changed["future"].numpy() == inputs["future"].numpy()).all()
        last, now = past[:, -1:, :1], changed["past"].numpy()[:, :, :1]
        mirrored = ~np.isclose(now, past[:, :, :1], atol=1e-5).all(axis=(1, 2))
        np.testing.assert_allclose(now, np.where(mirrored[:, None, None], 2 * last - past[:, :, :1], now), atol=1e-5)
        expected = np.where(mirrored[:, None, None], 2 * last - y, y)
        np.testing.assert_allclose(targets.numpy(), expected, atol=1e-5)
        assert 70 < mirrored.sum() < 130
        seen.append(mirrored.tolist())
    assert seen[0] == seen[1] != seen[2]


def test_a_checkpoint_of_another_network_is_refused() -> None:
    small, large = fit_of(prepared_of(noisy())), fit_of(prepared_of(noisy(), units=(4,)))
    before = bits(small)
    with pytest.raises(RunError, match="another network"):
        small.restore(large.arrays(), large.state)
    assert bits(small) == before


def test_penalties_shrink_the_weights_and_are_no_part_of_the_loss_that_is_told() -> None:
    norms, losses = [], []
    for penalty in (0, 10):
        options = {"kernel_regularizer": penalty, "learning_rate": 0.05, "schedule": "constant", "ema": 0, "epochs": 8}
        fit = fit_of(prepared_of(noisy(), **options))
        fit.run(Watching())
        norms.append(np.linalg.norm(fit.network.get_weights()[0]))
        losses.append(fit.state.history[0].loss)
    assert norms[1] < norms[0] / 2
    assert losses[1] < 2  # the penalty of the first epoch alone is above 10


def test_a_noiseless_sine_is_learned() -> None:
    wave = 20 + 5 * np.sin(2 * np.pi * np.arange(400) / 12)
    options = {"lookback": 12, "horizon": 6, "model": "gru", "units": (8,), "batch_size": 32, "season": 12}
    schedule = {"epochs": 12, "steps_per_epoch": 25, "learning_rate": 0.02, "ema": 0.9, "patience": 12}
    prepared = prepared_of(wave, **options, **schedule)
    fit = fit_of(prepared)
    fit.run(Watching())
    windows = prepared.test
    y_pred = prepared.scaler.inverse(
        fit.runtime.forecast(prepared.rows, windows.starts).astype(np.float64), np.zeros(len(windows), int)
    )
    error = np.abs(wave[windows.future()] - y_pred[:, :, 0]).mean()
    # Scaled by a step of persistence: a seasonal naive forecast of a noiseless sine makes no error at all.
    assert error / np.abs(np.diff(wave[:280])).mean() < 0.1


COMPILED = {
    "slstm": {"model": "slstm", "lookback": 40},
    "stateful": {"model": "gru", "stateful": True, "batch_size": 2, "lookback": 40},
    "penalties": {"model": "gru", "lookback": 40, "activity_regularizer": 1, "bias_regularizer": 1, "loss": "huber"},
    "constraints": {"model": "coupled-lstm", "lookback": 40, "kernel_constraint": "unit_norm", "activation": "elu"},
}  # fmt: skip


@pytest.mark.parametrize("options", COMPILED.values(), ids=COMPILED)
def test_a_compiled_step_learns_what_a_plain_one_does(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_of(noisy(300), **options)
    fast = fit_of(prepared)
    assert fast._step._jit_compile
    monkeypatch.setattr(trainer, "is_worth_compiling", lambda *_: False)
    slow = fit_of(prepared)
    for _ in range(4):
        fast.step()
        slow.step()
    assert fast.state.loss_sum == pytest.approx(slow.state.loss_sum, rel=1e-5)
    # A gradient is a sum over 8 windows of 40 steps. In float32 each term may be off by half of 2**-23, and the sum by
    # the root of their number times that (Higham & Mary 2019), on each processor in its own way. Adam divides by the
    # gradient's own size, so a step moves a weight by so much more the smaller its gradient is; that of the bias of an
    # sLSTM's input gate, which scales c and n alike, is 0 but for rounding.
    rounding = (8 * 40) ** 0.5 / 2**24
    moved = 4 * PLAIN["learning_rate"] * rounding
    sizes = [np.sqrt(velocity.numpy() / (1 - 0.999**4)) for velocity in slow.optimizer._velocities]
    before, after = weights_of(slow.network), weights_of(fast.network)
    for (name, weights), size in zip(before.items(), sizes, strict=True):
        np.testing.assert_array_less(np.abs(after[name] - weights) * size, moved, err_msg=name)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "lstm", "recurrent_dropout": 0.1},
        pytest.param({"model": "gru", "dropout": 0.1}, marks=pytest.mark.thorough),
        pytest.param({"model": "gru", "normalise": "last", "mirror": True}, marks=pytest.mark.thorough),
    ],
)
def test_a_compiled_step_draws_the_same_chances_each_time(options: dict[str, object]) -> None:
    prepared = prepared_of(noisy(300), **options, lookback=40)
    one, other = fit_of(prepared), fit_of(prepared)
    assert one._step._jit_compile
    for _ in range(3):
        one.step()
        other.step()
    assert one.state.loss_sum == other.state.loss_sum


def test_what_xla_does_not_speed_up_is_not_compiled() -> None:
    for options in (
        {"model": "lstm", "lookback": 40},
        {"model": "gru"},
        {"model": "gru", "lookback": 40, "units": 65},
        {"model": "gru", "decode": "recursive", "lookback": 40},
    ):
        fit = fit_of(prepared_of(noisy(300), **options))
        assert not fit._step._jit_compile, options
