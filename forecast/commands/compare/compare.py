"""Compare: several models, with several seeds each, on the same windows, beside naive and classical forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.commands.compare.classical import References, classical_references
from forecast.commands.compare.leaderboard import (
    COMPARISONS,
    best_network,
    classical_verdict,
    in_order,
    leaderboard_line,
    scores_of,
    to_frame,
    verdict,
)
from forecast.commands.progress import LabelledProgress, shown_by_default
from forecast.commands.train.data_warnings import data_warnings
from forecast.commands.train.networks import fit_without_saving
from forecast.config import Config, Settings, TrainingConfig
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, Rows, prepare
from forecast.data.windows import Forecaster, Ints, Windows, count_apart, origins_of, precomputed
from forecast.engines.tasks import Engine, ThisProcess
from forecast.errors import ConfigError, DataError, setting
from forecast.evaluation.scoring import score_models
from forecast.evaluation.yardstick import NaiveError, naive_errors
from forecast.models.catalogue import COMPARED, MODELS, configure
from forecast.progress import Progress
from forecast.sources.read import Source, read, report_notes
from forecast.tables.frames import like

if TYPE_CHECKING:
    from forecast.plots.figure import PlotFigure


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Args:
        summary: All scores and what they say, as JSON types.
        leaderboard: The same as a table: a line for each forecast on all test windows, then for each on the windows
            of the classical references, as the column ``windows`` says. A frame of the kind in which the rows came.
    """

    summary: dict[str, Any]
    leaderboard: pd.DataFrame

    def __repr__(self) -> str:
        return f"<Comparison on {self.summary['title']}: {self.verdict}>"

    def _repr_html_(self) -> str:
        from forecast.commands.compare.page import leaderboard_section
        from forecast.plots.page import box

        return box(leaderboard_section(self.summary), self.verdict)

    @property
    def verdict(self) -> str:
        """What the scores say, in words."""
        return str(self.summary["verdict"])

    def plot(self) -> PlotFigure:
        """The leaderboard, drawn."""
        from forecast.commands.compare.plot import plot_leaderboard

        return plot_leaderboard(self.summary)


@dataclass(frozen=True)
class _Benchmark:
    """The rows and windows that all models are scored on.

    Args:
        rows: The rows; all models see the same.
        validation: The validation windows that all of them can forecast.
        test: The test windows that all of them can forecast.
        season: m.
        naive_error: What scaled errors are divided by, for each unique id.
    """

    rows: Rows
    validation: Windows
    test: Windows
    season: int
    naive_error: Mapping[str, NaiveError]

    def scores(self, windows: Windows, models: Mapping[str, Forecaster]) -> dict[str, Any]:
        """Scores as in metrics.json; the first of the models is compared with the others."""
        return score_models(self.rows, windows, models, self.season, self.naive_error).metrics


