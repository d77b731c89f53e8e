"""What a network is fed, window by window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from configs import plain_config
from forecast.data.panel import Clock, Panel
from forecast.data.prepare import prepare
from forecast.models.catalogue import configure
from forecast.models.feeding import Forecaster, gather
from forecast.models.recurrent import build_network
from forecast.models.shape import Shape, shape_of

SHAPE = Shape(lookback=4, horizon=3, targets=2, covariates=1, known=2, series=2)


@dataclass
class Counted:
    """Rows that are an array."""

    inputs: np.ndarray
    identity: np.ndarray

    def inputs_at(self, rows: np.ndarray) -> np.ndarray:
        return self.inputs[rows]


def counted(n_rows: int) -> np.ndarray:
    """Row r holds r, r + 0.1 … r + 0.4."""
    return (np.arange(n_rows)[:, None] + np.arange(5) / 10).astype(np.float32)


def test_windows_hold_the_rows_that_they_should() -> None:
    series = np.repeat([0, 1], 20)
    inputs, y_true = gather(Counted(counted(40), series), np.array([2, 30]), SHAPE)
    assert {name: array.dtype.name for name, array in inputs.items()} == {
        "past": "float32",
        "future": "float32",
        "series": "int32",
    }
    rows = counted(40)
    assert inputs["past"].numpy().tolist() == [rows[2:6].tolist(), rows[30:34].tolist()]
    assert inputs["future"].numpy().tolist() == [rows[6:9, 3:].tolist(), rows[34:37, 3:].tolist()]
    assert inputs["series"].numpy().tolist() == [0, 1]
    assert y_true.numpy().tolist() == [rows[6:9, :2].tolist(), rows[34:37, :2].tolist()]


def test_without_a_calendar_nothing_is_known_ahead() -> None:
    shape = Shape(lookback=4, horizon=3, targets=2, covariates=3, known=0, series=1)
    inputs, y_true = gather(Counted(counted(10), np.zeros(10, int)), np.array([3]), shape)
    assert inputs["future"].shape == (1, 3, 0)
    assert y_true.numpy().tolist() == [counted(10)[7:10, :2].tolist()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"target": "a"}, (1, 0, 0, 1)),
        ({"target": "a,b", "covariates": "c"}, (2, 1, 0, 1)),
        ({"target": "a", "covariates": "c", "calendar": True}, (1, 1, 4, 1)),
        ({"target": "a,b,c", "channels": "independent"}, (1, 0, 0, 3)),
    ],
)
def test_sizes_follow_from_the_rows(options: dict[str, object], expected: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=(60, 3))
    times = np.datetime64("2020-01-01", "us") + np.arange(60) * np.timedelta64(1, "D")
    config = plain_config(**{"lookback": 5, "horizon": 2, **options})
    rows = prepare(Panel(values, times, ("a", "b", "c"), Clock("D")), config).rows
    shape = shape_of(rows, 5, 2)
    assert (shape.targets, shape.covariates, shape.known, shape.series) == expected
    assert (shape.lookback, shape.horizon, shape.features) == (5, 2, rows.inputs.shape[1])


def test_many_windows_are_forecast_in_their_order_whatever_the_batch() -> None:
    config = configure({"units": (3,), "normalise": "last", "segment": 1, "model": "rnn", "decode": "parallel"})
    network = build_network(config.network, SHAPE, seed=0)
    rng = np.random.default_rng(0)
    inputs, series = rng.normal(size=(2500, 5)).astype(np.float32), np.repeat([0, 1], 1250)
    starts = rng.permutation(2400)[:2100]  # three batches, the last one short
    y_pred = Forecaster(network, SHAPE).over(Counted(inputs, series))(starts)
    past = inputs[starts[:, None] + np.arange(4)]
    future = inputs[starts[:, None] + np.arange(4, 7)][:, :, 3:]
    at_once = network({"past": past, "future": future, "series": series[starts]}, training=False).numpy()
    assert y_pred.shape == (2100, 3, 2)
    assert y_pred.dtype == np.float32
    np.testing.assert_allclose(y_pred, at_once, rtol=1e-4, atol=1e-5)


def test_no_window_gives_no_forecast() -> None:
    network = build_network(configure({"units": (3,), "normalise": "none", "segment": 1}).network, SHAPE, seed=0)
    y_pred = Forecaster(network, SHAPE).over(Counted(counted(20), np.zeros(20, int)))(np.zeros(0, int))
    assert y_pred.shape == (0, 3, 2)
