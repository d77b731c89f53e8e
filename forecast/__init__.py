"""Sequence forecasting with recurrent networks, judged honestly. Importing this does not import TensorFlow.

import forecast

panel = forecast.read("weather")
config = forecast.configure({"model": "stacked-lstm", "lookback": 36})
run = forecast.train(panel, config, run="first")
print(run.metrics["verdict"])
print(forecast.predict(run))

Read: read, fetch, DATASETS; ReadOptions says what is not to be inferred; a Panel is what comes of it.
Train: configure, train, resume; MODELS lists the models; Forecaster is the same in the manner of scikit-learn.
Use: find, all_runs, predict, sample_paths, Stream, export; a Run is a folder.
Judge: evaluate, backtest, compare, audit, metrics.
Look inside: explain, plots.
Whatever goes wrong is a ForecastError, whose fields say which setting, what was received, what is allowed, what to do.
help(forecast.train) and the like say the rest.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if sys.platform == "win32":  # runs are locked, and written safely, by calls that it lacks
    raise ImportError("forecast runs on Linux and on macOS. On Windows, install it in WSL: wsl --install")

# Where each public name lives: the only list. A name is imported when it is first used, so that `import forecast` takes
# no time.
_HOMES = {
    "Config": "config",
    "ReadOptions": "config",
    "Settings": "config",
    "DATASETS": "sources.datasets",
    "Clock": "data.clock",
    "Panel": "data.panel",
    "Prepared": "data.prepare",
    "prepare": "data.prepare",
    "engine": "engines",
    "ConfigError": "errors",
    "DataError": "errors",
    "ForecastError": "errors",
    "MachineError": "errors",
    "RunError": "errors",
    "metrics": "evaluation.metrics",
    "plots": "plots",
    "Model": "model",
    "MODELS": "models.catalogue",
    "configure": "models.catalogue",
    "Choice": "choices.plan",
    "resolve": "choices.defaults",
    "build_network": "models.backends.keras",
    "Run": "runs.run",
    "all_runs": "runs.find",
    "find": "runs.find",
    "read": "sources.read",
    "fetch": "sources.services.fetch",
    "Forecaster": "forecaster",
    "ConsoleProgress": "commands.console",
    "NotebookProgress": "commands.progress",
    "NullProgress": "progress",
    "resume": "commands.train.train",
    "train": "commands.train.train",
    "predict": "commands.predict.predict",
    "sample_paths": "commands.predict.predict",
    "evaluate": "commands.evaluate.evaluate",
    "score": "commands.score.score",
    "backtest": "commands.backtest.backtest",
    "compare": "commands.compare.compare",
    "tune": "commands.tune.tune",
    "explain": "commands.explain.explain",
    "audit": "commands.audit.audit",
    "anomalies": "commands.anomalies.anomalies",
    "Stream": "commands.stream.stream",
    "export": "commands.export.export",
    "update": "commands.update.update",
    "rollback": "commands.rollback",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from forecast.version import VERSION

        return VERSION
    if name not in _HOMES:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    module = import_module(f"forecast.{_HOMES[name]}")
    return getattr(module, name, module)  # metrics and plots are modules


def __dir__() -> list[str]:
    return __all__


# The same for those who check types, who run nothing; a test keeps the two alike.
if TYPE_CHECKING:
    from forecast import plots as plots
    from forecast.choices.defaults import resolve as resolve
    from forecast.choices.plan import Choice as Choice
    from forecast.commands.anomalies.anomalies import anomalies as anomalies
    from forecast.commands.audit.audit import audit as audit
    from forecast.commands.backtest.backtest import backtest as backtest
    from forecast.commands.compare.compare import compare as compare
    from forecast.commands.console import ConsoleProgress as ConsoleProgress
    from forecast.commands.evaluate.evaluate import evaluate as evaluate
    from forecast.commands.explain.explain import explain as explain
    from forecast.commands.export.export import export as export
    from forecast.commands.predict.predict import predict as predict
    from forecast.commands.predict.predict import sample_paths as sample_paths
    from forecast.commands.progress import NotebookProgress as NotebookProgress
    from forecast.commands.rollback import rollback as rollback
    from forecast.commands.score.score import score as score
    from forecast.commands.stream.stream import Stream as Stream
    from forecast.commands.train.train import resume as resume
    from forecast.commands.train.train import train as train
    from forecast.commands.tune.tune import tune as tune
    from forecast.commands.update.update import update as update
    from forecast.config import Config as Config
    from forecast.config import ReadOptions as ReadOptions
    from forecast.config import Settings as Settings
    from forecast.data.clock import Clock as Clock
    from forecast.data.panel import Panel as Panel
    from forecast.data.prepare import Prepared as Prepared
    from forecast.data.prepare import prepare as prepare
    from forecast.engines import engine as engine
    from forecast.errors import ConfigError as ConfigError
    from forecast.errors import DataError as DataError
    from forecast.errors import ForecastError as ForecastError
    from forecast.errors import MachineError as MachineError
    from forecast.errors import RunError as RunError
    from forecast.evaluation import metrics as metrics
    from forecast.forecaster import Forecaster as Forecaster
    from forecast.model import Model as Model
    from forecast.models.backends.keras import build_network as build_network
    from forecast.models.catalogue import MODELS as MODELS
    from forecast.models.catalogue import configure as configure
    from forecast.progress import NullProgress as NullProgress
    from forecast.runs.find import all_runs as all_runs
    from forecast.runs.find import find as find
    from forecast.runs.run import Run as Run
    from forecast.sources.datasets import DATASETS as DATASETS
    from forecast.sources.read import read as read
    from forecast.sources.services.fetch import fetch as fetch

    __version__: str
