"""From a panel and a configuration to scaled rows and the windows of each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.config import Config, DataConfig
from forecast.data.bounds import TURN, Bounds, bounds_of, unwrap_panel
from forecast.data.features import Calendar
from forecast.data.holes import fill_within, on_whole_clock
from forecast.data.issues import AsOf
from forecast.data.normals import Normals, fit_normals
from forecast.data.panel import Floats, Panel
from forecast.data.scaling import Scaler, fit_scaler
from forecast.data.split import PARTS, TEST, TRAIN, VALIDATION, Split, split_panel
from forecast.data.windows import Flags, Ints, Windows, fewest_of, fill_forward, index_windows, index_windows_with_holes
from forecast.data.words import as_decided
from forecast.errors import DataError, Sentence, quote, setting

# Inputs of this many rows are computed once and kept. With the calendar, the inputs of more rows would take more memory
# than their values, and are computed on demand.
_MOST_KEPT = 1 << 20

# Rows of the longest gap that becomes rows of missing values; whatever the lookback, so that models can be compared.
_LONGEST_GAP = 1000

_ALL = (TRAIN, VALIDATION, TEST)


@dataclass(frozen=True)
class Rows:
    """The rows of a panel, scaled for the network.

    Args:
        panel: Targets first, then past covariates, then known covariates.
        n_targets: D, the number of targets.
        n_covariates: P, the number of past covariates.
        filled: For each target, the rows that were filled forward, ascending, and their values.
        scaled: The columns of the panel, filled and scaled, float32 [T, C]; 0 where a row is not usable. Measured
            columns of masked rows are not filled: NaN where a value is missing.
        calendar: The calendar features.
        masked: Whether windows may have holes, of which the network is told.
        usable: Which rows a lookback may contain: no column is missing after filling, [T]; all rows if masked.
        seen: Which rows a horizon may contain: every target and known covariate is there, [T].
        logged: Whether the targets are logged before they are scaled.
        bounds: The bounds of the targets of each series.
        series: The index of each row's series in the panel, [T].
        identity: The index of each row's series among the S series that the run was trained on, [T]; S if it is none.
        n_identities: S.
        scaler: The statistics of the panel's series.
        one_unit: Whether errors of all targets can be added: they have one unit of measurement, or there is one target.
        normals: What the training rows say of the targets of the panel's series for all time; None if it is not known.
        normals_known: Which entry of ``normals`` a forecast from each row goes by, [T]: that of its series; in a
            backtest of several fits, that of its series as its fit knows it.
        as_of: By the index of their columns, what was known of columns that were issued again and again.
    """

    panel: Panel
    n_targets: int
    n_covariates: int
    filled: tuple[tuple[Ints, Floats], ...]
    scaled: NDArray[np.float32]
    calendar: Calendar
    masked: bool
    usable: Flags
    seen: Flags
    logged: bool
    bounds: Bounds
    series: Ints
    identity: Ints
    n_identities: int
    scaler: Scaler
    one_unit: bool
    normals: Normals | None
    normals_known: Ints
    as_of: Mapping[int, AsOf] = field(default_factory=dict)

    @property
    def volatility(self) -> bool:
        """Whether the targets tell how much a series moves."""
        return self.normals is not None and self.normals.har is not None

    @property
    def n_known(self) -> int:
        """K, the number of inputs that are known ahead, calendar features included."""
        return self.scaled.shape[1] + self.calendar.width - self.n_targets - self.n_covariates

    @property
    def categories(self) -> tuple[int, ...]:
        """How many numbers of words each of the first inputs that are known ahead has; none where no words are fed."""
        return tuple(self.scaler.categories.values())

    def filled_at(self, rows: Ints) -> Floats:
        """Targets at these rows [...] in their own units, missing ones filled forward, [..., D]."""
        values = self.observed(rows)
        for target, (filled_rows, filled_values) in enumerate(self.filled):
            if len(filled_rows):
                index = np.minimum(np.searchsorted(filled_rows, rows), len(filled_rows) - 1)
                is_filled = filled_rows[index] == rows
                values[..., target] = np.where(is_filled, filled_values[index], values[..., target])
        return values

    @property
    def inputs(self) -> NDArray[np.float32]:
        """The inputs of the network at all rows, as of `inputs_at`; a copy."""
        return self.inputs_at(np.arange(self.panel.n_rows))

    def inputs_at(self, rows: Ints) -> NDArray[np.float32]:
        """Scaled columns and then the calendar at these rows [...], [..., C + calendar]; what windows are made of."""
        if self.panel.n_rows <= _MOST_KEPT:
            return self._kept_inputs.take(rows, axis=0)
        return self._computed_inputs(rows)

    def window_inputs(self, starts: Ints, lookback: int, horizon: int) -> NDArray[np.float32]:
        """The inputs of windows by their first rows [B], as known at their origins, [B, L + H, C + calendar].

        Of a column that was issued again and again, each step is the newest issue that was known at the origin; a step
        of the lookback is what the source holds itself, where that is so. What no issue tells ahead is carried forward.
        """
        rows, last = starts[:, None] + np.arange(lookback + horizon), lookback - 1
        window = self.inputs_at(rows)
        for column, as_of in self.as_of.items():
            looked_up = slice(lookback if as_of.is_measured else 0, None if self._is_ahead(column) else lookback)
            known = as_of.at(rows[:, looked_up], rows[:, last, None])
            known[(known <= 0) & self.scaler.logged[column]] = np.nan
            scaled = np.empty(known.size, np.float32)
            self.scaler.transform(known.ravel(), self.series[rows[:, looked_up]].ravel(), column, scaled)
            kept = window[:, looked_up, column]
            window[:, looked_up, column] = np.where(np.isnan(known), kept, scaled.reshape(known.shape))
            if self._is_ahead(column):
                ahead = window[:, last:, column]
                ahead[:, 1:][np.isnan(known[:, -horizon:])] = np.nan
                window[:, last:, column] = fill_within(ahead[..., None])[0][..., 0]
        return window

    def know_ahead(self, cutoffs: Ints, horizon: int, least: float) -> dict[int, Flags]:
        """By column, after which rows [n] at least a share of H steps was told by issues known at them, [n]."""
        ahead, fewest = filter(self._is_ahead, self.as_of), fewest_of(horizon, least)
        return {column: self.as_of[column].count_ahead(cutoffs, horizon) >= fewest for column in ahead}

    def _is_ahead(self, column: int) -> bool:
        return column >= self.n_targets + self.n_covariates

    @cached_property
    def _kept_inputs(self) -> NDArray[np.float32]:
        return self._computed_inputs(np.arange(self.panel.n_rows)) if self.calendar.width else self.scaled

    def _computed_inputs(self, rows: Ints) -> NDArray[np.float32]:
        if not self.calendar.width:
            return self.scaled.take(rows, axis=0)
        return np.concatenate([self.scaled.take(rows, axis=0), self.calendar.at(rows)], axis=-1)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the D targets."""
        return self.panel.columns[: self.n_targets]

    @property
    def unit(self) -> str:
        """The common unit of measurement of the targets; empty if it is unknown or they differ."""
        return common_unit(self.panel, self.n_targets)

    @cached_property
    def unique_ids(self) -> tuple[tuple[str, ...], ...]:
        """As of `unique_ids_of`."""
        return unique_ids_of(self.panel, self.targets)

    @property
    def angles(self) -> frozenset[str]:
        """The unique ids that are angles."""
        indices = zip(*np.nonzero(self.bounds.circular), strict=True)
        return frozenset(self.unique_ids[series][target] for series, target in indices)

    def series_values(self, series: int, target: int) -> Floats:
        """The observed values of one series and target, angles within 0 … 360; NaN where missing."""
        values = self.panel.values[self.panel.rows(series), target]
        return values % TURN if self.bounds.circular[series, target] else values

    @property
    def target_is_seen(self) -> Flags:
        """Which targets were observed, [T, D]."""
        return ~np.isnan(self.panel.values[:, : self.n_targets])

    def observed(self, rows: Ints) -> Floats:
        """The observed targets at these rows [...], in their own units, [..., D]; NaN where missing."""
        return self.panel.values[rows, : self.n_targets]


