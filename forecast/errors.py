"""The errors that a user can meet: each says what is wrong, what to do next, and how the process ends.

A message may name a setting, and advice may name a call to make. The command line, Python and the server write these
differently: ``--lookback 48``, ``lookback=48``, ``"lookback": 48``. So a message holds all the forms, and `rendered`
picks those of one surface.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

Surface = Literal["shell", "python", "json"]

# Around the forms of one phrase; private-use characters, which no text of a user means anything by.
_OPEN, _CLOSE = "\ue000", "\ue001"
_PHRASE = re.compile(f"{_OPEN}(.*?){_CLOSE}", re.DOTALL)
_ASIDE = re.compile(f" \\([^()]*{_PHRASE.pattern}[^()]*\\)", re.DOTALL)


def phrase(
    shell: str,
    python: str,
    json_: str | None = None,
    attempt: Mapping[str, Any] | None = None,
    setting: str | None = None,
) -> str:
    """A part of a message that each surface writes in its own way.

    Args:
        shell: As typed after a prompt.
        python: As written in a program.
        json_: As written in a request to the server; as in Python if left out.
        attempt: What the phrase proposes, for `ForecastError.keep_advice` to try before it is shown.
        setting: The setting that it names, for `ForecastError.setting`.
    """
    forms = {"shell": shell, "python": python, "json": json_ or python, "attempt": attempt, "setting": setting}
    return _OPEN + json.dumps(forms).replace(_CLOSE, "") + _CLOSE


def setting(name: str, value: object = None) -> str:
    """A setting within a message, such as ``setting("lookback", 48)``.

    Args:
        name: A field of the configuration, or an argument of a public function.
        value: The value to give it; None to name the setting alone.
    """
    option = "--" + name.replace("_", "-")
    if value is None:
        return phrase(option, name, f'"{name}"', setting=name)
    in_shell_ = f"{option} {in_shell(value)}"
    if isinstance(value, bool):
        in_shell_ = option if value else f"--no-{option[2:]}"
    return phrase(in_shell_, f"{name}={value!r}", f'"{name}": {json.dumps(value)}', setting=name)


def in_shell(value: object) -> str:
    """A value as one word of a shell."""
    word = shlex.quote(str(value))
    return f"'{word}'" if word[0] != "'" and "%" in word else word  # formats such as %d.%m.%Y read better in quotes


def quote(value: object) -> str:
    """A received value as messages show it: quoted, escaped and cut to 60 characters."""
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "…")


def listed(names: Sequence[str], most: int) -> str:
    """The first of some names, and how many more there are: "a, b and 3 more"."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


class Sentence(str):
    """A sentence as Python writes it, which keeps its template, of `phrase` and `setting`, for `rendered`."""

    template: str

    def __new__(cls, template: str) -> Sentence:
        """The sentence of a template."""
        sentence = super().__new__(cls, rendered(template, "python"))
        sentence.template = template
        return sentence


def rendered(text: str, surface: Surface, written: Callable[[str], str] = str) -> str:
    """A message, advice or `Sentence` as one surface writes it; ``written`` may write its phrases otherwise."""
    template = text.template if isinstance(text, Sentence) else text
    return _PHRASE.sub(lambda match: written(json.loads(match[1])[surface]), template)


def without_settings(text: str) -> str:
    """A sentence without its parentheses that name a setting, for who has none to set."""
    return _ASIDE.sub("", text.template if isinstance(text, Sentence) else text)


class ForecastError(Exception):
    """A failure that is explained to the user instead of shown as a traceback.

    Args:
        message: What is wrong, with the value received and what is allowed.
        advice: What to do next. Empty when the message says it all.
        setting: The setting, or argument, that is wrong; None for the first that the message or the advice names.
        value: What was received; None where that is not a single value.
        allowed: The names that could be given instead, or one sentence of what could.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        advice: str = "",
        *,
        setting: str | None = None,
        value: object = None,
        allowed: Iterable[object] = (),
    ) -> None:
        super().__init__(message, advice)  # both, so that a copy made by pickle has both
        named = (json.loads(forms)["setting"] for text in (message, advice) for forms in _PHRASE.findall(text))
        self.setting = setting or next(filter(None, named), None)
        self.value, self.allowed = value, tuple(map(str, allowed))

    @property
    def message(self) -> str:
        """What is wrong, as Python writes it."""
        return self.text("python")[0]

    @property
    def advice(self) -> str:
        """What to do next, as Python writes it."""
        return self.text("python")[1]

    def text(self, surface: Surface, written: Callable[[str], str] = str) -> tuple[str, str]:
        """The message and the advice as one surface writes them; ``written`` as of `rendered`."""
        message, advice = self.args
        return rendered(message, surface, written), rendered(advice, surface, written)

    def document(self, surface: Surface, written: Callable[[str], str] = str) -> dict[str, Any]:
        """The error as JSON: what is wrong, its kind ("data", "config"), the setting that it is about, what to do."""
        message, advice = self.text(surface, written)
        kind = type(self).__name__.removesuffix("Error").lower()
        return {"error": message, "kind": kind, "setting": self.setting, "hint": advice}

    def and_advise(self, more: str) -> None:
        """Add to the advice."""
        message, advice = self.args
        self.args = (message, f"{advice} {more}".strip())

    def keep_advice(self, helps: Callable[[Mapping[str, Any]], bool], otherwise: str) -> None:
        """Leave out every line of the advice that proposes what does not help.

        Args:
            helps: Whether what a phrase proposes leads on.
            otherwise: The advice if no line is left.
        """
        message, advice = self.args
        leads_on = cache(lambda attempt: helps(json.loads(attempt)))

        def is_true(line: str) -> bool:
            attempts = (json.loads(forms)["attempt"] for forms in _PHRASE.findall(line))
            return all(leads_on(json.dumps(attempt, sort_keys=True)) for attempt in attempts if attempt)

        self.args = (message, "\n".join(filter(is_true, advice.split("\n"))) or otherwise)

    def __str__(self) -> str:
        return "\n".join(filter(None, self.text("python")))


class DataError(ForecastError):
    """The series cannot be used as it is: unreadable, ambiguous, too short, impossible."""

    exit_code = 2


class EmptyError(DataError):
    """A table has no rows."""


class NoTimeError(DataError):
    """No column of a table is a time."""


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
