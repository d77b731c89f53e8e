"""What is chosen, read and fitted before a cut-off, made again from tables with other futures.

The table is altered where it has been parsed and nothing has been told by its values yet: what later values could
decide of the reading, of the open settings and of the training, they decide here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.choices.defaults import resolve
from forecast.commands.audit.altered import AlteredPanel
from forecast.commands.audit.checks import (
    Check,
    check_identical,
    first_unequal,
    row_difference,
    row_in_words,
    scaler_difference,
    windows_difference,
)
from forecast.config import Config, ReadOptions, Settings
from forecast.data.clock import STEP, Times
from forecast.data.codes import decide_codes
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, Rows, arrange, encode, lay_out
from forecast.data.scaling import unscaled
from forecast.data.split import TRAIN, VALIDATION, are_alike, at_or_after
from forecast.data.windows import Flags
from forecast.data.words import as_decided, with_words
from forecast.errors import ForecastError
from forecast.progress import StopRequested
from forecast.sources.read import Source, read

# What later values become, in units of the largest of their column: far off, zero, below zero, and as usual.
_FAR = (1000.0, 0.0, -10.0, 0.5)

# Codes that may mean missing, and in which share of the later rows they stand.
_CODES, _ONE_IN = (99.9, 999.9, -9999.0, 9999.0), 2


def _changed(values: Floats, later: Flags, order: Any) -> Floats:
    size = np.fmax.reduce(np.abs(values), axis=0, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    return np.where(later[:, None], np.take(_FAR, order % len(_FAR))[:, None] * size, values)


def _coded(values: Floats, later: Flags, order: Any) -> Floats:
    codes = np.take(_CODES, order // _ONE_IN % len(_CODES))
    return np.where((later & (order % _ONE_IN == 0))[:, None], codes[:, None], values)


def _emptied(values: Floats, later: Flags, _: Any) -> Floats:
    return np.where(later[:, None], np.nan, values)


# Other values for the later rows of a table [R, C]; rows of one time, whose number is given, get the same.
FUTURES: Mapping[str, Callable[[Floats, Flags, Any], Floats]] = {
    "changed": _changed,
    "filled with codes": _coded,
    "emptied": _emptied,
}
_FUTURES_IN_WORDS = f"{', '.join([*FUTURES][:-1])} and {[*FUTURES][-1]}"


class Table:
    """A source that is read again with other values from some time on.

    Args:
        source: What was read.
        options: How.
        panel: What came of it; read in place of a source that has no times of its own, or can be read only once.
    """

    def __init__(self, source: Source, options: ReadOptions, panel: Panel) -> None:
        once = isinstance(source, str) and source == "-"
        self.source: Source = panel if once or panel.clock.freq == STEP else source
        self.options, self.panel = options, panel

    def altered(self, future: str, since: Times) -> Panel:
        """The panel that is read if all values from the time of their series [S] on are others.

        In a table of its own the row of that time is left as it is: its stamp may be moved to its place by less than
        a step. Where series have times of their own, what was read is altered: a table does not say whose a row is.
        """
        is_common = are_alike(since)
        first = since[0]
        if is_common and not isinstance(self.source, Panel):
            later = np.unique(self.panel.times[self.panel.times >= first])
            first = later[min(1, len(later) - 1)]

        def alter(times: Times, values: Floats) -> Floats:
            order = np.unique(times, return_inverse=True)[1]
            if is_common or len(times) != self.panel.n_rows:  # forecasts of inputs are altered by when they were known
                later = times >= (first if is_common else since.max())
            else:
                later = at_or_after(self.panel, since)
            return FUTURES[future](values, later, order)

        return read(self.source if is_common else self.panel, self.options, alter)


@dataclass(frozen=True)
class Learning:
    """What was learned before a cut-off.

    Args:
        prepared: What the networks learned from.
        panel: What it was prepared from, its codes decided.
        decided: The time of each series before which the rows decided them, [S]; None for codes that stay as they are.
        prepare: Prepares a panel in the same way; takes the parts that must hold a window.
    """

    prepared: Prepared
    panel: Panel
    decided: Times | None
    prepare: Callable[[Panel, Sequence[int]], Prepared]


def check_choices(table: Table, asked: Settings, since: Times, config: Config | None = None) -> Check:
    """Whether the open settings are chosen alike, whatever stands in a table from a time on.

    Args:
        table: What they are chosen by.
        asked: The settings before.
        since: The time, of each series [S].
        config: What was chosen once; None if that is not known.
    """
    true, _ = resolve(asked, table.panel)
    # Which members a portfolio has is the program's choice as well, and it may have others now.
    once_and_now = [] if config is None else [each.with_portfolio(()) for each in (config, true)]
    differences = [f"{what} now" for what in (_config_difference(*once_and_now) if once_and_now else ())]
    for future in FUTURES:
        then = f"with all {_since_in_words(table, since)} {future}"
        try:
            other, _ = resolve(asked, table.altered(future, since))
        except StopRequested:
            raise
        except ForecastError as error:
            differences.append(f"{then}, they are refused: {error.message}")
            continue
        differences += [f"{what} {then}" for what in _config_difference(true, other)]
    return check_identical("choices", f"open settings, chosen again with {_in_words(table, since)}", differences)


def check_learning(table: Table, fits: Sequence[Learning]) -> list[Check]:
    """Whether rows are read, scalers fitted and windows made alike, whatever stands in a table after their spans."""
    reading: list[str] = []
    scalers: list[str] = []
    windows: list[str] = []
    for fit in fits:
        true, split = fit.prepared, fit.prepared.split.of_source(table.panel.n_series)
        learned = split.validation_from if fit.decided is None else np.maximum(split.validation_from, fit.decided)
        for parts, since in (((TRAIN,), learned), ((TRAIN, VALIDATION), split.test_from)):
            for future in FUTURES:
                then = f"with all {_since_in_words(table, since)} {future}"
                panel = table.altered(future, since)
                if fit.decided is None:
                    panel = as_decided(panel, true.config.read)
                else:
                    panel = decide_codes(panel, ~at_or_after(panel, fit.decided))
                    panel = with_words(panel, true.config.read.notation)
                reading += [f"{what} {then}" for what in _panel_difference(fit.panel, panel, since)]
                other = fit.prepare(panel, parts)
                moved = scaler_difference(true.scaler, other.scaler)
                scalers += [f"{then}, {moved} before"] if moved else []
                windows += [f"{what} {then}" for what in _differences(true, other, parts, since)]
    first, last = (fits[number].prepared.split.of_source(table.panel.n_series) for number in (0, -1))
    n_windows = sum(len(fit.prepared.train) + len(fit.prepared.validation) for fit in fits)
    n_rows = int((~at_or_after(table.panel, last.test_from)).sum())
    fitted = "fitted" if len(fits) == 1 else f"of {len(fits)} fits, the first"
    return [
        check_identical("reading", f"{n_rows:,} rows, read again with {_in_words(table, last.test_from)}", reading),
        check_identical("scaler, future changed", f"{fitted} with {_in_words(table, first.validation_from)}", scalers),
        check_identical(
            "training windows",
            f"{n_windows:,} training and validation windows and their inputs, with all that is later so altered",
            windows,
        ),
    ]


def check_inputs(table: Table, rows: Rows, config: Config, origins: Sequence[np.datetime64]) -> Check:
    """Whether all that may be fed up to some origins is the same, whatever stands in a table after each."""
    differences = []
    for origin in origins:
        since = np.full(table.panel.n_series, rows.panel.times[rows.panel.times > origin].min())
        past_rows = np.flatnonzero(rows.panel.times <= origin)
        for future in FUTURES:
            arranged = arrange(as_decided(table.altered(future, since), config.read), config.data)
            panel = lay_out(arranged, config.data)
            other = encode(panel, config.data, unscaled(panel))
            altered = AlteredPanel(panel, np.arange(panel.n_rows))
            difference = row_difference(rows, other, altered, past_rows)
            then = f"with all that is later {future}"
            differences += [f"after {panel.clock.format(origin)}, {difference} {then}"] if difference else []
    *others, last = FUTURES
    done = (
        f"filled values and inputs up to {len(origins)} origins, with all that is later {', '.join(others)} and {last}"
    )
    return check_identical("inputs", done, differences)


def _in_words(table: Table, since: Times) -> str:
    n_rows = int(at_or_after(table.panel, since).sum())
    return f"all {n_rows:,} rows {_since_in_words(table, since)} {_FUTURES_IN_WORDS}"


def _since_in_words(table: Table, since: Times) -> str:
    if are_alike(since):
        return f"from {table.panel.clock.format(since[0])} on"
    return "after the cut-off of their series"


def _config_difference(config: Config, other: Config) -> list[str]:
    """Every setting that is chosen otherwise, in one sentence; empty if none is."""
    # But for what was decided on members of a portfolio while they were trained.
    chosen, chosen_then = (part.before_decisions().model_dump() for part in (config, other))
    differences = [
        f"{field} is {value!r}, and {chosen_then[section][field]!r}"
        for section, fields in chosen.items()
        if section in Settings.model_fields
        for field, value in fields.items()
        if value != chosen_then[section][field]
    ]
    planned, planned_then = ([member["name"] for member in plan["portfolio"]] for plan in (chosen, chosen_then))
    if planned != planned_then:
        differences.append(f"members are {', '.join(planned)}, and {', '.join(planned_then)}")
    return ["; ".join(differences)] if differences else []


def _panel_difference(panel: Panel, other: Panel, since: Times) -> Iterator[str]:
    """The first value before the time of its series [S] that is read otherwise."""
    if panel.columns != other.columns:
        yield f"the columns are {', '.join(panel.columns)}, and {', '.join(other.columns)}"
        return
    rows, other_rows = (np.flatnonzero(~at_or_after(one, since)) for one in (panel, other))
    if first_unequal(panel.times[rows], other.times[other_rows]) is not None:
        yield "the rows have these times, and others"
        return
    index = first_unequal(panel.values[rows], other.values[other_rows])
    if index is not None:
        row, column = int(rows[index[0]]), index[1]
        value, then = panel.values[row, column], other.values[other_rows[index[0]], column]
        yield f"{panel.columns[column]!r} {row_in_words(panel, row)} is {value:g}, and {then:g}"


def _differences(true: Prepared, other: Prepared, parts: Sequence[int], since: Times) -> Iterator[str]:
    """The first window or input before the time of its series [S] that is another."""
    if difference := windows_difference(true, other, parts):
        yield difference
        return
    arranged = true.rows.panel
    past_rows = np.flatnonzero(~at_or_after(arranged, np.repeat(since, arranged.n_series // len(since))))
    altered = AlteredPanel(other.rows.panel, np.arange(other.rows.panel.n_rows))
    if difference := row_difference(true.rows, other.rows, altered, past_rows):
        yield difference
