"""How errors spread over many series: quartiles, the ten best and the ten worst, and any one that is looked up.

Series on different levels are compared by their scaled errors: the mean absolute error of each over its naive error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast.plots.style import format_like, printable
from forecast.plots.tables import MOST_SERIES, PAGE, Cell, Lookup, Table, TableStyle, series_tables

# Plots of their own are useful for so many series; of more, nobody looks at them, and each takes half a second.
MOST_DRAWN = 4

# The reference that each model's series are counted against.
_SEASONAL = "seasonal-naive"

# The best and the worst that are listed, each, where no series would be in both lists.
_LISTED = 10

# Scaled errors beside MASE: where the errors of each series stand, and the naive error that they are over.
_OTHERS = {"RMSSE": ("rmse_by_series", "rmse"), "scaled CRPS": ("crps_by_series", "mae")}

_QUARTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}


def scaled_errors(metrics: Mapping[str, Any]) -> pd.DataFrame | None:
    """Scaled errors of every model on each series and target, by unique id; the model's ascend.

    Series without a window, or whose naive error is zero or unknown, are left out. None if all are, or if tables have
    room for every series.
    """
    return _scaled_errors(metrics) if len(metrics.get("by_series", ())) > MOST_SERIES else None


def _scaled_errors(metrics: Mapping[str, Any], of: str = "by_series", scale: str = "mae") -> pd.DataFrame | None:
    by_series = metrics[of]
    models = [name for name in metrics["models"] if name in next(iter(by_series.values()))]
    errors = pd.DataFrame(list(by_series.values()), index=list(by_series), columns=models, dtype=float)
    naive = pd.Series({name: error[scale] for name, error in metrics["naive_error"].items()}, dtype=float)
    scaled = errors.div(naive.where(naive > 0), axis=0).dropna(how="all")
    model = metrics["model"]
    scaled = scaled[scaled[model].notna()].sort_values(model, kind="stable")
    return None if scaled.empty else scaled


def tables_by_series(metrics: Mapping[str, Any], style: TableStyle = PAGE) -> list[Table]:
    """Every model's errors on each series; of many, how they spread, and the series with the least and the most."""
    scaled = scaled_errors(metrics)
    if scaled is None:
        return series_tables(metrics, style)
    others = (
        {}
        if style.narrow
        else {name: _scaled_errors(metrics, *key) for name, key in _OTHERS.items() if key[0] in metrics}
    )
    return [
        _spread("MASE", scaled, style),
        *(_spread(name, errors, style) for name, errors in others.items() if errors is not None),
        _extremes("The series with the least MASE", scaled.head(min(_LISTED, -(-len(scaled) // 2))), style),
        _extremes("The series with the largest MASE", scaled.tail(min(_LISTED, len(scaled) // 2))[::-1], style),
    ]


def telling_series(metrics: Mapping[str, Any]) -> dict[str, str]:
    """The series with the least, the median and the largest scaled error, with what each is; empty if all are drawn."""
    scaled = _scaled_errors(metrics) if len(metrics.get("by_series", ())) > MOST_DRAWN else None
    if scaled is None:
        return {}
    picked = {"least MASE": 0, "median MASE": len(scaled) // 2, "largest MASE": len(scaled) - 1}
    return {str(scaled.index[row]): what for what, row in picked.items()}


def lookup_of(metrics: Mapping[str, Any]) -> Lookup | None:
    """The scaled errors of any one series, or why it has none; None if tables have room for all series."""
    scaled = scaled_errors(metrics)
    if scaled is None:
        return None
    ranks = [f"{rank:,} of {len(scaled):,}" for rank in range(1, len(scaled) + 1)]
    cells = np.char.mod("%.3f", scaled.to_numpy())
    cells[np.isnan(scaled.to_numpy())] = "–"
    names = [printable(name, 60) for name in scaled.index]
    rows = [[name, rank, *row] for name, rank, row in zip(names, ranks, cells.tolist(), strict=True)]
    there, scored = set(scaled.index), metrics["by_series"]
    for name in (name for name in metrics["naive_error"] if name not in there):
        why = "no scale" if name in scored else "no test window"
        rows.append([printable(name, 60), why, *["–"] * len(scaled.columns)])
    return Lookup("Look up a series by its name", ["series", "rank", *map(PAGE.model, scaled.columns)], rows)


def _spread(measure: str, scaled: pd.DataFrame, style: TableStyle) -> Table:
    beats = f"better than {style.model(_SEASONAL)}"
    heads = [*_QUARTILES, *([beats] if _SEASONAL in scaled else [])]
    table = Table(f"How {measure} spreads over {len(scaled):,} series", ["model", *heads])
    quartiles = scaled.quantile(list(_QUARTILES.values()))
    text = format_like(quartiles.to_numpy().ravel().tolist(), style.digits)
    least = quartiles.min(axis=1)
    for model in scaled:
        cells = [Cell(text(value), best=value == low) for value, low in zip(quartiles[model], least, strict=True)]
        if _SEASONAL in scaled:
            count = int((scaled[model] < scaled[_SEASONAL]).sum())
            cells.append(Cell("–" if model == _SEASONAL else f"{count:,} of {len(scaled):,}"))
        table.rows.append([Cell(style.model(str(model))), *cells])
    return table


def _extremes(caption: str, scaled: pd.DataFrame, style: TableStyle) -> Table:
    table = Table(caption, ["series", *map(style.model, scaled.columns)])
    alike = format_like(scaled.to_numpy().ravel().tolist(), style.digits)
    for name, errors in zip(scaled.index, scaled.to_numpy(), strict=True):
        # Where one series is far from the others, only its own figures have exponents.
        text = format_like(errors.tolist(), style.digits) if "e" in alike(1.0) else alike
        least = np.nanmin(errors)
        cells = [
            table.undefined("it has no test window") if np.isnan(error) else Cell(text(error), best=error == least)
            for error in errors
        ]
        table.rows.append([Cell(printable(str(name), 40 if style.narrow else 60)), *cells])
    return table
