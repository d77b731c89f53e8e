"""Which column is forecast, and which others are fed: those that vary, cost few windows, and do not end early."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.choices.holes import LEAST_OBSERVED
from forecast.config import DataSettings, Settings
from forecast.data.newest import count_measured
from forecast.data.panel import Panel
from forecast.data.split import TEST, TRAIN, rows_before_test
from forecast.data.windows import Flags, Ints, fill_forward, index_windows, usable_and_seen
from forecast.errors import ConfigError, DataError, phrase, setting
from forecast.sources.formulas import expressions
from forecast.tables.timeparts import names_a_part

# Words in the names of columns that are set rather than measured: codes, places, marks of quality.
_NOT_MEASURED = {
    "id", "ids", "nr", "no", "code", "index", "idx", "number", "station", "stations", "store", "shop", "item", "zip",
    "postcode", "lat", "latitude", "lon", "lng", "longitude", "elevation", "altitude", "flag", "quality", "qn", "qc",
    "unix", "epoch", "timestamp",
}  # fmt: skip


def likeliest_target(panel: Panel) -> str:
    """The first column that seems measured: it varies, counts nothing, and is not called as a code or a place is."""
    first = panel.values[panel.rows(0)]
    for name, values in zip(panel.columns, first.T, strict=True):
        words = set(re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()))
        present = values[~np.isnan(values)]
        steps = np.diff(present)
        varies = len(np.unique(present)) > 2 and steps.min() != steps.max()
        if varies and not words & _NOT_MEASURED and not names_a_part(name):
            return name
    return panel.columns[0]


def settle_targets(panel: Panel, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The targets: as asked, else the one of the source.

    Args:
        panel: What was read.
        asked: Those that were asked for.

    Raises:
        DataError: If none was, and it is not clear which one is meant.
    """
    if asked:
        return asked
    if panel.default_target is None:
        name = likeliest_target(panel)
        example = phrase(f"--target {name!r}", f"target={name!r}", f'"target": {json.dumps(name)}')
        raise DataError(
            f"Which column should be forecast? There are {len(panel.columns)}: "
            f"{', '.join(panel.columns[:30])}{' …' if len(panel.columns) > 30 else ''}.",
            f"Name it with {setting('target')}, for example {example}."
            + (f" If each is a series of its own: {setting('wide', True)}." if panel.n_series == 1 else ""),
        )
    return (panel.default_target,)


def check_columns(panel: Panel, settings: Settings, targets: tuple[str, ...]) -> None:
    """Refuse columns that the panel lacks, that are named twice, or that the network has no use for.

    Args:
        panel: What was read.
        settings: What the user asked for.
        targets: Names of the targets.

    Raises:
        DataError: If the panel lacks one of them.
        ConfigError: Otherwise.
    """
    data = settings.data
    named = [*targets, *(name for name in data.covariates or () if name not in targets), *data.known]
    if made := [made.text for made in expressions(data.known) if made.text not in panel.columns]:
        raise ConfigError(
            f"known: what is made of other columns is not known ahead. Received: {made[0]}.",
            f"Name it with {setting('covariates', made[0])}.",
        )
    for name in named:
        if name not in data.known or name not in panel.texts:  # which are not numbers yet
            try:
                panel.column(name)
            except DataError as error:
                settings_of = {"target": targets, "static": data.static or (), "known": data.known}
                error.setting = next((part for part, names in settings_of.items() if name in names), "covariates")
                raise
    twice = [name for name in named if named.count(name) > 1]
    if twice:
        parts = ", ".join(map(setting, ("target", "covariates", "known")))
        raise ConfigError(f"Column {twice[0]!r} is named twice.", f"Give it to one of {parts}.")
    if data.known and settings.network.decode == "direct":
        raise ConfigError(
            f"known: decode = direct does not look ahead. Received: {', '.join(data.known)}.",
            f"Add {setting('decode', 'parallel')}, or use the model segment-lstm.",
        )


# A column is left out if fewer than this share of its values are there in the training rows.
_LEAST_PRESENT = 0.9

# The inputs together may cost at most this share of the windows of the training and the validation span.
_MOST_LOST = 0.1

# A column is left out if it is no longer measured in so much of the series.
_MOST_ENDED = 0.1


