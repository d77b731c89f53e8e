"""Look inside a run: its gates, its gradients, what its inputs are worth; and check what they say by training again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecast.commands.explain import sentences
from forecast.commands.explain.importance import Importance, Place, importances, parts_of
from forecast.commands.explain.memory import Memory, memory_of, reach
from forecast.commands.train.train import train
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, encode
from forecast.data.read import Source
from forecast.data.windows import Windows
from forecast.errors import RunError
from forecast.evaluation.verdict import significant_sign
from forecast.models.trace import Trace
from forecast.progress import NullProgress, Progress
from forecast.runs.documents import to_json
from forecast.runs.explanation import FOLDER, Explanation
from forecast.runs.files import refuse_links, write_atomically
from forecast.runs.find import find
from forecast.runs.rows import new_panel, training_panel
from forecast.runs.run import Run
from forecast.workflows.networks import forecasters_of, keras_networks_of
from forecast.workflows.scoring import score_models_of_run, unseen_windows

if TYPE_CHECKING:
    from forecast.models.tracing import Opened

# Windows that are looked at, evenly spaced over the test span: means over them are steady to a percent or two.
_TRACED, _DIFFERENTIATED, _SHUFFLED = 64, 128, 512

# Values of gates that are held in memory at once, in bytes.
_TRACE_BYTES = 256 * 1024**2


def explain(
    run: Run | str,
    source: Source | None = None,
    *,
    check_lookback: bool = False,
    output: Path | None = None,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Show what a run's networks remember and what moves their forecasts, on windows that they were not trained on.

    Args:
        run: A run or its name.
        source: New rows; None for the test span of the rows that it was trained on, which are read again.
        check_lookback: Train again with the lookback that seems enough, and compare.
        output: Where the plots and explain.json go; None for the folder ``explain`` in the run.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        RunError: If the run repeats the last value, so that there is nothing to look into.
        DataError: If the rows cannot be read again, or hold no window.
    """
    from forecast.commands.explain.plots import Inside, draw_inside

    progress = progress or NullProgress()
    run = find(run, runs_dir=runs_dir)
    folder = output or run.path / FOLDER
    if output is None:
        refuse_links(folder)
    if run.manifest["networks"]["model"]["fell_back"]:
        raise RunError(
            f"{run.name} repeats the last value: its network was no better, and its head is empty.",
            "Train without --fall-back to look into one that forecasts by itself.",
        )
    if run.config.training.ensemble > 1:
        progress.note(f"an ensemble of {run.config.training.ensemble}: the first network is shown")
    original = training_panel(run) if check_lookback else None  # refused before the work is done, if it cannot be had
    panel = new_panel(run, training_panel(run) if source is None else source, progress)
    view = _View(run, panel)
    memories, newest = view.memories()
    gradients = {name: view.gradient(opened) for name, opened in view.opened.items()}
    columns, parts = view.importance()
    clock, lookback = panel.clock, view.windows.lookback
    said = [
        *(sentences.of_memory(memory, clock, lookback) for memory in memories),
        *(sentences.of_gradient(name, norms, clock) for name, norms in gradients.items()),
        sentences.of_lookback(gradients[view.model], clock),
        sentences.of_importance(columns, parts),
    ]
    summary = {
        "schema": 1,
        "run": run.name,
        "model": view.model,
        "freq": clock.freq,
        "lookback": lookback,
        "windows": len(view.windows),
        "layers": [_of_memory(memory) for memory in memories],
        "gradient_by_lag": {name: norms.tolist() for name, norms in gradients.items()},
        "reach": {name: {f"{share:g}": reach(norms, share) for share in (0.5, sentences.MOST, sentences.ALL)}
                  for name, norms in gradients.items()},
        "importance": {"columns": _of_importance(columns), "lookback": _of_importance(parts)},
    }  # fmt: skip
    if original is not None:
        summary["check"], sentence = _check(view, original, reach(gradients[view.model], sentences.ALL), progress)
        said.append(sentence)
    inside = Inside(view.rows, view.newest, newest, view.segment, gradients, columns, parts, run.tracked_gradients)
    pictures = draw_inside(inside, view.model)
    summary["sentences"] = said
    write_atomically(folder / "explain.json", to_json(summary).encode())
    for name, picture in pictures.items():
        write_atomically(folder / name, picture)
    return Explanation(summary, folder)


