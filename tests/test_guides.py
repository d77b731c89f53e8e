"""The quickstart and the guides: every command and block of Python works in its order, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import typer

from forecast.cli import build_program
from forecast.commands import COMMANDS
from forecast.models.catalogue import MODELS
from pages import ROOT, commands_of, links_of, python_of, run_command, write_station

GUIDES = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "docs/guides").glob("*.md"))}
TUTORIAL = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "docs/tutorial").glob("*.md"))}
PAGES = {"quickstart": (ROOT / "docs/quickstart.md").read_text("utf-8"), **GUIDES, **TUTORIAL}

# Which asks a service, and which do not end.
UNRUN = {"fetch", "serve", "watch"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guides")
    write_station(folder)
    return folder


@pytest.fixture(scope="module")
def ran() -> set[str]:
    """Commands that pages have run: those that several show are run once."""
    return set()


@pytest.fixture
def unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `unsaved`, for what `forecast explain` draws."""
    monkeypatch.setattr("forecast.commands.explain.plots.to_png", lambda figure: b"")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("two_steps", "unsaved", "unexplained")
def test_a_page_works(
    page: str,
    place: Path,
    ran: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    if page != "quickstart":  # whose run has every plot
        request.getfixturevalue("no_plots")
    monkeypatch.chdir(place)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    names: dict[str, object] = {}
    for part in re.findall(r"^```python\n.*?^```$|^    forecast .*?$", PAGES[page], re.MULTILINE | re.DOTALL):
        for command in commands_of(part):
            if command not in ran:
                run_command(command, monkeypatch, capsys)
            ran.add(command)
        exec(compile(python_of(part), f"{page}.md", "exec"), names)


def test_what_was_written_is_whole(place: Path) -> None:
    assert len(pd.read_csv(place / "next-day.csv")) == 24
    assert len(pd.read_csv(place / "rolled.csv")) == 8 * 24
    assert len(pd.read_csv(place / "paths.csv")) == 200 * 24
    assert (place / "error.png").stat().st_size > 10_000
    assert (place / "compared.html").exists()


@pytest.mark.usefixtures("two_steps", "no_plots", "unexplained")
def test_what_the_help_shows_works(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every example that no page has run; in the folder where the pages ran theirs."""
    monkeypatch.chdir(place)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    monkeypatch.setattr("typer.launch", lambda path: None)
    shown = {command for page in PAGES.values() for command in commands_of(page)}
    for name in COMMANDS.keys() - UNRUN:
        for example in import_module(f"forecast.commands.{name}").EXAMPLES:
            if example not in shown:
                run_command(example, monkeypatch, capsys, allowed=(0, 4) if "--require" in example else (0,))


def test_every_command_and_model_is_told_of() -> None:
    shown = {shlex.split(command)[1] for page in PAGES.values() for command in commands_of(page)}
    told = set(re.findall(r"`forecast (\w+)", "\n".join(PAGES.values())))
    assert shown | UNRUN == set(COMMANDS)
    assert told >= UNRUN
    assert set(re.findall(r"`([\w-]+)`", GUIDES["models"])) >= MODELS.keys()


def test_what_pages_only_show_is_a_command_too() -> None:
    program = typer.main.get_command(build_program())
    for path in (ROOT / "docs").rglob("*.md"):
        for block in re.findall(r"^```sh\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            for line in re.findall(r"^forecast (.*?)(?: *[#>].*)?$", block, re.MULTILINE):
                name, *arguments = shlex.split(line)
                program.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))])
def test_every_link_leads_somewhere(page: str) -> None:
    for target in links_of((ROOT / page).read_text("utf-8")):
        assert (ROOT / page).parent.joinpath(target).exists(), target
