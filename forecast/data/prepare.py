"""From a panel and a resolved configuration to what a network is fed: scaled rows and the windows of each part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.config import Config, DataConfig
from forecast.data.bounds import Bounds, bounds_of, unrolled
from forecast.data.features import Calendar
from forecast.data.near_copies import near_copies_of_target
from forecast.data.panel import Floats, Panel
from forecast.data.quality import TURN
from forecast.data.scaling import Scaler, fit_scaler
from forecast.data.split import PARTS, TEST, TRAIN, VALIDATION, Split, split_by_time
from forecast.data.windows import Flags, Forecasting, Ints, InUnits, Windows, fill_forward, index_windows
from forecast.errors import DataError

# Rows whose inputs are held as they are fed. Those of more take more memory than their values, with the calendar, and
# are put together when they are asked for.
_HELD = 1 << 20


@dataclass(frozen=True)
class Rows:
    """A panel as the network is fed it.

    Args:
        panel: Targets first, then past covariates, then those that are known ahead.
        n_targets: D, how many of the columns are targets.
        n_covariates: P, how many of the columns after them are past covariates.
        carried: Of each target, the rows of the holes that are filled forward, ascending, and the values there.
        scaled: The panel's columns as they are fed, float32 [T, C]; 0 where unusable.
        calendar: What is fed beside them.
        usable: Which rows can be fed, [T].
        seen: Which rows a horizon may hold: every target was observed, and what is known ahead is there, [T].
        logged: Whether the targets are logged before they are scaled.
        bounds: What the targets of each series can be.
        series: The series of each row, [T].
        identity: Where that series stands among the S that the run was trained on, [T].
        n_identities: S.
    """

    panel: Panel
    n_targets: int
    n_covariates: int
    carried: tuple[tuple[Ints, Floats], ...]
    scaled: NDArray[np.float32]
    calendar: Calendar
    usable: Flags
    seen: Flags
    logged: bool
    bounds: Bounds
    series: Ints
    identity: Ints
    n_identities: int

    @property
    def n_known(self) -> int:
        """K, how many of the F inputs are known ahead."""
        return self.scaled.shape[1] + self.calendar.width - self.n_targets - self.n_covariates

    def filled_at(self, rows: Ints) -> Floats:
        """Targets at these rows [...] in their own units with short holes filled forward, [..., D]."""
        values = self.observed(rows)
        for target, (holes, carried) in enumerate(self.carried):
            if len(holes):
                place = np.minimum(np.searchsorted(holes, rows), len(holes) - 1)
                values[..., target] = np.where(holes[place] == rows, carried[place], values[..., target])
        return values

    @property
    def inputs(self) -> NDArray[np.float32]:
        """What a network is fed of all rows, [T, F]; takes as much memory again."""
        return self.inputs_at(np.arange(self.panel.n_rows))

    def inputs_at(self, rows: Ints) -> NDArray[np.float32]:
        """What a network is fed of these rows [...], scaled columns and then the calendar: [..., F]."""
        if self.panel.n_rows <= _HELD:
            return self._held.take(rows, axis=0)
        return self._fed(rows)

    @cached_property
    def _held(self) -> NDArray[np.float32]:
        return self._fed(np.arange(self.panel.n_rows)) if self.calendar.width else self.scaled

    def _fed(self, rows: Ints) -> NDArray[np.float32]:
        if not self.calendar.width:
            return self.scaled.take(rows, axis=0)
        return np.concatenate([self.scaled.take(rows, axis=0), self.calendar.at(rows)], axis=-1)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the D targets."""
        return self.panel.columns[: self.n_targets]

    @property
    def unit(self) -> str:
        """The unit that all targets share; empty when it is unknown or they do not."""
        units = {self.panel.units.get(name, "") for name in self.targets}
        return units.pop() if len(units) == 1 else ""

    @property
    def unique_ids(self) -> tuple[tuple[str, ...], ...]:
        """The name of each series and target in the long format, [S][D]: the series, the target, or both."""

        def name(series: str, target: str) -> str:
            return (series or target) if self.n_targets == 1 else f"{series}/{target}" if series else target

        return tuple(tuple(name(series, target) for target in self.targets) for series in self.panel.series_ids)

    @property
    def angles(self) -> frozenset[str]:
        """The unique ids that are angles."""
        places = zip(*np.nonzero(self.bounds.circular), strict=True)
        return frozenset(self.unique_ids[series][target] for series, target in places)

    def course(self, series: int, target: int) -> Floats:
        """The rows of one series and target as people know them, an angle within 0 … 360; NaN where none was seen."""
        values = self.panel.values[self.panel.rows(series), target]
        return values % TURN if self.bounds.circular[series, target] else values

    def observed(self, rows: Ints) -> Floats:
        """What was observed of the targets at these rows, in their own units: [..., D]."""
        return self.panel.values[rows, : self.n_targets]


