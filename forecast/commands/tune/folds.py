"""The spans that a search is judged on: rolling back from the test span, none of whose values it ever holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from forecast.config import Config
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, arrange, prepare, windows_of
from forecast.data.split import TEST, TRAIN, VALIDATION, split_panel
from forecast.data.windows import Forecaster, Ints, Windows, precomputed
from forecast.data.words import as_decided
from forecast.errors import DataError, setting
from forecast.evaluation.scoring import score_models
from forecast.evaluation.yardstick import NaiveError, naive_errors
from forecast.models.naive import NAIVE

# Spans that a search is judged on by default, where the oldest leaves at least this share of the windows to learn from.
_SPANS, _LEAST_LEFT = 3, 0.5

# Windows of a span that are scored, evenly spaced: on more, the error hardly changes.
_SCORED = 4096

# A lookback has room if it keeps this share of the windows to learn from, and of those to be judged on.
_KEPT_TO_LEARN, _KEPT_TO_JUDGE = 0.5, 0.9


@dataclass(frozen=True)
class Fold:
    """Rows to learn from, and the span after them that the outcome is judged on.

    Args:
        prepared: The rows, and the windows of the defaults; there are none of a test.
        judged: The windows that every trial is scored on: those that all lookbacks of the search can forecast.
        naive_error: What scaled errors are divided by, for each unique id.
        measure: MAE, MASE or QLIKE, as where skill is measured.
        last_value: The error of repeating the last value on those windows; what errors of trials are divided by, so
            that no span counts more than another. 1 where it makes none.
    """

    prepared: Prepared
    judged: Windows
    naive_error: dict[str, NaiveError]
    measure: str
    last_value: float

    @classmethod
    def of(cls, prepared: Prepared, lookbacks: Sequence[int]) -> Fold:
        """The fold of these rows."""
        rows, season = prepared.rows, prepared.config.data.season
        cutoffs = [with_lookback(prepared, lookback).validation.cutoffs for lookback in lookbacks]
        longest = max(lookbacks)
        starts = reduce(np.intersect1d, cutoffs) - longest + 1
        judged = Windows(starts, longest, prepared.validation.horizon).subsample(_SCORED)
        error = naive_errors(rows, prepared.training_rows, season)
        last = precomputed(judged, NAIVE["persistence"].forecast(rows, judged, judged.starts, season))
        metrics = score_models(rows, judged, {"last value": last}, season, error).metrics
        measure = metrics["skill_of"]
        return cls(prepared, judged, error, measure, metrics["models"]["persistence"][measure.lower()] or 1.0)

    def with_config(self, config: Config) -> Prepared:
        """The same rows for a trial's configuration, with its own windows; the dates are those of the fold."""
        spans = {name: getattr(self.prepared.config.data, name) for name in _SPAN_SETTINGS}
        own = config.replace(data=spans)
        return with_lookback(replace(self.prepared, config=own), config.data.lookback)

    def error(self, config: Config, model: Forecaster) -> float:
        """The error of a trial on the judged windows, in those of the last value."""
        rows, cut = self.prepared.rows, self.judged.lookback - config.data.lookback

        def forecast(starts: Ints) -> Floats:
            return model(starts + cut)

        metrics = score_models(rows, self.judged, {"trial": forecast}, config.data.season, self.naive_error).metrics
        return float(metrics["models"]["trial"][self.measure.lower()]) / self.last_value


# The settings by which a fold differs from the defaults.
_SPAN_SETTINGS = ("split", "validation", "test", "validation_from", "test_from")


def with_lookback(prepared: Prepared, lookback: int) -> Prepared:
    """The same rows with windows of another lookback."""
    data = prepared.config.data.model_copy(update={"lookback": lookback})
    part = prepared.split.part_of(prepared.rows.panel)
    train, validation = (windows_of(prepared.rows, part == number, data) for number in (TRAIN, VALIDATION))
    return replace(prepared, train=train, validation=validation)


def without_test(panel: Panel, config: Config) -> Panel:
    """The rows as a run reads them, without a value from the test span on, and without a column that it does not use.

    The rows of the test span stay, empty: where it begins is known, and nothing else of it.
    """
    decided = as_decided(panel, config.read)
    used = decided.select(config.data.target + config.data.covariates + config.data.known)
    split = split_panel(arrange(decided, config.data), config.data).of_source(panel.n_series)
    values = used.values.copy()
    values[split.part_of(used) == TEST] = np.nan
    return replace(used, values=values, notes=(), warnings=())


def rolling_folds(panel: Panel, config: Config, spans: int | None) -> list[Prepared]:
    """The rows of each fold, the oldest first.

    Args:
        panel: What `without_test` returned.
        config: The defaults, resolved.
        spans: How many folds; None for three, or for as many as leave at least half of the windows to learn from.

    Raises:
        DataError: If there is no room for as many as were asked for.
    """
    found: list[Prepared] = []
    fewest = 0.0
    for fold in _configs(panel, config, spans or _SPANS):
        try:
            prepared = prepare(panel, fold, needed=(TRAIN, VALIDATION))
        except DataError:
            if not found:
                raise
            break
        if spans is None and found and len(prepared.train) < fewest:
            break
        fewest = fewest or _LEAST_LEFT * len(prepared.train)
        found.insert(0, prepared)
    if spans is not None and len(found) < spans:
        raise DataError(
            f"There is room for {len(found)} spans before the test span, not for {spans}.",
            f"Ask for fewer {setting('spans')}, or a smaller {setting('validation')}.",
        )
    return found


def has_room(folds: Sequence[Prepared], lookback: int) -> bool:
    """Whether windows of a lookback are nearly as many as those of the defaults, in every fold."""
    for fold in folds:
        own = with_lookback(fold, lookback)
        to_learn, to_judge = len(own.train) / len(fold.train), len(own.validation) / len(fold.validation)
        if to_learn < _KEPT_TO_LEARN or to_judge < _KEPT_TO_JUDGE:
            return False
    return True


def _configs(panel: Panel, config: Config, count: int) -> Iterator[Config]:
    """The configurations of the folds, the newest first: each is judged on the span before that of the one before."""
    data = config.data
    arranged = arrange(panel, data)
    split = split_panel(arranged, data)
    if not split.is_by_time:
        for number in range(count):
            test = data.test + number * data.validation
            if test + data.validation < 1:
                yield config.replace(data={"test": test})
        return
    times, clock = np.unique(arranged.times), panel.clock
    first, end = np.searchsorted(times, [split.validation_from[0], split.test_from[0]])
    for number in range(count):
        back = number * (end - first)
        if first - back > 0:
            dates = times[first - back], times[end - back]
            yield config.replace(
                data={
                    "split": "time",
                    "validation_from": clock.isoformat(dates[0]),
                    "test_from": clock.isoformat(dates[1]),
                }
            )
