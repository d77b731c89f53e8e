"""What an audit finds, and the checks that compare rows, scalers and windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.commands.audit.altered import AlteredPanel
from forecast.commands.audit.foresight import Doubt
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, Rows
from forecast.data.scaling import Scaler
from forecast.data.split import PARTS
from forecast.data.windows import Flags, Ints, Windows
from forecast.errors import LeakError, phrase, setting

# The check without which no other proves anything: forecasts that vary by themselves cannot be compared to the bit.
_CONTROL = "repeatable"

# Windows of a part whose inputs are compared.
_COMPARED = 256


@dataclass(frozen=True)
class Check:
    """One check of an audit. ``detail`` says what was done and on how much; after a failure, the first difference."""

    name: str
    passed: bool
    detail: str

    @property
    def line(self) -> str:
        """The check as it is printed."""
        return f"{'passed' if self.passed else 'FAILED'}  {self.name}: {self.detail}"


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Args:
        run: The run's name.
        origins: The cut-offs from which forecasts were made.
        checks: Every check, in the order in which they were made.
        doubts: What may be a leak, and no check can decide.
        unknowable: What rows cannot tell, one sentence each.
    """

    run: str
    origins: tuple[str, ...]
    checks: tuple[Check, ...]
    doubts: tuple[Doubt, ...] = ()
    unknowable: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Audit: {self.verdict}>"

    def _repr_html_(self) -> str:
        from forecast.plots.page import Section, box

        return box(Section("Audit", [check.line for check in self.checks], remarks=list(self.warnings)), self.verdict)

    @property
    def passed(self) -> bool:
        """Whether every check was passed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that were not passed."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The doubts, one sentence each."""
        return tuple(doubt.sentence for doubt in self.doubts)

    @property
    def strong(self) -> tuple[str, ...]:
        """Those doubts that there is hardly another explanation for."""
        return tuple(doubt.sentence for doubt in self.doubts if doubt.strong)

    @property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        if _CONTROL in self.failed:
            return f"{self.run}: nothing can be proved, because the same rows give different forecasts the second time."
        if self.failed:
            return f"{self.run} leaks: {len(self.failed)} of {len(self.checks)} checks failed."
        n_doubts, n_strong = len(self.doubts), len(self.strong)
        doubts = f", {n_doubts} {'doubt' if n_doubts == 1 else 'doubts'}" if n_doubts else ""
        doubts += f", {n_strong} of them strong" if n_strong else ""
        return f"{self.run}: no leak found by {len(self.checks)} checks{doubts}."

    def to_json(self) -> dict[str, Any]:
        """The audit as ``--json`` prints it."""
        return {
            "schema": 1,
            "run": self.run,
            "passed": self.passed,
            "verdict": self.verdict,
            "origins": list(self.origins),
            "checks": [vars(check) for check in self.checks],
            "warnings": list(self.warnings),
            "strong": list(self.strong),
            "unknowable": list(self.unknowable),
        }

    def demand(self, strict: bool = False) -> None:
        """Nothing if every check was passed.

        Args:
            strict: Whether a strong doubt is a leak, too.

        Raises:
            LeakError: If one failed.
        """
        if strict and self.strong and not self.failed:
            raise LeakError(
                f"{self.verdict} Strong: {'; '.join(self.strong)}",
                f"Leave the column out ({setting('covariates')}, {setting('known')}), or the rows, and train again.",
            )
        if self.failed:
            raise LeakError(
                f"{self.verdict} Failed: {'; '.join(self.failed)}.",
                "On a GPU, audit once more without it: CUDA_VISIBLE_DEVICES=-1 "
                + phrase("forecast audit RUN", "in the environment")
                if _CONTROL in self.failed
                else "Do not trust the scores of this run. Train it again with this version: "
                f"{phrase('forecast train SOURCE', 'forecast.train(…)')}\n"
                "If it leaks again, report it with the lines of this audit.",
            )


def check_identical(name: str, done: str, differences: Iterable[str]) -> Check:
    """A check that is passed if nothing differs to the bit; ``done`` is the beginning of a sentence."""
    first = next(iter(differences), None)
    return Check(name, first is None, f"{done}: {first or 'bit-identical'}.")


