"""Results as tables for a person to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from forecast.commands.console import plain
from forecast.data.panel import Panel, moment
from forecast.data.quality import ColumnReport
from forecast.evaluation.scoring import steps_in_tables

# Longer lists of series are in metrics.json.
_MOST_SERIES = 12

# A name in a table; what is longer would leave no room for the figures.
_LONGEST_NAME = 40

_BARS = "▁▂▃▄▅▆▇█"


def scores(metrics: Mapping[str, Any], title: str) -> Group:
    """A run's scores, over all and by step ahead."""
    parts = [_overall(metrics, title)]
    if metrics["horizon"] > 1:
        parts.append(_by_part(metrics, "MAE by step ahead", _steps(metrics)))
    if metrics.get("intervals"):
        parts.append(_intervals(metrics))
    if "by_series" in metrics:
        parts.append(_by_part(metrics, "MAE by series", dict(list(metrics["by_series"].items())[:_MOST_SERIES])))
    return Group(*parts)


def _overall(metrics: Mapping[str, Any], title: str) -> Table:
    """Every model's scores, the best of each column in bold; in a reference's line, the model's skill against it."""
    unit = f" {metrics['unit']}" if metrics["unit"] else ""
    table = Table(box=SIMPLE_HEAD, title=plain(title), title_justify="left", title_style="bold")
    table.add_column("model", no_wrap=True)
    for name in (f"MAE{unit}", f"RMSE{unit}", "MASE", "sMAPE %", "skill", "p"):
        table.add_column(plain(name), justify="right", no_wrap=True)
    best = {
        name: min((v[name] for v in metrics["models"].values() if v[name] is not None), default=None)
        for name in ("mae", "rmse", "mase", "smape")
    }
    for model, scores in metrics["models"].items():
        cells = [
            f"[bold]{_number(scores[name])}[/]"
            if scores[name] is not None and scores[name] == best[name]
            else _number(scores[name])
            for name in ("mae", "rmse", "mase", "smape")
        ]
        gain, p = metrics["skill"].get(model), metrics["p_value"].get(model)
        table.add_row(plain(model), *cells, "" if gain is None else f"{gain:+.1%}", "" if p is None else _p(p))
    return table


def _steps(metrics: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Every model's MAE at the first step, the last one and some between, by step."""
    steps = steps_in_tables(metrics["horizon"])
    return {str(step): {model: errors[step - 1] for model, errors in metrics["by_step"].items()} for step in steps}


def _intervals(metrics: Mapping[str, Any]) -> Table:
    """What share of the observations the judged model's intervals held, over all and by step ahead."""
    levels, steps = metrics["intervals"]["levels"], steps_in_tables(metrics["horizon"])
    unit = f" {metrics['unit']}" if metrics["unit"] else ""
    table = Table(box=SIMPLE_HEAD)
    table.add_column(f"interval of {plain(metrics['model'])}", no_wrap=True)
    for name in ("held", *(f"at step {step}" for step in steps if len(steps) > 1), f"width{unit}"):
        table.add_column(plain(name), justify="right", no_wrap=True)
    for level in levels:
        found = metrics["intervals"]["models"][metrics["model"]][str(level)]
        shares = [found["coverage"], *(found["coverage_by_step"][step - 1] for step in steps if len(steps) > 1)]
        table.add_row(f"{level}%", *(f"{share:.1%}" for share in shares), _number(found["width"]))
    return table


def _by_part(metrics: Mapping[str, Any], title: str, parts: Mapping[str, Mapping[str, float | None]]) -> Table:
    """A line for each part of the windows, a column for each model."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column(title, no_wrap=True)
    for model in metrics["models"]:
        table.add_column(plain(model), justify="right", no_wrap=True)
    for name, errors in parts.items():
        table.add_row(plain(name, _LONGEST_NAME), *(_number(errors[model]) for model in metrics["models"]))
    return table


def columns_table(reports: tuple[ColumnReport, ...], panel: Panel) -> Table:
    """What each column holds, with a sketch of its course."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("column", "missing", "longest", "least", "median", "most", "course"):
        table.add_column(name, justify="left" if name in ("column", "course") else "right")
    for number, report in enumerate(reports):
        table.add_row(
            plain(
                report.name + (f" ({report.unit})" if report.unit and f"({report.unit})" not in report.name else ""),
                _LONGEST_NAME,
            ),
            f"{report.missing:,}",
            f"{report.longest_missing:,}",
            _number(report.minimum),
            _number(report.median),
            _number(report.maximum),
            sketch(pd.Series(panel.values[panel.rows(0), number])),
        )
    return table


def sketch(values: pd.Series, width: int = 32) -> str:
    """A line of blocks that follows the values' means; a dot where all are missing."""
    groups = values.groupby(pd.RangeIndex(len(values)) * width // max(len(values), 1)).mean()
    low, high = groups.min(), groups.max()
    if pd.isna(low):
        return "·" * len(groups)
    span = (high - low) or 1.0
    return "".join("·" if pd.isna(v) else _BARS[int((v - low) / span * (len(_BARS) - 1))] for v in groups)


def origins_span(about: Mapping[str, Any]) -> str:
    """From the first origin to the last.

    Args:
        about: What holds ``first_origin`` and ``last_origin``.
    """
    first, last = (moment(np.datetime64(about[name])) for name in ("first_origin", "last_origin"))
    return f"{first} … {last}" if first != last else first


def _number(value: float | None) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.4g}"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
