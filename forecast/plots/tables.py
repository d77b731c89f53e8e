"""Tables as text in cells, for pages and terminals; an undefined figure is a dash with its reason below the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import Floats
from forecast.data.prepare import Prepared
from forecast.evaluation.metrics import IntervalForecast, Metric, PointForecast, QuantileForecast, metrics_of
from forecast.plots.style import Labels, format_number, model_name, printable

# Longer tables are in the files of the run.
MOST_SERIES, _MOST_STEPS = 12, 48

MINUS = "\u2212"


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
        return Cell("–", reason=self.notes.index(reason) + 1)


@dataclass(frozen=True)
class TableStyle:
    """How a surface writes tables.

    Args:
        model: The name of a model.
        number: A number.
        narrow: Leave out what a terminal has no room for.
    """

    model: Callable[[str], str] = model_name
    number: Callable[[float], str] = format_number
    narrow: bool = False


PAGE = TableStyle()


def format_signed(value: float) -> str:
    """A number to three digits with its sign: "+0.420", "−1.20"."""
    return f"{'+' if value > 0 else MINUS if value < 0 else ''}{format_number(abs(value))}"


def format_share(value: float) -> str:
    """A share in percent with its sign: "+5.3%"."""
    return f"{value:+.1%}".replace("-", MINUS)


def _p_cell(table: Table, p: float | None, reason: str) -> Cell:
    return table.undefined(reason) if p is None else Cell("< 0.001" if p < 0.001 else f"{p:.3f}")


def score_table(metrics: Mapping[str, Any], labels: Labels, style: TableStyle = PAGE) -> Table:
    """Every model's scores, and beside each reference the model's skill against it."""
    shown_metrics = {
        key: metric
        for key, metric in metrics_of(PointForecast).items()
        if any(key in scores for scores in metrics["models"].values())
        and not (style.narrow and metric.shown == "report")
    }
    table = Table("Scores over the test span", ["model", *(_head(metric, labels) for metric in shown_metrics.values())])
    skill_at = len(table.columns) if style.narrow else 2
    table.columns[skill_at:skill_at] = ["skill", "p"]
    best = {key: _best([scores.get(key) for scores in metrics["models"].values()], metric.cost)
            for key, metric in shown_metrics.items()}  # fmt: skip
    reasons = metrics.get("reasons", {})
    for model, scores in metrics["models"].items():
        cells = [Cell(style.model(model))]
        for key, metric in shown_metrics.items():
            reason = reasons.get(f"models.{model}.{key}")
            cells.append(_figure(table, scores.get(key), metric, style, best[key], reason))
        cells[skill_at:skill_at] = _skill_cells(table, metrics, model)
        table.rows.append(cells)
    return table


def _skill_cells(table: Table, metrics: Mapping[str, Any], model: str) -> list[Cell]:
    if model not in metrics["skill"]:
        return [Cell(""), Cell("")]
    reasons = metrics.get("reasons", {})
    skill, p = metrics["skill"][model], metrics["p_value"].get(model)
    interval = metrics.get("skill_interval", {}).get(model)
    aside = "" if interval is None else f"{format_share(interval[0])} to {format_share(interval[1])}"
    no_skill = reasons.get(f"skill.{model}", "no skill can be measured")
    return [
        table.undefined(no_skill) if skill is None else Cell(format_share(skill), aside=aside),
        _p_cell(table, p, reasons.get(f"p_value.{model}", "too few origins to test")),
    ]


def interval_table(metrics: Mapping[str, Any], labels: Labels, style: TableStyle = PAGE) -> Table | None:
    """What every model's intervals hold; None for a run without intervals."""
    intervals = metrics.get("intervals")
    if not intervals:
        return None
    of_quantiles, of_intervals = metrics_of(QuantileForecast), metrics_of(IntervalForecast)
    levels = [str(level) for level in intervals["levels"]]
    columns = ["model", *(_head(metric, labels) for metric in of_quantiles.values())]
    columns += [f"{metric.name} {level} %" for level in levels for metric in of_intervals.values()]
    widths = f", widths in{_unit(labels)}" if labels.unit else ""
    table = Table(f"Intervals over the test span{widths}", columns)
    reasons = metrics.get("reasons", {})
    for model, scores in intervals["models"].items():
        where = f"intervals.models.{model}"
        cells = [_figure(table, scores.get(key), metric, style, None, reasons.get(f"{where}.{key}"))
                 for key, metric in of_quantiles.items()]  # fmt: skip
        for level in levels:
            for key, metric in of_intervals.items():
                reason = reasons.get(f"{where}.{level}.{key}", "no interval of this level")
                cells.append(_figure(table, scores.get(level, {}).get(key), metric, style, None, reason))
        table.rows.append([Cell(style.model(model)), *cells])
    return table


def steps_in_tables(horizon: int) -> list[int]:
    """The steps that tables show: the first, the last and some between."""
    return sorted({max(1, round(share * horizon)) for share in (0, 0.25, 0.5, 0.75, 1)})


