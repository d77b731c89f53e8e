"""The saved state of a training, read back without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from forecast.errors import RunError
from forecast.progress import TrainingState

Arrays = dict[str, NDArray[Any]]


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    origin: str
    progress: TrainingState


def state_from_json(content: bytes, path: Path) -> tuple[str, TrainingState]:
    """What the training began from, and its state; a loss may be NaN, where there is no validation.

    Args:
        content: ``origin`` and ``progress`` as JSON.
        path: Where it was, for messages.

    Raises:
        RunError: If it is damaged.
    """
    try:
        saved = _Saved.model_validate_json(content)
    except ValidationError as error:
        raise RunError(
            f"{path} is damaged: its progress is none ({error.errors(include_url=False)[0]['msg']}).",
            "Train again with --overwrite.",
        ) from None
    return saved.origin, saved.progress
