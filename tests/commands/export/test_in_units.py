"""Networks that take rows in units of measurement compute what scaling by hand around the bare ones does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from forecast.commands.export.in_units import Statistics, graph_in_units
from forecast.commands.export.keras_layers import network_in_units
from forecast.config import NetworkConfig
from forecast.data.bounds import Bounds
from forecast.data.holes import fill_within
from forecast.data.panel import Arrays
from forecast.model import Member
from forecast.models.backends.keras import keras
from forecast.models.backends.onnx import graph_of
from forecast.models.backends.tensorflow import tf
from forecast.models.catalogue import configure
from forecast.models.network import Shape, weight_shapes
from rounding import forecast_with_bound

SEVERAL = Shape(lookback=6, horizon=4, targets=2, covariates=1, known=2, series=3)
HOLED = replace(SEVERAL, masked=True)
LONE = Shape(lookback=6, horizon=4, targets=2, covariates=0, known=0, series=1)

# What the first target is held within, so that some forecasts reach it.
LOW, HIGH = 0.9, 1.2


def case(shape: Shape, **settings: Any) -> tuple[NetworkConfig, list[dict[str, Any]], Statistics, dict[str, Any]]:
    """A network of two members with any weights, the statistics of its columns, and five windows.

    The first target is positive and the second may be an angle, which passes 360 in every window. Of a shape with masks
    a third of what is measured is missing, and a column of the last window wholly.
    """
    rng = np.random.default_rng(4)
    config = configure({"units": "5", "normalise": "none", "segment": 1} | settings).network
    members = [
        {name: rng.normal(0, 0.5, size).astype(np.float32) for name, size in weight_shapes(config, shape).items()}
        for _ in range(2)
    ]
    s, f = shape.series, shape.measured + shape.known
    angle = not settings.get("transform")
    limits = np.tile([-np.inf, np.inf], (s, 2, 1))
    limits[:, 0] = [LOW, HIGH]
    statistics = Statistics(
        mean=rng.normal(1, 0.3, (s, f)),
        scale=rng.uniform(0.5, 1.5, (s, f)),
        logged=np.arange(f) == (-1 if angle else 1),
        bounds=Bounds(limits[..., 0], limits[..., 1], np.tile([False, angle], (s, 1))),
        own=np.zeros((s, f), bool),
    )
    past = rng.uniform(0.5, 3, (5, shape.lookback, f))
    if angle:
        statistics.mean[:, 1], statistics.scale[:, 1] = 0.0, 90.0
        past[..., 1] = (rng.uniform(300, 359, (5, 1)) + 20 * np.arange(shape.lookback)) % 360
    future = rng.uniform(0.5, 3, (5, shape.horizon, shape.known))
    series = rng.integers(0, s, 5)
    if s > 1:  # the last one is none of the run's, and its first window never changes
        statistics.own[-1, : shape.targets + shape.covariates] = True
        statistics.own[-1, 1] = not angle
        statistics.mean[statistics.own], statistics.scale[statistics.own] = 0.0, 0.0
        series[:2] = s - 1
        past[0, :, 0] = past[0, 0, 0]
    if shape.masked:
        past[..., : shape.measured][rng.random((5, shape.lookback, shape.measured)) < 1 / 3] = np.nan
        series[-1], past[-1, :, 2] = 0, np.nan
    return config, members, statistics, {"past": past, "future": future, "series": series}


def rows_by_hand(statistics: Statistics, past: Any) -> Any:
    """Windows without holes, with angles that continue past a turn, and logarithms."""
    past = np.where(np.isnan(past).all(axis=1, keepdims=True), 1.0, fill_within(past)[0])
    past[..., 1] = np.unwrap(past[..., 1], period=360, axis=1) if statistics.bounds.circular.any() else past[..., 1]
    past[..., statistics.logged] = np.log(past[..., statistics.logged])
    return past


def mean_and_scale(statistics: Statistics, fed: Any) -> tuple[Any, Any]:
    """What each window is scaled by, [B, 1, F] each: the statistics of its series, or of itself."""
    rows, own = rows_by_hand(statistics, fed["past"]), statistics.own[fed["series"]][:, None]
    observed = ~np.isnan(fed["past"])
    observed |= ~observed.any(axis=1, keepdims=True)
    average = rows.mean(axis=1, keepdims=True, where=observed)
    spread = rows.std(axis=1, keepdims=True, where=observed)
    spread = np.where(spread < 1e-12, 1.0, spread)
    mean, scale = (part[fed["series"]][:, None] for part in (statistics.mean, statistics.scale))
    return np.where(own, average, mean), np.where(own, spread, scale)


def scaled_by_hand(shape: Shape, statistics: Statistics, fed: Any) -> dict[str, Any]:
    """What the bare networks are fed."""
    mean, scale = mean_and_scale(statistics, fed)
    past, known, m = rows_by_hand(statistics, fed["past"]), slice(shape.measured, None), shape.measured
    past = (past - mean) / scale
    if shape.masked:
        past *= (~np.isnan(fed["past"])).any(axis=1, keepdims=True)
        past = np.concatenate([past[..., :m], fill_within(fed["past"])[1][..., :m], past[..., m:]], axis=-1)
    scaled = {"past": past, "future": (fed["future"] - mean[..., known]) / scale[..., known]}
    return {name: array.astype(np.float32) for name, array in scaled.items()} | {"series": fed["series"]}


def in_units_by_hand(statistics: Statistics, answer: Any, fed: Any) -> Any:
    """Scaled forecasts [B, H, D] or [B, H, D, Q] in units of measurement; angles may be beyond a whole turn."""
    mean, scale = mean_and_scale(statistics, fed)
    values = answer.reshape(*answer.shape[:3], -1) * scale[..., :2, None] + mean[..., :2, None]
    values[:, :, statistics.logged[:2]] = np.exp(values[:, :, statistics.logged[:2]])
    values[:, :, 0] = np.clip(values[:, :, 0], LOW, HIGH)
    return values.reshape(answer.shape)


CASES = pytest.mark.parametrize(
    ("shape", "settings"),
    [
        (SEVERAL, {"model": "lstm", "decode": "parallel", "quantiles": "0.1,0.5,0.9", "transform": "log"}),
        (SEVERAL, {"model": "slstm", "decode": "direct", "quantiles": "0.1,0.5,0.9"}),
        (SEVERAL, {"model": "gru", "decode": "recursive"}),
        (HOLED, {"model": "lstm", "decode": "parallel", "decay": True}),
        (HOLED, {"model": "gru", "decode": "recursive", "transform": "log"}),
        (HOLED, {"model": "gru", "decode": "direct", "normalise": "smoothing", "cycle": 2}),
        (LONE, {"model": "lstm", "decode": "direct"}),
        (LONE, {"model": "gru", "decode": "parallel", "transform": "log"}),
    ],
)


def members_of(config: NetworkConfig, weights: list[Arrays]) -> list[Member]:
    """Members whose forecasts count alike, and which nothing computes."""
    unused: Any = None
    return [Member(config, each, unused, "onnx") for each in weights]


@CASES
def test_the_graph(shape: Shape, settings: dict[str, Any]) -> None:
    config, members, statistics, fed = case(shape, **settings)
    graph = graph_in_units(config, shape, members_of(config, members), statistics)
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    session = onnxruntime.InferenceSession(graph)
    inputs = [taken.name for taken in session.get_inputs()]
    (answer,) = session.run(["forecast"], {name: fed[name] for name in inputs})
    assert answer.dtype == np.float64
    scaled, bare = scaled_by_hand(shape, statistics, fed), []
    for weights in members:
        session = onnxruntime.InferenceSession(graph_of(config, shape, weights))
        bare.append(session.run(None, {taken.name: scaled[taken.name] for taken in session.get_inputs()})[0])
    mean = np.mean(bare, axis=0, dtype=np.float32).astype(np.float64)
    expected = in_units_by_hand(statistics, mean, fed)
    assert {LOW, HIGH} & set(expected[:, :, 0].flat), "no limit was reached"
    if statistics.bounds.circular.any():
        expected[:, :, 1] %= 360
    np.testing.assert_allclose(answer, expected, rtol=1e-12)
    session, fed = onnxruntime.InferenceSession(graph), {taken: fed[taken] for taken in inputs}
    none = session.run(["forecast"], {name: values[:0] for name, values in fed.items()})[0]
    assert none.shape == (0, *answer.shape[1:])
    if shape.series > 1:
        for wrong in ([0, 1, -1, 0, 1], [0, 1, 3, 0, 1], [0], [0, 1, 2, 0]):
            with pytest.raises((Fail, InvalidArgument)):
                session.run(["forecast"], fed | {"series": np.array(wrong)})


@CASES
def test_the_model_that_keras_saved(shape: Shape, settings: dict[str, Any], tmp_path: Path) -> None:
    config, members, statistics, fed = case(shape, **settings)
    network_in_units(config, shape, members_of(config, members), statistics).save(tmp_path / "network.keras")
    model = keras.models.load_model(tmp_path / "network.keras", compile=False)
    answer = model({name: fed[name] for name in model.input}, training=False)["forecast"].numpy()
    assert answer.dtype == np.float64
    # The networks compute in float32, all around them is float64. The bound of the scaled forecasts is carried over to
    # the units; angles are compared along the circle, on which 0 and 360 are next to each other.
    scaled = scaled_by_hand(shape, statistics, fed)
    exact, bounds = zip(*(forecast_with_bound(config, shape, weights, scaled) for weights in members), strict=True)
    least, most = (
        in_units_by_hand(statistics, np.mean(exact, axis=0) + sign * np.mean(bounds, axis=0), fed) for sign in (-1, 1)
    )
    middle, bound = (least + most) / 2, (most - least) / 2
    apart = answer - middle
    if statistics.bounds.circular.any():
        apart[:, :, 1] = (apart[:, :, 1] + 180) % 360 - 180
    assert (np.abs(apart) <= bound + 1e-12 * np.abs(middle)).all()
    assert np.median(bound[bound > 0]) < 2e-5 * np.abs(middle).max()
    taken = {name: fed[name] for name in model.input}
    none = model({name: values[:0] for name, values in taken.items()}, training=False)["forecast"]
    assert none.shape == (0, *answer.shape[1:])
    if shape.series > 1:
        for wrong in ([0, 1, -1, 0, 1], [0]):
            with pytest.raises(tf.errors.InvalidArgumentError):
                model(taken | {"series": np.array(wrong)}, training=False)
