"""Backtest: forecasts from rolling origins, by a finished run or by fits that each know only the rows before."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.commands.audit.checks import Check
from forecast.commands.audit.learning import Learning, Table, check_choices, check_inputs, check_learning
from forecast.commands.backtest.origins import SPANS, FitSpan, Span, fit_spans, rolling_origins
from forecast.commands.progress import LabelledProgress, shown_by_default
from forecast.commands.train.interval_warnings import calibration_warnings
from forecast.commands.train.networks import fit_without_saving
from forecast.config import Config, Settings
from forecast.data.clock import Clock
from forecast.data.normals import Normals, join_normals
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import (
    Prepared,
    Rows,
    arrange,
    encode,
    lay_out,
    prepare,
    values_without_logarithm,
    windows_of,
)
from forecast.data.scaling import unscaled
from forecast.data.split import TEST, TRAIN, VALIDATION, Split, at_or_after, split_panel
from forecast.data.windows import Ints, Windows, origins_of, precomputed
from forecast.data.words import as_decided
from forecast.engines.tasks import Engine, ThisProcess
from forecast.errors import ConfigError, DataError, LeakError, listed, phrase, setting
from forecast.evaluation.calibrating import calibrate_intervals
from forecast.evaluation.scoring import Evaluation, score_models
from forecast.evaluation.yardstick import naive_errors, naive_errors_beside
from forecast.intervals.conformal import Intervals
from forecast.model import Model, forecasters, forecasts_alone, load_models
from forecast.models.catalogue import configure
from forecast.progress import Progress
from forecast.runs.calibration import intervals_of
from forecast.runs.find import all_runs, find, is_run, runs_folder
from forecast.runs.rows import fitted_until, new_panel, scaler_of, training_panel, unseen_windows
from forecast.runs.run import Run
from forecast.sources.datasets import DATASETS
from forecast.sources.read import Source, is_built_in, kept, read, report_notes
from forecast.tables.frames import like
from forecast.tables.spelling import did_you_mean


def backtest(
    source: Source | Run,
    config: Settings | Mapping[str, object] | None = None,
    *,
    windows: int | None = None,
    step: int = 1,
    span: Span = "expanding",
    refit: int | None = None,
    audit: bool = False,
    engine: Engine | None = None,
    new_rows: Source | None = None,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Forecast from many origins, each time knowing only the rows up to it, and score all forecasts.

    A run is taken as it is. On a source, the networks are fitted to the rows before the first origin, and again
    after every ``refit`` origins; nothing is kept but what is returned. The references that are means of training rows
    (mean, seasonal mean, climatology) are those of the rows that the fit in force was trained on. The first fit decides
    which references there are, what scaled errors (MASE) are divided by, and how wide the intervals start.

    Args:
        source: A run or its name; or anything that `read` takes. A name that both have is the run's.
        config: As in `train`; a run has its own.
        windows: How many origins, the newest; None for all of the test span.
        step: Steps of the clock from one origin to the next.
        span: What a later fit learns from: all rows before it, or as many of them as the first did.
        refit: After how many origins networks and references are fitted anew; None for never.
        audit: Prove before the fits, by other futures, that nothing before an origin knows what comes after it.
        engine: What computes the fits, one core each; None for one after the other, on all cores.
        new_rows: For a run, the rows to forecast; None for those that it was trained on. Either way, only from
            origins that came after its training.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Returns:
        Scores as in metrics.json, with ``backtest`` beside them; forecasts in the long format, in a frame of the kind
        in which the rows came.

    Raises:
        ConfigError: If a number is below one, or a run is given what only a source takes.
        DataError: If there are fewer origins, or too few rows before the first.
        LeakError: If the audit finds a leak.
    """
    progress = progress or shown_by_default()
    for name, value in (("windows", windows), ("step", step), ("refit", refit)):
        if value is not None and value < 1:
            what = f"{name}: must be at least 1. Received: {value}."
            raise ConfigError(what, setting=name, value=value, allowed=["at least 1"])
    if span not in SPANS:
        what = f"span: must be {' or '.join(SPANS)}. Received: {span!r}."
        raise ConfigError(what, setting="span", value=span, allowed=SPANS)
    if isinstance(source, Run) or (isinstance(source, (str, Path)) and names_run(str(source), runs_dir)):
        run = find(source if isinstance(source, Run) else str(source), runs_dir=runs_dir)
        if audit:
            raise ConfigError(
                f"{run.name} is a run, which was fitted before: a backtest cannot audit its fit.",
                f"Audit it: {phrase(f'forecast audit {run.name}', f'forecast.audit({run.name!r})')}",
            )
        if config is not None or refit is not None or span != "expanding":
            raise ConfigError(
                f"{run.name} is a run, which is not fitted again: it takes no setting, no refit and no span.",
                f"Give a series as {phrase('SOURCE', 'source')} to fit networks to it.",
            )
        if isinstance(source, str) and (is_built_in(source) or os.path.isfile(source)):
            progress.note(f"{source} names a run and a series: the run is used")
        rows = training_panel(run) if new_rows is None else new_rows
        return _in_kind_of(new_rows, _backtest_run(run, rows, windows, step, progress))
    if new_rows is not None:
        listing = phrase("forecast runs", "forecast.all_runs()")
        raise ConfigError(f"There is no run {source!r} to forecast new rows with.", f"{listing} lists the runs.")
    settings = config if isinstance(config, Settings) else configure(config)
    if refit is not None and windows is not None and refit >= windows:
        refit = None  # one fit, of which nothing follows in time
    if refit is not None and settings.data.split is None:
        settings = settings.replace(data={"split": "time"})  # fits follow each other in time
    rows = kept(source)
    panel = read(rows, settings.read)
    report_notes(panel, progress)
    plan = _plan(panel, settings, windows, step, progress)
    if refit is not None and not plan.split.is_by_time:
        raise ConfigError(
            "refit: fits follow each other in time, and the cut-offs of these series are at different times.",
            f"Leave it out, or use {setting('split', 'time')}.",
        )
    spans = fit_spans(plan.rows.panel, plan.windows, plan.split, span, refit)
    checks = _audit(Table(rows, settings.read, panel), plan, spans, progress) if audit else ()
    evaluation = _backtest_fits(plan, spans, engine or ThisProcess(), progress)
    if checks:
        evaluation.metrics["backtest"]["audit"] = [vars(check) for check in checks]
    return _in_kind_of(source, evaluation)


