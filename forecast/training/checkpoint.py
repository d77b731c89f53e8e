"""Checkpoints: exact, atomic, and read only when every bit is as it was written."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from contextlib import suppress
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


def save_checkpoint(folder: Path, network: str, arrays: Arrays, progress: Progress, origin: str) -> None:
    """Write a checkpoint, then remove all but it and the one before of the same network.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        arrays: What `Fit.arrays` returned.
        progress: Where the training stands.
        origin: What the training began from: a digest of its data and its configuration.

    Raises:
        MachineError: If it cannot be written; the older ones are whole.
    """
    payload = arrays_to_bytes({**arrays, "progress": _text({"origin": origin, **progress.to_dict()})})
    digest = hashlib.sha256(payload).digest()
    path = folder / f"{network}-{progress.step:09d}.ckpt"
    write_atomically(path, digest + payload)
    found = _checkpoints(folder, network)
    # Those of later steps are damaged, or training would not have come by here again.
    kept = found[found.index(path) :][:_KEPT]
    for other in found:
        if other not in kept:
            with suppress(OSError):  # one too many does no harm
                other.unlink()


def load_checkpoint(folder: Path, network: str, origin: str) -> tuple[Arrays, Progress, tuple[str, ...]] | None:
    """The newest sound checkpoint of a network, and a warning for each damaged one that was passed over.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run.
        origin: What the training begins from, as `save_checkpoint` was told.

    Returns:
        None if there is no checkpoint at all.

    Raises:
        RunError: If there are checkpoints and every one is damaged, or the newest sound one is of another origin.
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
        raw = json.loads(arrays.pop("progress").tobytes())
        if raw.pop("origin", None) != origin:
            raise RunError(
                f"The checkpoint {path} is of other data or another configuration.", "Train again with --overwrite."
            )
        return arrays, progress_from_dict(raw), tuple(warnings)
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
