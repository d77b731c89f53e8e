"""Write the references of the command line: ``python scripts/reference.py``, after a command or a setting has changed.

The commands with their options and examples, the settings, the exit codes and the environment become two pages of the
site and the man page. What they say stands in `forecast/commands` and `forecast/config.py`; a test compares.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import typer

from forecast.cli import build_program
from forecast.commands import COMMANDS
from forecast.commands.help import EXIT_CODES, record_of, unhide
from forecast.commands.options import PANELS
from forecast.config import Settings, option_fields

ROOT = Path(__file__).parent.parent

# Variables of the environment, each with what it decides.
ENVIRONMENT = {
    "FORECAST_RUNS": "The folder of runs. (default: ./models)",
    "FORECAST_DATA": "The folder of fetched files. (default: ./data)",
    "FORECAST_QUIET": "Print only results and errors, as --quiet.",
    "FORECAST_TRACK": "Where else the course of a training is written, as --track.",
    "FORECAST_CORES": "How many cores a process computes with; other numbers give other last digits. (default: all)",
    "RAY_ADDRESS": "The Ray cluster, as --address.",
    "FORECAST_HOST": "Where a server listens, as --host; so FORECAST_PORT, _WORKERS, _TOKEN_FILE and _LOG.",
    "FORECAST_OPEN_METEO_ARCHIVE_URL": "Another address of a service; so for each, by its name.",
    "TIINGO_API_KEY": "The key for prices of Tiingo.",
    "ALPHAVANTAGE_API_KEY": "The key for prices of Alpha Vantage.",
    "NO_COLOR": "Print without colours.",
}

Record = tuple[str, str]  # how an option is written, and what it does


@dataclass(frozen=True)
class Page:
    """What is said of a command.

    Args:
        name: Of the command.
        usage: Its call.
        paragraphs: What it does; the first is a sentence.
        examples: Calls.
        records: Its own arguments and options.
        sections: Titles of the settings that it takes as options.
    """

    name: str
    usage: str
    paragraphs: list[str]
    examples: tuple[str, ...]
    records: list[Record]
    sections: list[str]


def command_pages() -> Iterator[Page]:
    """Every command, in the order of the help."""
    program = typer.main.get_command(build_program())
    for name in COMMANDS:
        command = program.commands[name]  # type: ignore[attr-defined]
        unhide(command)
        ctx = command.context_class(command, info_name=f"forecast {name}", help_option_names=["-h", "--help"])
        own, taken = [], set()
        for parameter in command.get_params(ctx):
            panel = getattr(parameter, "rich_help_panel", None)
            if panel in PANELS.values() and parameter.name in option_fields():
                taken.add(panel)
            elif record := record_of(parameter, ctx):
                own.append(record)
        yield Page(
            name,
            " ".join(["forecast", name, *command.collect_usage_pieces(ctx)]),
            command.help.split("\n\n"),
            import_module(f"forecast.commands.{name}").EXAMPLES,
            own,
            [title for title in PANELS.values() if title in taken],
        )


def setting_records() -> dict[str, list[Record]]:
    """Every setting as an option, by the name of its section in files."""
    command = typer.main.get_command(build_program()).commands["train"]  # type: ignore[attr-defined]
    unhide(command)
    ctx = command.context_class(command, info_name="forecast train")
    records = {parameter.name: record_of(parameter, ctx) for parameter in command.get_params(ctx)}
    return {
        section: [records[name] for name in info.annotation.model_fields if name in option_fields()]  # type: ignore
        for section, info in Settings.model_fields.items()
    }


def commands_in_markdown() -> str:
    """The page of commands."""
    lines = ["# Commands", "", "What `forecast COMMAND --help-all` prints, of all commands.", ""]
    lines += [
        _wrapped(f"- [`forecast {page.name}`](#forecast-{page.name}): {_text(page.paragraphs[0])}") for page in _PAGES
    ]
    for page in _PAGES:
        lines += ["", f"## forecast {page.name}", "", f"    {page.usage}"]
        for paragraph in page.paragraphs:
            lines += ["", _wrapped(_text(paragraph))]
        lines += ["", "Examples:", "", "```sh", *page.examples, "```", "", *map(_item, page.records)]
        if page.sections:
            links = ", ".join(f"[{title}](settings.md#{title.lower()})" for title in page.sections)
            lines += ["", _wrapped(f"It takes settings of these kinds as options, too: {links}.")]
    lines += ["", "## Exit codes", "", *map(_item, EXIT_CODES)]
    lines += ["", "## Environment", "", *map(_item, ENVIRONMENT.items())]
    return "\n".join(lines) + "\n"


def settings_in_markdown() -> str:
    """The page of settings."""
    lines = [
        "# Settings",
        "",
        "Each is an option of `forecast train`, and of other commands where it makes sense. With `_` for `-` it is a",
        "key of the file that `--config` reads (`forecast init` writes one), and of the dictionary that",
        "`forecast.configure` takes. Defaults are those of the usual model; a preset changes some.",
    ]
    for section, records in setting_records().items():
        lines += ["", f"## {PANELS[section]}", "", f"In a file: `[{section}]`.", "", *map(_item, records)]
    return "\n".join(lines) + "\n"


def man_page() -> str:
    """All of it for ``man forecast``, in roff."""
    lines = ['.TH FORECAST 1 "" forecast "User Commands"', ".SH NAME"]
    lines += [_roff("forecast - forecast weather, stocks and other regular series with recurrent networks")]
    lines += [".SH SYNOPSIS", r"\fBforecast\fR \fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]", ".SH COMMANDS"]
    for page in _PAGES:
        lines += [f".SS {_roff(page.usage)}", *_paragraphs(page.paragraphs)]
        lines += _paragraphs([f"It takes the settings below {', '.join(page.sections)}, too."] if page.sections else [])
        lines += [".PP", ".nf", *(f".RS\n{_roff(example)}\n.RE" for example in page.examples), ".fi"]
        lines += map(_tagged, page.records)
    lines += [".SH SETTINGS", "Each is an option, and a key of the file that \\fB\\-\\-config\\fR reads."]
    for section, records in setting_records().items():
        lines += [f".SS {PANELS[section]}", *map(_tagged, records)]
    lines += [".SH EXIT STATUS", *map(_tagged, EXIT_CODES)]
    lines += [".SH ENVIRONMENT", *map(_tagged, ENVIRONMENT.items())]
    return "\n".join(lines) + "\n"


def _item(record: Record) -> str:
    return _wrapped(f"- `{record[0]}`: {_text(record[1])}")


def _wrapped(text: str) -> str:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _text(text: str) -> str:
    """Words in which nothing is Markdown; of a paragraph on one line."""
    return re.sub(r"([*<\[|]|(?<= )-(?= ))", r"\\\1", " ".join(text.split()))


def _paragraphs(paragraphs: list[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in (".PP", _roff(" ".join(paragraph.split())))]


def _tagged(record: Record) -> str:
    return f".TP\n\\fB{_roff(record[0])}\\fR\n{_roff(record[1])}"


def _roff(text: str) -> str:
    """Words in which nothing is an instruction to roff."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    text = "".join(letter if letter.isascii() else rf"\[u{ord(letter):04X}]" for letter in text)
    return r"\&" + text if text.startswith((".", "'")) else text


_PAGES = list(command_pages())

# What is written, by its place.
REFERENCES = {
    "docs/reference/commands.md": commands_in_markdown,
    "docs/reference/settings.md": settings_in_markdown,
    "docs/reference/forecast.1": man_page,
}

if __name__ == "__main__":
    for place, render in REFERENCES.items():
        (ROOT / place).parent.mkdir(exist_ok=True)
        (ROOT / place).write_text(render(), encoding="utf-8")