@dataclass(frozen=True)
class Prepared:
    """All that training and scoring need: rows, scaler, split, and the windows of each part."""

    config: Config
    rows: Rows
    scaler: Scaler
    split: Split
    train: Windows
    validation: Windows
    test: Windows

    @property
    def training_rows(self) -> Flags:
        """Which rows belong to the training span, [T]."""
        return self.split.part_of(self.rows.panel) == TRAIN


def common_unit(panel: Panel, n_targets: int) -> str:
    """The common unit of measurement of the first columns; empty if it is unknown or they differ."""
    units = {panel.units.get(name, "") for name in panel.columns[:n_targets]}
    return units.pop() if len(units) == 1 else ""


def count_targets(config: DataConfig) -> int:
    """D, the number of targets that one window forecasts: 1 if channels are independent."""
    return 1 if config.channels == "independent" else len(config.target)


def arrange(panel: Panel, config: DataConfig) -> Panel:
    """The panel with the targets first, then past covariates, then known ones.

    If channels are independent, each target becomes a series of its own. Angles are unwrapped. A value that has no
    logarithm is missing where targets are logged. What is known ahead and was not measured is what was forecast of it.
    """
    if config.channels == "independent" and len(config.target) > 1:
        arranged = _melt(panel, config.target, config.covariates + config.known)
    else:
        arranged = panel.select(config.target + config.covariates + config.known)
    if config.transform == "log":
        values = arranged.values.copy()
        logged = values[:, : count_targets(config)]
        logged[logged <= 0] = np.nan
        arranged = replace(arranged, values=values)
    for name, as_of in arranged.as_of().items():
        if name in config.known:
            values, rows = arranged.values.copy(), np.arange(arranged.n_rows)
            column = values[:, arranged.column(name)]
            column[:] = np.where(np.isnan(column), as_of.at(rows, rows), column)
            arranged = replace(arranged, values=values)
    return unwrap_panel(arranged, bounds_of(np.arange(arranged.n_series), config))


