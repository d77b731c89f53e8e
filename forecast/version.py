"""The version, and those of the packages that a run's record names."""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec

from forecast.errors import MachineError

VERSION = "0.6.0.dev0"

# Distributions under which a package is installed, where it has another name than its own.
_OTHER_NAMES = {"tensorflow": ("tensorflow", "tensorflow-cpu")}


def versions_of(*packages: str) -> dict[str, str]:
    """The versions of this package and of these.

    Raises:
        MachineError: If one is not installed, as TensorFlow where only forecasts are made.
    """
    return {"forecast": VERSION, **{name: _version_of(name) for name in packages}}


def _version_of(name: str) -> str:
    if find_spec(name) is None:
        raise MachineError(
            f"Training, gradients and Keras models need {name}, which is not installed.",
            "Install it: pip install forecast-lstm, or pip install 'forecast-lstm-light[cpu]' without support of GPUs.",
        )
    for distribution in _OTHER_NAMES.get(name, (name,)):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(distribution)
    return "unknown"
