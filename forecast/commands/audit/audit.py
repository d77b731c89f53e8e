"""Prove on the user's own rows that a run knew nothing too early: change the future, and demand the same forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from forecast.commands.audit.checks import (
    Audit,
    Check,
    check,
    check_parts,
    differing_rows,
    differing_scaler,
    differing_training,
    first_unequal,
)
from forecast.commands.audit.futures import Origin, Tampered, tried_origins, with_wild_values
from forecast.data.near_copies import near_copies_of_target
from forecast.data.panel import Floats, Panel, moment
from forecast.data.prepare import Rows, encode, long_format, prepare
from forecast.data.quality import TURN
from forecast.data.read import Source, read
from forecast.data.windows import Ints, InUnits, Windows, middle
from forecast.inference.network import Network
from forecast.inference.newest import Newest, newest_rows
from forecast.progress import NullProgress, Progress
from forecast.runs.find import find
from forecast.runs.rows import new_panel, training_panel
from forecast.runs.run import Run
from forecast.workflows.networks import forecasters_over, networks_of
from forecast.workflows.scoring import unseen_windows

# Origins that are tried, evenly spaced over the windows.
_ORIGINS = 8

# Covariates that are named one by one.
_NAMED = 6

# How far a forecast on file may be from the one that is made again, as a share of the training rows' spread: another
# machine rounds otherwise, and a leak is no matter of rounding.
_ROUNDING = 0.01

_OTHER_FUTURES: Mapping[str, Callable[[Origin], Tampered]] = {
    "changed": Origin.changed,
    "deleted": Origin.deleted,
    "shuffled": Origin.shuffled,
}


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
    progress = progress or NullProgress()
    run = find(run, runs_dir=runs_dir)
    panel = training_panel(run) if source is None else read(source, run.config.read)
    trial = _Trial(run, new_panel(run, panel, progress))
    moments = tuple(origin.moment for origin, _ in trial.origins)
    progress.note(f"{len(moments)} origins from {moment(moments[0])} to {moment(moments[-1])}")
    checks = [*trial.futures(), trial.covariates(), trial.imputation()]
    checks += trial.newest_rows(progress)
    if panel.fingerprint() == run.data.get("fingerprint"):
        checks += [*_of_training(run, panel), trial.scored()]
    else:
        progress.note(
            f"these are not the rows that {run.name} was trained on: its scaler, the parts and the forecasts that it "
            "was scored by are not checked"
        )
    return Audit(run.name, moments, tuple(checks), trial.near_copies())


class _Trial:
    """A run over rows, and the origins at which it is tried.

    Args:
        run: The run.
        panel: Rows, arranged as its networks take them.
    """

    def __init__(self, run: Run, panel: Panel) -> None:
        self.run, self.panel, self.config = run, panel, run.config.data
        self.rows = self.encoded(panel)
        self.windows = unseen_windows(run, self.rows)
        self.origins = self.origins_among(self.windows)
        self.networks = networks_of(run, self.rows, "model")
        self.true = self.over(self.rows)
        n_windows = sum(len(starts) for _, starts in self.origins)
        self.made = f"{n_windows:,} forecasts of {' and '.join(self.networks)}"
        known = ", ".join(map(repr, self.config.known))
        self.kept = f"; {known}, known ahead, {'is' if len(self.config.known) == 1 else 'are'} kept" if known else ""

    def futures(self) -> list[Check]:
        """Whether forecasts, and what they are made from, are the same under every other future."""
        again = self.over(self.encoded(self.panel))
        repeated: list[str] = []
        inputs: list[str] = []
        forecasts: dict[str, list[str]] = {way: [] for way in _OTHER_FUTURES}
        for origin, starts in self.origins:
            true = self.true(starts)
            repeated += self.differing(starts, true, again(starts))
            for way, tamper in _OTHER_FUTURES.items():
                tampered = tamper(origin)
                rows = self.encoded(tampered.panel)
                forecasts[way] += self.differing(starts, true, self.over(rows)(tampered.places(starts)))
                inputs += _differing_rows(origin, self.rows, rows, tampered)
        return [
            check("repeatable", f"{self.made}, made twice", repeated),
            *(
                check(f"future {way}", f"{self.made}, with all that is later {way}{self.kept}", differing)
                for way, differing in forecasts.items()
            ),
            check(
                "inputs",
                "filled values, transforms, scaled values and calendar up to each origin, with all that is later "
                f"changed, deleted and shuffled{self.kept}",
                inputs,
            ),
        ]

    def covariates(self) -> Check:
        """Whether what covariates hold after an origin moves a forecast though nobody declared it to be known."""
        past = slice(self.rows.n_targets, self.rows.n_targets + self.rows.n_covariates)
        if not self.rows.n_covariates:
            return Check("covariates", True, f"the run is fed no undeclared covariate{self.kept}.")
        differing: list[str] = []
        for origin, starts in self.origins:
            other = self.over(self.encoded(origin.changed(past).panel))
            differing += self.differing(starts, self.true(starts), other(starts))
        names = ", ".join(map(repr, self.panel.columns[past][:_NAMED]))
        more = f" and {self.rows.n_covariates - _NAMED} more" if self.rows.n_covariates > _NAMED else ""
        return check("covariates", f"{self.made}, with only the later values of {names}{more} changed", differing)

    def imputation(self) -> Check:
        """Whether holes that end at an origin are filled from what lies before them."""
        length = self.config.longest_fill + 1  # one row more than may be filled: it must stay empty
        differing: list[str] = []
        for true, _ in self.origins:
            origin = true.with_hole(length)
            rows = self.encoded(origin.panel)
            for tampered in (origin.changed(), origin.deleted()):
                differing += _differing_rows(origin, rows, self.encoded(tampered.panel), tampered)
        holes = f"holes of {length} {'row' if length == 1 else 'rows'} made before each origin"
        return check("imputation", f"{holes}, with all that is later changed and deleted", differing)

    def newest_rows(self, progress: Progress) -> list[Check]:
        """Whether `forecast predict` forecasts the same from rows that end at the origin."""
        weights = self.run.forecast_weights
        networks = self.networks if weights == "model" else networks_of(self.run, self.rows, weights)
        true = self.over(self.rows, networks)
        differing: list[str] = []
        compared, left_out = 0, 0
        for origin, starts in self.origins:
            cut = origin.of_series(self.rows.series[starts]).as_it_was().panel
            newest = newest_rows(cut, self.config, self.run.scaler)
            mine, theirs = self.same_steps(newest, starts)
            differing += self.differing(mine, true(mine), self.over(newest.rows, networks)(theirs))
            compared += len(mine)
            left_out += len(starts) - len(mine)
        others = f"{left_out:,} whose steps are not the next ones of the clock, as around holidays"
        if not compared:
            progress.note(
                f"what forecast predict makes of rows that end at an origin is not checked: there are {others}"
            )
            return []
        done = f"{compared:,} forecasts as forecast predict makes them of rows that end at the origin"
        return [check("newest rows", done + (f" (without {others})" if left_out else ""), differing)]

    def same_steps(self, newest: Newest, starts: Ints) -> tuple[Ints, Ints]:
        """First rows of the windows that end and forecast at the same times here and among the newest rows.

        On business days the newest forecast does not know which of the next days will be a holiday.
        """
        rows, windows = newest.rows, newest.windows
        here = dict(zip((self.panel.series_ids[series] for series in self.rows.series[starts]), starts, strict=True))
        mine = np.array([here[rows.panel.series_ids[series]] for series in rows.series[windows.starts]], np.int64)
        steps = windows.lookback + np.arange(-1, windows.horizon)
        same = self.panel.times[mine[:, None] + steps] == rows.panel.times[windows.starts[:, None] + steps]
        return mine[same.all(axis=1)], windows.starts[same.all(axis=1)]

    def scored(self) -> Check:
        """Whether the forecasts that the run was scored by are those that its networks make of these rows."""
        on_file = self.run.test_forecasts
        kept = np.isin(self.panel.times[self.windows.cutoffs], on_file["cutoff"].to_numpy())
        if not kept.any():
            return Check("scored", False, "no forecast that the run was scored by is from an origin in these rows.")
        origins = self.origins_among(self.windows_at(self.windows.starts[kept]))
        starts = np.concatenate([starts for _, starts in origins])
        spread = self.run.scaler.scale[self.rows.identity[starts], None, : self.rows.n_targets]
        columns = {name: middle(y_pred) for name, y_pred in self.true(starts).items()}
        columns["spread"] = np.repeat(spread, self.windows.horizon, axis=1)
        again = long_format(self.rows, self.windows_at(starts), np.arange(len(starts)), columns)
        both = again.merge(on_file, on=["unique_id", "ds", "cutoff"], suffixes=("", " on file"))
        differing = [] if len(both) else ["none of them is of these series and times"]
        for name in self.networks:
            apart = (both[name] - both[f"{name} on file"]).abs()
            apart = apart.where(~both["unique_id"].isin(self.rows.angles), np.minimum(apart, TURN - apart))
            size = both["spread"] * (both[name].abs() if self.rows.logged else 1)
            for _, one in both[~(apart <= _ROUNDING * size)].head(1).iterrows():
                differing.append(
                    f"from the origin {moment(one['cutoff'])}, {name} had forecast {one[f'{name} on file']:.6g} of "
                    f"{one['unique_id']!r} for {moment(one['ds'])}, and now forecasts {one[name]:.6g}"
                )
        first = differing[0] if differing else "the same but for rounding"
        return Check("scored", not differing, f"{len(both):,} values that the run was scored by, made again: {first}.")

    def near_copies(self) -> tuple[str, ...]:
        """What is in the data, and no check of the run can decide."""
        every = np.ones(self.panel.n_rows, bool)
        return near_copies_of_target(
            self.panel, every, self.rows.n_targets, len(self.config.known), self.windows.horizon
        )

    def encoded(self, panel: Panel) -> Rows:
        """Rows as the networks are fed them."""
        return encode(panel, self.config, self.run.scaler)

    def over(
        self, rows: Rows, networks: Mapping[str, list[Network]] | None = None
    ) -> Callable[[Ints], dict[str, Floats]]:
        """Every network over these rows: from first rows of windows [n] to what it forecasts of them, by its name."""
        models: Mapping[str, InUnits] = forecasters_over(rows, self.run, networks or self.networks)
        return lambda starts: {name: model(starts) for name, model in models.items()}

    def windows_at(self, starts: Ints) -> Windows:
        """The windows that start at these rows."""
        return Windows(starts, self.windows.lookback, self.windows.horizon)

    def origins_among(self, windows: Windows) -> list[tuple[Origin, Ints]]:
        """Some of the origins of these windows, each with the first rows of those that end there."""
        return tried_origins(self.panel, windows, len(self.config.known), _ORIGINS)

    def differing(self, starts: Ints, true: Mapping[str, Floats], other: Mapping[str, Floats]) -> Iterator[str]:
        """The first forecast of each network that is not the same, in words."""
        for name, y_pred in true.items():
            place = first_unequal(y_pred, other[name])
            if place is not None:
                window, step, target, *_ = place
                series = self.rows.unique_ids[int(self.rows.series[starts[window]])][target]
                cutoff = self.panel.times[starts[window] + self.windows.lookback - 1]
                yield (
                    f"from the origin {moment(cutoff)}, {name} forecasts {y_pred[place]:.6g} of {series!r} at step "
                    f"{step + 1}, and then {other[name][place]:.6g}"
                )


def _differing_rows(origin: Origin, true: Rows, other: Rows, tampered: Tampered) -> Iterator[str]:
    found = differing_rows(true, other, tampered, origin.before)
    if found:
        yield f"after the origin {moment(origin.moment)}, {found}"


def _of_training(run: Run, panel: Panel) -> list[Check]:
    """What can be checked only on the rows that the run was trained on: its scaler, what it learned from, its parts."""
    prepared = prepare(panel, run.config)
    since = prepared.split.validation_from
    later = panel.times >= since
    wild = with_wild_values(panel, np.repeat(later[:, None], len(panel.columns), axis=1))
    other = prepare(wild, run.config)
    changed = f"all {int(later.sum()):,} rows from {moment(since)} on changed"
    refitted, changes = differing_scaler(run.scaler, prepared.scaler), differing_scaler(prepared.scaler, other.scaler)
    learned = differing_training(prepared, other)
    windows = f"{len(prepared.train):,} training windows and their inputs"
    return [
        check("scaler", "fitted again to the training rows", [f"{refitted} in the run"] if refitted else []),
        check("scaler, future changed", f"fitted with {changed}", [f"{changes} before"] if changes else []),
        check("training windows", f"{windows}, with {changed}", [learned] if learned else []),
        *check_parts(prepared, run.manifest),
    ]