def values_without_logarithm(panel: Panel, config: DataConfig) -> dict[str, str]:
    """What is said of the values that `arrange` takes as missing where targets are logged, by target.

    `resolve` refuses to log such values; later ones are no reason not to, as what comes after chooses nothing.

    Args:
        panel: What was read.
        config: The run's data configuration.
    """
    said: dict[str, str] = {}
    for name in config.target if config.transform == "log" else ():
        values = panel.values[:, panel.column(name)]
        rows = np.flatnonzero(values <= 0)
        if len(rows):
            first = f"{values[rows[0]]:g} at {panel.clock.format(panel.times[rows[0]])}"
            have = f"{first} has" if len(rows) == 1 else f"{len(rows):,} values, the first {first}, have"
            said[name] = Sentence(
                f"{quote(name)}: {have} no logarithm, and the run takes logarithms: read as missing, so that no "
                f"forecast of it is scored ({setting('transform', 'none')} forecasts such values, too)."
            )
    return said


def _melt(panel: Panel, targets: tuple[str, ...], covariates: tuple[str, ...]) -> Panel:
    """The panel with one target column, in which each target of each series is a series.

    So the network shares its weights over the channels, and scaler, windows and scores treat each as a series.
    """
    picked = [panel.column(name) for name in targets]
    shared = [panel.column(name) for name in covariates]
    units = {panel.units.get(name, "") for name in targets}
    values, times, names, offsets = [], [], [], [0]
    for series, name in enumerate(panel.series_ids):
        rows = panel.rows(series)
        for column, target in zip(picked, targets, strict=True):
            values.append(panel.values[rows][:, [column, *shared]])
            times.append(panel.times[rows])
            names.append(f"{name}/{target}" if name else target)
            offsets.append(offsets[-1] + rows.stop - rows.start)
    return Panel(
        values=np.concatenate(values),
        times=np.concatenate(times),
        columns=(_unused_name("value", covariates), *covariates),
        clock=panel.clock,
        series_ids=tuple(names),
        offsets=tuple(offsets),
        name=panel.name,
        units={_unused_name("value", covariates): units.pop() if len(units) == 1 else ""},
        issues=panel.issues and panel.issues.of_channels(targets),
    )


def _unused_name(name: str, taken: tuple[str, ...]) -> str:
    return name if name not in taken else _unused_name(f"{name} of the channel", taken)


