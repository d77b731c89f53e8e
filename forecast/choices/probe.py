"""A quick look at the rows before the test span: how far to look back, what to count from, and if a linear map helps.

Linear maps from the lookback to the horizon are solved in closed form on the earlier of them and scored on the later
ones, and so is the centre of the normalisation alone, from which a network begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log2

import numpy as np

from forecast.config import Config
from forecast.data.holes import fill_within
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, prepare, windows_of
from forecast.data.split import TEST, TRAIN, VALIDATION, rows_before_test, split_panel
from forecast.data.windows import Flags, Ints, Windows
from forecast.errors import DataError
from forecast.models.backends.numpy import NumpyOps
from forecast.models.network import Network, Shape
from forecast.models.ridge import PENALTIES, solve_ridge

# Windows that a map is solved and scored on: enough for the normal equations of a few hundred steps, few enough for a
# fraction of a second.
_FITTED_WINDOWS, _SCORED_WINDOWS = 4000, 2000

# Share of the rows before the test span that maps are scored on. The validation span, a tenth, may lie in a part of the
# year that is like no other: by it alone a generated daily series with a week and a year got eight weeks to look back.
_SCORED = 0.3

# Of a longer panel a sample of the series is looked at.
_MOST_ROWS = 200_000

# A longer lookback costs time, and training windows: it must reduce the error by this share each time it doubles, and
# by a tenth of the share of the windows that it costs, which may be a half. On an hourly price a map gained 1.5 % from
# two weeks over one, and on the validation span the network with it erred 2.6 % more.
_GAIN_OF_DOUBLE, _GAIN_OF_WINDOWS, _LEAST_KEPT = 0.02, 0.1, 0.5

# A map must err less than what it counts from by this share. On 14 series of 164 days it erred as much, and a network
# with it erred 3 % more on the validation span than without; elsewhere maps gained 13 % and more, or nothing to tell.
_GAIN_OF_MAP = 0.03

# One map beside the network must suit all series: it does not where choosing it for each of them gains this share. On
# public panels the gain was at most 0.7 %, but for the quantities of a weather station by the hour: 2.2 and 3.8 %, and
# a network without a map erred 2 and 5 % less on the validation span. So few panels bound the share, and no more. With
# fewer windows than these (the station has a hundred thousand) the gain is chance, and a network does not learn what
# the map knew: samples of 5 to 60 series of four panels passed for such panels, and erred up to a third more.
_GAIN_OF_CHOICE, _WINDOWS_WITHOUT_MAP = 0.02, 10_000

# Windows up to this length are counted from exponential smoothing if that, or a map of what it leaves, errs less by
# this share. Where samples of four panels of months and quarters chose it, trained networks erred 4 to 23 % less on
# later rows (of two single series one, with one window to tell, erred more). Of hours and of quarter hours, and of the
# built-in series, it never erred 3 % less.
_LONGEST_SMOOTHED, _GAIN_OF_SMOOTHING = 60, 0.03


@dataclass(frozen=True)
class Found:
    """What is chosen by a look at the rows before the test span.

    Args:
        lookback: L.
        why_lookback: The reason for another lookback than the usual one.
        why_smoothing: The reason for counting from exponential smoothing.
        why_not_linear: The reason against a linear map beside the network.
    """

    lookback: int
    why_lookback: str = ""
    why_smoothing: str = ""
    why_not_linear: str = ""


def probe(panel: Panel, config: Config, longer: Sequence[int], may_smooth: bool) -> Found:
    """The lookback from which a linear map errs clearly less than from the usual one.

    Also whether forecasts are better counted from exponential smoothing, whether a map is better than none, and of
    several series, whether one suits them all.

    Args:
        panel: What was read.
        config: The configuration with the usual lookback.
        longer: Longer lookbacks to choose from.
        may_smooth: Whether forecasts may be counted from exponential smoothing.
    """
    usual = config.data.lookback
    prepared = _prepared_sample(panel, config)
    if prepared is None:
        return Found(usual)
    fitted, scored = _divide(prepared)
    train = {each: _windows(prepared, fitted, each) for each in (usual, *longer) if _is_fed(prepared, each)}
    n_usual = len(train[usual])
    train = {
        lookback: windows
        for lookback, windows in train.items()
        if lookback == usual or len(windows) >= max(_LEAST_KEPT * n_usual, 2 * lookback)
    }
    cutoffs = _windows(prepared, scored, max(train)).subsample(_SCORED_WINDOWS).cutoffs
    if not (n_usual and len(cutoffs)):
        return Found(usual)
    by_window = {of: _errors(prepared, windows.subsample(_FITTED_WINDOWS), cutoffs) for of, windows in train.items()}
    errors = {of: _lower(pair) for of, pair in by_window.items()}

    def with_costs(lookback: int) -> float:
        """The error, larger by what a longer lookback must gain."""
        lost = 1 - len(train[lookback]) / n_usual
        return errors[lookback] * (1 + _GAIN_OF_DOUBLE * log2(lookback / usual) + _GAIN_OF_WINDOWS * lost)

    lookback = min(train, key=with_costs)
    why_lookback = why_smoothing = why_not_linear = ""
    if lookback != usual:
        gain = 1 - errors[lookback] / errors[usual]
        why_lookback = f"a linear map errs {gain:.1%} less before the test span than with {usual:,}"
    of_map, of_centre = by_window[lookback]
    if may_smooth and lookback <= _LONGEST_SMOOTHED:
        network = {"normalise": "smoothing", "cycle": config.network.cycle or config.data.season}
        smoothed = replace(prepared, config=prepared.config.replace(network=network))
        pair = _errors(smoothed, train[lookback].subsample(_FITTED_WINDOWS), cutoffs)
        if (gain := 1 - _lower(pair) / errors[lookback]) > _GAIN_OF_SMOOTHING:
            of_map, of_centre = pair
            why_smoothing = f"so counted, forecasts before the test span err {gain:.1%} less than from the last value"
    gain = _gain_of_choice(of_map, of_centre, prepared.rows.series[cutoffs])
    if not np.nanmean(of_map) < (1 - _GAIN_OF_MAP) * np.nanmean(of_centre):
        why_not_linear = "before the test span it errs no less than what it counts from"
    elif gain > _GAIN_OF_CHOICE and len(train[lookback]) >= _WINDOWS_WITHOUT_MAP:
        why_not_linear = f"it does not suit all series; a choice for each of them errs {gain:.1%} less"
    return Found(lookback, why_lookback, why_smoothing, why_not_linear)


def _prepared_sample(panel: Panel, config: Config) -> Prepared | None:
    """So many of the series that they can be looked at in a second, divided as all; None if they are not fit for it."""
    every = -(-panel.n_rows // _MOST_ROWS)
    if every > panel.n_series:
        return None
    if every > 1:
        if config.data.split == "time":
            dates = vars(split_panel(panel, config.data))
            config = config.replace(data={name: panel.clock.isoformat(of[0]) for name, of in dates.items()})
        panel = panel.of_series(np.arange(0, panel.n_series, every))
    try:
        return prepare(panel, config, needed=(TRAIN, VALIDATION))
    except DataError:
        return None


def _divide(prepared: Prepared) -> tuple[Flags, Flags]:
    """Which rows maps are fitted to and which they are scored on, [T]: the last ones of each series before the test."""
    panel = prepared.rows.panel
    known = prepared.split.part_of(panel) < TEST
    fitted, scored = np.zeros_like(known), np.zeros_like(known)
    for rows in rows_before_test(panel, known):
        n_scored = max(int(_SCORED * (rows.stop - rows.start)), prepared.config.data.horizon)
        begin = max(rows.start, rows.stop - n_scored)
        fitted[rows.start : begin], scored[begin : rows.stop] = True, True
    return fitted, scored


def _windows(prepared: Prepared, rows: Flags, lookback: int) -> Windows:
    """The windows whose horizon lies in these rows [T], with another lookback."""
    return windows_of(prepared.rows, rows, prepared.config.data.model_copy(update={"lookback": lookback}))


def _is_fed(prepared: Prepared, lookback: int) -> bool:
    """Whether a lookback costs no series its forecast at the beginning of the test span."""
    return _fed_to_the_end(prepared, lookback) >= _fed_to_the_end(prepared, prepared.config.data.lookback)


def _fed_to_the_end(prepared: Prepared, lookback: int) -> int:
    """How many series have an unbroken lookback that ends where the test span begins."""
    panel, usable, stretches = prepared.rows.panel, prepared.rows.usable, prepared.rows.panel.stretches()
    count = 0
    for rows in rows_before_test(panel, prepared.split.part_of(panel) < TEST):
        first = rows.stop - lookback
        is_fed = first >= rows.start and usable[first : rows.stop].all()
        count += bool(is_fed and stretches[first] == stretches[rows.stop - 1])
    return count


def _errors(prepared: Prepared, train: Windows, cutoffs: Ints) -> tuple[Floats, Floats]:
    """The mean absolute errors, scaled, of the best ridge regression and of the centre alone, of each window [N]."""
    x, y, _ = _pairs(prepared, train)
    squares, products = x.T @ x, x.T @ fill_within(y[..., None])[0][..., 0]
    scored = Windows(cutoffs - train.lookback + 1, train.lookback, train.horizon)
    x, y, scale = _pairs(prepared, scored)
    maps = [y - x @ solve_ridge(squares, products, penalty) for penalty in PENALTIES]
    of_centre, *of_maps = (np.nanmean(np.abs(scale * left), axis=1) for left in (y, *maps))
    return min(of_maps, key=np.nanmean), of_centre


def _lower(pair: tuple[Floats, Floats]) -> float:
    """The mean error of the better of the two."""
    return min(float(np.nanmean(each)) for each in pair)


def _gain_of_choice(of_map: Floats, of_centre: Floats, series: Ints) -> float:
    """By which share a map's error falls if those series go without it for which it errs more than the centre alone.

    The earlier half of a series' windows chooses, the later half is scored, so that chance gains nothing. A map that
    errs more on the whole gains nothing either: beside a network it would stay empty.

    Args:
        of_map: Errors of the map, [N].
        of_centre: Errors of the centre, [N].
        series: The index of each window's series, [N], ascending.
    """
    numbers, starts, counts = np.unique(series, return_index=True, return_counts=True)
    later = np.arange(len(series)) >= np.repeat(starts + counts // 2, counts)
    position = np.searchsorted(numbers, series)
    before, after = (
        [np.bincount(position[half], of[half], len(numbers)) for of in (of_map, of_centre)] for half in (~later, later)
    )
    with_map, with_centre = (float(of.sum()) for of in after)
    return 1 - float(np.where(before[0] <= before[1], *after).sum()) / with_map if with_map < with_centre else 0.0


def _pairs(prepared: Prepared, windows: Windows) -> tuple[Floats, Floats, Floats]:
    """What is read of a lookback [N, L] and horizon [N, H] of the first target, normalised; and the scale [N, 1].

    Holes in the lookback are filled; the horizon is NaN where nothing was observed.
    """
    first = prepared.rows.scaled[:, :1].astype(np.float64)
    past, future = fill_within(first[windows.past()])[0], first[windows.future()]
    shape = Shape(windows.lookback, windows.horizon, targets=1, covariates=0, known=0, series=1)
    config = prepared.config.network
    network = Network(config, shape, NumpyOps(config, {}))
    window, middle, scale = network.normalise(network.newest(past))
    left = future if middle is None else future - middle
    scale = np.ones((len(left), 1, 1)) if scale is None else scale
    return window[..., 0], (left / scale)[..., 0], scale[..., 0]
