"""Learning from windows and from their mirror images: up and down become equally likely."""

from __future__ import annotations

import numpy as np
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, prepare
from forecast.models.backends.keras import build_network
from forecast.models.backends.tensorflow import tf
from forecast.models.network import shape_of
from forecast.training.trainer import Fit


class Nobody:
    """Looks on and does nothing."""

    def after_step(self, fit: Fit) -> None: ...

    def after_epoch(self, fit: Fit) -> None: ...


def rising(mirror: bool) -> Prepared:
    """A price that rises by one percent a day, for ever."""
    days = np.datetime64("2020-01-01", "us") + np.arange(300) * np.timedelta64(1, "D")
    panel = Panel(np.exp(0.01 * np.arange(300))[:, None], days, ("close",), Clock("D"))
    config = forecast.configure(
        model="rnn", units=4, target="close", lookback=8, horizon=2, transform="log", mirror=mirror, calendar=False,
        epochs=8, learning_rate=0.02, batch_size=32,
    )  # fmt: skip
    return prepare(panel, resolve(config, panel)[0])


def fitted(prepared: Prepared) -> Fit:
    config = prepared.config
    shape = shape_of(prepared.rows, 8, 2)
    return Fit(build_network(config.network, shape, 0), prepared, config.training, prepared.train)


def test_half_of_the_windows_are_mirrored_about_their_last_value_and_nothing_else_changes() -> None:
    fit = fitted(rising(mirror=True))
    past = tf.constant(np.random.default_rng(0).normal(size=(400, 8, 1)), tf.float32)
    y_true = tf.constant(np.random.default_rng(1).normal(size=(400, 2, 1)), tf.float32)
    inputs, target = fit._half_mirrored(tf.constant(3), {"past": past, "series": 7}, y_true)
    flipped = ~np.isclose(inputs["past"][:, 0, 0], past[:, 0, 0])
    assert 160 < flipped.sum() < 240
    last = past.numpy()[:, -1:]
    np.testing.assert_allclose(inputs["past"].numpy()[flipped], (2 * last - past)[flipped], atol=1e-6)
    np.testing.assert_allclose(target.numpy()[flipped], (2 * last - y_true)[flipped], atol=1e-6)
    np.testing.assert_allclose(target.numpy()[~flipped], y_true.numpy()[~flipped], atol=1e-6)
    assert inputs["series"] == 7


@pytest.mark.parametrize("mirror", [False, True])
def test_a_trend_is_learned_unless_windows_are_mirrored(mirror: bool) -> None:
    prepared = rising(mirror)
    fit = fitted(prepared)
    fit.run(Nobody())
    flat = np.zeros((1, 8, 1), np.float32)  # a price that stood still: where does the network think that it goes?
    inputs = {"past": flat, "future": np.zeros((1, 2, 0), np.float32), "series": np.zeros(1, np.int32)}
    drift = float(fit.network(inputs)[0, 1, 0]) * prepared.scaler.scale[0, 0]
    assert abs(drift) < 0.004 if mirror else drift > 0.01


def test_prices_are_mirrored_by_default_and_others_are_not() -> None:
    days = np.array(np.arange("2020-01-01", "2021-01-01", dtype="datetime64[D]"), "datetime64[us]")
    values = 50 + np.random.default_rng(0).normal(size=(len(days), 1)).cumsum(axis=0) * 0.1
    daily = Panel(values, days, ("close",), Clock("D"), default_target="close")
    open_days = np.is_busday(days.astype("datetime64[D]"))
    traded = Panel(values[open_days], days[open_days], ("close",), Clock("B"), default_target="close")
    assert resolve(forecast.configure(), traded)[0].training.mirror is True
    assert resolve(forecast.configure(), daily)[0].training.mirror is False
    assert resolve(forecast.configure(mirror=False), traded)[0].training.mirror is False
