"""Tables of other shapes: levels of names, remarks below, a column for each date, columns that are not wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.choices.defaults import resolve
from forecast.config import ReadOptions, Settings
from forecast.data.panel import Panel
from forecast.errors import DataError
from forecast.sources.from_table import read_panel

DAYS = pd.date_range("2020-01-01", periods=30)
MONTHS = pd.date_range("2020-01-01", periods=24, freq="MS")
RNG = np.random.default_rng(0)
PRICES = RNG.normal(100, 1, (30, 4)).round(2)


def read(content: str, tmp_path: Path, **options: object) -> Panel:
    path = tmp_path / "table.csv"
    path.write_text(content)
    return read_panel(path, ReadOptions(**options))  # type: ignore[arg-type]


def rows(form: str = "{day},{i},{i}.5\n") -> str:
    return "".join(form.format(day=day.date(), i=i) for i, day in enumerate(DAYS))


def download(tickers: list[str]) -> pd.DataFrame:
    """Prices as a download has them: levels of names above the columns."""
    names = pd.MultiIndex.from_product([["Close", "High"], tickers], names=["Price", "Ticker"])
    return pd.DataFrame(PRICES[:, : len(names)], index=DAYS.rename("Date"), columns=names)


@pytest.mark.parametrize(
    ("tickers", "columns"),
    [(["A"], ("Close", "High")), (["A", "B"], ("Close_A", "Close_B", "High_A", "High_B"))],
)
def test_levels_of_names_are_joined_in_a_file_and_a_frame(
    tickers: list[str], columns: tuple[str, ...], tmp_path: Path
) -> None:
    frame = download(tickers)
    panel = read_panel(frame)
    assert panel.columns == columns
    np.testing.assert_array_equal(panel.values, frame.to_numpy())
    assert read(frame.to_csv(), tmp_path).fingerprint() == panel.fingerprint()
    assert read(frame.iloc[:, :1].to_csv(), tmp_path).columns == ("Close",)


def test_levels_of_rows_are_series_and_times() -> None:
    stacked = download(["A", "B"]).stack(level="Ticker", future_stack=True)
    for frame in (stacked, stacked.swaplevel(), stacked.rename_axis([None, None])):
        panel = read_panel(frame)
        assert panel.series_ids == ("A", "B")
        assert panel.columns == ("Close", "High")
        np.testing.assert_array_equal(panel.values[:30, 0], PRICES[:, 0])


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("time,T,v\n,°C,m/s\n", ("T (°C)", "v (m/s)")),
        ("time,T,v\n(UTC),(degC),(m/s)\n", ("T (degC)", "v (m/s)")),
        ("time,air,soil\n,low,high\n", ("air_low", "soil_high")),
    ],
)
def test_a_row_of_units_or_names_below_the_header(header: str, columns: tuple[str, ...], tmp_path: Path) -> None:
    panel = read(header + rows(), tmp_path)
    assert panel.columns == columns
    assert panel.n_rows == 30
    assert [w for w in panel.warnings if "The first 2 rows are read as one header" in w]


def test_levels_of_names_behind_lines_to_skip(tmp_path: Path) -> None:
    text = '"TOA5","CR1000","1"\n"TIMESTAMP","RECORD","AirTC"\n"TS","RN","Deg C"\n"","","Avg"\n' + rows()
    with pytest.raises(DataError) as caught:
        read(text, tmp_path)
    assert "skip_rows=1" in caught.value.advice
    panel = read(text, tmp_path, skip_rows=1)
    np.testing.assert_array_equal(panel.values[:, -1], np.arange(30) + 0.5)


@pytest.mark.parametrize(
    "footer",
    [
        "\nInternational passengers, in thousands\n".replace(",", " -"),
        '"Source: a, b, and c"\n',
        "Source: somebody,,\n",
        "\n\n(c) 2020 somebody,,\n* provisional,,\n",
        "Last updated 2020-05-01\n",
    ],
)
def test_remarks_below_a_table_are_passed_over(footer: str, tmp_path: Path) -> None:
    panel = read("time,a,b\n" + rows() + footer, tmp_path)
    assert panel.n_rows == 30
    assert [w for w in panel.warnings if "A footer of" in w]
    assert len(panel.warnings) == 1
    n_lines = len([line for line in footer.splitlines() if line])
    named = read("time,a,b\n" + rows() + footer, tmp_path, skip_footer=n_lines)
    assert named.fingerprint() == panel.fingerprint()
    assert named.warnings == ()


@pytest.mark.parametrize("end", ["2020-01-3", "2020-01-31,", "2020-01-31,30", "30"])
def test_a_line_that_was_cut_off_is_no_remark(end: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read("time,a,b\n" + rows() + end, tmp_path)


def wide(n: int = 3) -> pd.DataFrame:
    table = pd.DataFrame(RNG.integers(0, 100, (n, 24)), columns=MONTHS.strftime("%Y-%m-%d"))
    table.insert(0, "city", list("cab")[:n])
    return table


@pytest.mark.parametrize("n", [1, 3])
def test_a_column_for_each_date_is_turned(n: int, tmp_path: Path) -> None:
    table = wide(n)
    panel = read(table.to_csv(index=False), tmp_path)
    expected = table.melt("city").sort_values(["city", "variable"])["value"]
    np.testing.assert_array_equal(panel.values[:, 0], expected)
    np.testing.assert_array_equal(panel.times, np.tile(MONTHS.to_numpy(), n).astype("datetime64[us]"))
    assert panel.series_ids == (("",) if n == 1 else ("a", "b", "c"))
    assert [w for w in panel.warnings if f"{n} row(s) of 24 times become {24 * n} rows" in w]
    assert read_panel(table.set_index("city")).fingerprint() == panel.fingerprint()


@pytest.mark.parametrize("asked", [None, True])
def test_a_turned_table_begins_and_ends_with_the_values_of_each_series(asked: bool | None, tmp_path: Path) -> None:
    table = wide()
    table[table.columns[1:]] = table[table.columns[1:]].astype(float)
    table.iloc[0, [1, 2, 9, 24]] = np.nan  # c begins two months late, has a hole, and ends a month early
    table.iloc[1, 1:] = np.nan
    panel = read(table.to_csv(index=False), tmp_path, wide=asked)
    assert (panel.series_ids, panel.offsets) == (("b", "c"), (0, 24, 45))
    np.testing.assert_array_equal(panel.values[24:, 0], table.iloc[0, 3:24].astype(float))
    assert panel.times[24] == np.datetime64(MONTHS[2], "us")
    assert "Left out, as every value is missing: 'a'." in panel.warnings
    config, _ = resolve(Settings().replace(read={"wide": asked}, data={"lookback": 4, "horizon": 1}), panel)
    assert read_panel(table, config.read).series_ids == ("b", "c")


def test_a_table_of_years_with_several_ids_is_turned(tmp_path: Path) -> None:
    years = [str(year) for year in range(1990, 2020)]
    values = RNG.normal(10, 1, (2, 30)).round(2)
    table = pd.DataFrame(values, columns=years)
    table.insert(0, "Country", ["Peru", "Chad"])
    table.insert(1, "Code", ["PER", "TCD"])
    table.insert(2, "Indicator", "GDP")
    panel = read("Data from somewhere,\n\n" + table.to_csv(index=False).replace("\n", ",\n"), tmp_path, skip_rows=2)
    assert panel.series_ids == ("Chad", "Peru")
    assert panel.columns == ("value",)
    np.testing.assert_array_equal(panel.values[:, 0], values[::-1].ravel())


def test_places_with_two_names_are_series(tmp_path: Path) -> None:
    dates = [f"{day.month}/{day.day}/{day:%y}" for day in DAYS]
    cases = pd.DataFrame(RNG.integers(0, 9, (3, 30)).cumsum(axis=1), columns=dates)
    cases.insert(0, "Province", ["", "Hebei", "Hubei"])
    cases.insert(1, "Country", ["Peru", "China", "China"])
    cases.insert(2, "Lat", [-9.19, 39.55, 30.98])
    panel = read(cases.to_csv(index=False), tmp_path)
    assert panel.series_ids == ("Hebei/China", "Hubei/China", "Peru")
    np.testing.assert_array_equal(
        panel.values[:, panel.column("value")], cases[dates].iloc[[1, 2, 0]].to_numpy().ravel()
    )
    assert panel.times[0] == np.datetime64("2020-01-01")


def test_a_row_for_each_year_with_a_column_for_each_month_is_one_series(tmp_path: Path) -> None:
    values = RNG.normal(10, 1, (5, 12)).round(2)
    table = pd.DataFrame(values, columns=[f"{month:%b}" for month in MONTHS[:12]])
    table.insert(0, "Year", range(2000, 2005))
    text = table.to_csv(index=False)
    panel = read(text, tmp_path)
    assert panel.clock.freq == "MS"
    np.testing.assert_array_equal(panel.values[:, 0], values.ravel())
    this_year = ",".join(text.rstrip().split(",")[:-4]) + ",,,,\n"
    assert read(this_year, tmp_path).n_rows == 56


def test_a_table_of_times_and_years_is_not_turned(tmp_path: Path) -> None:
    panel = read("time,2018,2019,2020\n" + rows("{day},{i},{i},{i}\n"), tmp_path)
    assert panel.columns == ("2018", "2019", "2020")


BROKEN = "time,a,b\n" + rows().replace(",7.5", ",calm").replace(",9.5", ",inf")


@pytest.mark.parametrize("options", [{"columns": "a"}, {"skip_columns": "b"}])
def test_a_column_that_is_not_wanted_stops_no_file(options: dict[str, object], tmp_path: Path) -> None:
    assert read(BROKEN, tmp_path, **options).columns == ("a",)
    frame = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    frame["b"] = [1 + 2j] * len(frame)  # no type that could be read
    assert read_panel(frame[["time", "a"]]).columns == ("a",)
    if "skip_columns" in options:
        assert read_panel(frame, ReadOptions(**options)).columns == ("a",)  # type: ignore[arg-type]


def test_names_that_are_not_wanted_stop_no_file(tmp_path: Path) -> None:
    text = "time,a,b,b,\n" + rows("{day},{i},x,y,z\n")
    assert read(text, tmp_path, columns="a").columns == ("a",)
    assert read(text, tmp_path, skip_columns="b,Unnamed: 4").columns == ("a",)
    wide_text = "time," + ",".join(f"c{i}" for i in range(3000)) + "\n" + rows("{day}" + ",1" * 3000 + "\n")
    assert read(wide_text, tmp_path, columns="c7,c1").columns == ("c1", "c7")


def test_series_are_told_apart_by_columns_that_are_not_wanted(tmp_path: Path) -> None:
    text = "city,time,a,b\n" + rows("x,{day},{i},calm\n") + rows("y,{day},{i},calm\n")
    panel = read(text, tmp_path, columns="a")
    assert panel.series_ids == ("x", "y")
    assert panel.columns == ("a",)


def test_unknown_names_are_refused_or_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no column 'z' for columns"):
        read("time,a,b\n" + rows(), tmp_path, columns="a,z")
    assert "There is no column 'z' to skip." in read("time,a,b\n" + rows(), tmp_path, skip_columns="z").notes
    with pytest.raises(DataError, match="leaves nothing"):
        read("time,a,b\n" + rows(), tmp_path, skip_footer=30)


@pytest.mark.parametrize("first", ["{i}", "{n}", '"{n}"', "{back}"])
def test_a_row_index_without_a_name_is_passed_over(first: str, tmp_path: Path) -> None:
    text = ",time,a\n" + "".join(
        f"{first.format(i=i, n=i + 1, back=29 - i)},{day:%Y-%m-%d},{i}\n" for i, day in enumerate(DAYS)
    )
    panel = read(text, tmp_path)
    assert panel.columns == ("a",)
    assert "Passed over: column 1 has no name and numbers the rows." in panel.notes


def test_years_without_a_name_are_no_row_index(tmp_path: Path) -> None:
    text = ",a\n" + "".join(f"{year},{year % 7}\n" for year in range(1980, 2020))
    with pytest.raises(DataError) as caught:
        read(text, tmp_path)
    assert "time_column='Unnamed: 0'" in caught.value.advice


def test_a_title_with_the_delimiters_of_a_row_is_left_out_by_its_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{day:02d}.02.2024;1{day % 10},5;ok\n" for day in range(1, 29))
    Path("north.csv").write_text(f"Station North;;\nDay;Temperature;Remark\n{rows}")
    with pytest.raises(DataError) as refusal:
        read_panel("north.csv")
    first = refusal.value.text("shell")[1].split("\n")[0]
    assert first == "This line is a title, and the next has the names: forecast inspect north.csv --skip-rows 1"
    assert read_panel("north.csv", ReadOptions(skip_rows=1)).columns[0] == "Temperature"