def encode(panel: Panel, config: DataConfig, scaler: Scaler) -> Rows:
    """Fill missing values, scale, and add the calendar.

    Args:
        panel: Columns in the order of `arrange`.
        config: The data configuration.
        scaler: The run's scaler, with the panel's series.
    """
    n_targets, masked = count_targets(config), config.least_observed < 1
    n_columns, n_covariates = len(panel.columns), len(config.covariates)
    longest_fill = panel.n_rows if masked else config.longest_fill
    series, positions = panel.series_of_row(), scaler.positions(panel.series_ids)
    identities = np.minimum(positions, scaler.n_trained)
    own_scaler = scaler.for_series(panel.series_ids)
    # Column by column, for float64 copies of all columns would take many times the memory of the panel.
    scaled = np.empty((panel.n_rows, n_columns), np.float32)
    usable, seen = np.ones(panel.n_rows, bool), np.ones(panel.n_rows, bool)
    filled_targets, issued, as_of = [], panel.as_of(), dict[int, AsOf]()
    for column in range(n_columns):
        filled, is_there = fill_forward(panel, longest_fill, column)
        own_scaler.transform(filled, series, column, scaled[:, column])
        missing = np.isnan(panel.values[:, column])
        if masked and column < n_targets + n_covariates:
            scaled[missing, column] = np.nan
        usable &= is_there | masked
        if panel.columns[column] in issued and not (column < n_targets and config.circular):
            as_of[column] = issued[panel.columns[column]]
        if column < n_targets or (column >= n_targets + n_covariates and column not in as_of):
            seen &= ~missing
        if column < n_targets:
            filled_rows = np.flatnonzero((filled != panel.values[:, column]) & ~np.isnan(filled))
            filled_targets.append((filled_rows, filled[filled_rows]))
    return Rows(
        panel=panel,
        n_targets=n_targets,
        n_covariates=n_covariates,
        filled=tuple(filled_targets),
        scaled=scaled,
        calendar=Calendar(panel.times, panel.clock if config.calendar else None),
        masked=masked,
        usable=usable,
        seen=seen,
        logged=config.transform == "log",
        bounds=bounds_of(positions, config),
        series=series,
        # Of the panel that the run is trained on, one array is both.
        identity=series if (identities == np.arange(panel.n_series)).all() else panel.per_row(identities),
        n_identities=scaler.n_trained,
        scaler=own_scaler,
        one_unit=len(config.target) == 1 or bool(common_unit(panel, n_targets)),
        normals=own_scaler.normals,
        normals_known=series,
        as_of=as_of,
    )


def prepare(panel: Panel, config: Config, needed: Sequence[int] = _ALL, scaler: Scaler | None = None) -> Prepared:
    """Split, fit the scaler on training rows alone, scale, and index the windows of each part.

    Args:
        panel: What `forecast.read` returned.
        config: What `forecast.resolve` returned.
        needed: The parts that must hold a window.
        scaler: Of a run that is continued, whose networks know its scales; None to fit one.

    Raises:
        DataError: If a needed part would hold no complete window; says how many rows it needs.
    """
    panel = as_decided(panel, config.read)
    arranged = arrange(panel, config.data)
    split = split_panel(arranged, config.data)
    arranged = lay_out(arranged, config.data)
    part = split.part_of(arranged)
    if scaler is None:
        logged = arranged.columns[: count_targets(config.data)] if config.data.transform == "log" else ()
        circular = bounds_of(np.arange(arranged.n_series), config.data).circular
        scaler = fit_scaler(arranged, part == TRAIN, logged, config.data.known, circular)
        har_steps = config.data.horizon * config.data.volatility
        normals = fit_normals(arranged, part == TRAIN, count_targets(config.data), config.data.season, har_steps)
        scaler = replace(scaler.keeping(config.categories), normals=normals)
    rows = encode(arranged, config.data, scaler)
    windows = [windows_of(rows, part == number, config.data) for number in _ALL]
    for number, of_part in enumerate(windows):
        if number in needed and not len(of_part):
            raise _no_window(rows, part == number, PARTS[number], config.data)
    return Prepared(config, rows, scaler, split, *windows)


def lay_out(arranged: Panel, config: DataConfig) -> Panel:
    """An arranged panel as windows are taken from it: if they may have holes, with a row for each step of the clock.

    The longest gaps stay gaps: nearly all windows in which one lies would have too few values.
    """
    return on_whole_clock(arranged, _LONGEST_GAP) if config.least_observed < 1 else arranged


def windows_of(rows: Rows, part_rows: Flags, config: DataConfig) -> Windows:
    """The windows whose horizon lies in these rows [T]."""
    if rows.masked:
        windows = index_windows_with_holes(
            rows.panel,
            part_rows & _followed_by_measured(rows) if config.known else part_rows,
            rows.target_is_seen,
            config.least_observed,
            config.lookback,
            config.horizon,
        )
    else:
        windows = index_windows(rows.panel, part_rows, rows.usable, rows.seen, config.lookback, config.horizon)
    known = [*rows.know_ahead(windows.cutoffs, config.horizon, config.least_observed).values()]
    return replace(windows, starts=windows.starts[np.all(known, axis=0)]) if known else windows


def _followed_by_measured(rows: Rows) -> Flags:
    """Which rows do not come after the last measured one of their series, [T]: no horizon reaches into the future."""
    missing = np.isnan(rows.panel.values[:, : rows.n_targets + rows.n_covariates])
    measured = ~np.logical_and.reduce(missing, axis=1)
    numbers, beyond = np.arange(rows.panel.n_rows), rows.panel.n_rows - 1
    following = np.minimum.accumulate(np.where(measured, numbers, beyond)[::-1])[::-1]
    return np.asarray(measured[following] & (rows.series[following] == rows.series))


