"""The program is built from the table of commands, and from nothing else."""

from __future__ import annotations

import json
import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import forecast
from forecast import commands
from forecast.cli import build_program, main
from forecast.commands import COMMANDS
from forecast.commands.console import command_line
from forecast.config import option_fields
from forecast.errors import DataError
from forecast.models.catalogue import configure
from forecast.tables.folders import absolute

# What the commands share is no command.
SHARED = {
    "completion",
    "console",
    "help",
    "options",
    "pooling",
    "requests",
    "requirements",
    "tables",
    "typed",
    "notebook",
    "progress",
}


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
    assert module.EXAMPLES
    help_ = " ".join(shown.stdout.replace("\\", "").split())
    assert all(example.startswith(f"forecast {name}") and example in help_ for example in module.EXAMPLES)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_help_of_a_command_breaks_no_name(width: int) -> None:
    program = typer.main.get_command(build_program())
    for name in COMMANDS:
        command = program.commands[name]  # type: ignore[attr-defined]
        for parameter in command.params:
            parameter.hidden = False
        with command.make_context(name, [], resilient_parsing=True, terminal_width=width) as context:
            help_ = command.get_help(context)
        assert all(len(line) <= width for line in help_.splitlines())
        words = re.split(r"[\s,]+", help_)
        for parameter in command.params:
            assert set(parameter.opts) <= {*words, parameter.name}, (name, parameter.opts)


def write_stations(folder: Path) -> list[str]:
    """Two files with an hour's column and a temperature."""
    for name, first in (("north", 1), ("south", 9)):
        rows = "".join(f"2024-01-{1 + hour // 24:02d} {hour % 24:02d}:00,{first + hour % 24}\n" for hour in range(200))
        (folder / f"{name}.csv").write_text(f"time,temp\n{rows}")
    return [str(folder / "north.csv"), str(folder / "south.csv")]


def test_several_files_are_one_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write_stations(tmp_path)
    with pytest.raises(SystemExit):
        build_program()(["inspect", *files, "--json"])
    assert json.loads(capsys.readouterr().out)["series"] == ["north", "south"]
    np.testing.assert_array_equal(forecast.read(files).values, forecast.read(tmp_path).values)
    with pytest.raises(DataError, match=r"no file 'sout.csv'"):
        build_program()(["inspect", files[0], "sout.csv"])


def test_help_shows_the_settings_that_matter_and_help_all_every_one() -> None:
    shown = {
        flag: set(re.findall(r"^ +(--[a-z-]+)", CliRunner().invoke(build_program(), ["train", flag]).stdout, re.M))
        for flag in ("--help", "--help-all")
    }
    every = {"--" + name.replace("_", "-") for name in option_fields()}
    assert len(every & shown["--help"]) == 20
    assert every <= shown["--help-all"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("forecast tra", ["train"]),
        ("forecast train wea", ["weather"]),
        ("forecast train nor", ["north.csv"]),
        ("forecast train north.csv --target te", ["temp"]),
        ("forecast train stocks --target close,hi", ["close,high"]),
        ("forecast train north.csv --model stac", ["stacked-lstm"]),
        ("forecast train north.csv --unit-forget", ["--unit-forget-bias"]),
        ("forecast predict ", ["latest", "sea"]),
        ("forecast predict sea sou", ["south.csv"]),
    ],
)
def test_a_shell_completes(
    words: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_stations(tmp_path)
    (tmp_path / "models" / "sea").mkdir(parents=True)
    (tmp_path / "models" / "sea" / "manifest.json").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    monkeypatch.setenv("_FORECAST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        build_program()(prog_name="forecast")
    assert capsys.readouterr().out.split() == expected


def test_init_writes_every_setting_and_a_line_without_its_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert CliRunner().invoke(build_program(), ["init", str(path)]).exit_code == 0
    text = path.read_text()
    assert configure(file=path) == configure()
    assert re.findall(r"^# (\w+) =", text, re.MULTILINE) == list(option_fields())
    given = {name: value for name, value in re.findall(r"^# (\w+) = (.+)", text, re.MULTILINE) if name != "model"}
    path.write_text(re.sub(r"^# (\w+ = .)", r"\1", text, flags=re.MULTILINE))
    assert len(given) > 40
    assert configure(file=path) == configure()


@pytest.mark.parametrize("arguments", [["train", "--nonsense"], ["trian"], ["predict", "no-such-run"]])
def test_with_json_an_error_is_json(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["forecast", *arguments, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    document = json.loads(capsys.readouterr().err)
    assert document["exit_code"] == ended.value.code == 2
    assert document.keys() == {"error", "kind", "setting", "hint", "exit_code"}
    assert document["kind"] in ("config", "run")
    assert document["error"]
    assert document["hint"]


def test_the_help_lists_the_commands_below_what_one_wants() -> None:
    lines = CliRunner().invoke(build_program(), ["--help"], env={"COLUMNS": "300"}).stdout.splitlines()
    panel, shown = "", {}
    for line in lines:
        if re.fullmatch(r"\w.*:.*", line):
            panel = line.removesuffix(":")
        elif (first := line.strip().split(" ")[0]) in COMMANDS:
            shown[first] = panel
    assert shown == COMMANDS
    assert list(shown) == list(COMMANDS)


def test_files_named_together_are_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_stations(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = os.pathsep.join(Path(file).name for file in files)
    assert absolute(names) == os.pathsep.join(map(os.path.realpath, files))
    assert absolute("no-file.csv") == os.path.realpath("no-file.csv")


def test_what_was_typed_is_kept_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["forecast", "update", "mine", "postgresql://me:secret@host/db", "--overwrite"])
    assert command_line("--overwrite") == "forecast update mine postgresql://me@host/db"


@pytest.mark.parametrize("words", [["datasets"], ["datasets", "--json"]])
def test_who_stops_reading_gets_no_traceback(words: list[str]) -> None:
    program = [sys.executable, "-c", "from forecast.cli import main; main()", *words]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate()
    assert (process.returncode, said) == (1, b"")
