"""Checkpoints: exact, atomic, and read only if every bit is as it was written."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from forecast.data.panel import Arrays
from forecast.errors import RunError, setting
from forecast.progress import Progress, StopRequested, TrainingState
from forecast.runs.arrays import ArraySpec, ArraySpecs, arrays_to_bytes, largest_archive, read_arrays
from forecast.runs.files import damaged, open_within, sha256_of, write_atomically

if TYPE_CHECKING:
    from forecast.training.trainer import Fit

# How many of a network are kept: the newest, and one to fall back on.
_KEPT = 2

# A checkpoint is the SHA-256 of an archive, in so many bytes, and the archive.
_DIGEST = 32

# The origin and the training state are JSON in an array of bytes among the others.
_STATE, _STATE_SPEC = "progress", ArraySpec("|u1", (range(1, 64 * 1024**2),))

_OVERWRITE = f"Train again with {setting('overwrite', True)}."


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    origin: str
    progress: TrainingState


def save_checkpoint(folder: Path, network: str, arrays: Arrays, state: TrainingState, origin: str) -> None:
    """Write a checkpoint, then delete all of the same network but this one and the one before.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        arrays: What `Fit.arrays` returned.
        state: How far the training is. A loss in it may be NaN, where there is no validation.
        origin: A digest of the data and the configuration that the training began with.

    Raises:
        MachineError: If it cannot be written; the older ones are whole.
    """
    saved = json.dumps({"origin": origin, "progress": asdict(state)}).encode()
    archive = arrays_to_bytes({**arrays, _STATE: np.frombuffer(saved, np.uint8)})
    path = folder / f"{network}-{state.step:09d}.ckpt"
    write_atomically(path, hashlib.sha256(archive).digest() + archive)
    checkpoints = _newest_first(folder, network)
    # Those of later steps are damaged, or the training would have continued from them.
    kept = checkpoints[checkpoints.index(path) :][:_KEPT]
    for other in checkpoints:
        if other not in kept:
            with suppress(OSError):  # one too many does no harm
                other.unlink()


def load_checkpoint(
    folder: Path, network: str, specs: ArraySpecs, origin: str
) -> tuple[Arrays, TrainingState, tuple[str, ...]] | None:
    """The newest sound checkpoint of a network, and a warning for each damaged one that was passed over.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        specs: Those of the arrays that `Fit.arrays` returns.
        origin: What `save_checkpoint` was given.

    Returns:
        None if there is no checkpoint at all.

    Raises:
        RunError: If there are checkpoints and every one is damaged, or the newest sound one is of another origin or of
            another network.
    """
    warnings: list[str] = []
    checkpoints = _newest_first(folder, network)
    specs = {**specs, _STATE: _STATE_SPEC}
    for path in checkpoints:
        with open_within(folder.parent, f"{folder.name}/{path.name}", _DIGEST + largest_archive(specs)) as file:
            if file.read(_DIGEST) != sha256_of(file, _DIGEST):
                warnings.append(f"checkpoint {path.name} is damaged; going on from the one before")
                continue
            arrays = read_arrays(file, specs, f"The checkpoint {path}", _DIGEST)
        if arrays.keys() != specs.keys():
            raise RunError("The checkpoint is of another network.", _OVERWRITE)
        try:
            saved = _Saved.model_validate_json(arrays.pop(_STATE).tobytes())
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            raise damaged(path, f"its progress is none ({reason})", _OVERWRITE) from None
        if saved.origin != origin:
            raise RunError(f"The checkpoint {path} is of other data or another configuration.", _OVERWRITE)
        return arrays, saved.progress, tuple(warnings)
    if checkpoints:
        names = ", ".join(path.name for path in checkpoints)
        raise RunError(f"Every checkpoint in {folder} is damaged ({names}).", _OVERWRITE)
    return None


def _newest_first(folder: Path, network: str) -> list[Path]:
    # By step, which is in the name, and never by the file's time: clocks are set back.
    return sorted(folder.glob(f"{network}-*.ckpt"), reverse=True)


# A checkpoint after every epoch, and within a long one after so many seconds. Saving takes a fraction of one.
_SECONDS_BETWEEN = 60.0


@dataclass
class CheckpointWriter:
    """Saves a checkpoint after every epoch, now and then within one, and when the user asks to stop.

    Args:
        folder: The run's folder of checkpoints.
        network: Which network of the run, such as ``model.1``.
        origin: As of `save_checkpoint`.
        progress: Is told of each step, and may ask to stop.
        is_over: Is asked after each epoch whether there is no time for another one.
    """

    folder: Path
    network: str
    origin: str
    progress: Progress
    is_over: Callable[[Fit], bool]
    _saved: float = field(default_factory=time.monotonic)

    def after_step(self, fit: Fit) -> None:
        """Report the step; on a request to stop, save first."""
        try:
            self.progress.step(fit)
        except StopRequested:
            self._save(fit)
            raise
        if time.monotonic() - self._saved >= _SECONDS_BETWEEN:
            self._save(fit)

    def after_epoch(self, fit: Fit) -> None:
        """Save; it is the last epoch if the training's time is over."""
        fit.state.finished = fit.state.finished or self.is_over(fit)
        self._save(fit)

    def _save(self, fit: Fit) -> None:
        save_checkpoint(self.folder, self.network, fit.arrays(), fit.state, self.origin)
        self._saved = time.monotonic()