def _in_kind_of(source: Source | Run | None, evaluation: Evaluation) -> Evaluation:
    """The same with forecasts in a frame of the kind in which the rows came."""
    return replace(evaluation, forecasts=like(source, evaluation.forecasts))


# Series without a forecast that a warning names.
_NAMED = 5

# Fits and origins that an audit looks at, evenly spaced.
_AUDITED = 8


@dataclass(frozen=True)
class _Plan:
    """What is to be forecast, before anything is fitted.

    Args:
        panel: What was read, without the codes that the rows before the first origin tell.
        asked: The settings, with the dates before which these rows lie.
        config: Resolved from these rows.
        split: Where the test span begins, and the validation span before it.
        rows: All rows, unscaled: each fit has a scaler of its own.
        windows: The windows of all origins.
        step: Steps of the clock from one origin to the next.
    """

    panel: Panel
    asked: Settings
    config: Config
    split: Split
    rows: Rows
    windows: Windows
    step: int


def names_run(name: str, runs_dir: Path | None = None) -> bool:
    """Whether a word names a run rather than a source; a run comes first.

    Raises:
        DataError: If it names neither; says what is near.
    """
    folder = runs_folder(runs_dir)
    if is_run(name, folder):
        return True
    if not re.fullmatch(r"[\w-]+", name) or name == "-" or is_built_in(name) or os.path.exists(name):
        return False  # whatever else is wrong with it, `read` says
    runs = [run.name for run in all_runs(runs_dir=folder)]
    raise DataError(
        f"There is neither a run, nor a file, nor a built-in series {name!r}.",
        f"{did_you_mean(name, [*runs, *DATASETS])}Runs: {', '.join(runs) or 'none'}. "
        f"See: {phrase('forecast datasets', 'forecast.DATASETS')}",
    )