def first_unequal(one: NDArray[Any], other: NDArray[Any]) -> tuple[int, ...] | None:
    """The index at which two arrays first differ by a bit; None if nowhere. Two values that are both NaN are equal."""
    if one.shape != other.shape:
        return (0,) * max(one.ndim, 1)
    unequal = one != other
    if one.dtype.kind == "f":
        unequal &= ~(np.isnan(one) & np.isnan(other))
        unequal |= np.signbit(one) != np.signbit(other)
    return tuple(int(index) for index in np.argwhere(unequal)[0]) if unequal.any() else None


def row_difference(true: Rows, other: Rows, altered: AlteredPanel, past_rows: Ints) -> str | None:
    """The first input of the rows up to an origin that differs between the true rows and those of an altered panel."""
    there = altered.positions(past_rows)
    pairs: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "the filled value": (true.filled_at(past_rows), other.filled_at(there)),
        "whether the row can be fed": (true.usable[past_rows], other.usable[there]),
        "whether the row was observed": (true.seen[past_rows], other.seen[there]),
        "the input": (true.inputs_at(past_rows), other.inputs_at(there)),
    }
    for what, (expected, actual) in pairs.items():
        index = first_unequal(expected, actual)
        if index is not None:
            of_column, names = "", true.panel.columns
            if expected.ndim > 1:
                of_column = f" {names[index[1]]!r}" if index[1] < len(names) else " of the calendar"
            return f"{what}{of_column} {row_in_words(true.panel, int(past_rows[index[0]]))} differs"
    return None


def scaler_difference(one: Scaler, other: Scaler) -> str | None:
    """The first statistic that differs between two scalers."""
    if (one.columns, one.series_ids) != (other.columns, other.series_ids):
        return "it has other columns or series"
    for what in ("mean", "scale"):
        statistic, other_statistic = getattr(one, what), getattr(other, what)
        index = first_unequal(statistic, other_statistic)
        if index is not None:
            series, column = one.series_ids[index[0]], one.columns[index[1]]
            of_series = f" in series {series!r}" if len(one.series_ids) > 1 else ""
            return f"the {what} of {column!r}{of_series} is {other_statistic[index]:.6g}, and {statistic[index]:.6g}"
    if one.normals is not None and other.normals is not None:  # an earlier version did not keep them
        kept = ("seasonal",) if one.normals.seasonal is not None else ()  # nor did some of them keep this
        for what in ("mean", "sparse", "climatology", *kept):
            normal, other_normal = (np.asarray(getattr(each.normals, what), np.float64) for each in (one, other))
            if normal.shape != other_normal.shape or first_unequal(normal, other_normal) is not None:
                return f"the targets' {what} is another"
    return None if (one.logged == other.logged).all() else "it takes the logarithm of other columns"


def windows_difference(true: Prepared, other: Prepared, parts: Sequence[int]) -> str | None:
    """The first of some parts whose windows, or the inputs of some of them, are not the same."""
    windows, others = ((each.train, each.validation, each.test) for each in (true, other))
    for part in parts:
        if first_unequal(windows[part].starts, others[part].starts) is not None:
            return f"there are {len(windows[part]):,} {PARTS[part]} windows, and {len(others[part]):,} or others"
        some = windows[part].subsample(_COMPARED)
        fed, fed_then = (each.rows.window_inputs(some.starts, some.lookback, some.horizon) for each in (true, other))
        if (index := first_unequal(fed, fed_then)) is not None:
            row = int(some.starts[index[0]])
            return f"what is fed of the {PARTS[part]} window that begins {row_in_words(true.rows.panel, row)} differs"
    return None


