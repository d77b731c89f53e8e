"""A model: whether its network adds anything to its linear map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forecast.model import Member, Model, linear_alone

HEAD = {"head/kernel": np.zeros((8, 3), np.float32), "head/bias": np.zeros(3, np.float32)}
MAP = {"linear/kernel": np.eye(6, 3, dtype=np.float32)}


@pytest.mark.parametrize(
    ("members", "alone"),
    [
        ([HEAD | MAP], True),
        ([HEAD | MAP, HEAD | MAP], True),
        ([HEAD | MAP, MAP | {"head/kernel": np.ones((8, 3)), "head/bias": np.zeros(3)}], False),
        ([HEAD], False),  # no linear map
        ([HEAD | {"linear/kernel": np.zeros((6, 3))}], False),  # it repeats the last value
    ],
)
def test_a_model_is_linear_if_the_heads_of_all_its_members_are_empty(members: list[Any], alone: bool) -> None:
    unused: Any = None
    model = Model(unused, unused, tuple(Member(weights, unused, "keras") for weights in members))
    assert linear_alone({"lstm": model}) == (("lstm",) if alone else ())
