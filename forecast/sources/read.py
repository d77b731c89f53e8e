"""From what the user names to a panel: a built-in series, a file, standard input or a frame."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from forecast.config import FOUND, ReadOptions
from forecast.data.panel import Panel
from forecast.data.words import as_decided
from forecast.errors import ConfigError, DataError, Sentence, phrase, quote, setting
from forecast.progress import Progress
from forecast.sources.datasets import DATASETS, load_dataset
from forecast.sources.formulas import with_derived
from forecast.sources.from_table import Alter, read_panel
from forecast.sources.issues import with_known_forecasts
from forecast.sources.missing import mask_named, mask_spikes
from forecast.sources.public_holidays import with_holidays
from forecast.sources.quality import panel_warnings
from forecast.sources.services.download import download, is_address, note_on_copy
from forecast.sources.services.table_file import document_beside
from forecast.sources.sql import database_name, is_database, is_database_there, read_query, without_password
from forecast.sources.vintages import read_vintages
from forecast.tables.folders import files_named
from forecast.tables.frames import Frames, as_frame
from forecast.tables.input import Input
from forecast.tables.spelling import nearest

Named = str | Path | Frames | Panel
Source = Named | list[str] | list[Path]

# A service and what is asked of it, as open-meteo:Oslo; no address such as https://…
_SERVICE = re.compile(r"[a-z][a-z-]+:(?!//).*", re.DOTALL | re.IGNORECASE)


def read(source: Source, options: ReadOptions | None = None, alter: Alter | None = None) -> Panel:
    """A panel from a built-in name, a path, ``-`` for standard input, or frames.

    A service and names, such as ``open-meteo:Oslo``, are the file of what it has of them, fetched if it is not there;
    an address, ``https://…/river.csv``, likewise. Several files, as a list, are read as those of a folder are.
    The address of a database, such as ``sqlite:///weather.db``, is the rows that ``ReadOptions(query=…)`` asks of it.

    A frame may be of pandas, of Polars (lazy, too), of Arrow, or of whatever hands its rows to Arrow. It is one series;
    or several, in the long format (``unique_id``, ``ds``, ``y``, or the names that ``ReadOptions(series_id=…,
    time_column=…)`` says), with an index of series and times, or wide, a column each (``ReadOptions(wide=True)``). Of
    pandas, the index may hold times, periods or the numbers of steps. Frames of series may also be given by name,
    ``{"north": frame, "south": frame}``, columns, ``{"ds": times, "y": values}``, and arrays, ``(times, values)``; an
    array alone is a series of steps.

    Args:
        source: What to read.
        options: What is not to be inferred.
        alter: Changes the values before anything is told by them, as an audit does.

    Raises:
        DataError: If it cannot be read, or is ambiguous; says where and what to type.
    """
    panel = _read(source, options, alter)
    return with_holidays(panel, options) if options is not None and options.holidays else panel


def _read(source: Source, options: ReadOptions | None, alter: Alter | None) -> Panel:
    """The same without public holidays."""
    named = load_dataset(str(source)) if is_built_in(source) else named_together(source)
    if isinstance(named, Panel):
        if alter is None:  # an audit reads rows again as they were read before
            _refuse_forms(named, options)
        panel = _masked(_altered(named, alter), options)
        panel = panel if panel.issues is not None else _with_forecasts(panel, "", options, alter)
        return with_derived(panel, options.derived) if options else panel
    source = named if isinstance(named, (str, Path)) else as_frame(named)
    if isinstance(source, str):
        source = on_disk(source)
    if isinstance(source, str) and is_database(source):
        found = Input(without_password(source), without_password(source))
        panel = read_panel(read_query(source, None if options is None else options.query), options, alter, found)
        return _with_forecasts(replace(panel, name=database_name(source)), "", options, alter)
    is_absent = not os.path.splitext(source)[1] and not os.path.exists(source) if isinstance(source, str) else False
    if is_absent and (near := nearest(str(source), DATASETS)):
        raise DataError(
            f"There is neither a file nor a built-in series {source!r}.",
            f"Did you mean {near}? See: {phrase('forecast datasets', 'forecast.DATASETS')}",
            setting="source",
            value=source,
            allowed=DATASETS,
        )
    are_revised = options is not None and options.issued_at is not None and options.known_forecasts is None
    revised = read_vintages(source, options, alter) if options is not None and are_revised else None
    panel = revised or _with_forecasts(read_panel(source, options, alter), source, options, alter)
    return panel if isinstance(source, pd.DataFrame) else _with_provenance(panel, Path(source), options)


def _with_forecasts(
    panel: Panel, source: str | Path | pd.DataFrame, options: ReadOptions | None, alter: Alter | None
) -> Panel:
    if options is None or options.known_forecasts is None:
        return panel
    return with_known_forecasts(panel, source, options, alter)


def on_disk(source: str, progress: Progress | None = None) -> str:
    """The file of what a service has, or of an address, fetched if it is not there; any other source as it is.

    Args:
        source: What to read; a file of that name comes first.
        progress: Receives what is waited for.

    Raises:
        ForecastError: Of the kind that fits, if it cannot be fetched.
    """
    if is_address(source):
        return str(download(source, progress=progress)[0])
    if not _SERVICE.fullmatch(source) or os.path.exists(source) or files_named(source):
        return source
    from forecast.sources.services.fetch import fetch

    fetched = fetch(source, progress=progress)
    if progress is not None and not fetched.was_there:
        progress.note(f"{source} is fetched into {fetched.path}")
    return str(fetched.path)


def _with_provenance(panel: Panel, path: Path, options: ReadOptions | None) -> Panel:
    """The panel of a file that was fetched, with its units, its main column, and a note on where it comes from.

    Columns that later events rewrite, as dividends do adjusted closes, know the future: who wants them names them.
    """
    document = document_beside(path)
    if document is None:
        return replace(panel, notes=(*panel.notes, *note_on_copy(path)))
    wanted = () if options is None else options.columns
    hindsight = [name for name in document["hindsight"] if name in panel.columns and name not in wanted]
    notes = [f"Fetched from {document['service']} at {document['asked_at']}; licence: {document['licence']}."]
    if hindsight:
        kept = tuple(name for name in panel.columns if name not in hindsight)
        why = f"Later events rewrite it ({setting('columns', ','.join([*kept, *hindsight]))} reads it all the same)."
        panel = replace(panel.select(kept), texts=panel.texts)
        panel = replace(panel, left_out=panel.left_out | dict.fromkeys(hindsight, Sentence(why)))
        notes.append(Sentence(f"Left out: {', '.join(map(quote, hindsight))}. {why}"))
    units = {name: unit for name, unit in document["units"].items() if name in panel.columns}
    target = panel.default_target or (document["target"] if document["target"] in panel.columns else None)
    return replace(panel, units=units | panel.units, default_target=target, notes=(*panel.notes, *notes))


def _altered(panel: Panel, alter: Alter | None) -> Panel:
    """The panel with other values, also where its codes are still to be told."""
    if alter is None:
        return panel
    values = panel.values.copy()
    for name, raw in panel.coded.items():
        values[:, panel.column(name)] = raw
    values, issues = alter(panel.times, values), panel.issues
    if issues is not None:
        issues = replace(issues, values=alter(issues.known_from, issues.values))
    return replace(
        panel, values=values, issues=issues, coded={name: values[:, panel.column(name)] for name in panel.coded}
    )


# What is asked of the rows of a panel: what else options say is of how a file or frame is written.
_OF_PANELS = {*FOUND, "missing", "spikes", "known_forecasts", "issue_delay", "holidays", "keep_sentinels"}


def _refuse_forms(panel: Panel, options: ReadOptions | None) -> None:
    """Refuse what options say of how rows are written, where they are a panel; those of a run have been heeded."""
    if options is None or options.codes is not None:
        return
    for name, value in options.model_dump(exclude_defaults=True, exclude=_OF_PANELS).items():
        raise ConfigError(
            f"{setting(name)} says how a file or a frame is read; {panel.name} is read already.",
            "Leave it out, or give the rows as a file or a frame.",
            setting=name,
            value=value,
        )


def _masked(panel: Panel, options: ReadOptions | None) -> Panel:
    """A panel without the values that the options take as missing."""
    if options is None:
        return panel
    panel = as_decided(panel, options)
    if not (options.missing or options.spikes == "missing"):
        return panel
    values = panel.values.copy()
    mended = mask_named(panel.columns, values, options.missing)
    if options.spikes == "missing":
        mended += mask_spikes(panel.columns, values, np.asarray(panel.offsets[:-1]))
    if not mended:
        return panel
    taken = np.isnan(values) & ~np.isnan(panel.values)
    coded = {name: np.where(taken[:, panel.column(name)], np.nan, raw) for name, raw in panel.coded.items()}
    masked, said_of_it = replace(panel, values=values, coded=coded), panel_warnings(panel)
    kept = [warning for warning in panel.warnings if warning not in said_of_it]
    return replace(masked, warnings=(*kept, *mended, *panel_warnings(masked, options)))


def kept(source: Source) -> Source:
    """The same, to be read more than once: a stream gives its rows only once, and a lazy frame computes them again."""
    named = named_together(source)
    return named if isinstance(named, (str, Path, Panel)) else as_frame(named)


def named_together(source: Source) -> Named:
    """A list of files as the source that names them all; any other source as it is."""
    if isinstance(source, list) and source and all(isinstance(path, (str, Path)) for path in source):
        return os.pathsep.join(map(str, source))
    return cast(Named, source)


def is_built_in(source: Source) -> bool:
    """Whether a source names a built-in series; a file of the same name comes first."""
    return isinstance(source, str) and source in DATASETS and not os.path.isfile(source)


def is_there(source: str) -> bool:
    """Whether a source that was read once is there to be read again."""
    if is_database(source):
        return is_database_there(source)
    files = [source, *source.split(os.pathsep), *glob.glob(source)]
    return is_built_in(source) or os.path.isdir(source) or any(map(os.path.isfile, files))


def report_notes(panel: Panel, progress: Progress) -> None:
    """Pass on what was inferred and what was mended while reading."""
    for note in panel.notes:
        progress.note(note)
    for warning in panel.warnings:
        progress.warn(warning)
