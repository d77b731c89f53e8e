"""Tables as text in cells, for pages and terminals; an undefined figure is a dash with its reason below the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared
from forecast.evaluation.metrics import IntervalForecast, Metric, PointForecast, QuantileForecast, metrics_of
from forecast.plots.style import Labels, format_like, format_number, model_name, printable, with_unit

# Longer tables are in the files of the run.
MOST_SERIES, MOST_STEPS = 12, 48

# Of more steps, the tables by step show so many.
_MOST_STEPS_SHOWN = 8

MINUS = "\u2212"

# Significant digits of values, as opposed to errors and scores: 1,013.2 hPa are no 1,010.
_DIGITS_OF_VALUES = 4

_UNDEFINED = "undefined on this test span"


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
class Lookup:
    """Rows of a table that a page shows when their first cell is typed.

    Args:
        label: What can be looked up.
        columns: Names of the columns.
        rows: Cells of each row, without tabs and line breaks.
    """

    label: str
    columns: list[str]
    rows: list[list[str]]

    @property
    def text(self) -> str:
        """The rows as lines, the cells parted by tabs."""
        return "\n".join(map("\t".join, self.rows))


@dataclass(frozen=True)
class TableStyle:
    """How a surface writes tables.

    Args:
        model: The name of a model.
        digits: Significant digits of a number.
        narrow: Leave out what a terminal has no room for.
    """

    model: Callable[[str], str] = model_name
    digits: int = 3
    narrow: bool = False


PAGE = TableStyle()


def format_signed(value: float) -> str:
    """A number to three digits with its sign: "+0.420", "−1.20"."""
    return _with_sign(format_number, value)


def _with_sign(text: Callable[[float], str], value: float) -> str:
    return f"{'+' if value > 0 else MINUS if value < 0 else ''}{text(abs(value))}"


def format_interval(low: float | None, high: float) -> str:
    """An interval of shares: "+2.0% to +8.4%", or "at most −3.1%"."""
    return f"at most {format_share(high)}" if low is None else f"{format_share(low)} to {format_share(high)}"


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
    reasons = metrics.get("reasons", {})
    models = metrics["models"]
    columns = [[Cell(style.model(model)) for model in models]]
    for key, metric in shown_metrics.items():
        figures = [scores.get(key) for scores in models.values()]
        why = [reasons.get(f"models.{model}.{key}", _UNDEFINED) for model in models]
        columns.append(_column(table, figures, metric, style, why, _best(figures, metric.cost)))
    skills = [_skill_cells(table, metrics, model) for model in models]
    columns[skill_at:skill_at] = [list(column) for column in zip(*skills, strict=True)]
    table.rows = [list(row) for row in zip(*columns, strict=True)]
    return table


def _skill_cells(table: Table, metrics: Mapping[str, Any], model: str) -> list[Cell]:
    if model not in metrics["skill"]:
        return [Cell(""), Cell("")]
    reasons = metrics.get("reasons", {})
    skill, p = metrics["skill"][model], metrics["p_value"].get(model)
    interval = metrics.get("skill_interval", {}).get(model)
    aside = "" if interval is None else format_interval(*interval)
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
    of_quantiles, of_intervals = (
        {
            key: metric
            for key, metric in metrics_of(kind).items()
            if _has_several_scales(metrics) or not metric.of_scales
        }
        for kind in (QuantileForecast, IntervalForecast)
    )
    levels = [str(level) for level in intervals["levels"]]
    heads = [_head(metric, labels) for metric in of_quantiles.values()]
    heads += [f"{metric.name} {level}%" for level in levels for metric in of_intervals.values()]
    widths = f", widths in{_unit(labels)}" if labels.unit else ""
    table = Table(f"Intervals over the test span{widths}", ["model"])
    reasons, models = metrics.get("reasons", {}), intervals["models"]
    figures = [([scores.get(key) for scores in models.values()], metric, key) for key, metric in of_quantiles.items()]
    figures += [
        ([scores.get(level, {}).get(key) for scores in models.values()], metric, f"{level}.{key}")
        for level in levels
        for key, metric in of_intervals.items()
    ]
    columns = [[Cell(style.model(model)) for model in models]]
    for head, (values, metric, where) in zip(heads, figures, strict=True):
        if _has_several_scales(metrics) and all(value is None for value in values):
            continue  # unlike units cannot be added; the scaled figure says it
        absent = _UNDEFINED if metric.of is QuantileForecast else "no interval of this level"
        why = [reasons.get(f"intervals.models.{model}.{where}", absent) for model in models]
        table.columns.append(head)
        columns.append(_column(table, values, metric, style, why))
    table.rows = [list(row) for row in zip(*columns, strict=True)]
    return table


def _has_several_scales(metrics: Mapping[str, Any]) -> bool:
    """Whether the errors of several series or targets are divided by their own scales."""
    return metrics.get("skill_of") == "MASE"


def coverage_table(metrics: Mapping[str, Any], style: TableStyle = PAGE) -> Table | None:
    """What the model's intervals hold on each series, those that hold least first; None for a single series."""
    intervals = metrics.get("intervals")
    scores = intervals["models"][metrics["model"]] if intervals else {}
    by_level = {level: of_level["coverage_by_series"] for level, of_level in scores.items()
                if level.isdecimal() and "coverage_by_series" in of_level}  # fmt: skip
    if not by_level:
        return None
    borrowed = set(scores.get("borrowed", ()))
    table = Table("Observations inside their interval, by series", ["series", *(f"{level}%" for level in by_level)])
    lacks = {
        name: max(int(level) / 100 - shares[name] for level, shares in by_level.items())
        for name in next(iter(by_level.values()))
    }
    for name in sorted(lacks, key=lambda name: -lacks[name])[:MOST_SERIES]:
        shares = [of_series[name] for of_series in by_level.values()]
        cells = [
            table.undefined("it has no test window") if share is None else Cell(f"{share:.1%}") for share in shares
        ]
        aside = "borrows the errors of others" if name in borrowed else ""
        table.rows.append([Cell(printable(name, 40 if style.narrow else 60), aside=aside), *cells])
    if len(lacks) > MOST_SERIES:
        table.caption += f", the lowest {MOST_SERIES} of {len(lacks):,}"
    return table


