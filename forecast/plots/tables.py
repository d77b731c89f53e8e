"""The tables of a report, as text in cells; every undefined figure is a dash with its reason below the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import Floats
from forecast.data.prepare import Prepared
from forecast.evaluation.scoring import steps_in_tables
from forecast.plots.plots import interval_levels
from forecast.plots.style import Labels, model_name, number, shown

# Longer tables are in the files of the run.
MOST_SERIES, _MOST_STEPS = 12, 48

_UNDEFINED = "–"
_MINUS = "\u2212"


@dataclass(frozen=True)
class Cell:
    """What a table says in one place.

    Args:
        text: The figure, or a dash where it is undefined.
        best: Whether it is the best of its column.
        reason: The number of the note that says why it is undefined; 0 for none.
        aside: What stands below it in small letters.
    """

    text: str
    best: bool = False
    reason: int = 0
    aside: str = ""


@dataclass
class Table:
    """Rows of cells below their names; the first cell of a row names it.

    Args:
        caption: What the table holds.
        columns: Names of the columns.
        rows: As many cells each as there are columns.
        notes: Why figures are undefined, numbered from 1.
    """

    caption: str
    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def undefined(self, reason: str) -> Cell:
        """A dash, with its reason below the table."""
        if reason not in self.notes:
            self.notes.append(reason)
        return Cell(_UNDEFINED, reason=self.notes.index(reason) + 1)


@dataclass(frozen=True)
class Score:
    """A column of the table of scores.

    Args:
        name: Its head; the unit is put behind.
        meaning: What it says, for the reader who does not know it.
        in_units: Whether it is in the target's units.
        cost: What the best model has least of.
        text: The figure in words.
    """

    name: str
    meaning: str
    in_units: bool = False
    cost: Callable[[float], float] = abs
    text: Callable[[float], str] = number


def signed(value: float) -> str:
    """A number to three digits with its sign: "+0.420", "−1.20"."""
    return f"{'+' if value > 0 else _MINUS if value < 0 else ''}{number(abs(value))}"


def share(value: float) -> str:
    """A share in percent with its sign: "+5.3%"."""
    return f"{value:+.1%}".replace("-", _MINUS)


def _percent(value: float) -> str:
    return f"{value:.1%}"


def chance(p: float) -> str:
    """A p-value: "< 0.001", "0.249"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


SCORES = {
    "mae": Score("MAE", "mean absolute error", in_units=True),
    "rmse": Score("RMSE", "root of the mean squared error, which large errors dominate", in_units=True),
    "mase": Score("MASE", "MAE divided by that of the seasonal naive, one step ahead, on the training span"),
    "rmsse": Score("RMSSE", "the same of RMSE"),
    "smape": Score("sMAPE %", "absolute error in percent of the mean of forecast and observed"),
    "wape": Score("WAPE %", "sum of the absolute errors in percent of the sum of what was observed"),
    "bias": Score("bias", "mean of forecast minus observed", in_units=True, text=signed),
    "directional_accuracy": Score(
        "direction %", "how often the change from the last value had the right sign", cost=lambda value: -value
    ),
}

PROBABILISTIC = {
    "crps": Score(
        "CRPS",
        "the mean loss of the nine deciles, doubled: the error of the whole distribution; of one value, the MAE",
        in_units=True,
    ),
    "wql": Score("WQL", "CRPS over the mean size of what was observed"),
}


def score_table(metrics: Mapping[str, Any], labels: Labels) -> Table:
    """Every model's scores, and beside each reference the model's skill against it."""
    shown_scores = {
        key: score for key, score in SCORES.items() if any(key in found for found in metrics["models"].values())
    }
    heads = [_head(score, labels) for score in shown_scores.values()]
    table = Table("Scores over the test span", ["model", heads[0], "skill", "p", *heads[1:]])
    best = {key: _best([found.get(key) for found in metrics["models"].values()], score.cost)
            for key, score in shown_scores.items()}  # fmt: skip
    reasons = metrics.get("reasons", {})
    for model, found in metrics["models"].items():
        cells = [
            _figure(table, found.get(key), score, best[key], reasons.get(f"models.{model}.{key}"))
            for key, score in shown_scores.items()
        ]
        table.rows.append([Cell(model_name(model)), cells[0], *_skill_cells(table, metrics, model), *cells[1:]])
    return table


