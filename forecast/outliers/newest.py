"""Judge the newest row of a series that grows, as a stream takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from forecast.config import DataConfig
from forecast.data.newest import measured_rows
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, encode
from forecast.errors import DataError
from forecast.model import load_models
from forecast.outliers.discoveries import StreamOfDiscoveries
from forecast.outliers.kinds import stuck_rows
from forecast.outliers.usual import MOST_SUSPECT, UsualErrors, errors_of_test_span, leads_of, usual_errors
from forecast.outliers.walk import WARM_UP, judge_rows, with_rows_ahead
from forecast.progress import NullProgress
from forecast.runs.rows import scaler_of
from forecast.runs.run import Run

# The share of the flags that may be false.
_RATE = 0.1


class Flag(NamedTuple):
    """What is said of a row: how improbable it was, NaN where that is not known; and its kind, "" if it is as usual."""

    p: float
    kind: str


def rows_to_judge_by(config: DataConfig) -> int:
    """The rows of a series that its newest row is judged by."""
    return config.lookback + max(config.season, WARM_UP) + 1


class NewestJudge:
    """Judges newest rows by the errors of the test span, whose forecasts a run holds.

    Args:
        run: A run.

    Raises:
        DataError: If it has too few of them.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._model = run, load_models(run)[run.config.network.model]
        self._usual: dict[str, UsualErrors | None] = {}

    def flags(self, panel: Panel, before: StreamOfDiscoveries) -> tuple[Mapping[str, Flag], StreamOfDiscoveries]:
        """The flag of the newest row by ``unique_id``; and what is known of the discoveries after it.

        Args:
            panel: Recent rows, arranged, the newest of each series last.
            before: What was known of the discoveries.
        """
        run, data = self._run, self._run.config.data
        newest = [measured_rows(panel, number, len(data.known)).stop - 1 for number in range(panel.n_series)]
        ahead = with_rows_ahead(panel, data.horizon, len(data.known))
        judged = ahead.times == panel.times[newest][ahead.series_of_row()]
        rows = encode(ahead, data, scaler_of(run, panel))
        known_stuck, _ = stuck_rows(run, rows)
        usual = [self._usual_of(rows, number) for number in range(panel.n_series)]
        found = judge_rows(rows, self._model, data, usual, judged, known_stuck, NullProgress())
        flags = {}
        n_tests = int(judged.sum()) * rows.n_targets  # of each row; ages are counted in them
        rows_before = {n_tests * (ago + 1) - 1 for ago in range(MOST_SUSPECT - 1)}
        for row in np.flatnonzero(judged).tolist():
            for target, name in enumerate(rows.unique_ids[rows.series[row]]):
                p = found.p[row, target]
                is_odd = bool(p <= before.level(_RATE))
                kind = "drift" if found.far[row, target] < found.near[row, target] else "spike"
                if kind == "spike" and is_odd and rows_before <= {*before.ages}:
                    kind = "shift"
                kind = kind if is_odd else ""
                if known_stuck[row, target]:
                    kind = "stuck"
                if np.isnan(rows.observed(np.array(row))[target]):
                    kind = "gap"
                flags[name] = Flag(float(p), kind)
                before = before.after(is_odd)
        return flags, before

    def _usual_of(self, rows: Rows, series: int) -> UsualErrors | None:
        """The usual errors of a series; None of one that the run was not trained on."""
        name = rows.panel.series_ids[series]
        if name not in self._usual:
            own: dict[str, Floats] = errors_of_test_span(self._run, rows, leads_of(self._run.config.data))
            try:
                found = dict(zip(rows.panel.series_ids, usual_errors(self._run, rows, own), strict=True))
            except DataError:
                if name in self._run.scaler.series_ids:
                    raise
                found = {}
            self._usual[name] = found.get(name)
        return self._usual[name]