def steps_in_tables(horizon: int) -> list[int]:
    """The steps that tables show: all where they are few; else the first, the last and some between."""
    if horizon <= _MOST_STEPS_SHOWN:
        return list(range(1, horizon + 1))
    return sorted({max(1, round(share * horizon)) for share in (0, 0.25, 0.5, 0.75, 1)})


def step_table(metrics: Mapping[str, Any], labels: Labels, style: TableStyle = PAGE) -> Table:
    """Every model's MAE by step ahead, as `steps_in_tables` picks them, and where the model is really better."""
    p_by_step = {} if style.narrow else metrics.get("p_by_step", {})
    against = [name for name, values in p_by_step.items() if values]
    columns = [f"{labels.steps} ahead", *map(style.model, metrics["by_step"])]
    columns += [f"p, {style.model(name)}" for name in against]
    p_too = ", and p against each reference" if against else ""
    measure = metrics.get("by_step_of", "MAE")
    unit = _unit(labels) if measure == "MAE" else ""
    table = Table(f"{measure}{unit} by step ahead{p_too}", columns)
    steps = steps_in_tables(metrics["horizon"])
    by_step = [[values[step - 1] for values in metrics["by_step"].values()] for step in steps]
    text = format_like((error for errors in by_step for error in errors), style.digits)
    for step, errors in zip(steps, by_step, strict=True):
        cells = _errors(table, errors, text, "nothing was observed")
        cells += [_p_cell(table, p_by_step[name][step - 1], "too few origins to test") for name in against]
        table.rows.append([Cell(f"{step:,}"), *cells])
    return table


def series_tables(metrics: Mapping[str, Any], style: TableStyle = PAGE) -> list[Table]:
    """Every model's errors on each series and target, in its own units; none if there is only one.

    MAE, and where the targets have not one unit, so that no pooled figure says it, RMSE.
    """
    shown = {"MAE": metrics.get("by_series")}
    if metrics.get("by_step_of") == "MASE":
        shown["RMSE"] = metrics.get("rmse_by_series")
    tables = []
    for measure, by_series in shown.items():
        if not by_series:
            continue
        table = Table(f"{measure} by series, each in its own units", ["series", *map(style.model, metrics["models"])])
        for name, errors in list(by_series.items())[:MOST_SERIES]:
            own = [errors[model] for model in metrics["models"]]
            cells = _errors(table, own, format_like(own, style.digits), "it has no test window")
            table.rows.append([Cell(printable(name, 40 if style.narrow else 60)), *cells])
        tables.append(table)
    return tables


def _errors(table: Table, errors: Sequence[float | None], text: Callable[[float], str], reason: str) -> list[Cell]:
    """A row of errors in one unit, the least of them marked."""
    least = _best(errors, abs)
    return [table.undefined(reason) if error is None else Cell(text(error), best=error == least) for error in errors]


