"""Checkpoints: what is written comes back, and what is damaged does not."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import MachineError, RunError
from forecast.progress import Epoch, TrainingState
from forecast.runs.arrays import ArraySpecs, arrays_to_bytes, read_arrays, specs_of
from forecast.runs.checkpoints import load_checkpoint, save_checkpoint

ARRAYS = {
    "network/0": np.array([[1.5, -0.0], [np.nan, np.inf]], np.float32),
    "optimizer/0": np.array(7, np.int64),
    "seed": np.array([2**32 - 1, 3], np.uint32),
}
SPECS = specs_of(ARRAYS | {"step": np.array(0)})
ORIGIN = "a1"
EPOCH = Epoch(1, 5, 0.1, 1 / 3, 2.0, 0.7, float("nan"))


def save(folder: Path, *steps: int, network: str = "model") -> None:
    for step in steps:
        save_checkpoint(
            folder, network, ARRAYS | {"step": np.array(step)}, TrainingState(step, 0.1, 0.2, [EPOCH], 1), ORIGIN
        )


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def newest(folder: Path) -> Path:
    return max(folder.iterdir())


def cut(content: bytes) -> bytes:
    return content[:-100]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def zeroed(content: bytes) -> bytes:
    return bytes(len(content))


def emptied(content: bytes) -> bytes:
    return content[:0]


def test_every_bit_comes_back(tmp_path: Path) -> None:
    save(tmp_path, 12)
    loaded = load_checkpoint(tmp_path, "model", SPECS, ORIGIN)
    assert loaded is not None
    arrays, progress, warnings = loaded
    assert arrays.pop("step") == 12
    assert {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()} == {
        name: (array.dtype, array.shape, array.tobytes()) for name, array in ARRAYS.items()
    }
    assert (progress.step, progress.loss_sum, progress.mae_sum, progress.best_epoch) == (12, 0.1, 0.2, 1)
    assert repr(progress.history) == repr([EPOCH])  # a NaN equals nothing, not even itself
    assert not progress.finished
    assert warnings == ()


def test_the_same_arrays_give_the_same_bytes() -> None:
    assert arrays_to_bytes(ARRAYS) == arrays_to_bytes({name: array.copy() for name, array in ARRAYS.items()})


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 5, 10, 15)
    assert files(tmp_path) == ["model-000000010.ckpt", "model-000000015.ckpt"]


def test_damaged_ones_take_no_sound_ones_place(tmp_path: Path) -> None:
    save(tmp_path, 5, 10)
    path = newest(tmp_path)
    path.write_bytes(cut(path.read_bytes()))
    save(tmp_path, 7)  # training went on from 5
    assert files(tmp_path) == ["model-000000005.ckpt", "model-000000007.ckpt"]


def test_one_that_belongs_to_another_training_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 5)
    with pytest.raises(RunError, match="of other data or another configuration"):
        load_checkpoint(tmp_path, "model", SPECS, "b2")


def test_newest_means_the_highest_step_whatever_the_clock_says(tmp_path: Path) -> None:
    save(tmp_path, 999, 1000)
    os.utime(newest(tmp_path), (0, 0))
    loaded = load_checkpoint(tmp_path, "model", SPECS, ORIGIN)
    assert loaded is not None
    assert loaded[1].step == 1000


def test_networks_do_not_mix(tmp_path: Path) -> None:
    save(tmp_path, 5, 10, network="model")
    save(tmp_path, 20, 30, 40, network="baseline")
    loaded = load_checkpoint(tmp_path, "model", SPECS, ORIGIN)
    assert loaded is not None
    assert loaded[1].step == 10
    assert load_checkpoint(tmp_path, "refit", SPECS, ORIGIN) is None


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "nowhere", "model", SPECS, ORIGIN) is None


@pytest.mark.parametrize("damage", [cut, flipped, zeroed, emptied])
def test_a_damaged_one_is_passed_over_with_a_warning(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    save(tmp_path, 5, 10)
    path = newest(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    loaded = load_checkpoint(tmp_path, "model", SPECS, ORIGIN)
    assert loaded is not None
    assert loaded[1].step == 5
    assert loaded[2] == ("checkpoint model-000000010.ckpt is damaged; going on from the one before",)


@pytest.mark.parametrize("damage", [cut, flipped, zeroed, emptied])
def test_training_never_starts_again_in_silence(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    save(tmp_path, 5, 10)
    for path in tmp_path.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunError) as caught:
        load_checkpoint(tmp_path, "model", SPECS, ORIGIN)
    assert "model-000000010.ckpt, model-000000005.ckpt" in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_older_ones_whole(tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 5, 10)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(MachineError, match=r"Cannot write .*model-000000015\.ckpt \([\d,]+ bytes\): No space left"):
        save(tmp_path, 15)
    assert files(tmp_path) == ["model-000000005.ckpt", "model-000000010.ckpt"]
    loaded = load_checkpoint(tmp_path, "model", SPECS, ORIGIN)
    assert loaded is not None
    assert (loaded[1].step, loaded[2]) == (10, ())


def read(content: bytes, specs: ArraySpecs) -> dict[str, np.ndarray]:
    return read_arrays(io.BytesIO(content), specs, "The archive")


def test_any_flipped_bit_is_refused_or_harmless() -> None:
    arrays = {"a": np.arange(3.0)}
    sound = arrays_to_bytes(arrays)
    for place in range(len(sound)):
        for bit in range(8):
            content = bytearray(sound)
            content[place] ^= 1 << bit
            with suppress(RunError):
                assert read(bytes(content), specs_of(arrays))["a"].tolist() == [0, 1, 2]


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{"an": "object"}], dtype=object))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive", npy(np.arange(3)), pickled()])
def test_what_holds_no_plain_arrays_is_refused(content: bytes) -> None:
    with pytest.raises(RunError, match="The archive is damaged"):
        read(content, {"a": SPECS["step"]})


def test_objects_are_not_written() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        arrays_to_bytes({"a": np.array([{}], dtype=object)})
