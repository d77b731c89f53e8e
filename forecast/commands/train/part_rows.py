"""Some files of a panel that is larger than memory, as rows of a training; and how good its networks are on all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from forecast.commands.pooling import Scored, ToScore, check_whole, pool_parts, sum_up
from forecast.config import Config, ReadOptions
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, Rows, arrange, encode, lay_out, windows_of
from forecast.data.scaling import Scaler
from forecast.data.split import TEST, TRAIN, VALIDATION, split_by_series
from forecast.data.unseen import with_unseen_series
from forecast.data.windows import Ints
from forecast.data.words import as_decided
from forecast.errors import DataError, listed, setting
from forecast.evaluation.yardstick import NaiveError, naive_errors
from forecast.intervals.conformal import Intervals
from forecast.model import Model, forecasters, forecasts_alone
from forecast.progress import Progress
from forecast.runs.unseen_intervals import intervals_beside
from forecast.sources.parts import Parts
from forecast.sources.read import read


def rows_of_files(files: list[str], config: Config, scaler: Scaler, known: tuple[int, ...]) -> tuple[Rows, Ints]:
    """The rows of some files, and of which part of the split each is, [T].

    Args:
        files: Their paths.
        config: The run's configuration.
        scaler: Of the series that the run knows.
        known: The parts by whose rows other series are scaled.
    """
    data = config.data
    arranged = arrange(as_decided(read([*files], config.read), config.read), data)
    split = split_by_series(arranged, data)
    arranged = lay_out(arranged, data)
    part = split.part_of(arranged)
    return encode(arranged, data, with_unseen_series(scaler, arranged, np.isin(part, known), data)), part


def check_sample(parts: Parts, panel: Panel, options: ReadOptions) -> None:
    """Check that a sample tells of the other files: that it has several series, and none of them.

    Args:
        parts: The files.
        panel: The rows of the sample.
        options: How files are read.

    Raises:
        DataError: If it is one series, or one of its series is in another file, too.
    """
    if panel.n_series == 1:
        raise DataError(
            f"Half of the memory holds one series, and all is chosen by what it holds: "
            f"{listed([*map(os.path.basename, parts.sample)], 1)}.",
            f"Allow more: {setting('memory', f'{10 * max(parts.sizes) // 10**6 + 1}MB')}",
        )
    beside = [parts.sets[1][0]]
    check_whole(panel.series_ids, parts.sample, read(beside, options).series_ids, beside)


def score_all(
    parts: Parts,
    prepared: Prepared,
    models: Mapping[str, Model],
    intervals: Intervals | None,
    naive_error: Mapping[str, NaiveError],
    progress: Progress,
) -> dict[str, Any]:
    """The scores of all files, as those of `forecast.evaluate`.

    Args:
        parts: The files.
        prepared: The sample, by which everything was chosen.
        models: The networks.
        intervals: Of the series of the sample, as they stood before their test spans.
        naive_error: What the scaled errors of these are divided by.
        progress: Receives how many sets are done.
    """
    config, scaler, alone = prepared.config, prepared.scaler, forecasts_alone(models)

    def score(files: list[str]) -> dict[str, Scored]:
        parts.check_unchanged(files)
        rows, part = rows_of_files(files, config, scaler, (TRAIN, VALIDATION))
        beside = None if intervals is None else intervals_beside(intervals, scaler, rows.scaler, rows.n_targets)
        errors = {**naive_errors(rows, part != TEST, config.data.season), **naive_error}
        windows = windows_of(rows, part == TEST, config.data)
        return {
            "": sum_up(ToScore(rows, windows, forecasters(models, rows), config.data.season, errors, beside, alone))
        }

    return pool_parts(parts, score, progress)[""]
