"""Prove on the user's own rows that a run knew nothing too early: alter the future, and demand the same forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from forecast.commands.audit.altered import AlteredPanel, Origin, spread_origins
from forecast.commands.audit.checks import (
    Audit,
    Check,
    check_identical,
    check_parts,
    first_unequal,
    row_difference,
    scaler_difference,
)
from forecast.commands.audit.doubts import find_doubts, what_rows_do_not_tell
from forecast.commands.audit.learning import Learning, Table, check_choices, check_learning
from forecast.commands.progress import shown_by_default
from forecast.config import Settings
from forecast.data.bounds import TURN
from forecast.data.newest import NewestRows, newest_rows
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, encode, long_format, prepare
from forecast.data.split import at_or_after
from forecast.data.windows import Ints, Windows, median
from forecast.errors import listed
from forecast.model import Model, load_models
from forecast.progress import Progress
from forecast.runs.find import find
from forecast.runs.rows import fitted_until, new_panel, scaler_of, training_rows, unseen_windows
from forecast.runs.run import Run
from forecast.sources.read import Source, kept, read
from forecast.version import VERSION

# Origins from which forecasts are made, evenly spaced over the windows.
_ORIGINS = 8

# Covariates that are named one by one.
_NAMED = 6

# How far a forecast on file may be from the one that is made again, as a share of the training rows' spread: another
# machine rounds differently, and a leak moves a forecast by far more.
_ROUNDING = 0.01

_ALTERATIONS: Mapping[str, Callable[[Origin], AlteredPanel]] = {
    "changed": Origin.with_changed_future,
    "deleted": Origin.with_deleted_future,
    "shuffled": Origin.with_shuffled_future,
}

# Forecasts [n, H, D] or [n, H, D, Q] in the targets' own units, by network.
Forecasts = Mapping[str, Floats]


def audit(
    run: Run | str, source: Source | None = None, *, runs_dir: Path | None = None, progress: Progress | None = None
) -> Audit:
    """Prove that no forecast, and nothing that it is made from, knows what comes after its origin.

    Args:
        run: A run or its name.
        source: New rows to audit on; None for those that it was trained on, which are read again. Scaler, parts and
            the forecasts that it was scored by can be checked only on these.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        DataError: If the rows cannot be read again, or hold no window after those that the run was trained on.
    """
    progress = progress or shown_by_default()
    run = find(run, runs_dir=runs_dir)
    source = None if source is None else kept(source)
    panel, again = training_rows(run) if source is None else (read(source, run.read_options), source)
    audited = _AuditedRun(run, new_panel(run, panel, progress))
    cutoffs = tuple(origin.cutoff for origin, _ in audited.origins)
    progress.note(f"{len(cutoffs)} origins from {panel.clock.format(cutoffs[0])} to {panel.clock.format(cutoffs[-1])}")
    checks = [*audited.check_futures(), audited.check_covariates(), audited.check_imputation()]
    checks += [*audited.check_newest_rows(progress), *audited.check_own_scale()]
    if panel.fingerprint() == run.data.get("fingerprint"):
        checks += [*_check_training(run, again, panel, progress), audited.check_scored()]
    else:
        progress.note(
            f"these are not the rows that {run.name} was trained on: its scaler, the parts and the forecasts that it "
            "was scored by are not checked"
        )
    rows, config = audited.rows, audited.config
    sizes = rows.n_targets, len(config.known), config.lookback, config.horizon
    doubts, unknowable = find_doubts(rows.panel, *sizes, audited.since), what_rows_do_not_tell(rows.panel, config)
    return Audit(run.name, tuple(map(panel.clock.format, cutoffs)), tuple(checks), tuple(doubts), tuple(unknowable))


class _AuditedRun:
    """A run over rows, arranged as its networks take them, and the origins from which its forecasts are compared."""

    def __init__(self, run: Run, panel: Panel) -> None:
        self.run, self.panel, self.config = run, panel, run.config.data
        self.since = fitted_until(run, panel)
        self.scaler = scaler_of(run, panel, self.since)
        self.rows = self.encode(panel)
        self.windows = unseen_windows(run, self.rows)
        self.origins = self.origins_of(self.windows)
        self.models = load_models(run)
        n_windows = sum(len(starts) for _, starts in self.origins)
        self.scope = f"{n_windows:,} forecasts of {' and '.join(self.models)}"
        issued = {panel.columns[column] for column in self.rows.as_of}
        known = [name for name in self.config.known if name not in issued]
        are_kept = f"known ahead, {'is' if len(known) == 1 else 'are'} kept"
        self.exempt = f"; {', '.join(map(repr, known))}, {are_kept}" if known else ""
        if issued:
            self.exempt += f"; of {', '.join(map(repr, sorted(issued)))} what was issued by the origin is kept"

    def check_futures(self) -> list[Check]:
        """Whether forecasts, and what they are made from, are the same under every other future."""
        rows_again = self.encode(self.panel)
        repeated: list[str] = []
        inputs: list[str] = []
        forecasts: dict[str, list[str]] = {alteration: [] for alteration in _ALTERATIONS}
        for origin, starts in self.origins:
            true = self.forecast(self.rows, starts)
            repeated += self.differences(starts, true, self.forecast(rows_again, starts))
            for name, alter in _ALTERATIONS.items():
                altered = alter(origin)
                rows = self.encode(altered.panel)
                forecasts[name] += self.differences(starts, true, self.forecast(rows, altered.positions(starts)))
                inputs += _input_differences(origin, self.rows, rows, altered)
        return [
            check_identical("repeatable", f"{self.scope}, made twice", repeated),
            *(
                check_identical(
                    f"future {name}", f"{self.scope}, with all that is later {name}{self.exempt}", differences
                )
                for name, differences in forecasts.items()
            ),
            check_identical(
                "inputs",
                "filled values, transforms, scaled values and calendar up to each origin, with all that is later "
                f"changed, deleted and shuffled{self.exempt}",
                inputs,
            ),
        ]

    def check_covariates(self) -> Check:
        """Whether later values of covariates that nobody declared to be known ahead move a forecast."""
        past = slice(self.rows.n_targets, self.rows.n_targets + self.rows.n_covariates)
        if not self.rows.n_covariates:
            return Check("covariates", True, f"the run is fed no undeclared covariate{self.exempt}.")
        differences: list[str] = []
        for origin, starts in self.origins:
            rows = self.encode(origin.with_changed_future(past).panel)
            differences += self.differences(starts, self.forecast(self.rows, starts), self.forecast(rows, starts))
        names = listed(list(map(repr, self.panel.columns[past])), _NAMED)
        done = f"{self.scope}, with only the later values of {names} changed"
        return check_identical("covariates", done, differences)

    def check_imputation(self) -> Check:
        """Whether holes that end at an origin are filled from the rows before them."""
        length = self.config.longest_fill + 1  # one row more than may be filled: it must stay empty
        differences: list[str] = []
        for true, _ in self.origins:
            origin = true.with_hole(length)
            rows = self.encode(origin.panel)
            for altered in (origin.with_changed_future(), origin.with_deleted_future()):
                differences += _input_differences(origin, rows, self.encode(altered.panel), altered)
        holes = f"holes of {length} {'row' if length == 1 else 'rows'} made before each origin"
        return check_identical("imputation", f"{holes}, with all that is later changed and deleted", differences)

    def check_newest_rows(self, progress: Progress) -> list[Check]:
        """The check that `forecast predict` makes the same of rows that end at the origin, where it can be compared."""
        weights = self.run.forecast_weights
        models = self.models if weights == "model" else load_models(self.run, weights)
        differences: list[str] = []
        n_compared = n_left_out = 0
        for origin, starts in self.origins:
            truncated = origin.of_series(self.rows.series[starts]).truncated().panel
            newest = newest_rows(truncated, self.config, self.scaler)
            true_starts, newest_starts = self.same_windows(newest, starts)
            true = self.forecast(self.rows, true_starts, models)
            other = self.forecast(newest.rows, newest_starts, models)
            differences += self.differences(true_starts, true, other)
            n_compared += len(true_starts)
            n_left_out += len(starts) - len(true_starts)
        why = "refused, or of steps that are not the next ones of the clock, as around holidays"
        left_out = f"{n_left_out:,} that are {why}"
        if not n_compared:
            progress.note(
                f"what forecast predict makes of rows that end at an origin is not checked: there are {left_out}"
            )
            return []
        done = f"{n_compared:,} forecasts as forecast predict makes them of rows that end at the origin"
        done += f" (without {left_out})" if n_left_out else ""
        return [check_identical("newest rows", done, differences)]

    def same_windows(self, newest: NewestRows, starts: Ints) -> tuple[Ints, Ints]:
        """First rows of the windows that end and forecast at the same times here and among the newest rows.

        On business days the newest forecast does not know which of the next days will be a holiday.
        """
        rows, windows = newest.rows, newest.windows
        series_ids = [self.panel.series_ids[series] for series in self.rows.series[starts]]
        newest_ids = [rows.panel.series_ids[series] for series in rows.series[windows.starts]]
        start_of = dict(zip(series_ids, starts, strict=True))
        true_starts = np.array([start_of[series_id] for series_id in newest_ids], np.int64)
        steps = windows.lookback + np.arange(-1, windows.horizon)
        same = self.panel.times[true_starts[:, None] + steps] == rows.panel.times[windows.starts[:, None] + steps]
        return true_starts[same.all(axis=1)], windows.starts[same.all(axis=1)]

    def check_scored(self) -> Check:
        """Whether the forecasts that the run was scored by are those that its networks make of these rows."""
        on_file = self.run.test_forecasts
        scored = np.isin(self.panel.times[self.windows.cutoffs], on_file["cutoff"].to_numpy("datetime64[us]"))
        if not scored.any():
            return Check("scored", False, "no forecast that the run was scored by is from an origin in these rows.")
        starts = np.concatenate([starts for _, starts in self.origins_of(self.windows_at(self.windows.starts[scored]))])
        columns = {name: median(y_pred) for name, y_pred in self.forecast(self.rows, starts).items()}
        spread = self.rows.scaler.scale[self.rows.series[starts], None, : self.rows.n_targets]
        columns["spread"] = np.repeat(spread, self.windows.horizon, axis=1)
        again = long_format(self.rows, self.windows_at(starts), np.arange(len(starts)), columns)
        both = again.merge(on_file, on=["unique_id", "ds", "cutoff"], suffixes=("", " on file"))
        differences = [] if len(both) else ["none of them is of these series and times"]
        for name in self.models:
            distance = (both[name] - both[f"{name} on file"]).abs()
            distance = distance.where(~both["unique_id"].isin(self.rows.angles), np.minimum(distance, TURN - distance))
            unit = both["spread"] * (both[name].abs() if self.rows.logged else 1)
            for _, first in both[~(distance <= _ROUNDING * unit)].head(1).iterrows():
                differences.append(
                    f"from the origin {first['cutoff']}, {name} had forecast "
                    f"{first[f'{name} on file']:.6g} of {first['unique_id']!r} for {first['ds']}, "
                    f"and now forecasts {first[name]:.6g}"
                )
        outcome = differences[0] if differences else "the same but for rounding"
        done = f"{len(both):,} values that the run was scored by, made again"
        return Check("scored", not differences, f"{done}: {outcome}.")

    def check_own_scale(self) -> list[Check]:
        """The check that series which were not trained on are scaled by rows before those that are forecast."""
        if not self.scaler.n_unseen:
            return []
        later = at_or_after(self.panel, self.since)
        emptied = replace(self.panel, values=np.where(later[:, None], np.nan, self.panel.values))
        moved = scaler_difference(self.scaler, scaler_of(self.run, emptied, self.since))
        done = f"of {self.scaler.n_unseen:,} series not trained on, fitted with all rows of their test spans emptied"
        return [check_identical("scale of unseen series", done, [moved] if moved else [])]

    def encode(self, panel: Panel) -> Rows:
        """Rows as the networks are fed them."""
        return encode(panel, self.config, self.scaler)

    def forecast(self, rows: Rows, starts: Ints, models: Mapping[str, Model] | None = None) -> Forecasts:
        """What every network forecasts of the windows that start at these rows."""
        return {name: model.forecast(rows, starts) for name, model in (models or self.models).items()}

    def windows_at(self, starts: Ints) -> Windows:
        """The windows that start at these rows."""
        return Windows(starts, self.windows.lookback, self.windows.horizon)

    def origins_of(self, windows: Windows) -> list[tuple[Origin, Ints]]:
        """Some of the origins of these windows, each with the first rows of those that end there."""
        return spread_origins(self.panel, windows, len(self.config.known), _ORIGINS)

    def differences(self, starts: Ints, true: Forecasts, other: Forecasts) -> Iterator[str]:
        """The first forecast of each network that is not the same, in words."""
        for name, y_pred in true.items():
            index = first_unequal(y_pred, other[name])
            if index is not None:
                window, step, target, *_ = index
                series = self.rows.unique_ids[int(self.rows.series[starts[window]])][target]
                cutoff = self.panel.times[starts[window] + self.windows.lookback - 1]
                yield (
                    f"from the origin {self.panel.clock.format(cutoff)}, {name} forecasts {y_pred[index]:.6g} of "
                    f"{series!r} at step {step + 1}, and then {other[name][index]:.6g}"
                )


def _input_differences(origin: Origin, true: Rows, other: Rows, altered: AlteredPanel) -> Iterator[str]:
    difference = row_difference(true, other, altered, origin.past_rows)
    if difference:
        yield f"after the origin {altered.panel.clock.format(origin.cutoff)}, {difference}"


def _check_training(run: Run, source: Source | None, panel: Panel, progress: Progress) -> list[Check]:
    """The checks of the rows that the run was trained on: of choices, of what it learned from, of the parts.

    Args:
        run: The run.
        source: What holds these rows and no others; None if nothing does, and nothing is chosen from them again.
        panel: The rows.
        progress: Is told what is not checked.
    """
    fitted = run.scaler_before  # on rows of the first training: what comes after cannot have been seen
    prepared, asked = prepare(panel, run.config, scaler=fitted), None if source is None else run.manifest.get("asked")
    split = prepared.split.of_source(panel.n_series)
    settings = Settings() if asked is None else Settings.from_sections(asked)
    options = run.config.read.model_copy(update={"codes": None}) if asked is None else settings.read
    own = run.config.read  # what a library says of an exchange or of holidays may be other by now
    kept: dict[str, object] = {"session_days": own.session_days, "public_holidays": own.public_holidays}
    if own.session_days is not None:
        kept["freq"] = run.clock.freq
    options = options.model_copy(update=kept)
    table = Table(panel, options, panel) if source is None else Table(source, options, read(source, options))
    checks = []
    if asked is None:
        why = "it continues another version" if run.version > 1 else "its source holds other rows by now"
        progress.note(f"{why}, or does not say what was asked: its choices are not checked")
    else:
        is_of_this_version = run.manifest["versions"]["forecast"] == VERSION
        chosen = run.config if is_of_this_version else None  # another one may choose otherwise
        checks.append(check_choices(table, settings, split.test_from, chosen))
    refitted = scaler_difference(run.scaler, prepared.scaler)
    decided = split.validation_from if split.is_by_time else None
    fit = Learning(prepared, panel, decided, lambda other, parts: prepare(other, run.config, parts, fitted))
    reading, *fitting = check_learning(table, [fit])
    return [
        *checks,
        reading,
        check_identical("scaler", "fitted again to the training rows", [f"{refitted} in the run"] if refitted else []),
        *fitting,
        *check_parts(prepared, run.manifest),
    ]
