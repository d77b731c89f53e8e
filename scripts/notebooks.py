"""Run the notebooks of docs/notebooks and keep what they show: ``python scripts/notebooks.py [NAME …]``.

Their cells run one after another in this process, in a folder that is thrown away. What a cell prints and the value of
its last line are its outputs. No Jupyter is needed, and what stands there is the same each time.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import re
import sys
import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))

Output = dict[str, Any]


def code_cells(path: Path) -> list[str]:
    """The code of a notebook, cell by cell."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> list[Output]:
    """What a cell shows, in the form of a notebook's outputs."""
    body = ast.parse(source).body
    last = ast.Expression(body.pop().value) if body and isinstance(body[-1], ast.Expr) else None  # type: ignore[attr-defined]
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if last is not None:
            value = eval(compile(last, "cell", "eval"), names)
    outputs: list[Output] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        outputs.append({"output_type": "display_data", "metadata": {}, "data": _shown(value)})
    return outputs


def _shown(value: Any) -> dict[str, Any]:
    """A value as text, and as what it says of itself beside that."""
    if hasattr(value, "_repr_png_"):
        return {"image/png": _small(value._repr_png_()), "text/plain": [repr(value)]}
    shown: dict[str, Any] = {"text/plain": _lines(repr(value))}
    if hasattr(value, "_repr_html_") and (html := value._repr_html_()):
        shown["text/html"] = _lines(re.sub("(?<=data:image/png;base64,)[^\"' ]+", _smaller, html))
    return shown


def _small(picture: bytes) -> str:
    """A picture in 64 colours and as wide as a page, in base64."""
    from PIL import Image

    small = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((1000, 2000), Image.Resampling.LANCZOS)
    image.quantize(64).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def _smaller(picture: re.Match[str]) -> str:
    return _small(base64.b64decode(picture[0]))


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def execute(path: Path) -> None:
    """Run a notebook and write it with its outputs."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    number = 0
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                number += 1
                cell["outputs"], cell["execution_count"] = run_cell("".join(cell["source"]), names), number
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def to_markdown(path: Path) -> str:
    """A notebook as a page of the site."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [_output_in_markdown(output) for output in cell.get("outputs", [])]
    return "\n\n".join([*parts, f"This page is the notebook `{path.name}` of `docs/notebooks`."]) + "\n"


def _output_in_markdown(output: Output) -> str:
    if "text" in output:
        lines = "".join(output["text"]).rstrip().splitlines()
        return "\n".join(["```text", *(textwrap.fill(line, 90) if len(line) > 90 else line for line in lines), "```"])
    data = output["data"]
    if "image/png" in data:
        return f'<img alt="{data["text/plain"][0]}" src="data:image/png;base64,{data["image/png"]}">'
    if "text/html" in data:
        return f'<div class="output">{"".join(data["text/html"])}</div>'
    return f"```text\n{''.join(data['text/plain'])}\n```"


if __name__ == "__main__":
    os.environ.pop("FORECAST_RUNS", None)
    for notebook in NOTEBOOKS:
        if not sys.argv[1:] or notebook.stem in sys.argv[1:]:
            execute(notebook)
            print(f"{notebook.name}: {notebook.stat().st_size:,} bytes")
