"""From a panel to scaled rows and the windows of each part: exact counts, and nothing of the future in the past."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from configs import plain_config
from forecast.config import Config
from forecast.data.clock import Clock
from forecast.data.features import calendar_features
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, arrange, encode, prepare, values_without_logarithm
from forecast.data.split import TRAIN
from forecast.data.windows import Windows
from forecast.errors import DataError

DAY = np.timedelta64(1, "D")
COLUMNS = ("y", "x", "z")


def config(**data: object) -> Config:
    """A resolved configuration with L = 6 and H = 3."""
    return plain_config(**{"target": "y", **data})


def panel_of(values: np.ndarray, sizes: tuple[int, ...] = ()) -> Panel:
    offsets = (0, *np.cumsum(sizes or (len(values),)).tolist())
    days = np.concatenate([np.arange(size) for size in sizes or (len(values),)])
    names = tuple(f"s{number}" for number in range(len(sizes))) if sizes else ("",)
    times = np.datetime64("2020-01-01", "us") + days * DAY
    return Panel(values, times, COLUMNS[: values.shape[1]], Clock("D"), names, offsets)


def counted(n_rows: int, n_columns: int = 1) -> Panel:
    """Columns that count: 0, 1, 2 … and 1000, 1001 … and 2000, 2001 and so on."""
    return panel_of(np.arange(float(n_rows))[:, None] + 1000 * np.arange(n_columns))


def targets(prepared: Prepared, windows: Windows) -> np.ndarray:
    return prepared.rows.observed(windows.future())[..., 0]


def test_counts_and_last_targets_of_each_part() -> None:
    prepared = prepare(counted(100), config())
    # Rows 0–69 train, 70–79 validate, 80–99 test; windows of 6 + 3.
    assert [len(windows) for windows in (prepared.train, prepared.validation, prepared.test)] == [62, 8, 18]
    assert targets(prepared, prepared.train)[[0, -1]].tolist() == [[6, 7, 8], [67, 68, 69]]
    assert targets(prepared, prepared.validation)[[0, -1]].tolist() == [[70, 71, 72], [77, 78, 79]]
    assert targets(prepared, prepared.test)[[0, -1]].tolist() == [[80, 81, 82], [97, 98, 99]]
    assert prepared.test.past([0]).tolist() == [[74, 75, 76, 77, 78, 79]]


def test_no_target_belongs_to_two_parts_and_each_is_scored() -> None:
    prepared = prepare(counted(100), config())
    parts = [set(targets(prepared, part).ravel()) for part in (prepared.train, prepared.validation, prepared.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 100 - 6


def test_counts_with_a_gap_and_two_series() -> None:
    values = np.arange(200.0)[:, None]
    whole = panel_of(values, sizes=(100, 100))
    kept = np.arange(200) != 85  # day 85 of the first series, in the test span
    panel = replace(whole, values=values[kept], times=whole.times[kept], offsets=(0, 99, 199))
    prepared = prepare(panel, config(validation_from="2020-03-11", test_from="2020-03-21"))  # days 70 and 80
    assert [len(prepared.train), len(prepared.validation)] == [2 * 62, 2 * 8]
    # First series: horizons within 80–84, then 6 rows of lookback from 86 on and horizons within 92–99.
    assert len(prepared.test) == (3 + 6) + 18


@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize(("channels", "covariates"), [("joint", "z"), ("independent", "none")])
@pytest.mark.parametrize("calendar", [False, True])
def test_rows_after_the_cut_off_change_nothing_before_it(
    transform: str, channels: str, covariates: str, calendar: bool
) -> None:
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(size=(120, 3)))
    values[rng.random(values.shape) < 0.05] = np.nan
    changed = values.copy()
    changed[70:] = 1e6 * np.exp(rng.normal(size=(50, 3)))
    changed[70:90:4] = np.nan
    options = config(
        target="y,x",
        covariates=covariates,
        transform=transform,
        channels=channels,
        calendar=calendar,
        longest_fill=2,
        validation_from="2020-03-11",  # row 70
        test_from="2020-04-10",  # row 100
    )
    before, after = (prepare(panel_of(each), options) for each in (values, changed))
    assert after.scaler.to_record() == before.scaler.to_record()
    assert after.train.starts.tobytes() == before.train.starts.tobytes()
    for rows in (before.train.past(), before.train.future()):
        assert after.rows.inputs[rows].tobytes() == before.rows.inputs[rows].tobytes()
        assert after.rows.observed(rows).tobytes() == before.rows.observed(rows).tobytes()


def test_arrange_puts_targets_first() -> None:
    arranged = arrange(counted(3, 3), config(target="z", covariates="y").data)
    assert arranged.columns == ("z", "y")
    assert arranged.values.tolist() == [[2000, 0], [2001, 1], [2002, 2]]


def test_independent_channels_are_the_columns_below_one_another() -> None:
    values = np.random.default_rng(0).normal([0, 50, 7], [1, 10, 0.1], (100, 3))
    joint = prepare(panel_of(values), config(target="y,x,z"))
    melted = prepare(panel_of(values), config(target="y,x,z", channels="independent"))
    assert melted.rows.panel.series_ids == COLUMNS
    assert melted.rows.panel.offsets == (0, 100, 200, 300)
    assert melted.rows.panel.values[:, 0].tolist() == values.T.ravel().tolist()
    assert melted.rows.inputs.reshape(3, 100).T.tobytes() == joint.rows.inputs.tobytes()
    assert (len(melted.train), len(melted.validation), len(melted.test)) == (3 * 62, 3 * 8, 3 * 18)
    assert melted.split.to_record() == joint.split.to_record()
    assert melted.rows.unique_ids == (("y",), ("x",), ("z",))


def test_independent_channels_of_several_series() -> None:
    panel = panel_of(np.arange(10.0).reshape(5, 2), sizes=(3, 2))
    melted = arrange(panel, config(target="y,x", channels="independent").data)
    assert melted.series_ids == ("s0/y", "s0/x", "s1/y", "s1/x")
    assert melted.offsets == (0, 3, 6, 8, 10)
    assert melted.values[:, 0].tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 7, 9]
    assert melted.times[6:].tolist() == [*panel.times[3:], *panel.times[3:]]


@pytest.mark.parametrize(
    ("units", "expected"), [({"y": "m", "x": "m"}, "m"), ({"y": "m", "x": "s"}, ""), ({"y": "m"}, ""), ({}, "")]
)
def test_melted_channels_keep_a_unit_that_all_share(units: dict[str, str], expected: str) -> None:
    panel = replace(counted(3, 2), units=units)
    assert arrange(panel, config(target="y,x", channels="independent").data).units == {"value": expected}


def test_inputs_are_scaled_targets_then_covariates_then_calendar() -> None:
    values = np.random.default_rng(0).normal(5, 3, (100, 3))
    panel = panel_of(values)
    prepared = prepare(panel, config(target="z", covariates="y", calendar=True))
    picked = values[:, [2, 0]]
    expected = (picked - picked[:70].mean(axis=0)) / picked[:70].std(axis=0)
    assert prepared.rows.inputs.dtype == np.float32
    np.testing.assert_allclose(prepared.rows.inputs[:, :2], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(prepared.rows.inputs[:, 2:], calendar_features(panel.times, panel.clock), atol=1e-7)
    assert (prepared.rows.n_targets, prepared.rows.n_known) == (1, 4)


@pytest.mark.parametrize("calendar", [True, False])
def test_inputs_of_a_long_table_are_put_together_as_those_that_are_held(
    calendar: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = prepare(panel_of(np.random.default_rng(0).normal(5, 3, (100, 2))), config(calendar=calendar)).rows
    picked = np.array([[3, 4, 5], [4, 5, 6], [90, 91, 92]])
    held = rows.inputs_at(picked)
    monkeypatch.setattr("forecast.data.prepare._MOST_KEPT", 99)
    assert held.tobytes() == rows.inputs_at(picked).tobytes()
    assert held.shape == (3, 3, 1 + 4 * calendar)


def test_a_missing_target_is_fed_but_never_scored() -> None:
    panel = counted(100, 2)
    panel.values[40, 0] = np.nan
    prepared = prepare(panel, config(covariates="x"))
    assert not prepared.rows.seen[40]
    assert prepared.rows.usable[40]
    assert prepared.rows.filled_at(np.array([40]))[0, 0] == 39
    assert prepared.rows.inputs[40, 0] == prepared.rows.inputs[39, 0]
    assert len(prepared.train) == 62 - 3  # three horizons hold row 40
    assert 40 not in prepared.train.future()
    assert 40 in prepared.train.past()


def test_a_missing_covariate_is_fed_and_does_not_cost_a_target() -> None:
    panel = counted(100, 2)
    panel.values[40, 1] = np.nan
    prepared = prepare(panel, config(covariates="x"))
    assert prepared.rows.seen[40]
    assert len(prepared.train) == 62
    assert np.isfinite(prepared.rows.inputs).all()


def test_a_hole_too_long_to_fill_keeps_windows_out() -> None:
    panel = counted(100, 2)
    panel.values[30:40, 1] = np.nan
    prepared = prepare(panel, config(covariates="x", longest_fill=4))
    assert prepared.rows.usable[28:42].tolist() == [True] * 6 + [False] * 6 + [True] * 2
    # Rows 34–39 may not be seen: starts 29 … 39 are gone.
    assert sorted(set(range(62)) - set(prepared.train.starts)) == list(range(29, 40))
    assert np.isfinite(prepared.rows.inputs).all()


def test_log_applies_to_targets_only() -> None:
    values = np.random.default_rng(0).normal(size=(100, 2))
    values[:, 0] = np.exp(values[:, 0])
    prepared = prepare(panel_of(values), config(covariates="x", transform="log"))
    assert prepared.scaler.logged.tolist() == [True, False]
    assert prepared.scaler.mean[0] == pytest.approx([np.log(values[:70, 0]).mean(), values[:70, 1].mean()])


def test_what_has_no_logarithm_in_the_test_span_is_missing_and_told() -> None:
    panel = counted(100)
    panel.values[:] += 1
    before = prepare(panel, config(transform="log"))
    panel.values[95] = -37.63
    prepared = prepare(panel, config(transform="log"))
    assert (prepared.scaler.mean, prepared.scaler.scale) == (before.scaler.mean, before.scaler.scale)
    assert not prepared.rows.seen[95]
    assert prepared.rows.usable[95]  # the last price is carried forward
    assert set(before.test.starts) - set(prepared.test.starts) == set(
        before.test.starts[(before.test.future() == 95).any(axis=1)]
    )
    (sentence,) = values_without_logarithm(panel, prepared.config.data).values()
    assert sentence.startswith(f"'y': -37.63 at {panel.clock.format(panel.times[95])} has no logarithm, ")
    assert not values_without_logarithm(panel, config().data)


def test_a_tiny_variance_on_a_large_mean_reaches_the_network() -> None:
    wave = np.sin(np.arange(100.0))
    prepared = prepare(panel_of((1e9 + 0.01 * wave)[:, None]), config())
    expected = (wave - wave[:70].mean()) / wave[:70].std()
    np.testing.assert_allclose(prepared.rows.inputs[:, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("sizes", "target", "expected"),
    [
        ((100,), "y", (("s0",),)),
        ((100,), "y,x", (("s0/y", "s0/x"),)),
        ((50, 50), "y", (("s0",), ("s1",))),
        ((50, 50), "y,x", (("s0/y", "s0/x"), ("s1/y", "s1/x"))),
        ((), "y", (("y",),)),
        ((), "y,x", (("y", "x"),)),
    ],
)
def test_names_in_the_long_format(sizes: tuple[int, ...], target: str, expected: tuple[tuple[str, ...], ...]) -> None:
    panel = panel_of(np.random.default_rng(0).normal(size=(100, 2)), sizes)
    assert prepare(panel, config(target=target)).rows.unique_ids == expected


def test_a_series_keeps_its_place_of_training() -> None:
    values = np.concatenate([np.arange(100.0), 500 + 10 * np.arange(100.0)])[:, None]
    prepared = prepare(panel_of(values, sizes=(100, 100)), config())
    alone = replace(panel_of(values[100:]), series_ids=("s1",))
    rows = encode(alone, prepared.config.data, prepared.scaler)
    assert rows.series.tolist() == [0] * 100
    assert (rows.identity.tolist(), rows.n_identities) == ([1] * 100, 2)
    assert rows.inputs.tobytes() == prepared.rows.inputs[100:].tobytes()


def test_too_few_rows_says_how_many_are_needed() -> None:
    with pytest.raises(DataError) as caught:
        prepare(counted(12), config())
    # Of 12 rows 8 train, and 6 + 3 are needed; 9 / 0.7 is 12.9.
    assert "the train span needs at least 9 rows" in caught.value.message
    assert "has 8; that takes about 13 rows in all, there are 12." in caught.value.message
    assert "--lookback" in caught.value.text("shell")[1]


@pytest.mark.parametrize(("share", "part"), [({"validation": 0.02}, "validation"), ({"test": 0.02}, "test")])
def test_a_part_needs_rows_for_one_horizon(share: dict[str, float], part: str) -> None:
    with pytest.raises(DataError) as caught:
        prepare(counted(100), config(**share))
    # 3 rows at a share of 0.02 are 150 rows in all.
    assert f"the {part} span needs at least 3 rows" in caught.value.message
    assert "has 2; that takes about 150 rows in all, there are 100." in caught.value.message


def test_gaps_that_leave_no_window_are_named_as_the_cause() -> None:
    panel = counted(100)
    panel.values[80::3] = np.nan
    with pytest.raises(DataError, match="The test span has 20 rows, but gaps and missing values leave no unbroken"):
        prepare(panel, config())


def test_training_rows_are_those_before_the_cut_off() -> None:
    prepared = prepare(counted(100), config())
    assert np.flatnonzero(prepared.split.part_of(prepared.rows.panel) == TRAIN).tolist() == list(range(70))
    assert prepared.scaler.mean[0, 0] == 34.5  # the mean of 0 … 69