def _skill_cells(table: Table, metrics: Mapping[str, Any], model: str) -> list[Cell]:
    if model not in metrics["skill"]:
        return [Cell(""), Cell("")]
    reasons = metrics.get("reasons", {})
    gain, p = metrics["skill"][model], metrics["p_value"].get(model)
    interval = metrics.get("skill_interval", {}).get(model)
    aside = "" if interval is None else f"{share(interval[0])} to {share(interval[1])}"
    return [
        table.undefined(reasons.get(f"skill.{model}", "no skill can be measured"))
        if gain is None
        else Cell(share(gain), aside=aside),
        table.undefined(reasons.get(f"p_value.{model}", "too few origins to test")) if p is None else Cell(chance(p)),
    ]


def interval_table(metrics: Mapping[str, Any], labels: Labels) -> Table | None:
    """What every model's intervals hold; None for a run without intervals."""
    intervals = metrics.get("intervals")
    if not intervals:
        return None
    levels = [str(level) for level in intervals["levels"]]
    of_level = {
        "coverage": ("inside {} %", _percent),
        "width": ("width {} %", number),
        "winkler": ("Winkler {} %", number),
    }
    columns = ["model", *(_head(score, labels) for score in PROBABILISTIC.values())]
    for level in levels:
        columns += [name.format(level) for name, _ in of_level.values()]
    widths = f", widths in{_unit(labels)}" if labels.unit else ""
    table = Table(f"Intervals over the test span{widths}", columns)
    reasons = metrics.get("reasons", {})
    for model, found in intervals["models"].items():
        where = f"intervals.models.{model}"
        cells = [_figure(table, found.get(key), score, None, reasons.get(f"{where}.{key}"))
                 for key, score in PROBABILISTIC.items()]  # fmt: skip
        for level in levels:
            for key, (_, text) in of_level.items():
                value = found.get(level, {}).get(key)
                reason = reasons.get(f"{where}.{level}.{key}", "no interval of this level")
                cells.append(table.undefined(reason) if value is None else Cell(text(value)))
        table.rows.append([Cell(model_name(model)), *cells])
    return table


def step_table(metrics: Mapping[str, Any], labels: Labels) -> Table:
    """Every model's MAE at the first step, the last one and some between, and where the model is really better."""
    p_by_step = metrics.get("p_by_step", {})
    steps = steps_in_tables(metrics["horizon"])
    against = [name for name, values in p_by_step.items() if values]
    columns = [f"{labels.duration(2).split(' ', 1)[1]} ahead", *map(model_name, metrics["by_step"])]
    columns += [f"p, {model_name(name)}" for name in against]
    table = Table(f"MAE{_unit(labels)} by how far ahead, and p against each reference", columns)
    for step in steps:
        errors = [values[step - 1] for values in metrics["by_step"].values()]
        cells = [table.undefined("nothing was observed") if v is None else Cell(number(v), best=v == _best(errors, abs))
                 for v in errors]  # fmt: skip
        chances = [p_by_step[name][step - 1] for name in against]
        cells += [table.undefined("too few origins to test") if p is None else Cell(chance(p)) for p in chances]
        table.rows.append([Cell(f"{step:,}"), *cells])
    return table


def series_table(metrics: Mapping[str, Any]) -> Table | None:
    """Every model's MAE on each series and target, each in its own units; None if there is only one."""
    if "by_series" not in metrics:
        return None
    table = Table("MAE by series, each in its own units", ["series", *map(model_name, metrics["models"])])
    for name, errors in list(metrics["by_series"].items())[:MOST_SERIES]:
        least = _best(list(errors.values()), abs)
        cells = [table.undefined("it has no test window") if v is None else Cell(number(v), best=v == least)
                 for v in (errors[model] for model in metrics["models"])]  # fmt: skip
        table.rows.append([Cell(shown(name, 60)), *cells])
    return table


