"""How a run has done since it went live, in sentences and tables for terminals, pages and notebooks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from forecast.archive.due import REFERENCES, LiveScores
from forecast.plots.footnotes import shorten_time
from forecast.plots.style import Labels, format_like, printable
from forecast.plots.tables import PAGE, Cell, Table, TableStyle, format_share, steps_in_tables

# Days and series in a table; all of them are in the JSON.
_MOST_DAYS, _MOST_SERIES, _MOST_NAMED = 14, 12, 5


def sentences_of(live: LiveScores) -> tuple[list[str], list[str]]:
    """What must be known to read the scores, and which observations were revised since they were scored before."""
    summary, clock = live.summary, live.clock
    about = []
    if count := summary["n_partly_due"]:
        of_all = count_in_words(summary["n_windows"], "forecast")
        about.append(f"Of {of_all} {count:,} {_is(count)} due in part; steps count when they are due.")
    if count := summary["n_issued_late"]:
        issued = f"{count_in_words(count, 'forecast')} {'was' if count == 1 else 'were'} issued"
        about.append(f"{issued} when all of {'its' if count == 1 else 'their'} steps had passed.")
    if count := summary["n_passed_over"]:
        passed = f"{count_in_words(count, 'forecast')} {_is(count)} passed over"
        about.append(f"{passed}: from rows of the training, or of another network.")
    if live.alarms:
        about.append(
            "Skill and p ask whether all these forecasts were better than the naive ones; what has changed, whether "
            "they, or their inputs, are as they were before. One may show what the other does not."
        )
    revised = [
        f"{printable(each.unique_id, 40)} at {clock.format(each.time)} was revised: {each.before:g}, now {each.now:g}"
        for each in live.revisions[:_MOST_NAMED]
    ]
    if more := len(live.revisions) - len(revised):
        revised.append(f"{more:,} more observations were revised")
    return about, revised


def count_in_words(count: int, what: str) -> str:
    """A number of things: "1 forecast", "2 forecasts"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def live_tables(live: LiveScores, style: TableStyle = PAGE) -> list[Table]:
    """The scores over all points; by step ahead, day, series and version; and what the intervals hold."""
    summary = live.summary
    tables = [_all_points(summary, style)]
    if summary["horizon"] > 1:
        steps = steps_in_tables(summary["horizon"])
        rows = [
            (f"{step:,}", None, {name: errors[step - 1] for name, errors in summary["by_step"].items()},
             {level: shares["by_step"][step - 1] for level, shares in summary["coverage"].items()})
            for step in steps
        ]  # fmt: skip
        tables.append(_errors(f"{_measure(summary)} by step ahead", "steps ahead", rows, summary, style))
    days = [_row(each["day"], each) for each in summary["by_day"][-_MOST_DAYS:]]
    which = f", the last {_MOST_DAYS} of {len(summary['by_day']):,}" if len(summary["by_day"]) > _MOST_DAYS else ""
    tables.append(_errors(f"{_measure(summary)} by day{which}", "day", days, summary, style))
    if len(summary["by_version"]) > 1:
        rows_of = [_row(number, each) for number, each in summary["by_version"].items()]
        tables.append(_errors(f"{_measure(summary)} by version", "version", rows_of, summary, style))
    if len(summary["by_series"]) > 1:
        worst = sorted(summary["by_series"].items(), key=lambda each: -_relative(each[1]["error"], summary["model"]))
        rows_of = [_row(printable(name, 40), each) for name, each in worst[:_MOST_SERIES]]
        which = f", the worst {_MOST_SERIES} of {len(worst):,}" if len(worst) > _MOST_SERIES else ""
        tables.append(_errors(f"MAE by series, each in its own units{which}", "series", rows_of, summary, style))
    return tables


# The name of a row, how many points it has, the errors by model, and the shares inside by level.
_Row = tuple[str, int | None, Mapping[str, float | None], Mapping[str, float | None]]


def _row(name: str, scores: Mapping[str, Any]) -> _Row:
    return name, scores["n_points"], scores["error"], scores["coverage"]


def _relative(errors: Mapping[str, float | None], model: str) -> float:
    own, reference = errors[model], errors[REFERENCES[0]]
    if own is None or reference is None:
        return 0.0
    if reference == 0:
        return math.inf if own else 0.0
    return own / reference


def _measure(summary: Mapping[str, Any]) -> str:
    unit = f" ({printable(summary['unit'], 10)})" if summary["unit"] and summary["skill_of"] == "MAE" else ""
    return f"{summary['skill_of']}{unit}"


def _all_points(summary: Mapping[str, Any], style: TableStyle) -> Table:
    measure = summary["skill_of"].lower()
    first, last = (shorten_time(summary[name]) for name in ("first_origin", "last_origin"))
    span = first if first == last else f"{first} … {last}"
    table = Table(
        f"{printable(summary['run'], 40)}: {count_in_words(summary['n_windows'], 'forecast')} due by now, {span}",
        ["model", _measure(summary), "skill", "p"],
    )
    values = {name: scores[measure] for name, scores in summary["models"].items()}
    text = format_like(values.values(), style.digits)
    least = min((value for value in values.values() if value is not None), default=None)
    for name, value in values.items():
        cells = [Cell(style.model(name)), Cell("–") if value is None else Cell(text(value), best=value == least)]
        if name == summary["model"]:
            table.rows.append([*cells, Cell(""), Cell("")])
            continue
        skill, p = summary["skill"][name], summary["p_value"][name]
        reasons = summary["reasons"]
        cells.append(table.undefined(reasons[f"skill.{name}"]) if skill is None else Cell(format_share(skill)))
        why = reasons.get(f"p_value.{name}", "too few origins to test")
        cells.append(table.undefined(why) if p is None else Cell("< 0.001" if p < 0.001 else f"{p:.2g}"))
        table.rows.append(cells)
    return table


def _errors(caption: str, head: str, rows: Sequence[_Row], summary: Mapping[str, Any], style: TableStyle) -> Table:
    models, levels = list(summary["models"]), list(summary["coverage"])
    counted = [count for _, count, *_ in rows if count is not None]
    table = Table(
        caption,
        [head, *(["points"] if counted else []), *map(style.model, models), *(f"in {level}%" for level in levels)],
    )
    text = format_like((error for *_, errors, _ in rows for error in errors.values()), style.digits)
    for name, count, errors, shares in rows:
        least = min((error for error in errors.values() if error is not None), default=None)
        cells = [Cell(name)] if count is None else [Cell(name), Cell(f"{count:,}")]
        cells += [
            table.undefined("nothing is due") if errors[model] is None
            else Cell(text(errors[model] or 0.0), best=errors[model] == least)
            for model in models
        ]  # fmt: skip
        held = [shares[level] for level in levels]
        cells += [Cell("–") if share is None else Cell(f"{share:.0%}") for share in held]
        table.rows.append(cells)
    return table


def labels_of_live(live: LiveScores) -> Labels:
    """What a plot of live scores says."""
    summary = live.summary
    target = ", ".join(summary["target"])
    return Labels(summary["title"], target, summary["unit"], live.clock, summary["model"], None)
