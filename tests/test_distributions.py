"""Two distributions of one package: the light one takes what the other takes, but for what only training needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import forecast

ROOT = Path(__file__).parents[1]

# Which packages only training needs, or nothing at all but tests.
OF_TRAINING = {"tensorflow", "keras", "llvmlite", "scikit-learn"}


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]  # type: ignore[no-any-return]


def by_name(requirements: list[str]) -> dict[str, str]:
    return {re.split(r"[<>=\[ ]", text)[0]: text for text in requirements}


def test_the_light_one_takes_the_same_without_training() -> None:
    full, light = project(ROOT), project(ROOT / "packaging" / "light")
    wanted = {name: text for name, text in by_name(full["dependencies"]).items() if name not in OF_TRAINING}
    assert by_name(light["dependencies"]) == wanted
    keras = by_name(full["dependencies"])["keras"]
    tensorflow, kernel = (by_name(full["dependencies"])[name] for name in ("tensorflow", "llvmlite"))
    assert light["optional-dependencies"]["cpu"] == [tensorflow.replace("tensorflow", "tensorflow-cpu"), keras, kernel]
    for extra in light["optional-dependencies"].keys() - {"cpu"}:
        assert light["optional-dependencies"][extra] == full["optional-dependencies"][extra]
    assert light["requires-python"] == full["requires-python"]
    assert light["scripts"] == full["scripts"]


def test_both_wheels_hold_the_same_package(tmp_path: Path) -> None:
    files = []
    for folder in (ROOT, ROOT / "packaging" / "light"):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path), str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        (wheel,) = tmp_path.glob(f"{project(folder)['name'].replace('-', '_')}-{forecast.__version__}-*.whl")
        with zipfile.ZipFile(wheel) as packed:
            files.append({name: packed.getinfo(name).CRC for name in packed.namelist() if name.startswith("forecast/")})
    assert files[0] == files[1]
    assert {"forecast/cli.py", "forecast/sources/builtin/weather.csv"} <= files[0].keys()
    assert not any("__pycache__" in name for name in files[0])


def test_without_tensorflow_training_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.version.find_spec", lambda name: None)
    with pytest.raises(forecast.MachineError, match="needs tensorflow, which is not installed") as caught:
        forecast.train("weather", run="never")
    assert "pip install forecast-lstm" in caught.value.advice


def test_on_windows_the_import_says_where_it_runs() -> None:
    code = "import sys; sys.platform = 'win32'; import forecast"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith("ImportError: forecast runs on Linux and on macOS")
