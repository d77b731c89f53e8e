"""The program is built from the table of commands, and from nothing else."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
from typer.testing import CliRunner

from forecast import commands
from forecast.cli import build_program
from forecast.commands import COMMANDS

# What the commands share is no command.
SHARED = {"console", "options", "requirements", "tables"}


def test_every_command_has_its_file_or_folder_and_each_of_these_is_a_command() -> None:
    assert {module.name for module in pkgutil.iter_modules(commands.__path__)} == COMMANDS.keys() | SHARED


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    module = import_module(f"forecast.commands.{name}")
    assert (module.__doc__ or "").startswith(name.capitalize())
    assert module.command.__doc__
    shown = CliRunner().invoke(build_program(), [name, "--help"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0
    assert module.command.__doc__.split("\n")[0] in shown.stdout


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