def _plan(panel: Panel, settings: Settings, count: int | None, step: int, progress: Progress) -> _Plan:
    """Find the origins, and resolve the open settings by the rows before the first of them."""
    asked = settings
    while True:
        config, choices = resolve(asked, panel)
        decided = as_decided(panel, config.read)
        arranged = arrange(decided, config.data)
        split = split_panel(arranged, config.data)
        arranged = lay_out(arranged, config.data)
        rows = encode(arranged, config.data, unscaled(arranged))
        tested = split.part_of(arranged) == TEST
        scored_rows = np.ones(arranged.n_rows, bool) if count and split.is_by_time else tested
        windows = _pick_origins(config, arranged, windows_of(rows, scored_rows, config.data), count, step, split)
        first = origins_of(arranged, windows)[0]
        if not split.is_by_time or not ((arranged.times > first) & ~tested).any():
            break
        # The settings were resolved by some rows that lie behind the first origin: resolve again, by fewer rows.
        earlier = fit_spans(arranged, windows, split, "expanding", None)[0]
        asked = settings.replace(data={"horizon": config.data.horizon, **_settings_of_split(earlier, arranged)})
    for note in plan_in_sentences(config, panel.clock, choices):
        progress.note(note)
    for warning in (*decided.warnings[len(panel.warnings) :], *values_without_logarithm(decided, config.data).values()):
        progress.warn(warning)
    _tell_series_without_forecast(arranged, windows, progress)
    return _Plan(decided, asked, config, split, rows, windows, step)


def _audit(table: Table, plan: _Plan, spans: Sequence[FitSpan], progress: Progress) -> tuple[Check, ...]:
    """Alter the table after the origins, and demand the same choices, rows, scalers and windows before them.

    Raises:
        LeakError: If something differs.
    """
    clock = plan.panel.clock
    split = split_panel(plan.panel, plan.config.data)
    decided, since = None, split.test_from
    if split.is_by_time:
        decided, since = split.validation_from, np.full(plan.panel.n_series, spans[0].test_from)
    fits = []
    for span in _spread(spans):
        prepared, _ = _prepare_fit(plan, span)
        fits.append(Learning(prepared, plan.panel, decided, partial(_prepare_span, plan, span)))
    origins = _spread(origins_of(plan.rows.panel, plan.windows))
    progress.note(f"audit of {len(fits)} of {len(spans)} fits, and of {len(origins)} origins")
    checks = (
        check_choices(table, plan.asked, since, plan.config),
        *check_learning(table, fits),
        check_inputs(table, plan.rows, plan.config, origins),
    )
    for check in checks:
        progress.note(check.line)
    if failed := [check.name for check in checks if not check.passed]:
        raise LeakError(
            f"The backtest from {clock.format(origins[0])} on leaks: {len(failed)} of {len(checks)} checks failed. "
            f"Failed: {'; '.join(failed)}.",
            "Do not trust its scores. Report it with the lines of this audit.",
        )
    return checks


def _spread(items: Sequence[Any] | NDArray[Any]) -> list[Any]:
    """At most `_AUDITED` of some items, evenly spaced."""
    numbers = np.unique(np.linspace(0, len(items) - 1, _AUDITED).round().astype(np.int64))
    return [items[number] for number in numbers]


def _settings_of_split(span: FitSpan, panel: Panel) -> dict[str, object]:
    """The settings that split a panel as this fit does."""
    known, learned = (np.mean(panel.times < border) for border in (span.test_from, span.validation_from))
    return {"test": 1 - known, "validation": known - learned, "split": "time"} | _dates(span, panel.clock)


def _dates(span: FitSpan, clock: Clock) -> dict[str, object]:
    return {
        "validation_from": clock.isoformat(span.validation_from),
        "test_from": clock.isoformat(span.test_from),
    }


def _pick_origins(
    config: Config, panel: Panel, windows: Windows, count: int | None, step: int, split: Split
) -> Windows:
    """The windows of the newest ``count`` origins; of all where it is None.

    Raises:
        DataError: If there are fewer.
    """
    picked = rolling_origins(panel, windows, count, step, each_series=not split.is_by_time)
    n_origins = len(origins_of(panel, picked))
    if not split.is_by_time and n_origins:
        n_origins = int(_origins_of_each(panel, picked).max())
    if n_origins < (count or 1):
        every = f" at every {step} steps" if step > 1 else ""
        shorter = f"{setting('step')}, {setting('lookback')} or {setting('horizon')}"
        raise DataError(
            f"There are {n_origins} origins{every}, not {count or 1}: each needs an unbroken window of "
            f"{config.data.lookback} rows before it and {config.data.horizon} after.",
            f"Ask for fewer {setting('windows')}, or use a shorter {shorter}.",
        )
    return picked


