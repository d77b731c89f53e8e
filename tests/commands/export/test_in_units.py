"""Networks that take rows in units of measurement compute what scaling by hand around the bare ones does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from forecast.commands.export.in_units import Statistics, graph_in_units
from forecast.commands.export.keras_layers import network_in_units
from forecast.config import NetworkConfig
from forecast.data.bounds import Bounds
from forecast.models.backends.keras import build_network, keras, set_weights
from forecast.models.backends.onnx import graph_of
from forecast.models.catalogue import configure
from forecast.models.network import Shape, weight_shapes

SEVERAL = Shape(lookback=6, horizon=4, targets=2, covariates=1, known=2, series=3)
LONE = Shape(lookback=6, horizon=4, targets=2, covariates=0, known=0, series=1)

# What the first target is held within, so that some forecasts reach it.
LOW, HIGH = 0.9, 1.2


def case(shape: Shape, **settings: Any) -> tuple[NetworkConfig, list[dict[str, Any]], Statistics, dict[str, Any]]:
    """A network of two members with any weights, the statistics of its columns, and five windows.

    The first target is positive and the second may be an angle, which passes 360 in every window.
    """
    rng = np.random.default_rng(4)
    config = configure({"units": "5", "normalise": "none", "segment": 1} | settings).network
    members = [
        {name: rng.normal(0, 0.5, size).astype(np.float32) for name, size in weight_shapes(config, shape).items()}
        for _ in range(2)
    ]
    s, f = shape.series, shape.features
    angle = not settings.get("transform")
    limits = np.tile([-np.inf, np.inf], (s, 2, 1))
    limits[:, 0] = [LOW, HIGH]
    statistics = Statistics(
        mean=rng.normal(1, 0.3, (s, f)),
        scale=rng.uniform(0.5, 1.5, (s, f)),
        logged=np.arange(f) == (-1 if angle else 1),
        bounds=Bounds(limits[..., 0], limits[..., 1], np.tile([False, angle], (s, 1))),
    )
    past = rng.uniform(0.5, 3, (5, shape.lookback, f))
    if angle:
        statistics.mean[:, 1], statistics.scale[:, 1] = 0.0, 90.0
        past[..., 1] = (rng.uniform(300, 359, (5, 1)) + 20 * np.arange(shape.lookback)) % 360
    future = rng.uniform(0.5, 3, (5, shape.horizon, shape.known))
    return config, members, statistics, {"past": past, "future": future, "series": rng.integers(0, s, 5)}


def by_hand(
    config: NetworkConfig, shape: Shape, members: list[dict[str, Any]], statistics: Statistics, fed: Any
) -> Any:
    """What the networks forecast in units, with NumPy around them."""
    mean, scale = statistics.mean[fed["series"]][:, None], statistics.scale[fed["series"]][:, None]
    past, known = fed["past"].copy(), slice(shape.features - shape.known, None)
    past[..., 1] = np.unwrap(past[..., 1], period=360, axis=1) if statistics.bounds.circular.any() else past[..., 1]
    past[..., statistics.logged] = np.log(past[..., statistics.logged])
    scaled = {"past": (past - mean) / scale, "future": (fed["future"] - mean[..., known]) / scale[..., known]}
    scaled = {name: array.astype(np.float32) for name, array in scaled.items()} | {"series": fed["series"]}
    answers = []
    for weights in members:
        session = onnxruntime.InferenceSession(graph_of(config, shape, weights))
        answers.append(session.run(None, {taken.name: scaled[taken.name] for taken in session.get_inputs()})[0])
    answer = np.mean(answers, axis=0, dtype=np.float32).astype(np.float64)
    answer = answer.reshape(*answer.shape[:3], -1) * scale[..., :2, None] + mean[..., :2, None]
    answer[:, :, statistics.logged[:2]] = np.exp(answer[:, :, statistics.logged[:2]])
    answer[:, :, 0] = np.clip(answer[:, :, 0], LOW, HIGH)
    assert {LOW, HIGH} & set(answer[:, :, 0].flat), "no limit was reached"
    if statistics.bounds.circular.any():
        answer[:, :, 1] %= 360
    return answer if config.quantiles else answer[..., 0]


CASES = pytest.mark.parametrize(
    ("shape", "settings"),
    [
        (SEVERAL, {"model": "lstm", "decode": "parallel", "quantiles": "0.1,0.5,0.9", "transform": "log"}),
        (SEVERAL, {"model": "slstm", "decode": "direct", "quantiles": "0.1,0.5,0.9"}),
        (SEVERAL, {"model": "gru", "decode": "recursive"}),
        (LONE, {"model": "lstm", "decode": "direct"}),
        (LONE, {"model": "gru", "decode": "parallel", "transform": "log"}),
    ],
)


@CASES
def test_the_graph(shape: Shape, settings: dict[str, Any]) -> None:
    config, members, statistics, fed = case(shape, **settings)
    graph = graph_in_units(config, shape, members, statistics)
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    session = onnxruntime.InferenceSession(graph)
    (answer,) = session.run(["forecast"], {taken.name: fed[taken.name] for taken in session.get_inputs()})
    assert answer.dtype == np.float64
    np.testing.assert_allclose(answer, by_hand(config, shape, members, statistics, fed), rtol=1e-12)


@CASES
def test_the_model_that_keras_saved(shape: Shape, settings: dict[str, Any], tmp_path: Path) -> None:
    config, members, statistics, fed = case(shape, **settings)
    networks = [build_network(config, shape, seed=1) for _ in members]
    for network, weights in zip(networks, members, strict=True):
        set_weights(network, weights)
    network_in_units(config, shape, networks, statistics).save(tmp_path / "network.keras")
    model = keras.models.load_model(tmp_path / "network.keras", compile=False)
    answer = model({name: fed[name] for name in model.input}, training=False)["forecast"].numpy()
    assert answer.dtype == np.float64
    np.testing.assert_allclose(answer, by_hand(config, shape, members, statistics, fed), rtol=2e-5)
