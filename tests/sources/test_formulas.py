"""Columns made from others: each formula against plain NumPy, and a run that reads raw rows wherever it is used."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run, Stream
from forecast.commands.serve.requests import RequestReader
from forecast.config import DataSettings, ReadOptions
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.errors import ConfigError, DataError
from forecast.sources.datasets import load_dataset
from forecast.sources.formulas import FORMULAS, expressions, parse, raw_columns, with_derived

TARGETS = ("range_volatility(high, low)", "realised_volatility(close, 5)")


def made(expression: str, panel: Panel | None = None) -> np.ndarray:
    panel = with_derived(panel or load_dataset("stocks"), [expression])
    return panel.values[:, panel.column(expression)]


def stocks() -> dict[str, np.ndarray]:
    panel = load_dataset("stocks")
    return {name: panel.values[:, panel.column(name)] for name in ("open", "high", "low", "close")}


def test_a_log_return_is_the_change_of_the_logarithm() -> None:
    close = stocks()["close"]
    expected = [np.nan] + [float(np.log(b) - np.log(a)) for a, b in pairwise(close)]
    np.testing.assert_allclose(made("log_return(close)"), expected, rtol=1e-12, atol=1e-15)


def test_realised_volatility_is_the_root_mean_square_of_the_last_returns() -> None:
    close = stocks()["close"]
    values = made("realised_volatility(close, 5)")
    returns = np.log(close[1:] / close[:-1])
    assert np.isnan(values[:5]).all()
    for row in (5, 6, 700):
        assert values[row] == pytest.approx(np.sqrt(np.mean(returns[row - 5 : row] ** 2)), rel=1e-12)


def test_ranges_give_the_volatilities_of_parkinson_and_of_garman_and_klass() -> None:
    s = stocks()
    u, d, c = np.log(s["high"] / s["open"]), np.log(s["low"] / s["open"]), np.log(s["close"] / s["open"])
    np.testing.assert_allclose(made("range_volatility(high, low)"), np.sqrt((u - d) ** 2 / (4 * np.log(2))), rtol=1e-12)
    # Equation 20 of the paper without its cross term.
    expected = np.sqrt(0.5 * (u - d) ** 2 - (2 * np.log(2) - 1) * c**2)
    np.testing.assert_allclose(made("garman_klass(open, high, low, close)"), expected, rtol=1e-9)


def test_of_a_random_walk_each_volatility_is_that_of_its_steps() -> None:
    rng = np.random.default_rng(0)
    within = np.cumsum(rng.normal(0, 0.02 / np.sqrt(1000), (800, 1000)), axis=1)
    ends = np.exp(np.cumsum(within[:, -1]))
    before = np.concatenate([[1.0], ends[:-1]])
    prices = np.stack(
        [before, before * np.exp(within.max(1).clip(0)), before * np.exp(within.min(1).clip(None, 0)), ends]
    )
    times = np.arange(800).astype("datetime64[D]")
    panel = Panel(prices.T, times, ("Open", "High", "Low", "Close"), Clock("D"))
    of_returns = made("realised_volatility(Close, 250)", panel)
    for values in (made("range_volatility(High, Low)", panel), made("garman_klass(Open, High, Low, Close)", panel)):
        assert np.sqrt(np.nanmean(values**2)) == pytest.approx(0.02, rel=0.08)
    assert of_returns[-1] == pytest.approx(0.02, rel=0.15)


def test_nothing_crosses_a_gap_or_from_series_to_series_and_no_movement_is_missing() -> None:
    times = np.array(["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06", "2024-01-01", "2024-01-02"])
    price = np.array([1.0, 2.0, 4.0, 4.0, -1.0, 8.0])[:, None]
    panel = Panel(price, times.astype("datetime64[us]"), ("p",), Clock("D"), ("a", "b"), (0, 4, 6))
    np.testing.assert_array_equal(made("log_return(p)", panel), [np.nan, np.log(2), np.nan, 0.0, np.nan, np.nan])
    volatile = with_derived(panel, ["range_volatility(p, p)"])
    assert np.isnan(volatile.values[:, 1]).all()
    assert "6 value(s) missing, the first at 2024-01-01: nothing moves there" in volatile.warnings[-1]


def test_names_are_parsed_and_complaints_list_what_there_is() -> None:
    expression = parse('garman_klass("Open, adj.", High (USD),Low , Close)')
    assert expression is not None
    assert expression.columns == ("Open, adj.", "High (USD)", "Low", "Close")
    assert [parse(name) for name in ("T (degC)", "temp(K)", "close")] == [None] * 3
    assert raw_columns(("x", *TARGETS)) == ("x", "high", "low", "close")
    with pytest.raises(DataError, match=r"range_volatility takes \(high, low\)"):
        parse("range_volatility(High)")
    with pytest.raises(DataError, match=r"takes from 2 to 260 steps. Received: '1'"):
        parse("realised_volatility(Close, 1)")
    with pytest.raises(DataError, match="neither a column 'log_retrun\\(close\\)' nor a formula") as caught:
        with_derived(load_dataset("stocks"), ["log_retrun(close)"])
    assert "Did you mean log_return?" in caught.value.args[1]
    assert all(name in caught.value.args[1] for name in FORMULAS)
    with pytest.raises(DataError, match="There is no column 'High'") as caught:
        with_derived(load_dataset("stocks"), ["range_volatility(High, low)"])
    assert "'high'" in caught.value.args[1]


def test_settings_keep_the_commas_of_a_formula_and_name_it_to_whoever_reads() -> None:
    settings = forecast.configure({"target": ",".join(TARGETS), "covariates": "log_return(close),volume"})
    assert settings.data.target == TARGETS
    assert settings.read.derived == (*TARGETS, "log_return(close)")
    assert DataSettings(target="a,b (x), c").target == ("a", "b (x)", "c")


def test_a_formula_is_not_known_ahead() -> None:
    asked = forecast.configure({"target": "close", "known": "log_return(close)"})
    with pytest.raises(ConfigError, match=r"is not known ahead\. Received: log_return"):
        forecast.resolve(asked, load_dataset("stocks"))


def test_a_column_of_that_name_stays_what_it_is() -> None:
    panel = Panel(np.ones((3, 1)), np.arange(3).astype("datetime64[D]"), ("log_return(x)",), Clock("D"))
    assert forecast.read(panel, ReadOptions(derived="log_return(x)")) == panel


@pytest.fixture(scope="module")
def run(plotless: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network of two derived targets, with a derived covariate."""
    settings = {"target": TARGETS, "covariates": "log_return(close)", "model": "lstm", "units": 3, "epochs": 1}
    settings |= {"lookback": 12, "horizon": 2, "normalise": "last", "linear": False, "baseline": False}
    return forecast.train("stocks", settings, run="stocks", runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """The last rows of the file, as they were written."""
    return pd.read_csv(Path(forecast.__file__).parents[1] / "data" / "stocks.csv").tail(60)


def test_a_run_forecasts_from_raw_rows_in_predict_stream_and_serve(run: Run, raw: pd.DataFrame) -> None:
    newest = forecast.predict(run)
    assert newest["unique_id"].unique().tolist() == [*TARGETS]
    again = forecast.predict(run, raw)
    stream = Stream(run)
    assert stream.columns == ("high", "low", "close")
    for row in raw.to_dict("records"):
        streamed = stream.push(row["ds"], row)
    reader = RequestReader(run)
    assert not set(reader.columns) & {*TARGETS, "log_return(close)"}
    body = '{"rows": ' + raw.to_json(orient="records") + "}"
    served = forecast.predict(run, reader.read(body.encode()))
    columns = ["unique_id", "ds", "lstm", "log-har"]
    for other in (again, streamed, served):
        pd.testing.assert_frame_equal(other[columns], newest[columns], rtol=1e-4)
    with pytest.raises(DataError, match="There is no column 'low'"):
        forecast.predict(run, raw.drop(columns="low"))


def test_a_stream_keeps_the_rows_that_a_formula_needs(run: Run, raw: pd.DataFrame) -> None:
    stream = Stream(run)
    reach = expressions(TARGETS)[1].rows_before
    frames = [stream.push(row["ds"], row) for row in raw.to_dict("records")]
    assert [frame is None for frame in frames].index(False) == run.config.data.lookback + reach - 1


def test_a_run_of_volatilities_is_judged_beside_the_log_har(run: Run) -> None:
    forecasts, metrics = run.test_forecasts, run.metrics
    assert metrics["skill_of"] == metrics["by_step_of"] == "QLIKE"
    for name in ("lstm", "log-har", "persistence"):
        ratio = forecasts["y"] / forecasts[name]
        assert metrics["models"][name]["qlike"] == pytest.approx(np.mean(ratio - np.log(ratio) - 1), rel=1e-6)
    assert metrics["skill"]["log-har"] == pytest.approx(
        1 - metrics["models"]["lstm"]["qlike"] / metrics["models"]["log-har"]["qlike"]
    )
    assert "rather than" in metrics["verdict"]
    # Of the first origin one step ahead, by least squares on the logarithms of the training rows.
    panel = load_dataset("stocks")
    logs = np.log(made("range_volatility(high, low)"))
    x = np.stack([np.ones(len(logs)), logs, *(pd.Series(logs).rolling(n).mean() for n in (5, 22))], axis=1)
    n_training = int((panel.times < np.datetime64(run.data["validation_from"])).sum())
    learned = np.arange(21, n_training - 2)
    weights = np.linalg.lstsq(x[learned], logs[learned + 1], rcond=None)[0]
    left = np.var(logs[learned + 1] - x[learned] @ weights)
    first = forecasts[forecasts["unique_id"] == "range_volatility(high, low)"].iloc[0]
    cutoff = int(np.searchsorted(panel.times, first["cutoff"].to_datetime64()))
    assert first["log-har"] == pytest.approx(np.exp(x[cutoff] @ weights + left / 2), rel=1e-6)
