"""A run's network as a file for other programs, with all that they must know to use it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from forecast.commands.export.formats import Format
from forecast.commands.export.in_units import Statistics, graph_in_units, inputs_in_units, statistics_of
from forecast.commands.export.instructions import render_program, render_readme
from forecast.config import NetworkConfig
from forecast.data.features import calendar_names
from forecast.data.newest import NewestRows, newest_rows
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import arrange
from forecast.data.windows import fill_forward
from forecast.errors import ConfigError, DataError, phrase, setting
from forecast.model import Model
from forecast.models.backends.onnx import IR_VERSION, OPSET
from forecast.models.network import Shape, map_inputs
from forecast.models.runtimes import ONNX
from forecast.runs.documents import to_json
from forecast.runs.files import write_folder
from forecast.runs.find import find
from forecast.runs.rows import training_panel
from forecast.runs.run import Run
from forecast.version import VERSION

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
    """Write the network that makes a run's forecasts into a folder of its own, for other programs.

    The network takes rows and returns forecasts in the columns' own units. The folder also holds a README, the same
    information as ``export.json``, an example, and a program that forecasts it.

    Args:
        run: A run or its name.
        folder: Where to; None for the run's name and the format, in the working folder.
        format: ``onnx``; ``keras``, whose layers need this package; or ``saved-model``. To write the latter two takes
            TensorFlow, and so does to read them.
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
    run = find(run, runs_dir=runs_dir)
    folder = Path(os.path.realpath(folder or f"{run.name}-{format}"))
    _check_folder(folder, overwrite)
    newest, source = _example_rows(run)
    shape = run.shape
    statistics = statistics_of(run.scaler, run.config.data, shape)
    with write_folder(folder) as unfinished:
        network = _write_network(run, shape, statistics, format, unfinished)
        about = _about(run, shape, statistics, newest.rows.panel, format) | {"network": network}
        texts = {
            "README.md": render_readme(about, source),
            "use.py": render_program(about),
            "example.json": to_json(_example(newest, run.config.data.longest_fill, about["inputs"])),
        }
        for name, text in texts.items():
            (unfinished / name).write_text(text, encoding="utf-8")
        files = sorted([*_files_of(unfinished), _ABOUT])
        (unfinished / _ABOUT).write_text(to_json(about | {"files": files}), encoding="utf-8")
    return folder


def _check_folder(folder: Path, overwrite: bool) -> None:
    if not os.path.lexists(folder):
        return
    output = phrase("--output", "folder=")
    if not overwrite:
        advice = f"Name another with {output}, or replace it with {setting('overwrite', True)}."
        raise ConfigError(f"{folder} is there already.", advice)
    try:
        listed = json.loads((folder / _ABOUT).read_bytes())["files"]
        strange = sorted(set(_files_of(folder)) - set(listed))
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{folder} is not an export, so it is not replaced.", f"Name another with {output}."
        ) from None
    if strange:
        raise ConfigError(
            f"{folder} holds {strange[0]!r}, which no export put there, so it is not replaced.",
            f"Move that elsewhere, or name another folder with {output}.",
        )


