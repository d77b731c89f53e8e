"""docs/design.md names every file of the core, and the core stays of a size that can be read."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
BESIDE_THE_CORE = {"tables", "sources", "plots", "commands", "cli.py", "__init__.py", "__main__.py"}


def core() -> list[str]:
    files = sorted(path.relative_to(ROOT / "forecast") for path in (ROOT / "forecast").rglob("*.py"))
    return [str(path) for path in files if path.parts[0] not in BESIDE_THE_CORE and path.name != "__init__.py"]


def test_the_order_of_reading_names_every_file_of_the_core_once() -> None:
    links = re.findall(r"\]\(\.\./forecast/(\S+?\.py)\)", DESIGN)
    assert sorted(links) == core()


def test_every_room_is_described() -> None:
    rooms = re.findall(r"^\| `(\S+?)/?` \|", DESIGN, re.MULTILINE)
    there = {path.relative_to(ROOT / "forecast").parts[0] for path in (ROOT / "forecast").rglob("*.py")}
    assert sorted(room for room in rooms if not room.startswith("backends")) == sorted(
        there - {"__init__.py", "__main__.py"}
    )


def test_the_core_has_no_more_files_than_an_afternoon_allows() -> None:
    assert len(core()) <= 50
