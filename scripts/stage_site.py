"""Lay out the pages of the site in ``build/pages``: those of docs/, and those that stand elsewhere in the repository.

Links lead on the site where they lead in the repository. One to a file that is no page, such as a module, becomes
words. With ``--check`` the finished site is looked through: whatever a page loads or leads to must be there.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path, PurePosixPath

from notebooks import NOTEBOOKS, to_markdown

ROOT = Path(__file__).parent.parent
PAGES, SITE = ROOT / "build" / "pages", ROOT / "build" / "site"

# Pages that stand outside docs/, by their place on the site.
BESIDE = {"index.md": "README.md"} | {
    name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "models/README.md", "data/README.md")
}

# How a page loads something at once: a script, a style, a picture, a frame, a font.
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\bsrc=["']?([^"'\s>]+)|<link\b[^>]*?\bhref=["']?([^"'\s>]+)"""
)
_LED_TO = re.compile(r"""<a\b[^>]*?\bhref=["']?([^"'\s>]+)""")


def sources() -> dict[str, str]:
    """Where each file of the site stands in the repository, by its place on the site."""
    docs = ROOT / "docs"
    inside = {
        path.relative_to(docs).as_posix(): path.relative_to(ROOT).as_posix()
        for path in sorted(docs.rglob("*"))
        if path.is_file() and path.suffix not in (".ipynb", ".1")
    }
    notebooks = {f"notebooks/{path.stem}.md": path.relative_to(ROOT).as_posix() for path in NOTEBOOKS}
    return inside | notebooks | BESIDE


def with_links(text: str, place: str, source: str, places: dict[str, str]) -> str:
    """A page with its links as they are on the site.

    Args:
        text: The page in Markdown.
        place: Of the page on the site.
        source: Of the page in the repository.
        places: The place on the site of each file of the repository that is there.
    """

    def lead(link: re.Match[str]) -> str:
        mark, words, target, anchor = link.groups(default="")
        meant = os.path.normpath(PurePosixPath(source).parent / target)
        if meant not in places:
            return words
        return f"{mark}[{words}]({os.path.relpath(places[meant], PurePosixPath(place).parent)}{anchor})"

    return re.sub(r"(!?)\[([^\]]+)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)", lead, text)


def stage() -> None:
    """Write the pages anew."""
    shutil.rmtree(PAGES, ignore_errors=True)
    found = sources()
    places = {source: place for place, source in found.items()}
    for place, source in found.items():
        target = PAGES / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".ipynb"):
            target.write_text(with_links(to_markdown(ROOT / source), place, source, places), encoding="utf-8")
        elif source.endswith(".md"):
            text = (ROOT / source).read_text(encoding="utf-8")
            target.write_text(with_links(text, place, source, places), encoding="utf-8")
        else:
            shutil.copyfile(ROOT / source, target)


def faults(site: Path) -> list[str]:
    """What is wrong with a finished site: what is loaded from elsewhere, and links to what is not there."""
    wrong = []
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        loaded = {address for pair in _LOADED.findall(text) for address in pair if address}
        for address in sorted(loaded | set(_LED_TO.findall(text))):
            name = f"{page.relative_to(site)}: {address}"
            if re.match(r"[a-z]+:|//", address):
                wrong += [f"{name} is loaded from elsewhere"] if address in loaded and address[:5] != "data:" else []
                continue
            path, _, anchor = address.partition("#")
            target = (page.parent / path.partition("?")[0]) if path else page
            target = target / "index.html" if target.is_dir() else target
            if page.name != "404.html" and not target.exists():
                wrong.append(f"{name} leads nowhere")
            elif anchor and target.suffix == ".html" and f'id="{anchor}"' not in target.read_text(encoding="utf-8"):
                wrong.append(f"{name} has no such place")
    return wrong


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        found = faults(SITE)
        sys.exit("\n".join(found) or None)
    stage()
