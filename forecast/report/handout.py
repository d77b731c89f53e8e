"""What goes with exported networks: a page that explains them, and a program that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast.report.render import templates

# Of more series the page would be a long list of numbers, which export.json has too.
_MOST_LISTED = 10


def readme(about: Mapping[str, Any], source: str) -> str:
    """The page, in Markdown.

    Args:
        about: The content of ``export.json``.
        source: What the rows of the example are.
    """
    units = [about["units"].get(name, "") for name in about["columns"]]
    scaled = [
        [
            {"column": name, "mean": mean, "scale": scale}
            for name, kind, mean, scale in zip(about["columns"], about["kinds"], means, scales, strict=True)
            if kind != "calendar"
        ]
        for means, scales in zip(about["mean"][:_MOST_LISTED], about["scale"][:_MOST_LISTED], strict=True)
    ]
    return _filled("export.md.j2", about=about, source=source, units=units, scaled=scaled)


def program(about: Mapping[str, Any]) -> str:
    """The program, in Python; it reads ``export.json`` and ``example.json`` beside it.

    Args:
        about: The content of ``export.json``.
    """
    return _filled("use.py.j2", about=about)


def _filled(template: str, **values: object) -> str:
    environment = templates(autoescape=False)  # these are no HTML
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment.get_template(template).render(values)