@dataclass(frozen=True)
class Prepared:
    """Everything that training and judging need: rows, scaler, split, and the windows of each part."""

    config: Config
    rows: Rows
    scaler: Scaler
    split: Split
    train: Windows
    validation: Windows
    test: Windows

    @property
    def training_rows(self) -> Flags:
        """Which rows are for training, [T]."""
        return self.split.part_of(self.rows.panel.times) == TRAIN


def count_targets(config: DataConfig) -> int:
    """D: the targets that one window forecasts; 1 where each channel is a series of its own."""
    return 1 if config.channels == "independent" else len(config.target)


def arrange(panel: Panel, config: DataConfig) -> Panel:
    """The panel with the targets first, then the covariates, then what is known ahead.

    Where channels are independent, each target is a series of its own. Angles are followed round their circle.
    """
    if config.channels == "independent" and len(config.target) > 1:
        arranged = _melt(panel, config.target, config.covariates + config.known)
    else:
        arranged = panel.select(config.target + config.covariates + config.known)
    return unrolled(arranged, bounds_of(np.arange(arranged.n_series), config))


def _melt(panel: Panel, targets: tuple[str, ...], covariates: tuple[str, ...]) -> Panel:
    # One column of all channels below one another: the network shares its weights over them,
    # and scaler, windows and scores treat each as a series.
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
        columns=(_free("value", covariates), *covariates),
        clock=panel.clock,
        series_ids=tuple(names),
        offsets=tuple(offsets),
        name=panel.name,
        units={_free("value", covariates): units.pop() if len(units) == 1 else ""},
    )


def _free(name: str, taken: tuple[str, ...]) -> str:
    return name if name not in taken else _free(f"{name} of the channel", taken)


def encode(panel: Panel, config: DataConfig, scaler: Scaler) -> Rows:
    """Fill, scale and add the calendar.

    Args:
        panel: Arranged columns (see `arrange`).
        config: The resolved data configuration.
        scaler: The run's scaler.
    """
    n_targets = count_targets(config)
    n_columns, n_covariates = len(panel.columns), len(config.covariates)
    series, identity = panel.series_of_row(), scaler.positions(panel.series_ids)
    own_scaler = scaler.for_series(panel.series_ids)
    # Column by column: copies of all in float64 would take many times the memory of the panel.
    scaled = np.empty((panel.n_rows, n_columns), np.float32)
    usable, seen = np.ones(panel.n_rows, bool), np.ones(panel.n_rows, bool)
    carried = []
    for column in range(n_columns):
        filled, fed = fill_forward(panel, config.longest_fill, column)
        own_scaler.transform(filled, series, column, scaled[:, column])
        usable &= fed
        if not n_targets <= column < n_targets + n_covariates:
            seen &= ~np.isnan(panel.values[:, column])
        if column < n_targets:
            differs = np.flatnonzero((filled != panel.values[:, column]) & ~np.isnan(filled))
            carried.append((differs, filled[differs]))
    return Rows(
        panel=panel,
        n_targets=n_targets,
        n_covariates=n_covariates,
        carried=tuple(carried),
        scaled=scaled,
        calendar=Calendar(panel.times, panel.clock if config.calendar else None),
        usable=usable,
        seen=seen,
        logged=config.transform == "log",
        bounds=bounds_of(identity, config),
        series=series,
        identity=panel.per_row(identity),
        n_identities=len(scaler.series_ids),
    )


def prepare(panel: Panel, config: Config) -> Prepared:
    """Split, fit the scaler on training rows alone, scale, and index the windows of each part.

    Args:
        panel: What was read.
        config: The resolved configuration.

    Raises:
        DataError: If a part would hold no complete window; says how many rows it needs.
    """
    arranged = arrange(panel, config.data)
    split = split_by_time(arranged, config.data)
    part = split.part_of(arranged.times)
    logged = arranged.columns[: count_targets(config.data)] if config.data.transform == "log" else ()
    circular = bounds_of(np.arange(arranged.n_series), config.data).circular
    scaler = fit_scaler(arranged, part == TRAIN, logged, config.data.known, circular)
    rows = encode(arranged, config.data, scaler)
    windows = [windows_of(rows, part == number, config.data) for number in (TRAIN, VALIDATION, TEST)]
    for number, found in enumerate(windows):
        if not len(found):
            raise _no_window(rows, part == number, PARTS[number], config.data)
    return Prepared(config, rows, scaler, split, *windows)


