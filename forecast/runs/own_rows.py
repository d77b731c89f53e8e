"""The rows that a version keeps in its own folder, because no source holds them all: old ones and what came since."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Arrays, Panel
from forecast.errors import RunError
from forecast.runs.arrays import ArraySpec
from forecast.runs.run import Run

ROWS = "rows.npz"

# Bytes of values. A larger panel is not kept: nothing reads a larger file of a run.
MOST_BYTES = 1024**3


def rows_to_arrays(panel: Panel) -> Arrays:
    """The rows of a panel as a version keeps them."""
    # As bits, for a missing value is NaN, which no other file of a run may hold.
    values = np.ascontiguousarray(panel.values).view("<i8")
    return {"values": values, "times": panel.times.astype("<i8"), "offsets": np.array(panel.offsets, "<i8")}


def own_rows(run: Run) -> Panel | None:
    """The rows that a version of a run keeps; None if it keeps none, because its source holds them.

    Raises:
        RunError: If they are damaged.
        DataError: If their times do not ascend.
    """
    if ROWS not in run.manifest["files"]:
        return None
    data = run.manifest["data"]
    n_rows, columns, series_ids = data["rows"], tuple(data["columns"]), tuple(data["series_ids"])
    shapes = {"values": (n_rows, len(columns)), "times": (n_rows,), "offsets": (len(series_ids) + 1,)}
    arrays = run.arrays(ROWS, {name: ArraySpec("<i8", shape) for name, shape in shapes.items()})
    if missing := shapes.keys() - arrays.keys():
        raise RunError(f"{run.path / ROWS} does not hold {min(missing)!r}.", "Put another version in its place.")
    return Panel(
        values=arrays["values"].view("<f8"),
        times=arrays["times"].view("datetime64[us]"),
        columns=columns,
        clock=run.clock,
        series_ids=series_ids,
        offsets=tuple(arrays["offsets"].tolist()),
        name=run.manifest["title"],
        units=data.get("units", {}),
    )
