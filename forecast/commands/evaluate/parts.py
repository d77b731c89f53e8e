"""Scores of a panel that is larger than memory: those of sets of files that are read in turn, pooled."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from forecast.errors import DataError, listed
from forecast.progress import Progress
from forecast.sources.parts import Parts

# Figures that are means over points, and those that are roots of such means.
_MEANS, _ROOTS = ("mae", "mase", "smape", "qlike", "bias"), ("rmse", "rmsse")

# Of the intervals of a level, the means over points.
_OF_LEVELS = ("coverage", "width", "winkler", "scaled_winkler")

# Files that a sentence names.
_NAMED = 3

Scores = Mapping[str, Any]


def score_parts(parts: Parts, score: Callable[[list[str]], Sequence[Scores]], progress: Progress) -> dict[str, Any]:
    """The scores of all files, as in metrics.json without what needs all rows at once.

    That are the tests of significance and the figures by series: series share their times, so that parts are no
    independent samples.

    Args:
        parts: The sets of files.
        score: The scores of the series of some files, those that a run was trained on and others apart.
        progress: Receives how many sets are done.

    Raises:
        DataError: If some files cannot be read, or hold no window to score; names them.
    """
    found: list[Scores] = []
    for number, files in enumerate(parts.sets, 1):
        try:
            found += score(sorted(files))
        except DataError as error:
            message, advice = error.args
            raise DataError(f"{listed([*map(os.path.basename, sorted(files))], _NAMED)}: {message}", advice) from None
        progress.counted("scoring", number, len(parts.sets))
    return _pooled(found, len(parts.files))


def _pooled(found: Sequence[Scores], n_files: int) -> dict[str, Any]:
    first, sizes = found[0], [int(scores.get("n_points", scores["n_windows"])) for scores in found]
    missing = [scores.get("n_points_missing", 0) for scores in found]
    sizes = [size - lost for size, lost in zip(sizes, missing, strict=True)] if any(missing) else sizes
    reasons: dict[str, str] = {}

    def mean(values: Sequence[float | None], root: bool = False) -> float | None:
        if any(value is None for value in values):
            return None
        total = sum(
            size * (float(value) ** 2 if root else float(value))
            for size, value in zip(sizes, values, strict=True)
            if value is not None
        )
        return math.sqrt(total / sum(sizes)) if root else total / sum(sizes)

    models: dict[str, dict[str, float | None]] = {}
    for name in first["models"]:
        of_parts = [scores["models"].get(name) for scores in found]
        if any(scores is None for scores in of_parts):  # a naive forecast that some series are too short for
            continue
        models[name] = {
            key: mean([scores[key] for scores in of_parts if scores is not None], key in _ROOTS)
            for key in first["models"][name]
            if key in (*_MEANS, *_ROOTS)
        }
    if any(scores.get("unscaled") for scores in found):
        for name, scores in models.items():
            reasons |= {
                f"models.{name}.{key}": "some series never change" for key in ("mase", "rmsse") if key in scores
            }
            scores |= {key: None for key in ("mase", "rmsse") if key in scores}
    measure, model = str(first["skill_of"]).lower(), first["model"]
    own = models[model].get(measure)
    skill = {
        name: None if own is None or not of_other[measure] else 1 - own / float(of_other[measure] or 1)
        for name, of_other in models.items()
        if name != model
    }
    n_windows = sum(int(scores["n_windows"]) for scores in found)
    return {
        "schema": first["schema"],
        **{key: first[key] for key in ("horizon", "unit", "season", "model", "by_step_of", "skill_of")},
        "n_windows": n_windows,
        "n_files": n_files,
        "models": models,
        "skill": skill,
        "p_value": dict.fromkeys(skill),
        "by_step": {
            name: [mean(step) for step in zip(*(scores["by_step"][name] for scores in found), strict=True)]
            for name in models
        },
        "intervals": _intervals(found, mean),
        "reasons": reasons,
        "verdict": _verdict(model, first["skill_of"], own, skill, found, n_windows, n_files),
    }


def _intervals(found: Sequence[Scores], mean: Callable[..., float | None]) -> dict[str, Any] | None:
    first = found[0].get("intervals")
    if not first:
        return None
    models: dict[str, Any] = {}
    for name in first["models"]:
        models[name] = {}
        for level in map(str, first["levels"]):
            of_parts = [scores["intervals"]["models"][name][level] for scores in found]
            models[name][level] = {
                key: mean([scores[key] for scores in of_parts]) for key in _OF_LEVELS if key in of_parts[0]
            }
            for key in ("coverage_by_step", "width_by_step"):
                models[name][level][key] = [
                    mean(step) for step in zip(*(scores[key] for scores in of_parts), strict=True)
                ]
    return {"levels": first["levels"], "adaptive": first["adaptive"], "models": models}


def _verdict(
    model: str,
    measure: str,
    own: float | None,
    skill: Mapping[str, float | None],
    found: Sequence[Scores],
    n_windows: int,
    n_files: int,
) -> str:
    what = f"{n_windows:,} windows of {n_files:,} files"
    known = {name: value for name, value in skill.items() if value is not None}
    if own is None or not known:
        return f"Over {what} {measure} is not pooled."
    best = min(known, key=known.__getitem__)
    better = sum((scores["skill"].get(best) or 0) > 0 for scores in found)
    than = "below" if known[best] > 0 else "above"
    return (
        f"Over {what} the {measure} of {model} is {own:.4g}, {abs(known[best]):.1%} {than} that of the best other "
        f"forecast, {best}; it is better in {better:,} of {len(found):,} sets of series. They share their times: no "
        "p-value is given for all."
    )
