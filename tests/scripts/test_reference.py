"""The references that are written from the commands and settings are those of today, and complete."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

import forecast
from forecast.commands import COMMANDS
from forecast.config import option_fields
from reference import ENVIRONMENT, REFERENCES, ROOT, man_page


@pytest.mark.parametrize("place", REFERENCES)
def test_what_is_committed_is_current(place: str) -> None:
    assert (ROOT / place).read_text(encoding="utf-8") == REFERENCES[place](), "run: python scripts/reference.py"


def test_the_man_page_has_every_command_and_setting() -> None:
    page = man_page().replace(r"\-", "-")
    assert all(f".SS forecast {name} " in page for name in COMMANDS)
    assert all(f"--{name.replace('_', '-')}" in page for name in option_fields())


@pytest.mark.skipif(shutil.which("groff") is None, reason="without groff nothing reads a man page")
def test_the_man_page_is_without_a_fault() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8"], input=man_page(), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_every_variable_of_the_environment_is_named() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "forecast").rglob("*.py"))
    read = set(re.findall(r'(?:environ(?:\.get\(|\[)|envvar=|_KEY = )"([A-Z_]+)"', sources)) - {"KERAS_BACKEND"}
    assert read >= {"FORECAST_RUNS", "TIINGO_API_KEY"}
    assert read <= ENVIRONMENT.keys()


def test_every_public_name_has_its_docstring_in_the_reference() -> None:
    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: forecast\.(\w+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(set(forecast.__all__) - {"__version__"})
