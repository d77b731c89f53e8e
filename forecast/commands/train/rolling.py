"""A training on more rows than memory holds: its windows are drawn from sets of files that are read in turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from forecast.commands.pooling import check_whole
from forecast.commands.train.part_rows import rows_of_files
from forecast.config import Config
from forecast.data.panel import Floats
from forecast.data.prepare import Prepared, Rows, windows_of
from forecast.data.scaling import Scaler
from forecast.data.split import TRAIN
from forecast.data.windows import Ints
from forecast.errors import ConfigError, DataError, setting
from forecast.sources.parts import Parts
from forecast.training.sampling import WindowOrder
from forecast.training.trainer import Fit

# Steps that are learned from a set before the next one is read, at least: to read takes as long as some dozen steps.
_FEWEST_STEPS = 25


class RollingWindows:
    """Which windows each step of a training learns from; the step's number alone decides, so it can be resumed.

    An epoch passes through all sets, if it has steps enough. In each pass the sets come in another order, and give
    windows that they have not given before, until all have been.

    Args:
        parts: The sets of files.
        config: The run's configuration.
        scaler: That of the sample; other series are scaled by their own training rows, as new ones are later.
        batch_size: Windows of a step.
        steps_per_epoch: Steps of an epoch.
        of_all_rows: Whether they are of all rows, and not of the training spans alone.
    """

    def __init__(
        self,
        parts: Parts,
        config: Config,
        scaler: Scaler,
        batch_size: int,
        steps_per_epoch: int,
        of_all_rows: bool = False,
    ) -> None:
        self._parts, self._config, self._scaler, self._batch_size = parts, config, scaler, batch_size
        self._of_all_rows = of_all_rows
        self._steps = max(_FEWEST_STEPS, steps_per_epoch // len(parts.sets))
        self._held: tuple[int, Rows, WindowOrder] | None = None

    def at(self, step: int) -> tuple[Rows, Ints]:
        """Rows, and the first ones of the windows of a step among them, [B]."""
        turn, within = divmod(step, self._steps)
        passes, number = divmod(turn, len(self._parts.sets))
        seed = self._config.training.seed
        which = int(np.random.default_rng([seed, passes]).permutation(len(self._parts.sets))[number])
        if self._held is None or self._held[0] != which:
            self._held = None  # before the next is read
            self._held = which, *self._read(which)
        _, rows, order = self._held
        return rows, np.resize(order.starts(passes * self._steps + within), self._batch_size)

    def _read(self, which: int) -> tuple[Rows, WindowOrder]:
        """The rows of a set, and the order of the windows that are learned from."""
        files, data = sorted(self._parts.sets[which]), self._config.data
        self._parts.check_unchanged(files)
        rows, part = rows_of_files(files, self._config, self._scaler, (TRAIN,))
        check_whole(self._scaler.series_ids, self._parts.sample, rows.panel.series_ids, files)
        windows = windows_of(rows, (part == TRAIN) | self._of_all_rows, data)
        if not len(windows):
            raise DataError(f"There is no window to learn from in {', '.join(files)}.", "Leave short series out.")
        return rows, WindowOrder(windows.starts, self._batch_size, self._config.training.seed + which)


class RollingFit(Fit):
    """A training that is validated on a sample, and learns from all parts.

    Args:
        parts: The sets of files.
        arguments: Those of `Fit`; its windows are those of the sample.
    """

    def __init__(self, network: Any, prepared: Prepared, *arguments: Any, parts: Parts) -> None:
        super().__init__(network, prepared, *arguments)
        if self.config.loss == "qlike":
            raise ConfigError(
                f"The loss qlike is in the units of each series, which {setting('memory')} does not hold for all.",
                f"Take another: {setting('loss', 'mae')}",
            )
        scaler, weights = prepared.scaler, self._series_weights
        sizes, of_all_rows = (self.order.batch_size, self.steps_per_epoch), self.validation is None  # to refit
        self._windows = RollingWindows(parts, prepared.config, scaler, *sizes, of_all_rows)
        # Series beside the sample are one more series: of middling weight, and of middling scale where an error is told
        # in units, which no weight is learned by.
        self._scaler = replace(scaler, mean=_with_median(scaler.mean), scale=_with_median(scaler.scale))
        self._series_weights = None if weights is None else np.vstack([weights, np.ones(weights.shape[1])])

    def _drawn(self, step: int) -> tuple[Rows, Ints]:
        return self._windows.at(step)


def _with_median(of_series: Floats) -> Floats:
    """Statistics [S, C], and after them their medians, [S + 1, C]."""
    return np.vstack([of_series, np.median(of_series, axis=0)])
