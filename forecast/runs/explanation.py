"""What `forecast explain` found inside a run: explain.json and plots, in a folder of the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.errors import RunError, phrase
from forecast.runs.documents import LARGEST_DOCUMENT, parse_json
from forecast.runs.files import read_within
from forecast.runs.run import Run

# In the run; its files are not the manifest's, because they come later.
FOLDER = "explain"

_LARGEST_PICTURE = 64 * 1024**2  # bytes


@dataclass(frozen=True)
class Explanation:
    """What was found inside a run: the content of explain.json, and the folder that holds it and its plots."""

    summary: dict[str, Any]
    folder: Path

    @property
    def sentences(self) -> list[str]:
        """What was found, in words."""
        return list(self.summary["sentences"])

    @property
    def plots(self) -> tuple[Path, ...]:
        """The plots, in the order of their names."""
        return tuple(sorted(self.folder.glob("*.png")))

    def picture(self, plot: Path) -> bytes:
        """One of the `plots` as a PNG file; a `RunError` if it is a link, or too large for a plot."""
        return read_within(self.folder, plot.name, _LARGEST_PICTURE)


def read_explanation(run: Run) -> Explanation | None:
    """What `explain` has found inside a run and left in its folder; None if the run was never explained.

    Raises:
        RunError: If explain.json is damaged.
    """
    folder = run.path / FOLDER
    if not folder.exists():
        return None
    again = f"Type: {phrase(f'forecast explain {run.name}', f'forecast.explain({run.name!r})')}"
    try:
        summary = parse_json(read_within(folder, "explain.json", LARGEST_DOCUMENT), folder / "explain.json")
    except RunError as error:
        raise RunError(error.args[0], again) from None
    sentences = summary.get("sentences")
    if not (isinstance(sentences, list) and all(isinstance(sentence, str) for sentence in sentences)):
        raise RunError(f"{folder / 'explain.json'} is damaged.", again)
    return Explanation(summary, folder)
