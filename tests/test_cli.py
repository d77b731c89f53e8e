"""The program is built from the table of commands, and from nothing else."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from forecast import commands
from forecast.cli import build_program
from forecast.commands import COMMANDS
from forecast.errors import DataError

# What the commands share is no command.
SHARED = {"console", "options", "requests", "requirements", "tables"}


def test_every_command_has_its_file_or_folder_and_each_of_these_is_a_command() -> None:
    assert {module.name for module in pkgutil.iter_modules(commands.__path__)} == COMMANDS.keys() | SHARED


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    module = import_module(f"forecast.commands.{name}")
    assert (module.__doc__ or "").startswith(name.capitalize())
    assert module.command.__doc__
    shown = CliRunner().invoke(build_program(), [name, "--help"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0
    assert module.command.__doc__.split("\n")[0] in " ".join(shown.stdout.split())


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_help_of_a_command_breaks_no_name(width: int) -> None:
    program = typer.main.get_command(build_program())
    for name in COMMANDS:
        command = program.commands[name]  # type: ignore[attr-defined]
        with command.make_context(name, [], resilient_parsing=True, terminal_width=width) as context:
            help_ = command.get_help(context)
        assert all(len(line) <= width for line in help_.splitlines())
        words = re.split(r"[\s,]+", help_)
        for parameter in command.params:
            assert set(parameter.opts) <= {*words, parameter.name}, (name, parameter.opts)


def test_files_that_a_shell_puts_in_place_of_a_pattern_are_refused_in_words(tmp_path: Path) -> None:
    paths = [tmp_path / f"s{number}.csv" for number in range(5)]
    for path in paths:
        path.write_text("time,y\n")
    with pytest.raises(DataError, match="Here are 5 files") as caught:
        CliRunner().invoke(build_program(), ["train", *map(str, paths)], catch_exceptions=False)
    assert "quote the pattern: 'stations/*.csv'" in caught.value.advice


def test_the_help_lists_the_commands_below_their_panels() -> None:
    lines = CliRunner().invoke(build_program(), ["--help"], env={"COLUMNS": "300"}).stdout.splitlines()
    panel, shown = "", {}
    for line in lines:
        if line.startswith("╭─"):
            panel = line.strip("╭─╮ ")
        elif (first := line.strip("│ ").split(" ")[0]) in COMMANDS:
            shown[first] = panel
    assert shown == COMMANDS
    assert list(shown) == list(COMMANDS)
