"""Compare: several models, with several seeds each, on the same windows, beside naive and classical forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.commands.compare.leaderboard import beside_classical, choice, finding, line_of, ordered, scores_of, table
from forecast.config import Config, Settings
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, Rows, doubts, prepare
from forecast.data.read import Source, read, report_notes
from forecast.data.windows import Ints, InUnits, Windows, origins_of, precomputed
from forecast.errors import ConfigError, DataError
from forecast.evaluation.metrics import NaiveError
from forecast.evaluation.scoring import naive_errors, score_models
from forecast.models.catalogue import COMPARED, MODELS, configure
from forecast.models.classical import References, classical_references
from forecast.models.defaults import plan_in_sentences, resolve
from forecast.progress import LabelledProgress, NullProgress, Progress
from forecast.workflows.fitting import fit_aside

if TYPE_CHECKING:
    from forecast.plots.figure import PlotFigure


@dataclass(frozen=True)
class Comparison:
    """What became of a comparison.

    Args:
        summary: Everything that was found, as JSON types.
        leaderboard: The same as a table: a line for each forecast on all test windows, then for each on the windows
            of the classical references, as the column ``windows`` says.
    """

    summary: dict[str, Any]
    leaderboard: pd.DataFrame

    @property
    def verdict(self) -> str:
        """What was found, in words."""
        return str(self.summary["verdict"])

    def plot(self) -> PlotFigure:
        """The leaderboard, drawn."""
        from forecast.commands.compare.plot import plot_leaderboard

        return plot_leaderboard(self.summary)


@dataclass(frozen=True)
class _Field:
    """What all models have in common.

    Args:
        rows: The rows; all models are fed the same.
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

    def scores(self, windows: Windows, models: Mapping[str, InUnits]) -> dict[str, Any]:
        """Scores as in metrics.json; the first of the models is score_modelsd against the others."""
        return score_models(self.rows, windows, models, self.season, self.naive_error).metrics


