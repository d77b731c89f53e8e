"""How forecasts did that have come due: by step ahead, by day, by series and by version, beside the naive ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.archive.due import REFERENCES, DueForecasts
from forecast.data.bounds import TURN
from forecast.data.clock import STEP, Times
from forecast.data.panel import Floats
from forecast.data.windows import Ints
from forecast.errors import DataError
from forecast.evaluation.comparison import Losses, compare, known
from forecast.evaluation.verdict import verdict
from forecast.runs.run import Run

# A group of points: the number of the group of each, and what the groups are.
Groups = tuple[Ints, NDArray[Any]]


def score_due(run: Run, due: DueForecasts) -> dict[str, Any]:
    """The scores of forecasts that have come due, as a document of JSON.

    Each step counts once it has been observed. Skill and its p-value are of the losses by origin, as those of a test
    span, on the scale of the run's own scores: errors of several series are divided by their naive errors.

    Args:
        run: The run.
        due: Its forecasts.

    Raises:
        DataError: If none is due.
    """
    if not len(due):
        raise DataError(
            f"No forecast of {run.name} is due: nothing has been observed yet of what was forecast.",
            "Give rows that reach beyond the first forecast that was kept, or wait for them.",
        )
    clock, metrics = run.clock, run.metrics
    names = [due.model, *REFERENCES]
    errors = {name: np.abs(due.errors(name)) for name in names}
    seen = ~np.isnan(due.y) & ~np.isnan(np.sum(list(errors.values()), axis=0))  # the same points of all
    scale = _scales(metrics, due)
    skill_of = "MAE" if scale is None else "MASE"
    counted = seen & (np.ones_like(seen) if scale is None else scale[:, None] > 0)
    losses = errors if scale is None else {name: error / scale[:, None] for name, error in errors.items()}
    origins, of_origin = np.unique(due.cutoffs, return_inverse=True)
    apart = np.diff(clock.ordinals(origins))
    spacing = int(np.median(apart)) if len(apart) else 1
    reasons: dict[str, str] = {}
    by_origin = {name: _by_origin(loss, counted, of_origin, len(origins)) for name, loss in losses.items()}
    compared = compare(
        by_origin[due.model],
        {name: by_origin[name] for name in REFERENCES},
        -(-due.y.shape[1] // max(spacing, 1)),
        max(spacing, 1),
        reasons,
    )
    day = _days(run, due.times)
    days = np.unique(day[seen])
    of_day = np.minimum(np.searchsorted(days, day), len(days) - 1)  # of what is not seen, which does not count, any
    points = _Points(errors if scale is None else losses, counted, _inside(due), seen)
    steps = np.broadcast_to(np.arange(due.y.shape[1]), due.y.shape)
    series, of_series = np.unique(due.unique_ids.astype(str), return_inverse=True)
    versions, of_version = np.unique(due.versions, return_inverse=True)
    in_own_units = _Points(errors, seen, points.inside, seen)
    document = {
        "run": run.name,
        "title": str(run.manifest["title"]),
        "target": list(run.config.data.target),
        "model": due.model,
        "horizon": due.y.shape[1],
        "unit": metrics["unit"],
        "skill_of": skill_of,
        "n_windows": len(due),
        "n_origins": len(origins),
        "n_points": int(counted.sum()),
        "n_partly_due": int((due.times[:, -1] > due.times[seen].max(initial=due.times.min())).sum()),
        "n_issued_late": int((due.issued > due.times[:, -1]).sum()),
        "n_passed_over": due.passed_over,
        "first_origin": clock.isoformat(origins[0]),
        "last_origin": clock.isoformat(origins[-1]),
        "observed_until": clock.isoformat(due.times[~np.isnan(due.y)].max()),
        "models": {name: {skill_of.lower(): points.mean(name)} for name in names},
        **compared,
        "by_step": points.by(names, steps, due.y.shape[1]),
        "by_day": [
            {"day": day, **scores}
            for day, scores in zip(_in_words(run, days), points.rows(names, of_day, len(days)),
                                   strict=True)
        ],
        "by_series": dict(zip(series.tolist(), in_own_units.rows(names, of_series[:, None], len(series)), strict=True)),
        "by_version": dict(
            zip(map(str, versions.tolist()), points.rows(names, of_version[:, None], len(versions)), strict=True)
        ),
        "coverage": {
            level: {"share": points.covered(level), "by_step": points.covered_by(level, steps, due.y.shape[1])}
            for level in points.inside
        },
        "reasons": reasons,
    }  # fmt: skip
    shared = {name: figure for name, figure in document.items() if name != "by_series"}  # which has another form there
    return {**document, "verdict": verdict(shared)}


class _Points:
    """Errors of all points, [N, H] by model, and means of them.

    Args:
        errors: Absolute errors.
        counted: Which points their means are of.
        inside: By level of the intervals, whether what was observed lies inside, [N, H].
        seen: Which points were observed.
    """

    def __init__(
        self, errors: Mapping[str, Floats], counted: NDArray[np.bool_], inside: Mapping[str, Floats],
        seen: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        self._errors, self._counted, self.inside, self._seen = errors, counted, inside, seen

    def mean(self, name: str) -> float | None:
        """The mean error of a model."""
        return known(float(self._errors[name][self._counted].mean())) if self._counted.any() else None

    def by(self, names: list[str], groups: Ints, count: int) -> dict[str, list[float | None]]:
        """The mean errors of models in each group of points."""
        return {name: _means(self._errors[name], self._counted, groups, count) for name in names}

    def covered(self, level: str) -> float | None:
        """The share inside."""
        return self.covered_by(level, np.zeros((1, 1), np.int64), 1)[0]

    def covered_by(self, level: str, groups: Ints, count: int) -> list[float | None]:
        """The share inside in each group of points."""
        inside = self.inside[level]
        return _means(inside, self._seen & ~np.isnan(inside), groups, count)

    def rows(self, names: list[str], groups: Ints, count: int) -> list[dict[str, Any]]:
        """How many points each group has, the mean errors, and the shares inside."""
        sizes = np.bincount(np.broadcast_to(groups, self._seen.shape)[self._seen], minlength=count).tolist()
        errors, shares = self.by(names, groups, count), {
            level: self.covered_by(level, groups, count) for level in self.inside
        }  # fmt: skip
        return [
            {"n_points": sizes[group], "error": {name: values[group] for name, values in errors.items()},
             "coverage": {level: values[group] for level, values in shares.items()}}
            for group in range(count)
        ]  # fmt: skip


def _means(values: Floats, counted: NDArray[np.bool_], groups: Ints, count: int) -> list[float | None]:
    """The mean of the values that count in each group."""
    of_point = np.broadcast_to(groups, values.shape)[counted]
    sums, sizes = np.bincount(of_point, values[counted], count), np.bincount(of_point, minlength=count)
    return [known(mean) for mean in np.divide(sums, sizes, out=np.full(count, np.nan), where=sizes > 0).tolist()]


def _by_origin(loss: Floats, counted: NDArray[np.bool_], of_origin: Ints, n_origins: int) -> Losses:
    """Losses summed over the points of each origin, over their mean number: the mean over origins is that of points."""
    at = of_origin[:, None] * loss.shape[1] + np.arange(loss.shape[1])
    sums = np.bincount(at[counted], loss[counted], n_origins * loss.shape[1]).reshape(n_origins, -1)
    counts = np.bincount(at[counted], minlength=sums.size).reshape(sums.shape)
    by_step = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return Losses(sums.sum(axis=1) / max(counts.sum() / n_origins, 1e-300), by_step)


def _scales(metrics: Mapping[str, Any], due: DueForecasts) -> Floats | None:
    """What the errors of each forecast are divided by, [N], as in the run's own scores; None where they are not."""
    if metrics.get("skill_of", "MAE") == "MAE":
        return None
    naive = {name: error["mae"] or np.nan for name, error in metrics["naive_error"].items()}
    return np.array([naive.get(name, np.nan) for name in due.unique_ids])


