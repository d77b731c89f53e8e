"""How well a run would seem to forecast if it were told what the forecasts of its inputs turned out to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from forecast.data.prepare import Prepared
from forecast.evaluation.scoring import score_models
from forecast.evaluation.yardstick import NaiveError
from forecast.model import Model, forecasters


def hindsight(prepared: Prepared, models: Mapping[str, Model], naive_error: Mapping[str, NaiveError]) -> dict[str, Any]:
    """The errors on the test windows with inputs as they were measured later, and which inputs those are.

    Nobody has such inputs when a forecast is due: the difference to the scores is what one would fool oneself by.

    Args:
        prepared: The rows, with columns that are known ahead as forecasts.
        models: By name.
        naive_error: As of `score_models`.
    """
    rows = prepared.rows
    told = [column for column, as_of in rows.as_of.items() if as_of.is_measured]
    if not told:
        return {"columns": [], "models": {}}
    later = replace(rows, as_of={column: as_of for column, as_of in rows.as_of.items() if column not in told})
    season = prepared.config.data.season
    scored = score_models(later, prepared.test, forecasters(models, later), season, naive_error).metrics["models"]
    return {
        "columns": [rows.panel.columns[column] for column in told],
        "models": {name: {key: scored[name][key] for key in ("mae", "rmse")} for name in models},
    }
