"""Explain a run: its gates, its gradients, the importance of its inputs; and check the lookback by training again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from forecast.commands.explain.findings import (
    COUNTED_FROM,
    LAST_VALUE,
    Findings,
    LookbackCheck,
    describe_part,
    describe_span,
)
from forecast.commands.explain.importance import (
    Importances,
    InputPart,
    lookback_parts,
    parts_of_columns,
    permutation_importance,
    windows_to_shuffle,
)
from forecast.commands.explain.measures import measure_memory
from forecast.commands.progress import shown_by_default
from forecast.commands.train.train import train
from forecast.config import DataConfig, NetworkConfig
from forecast.data.panel import Arrays, Floats, Panel
from forecast.data.prepare import Rows, encode, forecasts_in_units
from forecast.data.split import at_or_after
from forecast.data.windows import Ints, Windows, median
from forecast.errors import MachineError, RunError, setting
from forecast.evaluation.scoring import score_models
from forecast.evaluation.verdict import significant_sign
from forecast.evaluation.yardstick import naive_errors_beside
from forecast.model import Model, load_models
from forecast.models.backends.numpy import Trace, trace_layers
from forecast.models.network import RowSource, Shape, gather_windows, shape_read
from forecast.progress import Progress
from forecast.runs.documents import to_json
from forecast.runs.files import refuse_links, write_atomically
from forecast.runs.find import find
from forecast.runs.rows import fitted_until, new_panel, scaler_of, training_panel, unseen_windows
from forecast.runs.run import EXPLANATION, Explanation, Run
from forecast.sources.read import Source

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

    progress = progress or shown_by_default()
    run = find(run, runs_dir=runs_dir)
    folder = output or run.path / EXPLANATION
    if output is None:
        refuse_links(folder)
    elif output.exists() and not output.is_dir():
        raise MachineError(f"Cannot write plots into {output}: it is no folder.", "Choose another place.")
    if run.manifest["networks"]["model"]["fell_back"]:
        raise RunError(
            f"{run.name} repeats the last value: its network was no better, and its head is empty.",
            f"Train without {setting('fall_back')} to look into one that forecasts by itself.",
        )
    if len(members := run.members("model")) > 1:
        progress.note(
            f"an ensemble of {len(members)}: gates and gradients are those of the network that counts most, and what "
            "inputs are worth is of all"
        )
    original = training_panel(run) if check_lookback else None  # refused before the work is done, if it cannot be had
    models = load_models(run)
    findings = _examine(run, models, new_panel(run, training_panel(run) if source is None else source, progress))
    if original is not None:
        findings = replace(findings, check=_check_lookback(findings, models, original, progress))
    explanation = Explanation(findings.to_json(), folder)
    pictures = draw_findings(findings)
    write_atomically(folder / "explain.json", to_json(explanation.summary).encode())
    for name, picture in pictures.items():
        write_atomically(folder / name, picture)
    return explanation


def _examine(run: Run, models: Mapping[str, Model], panel: Panel) -> Findings:
    """What a run's networks do with rows that are arranged as they take them."""
    from forecast.models.backends.keras import filled_network, gather
    from forecast.models.gradients import SplitNetwork, gradient_by_lag

    rows = encode(panel, run.config.data, scaler_of(run, panel, fitted_until(run, panel)))
    every = unseen_windows(run, rows)
    networks = {name: _ReadNetwork.of(model) for name, model in models.items()}
    split = {
        name: SplitNetwork(filled_network(network.config, network.shape, network.weights))
        for name, network in networks.items()
    }
    name = run.config.network.model
    network, windows = networks[name], networks[name].windows(every)
    segment = min(network.config.segment, windows.lookback)
    of_window = _UNIT_BYTES * sum(network.config.units) * -(-windows.lookback // segment)
    traced = windows.subsample(min(_TRACED, max(1, _TRACE_BYTES // of_window)))
    whole, beyond = _importances(models[name], rows, windows_to_shuffle(rows, every, _SHUFFLED), run.config.data)
    differentiated = {
        name: gather(rows, network.windows(every).subsample(_DIFFERENTIATED).starts, network.shape)[0]
        for name, network in networks.items()
    }
    kinds = {name: network.config.normalise for name, network in networks.items()}
    normalises = {name: kind for name, kind in kinds.items() if kind != "none"}
    return Findings(
        run=run,
        rows=rows,
        windows=windows,
        segment=segment,
        memories=[measure_memory(trace, segment) for trace in _trace(network, rows, traced.starts)],
        traces=_trace(network, rows, windows.starts[-1:]),
        gradients={name: gradient_by_lag(of_name, differentiated[name], whole=True) for name, of_name in split.items()},
        gradients_beyond={name: gradient_by_lag(split[name], differentiated[name]) for name in normalises},
        counted_from={name: COUNTED_FROM.get(kind, LAST_VALUE) for name, kind in normalises.items()},
        importances=whole,
        importances_beyond=beyond,
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


def _importances(model: Model, rows: Rows, windows: Windows, config: DataConfig) -> tuple[Importances, Importances]:
    """The importance of inputs and of parts of the lookback to the whole model, and beyond the last value of each."""

    def forecast(source: RowSource, starts: Ints) -> Floats:
        return median(forecasts_in_units(model.scaled_forecast(source, starts), rows, starts))

    columns, clock = parts_of_columns(rows, windows, config), rows.panel.clock
    measured = range(rows.n_targets + rows.n_covariates)
    parts = {
        describe_part(clock, windows.lookback - steps.stop, windows.lookback - steps.start): InputPart(measured, steps)
        for steps in lookback_parts(windows.lookback)
    }
    importance = partial(permutation_importance, forecast, rows, windows)
    with_last_value = {name: part for name, part in columns.items() if part.has_last_value}
    return Importances(importance(columns), importance(parts)), Importances(
        importance(with_last_value, from_last_value=True), importance(parts, from_last_value=True)
    )


def _check_lookback(
    findings: Findings, models: Mapping[str, Model], original: Panel, progress: Progress
) -> LookbackCheck:
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
        of_shorter, of_run = Model.load(again), models[model]
    compared = {
        model: lambda starts: of_run.forecast(rows, starts + lookback - of_run.shape.lookback),
        "shorter": lambda starts: of_shorter.forecast(rows, starts + lookback - shorter),
    }
    season, is_known = run.config.data.season, ~at_or_after(rows.panel, fitted_until(run, rows.panel))
    naive_error = naive_errors_beside(run.metrics, rows, is_known, season)
    metrics = score_models(rows, windows, compared, season, naive_error).metrics
    measure = metrics["by_step_of"]  # MAE; MASE where the targets have not one unit
    errors = {name: metrics["models"][name][measure.lower()] for name in compared}
    skill, p_value = metrics["skill"]["shorter"], metrics["p_value"]["shorter"]
    helps = significant_sign("shorter", metrics["skill"], metrics["p_value"]) > 0
    sentence = (
        f"Trained again with a lookback of {span}: {measure} {errors['shorter']:.4g} against {errors[model]:.4g} with "
        f"{describe_span(findings.clock, lookback)}{'' if p_value is None else f' (p = {p_value:.2g})'}: "
        f"the longer lookback {'does help' if helps else 'does not help'}."
    )
    return LookbackCheck({"lookback": shorter, measure.lower(): errors, "skill": skill, "p_value": p_value}, sentence)