def check_parts(prepared: Prepared, manifest: Mapping[str, Any]) -> tuple[Check, ...]:
    """Checks the windows of the parts: as the manifest counts them, whole, and no target row in two parts."""
    panel = prepared.rows.panel
    windows = dict(zip(PARTS, (prepared.train, prepared.validation, prepared.test), strict=True))
    targets = {part: target_rows(of_part, panel.n_rows) for part, of_part in windows.items()}
    spans = {part: (panel.times[rows].min(), panel.times[rows].max()) for part, rows in targets.items()}
    counts = ", ".join(f"{len(of_part):,} {part}" for part, of_part in windows.items())
    n_rows = ", ".join(f"{int(rows.sum()):,} {part}" for part, rows in targets.items())
    ends = {part: [panel.clock.format(time) for time in span] for part, span in spans.items()}
    ranges = ", ".join(f"{part} {first} … {last}" for part, (first, last) in ends.items())
    overlaps = _overlapping(spans, panel.clock) if prepared.split.is_by_time else _overlapping_in_series(targets, panel)
    demands: dict[str, tuple[str, list[str]]] = {
        "windows": (
            f"{counts} windows, as recorded; none crosses a gap or a series' end",
            [*_not_as_recorded(windows, prepared, manifest), *_across_gaps(windows, panel)],
        ),
        "parts": (f"target rows: {n_rows}; none is in two parts", [*_in_two_parts(targets, panel)]),
        "purge": (
            f"target rows: {ranges}; no part begins before the previous one has ended"
            + ("" if prepared.split.is_by_time else ", within each series"),
            [*overlaps],
        ),
    }
    return tuple(
        Check(name, not violations, f"{violations[0] if violations else met}.")
        for name, (met, violations) in demands.items()
    )


def target_rows(windows: Windows, n_rows: int) -> Flags:
    """Which rows lie in the horizon of a window, [T]."""
    edges = np.zeros(n_rows + 1, np.int64)
    np.add.at(edges, windows.cutoffs + 1, 1)
    np.add.at(edges, windows.cutoffs + 1 + windows.horizon, -1)
    return np.cumsum(edges[:-1]) > 0


def row_in_words(panel: Panel, row: int) -> str:
    """Which row: "at 2010-01-01 00:00:00", and of which series if there are several."""
    of_series = f" of series {panel.series_ids[int(panel.series_of_row()[row])]!r}" if panel.n_series > 1 else ""
    return f"at {panel.clock.format(panel.times[row])}{of_series}"


def _not_as_recorded(windows: Mapping[str, Windows], prepared: Prepared, manifest: Mapping[str, Any]) -> Iterator[str]:
    for name, cut in prepared.split.to_record().items():
        recorded = manifest["data"].get(name)
        if cut != recorded:
            of_some = isinstance(cut, list) or isinstance(recorded, list)
            yield (
                f"{name} of some series is not as recorded"
                if of_some
                else f"{name} is {cut}, and the run recorded {recorded}"
            )
    for part, of_part in windows.items():
        if len(of_part) != manifest["windows"][part]:
            yield f"there are {len(of_part):,} {part} windows, and the run recorded {manifest['windows'][part]:,}"


def _across_gaps(windows: Mapping[str, Windows], panel: Panel) -> Iterator[str]:
    stretches = panel.stretches()
    for part, of_part in windows.items():
        last = of_part.starts + of_part.lookback + of_part.horizon - 1
        across = np.flatnonzero(stretches[of_part.starts] != stretches[last])
        if len(across):
            row = int(of_part.starts[across[0]])
            yield f"the {part} window that begins {row_in_words(panel, row)} crosses a gap or a series' end"


def _in_two_parts(targets: Mapping[str, Flags], panel: Panel) -> Iterator[str]:
    for one, other in combinations(targets, 2):
        both = np.flatnonzero(targets[one] & targets[other])
        if len(both):
            first = row_in_words(panel, int(both[0]))
            yield f"{len(both):,} target rows are in {one} and in {other}, the first is that {first}"


def _overlapping_in_series(targets: Mapping[str, Flags], panel: Panel) -> Iterator[str]:
    for one, other in pairwise(targets):
        last, first = np.full(panel.n_series, -1), np.full(panel.n_series, panel.n_rows)
        series = panel.series_of_row()
        for part, edge, keep in ((one, last, np.maximum), (other, first, np.minimum)):
            rows = np.flatnonzero(targets[part])
            keep.at(edge, series[rows], rows)
        early = np.flatnonzero(first <= last)
        if len(early):
            yield f"{other} has a target row {row_in_words(panel, int(first[early[0]]))}, before {one} has ended there"


def _overlapping(spans: Mapping[str, tuple[np.datetime64, np.datetime64]], clock: Clock) -> Iterator[str]:
    for one, other in pairwise(spans):
        last, first = spans[one][1], spans[other][0]
        if last >= first:
            yield f"{one} has a target row at {clock.format(last)}, and {other} one at {clock.format(first)} already"
