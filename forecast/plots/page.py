"""What an HTML page is made of: sections, pictures and templates. The page is one file, and works offline."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from forecast.plots.figure import DPI, PHONE, SCREEN, PlotFigure, to_svg
from forecast.plots.tables import Lookup, Table

_CURVE = re.compile(rb' d="[^"]*"')
_BEYOND_HUNDREDTHS = re.compile(rb"(?<=\.\d\d)\d+")

_TEMPLATES = Environment(
    loader=PackageLoader("forecast", "plots/templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Image:
    """A file inside the page.

    Args:
        uri: Its content, as ``data:`` URI.
        width: In CSS pixels.
        height: In CSS pixels.
    """

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A plot on the page.

    Args:
        title: What is shown.
        note: How to read it; may be empty.
        wide: For screens and paper.
        narrow: For phones; its dark lines, and those of the wide one, turn light on a dark page. None if colours are a
            scale: they stay as they are, and phones show the wide one, in a box that scrolls.
    """

    title: str
    note: str
    wide: Image
    narrow: Image | None = None


@dataclass(frozen=True)
class Section:
    """A section of a page: what stands in it, from top to bottom; whatever is empty is left out.

    Args:
        title: Its heading.
        sentences: What it says.
        pictures: What it shows.
        facts: Names and what they are.
        remarks: What else there is to say.
        tables: Tables behind the pictures.
        lookup: Rows that are shown when their name is typed; None for none.
        folded_tables: Tables that are opened on demand.
        glossary: What the names in the tables mean, opened on demand.
        commands: Text to copy, by its heading.
        files: The same, opened on demand.
    """

    title: str
    sentences: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    lookup: Lookup | None = None
    folded_tables: list[Table] = field(default_factory=list)
    glossary: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def reproduction(
    facts: Mapping[str, str],
    command: str | None,
    then: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> Section:
    """How what a page shows is made again.

    Args:
        facts: What it depends on, by name.
        command: The command line that made it; empty if none did.
        then: Further commands, by heading.
        files: What these need, by heading.
    """
    made_by = {"Made by": command} if command else {}
    return Section(
        "How to reproduce it", facts={**facts}, commands={**made_by, **(then or {})}, files={**(files or {})}
    )


def picture_of(plot: Callable[..., PlotFigure], title: str = "") -> Picture:
    """A plot for the page, drawn for screens and again for phones, where the letters of the first are too small.

    Args:
        plot: Draws it in the ``size`` that it is given.
        title: What stands above it, if not the figure's own title.
    """
    wide, narrow = plot(size=SCREEN), plot(size=PHONE)
    return Picture(title or wide.title, wide.note, _svg_image(wide), _svg_image(narrow))


def _svg_image(figure: PlotFigure) -> Image:
    """A figure as SVG."""
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    # Curves to a hundredth of a point: a third of the bytes are digits that no eye can see.
    svg = _CURVE.sub(lambda curve: _BEYOND_HUNDREDTHS.sub(b"", curve[0]), to_svg(figure))
    return Image(_data_uri(svg, "image/svg+xml"), width, height)


def png_image(content: bytes) -> Image:
    """A PNG file, in the size that its letters were drawn for."""
    width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))  # its first chunk, by the format
    return Image(_data_uri(content, "image/png"), round(96 * width / DPI), round(96 * height / DPI))


def _data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that needs no request. A script in an SVG does not run behind one in ``<img>``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def render(sections: Mapping[str, Section], **values: object) -> str:
    """A page; whatever is put into it is text, never markup. It has a script only where something can be looked up.

    Args:
        sections: What stands in it, by the anchor of each.
        values: What else report.html.j2 shows: title, verdict, tiles and origin.
    """
    script = _file("lookup.js") if any(section.lookup for section in sections.values()) else None
    template = _TEMPLATES.get_template("report.html.j2")
    return template.render(style=_file("page.css"), script=script, sections=sections, **values)


def box(section: Section, verdict: str = "", origin: Sequence[str] = ()) -> str:
    """A section as a part of another page, such as a notebook: it brings its own style, and no script.

    Args:
        section: What it shows.
        verdict: What stands at its top.
        origin: What is said of where it comes from.
    """
    template = _TEMPLATES.get_template("box.html.j2")
    return template.render(style=_file("box.css"), section=section, verdict=verdict, origin=origin)


def _file(name: str) -> Markup:
    return Markup(resources.files("forecast").joinpath("plots/templates", name).read_text(encoding="utf-8"))


def _hash_of(content: str) -> str:
    """By what the content security policy names a style sheet or a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


_TEMPLATES.filters["hash_of"] = _hash_of