@dataclass(frozen=True)
class Inputs:
    """The covariates that were chosen.

    Args:
        kept: Their names, in the order of the panel.
        left_out: Why others were left out, by name. Those that never change are not among them.
    """

    kept: tuple[str, ...]
    left_out: dict[str, str]

    @property
    def why(self) -> str:
        """What is said of those that were left out; nothing if none was."""
        named = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
        return f"left out of the inputs: {named}" if named else ""


def choose_covariates(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    training_rows: Flags,
    known_rows: Flags,
    lookback: int,
    horizon: int,
    may_have_holes: bool,
) -> Inputs:
    """The covariates that are worth their windows.

    Those that cost the fewest windows are taken first, as long as together they cost at most a tenth of them. A column
    that is no longer measured when the test span begins is left out. Values of the test span decide nothing, nor does
    whether they are there: of a column that ends within it, the warning of the newest forecast tells.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        training_rows: Which rows belong to the training span, [T].
        known_rows: Which belong to it or to the validation span, [T].
        lookback: L.
        horizon: H.
        may_have_holes: Whether a window may have holes, so that missing inputs cost none.
    """
    least_present = LEAST_OBSERVED if may_have_holes else _LEAST_PRESENT
    spans = [rows for rows in map(panel.rows, range(panel.n_series)) if training_rows[rows].any()]
    candidates = []
    left_out: dict[str, str] = {}
    for column, name in enumerate(panel.columns):
        if name in targets or name in data.known:
            continue
        seen = [panel.values[rows, column][training_rows[rows]] for rows in spans]
        present = min((float(np.mean(~np.isnan(values))) for values in seen), default=0.0)
        n_alike = sum(bool(np.isnan(values).all() or np.nanmin(values) == np.nanmax(values)) for values in seen)
        if n_alike == len(seen):
            continue
        if n_alike:
            left_out[name] = f"it never changes in {n_alike:,} of {len(seen):,} series"
            continue
        if present < least_present:
            of_series = " of a series" if panel.n_series > 1 else ""
            left_out[name] = f"{1 - present:.0%} of its values{of_series} are missing"
        else:
            candidates.append(column)
    with_gaps = [column for column in candidates if np.isnan(panel.values[known_rows, column]).any()]
    if with_gaps:
        most_lost = 1.0 if may_have_holes else _MOST_LOST
        left_out |= _too_costly(panel, data, targets, with_gaps, known_rows, lookback, horizon, most_lost)
    kept = tuple(panel.columns[column] for column in candidates if panel.columns[column] not in left_out)
    return Inputs(kept, left_out)


def settle_covariates(
    panel: Panel,
    data: DataSettings,
    targets: tuple[str, ...],
    price: bool,
    part: Ints,
    lookback: int,
    horizon: int,
    may_have_holes: bool,
) -> Inputs:
    """The covariates: as asked, none beside a price, else those that are worth it.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        price: Whether the targets are prices, or volatilities.
        part: The part of each row, [T].
        lookback: L.
        horizon: H.
        may_have_holes: Whether windows may have holes.
    """
    if data.covariates is not None:
        return Inputs(tuple(name for name in data.covariates if name not in targets), {})
    if price:
        return Inputs((), {})  # open, high and low are nearly copies of the price: they add noise, not information
    return choose_covariates(panel, data, targets, part == TRAIN, part < TEST, lookback, horizon, may_have_holes)


