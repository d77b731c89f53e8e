"""What a notebook shows of an object. What draws it stands above all objects, and is asked when one is shown."""

from __future__ import annotations

from typing import Any


class Shown:
    """An object that a notebook shows in parts of the report; `forecast.commands.notebook` says how."""

    def _repr_html_(self) -> str:
        from forecast.commands.notebook import html_of

        return html_of(self)


class Scores(dict[str, Any], Shown):
    """The content of metrics.json."""
