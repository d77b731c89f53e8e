"""How the rows are divided: the shares of the validation and of the test span, by time or by series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.config import DataSettings, Division
from forecast.data.panel import Panel
from forecast.data.split import TEST_SHARE, TRAIN, VALIDATION_SHARE, shares_of, split_panel, timestamp_of

# Windows that each of the two spans holds, if that leaves half of the rows to train on: intervals take ten.
_ENOUGH_WINDOWS = 10

# By time, a series that ends early has no test span. Where more than this share of them do, each is divided itself.
_MOST_EARLY = 0.1


def choose_shares(
    n_rows: float, horizons: Sequence[int], lookback: int | None, validation: float | None, test: float | None
) -> tuple[float, float, int]:
    """The shares of the validation and of the test span, and the horizon.

    They are a tenth and a fifth. In a short series they are what holds ten windows, or as many as leave half of the
    rows to train on. A shorter horizon is taken where the longer one leaves fewer than five, or else fewer than three.

    Args:
        n_rows: Rows of a series.
        horizons: The horizons to choose from, the longest first.
        lookback: L; None where it will be chosen to fit.
        validation: The share that was asked for; None if it is open.
        test: The same of the test span.
    """
    asked, usual = (validation, test), (VALIDATION_SHARE, TEST_SHARE)

    def spans_of(needed: int) -> list[float]:
        """The rows of the two spans, at least as many as needed where the share is open."""
        return [
            max(round(normal * n_rows), needed) if share is None else share * n_rows
            for share, normal in zip(asked, usual, strict=True)
        ]

    for fewest_windows, least_share in ((5, 0.5), (3, 0.4), (1, 0.0)):
        for horizon in horizons:
            # A lookback that is open becomes a third of the training rows, at most.
            needed_for_training = 1.5 * horizon + 2 if lookback is None else lookback + horizon
            for n_windows in range(_ENOUGH_WINDOWS, fewest_windows - 1, -1):
                needed = horizon + n_windows - 1
                spans = spans_of(needed)
                for_training = n_rows - sum(spans)
                if min(spans) >= needed and for_training >= max(least_share * n_rows, needed_for_training):
                    shares = [
                        share if share is not None else normal if round(normal * n_rows) >= needed else needed / n_rows
                        for share, normal in zip(asked, usual, strict=True)
                    ]
                    return shares[0], shares[1], horizon
    shares = [normal if share is None else share for share, normal in zip(asked, usual, strict=True)]
    return shares[0], shares[1], horizons[-1]  # too short for a single window: the refusal says what it takes


def choose_validation_from(panel: Panel, test_from: str, horizon: int, needed: int) -> str:
    """Where the validation span begins, if the test span begins at a date: a tenth of the rows before it are of it.

    It holds ten windows, or as many as leave half of these rows to train on, or else a single window.

    Args:
        panel: S series of T rows in all.
        test_from: The first timestamp of the test span.
        horizon: H.
        needed: Rows of a series that a window to train on takes.
    """
    before = panel.times < timestamp_of(test_from, "test_from", panel.clock)
    if not before.any():
        return test_from  # no row is left to train on, which is refused
    n_rows = float(np.median(np.diff(np.concatenate([[0], np.cumsum(before)])[list(panel.offsets)])))
    spans = [max(round(VALIDATION_SHARE * n_rows), horizon + n - 1) for n in range(_ENOUGH_WINDOWS, 4, -1)]
    fitting = [span for span in spans if n_rows - span >= max(n_rows / 2, needed)]
    n_validation = fitting[0] if fitting else horizon
    times = np.unique(panel.times[before])
    return panel.clock.isoformat(times[max(0, len(times) - n_validation)])


def choose_division(panel: Panel, horizon: int) -> tuple[Division, str]:
    """Whether to divide a panel by time or by series, and why.

    Args:
        panel: S series of T rows in all.
        horizon: H.
    """
    last_rows = np.array(panel.offsets[1:])[np.diff(panel.offsets) > 0] - 1
    end = panel.times[last_rows].max()
    n_early = int((panel.times[last_rows] < panel.clock.past(end, horizon + 1)[0]).sum())
    early = f"{n_early:,} of {panel.n_series:,} series end more than {horizon:,} steps before {panel.clock.format(end)}"
    if n_early > _MOST_EARLY * len(last_rows):
        return "series", early
    return "time", early if n_early else "all series reach the end"


def settle_shares(panel: Panel, data: DataSettings, usual_horizon: int) -> tuple[float, float, int]:
    """The shares of the validation and of the test span, and the horizon: together, for a short series decides both.

    Args:
        panel: S series of T rows in all.
        data: What the user asked for.
        usual_horizon: The horizon of a long series.
    """
    n_rows = _usual_length(panel)
    if data.validation_from is None and data.test_from is None:
        horizons = (data.horizon,) if data.horizon else sorted({usual_horizon // part or 1 for part in (1, 2, 4)})[::-1]
        return choose_shares(n_rows, horizons, data.lookback, data.validation, data.test)
    validation, test = shares_of(data)
    return validation, test, data.horizon or min(usual_horizon, max(1, int((1 - validation - test) * n_rows) // 9))


def settle_validation_from(panel: Panel, data: DataSettings, horizon: int, season: int) -> str | None:
    """Where the validation span begins: as asked, or before a test span that has a date; None where a share says it.

    A single series keeps to the share of the whole time axis, if that leaves as many rows as would be chosen.

    Args:
        panel: S series of T rows in all.
        data: What the user asked for.
        horizon: H.
        season: m.
    """
    if data.validation_from or data.validation or not data.test_from:
        return data.validation_from
    chosen = choose_validation_from(panel, data.test_from, horizon, horizon + (data.lookback or season))
    split = split_panel(panel, data.model_copy(update={"validation_from": chosen}))
    n_training = int(np.count_nonzero(split.part_of(panel) == TRAIN))
    by_share = int((1 - VALIDATION_SHARE - TEST_SHARE) * panel.n_rows)
    return chosen if panel.n_series > 1 or by_share > n_training else None


def settle_division(panel: Panel, data: DataSettings, horizon: int) -> tuple[Division, str]:
    """Whether the cut-offs are by time or by series, and what is said of it; nothing of one series.

    Args:
        panel: S series of T rows in all.
        data: What the user asked for.
        horizon: H.
    """
    if panel.n_series == 1 or data.validation_from or data.test_from:
        return data.split or "time", ""
    chosen, why = choose_division(panel, horizon)
    cutoffs = {"time": "are the same for all series", "series": "leave the last share of each series' own rows"}
    division = data.split or chosen
    return division, f"cut-offs {cutoffs[division]}: {why if data.split is None else 'as asked'}"


def why_shares(panel: Panel, data: DataSettings, shares: tuple[float, float], horizon: int) -> str:
    """Why the spans are larger than usual; nothing if they are not, or are as asked.

    Args:
        panel: S series of T rows in all.
        data: What the user asked for.
        shares: Those of the validation and of the test span.
        horizon: H.
    """
    asked, usual = (data.validation, data.test), (VALIDATION_SHARE, TEST_SHARE)
    names = ("a tenth for validation", "a fifth for the test")
    enlarged = [
        name
        for name, own, share, normal in zip(names, asked, shares, usual, strict=True)
        if own is None and share != normal
    ]
    if not enlarged:
        return ""
    n_rows = _usual_length(panel)
    validation, test = (round(share * n_rows) for share in shares)
    return (
        f"a short series: of {n_rows:,.0f} rows {validation} are for validation and {test} for the test "
        f"({validation - horizon + 1} and {test - horizon + 1} windows), more than the usual {' and '.join(enlarged)}"
    )


def _usual_length(panel: Panel) -> float:
    """Rows of a series; of several, the median."""
    return float(np.median(np.diff(panel.offsets)))