def _files_of(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _example_rows(run: Run) -> tuple[NewestRows, str]:
    """Rows to show how the network is used, and what they are."""
    data = run.config.data
    try:
        panel = arrange(training_panel(run), data)
        newest = newest_rows(panel, data, run.scaler)
        if len(newest.windows):
            return newest, "the last rows that the run was trained on."
        reason = newest.refused[0]
        if data.known:  # ahead of the last rows nothing is known
            earlier = newest_rows(_before_the_end(panel, data.horizon, len(data.known)), data, run.scaler)
            if len(earlier.windows):
                return earlier, f"rows that the run was trained on, to {data.horizon} steps before their end."
    except DataError as error:
        reason = error.message
    typical = newest_rows(_typical_panel(run), data, run.scaler)
    return typical, f"the mean of each column, because the run's own rows cannot be used: {reason}"


def _before_the_end(panel: Panel, horizon: int, n_known: int) -> Panel:
    """An arranged panel in whose last rows, as many as a horizon has, only what is known ahead is there."""
    values, n_measured = panel.values.copy(), len(panel.columns) - n_known
    for rows in map(panel.rows, range(panel.n_series)):
        values[rows][-horizon:, :n_measured] = np.nan
    return replace(panel, values=values)


def _typical_panel(run: Run) -> Panel:
    """Rows of the form that a run's network takes, arranged, each value its mean over the training rows.

    Of each series there are as many rows as a window sees, the last at the end of the run's data. Where something is
    known ahead, the rows of the horizon follow, which hold that alone.
    """
    data, scaler, clock = run.config.data, run.scaler, run.clock
    last, n_known, lookback = np.datetime64(run.data["last"], "us"), len(data.known), data.lookback
    past = clock.past(last, lookback)
    times = np.concatenate([past, clock.future(past[-1], data.horizon if n_known else 0)])
    means = np.where(scaler.logged, np.exp(np.where(scaler.logged, scaler.mean, 0.0)), scaler.mean)
    values = np.repeat(means[:, None], len(times), axis=1)
    values[:, lookback:, : len(scaler.columns) - n_known] = np.nan
    return Panel(
        values=values.reshape(-1, len(scaler.columns)),
        times=np.tile(times, len(means)),
        columns=scaler.columns,
        clock=clock,
        series_ids=scaler.series_ids,
        offsets=tuple(range(0, len(means) * len(times) + 1, len(times))),
        name=run.name,
    )


def _write_network(run: Run, shape: Shape, statistics: Statistics, format: Format, folder: Path) -> str:
    """Write the network, which is the mean of an ensemble's members; the name of its file or folder."""
    config, weights = _interface(run), run.forecast_weights
    if format == "onnx" and run.runtime_of(weights) != ONNX:
        raise ConfigError(
            f"The network of {run.name} is not written as ONNX: it was not seen to forecast the same with ONNX Runtime "
            "when the run was made.",
            "Take another format: "
            + phrase(
                f"forecast export {run.name} --format saved-model",
                f"forecast.export({run.name!r}, format='saved-model')",
            ),
        )
    members = Model.load(run, weights).members
    if format == "onnx":
        (folder / "network.onnx").write_bytes(graph_in_units(config, shape, members, statistics))
        return "network.onnx"
    from forecast.commands.export.keras_layers import network_in_units

    network = network_in_units(config, shape, members, statistics)
    if format == "keras":
        network.save(folder / "network.keras")
        return "network.keras"
    network.export(folder / "network", verbose=False)
    return "network"


def _interface(run: Run) -> NetworkConfig:
    """The configuration that says what the exported network takes: nothing ahead where no member of it looks ahead."""
    designs = [design for design, _ in run.members(run.forecast_weights)]
    if any((design.units and design.decode != "direct") or map_inputs(design, run.shape)[2] for design in designs):
        return run.config.network
    return run.config.network.model_copy(update={"decode": "direct"})


def _about(run: Run, shape: Shape, statistics: Statistics, panel: Panel, format: Format) -> dict[str, Any]:
    """What a program must know to use the network: `README.md` says the same in words."""
    scaler, data, network = run.scaler, run.config.data, _interface(run)
    calendar, holidays = (calendar_names(run.clock), run.clock.public_holidays) if data.calendar else ((), None)
    kinds = ["target"] * shape.targets + ["covariate"] * shape.covariates + ["known ahead"] * len(data.known)
    output = [shape.horizon, shape.targets, *([len(network.quantiles)] if network.quantiles else [])]
    return {
        "schema": 1,
        "run": run.name,
        "format": format,
        "opset": OPSET if format == "onnx" else None,
        "ir_version": IR_VERSION if format == "onnx" else None,
        "version": VERSION,
        "model": network.model,
        "members": len(run.members(run.forecast_weights)),
        "inputs": {
            name: {"shape": ["B", *size], "dtype": dtype}
            for name, (dtype, size) in inputs_in_units(network, shape).items()
        },
        "output": {"name": "forecast", "shape": ["B", *output], "dtype": "float64"},
        "clock": run.data["freq"],
        "tz": run.clock.tz,
        "units": {name: unit for name, unit in panel.units.items() if name in scaler.columns},
        "columns": [*scaler.columns, *calendar],
        "kinds": kinds + ["calendar"] * len(calendar),
        "holidays": {} if holidays is None else holidays.by_name,
        "words": {own.column: own.words for own in run.config.read.notation if own.column in run.config.categories},
        "quantiles": network.quantiles,
        "series": scaler.series_ids,
        "logged": [name for name, is_logged in zip(scaler.columns, scaler.logged, strict=True) if is_logged],
        "takes_missing_values": shape.masked,
        "takes_unseen_series": bool(statistics.own.any()),
        "low": _none_if_infinite(statistics.bounds.low[: run.n_series]),
        "high": _none_if_infinite(statistics.bounds.high[: run.n_series]),
        "circular": statistics.bounds.circular[: run.n_series].tolist(),
    }


def _none_if_infinite(limits: Floats) -> list[list[float | None]]:
    return [[value if np.isfinite(value) else None for value in row] for row in limits.tolist()]


def _without_nan(numbers: Any) -> Any:
    """Nested lists of numbers, None where one is NaN, for which JSON has no word."""
    if isinstance(numbers, list):
        return [_without_nan(number) for number in numbers]
    return None if numbers != numbers else numbers


def _example(newest: NewestRows, longest_fill: int, inputs: Collection[str]) -> dict[str, Any]:
    """The inputs of the network for some forecasts, and the series, the cut-off and the times of each."""
    rows, windows, clock = newest.rows, newest.windows, newest.rows.panel.clock
    picked = np.arange(min(len(windows), _SHOWN))
    columns = range(len(rows.panel.columns))
    n_with_holes = rows.n_targets + rows.n_covariates if rows.masked else 0
    filled = [fill_forward(rows.panel, longest_fill, column)[0] for column in columns]
    filled[:n_with_holes] = rows.panel.values.T[:n_with_holes]
    values = np.column_stack([*filled, rows.calendar.at(np.arange(rows.panel.n_rows))])
    starts = windows.starts[picked]
    fed = {
        "past": values[windows.past(picked)],
        "future": values[windows.future(picked)][..., values.shape[1] - rows.n_known :],
        "series": rows.identity[starts],
    }
    return {
        "inputs": {name: _without_nan(fed[name].tolist()) for name in inputs},
        "unique_id": [rows.unique_ids[number] for number in rows.series[starts]],
        "cutoff": [clock.isoformat(time) for time in rows.panel.times[windows.cutoffs[picked]]],
        "ds": [[clock.isoformat(time) for time in times] for times in rows.panel.times[windows.future(picked)]],
    }
