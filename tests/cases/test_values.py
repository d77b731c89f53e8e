"""Files that people have: price exports, promotions, holidays by letter, accounts; runs that read new rows alike."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import forecast
from forecast.cli import build_program
from forecast.config import Config, Settings, nest, settings_from_toml
from forecast.errors import DataError
from forecast.sources.from_table import read_panel

DAYS = pd.date_range("2020-01-01", periods=300)
RNG = np.random.default_rng(3)


def in_millions(value: float) -> str:
    return f"{value / 1e6:.2f}M" if value >= 1e6 else f"{value / 1e3:.2f}K"


def test_a_price_export_of_a_portal(tmp_path: Path) -> None:
    days = pd.bdate_range("2020-01-02", periods=500)
    price = np.round(2000 + np.cumsum(RNG.normal(0, 20, 500)), 2)
    volume = RNG.integers(50_000, 3_000_000, 500)
    change = RNG.normal(0, 1, 500).round(2)
    rows = [
        f'"{d:%m/%d/%Y}","{p:,.2f}","{in_millions(v)}","{c:.2f}%"'
        for d, p, v, c in zip(days, price, volume, change, strict=True)
    ]
    path = tmp_path / "gold.csv"
    path.write_text('\ufeff"Date","Price","Vol.","Change %"\n' + "\n".join(reversed(rows)) + "\n")
    panel = read_panel(path)
    shown = [float(text[:-1]) * {"K": 1e3, "M": 1e6}[text[-1]] for text in map(in_millions, volume)]
    np.testing.assert_allclose(panel.values, np.column_stack([price, shown, change]), rtol=1e-12)
    assert panel.units == {"Change %": "%"}
    assert panel.clock.freq == "B"
    assert panel.warnings == ()


def sales() -> pd.DataFrame:
    """Two years of three shops, whose holidays have letters and whose type never changes."""
    parts = []
    for shop, kind in [(1, "a"), (2, "c"), (3, "a")]:
        letter = np.where(DAYS.day_of_year == 1, "a", np.where(DAYS.day_of_year == 100, "b", "0"))
        y = 1000 * shop + 100 * np.sin(np.arange(300) / 7) - 500 * (letter != "0")
        parts.append(
            pd.DataFrame(
                {
                    "Store": shop,
                    "Date": DAYS,
                    "Sales": y.round(2),
                    "Open": letter == "0",
                    "Holiday": letter,
                    "Type": kind,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_holidays_by_letter_are_categories(tmp_path: Path) -> None:
    frame = sales()
    path = tmp_path / "shops.csv"
    frame.to_csv(path, index=False)
    panel = forecast.read(path, forecast.ReadOptions(series_id="Store"))
    expected = pd.get_dummies(frame[["Holiday", "Type"]].astype(str), prefix_sep="=", dtype=float)
    assert panel.columns == ("Sales", "Open", "Holiday=0", "Holiday=a", "Holiday=b", "Type=a", "Type=c")
    np.testing.assert_array_equal(panel.values[:, 2:], expected)
    np.testing.assert_array_equal(panel.values[:, 1], frame["Open"])
    assert panel.default_target is None or panel.default_target == "Sales"
    for other in (frame, pd.read_csv(path, dtype={"Holiday": str})):
        assert forecast.read(other, forecast.ReadOptions(series_id="Store")).fingerprint() == panel.fingerprint()
    with pytest.raises(DataError, match="It holds words, which are read as 'Holiday=0', 'Holiday=a', 'Holiday=b'"):
        panel.column("Holiday")


def test_a_word_among_numbers_is_still_refused(tmp_path: Path) -> None:
    frame = sales().astype({"Sales": object})
    frame.loc[7, "Sales"] = "closed"
    frame.to_csv(tmp_path / "shops.csv", index=False)
    with pytest.raises(DataError, match="line 9, column 'Sales': 'closed' is not a number"):
        forecast.read(tmp_path / "shops.csv", forecast.ReadOptions(series_id="Store"))


def test_a_table_that_has_its_own_columns_of_words_keeps_them() -> None:
    frame = pd.DataFrame({"day": DAYS, "y": np.arange(300.0), "sky": ["fog", "rain"] * 150, "sky=fog": [1, 0] * 150})
    assert read_panel(frame).columns == ("y", "sky=fog")


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("Y", "N"), ("1", "0")])
def test_a_promotion_is_0_or_1(yes: str, no: str, tmp_path: Path) -> None:
    promo = RNG.random(300) < 0.3
    frame = pd.DataFrame({"date": DAYS, "sales": 200 + 100 * promo, "is_promo": np.where(promo, yes, no)})
    frame.to_csv(tmp_path / "sales.csv", index=False)
    panel = read_panel(tmp_path / "sales.csv")
    np.testing.assert_array_equal(panel.values[:, 1], promo)
    if yes != "1":
        assert panel.default_target == "sales"
    truth = frame.assign(is_promo=promo)
    truth.to_parquet(tmp_path / "sales.parquet")
    assert (
        read_panel(truth).fingerprint() == read_panel(tmp_path / "sales.parquet").fingerprint() == panel.fingerprint()
    )


def test_negatives_in_parentheses(tmp_path: Path) -> None:
    net = RNG.normal(0, 3000, 300).round(2)
    cells = [f'"({-v:,.2f})"' if v < 0 else f'"{v:,.2f}"' for v in net]
    (tmp_path / "net.csv").write_text(
        "d,net\n" + "".join(f"{d:%d/%m/%Y},{c}\n" for d, c in zip(DAYS, cells, strict=True))
    )
    np.testing.assert_array_equal(read_panel(tmp_path / "net.csv").values[:, 0], net)


def test_a_remark_below_a_table_and_an_index_beside_it(tmp_path: Path) -> None:
    months = pd.date_range("1949-01", periods=144, freq="MS")
    text = '"Month","Passengers: monthly totals"\n' + "".join(f'"{m:%Y-%m}",{i}\n' for i, m in enumerate(months))
    (tmp_path / "air.csv").write_text(text + "\nPassengers: monthly totals. Jan 49 ? Dec 60\n")
    panel = read_panel(tmp_path / "air.csv")
    assert (panel.n_rows, panel.clock.freq, len(panel.warnings)) == (144, "MS", 1)
    pd.DataFrame({"Date": DAYS, "v": np.arange(300.0)}).to_csv(tmp_path / "frame.csv")
    assert read_panel(tmp_path / "frame.csv").columns == ("v",)


def test_a_price_download_with_three_rows_of_names(tmp_path: Path) -> None:
    days = pd.bdate_range("2021-02-17", periods=250, name="Date")
    names = pd.MultiIndex.from_product([["Close", "High", "Volume"], ["MSFT"]], names=["Price", "Ticker"])
    prices = pd.DataFrame(RNG.normal(250, 5, (250, 3)).round(6), index=days, columns=names)
    prices.to_csv(tmp_path / "msft.csv")
    lines = (tmp_path / "msft.csv").read_text().splitlines()
    assert lines[:3] == ["Price,Close,High,Volume", "Ticker,MSFT,MSFT,MSFT", "Date,,,"]
    for panel in (forecast.read(tmp_path / "msft.csv"), forecast.read(prices)):
        assert panel.columns == ("Close", "High", "Volume")
        np.testing.assert_array_equal(panel.values, prices.to_numpy())
        np.testing.assert_array_equal(panel.times, days.to_numpy().astype("datetime64[us]"))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A table whose numbers and words are all written in some way."""
    n = len(DAYS)
    promo, sky = RNG.random(n) < 0.3, RNG.choice(["clear", "fog", "rain"], n)
    y = 1000 + 200 * np.sin(np.arange(n) / 7) + 300 * promo
    return pd.DataFrame(
        {
            "date": DAYS.strftime("%Y-%m-%d"),
            "y": [f"{v:,.2f}" for v in y],
            "volume": [in_millions(v) for v in RNG.integers(50_000, 3_000_000, n)],
            "change": [f"{v:.2f}%" for v in RNG.normal(0, 1, n)],
            "promo": np.where(promo, "yes", "no"),
            "sky": sky,
        }
    )


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame, tiny: Callable[..., Settings], plotless: None
) -> forecast.Run:
    folder = tmp_path_factory.mktemp("worded")
    frame.to_csv(folder / "table.csv", index=False)
    settings = tiny(target="y", covariates="volume,change,promo,sky", baseline=False, epochs=1)
    return forecast.train(folder / "table.csv", settings, run="worded", runs_dir=folder / "runs")


