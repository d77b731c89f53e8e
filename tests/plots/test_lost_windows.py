"""Counts of windows that could be and of those that are lost, recomputed with pandas, window by window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from configs import plain_config
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import prepare
from forecast.data.split import PARTS
from forecast.plots.lost_windows import count_windows, count_windows_of_parts, lost_windows_in_words


def panel_of(frames: Mapping[str, pd.DataFrame], freq: str) -> Panel:
    """Series by name, each with its times as index."""
    offsets = np.cumsum([0, *map(len, frames.values())]).tolist()
    together = pd.concat(frames.values())
    columns = tuple(together.columns)
    return Panel(
        together.to_numpy(float), together.index.to_numpy(), columns, Clock(freq), tuple(frames), tuple(offsets)
    )


def by_pandas(
    frames: Mapping[str, pd.DataFrame],
    freq: str,
    part: tuple[pd.Timestamp | None, pd.Timestamp | None],
    lookback: int,
    horizon: int,
    longest_fill: int,
    known: tuple[str, ...] = (),
) -> dict[str, object]:
    """The same counts by definition: every window of the whole clock is looked at."""
    count = {"possible": 0, "scored": 0, "cross_gap": 0, "lack_inputs": 0, "lack_targets": 0}
    lacking: dict[str, int] = {}
    for frame in frames.values():
        measured = frame.drop(columns=list(known)).notna().any(axis=1)
        frame = frame[: frame.index[measured][-1]] if known else frame
        clock = pd.date_range(frame.index[0], frame.index[-1], freq=freq)
        whole = frame.reindex(clock)
        present = whole.index.isin(frame.index)
        stretch = (~pd.Series(present, clock)).cumsum()
        filled = whole.groupby(stretch.to_numpy()).ffill(limit=longest_fill) if longest_fill else whole
        for start in range(len(clock) - lookback - horizon + 1):
            past = slice(start, start + lookback)
            future = slice(start + lookback, start + lookback + horizon)
            first, last = clock[future][0], clock[future][-1]
            if (part[0] is not None and first < part[0]) or (part[1] is not None and last >= part[1]):
                continue
            count["possible"] += 1
            if not present[start : start + lookback + horizon].all():
                count["cross_gap"] += 1
                continue
            lacks = [name for name in whole.columns if filled[name].iloc[past].isna().any()]
            lacks += [name for name in known if name not in lacks and whole[name].iloc[future].isna().any()]
            for name in lacks:
                lacking[name] = lacking.get(name, 0) + 1
            if lacks:
                count["lack_inputs"] += 1
            elif whole[whole.columns[0]].iloc[future].isna().any():
                count["lack_targets"] += 1
            else:
                count["scored"] += 1
    return {**count, "lack_inputs_by_column": lacking}


def station(rng: np.random.Generator, hours: int = 500) -> pd.DataFrame:
    """An hourly station whose sensors fail at random and whose logger stops at times."""
    times = pd.date_range("2020-01-01", periods=hours, freq="h")
    frame = pd.DataFrame({"temp": rng.normal(size=hours), "wind": rng.normal(size=hours)}, times)
    frame.loc[rng.random(hours) < 0.01, "wind"] = np.nan
    for column in ("temp", "wind"):
        for begin in rng.integers(0, hours, 3):
            frame.iloc[begin : begin + int(rng.integers(1, 12)), frame.columns.get_loc(column)] = np.nan
    kept = np.ones(hours, bool)
    for begin in rng.integers(1, hours - 1, 2):
        kept[begin : begin + int(rng.integers(1, 6))] = False
    kept[[0, -1]] = True
    return frame[kept]


def oil(rng: np.random.Generator) -> pd.DataFrame:
    """A daily price without a value on holidays, whose rows are there."""
    days = pd.date_range("2020-01-01", periods=400, freq="D")
    frame = pd.DataFrame({"price": 50 + rng.normal(size=400).cumsum()}, days)
    frame.iloc[[30, 77, 78, 200, 333, 390]] = np.nan
    return frame


CASES = {
    "stations": (lambda rng: {"a": station(rng), "b": station(rng, 300)}, "h"),
    "one station": (lambda rng: {"": station(rng)}, "h"),
    "oil": (lambda rng: {"": oil(rng)}, "D"),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", CASES)
def test_counts_are_those_of_a_loop_over_all_windows(name: str, seed: int) -> None:
    make, freq = CASES[name]
    frames = make(np.random.default_rng(seed))
    columns = next(iter(frames.values())).columns
    config = plain_config(
        target=tuple(columns[:1]), covariates=tuple(columns[1:]), lookback=9, horizon=4, longest_fill=seed,
        validation=0.3, test=0.3,
    )  # fmt: skip
    prepared = prepare(panel_of(frames, freq), config)
    split = [pd.Timestamp(time) for time in (prepared.split.validation_from[0], prepared.split.test_from[0])]
    counted = count_windows_of_parts(prepared)
    for part, span in zip(PARTS, [(None, split[0]), (split[0], split[1]), (split[1], None)], strict=True):
        assert counted[part].to_json() == by_pandas(frames, freq, span, 9, 4, seed)
        assert counted[part].scored == len(getattr(prepared, part))


def test_a_border_within_a_gap() -> None:
    days = pd.date_range("2020-01-01", periods=60, freq="D")
    frame = pd.DataFrame({"y": np.arange(60.0)}, days).drop(days[25:35])
    config = plain_config(target=("y",), validation_from="2020-01-28", test_from="2020-02-15", lookback=3, horizon=2)
    prepared = prepare(panel_of({"": frame}, "D"), config)
    border = pd.Timestamp("2020-01-28")
    for span in [(None, border), (border, None), (pd.Timestamp("2020-01-20"), border)]:
        (count,) = count_windows(prepared.rows, config.data, [tuple(t and np.array([t.to_datetime64()]) for t in span)])
        assert count.to_json() == by_pandas({"": frame}, "D", span, 3, 2, 6)


def test_rows_that_only_hold_what_is_known_ahead_are_no_loss() -> None:
    days = pd.date_range("2020-01-01", periods=104, freq="D")
    frame = pd.DataFrame({"y": np.r_[np.arange(100.0), [np.nan] * 4], "promo": np.arange(104) % 2.0}, days)
    frame.iloc[90, 1] = np.nan
    config = plain_config(target=("y",), known=("promo",), decode="parallel", lookback=5, horizon=3, longest_fill=0)
    prepared = prepare(panel_of({"": frame}, "D"), config)
    border = pd.Timestamp(prepared.split.test_from[0])
    counted = count_windows_of_parts(prepared)["test"].to_json()
    assert counted == by_pandas({"": frame}, "D", (border, None), 5, 3, 0, ("promo",))
    assert counted["possible"] - counted["scored"] == counted["lack_inputs_by_column"]["promo"] == 8


def test_a_holiday_on_business_days_is_no_gap() -> None:
    days = pd.bdate_range("2020-01-01", periods=200).delete([50, 51, 120])
    frame = pd.DataFrame({"y": np.arange(197.0)}, days)
    config = plain_config(target=("y",), lookback=5, horizon=3)
    counted = count_windows_of_parts(prepare(panel_of({"": frame}, "B"), config))
    assert all(count.lost == 0 for count in counted.values())
    assert counted["train"].possible == 137 - 8 + 1


@pytest.mark.usefixtures("unsaved")
def test_the_counts_stand_in_the_metrics_and_on_the_page(tmp_path: Path, tiny) -> None:
    frame = station(np.random.default_rng(3))
    frame["wind"] = np.nan_to_num(frame["wind"])
    frame.iloc[-40:-30, 0] = np.nan  # longer than what is filled
    frame = frame.rename_axis("time").reset_index()
    whole = tiny(target="temp", covariates="wind", least_observed=1.0)
    run = forecast.train(frame, whole, run="station", runs_dir=tmp_path)
    test_from = pd.Timestamp(run.data["test_from"])
    expected = by_pandas({"": frame.set_index("time")}, "h", (test_from, None), 6, 3, 6)
    assert run.metrics["windows"] == expected
    assert run.metrics["n_windows"] == expected["scored"] < expected["possible"]
    assert f"{expected['scored']:,} of {expected['possible']:,} test windows" in run.report.read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "4,250 of 7,009 test windows: 2,617 lack inputs (PM2.5), 142 targets"),
        ({"lack_inputs": 0, "lack_inputs_by_column": {}}, "4,250 of 7,009 test windows: 142 lack targets"),
        (
            {"lack_inputs_by_column": {"a": 1, "b": 5, "c": 2600, "d": 2}, "cross_gap": 10},
            "4,250 of 7,009 test windows: 2,617 lack inputs (c 2,600, b 5, d 2 and 1 more), 142 targets, "
            "10 cross absent rows",
        ),
    ],
)
def test_in_words(changes: dict[str, object], said: str) -> None:
    count = {"possible": 7009, "scored": 4250, "lack_inputs": 2617, "lack_inputs_by_column": {"PM2.5": 2617}}
    assert lost_windows_in_words({**count, "lack_targets": 142, "cross_gap": 0, **changes}, "test") == said
