"""The report written anew: with what was found since, and without touching the one in the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from forecast import DataError, Run, RunError
from forecast.commands.report.report import write_report
from forecast.runs.find import open_run


@pytest.fixture
def copied(trained: Run, tmp_path: Path) -> Run:
    """The trained run in a place where it can be changed."""
    return open_run(Path(shutil.copytree(trained.path, tmp_path / "months", ignore=lambda *_: ["explain"])))


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out: their own tests draw them."""
    monkeypatch.setattr("forecast.plots.page.to_svg", lambda _: b"<svg/>")


def test_what_was_explained_since_is_in_the_new_report_alone(copied: Run, tmp_path: Path) -> None:
    before = (copied.path / "report.html").read_bytes()
    folder = copied.path / "explain"
    folder.mkdir()
    (folder / "explain.json").write_text(json.dumps({"sentences": ["Half of it is gone after 3 months."]}))
    shutil.copy(copied.plots[0], folder / "2-gradient.png")
    path = write_report(copied, tmp_path / "out" / "new.html")
    html = path.read_text(encoding="utf-8")
    assert 'id="inside"' in html
    assert "Half of it is gone after 3 months." in html
    assert "data:image/png;base64," in html
    assert (copied.path / "report.html").read_bytes() == before
    assert 'id="inside"' not in before.decode()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"sentences": 3}', b"\xff"])
def test_a_damaged_explanation_is_refused(copied: Run, tmp_path: Path, content: bytes) -> None:
    (copied.path / "explain").mkdir()
    (copied.path / "explain" / "explain.json").write_bytes(content)
    with pytest.raises(RunError, match="explain\\.json"):
        write_report(copied, tmp_path / "new.html")
    assert not (tmp_path / "new.html").exists()


def test_rows_that_have_moved_can_be_given_and_others_are_refused(
    copied: Run, monthly: pd.DataFrame, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.csv"
    monthly.to_csv(moved, index=False)
    assert write_report(copied, tmp_path / "new.html", moved).exists()
    with pytest.raises(DataError, match="does not hold the rows that months was trained on: 150 rows"):
        write_report(copied, tmp_path / "other.html", monthly.head(150))
