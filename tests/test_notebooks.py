"""The notebooks: executed, small, and calling what there is; as a whole they are run by `scripts/test --thorough`."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

import pytest

import forecast
from notebooks import NOTEBOOKS, code_cells, execute, to_markdown

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_four() -> None:
    assert {path.stem for path in NOTEBOOKS} == {"weather", "stocks", "panel", "looking-inside"}


@each
def test_it_was_executed_from_top_to_bottom_and_is_small(path: Path) -> None:
    assert path.stat().st_size < 300_000
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell["outputs"]) for cell in cells) >= 4
    assert all(output["output_type"] != "error" for cell in cells for output in cell["outputs"])


@each
def test_it_calls_what_there_is_with_arguments_that_are_taken(path: Path) -> None:
    calls = [
        node for code in code_cells(path) for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name) and node.func.value.id == "forecast"
    ]  # fmt: skip
    assert calls
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        signature = inspect.signature(getattr(forecast, call.func.attr))
        signature.bind(*call.args, **{str(keyword.arg): keyword.value for keyword in call.keywords})


@each
def test_its_settings_are_settings(path: Path) -> None:
    for code in code_cells(path):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Dict) and node.keys and all(isinstance(key, ast.Constant) for key in node.keys):
                names = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                if names & {"lookback", "target", "model"}:
                    forecast.configure(ast.literal_eval(node))


@each
def test_it_becomes_a_page(path: Path) -> None:
    page = to_markdown(path)
    assert page.startswith("# ")
    assert all(code in page for code in code_cells(path))


@pytest.mark.thorough
@each
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    execute(copy)
    cells = [cell for cell in json.loads(copy.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] or "=" in "".join(cell["source"]) for cell in cells)
