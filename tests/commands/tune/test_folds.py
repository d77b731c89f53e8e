"""Rolling validation: spans before the test span, of whose values nothing is there."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.commands.tune.folds import Fold, has_room, rolling_folds, with_lookback, without_test
from forecast.config import Config
from forecast.data.panel import Panel
from forecast.data.split import VALIDATION
from forecast.data.windows import Ints
from forecast.errors import DataError


def hidden(frame: pd.DataFrame, **settings: object) -> tuple[Panel, Config]:
    asked = forecast.configure({"lookback": 12, "horizon": 3, **settings})
    panel = forecast.read(frame, asked.read)
    config = resolve(asked, panel)[0]
    return without_test(panel, config), config


def test_each_span_ends_where_the_next_begins_and_the_last_where_the_test_does(monthly: pd.DataFrame) -> None:
    panel, config = hidden(monthly)
    folds = rolling_folds(panel, config, None)
    starts = [fold.split.validation_from[0] for fold in folds]
    ends = [fold.split.test_from[0] for fold in folds]
    assert starts[1:] == ends[:-1]
    # Of 200 months a fifth is the test span, and a tenth each span before it.
    assert [np.datetime64(time, "M").astype(int) - 240 for time in (*starts, ends[-1])] == [100, 120, 140, 160]
    for fold in folds:
        judged = fold.rows.panel.times[fold.validation.future()]
        assert (judged >= fold.split.validation_from[0]).all()
        assert (judged < fold.split.test_from[0]).all()
        learned = fold.rows.panel.times[fold.train.future()]
        assert learned.max() < fold.split.validation_from[0]
        assert fold.scaler.mean[0, 0] == pytest.approx(monthly["y"][: len(np.flatnonzero(fold.training_rows))].mean())


def test_there_are_fewer_spans_where_little_would_be_left_to_learn_from(monthly: pd.DataFrame) -> None:
    panel, config = hidden(monthly.head(80))
    assert len(rolling_folds(panel, config, None)) < 3
    with pytest.raises(DataError, match="room for"):
        rolling_folds(panel, config, 40)


def test_series_that_are_divided_each_by_itself_roll_back_by_shares(three: pd.DataFrame) -> None:
    panel, config = hidden(three, split="series")
    folds = rolling_folds(panel, config, 2)
    for fold, end in zip(folds, (140, 160), strict=True):
        part = fold.split.part_of(panel)
        assert [int((part[panel.rows(number)] <= VALIDATION).sum()) for number in range(3)] == [end] * 3


@pytest.mark.parametrize("split", ["time", "series"])
def test_no_value_of_the_test_span_is_there(three: pd.DataFrame, split: str) -> None:
    changed = three.copy()
    changed.loc[changed.groupby("unique_id").cumcount() >= 160, "y"] *= -3
    panel, config = hidden(three, split=split)
    other, same = hidden(changed, split=split)
    assert config == same
    assert panel.fingerprint() == other.fingerprint()
    assert np.isnan(panel.values).sum() == 3 * 40


def test_a_lookback_that_costs_windows_has_no_room(monthly: pd.DataFrame) -> None:
    panel, config = hidden(monthly)
    folds = rolling_folds(panel, config, 2)
    fits = partial(has_room, folds)
    assert [lookback for lookback in (6, 12, 24, 48, 96, 200) if fits(lookback)] == [6, 12, 24, 48]


def test_all_trials_are_scored_on_the_same_windows_in_errors_of_the_last_value(monthly: pd.DataFrame) -> None:
    panel, config = hidden(monthly)
    fold = Fold.of(rolling_folds(panel, config, 1)[0], (12, 24))
    rows = fold.prepared.rows
    assert fold.measure == "MAE"
    y = monthly["y"].to_numpy()
    apart = [abs(y[cutoff + step] - y[cutoff]) for cutoff in fold.judged.cutoffs for step in (1, 2, 3)]
    assert fold.last_value == pytest.approx(np.mean(apart))
    for lookback in (12, 24):
        own = config.replace(data={"lookback": lookback})

        def last_value(starts: Ints, lookback: int = lookback) -> np.ndarray:
            return np.repeat(rows.filled_at(starts + lookback - 1)[:, None], 3, axis=1)

        assert fold.error(own, last_value) == pytest.approx(1)
        prepared = fold.with_config(own)
        assert len(prepared.validation) == len(with_lookback(fold.prepared, lookback).validation)
        assert (prepared.config.data.lookback, prepared.train.lookback) == (lookback, lookback)
        assert prepared.config.data.test_from == fold.prepared.config.data.test_from
