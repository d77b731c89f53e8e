"""Choices that take a look at the rows: whether a target is a price, which inputs are worth it, how long a lookback."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.config import Config, DataSettings
from forecast.data.holes import fill_within
from forecast.data.newest import count_measured
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, prepare, windows_of
from forecast.data.split import TEST, TRAIN, VALIDATION
from forecast.data.windows import Flags, Ints, Windows, fill_forward, index_windows
from forecast.errors import DataError
from forecast.tables.timeparts import names_a_part

# Prices. They move in proportion to themselves and have no level to return to.

# Words of a column's name that say so.
_NAMES = re.compile(r"(?<![a-z])(adj|ask|bid|close|closing|nav|price|quote|settle|settlement)(?![a-z])", re.IGNORECASE)

# The steps over which a random walk must keep wandering, and what share of that it must do. Of a random walk the
# variance of changes over k steps is k times that of one step; of calls or sales, which return to their level, hardly
# more than that of one step. The bar is below what chance makes of 99 in 100 random walks of a year.
_STEPS, _LEAST_RATIO = 20, 0.3

# A ratio of fewer values than these times the steps is of chance.
_FEWEST_STRETCHES = 10


def why_price(panel: Panel, target: str, training_rows: Flags, known_rows: Flags) -> str:
    """Why a target is taken for a price; empty if it is not. Values of the test span decide nothing.

    A price has business days, positive values, and a name that says so or a logarithm that moves like a random walk.

    Args:
        panel: What was read.
        target: Name of the target.
        training_rows: Which rows belong to the training span, [T].
        known_rows: Which belong to it or to the validation span, [T]; these have a logarithm each.

    Reference: Lo & MacKinlay 1988 (the variance ratio).
    """
    values = panel.values[:, panel.column(target)]
    if panel.clock.unit != "B" or (values[known_rows] <= 0).any():
        return ""
    series = [values[rows][training_rows[rows]] for rows in map(panel.rows, range(panel.n_series))]
    series = [of_series[~np.isnan(of_series)] for of_series in series]
    if _NAMES.search(target):
        return "by its name"
    ratios = [variance_ratio(np.log(of_series)) for of_series in series]
    if any(not ratio >= _LEAST_RATIO for ratio in ratios):
        return ""
    return "for its logarithm moves like a random walk"


def variance_ratio(values: Floats) -> float:
    """The variance of changes over k steps over k times that of one step: 1 for a random walk; NaN of few values."""
    if len(values) < _FEWEST_STRETCHES * _STEPS:
        return float("nan")
    changes, drift = np.diff(values), (values[-1] - values[0]) / (len(values) - 1)
    one = np.mean((changes - drift) ** 2)
    many = np.mean((values[_STEPS:] - values[:-_STEPS] - _STEPS * drift) ** 2)
    return float(many / (_STEPS * one)) if one > 0 else float("nan")


# Words in the names of columns that are set rather than measured: codes, places, marks of quality.
_NOT_MEASURED = {
    "id", "ids", "nr", "no", "code", "index", "idx", "number", "station", "stations", "store", "shop", "item", "zip",
    "postcode", "lat", "latitude", "lon", "lng", "longitude", "elevation", "altitude", "flag", "quality", "qn", "qc",
    "unix", "epoch", "timestamp",
}  # fmt: skip


def likeliest_target(panel: Panel) -> str:
    """The first column that seems measured: it varies, counts nothing, and is not called as a code or a place is."""
    first = panel.values[panel.rows(0)]
    for name, values in zip(panel.columns, first.T, strict=True):
        words = set(re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()))
        present = values[~np.isnan(values)]
        steps = np.diff(present)
        varies = len(np.unique(present)) > 2 and steps.min() != steps.max()
        if varies and not words & _NOT_MEASURED and not names_a_part(name):
            return name
    return panel.columns[0]


# Holes: windows may have them where else they would cost windows.

# A few lost windows are no reason to feed a network twice as many columns.
_MOST_LOST_TO_HOLES = 0.01

# The share of a window's targets that must be observed where windows may have holes: most of them.
_LEAST_OBSERVED = 0.5


def choose_least_observed(
    panel: Panel, longest_fill: int, targets: Sequence[str], known_rows: Flags, lookback: int, horizon: int
) -> tuple[float, str]:
    """The share of a window's targets that must be observed, and why; 1 and nothing where holes cost few windows.

    Args:
        panel: What was read.
        longest_fill: Missing values in a row that are carried forward anyway.
        targets: Names of the targets.
        known_rows: Which rows belong to the training or the validation span, [T].
        lookback: L.
        horizon: H.
    """
    usable, seen = np.ones(panel.n_rows, bool), np.ones(panel.n_rows, bool)
    for column in map(panel.column, targets):
        usable &= fill_forward(panel, longest_fill, column)[1]
        seen &= ~np.isnan(panel.values[:, column])
    spans = [rows for rows in _before_test(panel, known_rows) if rows.stop > rows.start]
    ends = panel.positions(np.array([(rows.start, rows.stop - 1) for rows in spans]).ravel()).reshape(-1, 2)
    possible = int(np.maximum(ends[:, 1] - ends[:, 0] + 2 - lookback - horizon, 0).sum())
    lost = possible - len(index_windows(panel, known_rows, usable, seen, lookback, horizon))
    if lost <= _MOST_LOST_TO_HOLES * possible:
        return 1.0, ""
    return _LEAST_OBSERVED, (
        f"holes would cost {lost / possible:.0%} of the windows: missing values are fed as missing, and a window needs "
        f"{_LEAST_OBSERVED:.0%} of its targets"
    )


# Inputs beside the targets: columns that vary, that cost few windows, and that are there before the test span.

# A column is left out if fewer than this share of its values are there in the training rows.
_LEAST_PRESENT = 0.9

# The inputs together may cost at most this share of the windows of the training and the validation span.
_MOST_LOST = 0.1

# A column is left out if it is no longer measured in so much of the series.
_MOST_ENDED = 0.1


@dataclass(frozen=True)
class Inputs:
    """The covariates that were chosen.

    Args:
        kept: Their names, in the order of the panel.
        left_out: Why others were left out, by name. Those that never change are not among them.
    """

    kept: tuple[str, ...]
    left_out: dict[str, str]


def choose_covariates(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    training_rows: Flags,
    known_rows: Flags,
    lookback: int,
    horizon: int,
    may_have_holes: bool,
) -> Inputs:
    """The covariates that are worth their windows.

    Those that cost the fewest windows are taken first, as long as together they cost at most a tenth of them. A column
    that is no longer measured when the test span begins is left out. Values of the test span decide nothing, nor does
    whether they are there: of a column that ends within it, the warning of the newest forecast tells.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        training_rows: Which rows belong to the training span, [T].
        known_rows: Which belong to it or to the validation span, [T].
        lookback: L.
        horizon: H.
        may_have_holes: Whether a window may have holes, so that missing inputs cost none.
    """
    least_present = _LEAST_OBSERVED if may_have_holes else _LEAST_PRESENT
    spans = [rows for rows in map(panel.rows, range(panel.n_series)) if training_rows[rows].any()]
    candidates = []
    left_out: dict[str, str] = {}
    for column, name in enumerate(panel.columns):
        if name in targets or name in data.known:
            continue
        seen = [panel.values[rows, column][training_rows[rows]] for rows in spans]
        present = min((float(np.mean(~np.isnan(values))) for values in seen), default=0.0)
        if any(np.isnan(values).all() or np.nanmin(values) == np.nanmax(values) for values in seen) or not seen:
            continue
        if present < least_present:
            of_series = " of a series" if panel.n_series > 1 else ""
            left_out[name] = f"{1 - present:.0%} of its values{of_series} are missing"
        else:
            candidates.append(column)
    with_gaps = [column for column in candidates if np.isnan(panel.values[known_rows, column]).any()]
    if with_gaps:
        most_lost = 1.0 if may_have_holes else _MOST_LOST
        left_out |= _too_costly(panel, data, targets, with_gaps, known_rows, lookback, horizon, most_lost)
    kept = tuple(panel.columns[column] for column in candidates if panel.columns[column] not in left_out)
    return Inputs(kept, left_out)


def _too_costly(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    columns: Sequence[int],
    known_rows: Flags,
    lookback: int,
    horizon: int,
    most_lost: float,
) -> dict[str, str]:
    """Which of some columns with gaps are left out, and why; the others cost at most this share of the windows."""
    own = [panel.column(name) for name in (*targets, *data.known)]
    usable, seen = np.ones(panel.n_rows, bool), np.ones(panel.n_rows, bool)
    for column in own:
        usable &= fill_forward(panel, data.longest_fill, column)[1]
        seen &= ~np.isnan(panel.values[:, column])

    def n_windows(inputs: Flags) -> int:
        return len(index_windows(panel, known_rows, inputs, seen, lookback, horizon))

    lasts = [slice(max(rows.start, rows.stop - lookback), rows.stop) for rows in _measured(panel, data, known_rows)]
    lasts = [rows for rows in lasts if rows.stop > rows.start and usable[rows].all()]
    left_out, costs = {}, []
    every = n_windows(usable)
    for column in columns:
        there = fill_forward(panel, data.longest_fill, column)[1]
        ended = sum(not there[rows].any() for rows in lasts)
        if ended > _MOST_ENDED * len(lasts):
            of_series = f" of {ended} of {len(lasts)} series" if panel.n_series > 1 else ""
            left_out[panel.columns[column]] = (
                f"it is no longer measured in the last {lookback:,} rows{of_series} before the test span"
            )
        else:
            costs.append((every - n_windows(usable & there), column, there))
    for cost, column, there in sorted(costs, key=lambda each: each[:2]):
        if cost > most_lost * every or every - n_windows(usable & there) > most_lost * every:
            left_out[panel.columns[column]] = f"it would cost {cost / max(every, 1):.0%} of the windows"
        else:
            usable = usable & there
    return left_out


def _measured(panel: Panel, data: DataSettings, known_rows: Flags) -> list[slice]:
    """The rows of each series before the test span, up to the last one that holds more than what is known ahead."""
    spans = _before_test(panel, known_rows)
    if not data.known:
        return spans
    order = [column for column, name in enumerate(panel.columns) if name not in data.known]
    order += map(panel.column, data.known)
    n_known = len(data.known)
    return [slice(rows.start, rows.start + count_measured(panel.values[rows][:, order], n_known)) for rows in spans]


def _before_test(panel: Panel, known_rows: Flags) -> list[slice]:
    """The rows of each series before the test span: the first ones, as many as are known [T]."""
    spans = map(panel.rows, range(panel.n_series))
    return [slice(rows.start, rows.start + int(np.count_nonzero(known_rows[rows]))) for rows in spans]


def static_columns(panel: Panel, known_rows: Flags) -> tuple[str, ...]:
    """The columns that never change in a series, and are not the same in all series; none of a single series.

    Args:
        panel: What was read.
        known_rows: Which rows belong to the training or the validation span, [T].
    """
    starts = np.array(panel.offsets[:-1])[np.diff(panel.offsets) > 0]
    if len(starts) < 2:
        return ()
    are_read = {name.partition("=")[0] for name in panel.columns}
    texts = {
        name: np.where(text.codes < 0, np.nan, text.codes)
        for name, text in panel.texts.items()
        if name not in are_read and len(text.words) < len(starts)  # more tell the series, and no more
    }
    found = []
    for name, column in [*zip(panel.columns, panel.values.T, strict=True), *texts.items()]:
        known = np.where(known_rows, column, np.nan)
        low, high = np.fmin.reduceat(known, starts), np.fmax.reduceat(known, starts)
        measured = ~np.isnan(low)
        if (low[measured] == high[measured]).all() and len(np.unique(low[measured])) > 1:
            found.append(name)
    return tuple(found)


# The lookback: shorter where gaps leave no window, longer where that pays on the validation span.

# Windows that the probe uses: enough for the normal equations of a few hundred steps, few enough for a second.
_TRAINING_WINDOWS, _VALIDATION_WINDOWS = 4000, 1000

# A longer panel is not probed: preparing it once more would cost more than the probe is worth.
_MOST_ROWS = 200_000

# Ridge penalty, as a share of the mean variance of the inputs.
_PENALTY = 0.01

# Twice the lookback costs time, and the windows that a gap breaks: it must reduce the error by this share, and keep
# this share of the training windows.
_LEAST_GAIN, _LEAST_KEPT = 0.005, 0.9


def shorten_for_gaps(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    covariates: Sequence[str],
    part: Ints,
    lookback: int,
    horizon: int,
) -> int:
    """The lookback, halved until the training and the validation span have a window; as it was if none is short enough.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        covariates: Names of the covariates.
        part: The part of each row, [T].
        lookback: L.
        horizon: H.
    """
    inputs = [panel.column(name) for name in (*targets, *covariates, *data.known)]
    outputs = [panel.column(name) for name in (*targets, *data.known)]
    is_known = part < TEST
    if panel.stretches()[-1] + 1 == panel.n_series and not np.isnan(panel.values[is_known][:, inputs]).any():
        return lookback
    usable = np.logical_and.reduce([fill_forward(panel, data.longest_fill, column)[1] for column in inputs])
    seen = np.asarray(~np.isnan(panel.values[:, outputs]).any(axis=1))
    shorter = lookback
    while shorter:
        counts = [len(index_windows(panel, part == number, usable, seen, shorter, horizon)) for number in range(TEST)]
        if all(counts):
            return shorter
        shorter //= 2
    return lookback


def probe_longer_lookback(panel: Panel, config: Config, longest: int) -> tuple[int, str] | None:
    """Twice the lookback, and why, if that pays on the validation span; None if not.

    A linear map from the lookback to the horizon, both relative to the last value, is fitted to training windows and
    scored on validation windows, the same ones for both lookbacks. The test span is not used.

    Args:
        panel: What was read.
        config: The configuration with the shorter lookback.
        longest: The longest lookback that the series has room for.
    """
    short = config.data.lookback
    if 2 * short > longest or panel.n_rows > _MOST_ROWS:
        return None
    try:
        prepared = prepare(panel, config.replace(data={"lookback": 2 * short}), needed=(TRAIN, VALIDATION))
    except DataError:
        return None
    n_before = len(windows_of(prepared.rows, prepared.training_rows, config.data))
    if len(prepared.train) < max(_LEAST_KEPT * n_before, 4 * short):
        return None
    if _fed_to_the_end(prepared, 2 * short) < _fed_to_the_end(prepared, short):
        return None  # it may cost no series its forecast
    error, error_of_double = (_linear_error(prepared, lookback) for lookback in (short, 2 * short))
    if not error_of_double < (1 - _LEAST_GAIN) * error:
        return None
    gain = 1 - error_of_double / error
    return 2 * short, f"a linear map errs {gain:.1%} less on the validation span than with half of it"


def _fed_to_the_end(prepared: Prepared, lookback: int) -> int:
    """How many series have an unbroken lookback that ends where the test span begins."""
    panel, usable, stretches = prepared.rows.panel, prepared.rows.usable, prepared.rows.panel.stretches()
    count = 0
    for rows in _before_test(panel, prepared.split.part_of(panel) < TEST):
        first = rows.stop - lookback
        is_fed = first >= rows.start and usable[first : rows.stop].all()
        count += bool(is_fed and stretches[first] == stretches[rows.stop - 1])
    return count


def _linear_error(prepared: Prepared, lookback: int) -> float:
    """Mean absolute error, scaled, of a ridge regression on the newest part of each window."""
    x, y = _pairs(prepared, prepared.train.subsample(_TRAINING_WINDOWS), lookback)
    squares = x.T @ x
    penalty = _PENALTY * np.trace(squares) / lookback + np.finfo(float).tiny
    weights = np.linalg.solve(squares + penalty * np.eye(lookback), x.T @ y)
    x, y = _pairs(prepared, prepared.validation.subsample(_VALIDATION_WINDOWS), lookback)
    return float(np.abs(x @ weights - y).mean())


def _pairs(prepared: Prepared, windows: Windows, lookback: int) -> tuple[Floats, Floats]:
    """Lookback [N, L] and horizon [N, H] of the first target, scaled and relative to the last value.

    Windows with holes in their horizon are left out, those in the lookback are filled.
    """
    first = prepared.rows.scaled[:, 0].astype(np.float64)
    past, future = first[windows.past()[:, -lookback:]], first[windows.future()]
    if prepared.rows.masked:
        whole = ~np.isnan(future).any(axis=1)
        past, future = fill_within(past[whole, :, None])[0][..., 0], future[whole]
    return past - past[:, -1:], future - past[:, -1:]
