"""Tune: search for settings by rolling validation, then train the best beside the defaults, and test the difference."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.commands.progress import ForwardingProgress, shown_by_default
from forecast.commands.train import train as trainings
from forecast.commands.tune.folds import has_room, rolling_folds, without_test
from forecast.commands.tune.outcome import judge, summarise, trials_table
from forecast.commands.tune.search import Budget, Search, work
from forecast.commands.tune.space import space_of
from forecast.commands.tune.study import forget_study, import_optuna, is_begun
from forecast.commands.tune.trial import WHY
from forecast.config import Config, Settings, nest, settings_from_toml
from forecast.data.panel import Panel
from forecast.engines.tasks import Engine, ThisProcess
from forecast.errors import ConfigError, phrase, setting
from forecast.models.catalogue import configure
from forecast.progress import Progress, StopRequested
from forecast.runs.documents import to_json
from forecast.runs.files import locked, write_atomically
from forecast.runs.find import find, is_run, runs_folder, unfinished_runs
from forecast.runs.run import Run
from forecast.runs.writer import RunWriter
from forecast.sources.read import Source, kept, read, report_notes
from forecast.tables.frames import like

if TYPE_CHECKING:
    from forecast.plots.figure import PlotFigure

# Trials of a search whose time is not limited.
TRIALS = 50


@dataclass(frozen=True)
class Tuning:
    """The result of a search.

    Args:
        summary: What was searched and found, and how the two runs compare, as JSON types.
        trials: A line for each trial: what it tried, and its error on the validation spans, in that of the last value.
            A frame of the kind in which the rows came.
        run: Of the settings that were best on the validation spans.
        defaults: Of the defaults; the same run where nothing was better.
    """

    summary: dict[str, Any]
    trials: pd.DataFrame
    run: Run
    defaults: Run

    def __repr__(self) -> str:
        return f"<Tuning on {self.summary['title']}: {self.verdict}>"

    def _repr_html_(self) -> str:
        from forecast.commands.tune.page import search_section
        from forecast.plots.page import box

        return box(search_section(self.summary), self.verdict)

    @property
    def verdict(self) -> str:
        """What came of it, in words."""
        return str(self.summary["verdict"])

    @property
    def report(self) -> Path:
        """The page of the search."""
        return Path(self.summary["study"]) / "report.html"

    def plot(self) -> PlotFigure:
        """The course of the search, drawn."""
        from forecast.commands.tune.plots import plot_course

        return plot_course(self.summary)


def tune(
    source: Source,
    settings: Settings | Mapping[str, object] | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    spans: int | None = None,
    engine: Engine | None = None,
    storage: str | None = None,
    run: str | None = None,
    runs_dir: Path | None = None,
    overwrite: bool = False,
    file: Path | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Tuning:
    """Search for settings by rolling validation; train the best, and the defaults beside them, and compare the two.

    The search never sees the test span. Called again with the same rows and settings, it goes on where it was stopped,
    or with more trials.

    Args:
        source: Anything that `read` takes.
        settings: Settings, as `configure` takes them. What is given is fixed; the rest is searched, or chosen as in
            `train`.
        trials: Trials of the whole search, the defaults among them; None for 50, or for as many as there is time for.
        minutes: How long to search, at most; None for as long as the trials take. The two trainings come on top.
        spans: Validation spans that each trial is judged on; None for three, or as many as the rows have room for.
        engine: What works on trials side by side, one core each; None for one after the other, on all cores. Then a
            seed always finds the same.
        storage: Address of an Optuna storage, such as ``sqlite:///studies.db``; None for a file beside the runs.
        run: Name of the best run, and with ``-defaults`` and ``.study`` at its end of the other run and the study.
        runs_dir: Where runs live; None for FORECAST_RUNS or ./models.
        overwrite: Start over, where there is a study or a run of that name.
        file: A TOML file of more settings.
        progress: Receives notes, warnings and progress.
        command: The command line that asked for it, for the record.

    Raises:
        ConfigError: If a setting does not exist, a number is out of range, or nothing is left to search.
        DataError: If the rows have no room for a training span and a validation span.
        MachineError: If Optuna is missing, its storage cannot be used, or another process searches the same.
    """
    progress = _Once(progress or shown_by_default())
    for name, value in (("trials", trials), ("minutes", minutes), ("spans", spans)):
        if value is not None and not value >= (0 if name == "minutes" else 1):
            raise ConfigError(f"{name}: must be at least 1. Received: {value}.", setting=name, value=value)
    import_optuna()
    asked, given = _asked(settings, file)
    if asked.makes_portfolio:
        raise ConfigError(
            "time_limit and members make an ensemble of many networks; a search tries one network at a time.",
            f"Use {setting('minutes')} for the time of the search.",
        )
    rows = kept(source)
    panel = read(rows, asked.read)
    report_notes(panel, progress)
    config, choices = resolve(asked, panel)
    for note in plan_in_sentences(config, panel.clock, choices):
        progress.note(note)
    name, folder = run or f"{trainings.name_of_source(rows)}-tuned", runs_folder(runs_dir)
    study = folder / f"{RunWriter(folder, name).name}.study"
    with locked(folder / f".{study.name}.lock", f"The study {name}"), _going_on():
        if not overwrite:
            _refuse_others(study, folder, name)
        hidden = without_test(panel, config)
        folds = rolling_folds(hidden, config, spans)
        space = space_of(config, asked, given, partial(has_room, folds))
        if not space:
            raise ConfigError("Every setting is given: nothing is left to search.", "Leave some of them out.")
        if overwrite:  # now that nothing is refused any more
            shutil.rmtree(study, ignore_errors=True)
            if storage is not None:
                forget_study(storage, name)
        search = Search(study, storage, name, hidden, config, asked, space, len(folds))
        most = TRIALS if trials is None and minutes is None else trials
        began, until = time.monotonic(), None if minutes is None else time.time() + 60 * minutes
        _tell_plan(search, progress)
        work(search, Budget(most, until), engine or ThisProcess(), progress)
        seconds = time.monotonic() - began
        best = search.store.best()
        if best is None:
            whys = sorted({str(trial.user_attrs.get(WHY)) for trial in search.store.finished()})
            raise ConfigError(f"No trial came to its end: {'; '.join(whys)}", "Give other settings.")
        keep = _Training(rows, panel, folder, progress, command)
        defaults = keep.trained(asked, config, name if best.number == 0 else f"{name}-defaults")
        tuned = defaults
        if best.number > 0:
            found = search.config_of(best)
            tuned = keep.trained(_as_asked(found, asked), found, name)
        judged = judge(panel, tuned, defaults) if best.number > 0 else None
        summary = summarise(search, best, panel, judged, {"seconds": round(seconds, 1)})
        summary |= {"run": str(tuned.path), "defaults_run": str(defaults.path), "study": str(study)}
        write_atomically(study / "study.json", to_json(summary).encode())
        _write_page(study, summary, command)
    return Tuning(summary, like(source, trials_table(summary)), tuned, defaults)


def _asked(settings: Settings | Mapping[str, object] | None, file: Path | None) -> tuple[Settings, set[str]]:
    """The settings, and the names of those that the user fixed."""
    if isinstance(settings, Settings):
        preset, own = configure({"model": settings.network.model}).model_dump(), settings.model_dump()
        return settings, {
            name for section, fields in own.items() for name in fields if fields[name] != preset[section][name]
        }
    given = [nest(settings or {}), *([nest(settings_from_toml(file))] if file else [])]
    return configure(settings, file), {name for part in given for fields in part.values() for name in fields}


def _refuse_others(study: Path, folder: Path, name: str) -> None:
    """Refuse runs of a study's names that are of no study.

    Raises:
        ConfigError: If there is one.
    """
    taken = [other for other in (name, f"{name}-defaults") if is_run(other, folder)]
    if taken and not is_begun(study):
        another = f"Name another with {phrase('--run NAME', 'run=NAME')}"
        raise ConfigError(
            f"There is a run {taken[0]!r} already, in {folder}, which is of no search.",
            f"{another}, or replace it with {setting('overwrite', True)}.",
        )


def _tell_plan(search: Search, progress: Progress) -> None:
    """Say what trials are judged on, and how many there are already."""
    spans = f"{search.n_spans} span{'s' if search.n_spans > 1 else ''}"
    progress.note(f"each trial is judged on {spans} before the test span; its error is in that of the last value")
    if done := len(search.store.finished()):
        progress.note(f"going on after {done} trial{'s' if done > 1 else ''}")


def _as_asked(config: Config, asked: Settings) -> Settings:
    """A configuration as settings that ask for it, read as the user asked to."""
    sections = config.model_dump(include={*Settings.model_fields})
    return Settings.from_sections({**sections, "read": asked.read.model_dump()})


@dataclass(frozen=True)
class _Training:
    """Trains a run, goes on with one that was begun, or takes the one that is there.

    Args:
        source: The rows.
        panel: What was read of them.
        folder: Where runs live.
        progress: Receives notes, warnings and progress.
        command: The command line that asked for it.
    """

    source: Source
    panel: Panel
    folder: Path
    progress: Progress
    command: str

    def trained(self, settings: Settings, config: Config, name: str) -> Run:
        """The run of these settings, whose configuration is this."""
        if is_run(name, self.folder) and name not in unfinished_runs(self.folder):
            run = find(name, runs_dir=self.folder)
            if run.data["fingerprint"] == self.panel.fingerprint() and _is_same(run.config, config):
                return run
        if name in unfinished_runs(self.folder) and _is_same(RunWriter(self.folder, name).read_unfinished()[1], config):
            return trainings.resume(name, runs_dir=self.folder, source=self.source, progress=self.progress)
        return trainings.train(
            self.source,
            settings,
            run=name,
            runs_dir=self.folder,
            overwrite=True,
            progress=self.progress,
            command=self.command,
        )


def _is_same(one: Config, other: Config) -> bool:
    return all(getattr(one, part) == getattr(other, part) for part in ("data", "network", "training", "intervals"))


def _write_page(study: Path, summary: Mapping[str, Any], command: str) -> None:
    from forecast.commands.tune.page import search_page

    write_atomically(study / "report.html", search_page(summary, command).encode())


@contextmanager
def _going_on() -> Iterator[None]:
    """After a request to stop, say how to go on."""
    try:
        yield
    except StopRequested as stop:
        stop.args = (stop.args[0], f"To go on, give the same command again{phrase(', without --overwrite', '')}.")
        raise


class _Once(ForwardingProgress):
    """Forwards each note and each warning once: both trainings have the same to say."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        self._said: set[str] = set()

    def note(self, text: str) -> None:
        """Forward a note that is new."""
        if text not in self._said:
            self._said.add(text)
            self._progress.note(text)

    def warn(self, text: str) -> None:
        """Forward a warning that is new."""
        if text not in self._said:
            self._said.add(text)
            self._progress.warn(text)

    def resumable(self, command: str) -> None:
        """Say nothing: it is the search that goes on."""
