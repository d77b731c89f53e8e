"""What a user should know about the data before a network learns from them."""

from __future__ import annotations

import itertools
import math

import numpy as np

from forecast.commands.train.near_copies import near_copies_of_target
from forecast.config import DataConfig
from forecast.data.newest import measured_rows
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, values_without_logarithm
from forecast.data.split import TRAIN, shares_of
from forecast.data.windows import Flags, fill_forward
from forecast.errors import Sentence, listed, quote, setting
from forecast.plots.lost_windows import count_windows_of_parts, lost_windows_in_words
from forecast.sources.training_ranges import far_from_training, fit_ranges

# Series that a warning names.
_NAMED = 10

# Windows below which a training is called a trial: as many as the test span holds where rows are short.
_FEW_WINDOWS = 10


def data_warnings(panel: Panel, prepared: Prepared) -> tuple[str, ...]:
    """Warnings about the data before training.

    They say where the windows are few, name series that have no window to train on or to score, count the windows that
    are lost and say what those lack, and name columns that are constant in the training rows only, later rows far from
    the training rows, covariates that have ended, later values that cannot be logged, and covariates that nearly copy
    the target.

    Args:
        panel: What was read.
        prepared: What `prepare` made of it.
    """
    rows, arranged = prepared.rows, prepared.rows.panel
    warnings: list[str] = []
    if len(prepared.train) < _FEW_WINDOWS:
        few = f"{len(prepared.train)} window{'' if len(prepared.train) == 1 else 's'}"
        warnings.append(f"{few} to learn from: too few to learn more than the last values; take it as a trial")
    if arranged.n_series > 1:
        warnings += _series_without_window(prepared)
    for part, count in count_windows_of_parts(prepared).items():
        if count.lost:
            name = "training" if part == "train" else part
            warnings.append(f"{lost_windows_in_words(count.to_json(), name)}; the others cannot be used")
    used = prepared.config.data.target + prepared.config.data.covariates + prepared.config.data.known
    constant = _constant_in_training(panel, prepared.split.of_source(panel.n_series).part_of(panel) == TRAIN)
    for name in constant:
        what = "nothing can be learnt about it" if name in used else "it is left out"
        warnings.append(f"column {name!r} has one value in all training rows and others later: {what}")
    training_rows, every_series = prepared.training_rows, np.arange(arranged.n_series)
    angles = arranged.columns[: rows.n_targets] if prepared.config.data.circular else ()
    no_amounts = (*constant, *angles, *prepared.config.categories)
    ranges = fit_ranges(arranged, training_rows)
    warnings += far_from_training(arranged, ~training_rows, ranges, every_series, no_amounts).values()
    n_known = len(prepared.config.data.known)
    warnings += _ended_covariates(prepared)
    warnings += values_without_logarithm(panel, prepared.config.data).values()
    windows = prepared.train
    warnings += near_copies_of_target(
        arranged, training_rows, rows.n_targets, n_known, windows.horizon, windows.lookback
    )
    return tuple(warnings)


def _series_without_window(prepared: Prepared) -> list[str]:
    """What series that are not learned from, or not scored, lack."""
    rows, arranged, data = prepared.rows, prepared.rows.panel, prepared.config.data
    n_rows, warnings = np.diff(arranged.offsets), []
    for windows, needed, lack in (
        (prepared.train, _rows_to_train(data), "training window and are left out of the training"),
        (prepared.test, data.lookback + data.horizon, "test window and are not scored"),
    ):
        others = np.setdiff1d(np.arange(arranged.n_series), rows.series[windows.starts])
        # By time, rows do not say what a series lacks: it may have ended long ago.
        lacking = np.maximum(needed - n_rows, 0) * (data.split == "series")
        named = [
            arranged.series_ids[number]
            + (f" ({lacking[number]:,} row{'' if lacking[number] == 1 else 's'} too few)" if lacking[number] else "")
            for number in others
        ]
        if len(others):
            warnings.append(f"{len(others):,} of {arranged.n_series:,} series have no {lack}: {listed(named, _NAMED)}")
    return warnings


def _rows_to_train(data: DataConfig) -> int:
    """The fewest rows of a series whose part before its own test span holds a window; the shares are `split`'s."""
    window = data.lookback + data.horizon
    share = shares_of(data)[1]
    return next(n for n in itertools.count(window) if n - max(math.floor(round(share * n, 6)), data.horizon) >= window)


def _ended_covariates(prepared: Prepared) -> list[Sentence]:
    """Covariates that are no longer measured at the end of all series: the rows before the test span chose them."""
    panel, data = prepared.rows.panel, prepared.config.data
    newest = [measured_rows(panel, series, len(data.known)).stop - 1 for series in range(panel.n_series)]
    ended = [
        name
        for name in data.covariates
        if not fill_forward(panel, data.longest_fill, panel.column(name))[1][newest].any()
    ]
    if not ended or data.least_observed < 1:  # it is fed as missing
        return []
    others = ",".join(name for name in data.covariates if name not in ended) or "none"
    are = f"{', '.join(map(quote, ended))} {'is' if len(ended) == 1 else 'are'}"
    advice = f"for a forecast of what follows, train with {setting('covariates', others)}"
    return [Sentence(f"{are} no longer measured at the end of the rows: {advice}.")]


def _constant_in_training(panel: Panel, training_rows: Flags) -> list[str]:
    """The columns that have one value in the training rows and others later."""

    def varies(values: Floats) -> bool:
        return bool(np.fmin.reduce(values, initial=np.inf) < np.fmax.reduce(values, initial=-np.inf))

    columns = zip(panel.columns, panel.values.T, strict=True)
    return [name for name, values in columns if varies(values) and not varies(values[training_rows])]
