"""Explain a run: its gates, its gradients, the importance of its inputs; and check the lookback by training again."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecast.commands.explain.findings import Findings, LookbackCheck, describe_part, describe_span
from forecast.commands.explain.measures import (
    Importance,
    InputPart,
    lookback_parts,
    measure_memory,
    permutation_importance,
)
from forecast.commands.train.train import train
from forecast.config import NetworkConfig
from forecast.data.panel import Arrays, Panel
from forecast.data.prepare import Rows, encode
from forecast.data.split import at_or_after
from forecast.data.windows import Ints, Windows
from forecast.errors import RunError, setting
from forecast.evaluation.scoring import score_models
from forecast.evaluation.verdict import significant_sign
from forecast.evaluation.yardstick import naive_errors_beside
from forecast.model import Model, load_models
from forecast.models.backends.numpy import Trace, trace_layers
from forecast.models.network import Shape, gather_windows, shape_read
from forecast.progress import NullProgress, Progress
from forecast.runs.documents import to_json
from forecast.runs.files import refuse_links, write_atomically
from forecast.runs.find import find
from forecast.runs.rows import fitted_until, new_panel, scaler_of, training_panel, unseen_windows
from forecast.runs.run import EXPLANATION, Explanation, Run
from forecast.sources.read import Source

if TYPE_CHECKING:
    from forecast.models.gradients import SplitNetwork

# Windows that are used, evenly spaced over the test span: means over them are steady to a percent or two.
_TRACED, _DIFFERENTIATED, _SHUFFLED = 64, 128, 512

# Values of gates that are held in memory at once, in bytes; of each unit and step up to eight float32.
_TRACE_BYTES = 256 * 1024**2
_UNIT_BYTES = 8 * 4


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
        RunError: If the run repeats the last value, so that there is nothing to explain.
        DataError: If the rows cannot be read again, or hold no window.
    """
    from forecast.commands.explain.plots import draw_findings

    progress = progress or NullProgress()
    run = find(run, runs_dir=runs_dir)
    folder = output or run.path / EXPLANATION
    if output is None:
        refuse_links(folder)
    if run.manifest["networks"]["model"]["fell_back"]:
        raise RunError(
            f"{run.name} repeats the last value: its network was no better, and its head is empty.",
            f"Train without {setting('fall_back')} to look into one that forecasts by itself.",
        )
    if len(members := run.members("model")) > 1:
        progress.note(f"an ensemble of {len(members)}: the network that counts most is shown")
    original = training_panel(run) if check_lookback else None  # refused before the work is done, if it cannot be had
    findings = _examine(run, new_panel(run, training_panel(run) if source is None else source, progress))
    if original is not None:
        findings = replace(findings, check=_check_lookback(findings, original, progress))
    explanation = Explanation(findings.to_json(), folder)
    pictures = draw_findings(findings)
    write_atomically(folder / "explain.json", to_json(explanation.summary).encode())
    for name, picture in pictures.items():
        write_atomically(folder / name, picture)
    return explanation