def test_a_run_takes_the_columns_of_a_column_of_words(run: forecast.Run) -> None:
    assert run.config.data.covariates == ("volume", "change", "promo", "sky=clear", "sky=fog", "sky=rain")
    again = Config.from_sections(json.loads(run.config.to_json()))
    assert again == run.config


def test_the_configuration_of_a_run_is_a_file_for_config(run: forecast.Run, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(run.config.to_toml())
    assert Config.from_sections(nest(settings_from_toml(tmp_path / "run.toml"))) == run.config


@pytest.mark.parametrize("n", [6, 30])
def test_few_rows_are_read_as_the_run_read_its_own(
    run: forecast.Run, frame: pd.DataFrame, n: int, tmp_path: Path
) -> None:
    """In six rows no cell may tell what 1,100 is, what N is, or which words there are."""
    new = frame.tail(n).assign(y=[f"1,{100 + i}" for i in range(n)], promo="no", sky="fog", change="1.00%")
    new.to_csv(tmp_path / "new.csv", index=False)
    panel = forecast.read(tmp_path / "new.csv", run.config.read)
    assert [warning for warning in panel.warnings if "every value" in warning] == []
    names = ("y", "promo", "sky=clear", "sky=fog", "sky=rain", "change")
    values = panel.select(names).values
    expected = np.column_stack([1100 + np.arange(n), np.tile([0, 0, 1, 0, 1], (n, 1))])
    np.testing.assert_array_equal(values, expected)
    numbers = new[["date"]].assign(y=1100.0 + np.arange(n), volume=panel.values[:, 1], change=1.0, promo=0, sky="fog")
    np.testing.assert_array_equal(forecast.read(numbers, run.config.read).select(names).values, values)
    from_file, from_frame = forecast.predict(run, tmp_path / "new.csv"), forecast.predict(run, numbers)
    pd.testing.assert_frame_equal(from_file, from_frame)


def test_a_word_that_the_run_never_saw_is_told(run: forecast.Run, frame: pd.DataFrame) -> None:
    panel = forecast.read(frame.tail(9).assign(sky=["snow"] * 4 + ["fog"] * 5), run.config.read)
    assert panel.values[:, panel.column("sky=fog")].tolist() == [0] * 4 + [1] * 5
    assert "'sky': 'snow' in 4 row(s) was not seen before: 0 in all of its columns." in panel.warnings
    with pytest.raises(DataError, match="Column 'sky=clear' is missing"):
        forecast.predict(run, frame.tail(9).drop(columns="sky"))


def test_a_stream_reads_single_lines_as_the_run_read_its_rows(run: forecast.Run, frame: pd.DataFrame) -> None:
    text = frame.tail(12).to_csv(index=False)
    streamed = CliRunner().invoke(build_program(), ["stream", "worded", "--runs-dir", str(run.path.parent)], input=text)
    assert streamed.exit_code == 0, streamed.output
    forecasts = pd.read_csv(io.StringIO(streamed.stdout))
    expected = forecast.predict(run, frame.tail(12))
    np.testing.assert_allclose(forecasts.tail(3)["lstm"], expected["lstm"], rtol=1e-5)


def test_a_row_that_is_pushed_may_hold_words_and_truth_values(run: forecast.Run, frame: pd.DataFrame) -> None:
    new = frame.tail(9).reset_index(drop=True)
    read = forecast.read(new, run.config.read)
    stream = forecast.Stream(run)
    for row, time in enumerate(pd.to_datetime(new["date"])):
        values = dict(zip(read.columns, read.values[row], strict=True)) | {"promo": new["promo"][row] == "yes"}
        forecasts = stream.push(time, {k: v for k, v in values.items() if "=" not in k} | {"sky": new["sky"][row]})
    np.testing.assert_allclose(forecasts["lstm"], forecast.predict(run, new)["lstm"], rtol=1e-5)


def test_a_request_holds_words_and_truth_values(run: forecast.Run, frame: pd.DataFrame) -> None:
    requests = pytest.importorskip("forecast.commands.serve.requests")
    new = frame.tail(9)
    read = forecast.read(new, run.config.read)
    rows = [
        {"ds": date, "y": y, "volume": volume, "change": change, "promo": promo == "yes", "sky": sky}
        for date, y, volume, change, promo, sky in zip(
            new["date"],
            *read.select(("y", "volume", "change")).values.T.tolist(),
            new["promo"],
            new["sky"],
            strict=True,
        )
    ]
    reader = requests.RequestReader(run)
    table = reader.read(json.dumps({"rows": rows}).encode())
    pd.testing.assert_frame_equal(forecast.predict(run, table), forecast.predict(run, new))
    with pytest.raises(DataError, match="column 'sky': must be a valid string"):
        reader.read(json.dumps({"rows": [rows[0] | {"sky": 3}]}).encode())


def test_a_run_of_several_series_reads_the_rows_of_one(
    tmp_path: Path, tiny: Callable[..., Settings], plotless: None
) -> None:
    """One city's rows tell nothing apart: which column names the series is known from the run."""
    days = pd.date_range("2020-01-01", periods=150)
    frame = pd.concat(
        [pd.DataFrame({"day": days, "city": city, "y": k + np.sin(np.arange(150) / 5)}) for k, city in enumerate("ab")]
    )
    frame.to_csv(tmp_path / "cities.csv", index=False)
    run = forecast.train(
        tmp_path / "cities.csv", tiny(target="y", baseline=False, epochs=1), run="cities", runs_dir=tmp_path / "runs"
    )
    assert run.config.read.series_id == "city"
    one = forecast.predict(run, frame[frame["city"] == "b"].tail(20))
    assert set(one["unique_id"]) == {"b"}
    long = frame.tail(20).rename(columns={"city": "unique_id", "day": "ds"})
    pd.testing.assert_frame_equal(forecast.predict(run, long), one)


def test_a_stream_divided_by_blanks(run: forecast.Run, frame: pd.DataFrame) -> None:
    from forecast.sources.from_table import dialect_of
    from forecast.tables.input import Input
    from forecast.tables.lines import LineReader

    options = run.config.read.model_copy(update={"delimiter": "space"})
    reader = LineReader(
        "  date   y  promo  sky", ("y", "promo", "sky=fog"), Input("a stream", "-"), dialect_of(options)
    )
    assert reader.read(" 2020-01-01    1,234.5   yes  fog", 2)[0].values.tolist() == [1234.5, 1, 1]
