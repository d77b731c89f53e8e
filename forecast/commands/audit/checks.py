"""What an audit finds, and those of its checks that compare rows, scalers and windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.commands.audit.futures import Tampered
from forecast.data.panel import Panel, moment
from forecast.data.prepare import Prepared, Rows
from forecast.data.scaling import Scaler
from forecast.data.split import PARTS
from forecast.data.windows import Flags, Windows
from forecast.errors import LeakError

# The check without which no other says anything: forecasts that vary by themselves cannot be compared to the bit.
_CONTROL = "repeatable"


@dataclass(frozen=True)
class Check:
    """One demand of an audit.

    Args:
        name: Which.
        passed: Whether it was met.
        detail: What was done and on how much; after a failure, what differed first.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Args:
        run: The run's name.
        origins: The moments at which forecasts were tried.
        checks: Every demand, in the order in which they were checked.
        warnings: What no check can decide, one sentence each.
    """

    run: str
    origins: tuple[np.datetime64, ...]
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every demand was met."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the demands that were not met."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        if _CONTROL in self.failed:
            return f"{self.run}: nothing can be proved, for the same rows give other forecasts the second time."
        if self.failed:
            return f"{self.run} leaks: {len(self.failed)} of {len(self.checks)} checks failed."
        n_doubts = len(self.warnings)
        doubts = f", {n_doubts} {'doubt' if n_doubts == 1 else 'doubts'} about covariates" if n_doubts else ""
        return f"{self.run}: no leak found by {len(self.checks)} checks{doubts}."

    @property
    def summary(self) -> dict[str, Any]:
        """The audit as JSON takes it."""
        return {
            "schema": 1,
            "run": self.run,
            "passed": self.passed,
            "verdict": self.verdict,
            "origins": [moment(origin) for origin in self.origins],
            "checks": [vars(check) for check in self.checks],
            "warnings": list(self.warnings),
        }


def demand_no_leak(audit: Audit) -> None:
    """Fail unless every check was passed.

    Raises:
        LeakError: If one failed.
    """
    if audit.failed:
        raise LeakError(
            f"{audit.verdict} Failed: {'; '.join(audit.failed)}.",
            "On a GPU, audit once more without it: CUDA_VISIBLE_DEVICES=-1 forecast audit RUN"
            if _CONTROL in audit.failed
            else "Do not trust the scores of this run. Train it again with this version: forecast train SOURCE\n"
            "If it leaks again, report it with the lines of this audit.",
        )


def check(name: str, done: str, differences: Iterable[str]) -> Check:
    """A check that is passed if nothing differs.

    Args:
        name: Its name.
        done: What was done, as the beginning of a sentence.
        differences: What differs, the first one first.
    """
    first = next(iter(differences), None)
    return Check(name, first is None, f"{done}: {first or 'bit-identical'}.")


def first_unequal(one: NDArray[Any], other: NDArray[Any]) -> tuple[int, ...] | None:
    """Where two arrays differ first, bit for bit; None if nowhere. Two that are both NaN do not differ."""
    if one.shape != other.shape:
        return (0,) * max(one.ndim, 1)
    unequal = one != other
    if one.dtype.kind == "f":
        unequal &= ~(np.isnan(one) & np.isnan(other))
        unequal |= np.signbit(one) != np.signbit(other)
    return tuple(int(place) for place in np.argwhere(unequal)[0]) if unequal.any() else None


def differing_rows(true: Rows, other: Rows, tampered: Tampered, before: NDArray[np.int64]) -> str | None:
    """What the network is fed of the rows up to an origin that is not the same under another future.

    Args:
        true: The rows as they are.
        other: The same of another future.
        tampered: Which rows those are.
        before: The rows up to the origin.
    """
    there = tampered.places(before)
    parts: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "the filled value": (true.filled_at(before), other.filled_at(there)),
        "whether the row can be fed": (true.usable[before], other.usable[there]),
        "whether the row was observed": (true.seen[before], other.seen[there]),
        "the input": (true.inputs_at(before), other.inputs_at(there)),
    }
    for what, (one, two) in parts.items():
        place = first_unequal(one, two)
        if place is not None:
            names = true.panel.columns if one.ndim > 1 else ()
            column = place[1] if one.ndim > 1 else 0
            of_column = f" {names[column]!r}" if column < len(names) else " of the calendar" if names else ""
            return f"{what}{of_column} {row_in_words(true.panel, int(before[place[0]]))} is another"
    return None


def differing_scaler(one: Scaler, other: Scaler) -> str | None:
    """The first statistic that is not the same in two scalers."""
    if (one.columns, one.series_ids) != (other.columns, other.series_ids):
        return "columns or series are others"
    for what in ("mean", "scale"):
        mine, theirs = getattr(one, what), getattr(other, what)
        place = first_unequal(mine, theirs)
        if place is not None:
            series = one.series_ids[place[0]]
            of_series = f" in series {series!r}" if len(one.series_ids) > 1 else ""
            return f"the {what} of {one.columns[place[1]]!r}{of_series} is {theirs[place]:.6g}, and {mine[place]:.6g}"
    return None if (one.logged == other.logged).all() else "other columns are logged"


def differing_training(true: Prepared, other: Prepared) -> str | None:
    """What the network learns from that is not the same where the rows after the training span are others."""
    if first_unequal(true.train.starts, other.train.starts) is not None:
        return f"there are {len(other.train):,} training windows, not {len(true.train):,}, or others"
    before = np.flatnonzero(true.rows.panel.times < true.split.validation_from)
    return differing_rows(true.rows, other.rows, Tampered(other.rows.panel, np.arange(len(true.rows.series))), before)


def check_parts(prepared: Prepared, recorded: Mapping[str, Any]) -> tuple[Check, ...]:
    """The windows of the parts: whole, in their own span, and none reaching into the target rows of the next.

    Args:
        prepared: The rows that the run was trained on, and their windows.
        recorded: The manifest: the cut-offs and how many windows there were.
    """
    panel = prepared.rows.panel
    windows = dict(zip(PARTS, (prepared.train, prepared.validation, prepared.test), strict=True))
    targets = {part: target_rows(found, panel.n_rows) for part, found in windows.items()}
    counts = ", ".join(f"{len(found):,} {part}" for part, found in windows.items())
    many = ", ".join(f"{int(rows.sum()):,} {part}" for part, rows in targets.items())
    gap = _plain("windows", f"{counts} windows, as recorded; none crosses a gap or a series' end",
                 [*_uncommon(windows, prepared, recorded), *_broken(windows, panel)])  # fmt: skip
    twice = _plain("parts", f"target rows: {many}; none is in two parts", _shared(targets, panel))
    spans = {part: (panel.times[rows].min(), panel.times[rows].max()) for part, rows in targets.items()}
    apart = ", ".join(f"{part} {moment(first)} … {moment(last)}" for part, (first, last) in spans.items())
    late = _plain("purge", f"target rows: {apart}; no part begins before the last has ended", _late(spans))
    return gap, twice, late


def target_rows(windows: Windows, n_rows: int) -> Flags:
    """Which rows lie in the horizon of a window, [T]."""
    edges = np.zeros(n_rows + 1, np.int64)
    np.add.at(edges, windows.cutoffs + 1, 1)
    np.add.at(edges, windows.cutoffs + 1 + windows.horizon, -1)
    return np.cumsum(edges[:-1]) > 0


def row_in_words(panel: Panel, row: int) -> str:
    """Which row: "at 2010-01-01 00:00:00", and of which series if there are several."""
    of_series = f" of series {panel.series_ids[int(panel.series_of_row()[row])]!r}" if panel.n_series > 1 else ""
    return f"at {moment(panel.times[row])}{of_series}"


def _plain(name: str, held: str, broken: Iterable[str]) -> Check:
    first = next(iter(broken), None)
    return Check(name, first is None, f"{first or held}.")


def _uncommon(windows: Mapping[str, Windows], prepared: Prepared, recorded: Mapping[str, Any]) -> Iterable[str]:
    cuts = {"validation_from": prepared.split.validation_from, "test_from": prepared.split.test_from}
    for name, cut in cuts.items():
        if str(cut) != recorded["data"].get(name):
            yield f"{name} is {cut}, and the run recorded {recorded['data'].get(name)}"
    for part, found in windows.items():
        if len(found) != recorded["windows"][part]:
            yield f"there are {len(found):,} {part} windows, and the run recorded {recorded['windows'][part]:,}"


def _broken(windows: Mapping[str, Windows], panel: Panel) -> Iterable[str]:
    stretches = panel.stretches()
    for part, found in windows.items():
        last = found.starts + found.lookback + found.horizon - 1
        across = np.flatnonzero(stretches[found.starts] != stretches[last])
        if len(across):
            row = int(found.starts[across[0]])
            yield f"the {part} window that begins {row_in_words(panel, row)} crosses a gap or a series' end"


def _shared(targets: Mapping[str, Flags], panel: Panel) -> Iterable[str]:
    for one, other in combinations(targets, 2):
        both = np.flatnonzero(targets[one] & targets[other])
        if len(both):
            first = row_in_words(panel, int(both[0]))
            yield f"{len(both):,} target rows are in {one} and in {other}, the first is that {first}"


def _late(spans: Mapping[str, tuple[np.datetime64, np.datetime64]]) -> Iterable[str]:
    for one, other in pairwise(spans):
        last, first = spans[one][1], spans[other][0]
        if last >= first:
            yield f"{one} has a target row at {moment(last)}, and {other} one at {moment(first)} already"
