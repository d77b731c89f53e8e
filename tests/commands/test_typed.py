"""Hints name the command that was typed, and lead on."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import typer

from forecast.cli import build_program, main
from forecast.commands.typed import as_typed


@pytest.mark.parametrize(
    ("typed", "hint", "shown"),
    [
        ("train a.csv --target x", "forecast inspect a.csv --decimal ,", "forecast train a.csv --target x --decimal ,"),
        ("train --tz UTC a.csv", "forecast inspect a.csv --tz 'A/B'", "forecast train a.csv --tz A/B"),
        (
            "train a.csv --tz=UTC -q",
            "forecast inspect a.csv --tz A/B --wide",
            "forecast train a.csv -q --tz A/B --wide",
        ),
        ("compare a.csv", "sed 2d a.csv | forecast inspect -", "sed 2d a.csv | forecast compare -"),
        ("train a.cvs", "forecast inspect a.csv", "forecast train a.csv"),
        ("predict run a.csv", "forecast inspect a.csv --decimal ,", "forecast inspect a.csv --decimal ,"),
        ("train a.csv", "forecast inspect known.csv", "forecast inspect known.csv"),
        ("train a.csv b.csv", "forecast inspect b.csv --tz A/B", "forecast inspect b.csv --tz A/B"),
        ("train a.csv", "forecast datasets", "forecast datasets"),
    ],
)
def test_a_hint_is_the_typed_command(
    typed: str, hint: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv", "known.csv"):
        Path(name).touch()
    name, *words = shlex.split(typed)
    command = typer.main.get_group(build_program([name])).commands[name]
    assert as_typed(command, words)(hint) == shown  # type: ignore[arg-type]


def test_a_hint_names_no_setting_that_is_no_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("day;v\n1.2.2024;1,5\n2.2.2024;2,5\n3.2.2024;3,5\n")
    monkeypatch.setattr("sys.argv", ["forecast", "train", "a.csv", "--target", "v", "--json"])
    with pytest.raises(SystemExit):
        main()
    hint = json.loads(capsys.readouterr().err)["hint"]
    assert "forecast train a.csv --target v --json --date-format '%d.%m.%Y'" in hint.split("\n")[0]