def step_table(metrics: Mapping[str, Any], labels: Labels, style: TableStyle = PAGE) -> Table:
    """Every model's MAE at the first step, the last one and some between, and where the model is really better."""
    p_by_step = {} if style.narrow else metrics.get("p_by_step", {})
    against = [name for name, values in p_by_step.items() if values]
    columns = [f"{labels.steps} ahead", *map(style.model, metrics["by_step"])]
    columns += [f"p, {style.model(name)}" for name in against]
    p_too = ", and p against each reference" if against else ""
    table = Table(f"MAE{_unit(labels)} by how far ahead{p_too}", columns)
    for step in steps_in_tables(metrics["horizon"]):
        errors = [values[step - 1] for values in metrics["by_step"].values()]
        cells = _errors(table, errors, style, "nothing was observed")
        cells += [_p_cell(table, p_by_step[name][step - 1], "too few origins to test") for name in against]
        table.rows.append([Cell(f"{step:,}"), *cells])
    return table


def series_table(metrics: Mapping[str, Any], style: TableStyle = PAGE) -> Table | None:
    """Every model's MAE on each series and target, each in its own units; None if there is only one."""
    if "by_series" not in metrics:
        return None
    table = Table("MAE by series, each in its own units", ["series", *map(style.model, metrics["models"])])
    for name, errors in list(metrics["by_series"].items())[:MOST_SERIES]:
        cells = _errors(table, [errors[model] for model in metrics["models"]], style, "it has no test window")
        table.rows.append([Cell(printable(name, 60)), *cells])
    return table


def _errors(table: Table, errors: Sequence[float | None], style: TableStyle, reason: str) -> list[Cell]:
    """A row of errors, the least of them marked."""
    least = _best(errors, abs)
    return [
        table.undefined(reason) if error is None else Cell(style.number(error), best=error == least) for error in errors
    ]


def forecast_table(forecast: pd.DataFrame, name: str, labels: Labels) -> Table:
    """The first steps of the newest forecast of one series, with the model's intervals."""
    rows, columns = forecast[forecast["unique_id"] == name], list(forecast.columns)
    levels = interval_levels(columns, labels.model)[::-1]
    models = [column for column in columns[3:] if not _is_bound(column, columns)]
    others = [model for model in models if model != labels.model]
    table = Table(
        f"{labels.with_unit(name)}: the figures of the newest forecast",
        ["time", model_name(labels.model), *(f"{level} % interval" for level in levels), *map(model_name, others)],
    )
    for _, row in rows.head(_MOST_STEPS).iterrows():
        bounds = [(row[f"{labels.model}-lo-{level}"], row[f"{labels.model}-hi-{level}"]) for level in levels]
        table.rows.append([
            Cell(labels.format_time(row["ds"])),
            _value(table, row[labels.model]),
            *(Cell(f"{format_number(low)} to {format_number(high)}") if math.isfinite(low) and math.isfinite(high)
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
            _add_column(table, name, unit, "target", rows.series_values(series, target))
    once = slice(0, panel.n_rows // apart) if panel.n_series == apart else slice(None)
    for column, name in enumerate(panel.columns[rows.n_targets :], start=rows.n_targets):
        part = "known ahead" if name in known else "covariate"
        _add_column(table, name, panel.units.get(name, ""), part, panel.values[once, column])
    return table


def _add_column(table: Table, name: str, unit: str, part: str, values: Floats) -> None:
    known = values[np.isfinite(values)]
    statistics = [
        Cell(format_number(float(statistic(known)))) if len(known) else table.undefined("every value is missing")
        for statistic in (np.min, np.median, np.max)
    ]
    full = printable(name, 60) + (f" ({printable(unit, 10)})" if unit and f"({unit})" not in name else "")
    table.rows.append([Cell(full), Cell(part), Cell(f"{len(values) - len(known):,}"), *statistics])


def interval_levels(columns: Iterable[str], model: str) -> list[int]:
    """The levels of a model's intervals in a table, in percent, the widest first: [95, 80]; empty if it has none."""
    start = f"{model}-lo-"
    levels = [name.removeprefix(start) for name in columns if name.startswith(start)]
    return sorted((int(level) for level in levels if level.isdecimal()), reverse=True)


def _is_bound(column: str, columns: Sequence[str]) -> bool:
    start, _, level = column.rpartition("-")
    return level.isdecimal() and any(start == f"{model}-{end}" for model in columns for end in ("lo", "hi"))


def _value(table: Table, value: float) -> Cell:
    return Cell(format_number(value)) if math.isfinite(value) else table.undefined("no value is known to start from")


def _head(metric: Metric, labels: Labels) -> str:
    return metric.head(printable(labels.unit, 10))


def _unit(labels: Labels) -> str:
    return f" {printable(labels.unit, 10)}" if labels.unit else ""


def _figure(
    table: Table, value: float | None, metric: Metric, style: TableStyle, best: float | None, reason: str | None
) -> Cell:
    if value is None:
        return table.undefined(reason or "undefined on this test span")
    text = format_signed if metric.signed else "{:.1%}".format if metric.unit == "share" else style.number
    return Cell(text(value), best=value == best)


def _best(values: Sequence[float | None], cost: Callable[[float], float] | None) -> float | None:
    known = [value for value in values if value is not None]
    return min(known, key=cost) if cost and len(set(known)) > 1 else None  # of equals, none is the best
