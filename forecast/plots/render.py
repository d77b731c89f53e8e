"""What pages are made of: sections, and the templates that turn them into HTML."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from forecast.plots.pictures import Picture
from forecast.plots.tables import Table


@dataclass(frozen=True)
class Section:
    """A section of a page: what stands in it, from top to bottom; whatever is empty is left out.

    Args:
        key: Its anchor.
        title: Its head.
        sentences: What it says.
        first: Tables before the pictures.
        pictures: What it shows.
        tables: Tables behind them.
        folded: Tables that are opened on demand.
        glossary: What the names in the tables mean, opened on demand.
        facts: Names and what they are.
        remarks: What else there is to say.
        commands: Text to copy, by its head.
        files: The same, opened on demand.
    """

    key: str
    title: str
    sentences: list[str] = field(default_factory=list)
    first: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    folded: list[Table] = field(default_factory=list)
    glossary: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    commands: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def render(template: str, **values: object) -> str:
    """A page from one of the templates; whatever is put into it is text, never markup.

    Args:
        template: File name of a template that extends ``base.html.j2``.
        values: What it shows.
    """
    style, environment = _style()
    return environment.get_template(template).render(style=style, style_hash=_hash(style), **values)


def templates(autoescape: bool) -> Environment:
    """The templates of pages and of other texts.

    Args:
        autoescape: Whether what they are filled with is made safe for HTML.
    """
    return Environment(
        loader=PackageLoader("forecast", "plots/templates"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _style() -> tuple[Markup, Environment]:
    css = resources.files("forecast").joinpath("plots/templates/page.css").read_text(encoding="utf-8")
    return Markup(css), templates(autoescape=True)


def _hash(style: str) -> str:
    """What the content security policy knows the style sheet by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"