def forecast_table(forecast: pd.DataFrame, name: str, labels: Labels) -> Table:
    """The first steps of the newest forecast of one series, with the model's intervals."""
    rows, columns = forecast[forecast["unique_id"] == name], list(forecast.columns)
    levels = interval_levels(columns, labels.model)[::-1]
    models = [column for column in columns[3:] if not _is_bound(column, columns)]
    others = [model for model in models if model != labels.model]
    table = Table(
        f"{labels.axis(name)}: the figures of the newest forecast",
        ["time", model_name(labels.model), *(f"{level} % interval" for level in levels), *map(model_name, others)],
    )
    for _, row in rows.head(_MOST_STEPS).iterrows():
        bounds = [(row[f"{labels.model}-lo-{level}"], row[f"{labels.model}-hi-{level}"]) for level in levels]
        table.rows.append([
            Cell(labels.moment(np.datetime64(row["ds"]))),
            _value(table, row[labels.model]),
            *(Cell(f"{number(low)} to {number(high)}") if math.isfinite(low) and math.isfinite(high)
              else table.undefined("too few errors to tell") for low, high in bounds),
            *(_value(table, row[model]) for model in others),
        ])  # fmt: skip
    return table


def column_table(prepared: Prepared, apart: int) -> Table:
    """What the network is given: each target of each series, and the columns beside them.

    Args:
        prepared: The rows.
        apart: As how many series each row stands there, because its targets are forecast apart.
    """
    rows, panel, known = prepared.rows, prepared.rows.panel, set(prepared.config.data.known)
    table = Table("What the network is given", ["column", "part", "missing", "least", "median", "most"])
    for series, names in enumerate(rows.unique_ids[:MOST_SERIES]):
        for target, name in enumerate(names):
            unit = panel.units.get(rows.targets[target], "")
            _add_column(table, name, unit, "target", rows.course(series, target))
    once = slice(0, panel.n_rows // apart) if panel.n_series == apart else slice(None)
    for place, name in enumerate(panel.columns[rows.n_targets :], start=rows.n_targets):
        part = "known ahead" if name in known else "covariate"
        _add_column(table, name, panel.units.get(name, ""), part, panel.values[once, place])
    return table


def _add_column(table: Table, name: str, unit: str, part: str, values: Floats) -> None:
    seen = values[np.isfinite(values)]
    measured = [Cell(number(float(of(seen)))) if len(seen) else table.undefined("every value is missing")
                for of in (np.min, np.median, np.max)]  # fmt: skip
    full = shown(name, 60) + (f" ({shown(unit, 10)})" if unit and f"({unit})" not in name else "")
    table.rows.append([Cell(full), Cell(part), Cell(f"{len(values) - len(seen):,}"), *measured])


def _is_bound(column: str, columns: Sequence[str]) -> bool:
    start, _, level = column.rpartition("-")
    return level.isdecimal() and any(start == f"{model}-{end}" for model in columns for end in ("lo", "hi"))


def _value(table: Table, value: float) -> Cell:
    return Cell(number(value)) if math.isfinite(value) else table.undefined("no value is known to start from")


def _head(score: Score, labels: Labels) -> str:
    return score.name + (_unit(labels) if score.in_units else "")


def _unit(labels: Labels) -> str:
    return f" {shown(labels.unit, 10)}" if labels.unit else ""


def _figure(table: Table, value: float | None, score: Score, best: float | None, reason: str | None) -> Cell:
    if value is None:
        return table.undefined(reason or "undefined on this test span")
    return Cell(score.text(value), best=value == best)


def _best(values: Sequence[float | None], cost: Callable[[float], float]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known, key=cost) if len(set(known)) > 1 else None  # of equals, none is the best
