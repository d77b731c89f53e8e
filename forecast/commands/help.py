"""What `--help` prints: of the program its commands by what one wants, of a command all about it."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from forecast.commands import COMMANDS

# What the help calls the types of parameters.
_KINDS = {"<str>": "TEXT", "<list[str]>": "TEXT", "<path>": "PATH", "<int range>": "INTEGER", "<float>": "NUMBER",
          "<float range>": "NUMBER"}  # fmt: skip

_FIRST_STEPS = [
    ("forecast train weather", "Train on a built-in series, judge on rows that were kept aside, forecast and draw."),
    ("forecast train mine.csv --target temp", "The same with a column of your own file."),
    ("forecast predict latest newer.csv", "Forecast what follows new rows."),
]

EXIT_CODES = [
    ("0", "done"),
    ("1", "a bug of this program"),
    ("2", "the input, or how it was called"),
    ("3", "the surroundings: disk, permission, memory, network, a missing extra, a locked run"),
    ("4", "a bar that was asked for was not met, as by --require-skill"),
    ("130, 143", "stopped by a signal"),
]


class Command(TyperCommand):
    """A command that takes several files as its source, and whose help breaks no option's name however narrow it is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; several files, such as a shell puts in place of a pattern, are one source."""
        return super().parse_args(ctx, self._with_files_as_one(args))

    @property
    def options(self) -> set[str]:
        """The names of all options, as they are typed."""
        return {name for option in self.params for name in (*option.opts, *option.secondary_opts) if name[0] == "-"}

    @property
    def options_with_value(self) -> set[str]:
        """The names of those that a value follows."""
        return {name for option in self.params if not getattr(option, "is_flag", False)
                for name in option.opts if name[0] == "-"}  # fmt: skip

    def places_of_source(self, args: Sequence[str]) -> list[int]:
        """Where the words of the source stand among the arguments, several where it is several files."""
        takes_value, places = self.options_with_value, list[int]()
        for place, word in enumerate(args):
            if place and args[place - 1] in takes_value:
                continue
            if word == "-" or not word.startswith("-"):
                places.append(place)
        arguments = [parameter for parameter in self.params if parameter.param_type_name == "argument"]
        source = next((number for number, argument in enumerate(arguments) if argument.metavar == "SOURCE"), None)
        if source is None:
            return []
        return places[source : source + 1 + max(0, len(places) - len(arguments))]

    def _with_files_as_one(self, args: list[str]) -> list[str]:
        files = self.places_of_source(args)
        if len(files) < 2 or not any(os.path.isfile(args[place]) for place in files):
            return args
        together = os.pathsep.join(args[place] for place in files)
        return [together if place == files[0] else word for place, word in enumerate(args) if place not in files[1:]]

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """What a word may become, also the settings that the short help leaves out."""
        unhide(self)
        return super().shell_complete(ctx, incomplete)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the usage, what the command does, examples, and its parameters below the names of their panels."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        if examples := import_module(f"forecast.commands.{self.name}").EXAMPLES:
            with formatter.section("Examples"):
                for example in examples:
                    formatter.write(_wrapped(example, formatter.width, formatter.current_indent))
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            if record := record_of(parameter, ctx):
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or kind, []).append(record)
        for name, records in panels.items():
            with formatter.section(name):
                formatter.write_dl(records)


def record_of(parameter: Any, ctx: Any) -> tuple[str, str] | None:
    """What a parameter is written as, with the kind of its value, and what it does; None for a hidden one."""
    record = parameter.get_help_record(ctx)
    if record is None:
        return None
    names = re.sub("<.+?>", lambda type_: _KINDS.get(type_[0], type_[0]), record[0])
    return names.removesuffix(" TEXT") if parameter.param_type_name == "argument" else names, record[1]


def _wrapped(command: str, width: int, indent: int) -> str:
    """A command as a shell reads it also where it takes several lines."""
    lines = textwrap.wrap(command, width - 2, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
    return " \\\n".join(lines) + "\n"


def show_all(ctx: Any, wanted: bool) -> None:
    """Print the help of a command with every setting, and end."""
    if wanted and not ctx.resilient_parsing:
        unhide(ctx.command)
        typer.echo(ctx.get_help())
        raise typer.Exit


def unhide(command: Any) -> None:
    """Let the help of a command show every setting."""
    for parameter in command.params:
        parameter.hidden = False


class Program(TyperGroup):
    """The program: its help is its commands, the first steps, and the exit codes."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write what there is to do."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, panel in COMMANDS.items():
            panels.setdefault(panel, []).append((name, self.commands[name].get_short_help_str(200)))
        options = [record for parameter in self.get_params(ctx) if (record := parameter.get_help_record(ctx))]
        sections = {"First steps": _FIRST_STEPS, **panels, "Options": options, "Exit codes": EXIT_CODES}
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=60)
        formatter.write_paragraph()
        formatter.write_text("Of one command: forecast train --help")
