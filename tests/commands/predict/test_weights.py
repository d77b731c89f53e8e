"""A stored forecast of networks that are damaged is not printed as if they were there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import forecast
from forecast import Run
from forecast.errors import RunError


@pytest.mark.parametrize("name", ["weights.npz", "baseline/weights.npz"])
@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_predict_looks_at_the_weights(
    tmp_path: Path, trained: Run, quick: Callable[..., Result], name: str, damage: str
) -> None:
    folder = shutil.copytree(trained.path, tmp_path / "months")
    weights = folder / name
    content = weights.read_bytes()
    weights.unlink()
    if damage != "missing":
        weights.write_bytes(content[:-9] if damage == "cut" else content[:-9] + bytes(9))
    with pytest.raises(RunError, match=name):
        forecast.predict(str(folder))
    done = quick("predict", folder)
    assert isinstance(done.exception, RunError)
    assert done.exception.exit_code == 2
    assert not done.stdout