def forecast_table(forecast: pd.DataFrame, name: str, labels: Labels, style: TableStyle = PAGE) -> Table:
    """The first steps of the newest forecast of one series, with the model's intervals, all in one number format.

    Args:
        forecast: ``unique_id, ds, cutoff`` and a column for each model and each end of an interval.
        name: The unique id.
        labels: What it says about the series.
        style: How the surface writes tables.
    """
    rows, columns = forecast[forecast["unique_id"] == name].head(MOST_STEPS), list(forecast.columns)
    levels = interval_levels(columns, labels.model)[::-1]
    models = [column for column in columns[3:] if not _is_bound(column, columns)]
    others = [model for model in models if model != labels.model]
    bounds = [(f"{labels.model}-lo-{level}", f"{labels.model}-hi-{level}") for level in levels]
    # By the largest, because a value near zero is known to no more decimals than the others.
    figures = rows[[*models, *(end for ends in bounds for end in ends)]].abs().to_numpy(float)
    text = format_like([float(figures[np.isfinite(figures)].max(initial=0))], _DIGITS_OF_VALUES)
    table = Table(
        f"{with_unit(name or labels.target, labels.unit, longest=60)}: the figures of the newest forecast",
        ["time", style.model(labels.model), *(f"{level}% interval" for level in levels), *map(style.model, others)],
    )

    def value(row: pd.Series, model: str) -> Cell:
        return Cell(text(row[model])) if math.isfinite(row[model]) else table.undefined("no value to start from")

    for _, row in rows.iterrows():
        intervals = [
            Cell(f"{text(row[low])} to {text(row[high])}")
            if math.isfinite(row[low]) and math.isfinite(row[high])
            else table.undefined("too few errors to tell")
            for low, high in bounds
        ]
        time = Cell(labels.format_time(row["ds"]))
        table.rows.append([time, value(row, labels.model), *intervals, *(value(row, model) for model in others)])
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
        if size := prepared.config.categories.get(name):
            dashes = [table.undefined("words have no order")] * 3
            table.rows.append([Cell(name), Cell(f"{part}, {size - 1:,} words"), Cell("0"), *dashes])
            continue
        _add_column(table, name, panel.units.get(name, ""), part, panel.values[once, column])
    return table


def panel_table(panel: Panel) -> Table:
    """What the first columns of a panel hold, over all of its series."""
    table = Table("Its columns", ["column", "missing", "least", "median", "most"])
    for column, name in enumerate(panel.columns[:MOST_SERIES]):
        cells = _spread_of(table, panel.values[:, column])
        table.rows.append([Cell(with_unit(name, panel.units.get(name, ""), longest=60)), *cells])
    if len(panel.columns) > MOST_SERIES:
        table.caption = f"The first {MOST_SERIES} of its {len(panel.columns):,} columns"
    return table


def _add_column(table: Table, name: str, unit: str, part: str, values: Floats) -> None:
    table.rows.append([Cell(with_unit(name, unit, longest=60)), Cell(part), *_spread_of(table, values)])


def _spread_of(table: Table, values: Floats) -> list[Cell]:
    """How many of some values are missing, and the least, the median and the most of the others."""
    known = values[np.isfinite(values)]
    statistics = [float(statistic(known)) for statistic in (np.min, np.median, np.max)] if len(known) else []
    text = format_like(statistics, _DIGITS_OF_VALUES)
    cells = [Cell(text(figure)) for figure in statistics] or [table.undefined("every value is missing")] * 3
    return [Cell(f"{len(values) - len(known):,}"), *cells]


def interval_levels(columns: Iterable[str], model: str) -> list[int]:
    """The levels of a model's intervals in a table, in percent, the widest first: [95, 80]; empty if it has none."""
    start = f"{model}-lo-"
    levels = [name.removeprefix(start) for name in columns if name.startswith(start)]
    return sorted((int(level) for level in levels if level.isdecimal()), reverse=True)


def _is_bound(column: str, columns: Sequence[str]) -> bool:
    start, _, level = column.rpartition("-")
    return level.isdecimal() and any(start == f"{model}-{end}" for model in columns for end in ("lo", "hi"))


def _head(metric: Metric, labels: Labels) -> str:
    return metric.head(printable(labels.unit, 10))


def _unit(labels: Labels) -> str:
    return f" {printable(labels.unit, 10)}" if labels.unit else ""


def _column(
    table: Table,
    figures: Sequence[float | None],
    metric: Metric,
    style: TableStyle,
    reasons: Sequence[str],
    best: float | None = None,
) -> list[Cell]:
    """The figures of all models by one metric, in one number format; a dash with its reason where there is none."""
    if metric.unit == "share":
        text: Callable[[float], str] = "{:.1%}".format
    elif metric.signed:  # those near zero are known to no more decimals than the others
        plain = format_like([max((abs(figure) for figure in figures if figure is not None), default=0)], style.digits)
        text = partial(_with_sign, plain)
    else:
        text = format_like(figures, style.digits)
    return [
        table.undefined(reason) if figure is None else Cell(text(figure), best=figure == best)
        for figure, reason in zip(figures, reasons, strict=True)
    ]


def _best(values: Sequence[float | None], cost: Callable[[float], float] | None) -> float | None:
    known = [value for value in values if value is not None]
    return min(known, key=cost) if cost and len(set(known)) > 1 else None  # of equals, none is the best