def forecasts_in_units(scaled: NDArray[np.floating], rows: Rows, starts: Ints) -> Floats:
    """Scaled forecasts in the targets' own units, within their limits.

    Args:
        scaled: [N, H, D], or quantiles [N, H, D, Q].
        rows: The rows that the windows index.
        starts: First row of each window, [N].
    """
    series = rows.series[starts]
    return rows.bounds.clip(rows.scaler.inverse(scaled.astype(np.float64), series), series)


def long_format(rows: Rows, windows: Windows, picked: Ints, columns: Mapping[str, Floats]) -> pd.DataFrame:
    """The table of `long_columns`."""
    # Not copied: each column by itself, so that it can be let go by itself.
    return pd.DataFrame(long_columns(rows, windows, picked, columns), copy=False)


def unique_ids_of(panel: Panel, targets: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The ``unique_id`` of each series and target, [S][D]: name of the series, of the target, or both."""
    alone = len(targets) == 1
    return tuple(tuple((s or t) if alone else f"{s}/{t}" if s else t for t in targets) for s in panel.series_ids)


def long_columns(rows: Rows, windows: Windows, picked: Ints, columns: Mapping[str, Floats]) -> dict[str, Any]:
    """Some windows in long format: ``unique_id``, ``ds``, ``cutoff`` and these columns, angles within 0 … 360.

    Args:
        rows: The rows that the windows index.
        windows: N windows.
        picked: Indices of n windows.
        columns: Values in the targets' own units by name, [n, H, D].
    """
    horizon, n_targets, clock = windows.horizon, rows.n_targets, rows.panel.clock
    series = rows.series[windows.starts[picked]]
    ids = np.array([rows.unique_ids[number] for number in series], dtype=object)
    times = np.repeat(rows.panel.times[windows.future(picked)][:, None], n_targets, axis=1)
    return {
        "unique_id": np.repeat(ids.reshape(-1), horizon),
        "ds": clock.local(times.reshape(-1)),
        "cutoff": clock.local(np.repeat(rows.panel.times[windows.cutoffs[picked]], horizon * n_targets)),
    } | {
        name: rows.bounds.wrap_angles(values, series).transpose(0, 2, 1).reshape(-1) for name, values in columns.items()
    }


def _no_window(rows: Rows, part_rows: Flags, part: str, config: DataConfig) -> DataError:
    lookback, horizon = config.lookback, config.horizon
    needed = horizon + (lookback if part == "train" else 0)
    share = {"train": 1 - config.validation - config.test, "validation": config.validation, "test": config.test}[part]
    n_rows = int(part_rows.sum())
    advice = f"Use a shorter {setting('lookback')} or {setting('horizon')}, or more rows."
    has_dates = config.validation_from or config.test_from  # so that no share says how long a span is
    in_all = ", of" if has_dates else f"; that takes about {-(-needed // share):.0f} rows in all, there are"
    if n_rows < needed * rows.panel.n_series:
        return DataError(
            f"Too short: the {part} span needs at least {needed} rows for a lookback of {lookback} and a horizon of "
            f"{horizon}, has {n_rows // rows.panel.n_series}{in_all} {rows.panel.n_rows // rows.panel.n_series}.",
            advice,
        )
    if rows.as_of and len(windows_of(replace(rows, as_of={}), part_rows, config)):
        names = " and ".join(quote(rows.panel.columns[column]) for column in rows.as_of)
        what = f"At no row of the {part} span was {names} known for the {horizon} steps ahead."
        fewer = setting("least_observed", 0.3)
        return DataError(what, f"Use a shorter {setting('horizon')}; {fewer} if not each step has a forecast.")
    if rows.masked:
        return DataError(
            f"The {part} span has {n_rows} rows, but in no window of {lookback} + {horizon} of them are "
            f"{config.least_observed:.0%} of a target there, before the cut-off and after.",
            f"{advice} Or a smaller share: {setting('least_observed', round(config.least_observed / 5, 3))}; forecast "
            "inspect shows where values are missing.",
        )
    unseen, unfed = (int((part_rows & ~flags).sum()) for flags in (rows.seen, rows.usable))
    return DataError(
        f"The {part} span has {n_rows} rows, but gaps and missing values leave no unbroken window of {lookback} + "
        f"{horizon}: the target is missing in {unseen} rows (a horizon must be complete), {unfed} cannot be fed.",
        f"{advice} Or {setting('least_observed', 0.5)}, {setting('longest_fill')}, {setting('covariates', 'none')}; "
        "forecast inspect shows where values are missing.",
    )
