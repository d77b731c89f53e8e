"""Frames of every kind are read alike, and results come back in the kind that came in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import forecast
from forecast import Panel, ReadOptions, Run
from forecast.tables.frames import like

TIMES = pd.date_range("2024-01-01", periods=72, freq="h", unit="us")
Y = np.random.default_rng(5).normal(10, 1, 72).round(3)
FRAME = pd.DataFrame({"ds": TIMES, "y": Y})
SHOPS = pd.concat([FRAME.assign(shop=shop, y=Y + n) for n, shop in enumerate(["a", "b"])], ignore_index=True)
STEPS = SHOPS.assign(ds=[*range(5, 77)] * 2)


class Stream:
    """A stranger's frame, of which only Arrow knows."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.table = pa.Table.from_pandas(frame, preserve_index=False)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def _polars(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("polars").from_pandas(frame)


@pytest.mark.parametrize(
    "kind",
    [
        lambda frame: frame.set_index("ds"),
        lambda frame: frame.set_index("ds")["y"],
        lambda frame: frame.set_index(pd.PeriodIndex(frame["ds"], freq="h"))[["y"]],
        lambda frame: pa.Table.from_pandas(frame),
        lambda frame: pa.Table.from_pandas(frame).to_reader(),
        Stream,
        _polars,
        lambda frame: _polars(frame).lazy(),
        lambda frame: {"ds": frame["ds"].to_numpy(), "y": frame["y"].to_numpy()},
        lambda frame: {"ds": frame["ds"], "y": frame["y"]},
        lambda frame: {"ds": pa.array(frame["ds"]), "y": pa.chunked_array([frame["y"]])},
        lambda frame: _polars(frame).to_dict(),
        lambda frame: frame.to_dict("records"),
        lambda frame: frame.to_records(index=False),
        lambda frame: (frame["ds"].to_numpy(), frame["y"].to_numpy()),
        lambda frame: (list(frame["ds"]), list(frame["y"])),
    ],
)
def test_a_series_is_the_same_in_every_kind_of_frame(kind: Callable[[pd.DataFrame], Any]) -> None:
    panel = forecast.read(kind(FRAME))
    np.testing.assert_array_equal(panel.values, Y[:, None])
    np.testing.assert_array_equal(panel.times, TIMES)
    assert (panel.clock.freq, panel.series_ids, panel.columns[0] in ("y", "value")) == ("h", ("",), True)


@pytest.mark.parametrize(
    "source",
    [
        SHOPS.set_index(["shop", "ds"]),
        SHOPS.set_index(["shop", "ds"]).rename_axis([None, None]),
        SHOPS.assign(ds=pd.PeriodIndex(SHOPS["ds"], freq="h")).set_index(["shop", "ds"]),
        {shop: Stream(rows[["ds", "y"]]) for shop, rows in SHOPS.groupby("shop")},
        {shop: rows.set_index("ds")["y"] for shop, rows in SHOPS.groupby("shop")},
    ],
)
def test_series_are_the_same_in_every_kind_of_frame(source: Any) -> None:
    panel = forecast.read(source)
    assert panel.fingerprint() == forecast.read(SHOPS.rename(columns={"shop": "unique_id"})).fingerprint()
    assert panel.series_ids == ("a", "b")


@pytest.mark.parametrize("names", [("unique_id", "ds", "y"), ("shop", "when", "sales")])
def test_a_long_frame_may_have_any_names(names: tuple[str, str, str]) -> None:
    series_id, time, target = names
    for rows, clock in ((SHOPS, "h"), (STEPS, "step")):
        frame = rows[["shop", "ds", "y"]].set_axis(names, axis=1)
        panel = forecast.read(frame, ReadOptions(series_id=series_id, time_column=time))
        assert (panel.clock.freq, panel.series_ids, panel.columns) == (clock, ("a", "b"), (target,))


