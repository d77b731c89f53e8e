"""A model: whether its network adds anything to the forecast beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from configs import plain_config
from forecast.model import Member, Model, forecasts_alone

HEAD = {"head/kernel": np.zeros((8, 3), np.float32), "head/bias": np.zeros(3, np.float32)}
MAP = {"linear/kernel": np.eye(6, 3, dtype=np.float32)}
NO_MAP = {"linear/kernel": np.zeros((6, 3), np.float32)}


@pytest.mark.parametrize(
    ("normalise", "members", "alone"),
    [
        ("last", [HEAD | MAP], "the linear map beside it"),
        ("last", [HEAD | MAP, HEAD | MAP], "the linear map beside it"),
        ("last", [HEAD | MAP, MAP | {"head/kernel": np.ones((8, 3)), "head/bias": np.zeros(3)}], ""),
        ("last", [HEAD], ""),  # no linear map
        ("last", [HEAD | NO_MAP], ""),  # it repeats the last value
        ("smoothing", [HEAD], "exponential smoothing"),
        ("smoothing", [HEAD | NO_MAP], "exponential smoothing"),
        ("smoothing", [HEAD | MAP], "exponential smoothing and the linear map beside it"),
    ],
)
def test_a_model_forecasts_without_network_if_the_heads_of_all_its_members_are_empty(
    normalise: str, members: list[Any], alone: str
) -> None:
    config = plain_config(normalise=normalise, linear="linear/kernel" in members[0]).network
    unused: Any = None
    model = Model(config, unused, tuple(Member(config, weights, unused, "keras") for weights in members))
    assert forecasts_alone({"lstm": model}) == ({"lstm": alone} if alone else {})
