"""A run's networks as files for other programs, with all that these must know."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

import forecast
from forecast.config import chosen
from forecast.data.bounds import bounds_of
from forecast.data.features import calendar_names
from forecast.data.panel import Clock, Floats
from forecast.data.prepare import arrange
from forecast.errors import ConfigError, DataError
from forecast.inference.network import OnnxNetwork
from forecast.inference.newest import Newest, newest_rows
from forecast.models.graph import graph_of
from forecast.models.graph_cells import refusal
from forecast.models.shape import Shape, shape_of
from forecast.report.handout import program, readme
from forecast.runs.run import Run
from forecast.storage import folder_written
from forecast.workflows.forecasting import find
from forecast.workflows.networks import ONNX, in_keras, members_of
from forecast.workflows.reading import training_panel, typical_panel

Format = Literal["onnx", "keras", "saved-model"]

_ABOUT = "export.json"

# Series in the example; more would say no more.
_SHOWN = 8


def export(
    run: Run | str,
    folder: Path | None = None,
    *,
    format: Format = "onnx",
    overwrite: bool = False,
    runs_dir: Path | None = None,
) -> Path:
    """Write the networks that make a run's forecasts into a folder of their own, for other programs.

    Beside the networks stand a README, the same as ``export.json``, an example, and a program that forecasts it.

    Args:
        run: A run or its name.
        folder: Where to; None for the run's name and the format, in the working folder.
        format: ``onnx``; ``keras``, whose layers need this package; or ``saved-model``, which needs TensorFlow.
        overwrite: Replace a folder that was exported before.
        runs_dir: Where runs live.

    Returns:
        The folder.

    Raises:
        ConfigError: If the network cannot be written in this format, or the folder is there and not to be replaced.
        MachineError: If it cannot be written; then nothing is left of it.
    """
    if format not in get_args(Format):
        raise ConfigError(f"There is no format {format!r}.", f"Formats: {', '.join(get_args(Format))}.")
    run = run if isinstance(run, Run) else find(run, runs_dir=runs_dir)
    place = Path(os.path.realpath(folder or f"{run.name}-{format}"))
    _check_place(place, overwrite)
    newest, source = _example_rows(run)
    shape = shape_of(newest.rows, chosen(run.config.data.lookback), chosen(run.config.data.horizon))
    with folder_written(place) as beside:
        names, inputs = _write_networks(run, shape, format, beside)
        about = _about(run, shape, newest, format) | {"networks": names, "inputs": inputs}
        texts = {
            "README.md": readme(about, source),
            "use.py": program(about),
            "example.json": _json(_example(newest)),
        }
        for name, text in texts.items():
            (beside / name).write_text(text, encoding="utf-8")
        files = sorted([*_files_of(beside), _ABOUT])
        (beside / _ABOUT).write_text(_json(about | {"files": files}), encoding="utf-8")
    return place


def _check_place(place: Path, overwrite: bool) -> None:
    if not os.path.lexists(place):
        return
    if not overwrite:
        raise ConfigError(f"{place} is there already.", "Name another with --output, or replace it with --overwrite.")
    try:
        listed = json.loads((place / _ABOUT).read_bytes())["files"]
        strange = sorted(set(_files_of(place)) - set(listed))
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{place} is no export, so it is not replaced.", "Name another with --output.") from None
    if strange:
        raise ConfigError(
            f"{place} holds {strange[0]!r}, which no export put there, so it is not replaced.",
            "Move that elsewhere, or name another folder with --output.",
        )


def _files_of(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _example_rows(run: Run) -> tuple[Newest, str]:
    """Rows to show how the networks are used, and what they are."""
    try:
        newest = newest_rows(arrange(training_panel(run), run.config.data), run.config.data, run.scaler)
        if len(newest.windows):
            return newest, "the last rows that the run was trained on"
        reason = newest.refused[0]
    except DataError as error:
        reason = error.message
    typical = newest_rows(typical_panel(run), run.config.data, run.scaler)
    return typical, f"the mean of each column, because the run's own rows cannot be used: {reason}"


def _write_networks(run: Run, shape: Shape, format: Format, folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Write every member of the network; their files, and what they are fed."""
    parts, which = run.config.network, run.forecast_weights
    runtime = run.manifest.get("runtimes", {}).get(which)
    if format == "onnx" and runtime != ONNX:
        reason = refusal(parts) or "it was not seen to forecast the same with ONNX Runtime when the run was made"
        raise ConfigError(
            f"The network of {run.name} is not written as ONNX: {reason}.",
            f"Take another format: forecast export {run.name} --format saved-model",
        )
    members = members_of(run, which)
    ending = {"onnx": ".onnx", "keras": ".keras", "saved-model": ""}[format]
    names = [f"network{f'-{number}' if len(members) > 1 else ''}{ending}" for number in range(1, len(members) + 1)]
    sizes = {"past": [shape.lookback, shape.features], "future": [shape.horizon, shape.known], "series": []}
    taken = list(sizes)
    for name, weights in zip(names, members, strict=True):
        if format == "onnx":
            graph = graph_of(parts, shape, weights)
            (folder / name).write_bytes(graph)
            taken = OnnxNetwork(graph, shape).takes
        else:
            network = in_keras(parts, shape, weights, run.config.training.seed, None)
            if format == "keras":
                network.save(folder / name)
            else:
                network.export(folder / name, verbose=False)
    whole = "int64" if format == "onnx" else "int32"
    inputs = {
        name: {"shape": ["B", *size], "dtype": whole if name == "series" else "float32"}
        for name, size in sizes.items()
        if name in taken
    }
    return names, inputs