@pytest.mark.parametrize(
    ("source", "first"),
    [
        (STEPS.set_index(["shop", "ds"]), 5),
        (STEPS.rename(columns={"ds": "round"}).set_index(["shop", "round"]), 5),
        (pd.Series(Y, name="y", index=pd.RangeIndex(5, 77, name="round")), 5),
        (pd.Series(Y, name="y"), 0),
        ((np.arange(5, 77), Y), 5),
        (Y, 0),
        (np.stack([Y, Y], axis=1), 0),
        (list(Y), 0),
    ],
)
def test_whole_numbers_and_the_order_of_an_array_are_steps(source: Any, first: int) -> None:
    panel = forecast.read(source)
    assert panel.clock.freq == "step"
    assert panel.clock.format(panel.times[0]) == str(first)
    np.testing.assert_array_equal(panel.values[:72, 0], Y)


def test_later_steps_of_an_index_are_read_like_those_of_a_run() -> None:
    options = ReadOptions(**{"freq": "step"})
    later = forecast.read(pd.Series(Y, name="y", index=pd.RangeIndex(77, 149, name="round")), options)
    assert later.clock.format(later.times[0]) == "77"


def _kind(frame: Any) -> tuple[str, str]:
    return type(frame).__module__.partition(".")[0], type(frame).__name__


def test_results_are_of_the_kind_that_came_in(trained: Run) -> None:
    rows = pd.DataFrame({"ds": pd.date_range("2006-01-01", periods=12, freq="MS"), "y": np.arange(12.0)})
    expected = forecast.predict(trained, rows)
    table = forecast.predict(trained, pa.Table.from_pandas(rows))
    assert _kind(table) == ("pyarrow", "Table")
    pd.testing.assert_frame_equal(table.to_pandas(), expected, check_dtype=False)
    arrays = forecast.predict(trained, {"ds": rows["ds"].to_numpy(), "y": rows["y"].to_numpy()})
    np.testing.assert_array_equal(arrays["lstm"], expected["lstm"])
    lazy = forecast.predict(trained, _polars(rows).lazy())
    assert _kind(lazy) == ("polars", "LazyFrame")
    np.testing.assert_array_equal(lazy.collect()["ds"].to_numpy(), expected["ds"])
    paths = forecast.sample_paths(trained, _polars(rows), count=2)
    assert (_kind(paths), paths.height) == (("polars", "DataFrame"), 2 * 3)
    backtest = forecast.backtest(trained, new_rows=pa.Table.from_pandas(rows), windows=2)
    assert _kind(backtest.forecasts) == ("pyarrow", "Table")


def test_what_has_no_kind_of_its_own_gets_a_dataframe() -> None:
    results = pd.DataFrame({"y": [1.0]})
    for source in ("weather", None, FRAME, FRAME["y"], {"a": FRAME}, forecast.read(FRAME)):
        assert like(source, results) is results
    assert _kind(like({"a": Stream(FRAME)}, results)) == ("pyarrow", "Table")
    assert isinstance(forecast.read(FRAME), Panel)


def test_a_zone_is_kept() -> None:
    zoned = pd.DataFrame({"ds": TIMES[:2].tz_localize("Europe/Berlin")})
    assert str(like(_polars(FRAME), zoned)["ds"].dtype.time_zone) == "Europe/Berlin"
    assert str(like(Stream(FRAME), zoned).schema.field("ds").type) == "timestamp[us, tz=Europe/Berlin]"


def test_what_is_no_run_is_refused_in_words() -> None:
    with pytest.raises(forecast.RunError, match="A value of type DataFrame is no run"):
        forecast.evaluate(FRAME)  # type: ignore[arg-type]


def test_a_single_column_of_numbers_is_of_the_steps_in_its_index() -> None:
    y = np.arange(60.0)
    for frame in (
        pd.DataFrame({"y": y}, index=np.arange(5, 65)),
        pd.Series(y, name="y", index=np.arange(5, 65)),
        pd.DataFrame({"y": np.arange(65.0)})[5:].assign(y=y),
    ):
        panel = forecast.read(frame)
        assert panel.clock.freq == "step"
        assert panel.times[0].astype(int) == 5
        np.testing.assert_array_equal(panel.values[:, 0], y)
