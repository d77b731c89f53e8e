"""Sequence forecasting with recurrent networks, judged honestly. Importing this does not import TensorFlow.

import forecast

panel = forecast.read("weather")
config = forecast.configure({"model": "stacked-lstm", "lookback": 36})
run = forecast.train(panel, config, run="first")
print(run.metrics["verdict"])
print(forecast.predict(run))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast import plots
    from forecast.config import Config, ReadOptions, Settings
    from forecast.data.datasets import DATASETS
    from forecast.data.panel import Clock, Panel
    from forecast.data.prepare import Prepared, prepare
    from forecast.errors import ConfigError, DataError, ForecastError, MachineError, RunError
    from forecast.evaluation import metrics
    from forecast.models.catalogue import MODELS, configure
    from forecast.models.defaults import resolve
    from forecast.models.recurrent import build_network
    from forecast.runs.run import Run
    from forecast.workflows.auditing import audit
    from forecast.workflows.backtesting import backtest
    from forecast.workflows.comparing import compare
    from forecast.workflows.explaining import explain
    from forecast.workflows.exporting import export
    from forecast.workflows.forecasting import all_runs, evaluate, find, predict, sample_paths
    from forecast.workflows.reading import read
    from forecast.workflows.streaming import Stream
    from forecast.workflows.training import resume, train

    __version__: str

# Where each public name lives; it is imported when it is first used, so that `import forecast` takes no time.
_HOMES = {
    "Config": "config",
    "ReadOptions": "config",
    "Settings": "config",
    "DATASETS": "data.datasets",
    "Clock": "data.panel",
    "Panel": "data.panel",
    "Prepared": "data.prepare",
    "prepare": "data.prepare",
    "ConfigError": "errors",
    "DataError": "errors",
    "ForecastError": "errors",
    "MachineError": "errors",
    "RunError": "errors",
    "metrics": "evaluation.metrics",
    "plots": "plots",
    "MODELS": "models.catalogue",
    "configure": "models.catalogue",
    "resolve": "models.defaults",
    "build_network": "models.recurrent",
    "Run": "runs.run",
    "audit": "workflows.auditing",
    "backtest": "workflows.backtesting",
    "compare": "workflows.comparing",
    "explain": "workflows.explaining",
    "export": "workflows.exporting",
    "Stream": "workflows.streaming",
    "all_runs": "workflows.forecasting",
    "evaluate": "workflows.forecasting",
    "find": "workflows.forecasting",
    "predict": "workflows.forecasting",
    "sample_paths": "workflows.forecasting",
    "read": "workflows.reading",
    "resume": "workflows.training",
    "train": "workflows.training",
}

__all__ = [
    "DATASETS",
    "MODELS",
    "Clock",
    "Config",
    "ConfigError",
    "DataError",
    "ForecastError",
    "MachineError",
    "Panel",
    "Prepared",
    "ReadOptions",
    "Run",
    "RunError",
    "Settings",
    "Stream",
    "__version__",
    "all_runs",
    "audit",
    "backtest",
    "build_network",
    "compare",
    "configure",
    "evaluate",
    "explain",
    "export",
    "find",
    "metrics",
    "plots",
    "predict",
    "prepare",
    "read",
    "resolve",
    "resume",
    "sample_paths",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("forecast")
    if name not in _HOMES:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    module = import_module(f"forecast.{_HOMES[name]}")
    return module if name in ("metrics", "plots") else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