def _backtest_run(run: Run, source: Source, count: int | None, step: int, progress: Progress) -> Evaluation:
    panel = new_panel(run, source, progress)
    since = fitted_until(run, panel)
    rows = encode(panel, run.config.data, scaler_of(run, panel, since))
    split = Split(since, since)
    windows = _pick_origins(run.config, panel, unseen_windows(run, rows), count, step, split)
    _tell_series_without_forecast(panel, windows, progress)
    models, season = load_models(run), run.config.data.season
    forecasts, alone = forecasters(models, rows), forecasts_alone(models)
    intervals = intervals_of(run, "start", rows.scaler)
    naive_error = naive_errors_beside(run.metrics, rows, ~at_or_after(panel, since), season)
    evaluation = score_models(rows, windows, forecasts, season, naive_error, intervals, alone)
    _tell(run.metrics.get("calibration_warnings", ()), evaluation, progress)
    return _add_summary(evaluation, panel, windows, split, {"run": run.name, "step": step, "fits": []})


@dataclass(frozen=True)
class _Fit:
    """What came of one fit: its networks' forecasts, and what is told of it. The networks are dropped.

    Args:
        forecasts: Of the windows that it is for, by model, in the targets' own units.
        alone: As of `forecasts_alone`.
        normals: What its rows taught the naive forecasts.
        about: What a summary says of it.
        intervals: Those of its validation span; None of later fits than the first.
        of_intervals: What to know of these.
    """

    forecasts: dict[str, Floats]
    alone: dict[str, str]
    normals: Normals
    about: dict[str, Any]
    intervals: Intervals | None = None
    of_intervals: tuple[str, ...] = ()


def _fit(plan: _Plan, n_fits: int, task: tuple[int, FitSpan], progress: Progress) -> _Fit:
    """Fit networks to one span, and forecast the windows that the fit is for."""
    number, span = task
    prepared, starts = _prepare_fit(plan, span)
    naive_error = naive_errors(prepared.rows, prepared.training_rows, plan.config.data.season)
    labelled = LabelledProgress(progress, f"fit {number} of {n_fits}") if n_fits > 1 else progress
    fitted = fit_without_saving(prepared, naive_error, labelled)
    models = {model.name: model for model in fitted.values()}
    assert prepared.rows.normals is not None
    fit = _Fit(
        {name: model.forecast(prepared.rows, starts) for name, model in models.items()},
        forecasts_alone(models),
        prepared.rows.normals,
        _summary_of_fit(span, fitted, plan.panel.clock),
    )
    if number > 1:  # from the first on, adaptive intervals follow the errors by themselves
        return fit
    scored, validation = forecasters(models, prepared.rows), prepared.validation
    intervals = calibrate_intervals(prepared.rows, validation, scored, plan.config, naive_error)
    told = calibration_warnings(plan.config, len(validation), intervals, fitted["model"].name)
    return replace(fit, intervals=intervals, of_intervals=told)


def _backtest_fits(plan: _Plan, spans: tuple[FitSpan, ...], engine: Engine, progress: Progress) -> Evaluation:
    """Fit to each span, and score the forecasts of all fits."""
    rows, windows, season = plan.rows, plan.windows, plan.config.data.season
    if len(spans) > 1:
        progress.note(f"{len(origins_of(rows.panel, windows)):,} origins, {len(spans)} fits")
    tasks = list(enumerate(spans, start=1))
    fits = list(engine.map(partial(_fit, plan, len(spans)), tasks, progress, "fits"))
    forecasts: dict[str, Floats] = {}
    for span, fit in zip(spans, fits, strict=True):
        for name, values in fit.forecasts.items():
            forecasts.setdefault(name, np.empty((len(windows), *values.shape[1:])))[span.window_numbers] = values
    learned = (rows.panel.times >= spans[0].first) & (rows.panel.times < spans[0].validation_from)
    if not plan.split.is_by_time:
        learned = plan.split.part_of(rows.panel) == TRAIN
    rows = _with_normals(rows, windows, spans, [fit.normals for fit in fits])
    models = {name: precomputed(windows, values) for name, values in forecasts.items()}
    naive_error = naive_errors(rows, learned, season)
    in_all = {name: what for name, what in fits[-1].alone.items() if all(name in fit.alone for fit in fits)}
    evaluation = score_models(rows, windows, models, season, naive_error, fits[0].intervals, in_all)
    _tell(fits[0].of_intervals, evaluation, progress)
    about = {"run": None, "step": plan.step, "fits": [fit.about for fit in fits]}
    return _add_summary(evaluation, rows.panel, windows, plan.split, about)


def _tell(of_intervals: Sequence[str], evaluation: Evaluation, progress: Progress) -> None:
    """Tell what to know of intervals that rest on little, and keep it beside their scores."""
    for warning in of_intervals:
        progress.warn(warning)
    evaluation.metrics["calibration_warnings"] = list(of_intervals)


