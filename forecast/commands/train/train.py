"""Train, score, forecast, draw: one run from its source to its folder."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.commands.progress import shown_by_default
from forecast.commands.train.continuing import Continuation, NotBetter
from forecast.commands.train.data_warnings import data_warnings
from forecast.commands.train.hindsight import hindsight
from forecast.commands.train.interval_warnings import calibration_warnings
from forecast.commands.train.networks import fit_networks
from forecast.commands.train.part_rows import check_sample, score_all
from forecast.commands.train.portfolio import describe_members, refit
from forecast.commands.train.tracking import tracked
from forecast.config import Config, Settings
from forecast.data.newest import NewestRows, forecast_warnings, newest_rows
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, prepare, windows_of
from forecast.data.words import as_decided
from forecast.engines.tasks import Engine, ThisProcess
from forecast.errors import ConfigError, DataError, ForecastError, MachineError, phrase, rendered, setting
from forecast.evaluation.calibrating import calibrate_intervals
from forecast.evaluation.scoring import Evaluation, score_models
from forecast.evaluation.yardstick import naive_errors
from forecast.model import Model, TrainingContext, Trial, forecasters, forecasts_alone, newest_forecast
from forecast.models.catalogue import configure
from forecast.models.naive import NAIVE
from forecast.plots.drawer import Drawer, drawing_beside
from forecast.plots.findings import hindsight_in_words
from forecast.plots.footnotes import thinning_note
from forecast.plots.lost_windows import count_windows_of_parts
from forecast.progress import Progress, StopRequested
from forecast.runs.calibration import intervals_to_arrays
from forecast.runs.files import locked
from forecast.runs.find import run_command, runs_folder
from forecast.runs.own_rows import MOST_BYTES, ROWS, rows_to_arrays
from forecast.runs.run import CALIBRATION, RANGES, TEST_FORECASTS, TEST_FORECASTS_AS_CSV, Run
from forecast.runs.writer import RunWriter
from forecast.sources.issues import lasting
from forecast.sources.parts import Parts, parts_again, parts_of, with_parts
from forecast.sources.read import Source, is_built_in, named_together, on_disk, read, report_notes
from forecast.sources.sql import is_database, lasting_address
from forecast.sources.training_ranges import fit_ranges
from forecast.tables.folders import absolute
from forecast.version import versions_of


def train(
    source: Source,
    config: Settings | Mapping[str, object] | None = None,
    *,
    run: str | None = None,
    runs_dir: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    track: str | None = None,
    draw: bool = True,
    memory: int | str | None = None,
    engine: Engine | None = None,
    panel: Panel | None = None,
    command: str = "",
) -> Run:
    """Train the model and the vanilla RNN, score both on every test window, forecast the future, draw the plots.

    Args:
        source: Anything that `read` takes.
        config: What to do, as settings or a mapping of them; open fields are chosen from the data.
        run: Name of the run; None for the source's and the model's.
        runs_dir: Where runs live; None for FORECAST_RUNS or ./models.
        overwrite: Replace a run of that name.
        progress: Receives notes, warnings and progress.
        track: Where else each epoch is written, ``tensorboard:FOLDER`` or ``mlflow:ADDRESS``.
        draw: Draw the plots and write the report, which takes a few seconds.
        memory: Bytes of rows that are held at a time, such as ``"2GB"``, of a folder of Parquet files, each with some
            of the series. If it holds more, a sample of the files decides all that is chosen, and is validated and
            scored; the networks learn from windows of all files, read in turn.
        engine: What trains the members of its networks, one core each; None for one after the other, on all cores.
        panel: The rows of the source, if it was read before: of all its series, or of some.
        command: The command line that asked for it, for the record.

    Raises:
        ForecastError: Of the kind that fits; nothing is left behind after a refusal.
    """
    progress, started = progress or shown_by_default(), time.monotonic()
    settings = config if isinstance(config, Settings) else configure(config)
    folder = runs_folder(runs_dir)
    if run is not None:  # before anything is read
        RunWriter(folder, run).check_free(overwrite)
    source = named_together(source)
    source = on_disk(source, progress) if isinstance(source, str) else source
    parts = None if memory is None else parts_of(source, memory, settings.training.seed)
    if parts is not None:
        source, settings = os.pathsep.join(parts.sample), with_parts(settings)
        progress.note(parts.describe())
    settings = settings.model_copy(update={"read": lasting(settings.read, source)})
    if panel is None:
        panel = read(source, settings.read)
        report_notes(panel, progress)
        if parts is not None:
            check_sample(parts, panel, settings.read)
    resolved, choices = resolve(settings, panel)
    for note in plan_in_sentences(resolved, panel.clock, choices):
        progress.note(note)
    if engine is not None and engine.is_elsewhere and resolved.training.time_limit is not None:
        raise ConfigError(
            "time_limit: a clock decides on one member of the ensemble after the other, and workers train them side by "
            "side.",
            f"Name them instead: {setting('members', 'all')}",
        )
    n_told = len(panel.warnings)
    panel = as_decided(panel, resolved.read)
    for warning in panel.warnings[n_told:]:
        progress.warn(warning)
    prepared = prepare(panel, resolved)
    newest = newest_rows(prepared.rows.panel, resolved.data, prepared.scaler)
    warnings = data_warnings(panel, prepared) + forecast_warnings(newest)
    for warning in warnings:  # before the training takes its time; they are no reason to stop
        progress.warn(warning)
    name = (
        run if run is not None else _free_name(folder, f"{name_of_source(source)}-{resolved.network.model}", overwrite)
    )
    writer = RunWriter(folder, name)
    with locked(writer.lock, f"The run {name}"):
        manifest = _first_manifest(source, settings, panel, warnings, command)
        if parts is not None:
            manifest["parts"] = parts.to_record()
            manifest["data"]["notes"].insert(0, parts.describe())
        for name in writer.begin(manifest, resolved, overwrite):
            progress.note(f"{writer.path / name} is not a file of the run, and stays")
        del panel  # it may hold many columns that the run does not use
        with (
            _cleaning_up(writer, progress),
            _tracked(progress, track, writer, resolved) as progress,
            drawing_beside(prepared.rows) if draw else nullcontext() as drawer,
        ):
            trained = _train_run(prepared, newest, writer, progress, started, drawer, draw, engine, parts=parts)
    return trained if isinstance(source, (str, Path)) else replace(trained, source=source)


def resume(
    name: str,
    *,
    runs_dir: Path | None = None,
    source: Source | None = None,
    progress: Progress | None = None,
    track: str | None = None,
    draw: bool = True,
    engine: Engine | None = None,
) -> Run:
    """Continue an interrupted training; ends with the same bits as one that was never interrupted.

    Args:
        name: Name of the run.
        runs_dir: Where runs live.
        source: The data, if they cannot be read again from where they were.
        progress: Receives notes, warnings and progress.
        track: As of `train`.
        draw: As of `train`.
        engine: As of `train`.

    Raises:
        RunError: If there is nothing to resume, or every checkpoint is damaged.
        MachineError: If another process is training it.
        DataError: If the data are no longer those that training began with.
    """
    progress, started = progress or shown_by_default(), time.monotonic()
    writer = RunWriter(runs_folder(runs_dir), name)
    if writer.path.exists():  # finished, perhaps by a process that was killed while it tidied up
        with locked(writer.lock, f"The run {name}"):
            writer.delete_leftovers()
    manifest, config = writer.read_unfinished()
    if manifest["state"] == "finished":  # all is done but the move to its place
        with locked(writer.lock, f"The run {name}"):
            return writer.move_into_place()
    again = source if source is not None else manifest["source"]
    if again is None:
        raise DataError(
            "The training was fed data that cannot be read again.",
            f"Give them as {phrase('SOURCE beside --resume', 'source')}.",
        )
    panel = read(again, config.read).named(manifest["data"]["series_ids"])
    if panel.fingerprint() != manifest["data"]["fingerprint"]:
        raise DataError(
            f"{again} has changed since the training began ({panel.n_rows} rows now, {manifest['data']['rows']} then).",
            "Bring the old file back, or train again with "
            f"{phrase(f'--run {name} --overwrite', f'run={name!r}, overwrite=True')}.",
        )
    with locked(writer.lock, f"The run {name}"), _cleaning_up(writer, progress):
        writer.read_unfinished()  # another process may have finished it meanwhile
        prepared = prepare(panel, config)
        newest = newest_rows(prepared.rows.panel, config.data, prepared.scaler)
        parts = parts_again(manifest.get("parts"), config.training.seed)
        with (
            _tracked(progress, track, writer, config) as progress,
            drawing_beside(prepared.rows) if draw else nullcontext() as drawer,
        ):
            return _train_run(prepared, newest, writer, progress, started, drawer, draw, engine, parts=parts)


def train_next_version(
    continuation: Continuation,
    panel: Panel,
    source: Source,
    writer: RunWriter,
    progress: Progress,
    draw: bool = True,
    command: str = "",
) -> Run:
    """Continue a run on its rows and new ones, as its next version, which is whole and not in place yet.

    An interrupted training of the same version on the same rows goes on, and ends with the same bits.

    Args:
        continuation: What is continued.
        panel: The rows of the run and the new ones.
        source: Where they are read again; anything that is no name where they cannot be.
        writer: Of that version; its lock is held.
        progress: Receives notes, warnings and progress.
        draw: Draw the plots and write the report.
        command: The command line that asked for it, for the record.

    Raises:
        NotBetter: If it is not better than the version before; nothing is left of it.
        ForecastError: Of the kind that fits.
    """
    started, before = time.monotonic(), continuation.before
    config = continuation.config(panel)
    panel = as_decided(panel, config.read)
    prepared = prepare(panel, config, scaler=before.scaler)
    newest = newest_rows(prepared.rows.panel, config.data, prepared.scaler)
    manifest = _first_manifest(source, config, panel, forecast_warnings(newest), command)
    del manifest["asked"]  # nothing was chosen
    manifest |= {
        "version": writer.version,
        "update": {
            "continued_from": before.version,
            "rows_new": int((panel.times > np.datetime64(before.data["last"])).sum()),
            "optimizer": "kept" if before.moments("model") else "new",
            "changed_since": continuation.changed_since and str(continuation.changed_since),
        },
    }
    if not _is_same_training(writer, manifest, config):
        writer.begin(manifest, config, overwrite=True)
    if manifest["source"] is None and panel.values.nbytes <= MOST_BYTES:
        writer.write_arrays(ROWS, rows_to_arrays(panel))
    with _cleaning_up(writer, progress), drawing_beside(prepared.rows) if draw else nullcontext() as drawer:
        try:
            return _train_run(prepared, newest, writer, progress, started, drawer, draw, continuation=continuation)
        except NotBetter:
            writer.discard()
            raise


def _is_same_training(writer: RunWriter, manifest: dict[str, Any], config: Config) -> bool:
    """Whether what was interrupted is a training of these rows by this configuration, from the same version."""
    if not writer.is_unfinished:
        return False
    try:
        there, its_config = writer.read_unfinished()
    except StopRequested:
        raise
    except ForecastError:
        return False
    same = there["data"]["fingerprint"] == manifest["data"]["fingerprint"] and its_config == config
    return bool(same and all(there["update"].get(name) == value for name, value in manifest["update"].items()))


def _tracked(
    progress: Progress, track: str | None, writer: RunWriter, config: Config
) -> AbstractContextManager[Progress]:
    parts = config.model_dump(mode="json", exclude_none=True, include={"data", "network", "training"})
    return tracked(
        progress, track, writer.path.name, {name: value for part in parts.values() for name, value in part.items()}
    )


@contextmanager
def _cleaning_up(writer: RunWriter, progress: Progress) -> Iterator[None]:
    """After a request to stop, say how to continue; after a refusal, leave nothing behind."""
    progress.resumable(rendered(writer.resume_command, "shell"))
    try:
        yield
    except StopRequested as stop:
        stop.and_advise(f"Continue with: {writer.resume_command}")
        raise
    except ForecastError as error:
        writer.discard_untrained()
        if isinstance(error, DataError) and writer.is_unfinished:  # of a file that is read while it learns
            error.and_advise(f"Then continue with: {writer.resume_command}")
        raise


def _train_run(
    prepared: Prepared,
    newest: NewestRows,
    writer: RunWriter,
    progress: Progress,
    started: float,
    drawer: Drawer | None,
    draw: bool = True,
    engine: Engine | None = None,
    continuation: Continuation | None = None,
    parts: Parts | None = None,
) -> Run:
    config, rows, season = prepared.config, prepared.rows, prepared.config.data.season
    naive_error = naive_errors(rows, prepared.training_rows, season)
    starts = {} if continuation is None else continuation.starts
    learned = prepared if continuation is None else continuation.emphasised(prepared)
    fit = None if parts is None else _rolling(parts)
    context = TrainingContext(learned, writer.checkpoints, progress, started, starts, fit)
    engine = engine or ThisProcess()
    networks = fit_networks(context, naive_error, engine)
    scored = {model.name: model for model in networks.values()}
    single, trials = networks.pop("single", None), networks["model"].trials
    if trials:
        stopped_after = len(networks["baseline"].record.histories[0]) if "baseline" in networks else None
        config = config.with_portfolio((trial.decided for trial in trials), stopped_after)
        prepared = replace(prepared, config=config)
        writer.write("config.json", config.to_json())
    models = {model.name: model for model in networks.values()}
    if continuation is not None:
        judged = continuation.judge(prepared, networks["model"], naive_error)
        manifest, _ = writer.read_unfinished()
        writer.write_json("manifest.json", manifest | {"update": manifest["update"] | judged})
    intervals = calibrate_intervals(rows, prepared.validation, forecasters(scored, rows), config, naive_error)
    of_intervals = calibration_warnings(config, len(prepared.validation), intervals, networks["model"].name)
    for warning in of_intervals:
        progress.warn(warning)
    forecasts, alone = forecasters(scored, rows), forecasts_alone(scored)
    evaluation = score_models(rows, prepared.test, forecasts, season, naive_error, intervals, alone)
    evaluation.metrics["calibration_warnings"] = list(of_intervals)
    if single is not None:
        evaluation.metrics["single"] = single.name
        evaluation.metrics["members"] = describe_members(trials)
    if rows.as_of:
        evaluation.metrics["hindsight"] = hindsight(prepared, models, naive_error)
        if seemed := hindsight_in_words(evaluation.metrics, networks["model"].name):
            progress.note(seemed)
    evaluation.metrics["windows"] = count_windows_of_parts(prepared)["test"].to_json()
    if parts is not None:  # figures by series stay those of the sample
        evaluation.metrics.update(score_all(parts, prepared, scored, intervals, naive_error, progress))
    if thinned := thinning_note(evaluation.metrics):
        progress.note(f"{TEST_FORECASTS}: {len(evaluation.forecasts):,} rows{thinned}; every window is scored")
    model = networks["model"]
    if config.training.refit and not model.fell_back:
        every_row = windows_of(rows, np.ones(rows.panel.n_rows, bool), config.data)
        model = refit(context, model, every_row, engine)
        networks["refit"] = model
    forecast = newest_forecast(
        newest, forecasters(models | {model.name: model}, newest.rows), season, evaluation.intervals
    )
    if intervals is not None and evaluation.intervals is not None:
        kept = (*models, *NAIVE)  # of an ensemble's first member alone nothing is forecast any more
        arrays = intervals_to_arrays(intervals.only(kept), evaluation.intervals.only(kept))
        writer.write_arrays(CALIBRATION, arrays)
    return _write_run(prepared, writer, networks, evaluation, forecast, drawer, draw)


def _rolling(parts: Parts) -> Callable[..., Any]:
    """What trains a network on the windows of all parts."""
    from forecast.commands.train.rolling import RollingFit  # which imports TensorFlow

    return partial(RollingFit, parts=parts)


def _write_run(
    prepared: Prepared,
    writer: RunWriter,
    networks: Mapping[str, Model],
    evaluation: Evaluation,
    forecast: pd.DataFrame,
    drawer: Drawer | None,
    draw: bool,
) -> Run:
    """Write what the training gave, perhaps its plots and its report, and move the folder into place."""
    from forecast.plots.results import RunResults
    from forecast.plots.run_plots import draw_files
    from forecast.plots.run_report import report_page

    records = {model.name: model.record for network, model in networks.items() if network != "refit"}
    writer.write_json("scaler.json", prepared.scaler.to_record())
    writer.write_arrays(RANGES, fit_ranges(prepared.rows.panel, prepared.training_rows).to_arrays())
    for network, model in networks.items():
        model.save(writer, network)
    if prepared.config.training.track_gradients:
        writer.write_json("gradients.json", {name: record.gradients[0] for name, record in records.items()})
    writer.write_json("metrics.json", evaluation.metrics)
    writer.write_frame(TEST_FORECASTS, evaluation.forecasts)
    if prepared.config.training.csv:
        writer.write_frame(TEST_FORECASTS_AS_CSV, evaluation.forecasts)
    writer.write_frame("forecast.csv", forecast)
    manifest, _ = writer.read_unfinished()
    manifest |= _outcome(prepared, networks, manifest["data"])
    if not draw:
        return writer.finish(manifest)
    histories = {name: record.histories[0] for name, record in records.items()}
    replay = rendered(run_command("replay", writer.name, writer.runs_dir), "shell")
    results = RunResults(writer.name, replay, manifest, prepared, evaluation, histories, forecast)
    if drawer is not None:
        drawer.draw(results)
    for name, picture in draw_files(results).items():
        writer.write(f"plots/{name}", picture)
    writer.write("report.html", report_page(results))
    return writer.finish(manifest)


def _first_manifest(
    source: Source, settings: Settings, panel: Panel, warnings: tuple[str, ...], command: str
) -> dict[str, Any]:
    if is_built_in(source):
        again: str | None = str(source)
    elif is_database(source):
        again = lasting_address(str(source))
    elif isinstance(source, (str, Path)) and str(source) != "-":
        again = absolute(str(source))
    else:
        again = None
    return {
        "started": _now(),
        "command": command,
        "source": again,
        "asked": recorded(settings),
        "title": panel.name,
        "data": {
            "fingerprint": panel.fingerprint(),
            "rows": panel.n_rows,
            "columns": panel.columns,
            "series_ids": panel.series_ids,
            "freq": panel.clock.freq,
            "tz": panel.clock.tz,
            "holidays": panel.clock.holidays,
            "first": str(panel.times.min()),
            "last": str(panel.times.max()),
            "units": panel.units,
            "notes": [rendered(text, "shell" if command else "python") for text in panel.notes],
            "warnings": [rendered(text, "shell" if command else "python") for text in panel.warnings + warnings],
        },
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions_of("tensorflow", "keras", "numpy", "pandas"),
    }


def recorded(settings: Settings) -> dict[str, Any]:
    """What was asked for, as the manifest of a run has it."""
    return settings.model_dump(mode="json", include={*Settings.model_fields}, exclude_defaults=True)


def _outcome(prepared: Prepared, networks: Mapping[str, Model], data: dict[str, Any]) -> dict[str, Any]:
    return {
        "finished": _now(),
        "seed": prepared.config.training.seed,
        "data": data | prepared.split.to_record(),
        "windows": {"train": len(prepared.train), "validation": len(prepared.validation), "test": len(prepared.test)},
        "networks": {
            name: {
                "parameters": model.n_parameters,
                "members": len(model.members),
                "best_epochs": list(model.record.best_epochs),
                "seconds": round(model.record.seconds, 1),
                "fell_back": model.fell_back,
            }
            for name, model in networks.items()
            if name != "refit"
        },
        **({"members": _times_of_members(networks["model"].trials)} if networks["model"].trials else {}),
        "forecast_weights": "refit" if "refit" in networks else "model",
        "runtimes": {name: model.runs_on for name, model in networks.items()},
    }


def _times_of_members(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    return [
        {"name": trial.decided.name, "epochs": trial.epochs, "seconds": round(trial.seconds, 1)} for trial in trials
    ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def name_of_source(source: Source) -> str:
    """What a run of a source is called by default, before what is made of it."""
    stem = Path(str(source).split(os.pathsep)[0]).name.split(".")[0] if isinstance(source, (str, Path)) else ""
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:60] or "series"


def _free_name(folder: Path, name: str, overwrite: bool) -> str:
    """The name itself, or the first of name-2, name-3 … that no run has."""
    try:
        taken = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    except OSError as error:
        raise MachineError(
            f"Cannot read {folder}: {error.strerror}.", f"Choose a folder that you may read with {setting('runs_dir')}."
        ) from None
    number, free = 1, name
    while not overwrite and (free in taken or f".{free}.training" in taken):
        number += 1
        free = f"{name}-{number}"
    return free
