"""Hints in the words of the command that was typed: it reads a file as ``forecast inspect`` does, which hints name."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence

from forecast.commands.help import Command
from forecast.errors import in_shell

_INSPECT = re.compile(r"(?P<before>.*?)\bforecast inspect (?P<words>.*)", re.DOTALL)


def as_typed(command: Command, words: Sequence[str]) -> Callable[[str], str]:
    """What writes a hint that reads the source as the command that was typed, with the options of the hint.

    A hint stays as it is where the command has no such options, or where it is about another file than the source.

    Args:
        command: The command that was typed.
        words: What was typed behind its name.
    """
    places = command.places_of_source(words)

    def written(hint: str) -> str:
        parts = _INSPECT.fullmatch(hint)
        if parts is None or len(places) != 1:
            return hint
        typed, (source, *options) = words[places[0]], shlex.split(parts["words"])
        flags = [word for word, before in zip(options, ["", *options], strict=False)
                 if word.startswith("--") and before not in command.options_with_value]  # fmt: skip
        is_about_it = typed == source or shlex.quote(typed) in parts["before"] or not os.path.exists(typed)
        if not is_about_it or not {*flags} <= command.options:
            return hint
        again = [source if place == places[0] else word for place, word in enumerate(words)]
        return parts["before"] + " ".join(
            map(in_shell, ["forecast", str(command.name), *_without(again, flags, command), *options])
        )

    return written


def _without(words: Sequence[str], flags: Sequence[str], command: Command) -> list[str]:
    """The words without these options, which are given anew, and their values."""
    kept, is_value = list[str](), False
    for word in words:
        is_given_anew = word.partition("=")[0] in flags
        if not is_given_anew and not is_value:
            kept.append(word)
        is_value = is_given_anew and word in command.options_with_value
    return kept
