"""docs/design.md names every file in the order of reading, and the core stays of a size that can be read."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
COVERS = {"cli.py", "forecaster.py", "__init__.py", "__main__.py"}
NOT_IN_ORDER = {
    "tables",
    "clocks",
    "sources",
    "choices",
    "outliers",
    "archive",
    "engines",
    "plots",
    "commands",
    *COVERS,
}

# How runs are stored, and faster ways to the same numbers.
BESIDE_THE_CORE = ("runs/", "models/backends/")

_MOST_LINES = 10_000


def in_order() -> list[str]:
    files = sorted(path.relative_to(ROOT / "forecast") for path in (ROOT / "forecast").rglob("*.py"))
    return [str(path) for path in files if path.parts[0] not in NOT_IN_ORDER and path.name != "__init__.py"]


def test_the_order_of_reading_names_every_file_once() -> None:
    links = re.findall(r"\]\(\.\./forecast/(\S+?\.py)\)", DESIGN)
    assert sorted(links) == in_order()


def test_every_room_is_described() -> None:
    rooms = re.findall(r"^\| `(\S+?)/?` \|", DESIGN, re.MULTILINE)
    there = {path.relative_to(ROOT / "forecast").parts[0] for path in (ROOT / "forecast").rglob("*.py")}
    assert sorted(room for room in rooms if not room.startswith("backends")) == sorted(
        there - {"__init__.py", "__main__.py"}
    )


def test_the_core_has_no_more_lines_than_an_afternoon_allows() -> None:
    core = [name for name in in_order() if not name.startswith(BESIDE_THE_CORE)]
    assert sum(len((ROOT / "forecast" / name).read_text(encoding="utf-8").splitlines()) for name in core) <= _MOST_LINES