def _too_costly(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    columns: Sequence[int],
    known_rows: Flags,
    lookback: int,
    horizon: int,
    most_lost: float,
) -> dict[str, str]:
    """Which of some columns with gaps are left out, and why; the others cost at most this share of the windows."""
    own = [panel.column(name) for name in (*targets, *data.known)]
    usable, seen = usable_and_seen(panel, data.longest_fill, own, own)

    def n_windows(inputs: Flags) -> int:
        return len(index_windows(panel, known_rows, inputs, seen, lookback, horizon))

    lasts = [slice(max(rows.start, rows.stop - lookback), rows.stop) for rows in _measured(panel, data, known_rows)]
    lasts = [rows for rows in lasts if rows.stop > rows.start and usable[rows].all()]
    left_out, costs = {}, []
    every = n_windows(usable)
    for column in columns:
        there = fill_forward(panel, data.longest_fill, column)[1]
        ended = sum(not there[rows].any() for rows in lasts)
        if ended > _MOST_ENDED * len(lasts):
            of_series = f" of {ended} of {len(lasts)} series" if panel.n_series > 1 else ""
            left_out[panel.columns[column]] = (
                f"it is no longer measured in the last {lookback:,} rows{of_series} before the test span"
            )
        else:
            costs.append((every - n_windows(usable & there), column, there))
    for cost, column, there in sorted(costs, key=lambda each: each[:2]):
        if cost > most_lost * every or every - n_windows(usable & there) > most_lost * every:
            left_out[panel.columns[column]] = f"it would cost {cost / max(every, 1):.0%} of the windows"
        else:
            usable = usable & there
    return left_out


def _measured(panel: Panel, data: DataSettings, known_rows: Flags) -> list[slice]:
    """The rows of each series before the test span, up to the last one that holds more than what is known ahead."""
    spans = rows_before_test(panel, known_rows)
    if not data.known:
        return spans
    order = [column for column, name in enumerate(panel.columns) if name not in data.known]
    order += map(panel.column, data.known)
    n_known = len(data.known)
    return [slice(rows.start, rows.start + count_measured(panel.values[rows][:, order], n_known)) for rows in spans]


def static_columns(panel: Panel, known_rows: Flags) -> tuple[str, ...]:
    """The columns that never change in a series, and are not the same in all series; none of a single series.

    Args:
        panel: What was read.
        known_rows: Which rows belong to the training or the validation span, [T].
    """
    starts = np.array(panel.offsets[:-1])[np.diff(panel.offsets) > 0]
    if len(starts) < 2:
        return ()
    are_read = {name.partition("=")[0] for name in panel.columns}
    texts = {
        name: np.where(text.codes < 0, np.nan, text.codes)
        for name, text in panel.texts.items()
        if name not in are_read and len(text.words) < len(starts)  # more tell the series, and no more
    }
    found = []
    for name, column in [*zip(panel.columns, panel.values.T, strict=True), *texts.items()]:
        known = np.where(known_rows, column, np.nan)
        low, high = np.fmin.reduceat(known, starts), np.fmax.reduceat(known, starts)
        measured = ~np.isnan(low)
        if (low[measured] == high[measured]).all() and len(np.unique(low[measured])) > 1:
            found.append(name)
    return tuple(found)


def settle_static(
    panel: Panel, data: DataSettings, targets: tuple[str, ...], known_rows: Flags
) -> tuple[tuple[str, ...], str]:
    """The static columns that are fed, which are those that were named, and what is said of others.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        known_rows: Which rows belong to the training or the validation span, [T].

    Raises:
        DataError: If one that was named changes in a series.
    """
    found = static_columns(panel, known_rows)
    if data.static is not None:
        for name in data.static:
            if panel.n_series == 1 and not _never_changes(panel, name, known_rows):
                raise DataError(
                    f"static: {name!r} changes.", f"Name it with {setting('covariates')} or {setting('known')}."
                )
            if panel.n_series > 1 and name not in found:
                raise DataError(
                    f"static: {name!r} changes in a series, or is the same in all of them.",
                    f"Static columns of this table: {', '.join(map(repr, found)) or 'none'}. Others are "
                    f"{setting('covariates')} or {setting('known')}.",
                )
        return data.static, ""
    others = [*targets, *(data.covariates or ()), *data.known]
    found = tuple(name for name in found if name not in others)
    if not found:
        return (), ""
    # On simulated panels of 20 and 60 series they made forecasts of series never seen worse, whether they told or not.
    return (), f"never change in a series, and describe it: {', '.join(found)}; not fed, unless named as static"


def _never_changes(panel: Panel, name: str, known_rows: Flags) -> bool:
    """Whether a column of a single series, of words or of numbers, has one value in these rows [T]."""
    text = panel.texts.get(name)
    cells = panel.values[:, panel.column(name)] if text is None else np.where(text.codes < 0, np.nan, text.codes)
    known = cells[known_rows]
    return len(np.unique(known[~np.isnan(known)])) <= 1
