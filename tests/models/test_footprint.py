"""The memory of a training, told beforehand: what must be in it, and how it grows."""

from __future__ import annotations

import pytest

from forecast.config import NetworkConfig
from forecast.models.backends.keras import build_network
from forecast.models.network import Shape, training_bytes

SHAPE = Shape(lookback=24, horizon=12, targets=2, covariates=1, known=2, series=1)


@pytest.mark.parametrize(
    "parts",
    [
        {"cell": "rnn", "units": (40,)},
        {"cell": "gru", "units": (30, 20), "bidirectional": True},
        {"cell": "lstm", "units": (30,), "quantiles": (0.1, 0.5, 0.9)},
        {"cell": "slstm", "units": (30,), "segment": 6, "decode": "parallel"},
    ],
)
def test_the_weights_are_counted_to_a_tenth(parts: dict[str, object]) -> None:
    config = NetworkConfig(**{"normalise": "none", "segment": 1, **parts})  # type: ignore[arg-type]
    weights = build_network(config, SHAPE, seed=0).count_params()
    assert training_bytes(config, SHAPE, 0) == pytest.approx(26 * 4 * weights, rel=0.1)


def test_what_a_step_keeps_grows_with_batch_and_turns() -> None:
    def kept(segment: int, batch_size: int) -> int:
        config = NetworkConfig(cell="lstm", units=(64,), normalise="none", segment=segment)
        return training_bytes(config, SHAPE, batch_size) - training_bytes(config, SHAPE, 0)

    assert kept(1, 64) == 2 * kept(1, 32)
    assert kept(6, 32) < kept(1, 32) / 3
