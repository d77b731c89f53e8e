"""calibration.npz: the intervals of a run as they were before and after its test span."""

from __future__ import annotations

from typing import Literal

import numpy as np

from forecast.data.panel import Arrays
from forecast.data.scaling import Scaler
from forecast.errors import RunError
from forecast.intervals.calibrate import MOST_RANKS
from forecast.intervals.conformal import Calibration, Intervals, probabilities_of
from forecast.models.naive import NAIVE
from forecast.runs.arrays import ArraySpec
from forecast.runs.run import CALIBRATION, Run
from forecast.runs.unseen_intervals import intervals_beside


def intervals_to_arrays(start: Intervals, end: Intervals) -> Arrays:
    """The intervals before the test span and after it; `intervals_of` reads them back.

    Those of naive forecasts are scored, from the start; at the end only models are forecast with.
    """
    arrays: Arrays = {}
    for name, calibration in start.calibrations.items():
        arrays[f"{name}/heads"] = np.array(calibration.head_probabilities)
        arrays[f"{name}/usual"] = calibration.usual_size
        arrays[f"{name}/ranks"] = calibration.ranks
        arrays[f"{name}/outcomes"] = calibration.outcomes
        arrays[f"{name}/borrowed"] = calibration.borrowed
        for when, intervals in (("start", start), ("end", end))[: 1 if name in NAIVE else 2]:
            arrays[f"{name}/{when}"] = intervals.calibrations[name].offsets
            arrays[f"{name}/{when}/size"] = intervals.calibrations[name].size
    return arrays


def _specs_of(run: Run) -> dict[str, ArraySpec]:
    """The arrays that `intervals_to_arrays` may make for a run."""
    shape, n_quantiles = run.shape, len(run.config.network.quantiles)
    each = (run.n_series, shape.horizon, shape.targets)
    specs = {
        "heads": ArraySpec("<f8", (range(n_quantiles + 1),)),
        "ranks": ArraySpec("<f8", (range(1, MOST_RANKS + 1), *each[1:])),
        "usual": ArraySpec("<f8", each),
        "outcomes": ArraySpec("<f8", each),
        "borrowed": ArraySpec("|b1", (run.n_series,)),
    }
    offsets = ArraySpec("<f8", (*each, range(1, 10 + 2 * len(run.config.intervals.levels))))
    for when in ("start", "end"):
        specs |= {when: offsets, f"{when}/size": ArraySpec("<f8", each)}
    forecasters = (run.config.network.model, "rnn", *NAIVE)
    return {f"{name}/{part}": spec for name in forecasters for part, spec in specs.items()}


def intervals_of(run: Run, when: Literal["start", "end"], scaler: Scaler | None = None) -> Intervals | None:
    """The intervals of a run at the start of its test span, or those of its models at the end; None if it has none.

    Args:
        run: A run.
        when: ``start`` or ``end`` of the test span.
        scaler: Of the series whose intervals these shall be, some of which the run may not have been trained on; None
            for those of the run.

    Raises:
        RunError: If they are damaged.
    """
    if CALIBRATION not in run.manifest["files"]:
        return None
    intervals = run.once(f"{CALIBRATION}/{when}", lambda: _read_intervals(run, when))
    return intervals if scaler is None else intervals_beside(intervals, run.scaler, scaler, run.shape.targets)


def _read_intervals(run: Run, when: Literal["start", "end"]) -> Intervals:
    """The intervals of the series of a run, from its file."""
    arrays, config = run.arrays(CALIBRATION, _specs_of(run), keep=True), run.config
    logged = config.data.transform == "log"
    probabilities = probabilities_of(config.intervals.levels)
    try:
        calibrations = {
            name: Calibration(
                probabilities,
                tuple(arrays[f"{name}/heads"].tolist()),
                arrays[f"{name}/{when}"],
                arrays[f"{name}/{when}/size"],
                arrays[f"{name}/usual"],
                arrays[f"{name}/ranks"],
                logged,
                # Runs of earlier versions do not say.
                arrays.get(f"{name}/outcomes", np.full(arrays[f"{name}/usual"].shape, np.nan)),
                arrays.get(f"{name}/borrowed", np.zeros(run.shape.series, bool)),
            )
            for name in (key.removesuffix("/usual") for key in arrays if key.endswith("/usual"))
            if when == "start" or name not in NAIVE
        }
    except KeyError as error:
        raise RunError(
            f"The intervals of {run.name} are incomplete: {error} is missing.", "Train the run again."
        ) from None
    shapes = {
        shape
        for calibration in calibrations.values()
        for shape in (
            calibration.offsets.shape,
            (*calibration.size.shape, len(probabilities)),
            (*calibration.usual_size.shape, len(probabilities)),
        )
    }
    if len(shapes) != 1:
        raise RunError(f"The intervals of {run.name} do not fit each other: {sorted(shapes)}.", "Train the run again.")
    return Intervals(config.intervals.levels, config.intervals.adaptive, calibrations)
