"""Scores of a panel that is larger than memory: sums over sets of files that are read in turn, put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Forecaster, Windows
from forecast.errors import DataError, listed, quote, setting
from forecast.evaluation.chunks import chunks_of
from forecast.evaluation.comparison import SumsByOrigin, origin_steps
from forecast.evaluation.metrics import absolute_error, squared_error
from forecast.evaluation.scoring import Scorer, tested_every
from forecast.evaluation.verdict import verdict
from forecast.evaluation.yardstick import NaiveError
from forecast.intervals.conformal import Intervals
from forecast.models.naive import NAIVE
from forecast.progress import Progress
from forecast.sources.parts import Parts

# Files that a sentence names.
_NAMED = 3


class ToScore(NamedTuple):
    """The arguments of `score_models`."""

    rows: Rows
    windows: Windows
    models: Mapping[str, Forecaster]
    season: int
    naive_error: Mapping[str, NaiveError]
    intervals: Intervals | None
    alone: Mapping[str, str]


class Scored(NamedTuple):
    """The series of some files, and the sums over their windows.

    Args:
        series: Their names.
        n_targets: D.
        scorer: None if they have no window.
    """

    series: tuple[str, ...]
    n_targets: int
    scorer: Scorer | None


def sum_up(asked: ToScore) -> Scored:
    """The sums over the windows of some series of more."""
    rows, windows, models, season, naive_error, intervals, alone = asked
    found = Scored(rows.panel.series_ids, rows.n_targets, None)
    if not len(windows):
        return found
    scorer = Scorer(rows, windows, tuple(models), season, naive_error, intervals, alone, of_more=True)
    for chunk in chunks_of(rows, windows, models, season, intervals):
        scorer.add(chunk)
    return found._replace(scorer=scorer)


def pool_parts(
    parts: Parts, score: Callable[[list[str]], Mapping[str, Scored]], progress: Progress
) -> dict[str, dict[str, Any]]:
    """The scores of all files, as in metrics.json but for those by series, by kind of series.

    Args:
        parts: The sets of files.
        score: The sums over the windows of some files, by kind of series.
        progress: Receives how many sets are done.

    Raises:
        DataError: If some files cannot be read, or hold series of others; names them. If there is no window.
    """
    pools, first = dict[str, _Pool](), tuple[str, ...]()
    for number, files in enumerate(map(sorted, parts.sets), 1):
        try:
            scored = score(files)
        except DataError as error:
            named = listed([*map(os.path.basename, files)], _NAMED)
            raise DataError(f"{named}: {error.args[0]}", error.args[1]) from None
        series = tuple(name for some in scored.values() for name in some.series)
        first = first or series
        check_whole(first, parts.sample, series, files)
        for kind, some in scored.items():
            pools.setdefault(kind, _Pool()).add(some)
        progress.counted("scoring", number, len(parts.sets))
    found = {kind: pool.metrics(whole) for kind, pool in pools.items() if (whole := pool.whole) is not None}
    if not found:
        raise DataError("No file has a window to score.", "Give longer series.")
    return {kind: metrics | {"n_files": len(parts.files)} for kind, metrics in found.items()}


def check_whole(known: Sequence[str], of_files: Sequence[str], series: Sequence[str], files: Sequence[str]) -> None:
    """Check that series are not in other files, too.

    Args:
        known: Some series.
        of_files: The files that they are of.
        series: Those of some files.
        files: These.

    Raises:
        DataError: If one is.
    """
    if of_files != files and (twice := [name for name in {*known} & {*series} if name]):
        here, there = (listed([*map(os.path.basename, some)], _NAMED) for some in (of_files, files))
        raise DataError(
            f"The series {quote(min(twice))} is in {here}, and in {there}: {setting('memory')} needs each series "
            "whole, in one file.",
            "Divide the rows into files by series, not by time.",
        )


class _Pool:
    """Sums over windows of which only some are in memory; series are forgotten as they are added."""

    def __init__(self) -> None:
        self.whole: Scorer | None = None
        self._n_series = self._n_unscaled = self._n_unscored = 0
        self._heaviest: dict[str, dict[str, Any]] = {}

    def add(self, some: Scored) -> None:
        self._n_series += len(some.series) * some.n_targets
        if some.scorer is None:
            self._n_unscored += len(some.series) * some.n_targets
            return
        scorer, whole = some.scorer, self.whole
        self._n_unscored += int((scorer.n_windows == 0).sum()) * some.n_targets
        self._n_unscaled += int(((scorer.n_windows > 0)[:, None] & ~(scorer.points.naive_mae > 0)).sum())
        for reference in (name for name in scorer.sums if name in NAIVE and scorer.measure == "MASE"):
            own, before = _heaviest_series(scorer, reference), self._heaviest.get(reference)
            self._heaviest[reference] = own if before is None else _heavier(before, own)
        _forget_series(scorer)
        if whole is None:
            self.whole = scorer
        else:
            _add(whole, scorer)

    def metrics(self, whole: Scorer) -> dict[str, Any]:
        """The figures of all, with their verdict."""
        whole.tested_every = every = tested_every(len(whole.origins), whole.points.counts.shape[1])
        for sums in whole.sums.values() if every > 1 else ():
            n_tested = -(-len(whole.origins) // every)
            thinned = SumsByOrigin(n_tested, whole.points.counts.shape[1])
            thinned.add_sums(sums.loss_by_step, np.arange(n_tested), every)
            sums.loss_by_step = thinned
        metrics = whole.figures() | {"n_series": self._n_series, "n_series_unscored": self._n_unscored}
        if whole.measure == "MASE":
            metrics |= {"n_series_unscaled": self._n_unscaled, "heaviest_series": self._heaviest}
        if whole.measure == "MASE" and not whole.points.counts[0].any():
            why = f"values {metrics['season']} steps apart never differ in the training rows of any series"
            metrics["reasons"] |= {key: why for key in metrics["reasons"] if key.startswith(("skill", "p_value"))}
            return metrics | {"verdict": f"No skill can be measured: {why}."}
        return metrics | {"verdict": verdict(metrics)}


def _heaviest_series(scorer: Scorer, reference: str) -> dict[str, Any]:
    """What a verdict says of the series with the largest scaled error, and of the others."""
    points = scorer.points
    n_points, pair = points.counts.sum(axis=1), (scorer.models[0], reference)
    usable = (points.naive_mae > 0) & (n_points > 0)
    errors = [scorer.sums[name].points[absolute_error].sum(axis=1)[usable] for name in pair]
    scaled = np.array(errors).T / (n_points * points.naive_mae)[usable][:, None]  # [n, 2]
    if not len(scaled):
        return {"name": "", "mase": [0.0, 0.0], "others": [0.0, 0.0], "of": 0}
    largest = int(scaled.max(axis=1).argmax())
    series, target = np.argwhere(usable)[largest]
    others = np.delete(scaled, largest, axis=0).sum(axis=0)
    return {
        "name": scorer.rows.unique_ids[series][target],
        "mase": scaled[largest].tolist(),
        "others": others.tolist(),
        "of": len(scaled),
    }


def _heavier(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The heavier of the heaviest series of two sets, the others being those of both."""
    heavy, light = (one, other) if max(one["mase"]) >= max(other["mase"]) else (other, one)
    others = np.array([heavy["others"], light["others"], light["mase"]]).sum(axis=0).tolist()
    return {**heavy, "others": others, "of": one["of"] + other["of"]}


