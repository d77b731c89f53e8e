"""Checkpoints: exact, atomic, and read only when every bit is as it was written."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from forecast.data.panel import Arrays
from forecast.errors import RunError
from forecast.progress import TrainingState
from forecast.runs.arrays import Form, Forms, arrays_of, arrays_to_bytes, largest_archive
from forecast.runs.files import open_within, sha256_of, write_atomically

# The newest, and one to fall back on.
_KEPT = 2

# The SHA-256 before the archive.
_DIGEST = 32

# The training state is an array of bytes among the others.
_PROGRESS = Form("|u1", (range(1, 64 * 1024**2),))


def save_checkpoint(folder: Path, network: str, arrays: Arrays, state: TrainingState, origin: str) -> None:
    """Write a checkpoint, then remove all but it and the one before of the same network.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        arrays: What `Fit.arrays` returned.
        state: Where the training stands.
        origin: What the training began from: a digest of its data and its configuration.

    Raises:
        MachineError: If it cannot be written; the older ones are whole.
    """
    payload = arrays_to_bytes({**arrays, "progress": _text({"origin": origin, "progress": asdict(state)})})
    digest = hashlib.sha256(payload).digest()
    path = folder / f"{network}-{state.step:09d}.ckpt"
    write_atomically(path, digest + payload)
    found = _checkpoints(folder, network)
    # Those of later steps are damaged, or training would not have come by here again.
    kept = found[found.index(path) :][:_KEPT]
    for other in found:
        if other not in kept:
            with suppress(OSError):  # one too many does no harm
                other.unlink()


def load_checkpoint(
    folder: Path, network: str, forms: Forms, origin: str
) -> tuple[Arrays, TrainingState, tuple[str, ...]] | None:
    """The newest sound checkpoint of a network, and a warning for each damaged one that was passed over.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        forms: Those of the arrays that `Fit.arrays` returns.
        origin: What the training begins from, as `save_checkpoint` was told.

    Returns:
        None if there is no checkpoint at all.

    Raises:
        RunError: If there are checkpoints and every one is damaged, or the newest sound one is of another origin or of
            another network.
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
        begun_from, state = _state_of(arrays.pop("progress").tobytes(), path)
        if begun_from != origin:
            raise RunError(
                f"The checkpoint {path} is of other data or another configuration.", "Train again with --overwrite."
            )
        return arrays, state, tuple(warnings)
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


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    origin: str
    progress: TrainingState


def _state_of(content: bytes, path: Path) -> tuple[str, TrainingState]:
    """What the training began from, and the state; a loss may be NaN, where there is no validation."""
    try:
        saved = _Saved.model_validate_json(content)
    except ValidationError as error:
        raise RunError(
            f"{path} is damaged: its progress is none ({error.errors(include_url=False)[0]['msg']}).",
            "Train again with --overwrite.",
        ) from None
    return saved.origin, saved.progress
