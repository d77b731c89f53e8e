"""What must be known to read a run's figures: how series are pooled, which are left out, what rests on one value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from forecast.errors import listed
from forecast.plots.style import format_like, format_number, printable

# Names that a sentence has room for.
_MOST_NAMED = 5


def footnotes(metrics: Mapping[str, Any]) -> list[str]:
    """Sentences on the scores of a run, to stand at its tables; none for a single series that has nothing odd."""
    left_out = _of_files(metrics) if "n_files" in metrics else _left_out(metrics)
    return [*points_not_scored(metrics), *_pooling(metrics), *left_out, *_outliers(metrics)]


def points_not_scored(metrics: Mapping[str, Any]) -> list[str]:
    """How many points were not observed, in a sentence; none where all were."""
    missing = metrics.get("n_points_missing", 0)
    are = "is" if missing == 1 else "are"
    return [f"{missing:,} of {metrics['n_points']:,} points {are} not observed and not scored."] if missing else []


def thinning_note(metrics: Mapping[str, Any]) -> str:
    """Which origins a table of forecasts keeps, to stand behind its number of rows; empty if it keeps all."""
    every = metrics["forecasts_every"]
    return f", of one origin in {every}: all would be more than a million rows" if every > 1 else ""


def coverage_notes(metrics: Mapping[str, Any]) -> list[str]:
    """What the model's intervals hold on single series: the least and the most, and apart where they borrow errors."""
    intervals = metrics.get("intervals")
    if not intervals:
        return []
    scores = intervals["models"][metrics["model"]]
    by_level = {level: scores[str(level)].get("coverage_by_series", {}) for level in intervals["levels"]}
    borrowed = [name for name in scores.get("borrowed", ()) if all(name in shares for shares in by_level.values())]
    own = [name for name in next(iter(by_level.values()), {}) if name not in set(borrowed)]
    sentences = []
    if len(own) > 1:
        beginning = f"Of the {len(own):,} series with enough errors of their own" if borrowed else "By series"
        sentences.append(f"{beginning}, {_ranges(by_level, own)}.")
    if borrowed:
        some = "On the one that borrows" if len(borrowed) == 1 else f"Of the {len(borrowed):,} that borrow"
        beginning = some if own else "By series, all of which borrow"
        sentences.append(f"{beginning} the errors of others, {_ranges(by_level, borrowed)}.")
    return sentences


def _ranges(by_level: Mapping[int, Mapping[str, float | None]], group: Collection[str]) -> str:
    """What intervals of each level hold on the series of a group, the worst named."""
    ranges = []
    for level, shares in by_level.items():
        known = {name: share for name in group if (share := shares[name]) is not None}
        worst = min(known, key=lambda name: known[name])
        least, most = (f"{share:.1%}" for share in (known[worst], max(known.values())))
        span = f"{least} on each" if least == most and len(known) > 1 else f"{least} ({printable(worst, 40)})"
        ranges.append(f"intervals of {level}% hold {span}" + (f" to {most}" if least != most else ""))
    return ", ".join(ranges)


def _pooling(metrics: Mapping[str, Any]) -> list[str]:
    if metrics.get("skill_of") != "MASE":
        return []
    scaled = "MASE and skill are means over all points, each error divided by the naive error of its series"
    if metrics.get("by_step_of") == "MASE":
        return [f"{scaled}."]
    return [f"{scaled}; MAE and RMSE are means of the undivided errors, so that series of large values decide them."]


def _of_files(metrics: Mapping[str, Any]) -> list[str]:
    """Of a panel that is larger than memory, what figures are of, and how many series they leave out."""
    n_series, by_series = metrics["n_series"], metrics.get("by_series", ())
    of = f"Figures are of {n_series:,} series in {metrics['n_files']:,} files"
    left_out = {
        "in MASE and skill, as the naive error is zero or unknown": metrics.get("n_series_unscaled", 0),
        "scored, having no window": metrics["n_series_unscored"],
    }
    return [
        f"{of}; those by series, and plots, of the {len(by_series):,} of the sample." if by_series else f"{of}.",
        *(f"{n:,} of {n_series:,} series {'is' if n == 1 else 'are'} not {what}." for what, n in left_out.items() if n),
    ]


def _left_out(metrics: Mapping[str, Any]) -> list[str]:
    """The series that figures leave out: of scaled ones those without a scale, of all those without a window."""
    scored = metrics.get("by_series", {})
    every = metrics.get("naive_error", scored)
    unscaled = metrics.get("unscaled", ())
    left_out = {
        "in MASE and skill, as the naive error is zero or unknown": unscaled if len(unscaled) < len(scored) else (),
        "scored, having no window": [name for name in every if name not in scored] if scored else (),
    }
    return [
        f"{len(names):,} of {len(every):,} series {'is' if len(names) == 1 else 'are'} not {what}: {_named(names)}."
        for what, names in left_out.items()
        if names
    ]


def _outliers(metrics: Mapping[str, Any]) -> list[str]:
    """The series whose yardstick rests on one value, the worst first."""
    found = sorted(metrics.get("yardstick", {}).items(), key=lambda note: -note[1]["share"])
    several = "by_series" in metrics
    sentences = []
    for name, note in found[:_MOST_NAMED]:
        of_series = f" of {printable(name, 40)}" if several else ""
        consequence = "without it there is none"
        if note["mase"] is not None and note["mase_without"] is not None:
            text = format_like((note["mase"], note["mase_without"]), 3)
            mase = "its MASE" if several else "MASE"
            consequence = f"without it, {mase} would be {text(note['mase_without'])}, not {text(note['mase'])}"
        share = f"{note['share']:.0%}" if note["share"] < 0.995 else "almost all"
        sentences.append(
            f"One value makes {share} of the naive error{of_series}, which MASE is divided by: "
            f"{format_number(note['value'])} at {shorten_time(note['time'])}; {consequence}."
        )
    if len(found) > _MOST_NAMED:
        sentences.append(f"So it is with {len(found) - _MOST_NAMED:,} more series.")
    return sentences


def _named(names: Collection[str]) -> str:
    return listed([printable(name, 40) for name in names], _MOST_NAMED)


def shorten_time(text: str) -> str:
    """A time of ISO 8601 as `Clock.format` writes it."""
    time, offset = text[:19].replace("T", " ").removesuffix(":00"), text[19:]
    return time + offset if offset else time.removesuffix(" 00:00")
