"""Two distributions of one package: the light one takes what the other takes, but for what only training needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import typer

import forecast
from forecast.cli import build_program

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
    with pytest.raises(forecast.MachineError, match="need tensorflow, which is not installed") as caught:
        forecast.train("weather", run="never")
    assert "pip install forecast-lstm" in caught.value.advice


def test_on_windows_the_import_says_where_it_runs() -> None:
    code = "import sys; sys.platform = 'win32'; import forecast"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith("ImportError: forecast runs on Linux and on macOS")


def container_lines() -> list[tuple[str, str]]:
    text = (ROOT / "packaging" / "light" / "Containerfile").read_text(encoding="utf-8")
    return re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE)


def test_the_container_calls_the_program_as_it_is() -> None:
    lines = dict(container_lines())
    program = typer.main.get_command(build_program())
    name, *arguments = json.loads(lines["CMD"])
    with program.commands[name].make_context(name, arguments) as context:  # type: ignore[attr-defined]
        assert (context.params["host"], f"{context.params['port']}") == ("0.0.0.0", lines["EXPOSE"])
    assert f":{lines['EXPOSE']}/health" in lines["HEALTHCHECK"]
    assert json.loads(lines["ENTRYPOINT"]) == list(project(ROOT)["scripts"])


@pytest.mark.thorough
def test_the_steps_of_the_container_make_a_server(tmp_path: Path) -> None:
    """In a virtual environment in the place of an image: what is installed forecasts, and has no TensorFlow."""
    wheel = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", f"{tmp_path}/dist", "packaging/light"]
    subprocess.run(wheel, check=True, cwd=ROOT)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "image"], check=True)
    for step, text in container_lines():
        if step == "COPY":
            sources = text.split()[:-1]
            (tmp_path / "install").mkdir()
            for source in sources:
                for path in (tmp_path if source.startswith("dist") else ROOT).glob(source):
                    shutil.copy(path, tmp_path / "install")
        elif step == "RUN" and text.startswith("pip "):
            command = text.replace("/install/", f"{tmp_path}/install/").replace("pip ", f"{tmp_path}/image/bin/pip ", 1)
            subprocess.run(command, shell=True, check=True)
    forecast.train("weather", {"epochs": 1}, run="sea", runs_dir=tmp_path)
    environment = {"PATH": f"{tmp_path}/image/bin", "FORECAST_RUNS": str(tmp_path)}
    command = [f"{tmp_path}/image/bin/forecast", "serve", "sea", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = re.search(r"http://\S+?(?=;|$)", server.stderr.readline())
        try:
            assert address is not None
            assert urlopen(f"{address[0]}/health").status == 200
        finally:
            server.terminate()
    there = subprocess.run([f"{tmp_path}/image/bin/pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "forecast-lstm-light" in there
    assert "tensorflow" not in there