def _examine(run: Run, panel: Panel) -> Findings:
    """What a run's networks do with rows that are arranged as they take them."""
    from forecast.models.backends.keras import filled_network, gather
    from forecast.models.gradients import SplitNetwork, gradient_by_lag

    rows = encode(panel, run.config.data, scaler_of(run, panel, fitted_until(run, panel)))
    every = unseen_windows(run, rows)
    networks = {name: _ReadNetwork.of(model) for name, model in load_models(run).items()}
    split = {
        name: SplitNetwork(filled_network(network.config, network.shape, network.weights))
        for name, network in networks.items()
    }
    name = run.config.network.model
    network, windows = networks[name], networks[name].windows(every)
    segment = min(network.config.segment, windows.lookback)
    of_window = _UNIT_BYTES * sum(network.config.units) * -(-windows.lookback // segment)
    traced = windows.subsample(min(_TRACED, max(1, _TRACE_BYTES // of_window)))
    columns, parts = _importance(split[name], rows, windows.subsample(_SHUFFLED), network.shape)
    differentiated = {
        name: gather(rows, network.windows(every).subsample(_DIFFERENTIATED).starts, network.shape)[0]
        for name, network in networks.items()
    }
    return Findings(
        run=run,
        rows=rows,
        windows=windows,
        segment=segment,
        memories=[measure_memory(trace, segment) for trace in _trace(network, rows, traced.starts)],
        traces=_trace(network, rows, windows.starts[-1:]),
        gradients={name: gradient_by_lag(of_name, differentiated[name]) for name, of_name in split.items()},
        columns=columns,
        parts=parts,
    )


@dataclass(frozen=True)
class _ReadNetwork:
    """The member of a model that is looked into, as a network whose lookback is what it reads.

    Args:
        config: Its configuration.
        shape: Sizes of what it reads.
        weights: By name.
    """

    config: NetworkConfig
    shape: Shape
    weights: Arrays

    @classmethod
    def of(cls, model: Model) -> _ReadNetwork:
        """The recurrent member that counts most; the first of those that count alike."""
        recurrent = [member for member in model.members if member.config.units]
        if not recurrent:
            raise RunError(
                f"No network counts in {model.name}: on the validation span simpler members were better.",
                f"Train with {setting('members', 'recurrent')} to look into one.",
            )
        member = max(recurrent, key=lambda own: np.mean(own.shares or 0.0))
        shape = shape_read(member.config, model.shape)
        return cls(member.config.model_copy(update={"newest": None}), shape, member.weights)

    def windows(self, every: Windows) -> Windows:
        """The windows as it reads them."""
        lookback = self.shape.lookback
        return Windows(every.starts + every.lookback - lookback, lookback, every.horizon)


def _trace(network: _ReadNetwork, rows: Rows, starts: Ints) -> list[Trace]:
    """What each layer of a network does with the windows that start at these rows."""
    past, future, _ = gather_windows(rows, starts, network.shape)
    inputs = {"past": past, "future": future, "series": rows.identity[starts]}
    return trace_layers(network.config, network.shape, network.weights, inputs)


def _importance(
    network: SplitNetwork, rows: Rows, windows: Windows, shape: Shape
) -> tuple[dict[str, Importance], dict[str, Importance]]:
    """The importance of the inputs, and of the parts of the lookback."""
    from forecast.models.backends.keras import gather

    inputs, y_true = gather(rows, windows.starts, shape)

    def forecast(window: NDArray[np.float32], future: NDArray[np.float32]) -> NDArray[np.float32]:
        return network.forecast(window, inputs | {"future": future}).numpy()

    window, future = network.window(inputs).numpy(), inputs["future"].numpy()
    panel, measured = rows.panel, shape.measured
    widths = [1] * len(panel.columns)
    widths[measured : measured + len(shape.widths)] = shape.widths  # in the window, words are embedded
    masks = measured if shape.masked else 0  # which stand behind the measured columns, and are shuffled with theirs
    ends = (np.cumsum(widths) + masks * (np.arange(len(widths)) >= measured)).tolist()
    columns = {
        name: InputPart(
            [*range(end - width, end), *([number + masks] if number < masks else [])],
            ahead=[number - measured] if number >= measured else (),
        )
        for number, (name, width, end) in enumerate(zip(panel.columns, widths, ends, strict=True))
    }
    if ends[-1] < window.shape[2]:
        ahead = range(len(panel.columns) - measured, future.shape[2])
        columns["the calendar"] = InputPart(range(ends[-1], window.shape[2]), ahead=ahead)
    parts = {
        describe_part(panel.clock, windows.lookback - steps.stop, windows.lookback - steps.start): InputPart(
            range(measured + masks), steps=steps
        )
        for steps in lookback_parts(windows.lookback)
    }
    importances = permutation_importance(forecast, window, future, y_true.numpy(), columns | parts)
    return {name: importances[name] for name in columns}, {name: importances[name] for name in parts}


def _check_lookback(findings: Findings, original: Panel, progress: Progress) -> LookbackCheck:
    """Train again with a shorter lookback, and compare both on the same windows."""
    run, rows, windows, model = findings.run, findings.rows, findings.windows, findings.model
    lookback = windows.lookback
    needed = max(findings.needed_lookback, run.config.network.cycle or 0)  # of which the forecast counts from each step
    shorter = min(-(-needed // findings.segment) * findings.segment, lookback)
    span = describe_span(findings.clock, shorter)
    if shorter > 0.9 * lookback:
        sentence = f"Nothing to check: the lookback that seems enough, {span}, is nearly the whole."
        return LookbackCheck({"lookback": shorter}, sentence)
    config = run.config.with_portfolio(()).replace(
        data={"lookback": shorter},
        network={"newest": None},
        training={"baseline": False, "ensemble": 1, "members": (), "time_limit": None},
    )
    with tempfile.TemporaryDirectory() as folder:
        again = train(original, config, run="shorter", runs_dir=Path(folder), progress=progress)
        of_shorter, of_run = Model.load(again), Model.load(run)
    models = {
        model: lambda starts: of_run.forecast(rows, starts + lookback - of_run.shape.lookback),
        "shorter": lambda starts: of_shorter.forecast(rows, starts + lookback - shorter),
    }
    season, is_known = run.config.data.season, ~at_or_after(rows.panel, fitted_until(run, rows.panel))
    naive_error = naive_errors_beside(run.metrics, rows, is_known, season)
    metrics = score_models(rows, windows, models, season, naive_error).metrics
    measure = metrics["by_step_of"]  # MAE; MASE where the targets have not one unit
    errors = {name: metrics["models"][name][measure.lower()] for name in models}
    skill, p_value = metrics["skill"]["shorter"], metrics["p_value"]["shorter"]
    helps = significant_sign("shorter", metrics["skill"], metrics["p_value"]) > 0
    sentence = (
        f"Trained again with a lookback of {span}: {measure} {errors['shorter']:.4g} against {errors[model]:.4g} with "
        f"{describe_span(findings.clock, lookback)}{'' if p_value is None else f' (p = {p_value:.2g})'}: "
        f"the longer lookback {'does help' if helps else 'does not help'}."
    )
    return LookbackCheck({"lookback": shorter, measure.lower(): errors, "skill": skill, "p_value": p_value}, sentence)