def _about(run: Run, shape: Shape, newest: Newest, format: Format) -> dict[str, Any]:
    """What a program must know to use the networks: `README.md` says the same in words."""
    rows, scaler, data, parts = newest.rows, run.scaler, run.config.data, run.config.network
    calendar = calendar_names(Clock(run.data["freq"])) if data.calendar else ()
    n_series, unscaled = len(scaler.series_ids), len(calendar)
    bounds = bounds_of(np.arange(n_series), data)
    kinds = ["target"] * shape.targets + ["covariate"] * shape.covariates + ["known ahead"] * len(data.known)
    output = [shape.horizon, shape.targets, *([len(parts.quantiles)] if parts.quantiles else [])]
    return {
        "schema": 1,
        "run": run.name,
        "format": format,
        "version": forecast.__version__,
        "model": parts.model,
        "output": {"name": "forecast", "shape": ["B", *output], "dtype": "float32"},
        "clock": run.data["freq"],
        "units": {name: unit for name, unit in rows.panel.units.items() if name in scaler.columns},
        "columns": [*scaler.columns, *calendar],
        "kinds": kinds + ["calendar"] * len(calendar),
        "n_targets": shape.targets,
        "n_known": shape.known,
        "quantiles": parts.quantiles,
        "series": scaler.series_ids,
        "logged": [*scaler.logged.tolist(), *[False] * unscaled],
        "mean": np.pad(scaler.mean, ((0, 0), (0, unscaled))).tolist(),
        "scale": np.pad(scaler.scale, ((0, 0), (0, unscaled)), constant_values=1.0).tolist(),
        "low": _known(bounds.low),
        "high": _known(bounds.high),
        "circular": bounds.circular.tolist(),
    }


def _known(limits: Floats) -> list[list[float | None]]:
    return [[value if np.isfinite(value) else None for value in row] for row in limits.tolist()]


def _example(newest: Newest) -> dict[str, Any]:
    """What the networks are fed for a forecast, before it is scaled."""
    rows, windows = newest.rows, newest.windows
    picked = np.arange(min(len(windows), _SHOWN))
    n_columns = rows.filled.shape[1]
    values = np.concatenate([rows.filled, rows.inputs[:, n_columns:]], axis=1)
    series = rows.series[windows.starts[picked]]
    return {
        "series": [rows.panel.series_ids[number] for number in series],
        "unique_id": [rows.unique_ids[number] for number in series],
        "cutoff": [str(pd.Timestamp(time)) for time in rows.panel.times[windows.cutoffs[picked]]],
        "ds": [[str(pd.Timestamp(time)) for time in times] for times in rows.panel.times[windows.future(picked)]],
        "past": values[windows.past(picked)].tolist(),
        "future": values[windows.future(picked)][..., values.shape[1] - rows.n_known :].tolist(),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
