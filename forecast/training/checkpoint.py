"""Checkpoints: exact, atomic, and read only when every bit is as it was written."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from forecast.errors import MachineError, RunError
from forecast.storage import write_atomically
from forecast.training.state import Arrays, Progress, progress_from_dict

# What NumPy and zipfile raise on bytes that are not the archive they seem to be.
_NOT_AN_ARCHIVE = (ValueError, OSError, EOFError, KeyError, TypeError, NotImplementedError, RuntimeError)

# The newest, and one to fall back on.
_KEPT = 2


def arrays_to_bytes(arrays: Arrays) -> bytes:
    """Arrays by name as the bytes of an .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def arrays_from_bytes(content: bytes) -> Arrays:
    """The arrays that `arrays_to_bytes` wrote; never unpickles.

    Raises:
        RunError: If they are damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (*_NOT_AN_ARCHIVE, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"The weights are damaged: {error}.") from None


def save_checkpoint(folder: Path, network: str, arrays: Arrays, progress: Progress) -> None:
    """Write a checkpoint, then remove all but the newest two of the same network.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        arrays: What `Fit.arrays` returned.
        progress: Where the training stands.
    """
    payload = arrays_to_bytes({**arrays, "progress": _text(progress.to_dict())})
    digest = hashlib.sha256(payload).digest()
    write_atomically(folder / f"{network}-{progress.step:09d}.ckpt", digest + payload)
    for old in _checkpoints(folder, network)[_KEPT:]:
        old.unlink(missing_ok=True)


def load_checkpoint(folder: Path, network: str) -> tuple[Arrays, Progress, tuple[str, ...]] | None:
    """The newest sound checkpoint of a network, and a warning for each damaged one that was passed over.

    Returns:
        None if there is no checkpoint at all.

    Raises:
        RunError: If there are checkpoints and every one is damaged.
    """
    warnings: list[str] = []
    found = _checkpoints(folder, network)
    for path in found:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise MachineError(f"Cannot read {path}: {error.strerror}.") from None
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            warnings.append(f"checkpoint {path.name} is damaged; going on from the one before")
            continue
        arrays = arrays_from_bytes(content[32:])
        progress = progress_from_dict(json.loads(arrays.pop("progress").tobytes()))
        return arrays, progress, tuple(warnings)
    if found:
        raise RunError(
            f"Every checkpoint in {folder} is damaged ({', '.join(path.name for path in found)}).",
            "Train again with --overwrite.",
        )
    return None


def _checkpoints(folder: Path, network: str) -> list[Path]:
    # By step, which is in the name, and never by the file's time: clocks are set back.
    return sorted(folder.glob(f"{network}-*.ckpt"), reverse=True)


def _text(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)
