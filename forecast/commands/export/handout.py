"""What goes with an exported network: a page that explains it, and a program that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

# Of more series the page would be a long list of names, which export.json has too.
_MOST_LISTED = 10


def readme(about: Mapping[str, Any], source: str) -> str:
    """The page, in Markdown.

    Args:
        about: The content of ``export.json``.
        source: What the rows of the example are.
    """
    units = [about["units"].get(name, "") for name in about["columns"]]
    values = {"limits": _limits(about), "listed": _MOST_LISTED}
    return _filled("README.md.j2", about=about, source=source, units=units, **values)


def program(about: Mapping[str, Any]) -> str:
    """The program, in Python; it reads ``example.json`` beside it.

    Args:
        about: The content of ``export.json``.
    """
    return _filled("use.py.j2", about=about)


def _limits(about: Mapping[str, Any]) -> list[str]:
    """What each target is held within; of each series, where they differ."""
    pairs = [list(zip(*ends, strict=True)) for ends in zip(about["low"], about["high"], strict=True)]
    alike = all(own == pairs[0] for own in pairs)
    said = []
    for series, own in zip(about["series"], pairs[:1] if alike else pairs[:_MOST_LISTED], strict=False):
        for column, (low, high) in zip(about["columns"], own, strict=False):
            ends = [f"{word} {end:.15g}" for word, end in (("at least", low), ("at most", high)) if end is not None]
            if ends:
                said.append(f"{column if alike else series} {' and '.join(ends)}")
    return said


def _filled(template: str, **values: object) -> str:
    environment = Environment(
        loader=PackageLoader("forecast", "commands/export/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment.get_template(template).render(values)
