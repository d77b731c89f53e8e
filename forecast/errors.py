"""The errors that a user can meet: each says what is wrong, what to type next, and how the process ends."""

from __future__ import annotations


class ForecastError(Exception):
    """A failure that is explained to the user instead of shown as a traceback.

    Args:
        message: What is wrong, with the value received and what is allowed.
        hint: What to do next, usually a command to type. Empty when the message says it all.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class DataError(ForecastError):
    """The series cannot be used as it is: unreadable, ambiguous, too short, impossible."""

    exit_code = 2


class ConfigError(ForecastError):
    """An option or setting is unknown, out of range, or contradicts another."""

    exit_code = 2


class RunError(ForecastError):
    """A run folder is missing, unfinished, damaged, or of a newer schema."""

    exit_code = 2


class MachineError(ForecastError):
    """The surroundings failed: disk, permission, memory, network, a missing extra, a locked run."""

    exit_code = 3


class SkillError(ForecastError):
    """The forecasts are not as good as was demanded; everything else was done."""

    exit_code = 4


class LeakError(ForecastError):
    """A run knows what it could not have known when its forecasts were due."""

    exit_code = 4


class ReplayError(ForecastError):
    """A run that was trained again did not come out the same."""

    exit_code = 4