def compare(
    source: Source,
    models: str | Sequence[str] = COMPARED,
    settings: Mapping[str, object] | None = None,
    *,
    seeds: int = 3,
    classical_seconds: float = 30.0,
    file: Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Train models with several seeds each on the same rows, and score all on the same windows.

    The validation error chooses; the test error is reported. Nothing is kept but what is returned.

    Args:
        source: Anything that `read` takes.
        models: Presets by name, or with commas between them, or ``all``; the vanilla RNN is always among them.
        settings: Settings that all of them share, as `configure` takes them; what is left open, each model chooses as
            in `train`.
        seeds: How many seeds; the first is that of the settings.
        classical_seconds: Seconds for each classical reference; 0 leaves them out.
        file: A TOML file of more settings.
        progress: Receives notes, warnings and progress.

    Raises:
        ConfigError: If a model or setting does not exist, or a number is out of range.
        DataError: If a part holds no window that all models can forecast.
    """
    progress = progress or NullProgress()
    if seeds < 1 or not classical_seconds >= 0:
        raise ConfigError(
            f"seeds must be at least 1, and classical_seconds at least 0. Received: {seeds}, {classical_seconds}."
        )
    names = _names(models)
    asked = {name: configure({**(settings or {}), "model": name}, file) for name in names}
    panel = read(source, asked["rnn"].read)
    report_notes(panel, progress)
    entrants = {name: prepare(panel, config) for name, config in _resolved(asked, panel, progress).items()}
    field = _field(list(entrants.values()))
    for warning in doubts(panel, entrants["rnn"]):
        progress.warn(warning)
    references = _references(field, classical_seconds, progress)
    return _comparison(panel, field, _try_all(field, entrants, seeds, references, progress), references)


def _names(models: str | Sequence[str]) -> tuple[str, ...]:
    """The vanilla RNN, then the others, each once."""
    wanted = [name.strip() for name in models.split(",")] if isinstance(models, str) else list(models)
    return tuple(dict.fromkeys(("rnn", *(MODELS if wanted == ["all"] else wanted))))


def _resolved(asked: Mapping[str, Settings], panel: Panel, progress: Progress) -> dict[str, Config]:
    """The configurations; reports what was chosen, and for which models where that differs."""
    alone = {"baseline": False, "refit": False, "track_gradients": False}
    asked = {name: settings.replace(training=alone) for name, settings in asked.items()}
    resolved = {name: resolve(settings, panel) for name, settings in asked.items()}
    layouts = {config.data.channels for config, _ in resolved.values()}
    if len(layouts) > 1 and any(len(config.data.target) > 1 for config, _ in resolved.values()):
        progress.note("several targets: all models forecast them jointly; --channels independent gives each its own")
        joint = {name: settings.replace(data={"channels": "joint"}) for name, settings in asked.items()}
        resolved = {name: resolve(settings, panel) for name, settings in joint.items()}
    said: dict[str, list[str]] = {}
    for name, (config, choices) in resolved.items():
        for note in plan_in_sentences(config, panel.clock, choices):
            said.setdefault(note, []).append(name)
    for note, names in said.items():
        progress.note(note if len(names) == len(resolved) else f"{', '.join(names)}: {note}")
    return {name: config for name, (config, _) in resolved.items()}


def _field(entrants: Sequence[Prepared]) -> _Field:
    one = entrants[0]
    season = one.config.data.season
    validation, test = (
        _common([getattr(prepared, part) for prepared in entrants], part) for part in ("validation", "test")
    )
    return _Field(one.rows, validation, test, season, naive_errors(one.rows, one.training_rows, season))


def _common(windows: Sequence[Windows], part: str) -> Windows:
    """The windows with the cut-offs that all have; their lookback is the longest, so that each model finds its own."""
    cutoffs = reduce(np.intersect1d, [own.cutoffs for own in windows])
    if not len(cutoffs):
        raise DataError(
            f"No window of the {part} span can be forecast by all models: their lookbacks differ, and gaps break them.",
            "Give them one --lookback.",
        )
    lookback = max(own.lookback for own in windows)
    return Windows(cutoffs - lookback + 1, lookback, windows[0].horizon)


def _references(field: _Field, seconds: float, progress: Progress) -> References | None:
    """The classical references, or None if there are none; tells which failed or were too slow."""
    if not seconds:
        return None
    progress.note(f"classical references: at most {seconds:g} seconds for each")
    found = classical_references(
        field.rows,
        field.test,
        field.season,
        seconds,
        counted=lambda done, total: progress.counted("classical references", done, total),
    )
    for name in found.left_out:
        progress.warn(f"{name} is left out: one fit takes {found.seconds[name]:.1f} seconds")
    for name, count in found.failed.items():
        if count:
            progress.warn(f"{name} failed at {count} of {len(found.windows)} cut-offs and repeats the last value there")
    return found if found.models else None


@dataclass(frozen=True)
class _Try:
    """One training, and the scores of what it forecasts.

    Args:
        told: Its seed, and what is told of its network.
        validation: Scores on the validation windows, as in metrics.json.
        test: On the test windows, beside the vanilla RNN of the same seed.
        some: On the windows of the classical references, beside those; None if there are none.
    """

    told: dict[str, Any]
    validation: dict[str, Any]
    test: dict[str, Any]
    some: dict[str, Any] | None

    def scores(self, name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The network's scores among these metrics."""
        beside = {key: metrics[key] for key in ("skill", "p_value")}
        return self.told | scores_of(name, metrics, self.validation) | beside


def _try_all(
    field: _Field,
    entrants: Mapping[str, Prepared],
    n_seeds: int,
    references: References | None,
    progress: Progress,
) -> dict[str, list[_Try]]:
    """Train every model with every seed, and score each beside the vanilla RNN of the same seed."""
    training = entrants["rnn"].config.training
    tries: dict[str, list[_Try]] = {name: [] for name in entrants}
    for number in range(n_seeds):
        seed = training.seed + number * training.ensemble  # each member of an ensemble has one, too
        baseline: dict[str, InUnits] = {}
        for place, (name, prepared) in enumerate(entrants.items(), start=1):
            which = f"seed {seed}, {number * len(entrants) + place} of {len(entrants) * n_seeds}"
            seeded = replace(prepared, config=prepared.config.replace(training={"seed": seed}))
            found, made = _tried(field, seeded, baseline, references, LabelledProgress(progress, which))
            baseline = baseline or {"rnn": made}
            tries[name].append(found)
    return tries


def _tried(
    field: _Field,
    prepared: Prepared,
    baseline: Mapping[str, InUnits],
    references: References | None,
    progress: Progress,
) -> tuple[_Try, InUnits]:
    """Train one model with one seed and score it; and its forecasts of the test windows."""
    name, cut = prepared.config.network.model, field.test.lookback - prepared.test.lookback
    fitted = fit_aside(prepared, field.naive_error, progress)
    brief = fitted.models[name]

    def model(starts: Ints) -> Floats:
        return brief(starts + cut)

    made = precomputed(field.test, model(field.test.starts))
    validation = field.scores(field.validation, {name: model})
    test = field.scores(field.test, {name: made, **baseline})
    some = None if references is None else field.scores(references.windows, {name: made, **references.models})
    network = fitted.trained["model"]
    told = {
        "seed": prepared.config.training.seed,
        "parameters": network.parameters,
        "seconds": round(network.seconds, 2),
        "best_epochs": network.best_epochs,
    }
    return _Try(told, validation, test, some), made


def _comparison(
    panel: Panel, field: _Field, tries: Mapping[str, Sequence[_Try]], references: References | None
) -> Comparison:
    """Everything that was found, put together."""
    one = tries["rnn"][0]
    naive = [name for name in one.test["models"] if name != "rnn"]
    lines = {name: line_of("network", [own.scores(name, own.test) for own in made]) for name, made in tries.items()}
    lines |= {name: line_of("naive", [scores_of(name, one.test, one.validation)]) for name in naive}
    lines = ordered(lines)
    measure = one.test["skill_of"]
    leader = choice(lines)
    origins = origins_of(field.rows.panel, field.test)
    summary: dict[str, Any] = {
        "schema": 1,
        "title": panel.name,
        "target": list(field.rows.targets),
        "unit": field.rows.unit,
        "season": field.season,
        "fingerprint": panel.fingerprint(),
        "horizon": field.test.horizon,
        "n_windows": len(field.test),
        "n_validation_windows": len(field.validation),
        "first_origin": str(origins[0]),
        "last_origin": str(origins[-1]),
        "seeds": [own.told["seed"] for own in tries["rnn"]],
        "measure": measure,
        "chosen": leader,
        "verdict": finding(lines, measure, field.rows.unit, len(field.test)),
        "models": lines,
        "classical": None if references is None else _classical(field, tries, references, naive),
    }
    boards = [(len(field.test), lines)]
    if references is not None:
        n_windows, beside = len(references.windows), summary["classical"]["models"]
        summary["classical"]["verdict"] = beside_classical(beside, leader, measure, n_windows)
        boards.append((n_windows, beside))
    return Comparison(summary, table(boards, leader))


def _classical(
    field: _Field, tries: Mapping[str, Sequence[_Try]], references: References, naive: Sequence[str]
) -> dict[str, Any]:
    """The classical references, and everything else on their windows."""
    lines = {}
    for name, made in tries.items():
        lines[name] = line_of("network", [own.scores(name, own.some) for own in made if own.some is not None])
    for name, model in references.models.items():
        metrics = field.scores(references.windows, {name: model})
        beside = {"seconds": round(references.seconds[name], 2), "skill": metrics["skill"]}
        lines[name] = line_of("classical", [scores_of(name, metrics) | beside | {"p_value": metrics["p_value"]}])
    lines |= {name: line_of("naive", [scores_of(name, metrics, tries["rnn"][0].validation)]) for name in naive}
    return {
        "n_windows": len(references.windows),
        "failed": dict(references.failed),
        "left_out": list(references.left_out),
        "models": ordered(lines),
    }