def _forget_series(scorer: Scorer) -> None:
    """Make two series of all: one with the scaled sums of those that have a scale, and one with what is left of each.

    Sums of both are the sums of all, and scaled ones, those over the scale of the first, which is one.
    """
    points, naive = scorer.points, scorer.points.naive_mae
    usable = naive > 0

    def of_two(sums: Floats, scale: Floats) -> Floats:
        scaled = np.divide(sums, scale, out=np.zeros_like(sums), where=usable if sums.ndim == 2 else usable[:, None])
        return np.stack([scaled.sum(axis=0), sums.sum(axis=0) - scaled.sum(axis=0)])

    for of_model in scorer.sums.values():
        for part, sums in of_model.points.items():
            scale = points.naive_rmse**2 if part is squared_error else naive
            of_model.points[part] = of_two(sums, scale[:, None])
        for quantile_or_level in (of_model.quantiles, *of_model.intervals.values()):
            for part, sums in quantile_or_level.items():
                quantile_or_level[part] = of_two(sums, naive)
    counts = np.stack([np.where(usable[:, None], points.counts, 0).sum(axis=0), points.counts.sum(axis=0)])
    counts[1] -= counts[0]
    one = np.stack([np.ones(naive.shape[1]), np.full(naive.shape[1], np.nan)])
    scorer.points = replace(points, counts=counts, naive_mae=one, naive_rmse=one)
    scorer.n_windows = scorer.n_windows.sum(keepdims=True)
    del scorer.rows  # the largest part of what a set takes


def _add(whole: Scorer, scorer: Scorer) -> None:
    """Add the sums of some windows to those of others."""
    times = np.concatenate([whole.origins, scorer.origins])
    _, firsts, numbers = np.unique(origin_steps(times, whole.clock), return_index=True, return_inverse=True)
    at, horizon = np.split(numbers, [len(whole.origins)]), whole.points.counts.shape[1]
    whole.origins = times[firsts]

    def by_origin(n_losses: int, *both: SumsByOrigin) -> SumsByOrigin:
        found = SumsByOrigin(len(firsts), n_losses)
        for sums, own in zip(both, at, strict=True):
            found.add_sums(sums, own)
        return found

    # A naive forecast that does not stand for all series is none of all.
    for name in [name for name in whole.sums if name not in scorer.sums]:
        del whole.sums[name]
    for name, one in whole.sums.items():
        other = scorer.sums[name]
        one.loss_by_origin = by_origin(1, one.loss_by_origin, other.loss_by_origin)
        one.loss_by_step = by_origin(horizon, one.loss_by_step, other.loss_by_step)
        for mine, others in (
            (one.points, other.points),
            (one.quantiles, other.quantiles),
            *((one.intervals[level], other.intervals[level]) for level in one.intervals),
            *((one.intervals_by_step[level], other.intervals_by_step[level]) for level in one.intervals_by_step),
        ):
            for part in mine:
                mine[part] = mine[part] + others[part]
    whole.points.counts += scorer.points.counts
    whole.points.observed += scorer.points.observed
    whole.n_windows += scorer.n_windows
    whole.moved_seasons += scorer.moved_seasons
    whole.spacing = min(whole.spacing, scorer.spacing)
    whole.echo.sums = {name: value + scorer.echo.sums[name] for name, value in whole.echo.sums.items()}
