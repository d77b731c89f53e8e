"""The public interface: what there is, and that it costs nothing to import."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module, resources
from pathlib import Path

import pytest

import forecast
from forecast import Run
from forecast.version import VERSION


def in_a_fresh_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_it_imports_nothing_large() -> None:
    code = "import sys, forecast; print([m for m in sys.modules if m.split('.')[0] in sys.argv[1:]])"
    large = ["tensorflow", "keras", "pandas", "numpy", "matplotlib", "scipy", "sklearn", "pyarrow", "pydantic", "typer"]
    result = subprocess.run([sys.executable, "-c", code, *large], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_data_and_configuration_come_without_tensorflow() -> None:
    code = (
        "import sys, forecast; forecast.configure({'units': 8}); forecast.read('weather'); forecast.find;"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules, 'matplotlib' in sys.modules)"
    )
    assert in_a_fresh_process(code).split() == ["False", "False", "False"]


def test_every_public_name_is_there() -> None:
    assert sorted(dir(forecast)) == sorted(forecast.__all__)
    for name in forecast.__all__:
        assert getattr(forecast, name) is not None
    namespace: dict[str, object] = {}
    exec("from forecast import *", namespace)
    assert set(forecast.__all__) <= set(namespace)


def test_a_type_checker_sees_the_same_names_in_the_same_places() -> None:
    tree = ast.parse(Path(forecast.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    declared = {alias.asname: f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    places = {name: getattr(forecast, name) for name in forecast.__all__ if name != "__version__"}
    assert declared.keys() == places.keys()
    for name, place in declared.items():
        module, _, attribute = place.rpartition(".")
        assert getattr(import_module(module), attribute) is places[name], name


def test_functions_are_functions_whatever_was_imported_before() -> None:
    # A module of the same name, once imported, must not take a function's place.
    names = ["read", "configure", "train", "resume", "predict", "evaluate", "find", "all_runs", "prepare", "resolve"]
    code = f"import forecast, forecast.commands.train.train as t; forecast.Run; t.train; \
from forecast import all_runs; print([n for n in {names!r} if not callable(getattr(forecast, n))])"
    assert in_a_fresh_process(code).strip() == "[]"
    assert callable(forecast.all_runs)


def test_public_functions_are_documented_and_typed() -> None:
    for name in forecast.__all__:
        thing = getattr(forecast, name)
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            assert thing.__doc__
            assert signature.return_annotation is not inspect.Signature.empty, name
            for parameter in signature.parameters.values():
                assert parameter.annotation is not inspect.Parameter.empty, (name, parameter.name)
        elif inspect.isclass(thing):
            assert thing.__doc__, name
    assert resources.files("forecast").joinpath("py.typed").is_file()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'forecast' has no attribute 'nothing'"):
        _ = forecast.nothing


def test_the_version_is_that_of_the_package() -> None:
    assert forecast.__version__ == VERSION


def test_errors_are_caught_as_one_kind_and_carry_their_exit_code() -> None:
    kinds = {
        forecast.DataError: 2,
        forecast.ConfigError: 2,
        forecast.RunError: 2,
        forecast.MachineError: 3,
    }
    for kind, code in kinds.items():
        error = kind("what is wrong", "what to type")
        assert isinstance(error, forecast.ForecastError)
        assert error.exit_code == code
        assert str(error) == "what is wrong\nwhat to type"


def test_the_steps_by_hand_are_those_of_train(trained: Run) -> None:
    """Each step alone, as the documentation shows them."""
    panel = forecast.read(trained.manifest["source"])
    config, choices = forecast.resolve(trained.config, panel)
    assert config == trained.config  # a resolved configuration has nothing open
    assert choices == []
    prepared = forecast.prepare(panel, config)
    assert len(prepared.test) == trained.metrics["n_windows"]
    assert prepared.scaler.mean.tolist() == trained.scaler.mean.tolist()
    frame = trained.test_forecasts
    assert forecast.metrics.mae(frame["y"], frame["lstm"]) == pytest.approx(trained.metrics["models"]["lstm"]["mae"])