def _with_normals(rows: Rows, windows: Windows, spans: Sequence[FitSpan], normals: Sequence[Normals]) -> Rows:
    """The rows, from which each origin's naive forecasts know the normals that its fit learned.

    The first fit says which naive forecasts there are.
    """
    known = rows.series.copy()
    for number, span in enumerate(spans):
        known[windows.cutoffs[span.window_numbers]] += number * rows.panel.n_series
    return replace(rows, normals=join_normals(normals[0], normals[1:]), normals_known=known)


def _prepare_fit(plan: _Plan, span: FitSpan) -> tuple[Prepared, Ints]:
    """The rows of one fit: none before its span, none after the last horizon that it forecasts.

    Returns:
        What to train on, and the first rows of the windows to forecast, as numbers of its rows.
    """
    panel, windows, times = plan.panel, plan.windows, plan.rows.panel.times
    if not plan.split.is_by_time:
        return prepare(panel, plan.config), windows.starts
    kept = (times >= span.first) & (times <= _last_time(plan, span))
    starts = windows.starts[span.window_numbers]
    if not kept[starts].all():
        raise DataError(
            f"A training span from {panel.clock.format(span.first)} to {panel.clock.format(span.test_from)} is shorter "
            f"than the lookback of {windows.lookback} rows.",
            f"Use a shorter {setting('lookback')}, fewer {setting('windows')}, or {setting('span', 'expanding')}.",
        )
    try:
        prepared = _prepare_span(plan, span, panel)
    except DataError as error:
        error.and_advise(
            f"Or ask for fewer {setting('windows')}: the earlier the first origin, the less there is to learn from."
        )
        raise
    return prepared, (np.cumsum(kept) - 1)[starts]


def _prepare_span(
    plan: _Plan, span: FitSpan, panel: Panel, needed: Sequence[int] = (TRAIN, VALIDATION, TEST)
) -> Prepared:
    """The rows of one fit of a panel, which may have another future."""
    if not plan.split.is_by_time:
        return prepare(panel, plan.config, needed)
    config = plan.config.replace(data={"split": "time", **_dates(span, panel.clock)})
    return prepare(panel.between(span.first, _last_time(plan, span)), config, needed)


def _last_time(plan: _Plan, span: FitSpan) -> np.datetime64:
    """The end of the last horizon that a fit forecasts."""
    last: np.datetime64 = plan.rows.panel.times[plan.windows.future(span.window_numbers)].max()
    return last


def _summary_of_fit(span: FitSpan, fitted: Mapping[str, Model], clock: Clock) -> dict[str, Any]:
    return {
        "train_from": clock.isoformat(span.first),
        **_dates(span, clock),
        "n_windows": len(span.window_numbers),
        "best_epochs": list(fitted["model"].record.best_epochs),
        "seconds": round(sum(model.record.seconds for model in fitted.values()), 1),
    }


def _add_summary(
    evaluation: Evaluation, panel: Panel, windows: Windows, split: Split, about: Mapping[str, Any]
) -> Evaluation:
    """The scores, with where their origins lie: at how many times, and how many each series has at most."""
    origins, of_each = origins_of(panel, windows), _origins_of_each(panel, windows)
    first, last = (panel.clock.isoformat(origins[end]) for end in (0, -1))
    span: dict[str, Any] = {"origins": len(origins), "first_origin": first, "last_origin": last}
    if not split.is_by_time:
        span["origins_of_each"] = int(of_each.max())
    if panel.n_series > 1:
        span |= {"series": panel.n_series, "series_forecast": int((of_each > 0).sum())}
    return replace(evaluation, metrics=evaluation.metrics | {"backtest": {**about, **span}})


def _origins_of_each(panel: Panel, windows: Windows) -> Ints:
    """From how many origins each series is forecast, [S]."""
    return np.bincount(panel.series_of_row()[windows.starts], minlength=panel.n_series)


def _tell_series_without_forecast(panel: Panel, windows: Windows, progress: Progress) -> None:
    """Which series no origin can forecast: they end before, or have no unbroken window there."""
    without = [panel.series_ids[number] for number in np.flatnonzero(_origins_of_each(panel, windows) == 0)]
    if without:
        progress.warn(
            f"{len(without):,} of {panel.n_series:,} series have no forecast: no whole window of theirs lies at these "
            f"origins: {listed(without, _NAMED)}"
        )
