"""Files that can be read in two ways, or that are no table yet: what is asked, and that the answers read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.config import ReadOptions
from forecast.errors import DataError
from forecast.sources.from_table import read_panel
from forecast.tables.input import Dialect, Input
from forecast.tables.lines import LineReader
from tables import commands, obeyed, read

N = 60
DAYS = pd.date_range("2021-01-01", periods=N)
RNG = np.random.default_rng(5)
Y = RNG.normal(0, 1, N)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(content: str, **options: object) -> tuple[str, list[str]]:
    """The message of a refusal, and the commands that it proposes."""
    with pytest.raises(DataError) as caught:
        read(Path(), content, **options)
    message, advice = caught.value.text("shell")
    return f"{message}\n{advice}", commands(advice)


def lines(header: str, *columns: object, mark: str = ",") -> str:
    rows = zip(*columns, strict=True)  # type: ignore[call-overload]
    return "\n".join([header, *(mark.join(map(str, row)) for row in rows)]) + "\n"


@pytest.mark.parametrize("mark", [";", "\t"])
def test_points_in_a_german_file_may_be_thousands(mark: str) -> None:
    sold = RNG.integers(1001, 9999, N)
    cells = [f"{n // 1000}.{n % 1000:03d}" for n in sold]
    german = lines(f"Datum{mark}Absatz", DAYS.strftime("%d.%m.%Y"), cells, mark=mark)
    message, ways = asked(german)
    assert "may be thousands or a fraction" in message
    thousands, fraction = map(obeyed, ways)
    np.testing.assert_array_equal(thousands.values[:, 0], sold)
    np.testing.assert_array_equal(fraction.values[:, 0], sold / 1000)
    np.testing.assert_array_equal(read(Path(), german, thousands=".").values[:, 0], sold)
    # Elsewhere in the file, points stand before fractions.
    other = lines(f"Datum{mark}a{mark}b", DAYS.strftime("%d.%m.%Y"), cells, [0.5] * N, mark=mark)
    np.testing.assert_array_equal(read(Path(), other).values[:, 0], sold / 1000)


def test_codes_of_a_weather_station_are_no_decimal_commas() -> None:
    hours = pd.date_range("2021-01-01", periods=N, freq="h").strftime("%Y-%m-%dT%H:%M:%S")
    temperature = [f'"{t:+05d},1"' for t in RNG.integers(-200, 300, N)]
    pressure = [f'"{p},1"' for p in RNG.integers(9900, 10400, N)]
    wind = RNG.integers(0, 90, N)
    message, ways = asked(lines("DATE,TMP,SLP,SPEED", hours, temperature, pressure, wind))
    assert "several fields in one cell" in message
    (panel,) = map(obeyed, ways)
    assert panel.columns == ("SPEED",)
    np.testing.assert_array_equal(panel.values[:, 0], wind)
    for signed in ([f'"{t:+d},5"' for t in range(-30, 30)], [f'"{t:+.1f}"'.replace(".", ",") for t in range(N)]):
        assert "several" not in str(read(Path(), lines("DATE,TMP", hours, signed)).notes)


def sales(n: int = N, shops: int = 2, items: int = 3) -> pd.DataFrame:
    """The long table of shops and items, both of them numbers, as Kaggle has them."""
    days = pd.date_range("2021-01-01", periods=n)
    index = pd.MultiIndex.from_product(
        [range(1, shops + 1), range(1, items + 1), days], names=["store", "item", "date"]
    )
    frame = index.to_frame(index=False)[["date", "store", "item"]]
    return frame.assign(sales=RNG.integers(5, 90, len(frame)))


def test_two_columns_of_numbers_tell_series_apart_together() -> None:
    frame = sales()
    text = frame.to_csv(index=False)
    message, ways = asked(text)
    assert [way.split("--series-id ")[1] for way in ways] == ["store,item"]
    assert "duplicates" not in message
    panel = obeyed(ways[0])
    assert panel.columns == ("sales",)
    assert panel.series_ids == ("1/1", "1/2", "1/3", "2/1", "2/2", "2/3")
    np.testing.assert_array_equal(panel.values[:, 0], frame["sales"])
    assert "6 series by 'store,item': '1/1'" in "\n".join(panel.notes)
    assert read_panel(frame, ReadOptions(series_id="store,item")).fingerprint() == panel.fingerprint()
    # One of them was given.
    message, ways = asked(text, series_id="item")
    assert "'item' alone does not tell the series apart" in message
    assert [way.split("--series-id ")[1] for way in ways] == ["item,store"]


def test_measurements_are_not_proposed_to_tell_series_apart() -> None:
    words = np.array(["AUTO", "BEAUTY", "DAIRY"])
    frame = sales().assign(item=lambda f: words[f["item"] - 1], promoted=lambda f: RNG.integers(0, 9, len(f)))
    _, ways = asked(frame.rename(columns={"store": "store_nbr", "item": "family"}).to_csv(index=False))
    assert [way.split("--series-id ")[1] for way in ways] == ["store_nbr,family"]
    # Nothing but the measurements differs.
    frame = sales(shops=3, items=1)[["date", "sales"]].sort_values("date", kind="stable")
    message, ways = asked(frame.to_csv(index=False))
    assert ways == []
    assert "Add a column that names the series" in message


def test_three_columns_tell_series_apart_together() -> None:
    frame = pd.concat([sales().assign(channel=channel, sales=i) for i, channel in enumerate(["web", "shop"])])
    _, ways = asked(frame.to_csv(index=False))
    assert [way.split("--series-id ")[1] for way in ways] == ["store,item,channel"]
    assert obeyed(ways[0]).n_series == 12
    assert asked(frame.to_csv(index=False), series_id="store,item")[1][0].endswith("--series-id store,item,channel")


def test_a_missing_part_of_a_name_is_refused() -> None:
    text = sales().to_csv(index=False).replace("2021-01-05,1,2,", "2021-01-05,1,,", 1)
    assert "'store,item': the series id is empty" in asked(text, series_id="store,item")[0]


def test_a_file_without_a_header_is_told_so_first() -> None:
    prices = RNG.choice([0.5, 1.5, -0.5], (N, 4))
    stamps = pd.date_range("2021-01-01", periods=N, freq="h")
    metatrader = lines("", stamps.strftime("%Y.%m.%d"), stamps.strftime("%H:%M"), *prices.T, range(N)).lstrip("\n")
    metatrader = metatrader.replace(metatrader.splitlines()[0], "2021.01.01,00:00,0.5,1.5,-0.5,0.5,0")
    message, ways = asked(metatrader)
    assert "has no header" in message
    assert "date,time,value1,value2,value3,value4,value5'" in ways[0]
    panel = obeyed(ways[0])
    np.testing.assert_array_equal(panel.values[1:, :4], prices[1:])
    assert panel.values[0].tolist() == [0.5, 1.5, -0.5, 0.5, 0]
    assert panel.times[1] == np.datetime64("2021-01-01T01:00")
    epochs = (stamps - pd.Timestamp(0)) // pd.Timedelta("1ms")
    klines = lines("", epochs, *prices.T, epochs + 3_599_999, range(N), [0] * N).lstrip("\n")
    message, ways = asked(klines)
    assert "has no header" in message
    assert obeyed(ways[0]).clock.freq == "h"
    message, ways = asked("\n".join(map(str, range(5, 50))))
    assert "(echo 'value1'; " in ways[0]
    message, ways = asked(lines("", stamps, prices[:, 0], mark="\t").lstrip("\n"))
    np.testing.assert_array_equal(obeyed(ways[0]).values[:, 0], prices[:, 0])


@pytest.mark.parametrize("declared", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "\ufeffsep=;\n", "SEP=;\n"])
def test_the_delimiter_that_excel_declares(declared: str) -> None:
    table = lines("day;y", DAYS.strftime("%Y-%m-%d"), range(N), mark=";")
    panel = read(Path(), declared + table)
    assert panel.fingerprint() == read(Path(), table).fingerprint()
    with pytest.raises(DataError, match="line 5"):
        read(Path(), declared + table.replace(";2\n", ";2;2\n", 1))


def test_names_in_two_rows_of_which_the_upper_begins_empty() -> None:
    hours = pd.date_range("2021-03-01", periods=N, freq="h")
    rows = lines("", hours.strftime("%m/%d/%Y"), hours.strftime("%H:%M"), range(N), range(5, N + 5), mark="\t")
    panel = read(Path(), "\t\tTemp\tHi\nDate\tTime\tOut\tTemp" + rows)
    assert panel.columns == ("Temp_Out", "Hi_Temp")
    assert panel.clock.freq == "h"
    np.testing.assert_array_equal(panel.values[:, 0], np.arange(N))


def test_years_as_the_world_bank_names_them() -> None:
    years = range(1980, 2020)
    values = RNG.normal(50, 9, (2, len(years))).round(3)
    header = "Country Name,Country Code," + ",".join(f"{year} [YR{year}]" for year in years)
    rows = ["".join([name, *(f",{v}" for v in row)]) for name, row in zip(["A,AA", "B,BB"], values, strict=True)]
    rows[0] = rows[0].rsplit(",", 1)[0] + ",.."
    footer = "\n\nData from database: World Development Indicators\nLast Updated: 01/01/2021\n"
    panel = read(Path(), "\n".join([header, *rows]) + footer)
    assert panel.series_ids == ("A", "B")
    assert panel.clock.freq.startswith("Y")
    np.testing.assert_array_equal(panel.values[:39, 0], values[0, :39])
    assert panel.offsets == (0, 39, 79)  # A ends a year early
    np.testing.assert_array_equal(panel.values[39:, 0], values[1])


def test_hints_leave_what_is_to_be_forecast() -> None:
    cells = [*range(N - 1), "broken"]
    _, ways = asked(lines("day,remark,y", DAYS, ["fine"] * N, cells))
    assert not any("--skip-columns" in way for way in ways)
    _, ways = asked(lines("day,", DAYS, Y))
    np.testing.assert_array_equal(obeyed(ways[0]).values[:, 0], Y)
    frame = pd.DataFrame({"day": DAYS, "Unnamed: 1": range(N), "y": range(N)})
    notes = read_panel(frame, ReadOptions(skip_columns=("Unnamed: 1",))).notes
    assert not any("There is no column" in note for note in notes)


def test_less_than_one_is_proposed_as_missing() -> None:
    cells = ["<1" if n % 5 == 0 else n for n in range(N)]
    _, ways = asked(lines("Week,interest", DAYS, cells))
    assert ways[0].endswith("--missing-words '<1'")
    np.testing.assert_array_equal(obeyed(ways[0]).values[:6, 0], [np.nan, 1, 2, 3, 4, np.nan])


def test_a_title_above_the_rows_of_names() -> None:
    logger = '"TOA5","Station","CR1000","1234","CR1000.Std.22","CPU:prog.CR1","777","Table1"\n'
    logger += '"TIMESTAMP","RECORD","AirT_Avg","Rain_Tot"\n"TS","RN","Deg C","mm"\n"","","Avg","Tot"'
    stamps = pd.date_range("2021-01-01", periods=N, freq="10min").strftime('"%Y-%m-%d %H:%M:%S"')
    _, ways = asked(logger + lines("", stamps, range(N), RNG.normal(0, 1, N).round(2), [0.1] * N))
    assert ways[0].endswith("--skip-rows 1")
    panel = obeyed(ways[0])
    assert panel.clock.freq == "10min"
    assert panel.columns == ("AirT_Avg_Deg C_Avg", "Rain_Tot_mm_Tot")


def test_an_epoch_beside_a_date_repeats_the_time() -> None:
    hours = pd.date_range("2021-03-01", periods=N, freq="h")
    epochs = (hours - pd.Timestamp(0)) // pd.Timedelta("1s")
    panel = read(Path(), lines("unix,date,open,volume", epochs, hours, range(N), [10**9 + 7 * n for n in range(N)]))
    assert panel.columns == ("open", "volume")
    assert "Left out, as they repeat the time: 'unix'." in panel.notes


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"STATIONS_ID": 433, "QN_3": RNG.integers(1, 9, N), "TT_TU": RNG.normal(0, 1, N)}, "TT_TU"),
        ({"lat": RNG.normal(0, 1, N), "stationCode": RNG.integers(1, 9, N), "n": range(N), "wind": Y}, "wind"),
        ({"holiday": [0, 1] * 30, "hour": RNG.integers(0, 9, N), "const": 4.0, "load": Y}, "load"),
    ],
)
def test_the_example_of_a_target_is_measured(columns: dict[str, object], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        forecast.train(pd.DataFrame({"day": DAYS} | columns | {"other": Y}))
    assert f"for example --target '{expected}'." in caught.value.text("shell")[1]


def test_columns_that_count_up_beside_a_time_are_columns() -> None:
    header = "day,place," + ",".join(f"x{i}" for i in range(1, 25))
    assert read(Path(), lines(header, DAYS, [f"p{n}" for n in range(N)], *[range(N)] * 24)).columns[23] == "x24"


@pytest.mark.parametrize("names", [["item_id"] + [f"d_{i}" for i in range(1, 41)], [f"V{i}" for i in range(1, 42)]])
def test_a_series_in_each_row_without_dates_is_turned_onto_steps(names: list[str]) -> None:
    values = RNG.integers(1, 90, (3, 40)).astype(float)
    text = ",".join(names) + "\n"
    text += "".join(f"H{i}," + ",".join(f"{v:g}" for v in row) + "\n" for i, row in enumerate(values))
    text = text[: text.rindex(",")] + ",\n"  # the last is one shorter
    message, ways = asked(text)
    assert "each row is one series" in message
    panel = obeyed(ways[0])
    assert panel.series_ids == ("H0", "H1", "H2")
    assert panel.clock.freq == "step"
    np.testing.assert_array_equal(panel.values[:, 0], values.ravel()[:-1])


def test_lines_are_told_apart_by_several_columns() -> None:
    dialect = Dialect(series_id="store,item")
    reader = LineReader("date,store,item,sales", ("sales",), Input("lines"), dialect, has_series=True)
    (line,) = reader.read("2021-01-01,2, 3,7", 2)
    assert (line.series, line.values.tolist()) == ("2/3", [7])
    with pytest.raises(DataError, match="column 'item' is missing"):
        LineReader("date,store,sales", ("sales",), Input("lines"), dialect, has_series=True)
