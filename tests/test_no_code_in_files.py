"""Nothing in the package turns the content of a file into code, or a text into a command of the shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Not the contenders of the benchmark: they open, each in its own way, what they have just written themselves. Nor what
# runs the notebooks of the documentation.
SOURCES = sorted(
    path
    for folder in ("forecast", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if path.parent.name != "contenders" and path.name != "notebooks.py"
)

MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve", "yaml"}
FUNCTIONS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {
    "eval", "exec", "load_model", "model_from_json", "enable_unsafe_deserialization", "read_pickle",
    "to_pickle", "system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell", "unsafe_load",
    "full_load", "load_module", "register_custom_ops_library",
}  # fmt: skip


def offences(code: str) -> Iterator[str]:
    """What a piece of code must not do, each with its line."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names if MODULES & set(alias.name.split("."))]
        elif isinstance(node, ast.ImportFrom):
            names = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
            found = sorted((MODULES | ATTRIBUTES) & names) + (["load"] if names >= {"numpy", "load"} else [])
        elif isinstance(node, ast.Call):
            found = _in_call(node)
        else:
            found = []
        yield from (f"line {node.lineno}: {name}" for name in found)


def _in_call(call: ast.Call) -> list[str]:
    options = {option.arg: option.value for option in call.keywords}
    truths = {name: getattr(value, "value", True) for name, value in options.items()}
    found = [name for name in ("allow_pickle", "shell") if name in truths and truths[name] is not False]
    if isinstance(call.func, ast.Name) and call.func.id in FUNCTIONS:
        found.append(call.func.id)
    if isinstance(call.func, ast.Attribute):
        if call.func.attr in ATTRIBUTES:
            found.append(call.func.attr)
        of_numpy = isinstance(call.func.value, ast.Name) and call.func.value.id in ("np", "numpy")
        if of_numpy and call.func.attr == "load" and "allow_pickle" not in truths:
            found.append("np.load")
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "importlib" and not _says_what(call):
            found.append("importlib")
    return found


def _says_what(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant)


def test_no_file_becomes_code() -> None:
    found = {str(path.relative_to(ROOT)): list(offences(path.read_text())) for path in SOURCES}
    assert len(found) > 100
    engines = {path: of_file for path, of_file in found.items() if path.startswith("forecast/engines/") and of_file}
    # Engines exchange tasks and results with workers of their own, through pipes; they read no file.
    assert all(offence.endswith(": pickle") for of_file in engines.values() for offence in of_file)
    assert {path: of_file for path, of_file in found.items() if of_file and path not in engines} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "import pickle as p",
        "import yaml",
        "from joblib import load",
        "import marshal",
        "import shelve",
        "import dill",
        "from six.moves import cPickle",
        "from keras.models import load_model",
        "keras.models.load_model(path)",
        "keras.models.model_from_json(text)",
        "from numpy import load",
        "pd.read_pickle(path)",
        "eval(text)",
        "exec(text)",
        "compile(text, '', 'exec')",
        "frame.eval(text)",
        "__import__(name)",
        "importlib.import_module(name)",
        "np.load(path)",
        "numpy.load(path, mmap_mode='r')",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=chosen)",
        "np.savez(path, allow_pickle=True)",
        "os.system(text)",
        "os.popen(text)",
        "subprocess.run(text, shell=True)",
        "subprocess.run(text, shell=chosen)",
        "subprocess.getoutput(text)",
        "options.register_custom_ops_library(path)",
    ],
)
def test_the_check_sees(code: str) -> None:
    assert list(offences(f"def f():\n    {code}"))


@pytest.mark.parametrize(
    "code",
    [
        "np.load(path, allow_pickle=False)",
        "subprocess.run(['ls'], shell=False)",
        "re.compile(text)",
        "model.compile()",
        "json.loads(text)",
    ],
)
def test_the_check_lets_pass(code: str) -> None:
    assert not list(offences(code))