def _inside(due: DueForecasts) -> dict[str, Floats]:
    """Whether what was observed lies in the model's interval, [N, H] by level; NaN where that is not known."""
    shares = {}
    for name in due.forecasts:
        model, end, level = name.rpartition("-lo-")
        if not end or model != due.model:
            continue
        low, high = (due.forecasts[end].astype(float) for end in (name, f"{model}-hi-{level}"))
        above, width = due.y - low, high - low
        turn = due.angles[:, None]  # from the low end on, the way that angles count
        inside = np.where(turn, above % TURN <= width % TURN, (above >= 0) & (above <= width)).astype(float)
        inside[np.isnan(above) | np.isnan(width)] = np.nan
        if not np.isnan(inside).all():
            shares[level] = inside
    return shares


def _days(run: Run, times: Times) -> NDArray[np.int64]:
    """The number of the local day of each time; on a clock of steps, of the stretch of a horizon."""
    if run.clock.freq == STEP:
        return times.astype(np.int64) // run.config.data.horizon
    return run.clock.wall(times).astype("datetime64[D]").astype(np.int64)


def _in_words(run: Run, days: NDArray[np.int64]) -> list[str]:
    if run.clock.freq == STEP:
        return [str(day * run.config.data.horizon) for day in days.tolist()]
    return days.astype("datetime64[D]").astype(str).tolist()
