"""Checkpoints that rot: whatever becomes of their bytes, training goes on from a sound one or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import RunError
from forecast.progress import TrainingState
from forecast.runs.arrays import specs_of
from forecast.runs.checkpoints import load_checkpoint, save_checkpoint

ORIGIN, TRIALS = "a1", 150


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def flipped(content: bytes, chance: random.Random) -> bytes:
    spoilt = bytearray(content)
    spoilt[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def zeroed(content: bytes, chance: random.Random) -> bytes:
    first = chance.randrange(len(content))
    length = chance.randint(1, len(content) - first)
    spoilt = content[:first] + bytes(length) + content[first + length :]
    return spoilt if spoilt != content else bytes(len(content))


@pytest.mark.thorough
@pytest.mark.parametrize("damage", [cut, flipped, zeroed])
def test_no_damage_is_taken_for_a_checkpoint(tmp_path: Path, damage: Callable[[bytes, random.Random], bytes]) -> None:
    chance = random.Random(0)
    weights = np.random.default_rng(0).normal(size=200)
    forms = specs_of({"w": weights})
    for step in (5, 10):
        save_checkpoint(tmp_path, "model", {"w": weights * step}, TrainingState(step), ORIGIN)
    older, newer = sorted(tmp_path.iterdir())
    sound = {path: path.read_bytes() for path in (older, newer)}
    for _ in range(TRIALS):
        newer.write_bytes(damage(sound[newer], chance))
        loaded = load_checkpoint(tmp_path, "model", forms, ORIGIN)
        assert loaded is not None
        assert (loaded[0]["w"] == weights * 5).all()
        assert loaded[1].step == 5
        assert loaded[2] == (f"checkpoint {newer.name} is damaged; going on from the one before",)
        older.write_bytes(damage(sound[older], chance))
        with pytest.raises(RunError, match=r"Every checkpoint in .* is damaged"):
            load_checkpoint(tmp_path, "model", forms, ORIGIN)
        older.write_bytes(sound[older])