def compare(
    source: Source,
    models: str | Sequence[str] = COMPARED,
    settings: Mapping[str, object] | None = None,
    *,
    seeds: int = 3,
    classical_seconds: float = 30.0,
    file: Path | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Train models with several seeds each on the same rows, and score all on the same windows.

    The validation error chooses the model; the test error is reported. Nothing is kept but what is returned.

    Args:
        source: Anything that `read` takes.
        models: Presets by name, or with commas between them, or ``all``; the vanilla RNN is always among them.
        settings: Settings that all of them share, as `configure` takes them; what is left open, each model chooses as
            in `train`.
        seeds: How many seeds; the first is that of the settings.
        classical_seconds: Seconds for each classical reference; 0 leaves them out.
        file: A TOML file of more settings.
        engine: What trains them, one core each; None for one after the other, on all cores.
        progress: Receives notes, warnings and progress.

    Raises:
        ConfigError: If a model or setting does not exist, or a number is out of range.
        DataError: If a part holds no window that all models can forecast.
    """
    progress = progress or shown_by_default()
    if seeds < 1 or not classical_seconds >= 0:
        raise ConfigError(
            f"seeds must be at least 1, and classical_seconds at least 0. Received: {seeds}, {classical_seconds}."
        )
    names = _names(models)
    asked = {name: configure({**(settings or {}), "model": name}, file) for name in names}
    if asked["rnn"].makes_portfolio:
        raise ConfigError(
            "time_limit and members make an ensemble; compare trains the models that it names.",
            f"Train with {setting('time_limit', '5m')}: the ensemble is compared with the model alone.",
        )
    panel = read(source, asked["rnn"].read)
    report_notes(panel, progress)
    prepared = {name: prepare(panel, config) for name, config in _resolve_all(asked, panel, progress).items()}
    benchmark = _common_benchmark(list(prepared.values()))
    for warning in data_warnings(panel, prepared["rnn"]):
        progress.warn(warning)
    references, classical_notes = _classical_references(benchmark, classical_seconds, progress)
    for note in classical_notes:
        progress.warn(note)
    trainings = _train_all(benchmark, prepared, seeds, references, engine or ThisProcess(), progress)
    found = _summarise(panel, benchmark, trainings, references, classical_notes)
    return replace(found, leaderboard=like(source, found.leaderboard))


def _names(models: str | Sequence[str]) -> tuple[str, ...]:
    """The vanilla RNN, then the others, each once."""
    wanted = [name.strip() for name in models.split(",")] if isinstance(models, str) else list(models)
    return tuple(dict.fromkeys(("rnn", *(MODELS if wanted == ["all"] else wanted))))


def _resolve_all(asked: Mapping[str, Settings], panel: Panel, progress: Progress) -> dict[str, Config]:
    """The configurations; reports what was chosen, and for which models where that differs."""
    alone = {"baseline": False, "refit": False, "track_gradients": False, "csv": False}
    asked = {name: settings.replace(training=alone) for name, settings in asked.items()}
    resolved = {name: resolve(settings, panel) for name, settings in asked.items()}
    layouts = {config.data.channels for config, _ in resolved.values()}
    if len(layouts) > 1 and any(len(config.data.target) > 1 for config, _ in resolved.values()):
        progress.note("several targets: all models forecast them jointly; channels = independent gives each its own")
        asked = {name: settings.replace(data={"channels": "joint"}) for name, settings in asked.items()}
        resolved = {name: resolve(settings, panel) for name, settings in asked.items()}
    least = {config.data.least_observed for config, _ in resolved.values()}
    if len(least) > 1:  # or they would be scored on other windows
        progress.note("holes would cost some of the models windows: those of all may have holes")
        asked = {name: settings.replace(data={"least_observed": min(least)}) for name, settings in asked.items()}
        resolved = {name: resolve(settings, panel) for name, settings in asked.items()}
    models_of: dict[str, list[str]] = {}
    for name, (config, choices) in resolved.items():
        for note in plan_in_sentences(config, panel.clock, choices):
            models_of.setdefault(note, []).append(name)
    for note, names in models_of.items():
        progress.note(note if len(names) == len(resolved) else f"{', '.join(names)}: {note}")
    return {name: config for name, (config, _) in resolved.items()}


def _common_benchmark(prepared: Sequence[Prepared]) -> _Benchmark:
    rows, season = prepared[0].rows, prepared[0].config.data.season
    return _Benchmark(
        rows,
        _common_windows([each.validation for each in prepared], "validation"),
        _common_windows([each.test for each in prepared], "test"),
        season,
        naive_errors(rows, prepared[0].training_rows, season),
    )


def _common_windows(windows: Sequence[Windows], part: str) -> Windows:
    """The windows whose cut-offs all models have. Their lookback is the longest: a shorter one lies at their end."""
    cutoffs = reduce(np.intersect1d, [each.cutoffs for each in windows])
    if not len(cutoffs):
        raise DataError(
            f"No window of the {part} span can be forecast by all models: their lookbacks differ, and gaps break them.",
            f"Give them one {setting('lookback')}.",
        )
    lookback = max(each.lookback for each in windows)
    return Windows(cutoffs - lookback + 1, lookback, windows[0].horizon)


def _classical_references(
    benchmark: _Benchmark, seconds: float, progress: Progress
) -> tuple[References | None, list[str]]:
    """The classical references, or None if there are none, and which of them failed or were too slow."""
    if not seconds:
        return None, []
    progress.note(f"classical references: at most {seconds:g} seconds for each")
    references = classical_references(
        benchmark.rows,
        benchmark.test,
        benchmark.season,
        seconds,
        counted=lambda done, total: progress.counted("classical references", done, total),
    )
    notes = [
        f"{name} is left out: a fit takes {references.seconds[name]:.2g} seconds, and at least "
        f"{references.least_cutoffs} cut-offs are needed: {references.least_cutoffs * references.seconds[name]:.2g} "
        f"seconds, of which it has {seconds:g}"
        for name in references.left_out
    ]
    notes += [
        f"{name} failed at {count} of {len(references.windows)} cut-offs and repeats the last value there"
        for name, count in references.failed.items()
        if count
    ]
    return references if references.models else None, notes


@dataclass(frozen=True)
class _Training:
    """One training of one model, and the scores of its forecasts.

    Args:
        about: Its seed, and the size, the seconds and the best epochs of its network.
        validation: Scores on the validation windows, as in metrics.json.
        test: On the test windows, beside the vanilla RNN of the same seed.
        classical: On the windows of the classical references, beside those; None if there are none.
    """

    about: dict[str, Any]
    validation: dict[str, Any]
    test: dict[str, Any]
    classical: dict[str, Any] | None

    def scores(self, name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The network's own scores among these metrics."""
        comparisons = {key: metrics[key] for key in COMPARISONS}
        return self.about | scores_of(name, metrics, self.validation) | comparisons


@dataclass(frozen=True)
class _Trained:
    """What came of one training, and is to be scored.

    Args:
        about: As of `_Training`.
        validation: As of `_Training`.
        forecasts: Of the test windows, [N, H, D] or [N, H, D, Q].
    """

    about: dict[str, Any]
    validation: dict[str, Any]
    forecasts: Floats


def _train_all(
    benchmark: _Benchmark,
    prepared: Mapping[str, Prepared],
    n_seeds: int,
    references: References | None,
    engine: Engine,
    progress: Progress,
) -> dict[str, list[_Training]]:
    """Train every model with every seed, and score each beside the vanilla RNN of the same seed."""
    tasks = _tasks(list(prepared), prepared["rnn"].config.training, n_seeds)
    trainings: dict[str, list[_Training]] = {name: [] for name in prepared}
    baseline: dict[str, Forecaster] = {}
    results = engine.map(partial(_train_one, benchmark, prepared), tasks, progress, "trainings")
    for (name, *_), trained in zip(tasks, results, strict=True):
        forecasts = {name: precomputed(benchmark.test, trained.forecasts)}
        if name == "rnn":  # the first of each seed
            baseline = forecasts
        test = benchmark.scores(benchmark.test, forecasts | baseline)
        classical = None
        if references is not None:
            classical = benchmark.scores(references.windows, forecasts | dict(references.models))
        trainings[name].append(_Training(trained.about, trained.validation, test, classical))
    return trainings


def _tasks(names: Sequence[str], training: TrainingConfig, n_seeds: int) -> list[tuple[str, int, str]]:
    """Each model with each seed, and a label; the models of a seed stand together."""
    # Each member of an ensemble has a seed, too.
    seeds = [training.seed + round_ * training.ensemble for round_ in range(n_seeds)]
    pairs = [(name, seed) for seed in seeds for name in names]
    return [(*pair, f"seed {pair[1]}, {number} of {len(pairs)}") for number, pair in enumerate(pairs, start=1)]


def _train_one(
    benchmark: _Benchmark, prepared: Mapping[str, Prepared], task: tuple[str, int, str], progress: Progress
) -> _Trained:
    """Train one model with one seed, under a label."""
    name, seed, label = task
    own, windows = prepared[name], benchmark.test
    own = replace(own, config=own.config.replace(training={"seed": seed}))
    model = fit_without_saving(own, benchmark.naive_error, LabelledProgress(progress, label))["model"]
    cut = windows.lookback - own.test.lookback

    def forecast(starts: Ints) -> Floats:
        return model.forecast(own.rows, starts + cut)  # its lookback is the end of the common one

    return _Trained(
        about={
            "seed": seed,
            "parameters": model.n_parameters,
            "seconds": round(model.record.seconds, 2),
            "best_epochs": list(model.record.best_epochs),
        },
        validation=benchmark.scores(benchmark.validation, {name: forecast}),
        forecasts=forecast(windows.starts),
    )


def _summarise(
    panel: Panel,
    benchmark: _Benchmark,
    trainings: Mapping[str, Sequence[_Training]],
    references: References | None,
    classical_notes: list[str],
) -> Comparison:
    first = trainings["rnn"][0]
    lines = {
        name: leaderboard_line("network", [training.scores(name, training.test) for training in of_model])
        for name, of_model in trainings.items()
    }
    naive = [name for name in first.test["models"] if name != "rnn"]
    lines |= {name: leaderboard_line("naive", [scores_of(name, first.test, first.validation)]) for name in naive}
    lines, measure = in_order(lines), first.test["skill_of"]
    chosen = best_network(lines)
    boards = [(len(benchmark.test), lines)]
    classical: dict[str, Any] | None = None
    if references is not None:
        n_apart = count_apart(benchmark.rows.panel, references.windows)
        n_windows, all_lines = len(references.windows), _classical_lines(benchmark, trainings, references, naive)
        classical = {
            "n_windows": n_windows,
            "failed": dict(references.failed),
            "left_out": list(references.left_out),
            "models": all_lines,
            "n_apart": n_apart,
            "verdict": classical_verdict(all_lines, chosen, measure, n_windows, n_apart),
        }
        boards.append((n_windows, all_lines))
    origins = origins_of(benchmark.rows.panel, benchmark.test)
    summary = {
        "schema": 1,
        "title": panel.name,
        "target": list(benchmark.rows.targets),
        "unit": benchmark.rows.unit,
        "season": benchmark.season,
        "fingerprint": panel.fingerprint(),
        "horizon": benchmark.test.horizon,
        "n_windows": len(benchmark.test),
        "n_validation_windows": len(benchmark.validation),
        **{key: value for key, value in first.test.items() if key in ("n_points", "n_points_missing")},
        "first_origin": panel.clock.isoformat(origins[0]),
        "last_origin": panel.clock.isoformat(origins[-1]),
        "seeds": [training.about["seed"] for training in trainings["rnn"]],
        "measure": measure,
        "chosen": chosen,
        "verdict": verdict(lines, measure, benchmark.rows.unit, len(benchmark.test)),
        "models": lines,
        "classical": classical,
        "classical_notes": classical_notes,
    }
    return Comparison(summary, to_frame(boards, chosen))


def _classical_lines(
    benchmark: _Benchmark,
    trainings: Mapping[str, Sequence[_Training]],
    references: References,
    naive: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """The leaderboard of the classical references' windows: those, the networks and the naive forecasts."""
    lines = {}
    for name, of_model in trainings.items():
        by_seed = [training.scores(name, training.classical) for training in of_model if training.classical is not None]
        lines[name] = leaderboard_line("network", by_seed)
    for name, model in references.models.items():
        metrics = benchmark.scores(references.windows, {name: model})
        comparisons = {key: metrics[key] for key in COMPARISONS}
        scores = scores_of(name, metrics) | {"seconds": round(references.seconds[name], 2)} | comparisons
        lines[name] = leaderboard_line("classical", [scores])
    validation = trainings["rnn"][0].validation
    lines |= {name: leaderboard_line("naive", [scores_of(name, metrics, validation)]) for name in naive}
    return in_order(lines)
