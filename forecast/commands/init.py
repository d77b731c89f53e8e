"""Init: write a file of settings to choose from."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = ("forecast init mine.toml",)


def command(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path("forecast.toml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")] = False,
) -> None:
    """Write a TOML file of every setting, each with its meaning, for --config."""
    from forecast.commands.console import say
    from forecast.errors import ConfigError, in_shell
    from forecast.runs.files import write_output

    if output.exists() and not overwrite:
        raise ConfigError(
            f"{output} exists.", f"Type: forecast init {in_shell(output)} --overwrite, or name another file."
        )
    write_output(output, commented_toml().encode())
    say(f"{output}: remove the # before what you set")
    say(f"next: forecast train weather --config {in_shell(output)}")


def commented_toml() -> str:
    """Every setting in its section, commented out: its meaning, and its default where it has one."""
    from forecast.commands.options import meaning_of
    from forecast.config import Settings, option_fields
    from forecast.models.catalogue import configure

    defaults = configure().model_dump(mode="json")
    lines = ["# Remove the # before what you set. Anything else is chosen from your data, or as shown."]
    for section, info in Settings.model_fields.items():
        lines += ["", f"[{section}]"]
        for name, field in info.annotation.model_fields.items():  # type: ignore[union-attr]
            if name in option_fields():
                value = defaults[section][name]
                default = "" if value in (None, []) else json.dumps(value)
                lines += ["", *textwrap.wrap(meaning_of(name, field), 116, initial_indent="# ", subsequent_indent="# ")]
                lines.append(f"# {name} = {default}".rstrip())
    return "\n".join(lines) + "\n"