def data_warnings(panel: Panel, prepared: Prepared) -> tuple[str, ...]:
    """What deserves a second look before training.

    Series that cannot be scored, columns that begin to move after training, covariates that are the target again.

    Args:
        panel: What was read.
        prepared: What is to be trained on.
    """
    rows, arranged = prepared.rows, prepared.rows.panel
    scored = set(rows.series[prepared.test.starts])
    silent = [name for number, name in enumerate(arranged.series_ids) if number not in scored]
    found = []
    if silent:
        found.append(
            f"{len(silent)} of {arranged.n_series} series have no test window and are not scored: "
            f"{', '.join(silent[:10])}"
        )
    used = prepared.config.data.target + prepared.config.data.covariates + prepared.config.data.known
    for name in _waking(panel, prepared.split.part_of(panel.times) == TRAIN):
        what = "nothing can be learnt about it" if name in used else "it is left out"
        found.append(f"column {name!r} has one value in all training rows and others later: {what}")
    n_known = len(prepared.config.data.known)
    found += near_copies_of_target(arranged, prepared.training_rows, rows.n_targets, n_known, prepared.train.horizon)
    return tuple(found)


def _waking(panel: Panel, training_rows: Flags) -> list[str]:
    """The columns of one value in the training rows and of others later."""

    def moves(values: Floats) -> bool:
        return bool(np.fmin.reduce(values, initial=np.inf) < np.fmax.reduce(values, initial=-np.inf))

    columns = zip(panel.columns, panel.values.T, strict=True)
    return [name for name, values in columns if moves(values) and not moves(values[training_rows])]


def windows_of(rows: Rows, part_rows: Flags, config: DataConfig) -> Windows:
    """The windows whose horizon lies in these rows, under a resolved configuration."""
    lookback, horizon = config.lookback, config.horizon
    return index_windows(rows.panel, part_rows, rows.usable, rows.seen, lookback, horizon)


def in_units(model: Forecasting, rows: Rows, scaler: Scaler) -> InUnits:
    """A network's forecasts in the targets' own units, within their limits.

    Args:
        model: Scaled forecasts.
        rows: The rows that its windows point into.
        scaler: The run's scaler.
    """
    scaler = scaler.for_series(rows.panel.series_ids)

    def forecast(starts: Ints) -> Floats:
        series = rows.series[starts]
        return rows.bounds.within(scaler.inverse(model(starts).astype(np.float64), series), series)

    return forecast


def long_format(rows: Rows, windows: Windows, picked: Ints, columns: Mapping[str, Floats]) -> pd.DataFrame:
    """Some windows in the long format of the field: unique_id, ds, cutoff and these columns, angles within 0 … 360.

    Args:
        rows: The rows that the windows point into.
        windows: N windows.
        picked: Which n of them.
        columns: Values in the targets' own units by name, [n, H, D].
    """
    horizon, n_targets = windows.horizon, rows.n_targets
    series = rows.series[windows.starts[picked]]
    ids = np.array(rows.unique_ids, dtype=object)[series]
    times = np.repeat(rows.panel.times[windows.future(picked)][:, None], n_targets, axis=1)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(ids.reshape(-1), horizon),
            "ds": times.reshape(-1),
            "cutoff": np.repeat(rows.panel.times[windows.cutoffs[picked]], horizon * n_targets),
        }
        | {name: rows.bounds.shown(values, series).transpose(0, 2, 1).reshape(-1) for name, values in columns.items()}
    )


def _no_window(rows: Rows, part_rows: Flags, part: str, config: DataConfig) -> DataError:
    lookback, horizon = config.lookback, config.horizon
    needed = horizon + (lookback if part == "train" else 0)
    share = {"train": 1 - config.validation - config.test, "validation": config.validation, "test": config.test}[part]
    has = int(part_rows.sum())
    advice = "Use a shorter --lookback or --horizon, or more rows."
    if has < needed * rows.panel.n_series:
        return DataError(
            f"Too short: the {part} span needs at least {needed} rows for a lookback of {lookback} and a horizon of "
            f"{horizon}, has {has // rows.panel.n_series}; that takes about {-(-needed // share):.0f} rows in all, "
            f"there are {rows.panel.n_rows // rows.panel.n_series}.",
            advice,
        )
    unseen, unfed = (int((part_rows & ~flags).sum()) for flags in (rows.seen, rows.usable))
    return DataError(
        f"The {part} span has {has} rows, but gaps and missing values leave no unbroken window of {lookback} + "
        f"{horizon}: the target is missing in {unseen} rows (a horizon must be complete), {unfed} cannot be fed.",
        advice + " Or --longest-fill, --covariates none; forecast inspect shows where values are missing.",
    )
