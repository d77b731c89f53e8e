"""What goes with an exported network: a README that explains it, and a program that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

# More series would make the README a long list of names; export.json has them all.
_MOST_LISTED = 10


def render_readme(about: Mapping[str, Any], source: str) -> str:
    """The README, in Markdown, from the content of ``export.json`` and what the rows of the example are."""
    units = [about["units"].get(name, "") for name in about["columns"]]
    limits = _limits(about)
    return _render("README.md.j2", about=about, source=source, units=units, limits=limits, listed=_MOST_LISTED)


def render_program(about: Mapping[str, Any]) -> str:
    """The program, in Python, from the content of ``export.json``; it reads ``example.json`` beside it."""
    return _render("use.py.j2", about=about)


def _limits(about: Mapping[str, Any]) -> list[str]:
    """The limits of each target; of each series, where they differ."""
    by_series = [list(zip(*ends, strict=True)) for ends in zip(about["low"], about["high"], strict=True)]
    all_alike = all(limits == by_series[0] for limits in by_series)
    sentences = []
    for series, limits in zip(about["series"], by_series[: 1 if all_alike else _MOST_LISTED], strict=False):
        for column, (low, high) in zip(about["columns"], limits, strict=False):
            ends = [f"{word} {end:.15g}" for word, end in (("at least", low), ("at most", high)) if end is not None]
            if ends:
                sentences.append(f"{column if all_alike else series} {' and '.join(ends)}")
    return sentences


def _render(template: str, **values: object) -> str:
    environment = Environment(
        loader=PackageLoader("forecast", "commands/export/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment.get_template(template).render(values)
