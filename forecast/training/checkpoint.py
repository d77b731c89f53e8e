"""Checkpoints: exact, atomic, and read only when every bit is as it was written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from forecast.artefacts.archives import Form, Forms, arrays_of, arrays_to_bytes, largest_archive
from forecast.artefacts.files import open_within, sha256_of
from forecast.errors import RunError
from forecast.storage import write_atomically
from forecast.training.state import Arrays, Progress, progress_from_json

# The newest, and one to fall back on.
_KEPT = 2

# The SHA-256 before the archive.
_DIGEST = 32

# The progress is an array of bytes among the others.
_PROGRESS = Form("|u1", (range(1, 64 * 1024**2),))


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


def load_checkpoint(folder: Path, network: str, forms: Forms) -> tuple[Arrays, Progress, tuple[str, ...]] | None:
    """The newest sound checkpoint of a network, and a warning for each damaged one that was passed over.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        forms: Those of the arrays that `Fit.arrays` returns.

    Returns:
        None if there is no checkpoint at all.

    Raises:
        RunError: If there are checkpoints and every one is damaged, or if the newest is of another network.
    """
    warnings: list[str] = []
    found = _checkpoints(folder, network)
    held = {**forms, "progress": _PROGRESS}
    for path in found:
        with open_within(folder.parent, f"{folder.name}/{path.name}", _DIGEST + largest_archive(held)) as file:
            if file.read(_DIGEST) != sha256_of(file, _DIGEST):
                warnings.append(f"checkpoint {path.name} is damaged; going on from the one before")
                continue
            arrays = arrays_of(file, held, f"The checkpoint {path}", _DIGEST)
        if arrays.keys() != held.keys():
            raise RunError("The checkpoint is of another network.", "Train the run again with --overwrite.")
        return arrays, progress_from_json(arrays.pop("progress").tobytes(), path), tuple(warnings)
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