class _View:
    """A run over rows: its networks, and the windows through which one looks into them."""

    def __init__(self, run: Run, panel: Panel) -> None:
        from forecast.models.shape import shape_of
        from forecast.models.tracing import Opened

        self.run, self.panel, self.model = run, panel, run.config.network.model
        self.segment = min(run.config.network.segment, run.config.data.lookback)
        self.rows: Rows = encode(panel, run.config.data, run.scaler)
        self.windows = unseen_windows(run, self.rows)
        self.shape = shape_of(self.rows, self.windows.lookback, self.windows.horizon)
        self.networks = keras_networks_of(run, self.shape)
        self.opened = {name: Opened(network) for name, network in self.networks.items()}

    @property
    def newest(self) -> Windows:
        """The last window alone, whose gates are drawn."""
        return Windows(self.windows.starts[-1:], self.windows.lookback, self.windows.horizon)

    def inputs(self, windows: Windows) -> tuple[dict[str, Any], Any]:
        """What the networks take of some windows, and the scaled targets [B, H, D]."""
        from forecast.models.feeding import gather

        return gather(self.rows, windows.starts, self.shape)

    def memories(self) -> tuple[list[Memory], list[Trace]]:
        """What each layer of the model remembers, and what it did with the newest window."""
        from forecast.models.tracing import trace_gates

        of_window = 4 * 8 * sum(self.run.config.network.units) * -(-self.windows.lookback // self.segment)
        network = self.networks[self.model]
        seen = trace_gates(
            network, self.inputs(self.windows.subsample(min(_TRACED, max(1, _TRACE_BYTES // of_window))))[0]
        )
        memories = [memory_of(trace, self.segment) for trace in seen]
        return memories, trace_gates(network, self.inputs(self.newest)[0])

    def gradient(self, opened: Opened) -> Floats:
        """The norm of the gradient by lag, [L]."""
        from forecast.models.tracing import gradient_by_lag

        return gradient_by_lag(opened, self.inputs(self.windows.subsample(_DIFFERENTIATED))[0])

    def importance(self) -> tuple[dict[str, Importance], dict[str, Importance]]:
        """What the model's inputs are worth, and what the parts of its lookback are."""
        opened, rows, clock = self.opened[self.model], self.rows, self.panel.clock
        inputs, y_true = self.inputs(self.windows.subsample(_SHUFFLED))

        def forecast(window: NDArray[np.float32], future: NDArray[np.float32]) -> NDArray[np.float32]:
            return opened.forecast(window, inputs | {"future": future}).numpy()

        window, future = opened.window(inputs).numpy(), inputs["future"].numpy()
        n_columns, measured = len(self.panel.columns), rows.n_targets + rows.n_covariates
        columns = {
            name: Place([number], ahead=[number - measured] if number >= measured else ())
            for number, name in enumerate(self.panel.columns)
        }
        if n_columns < window.shape[2]:
            calendar = range(n_columns, window.shape[2])
            columns["the calendar"] = Place(calendar, ahead=[number - measured for number in calendar])
        parts = {}
        for steps in parts_of(self.windows.lookback):
            newest, oldest = self.windows.lookback - steps.stop, self.windows.lookback - steps.start
            parts[sentences.stretch(clock, newest, oldest)] = Place(range(measured), steps=steps)
        found = importances(forecast, window, future, y_true.numpy(), columns | parts)
        return {name: found[name] for name in columns}, {name: found[name] for name in parts}


def _check(view: _View, original: Panel, enough: int, progress: Progress) -> tuple[dict[str, Any], str]:
    """Train again with a shorter lookback, and compare both on the same windows."""
    run, clock, lookback = view.run, view.panel.clock, view.windows.lookback
    shorter = min(-(-enough // view.segment) * view.segment, lookback)
    if shorter > 0.9 * lookback:
        said = (
            f"Nothing to check: the lookback that seems enough, {sentences.span(clock, shorter)}, is nearly the whole."
        )
        return {"lookback": shorter}, said
    config = run.config.replace(data={"lookback": shorter}, training={"baseline": False, "ensemble": 1})
    with tempfile.TemporaryDirectory() as place:
        again = train(original, config, run="shorter", runs_dir=Path(place), progress=progress)
        brief = forecasters_of(again, view.rows, "model")[view.model]
    cut = lookback - shorter
    models = {
        view.model: forecasters_of(run, view.rows, "model")[view.model],
        "shorter": lambda starts: brief(starts + cut),
    }
    metrics = score_models_of_run(run, view.rows, view.windows, models).metrics
    gain, p = metrics["skill"]["shorter"], metrics["p_value"]["shorter"]
    errors = {name: metrics["models"][name]["mae"] for name in models}
    found = {"lookback": shorter, "mae": errors, "skill": gain, "p_value": p}
    better = significant_sign("shorter", metrics["skill"], metrics["p_value"]) > 0
    said = (
        f"Trained again with a lookback of {sentences.span(clock, shorter)}: MAE {errors['shorter']:.4g} against "
        f"{errors[view.model]:.4g} with {sentences.span(clock, lookback)}"
        + ("" if p is None else f" (p = {p:.2g})")
        + (": the longer lookback does help." if better else ": the longer lookback does not help.")
    )
    return found, said


def _of_memory(memory: Memory) -> dict[str, Any]:
    half_lives = None if memory.half_lives is None else [round(float(life), 3) for life in memory.half_lives]
    gates: Mapping[str, Any] = {
        gate: {"closed": found.closed, "open": found.open} for gate, found in memory.saturation.items()
    }
    return {"layer": memory.layer, "half_lives": half_lives, "saturation": gates, "dead_units": memory.dead}


def _of_importance(found: Mapping[str, Importance]) -> dict[str, Any]:
    return {name: {"growth": place.growth, "spread": place.spread} for name, place in found.items()}
