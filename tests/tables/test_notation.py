"""Cells as tables have them: what is read of them where only one thing can be meant, and what stays in doubt."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import DataError
from forecast.sources.from_table import read_panel

NAN = np.nan

# Name -> cells, their values, the unit.
READ: dict[str, tuple[list[str], list[float], str]] = {
    "thousands commas": (["4,572.98", "998.2", "1,234,567.00"], [4572.98, 998.2, 1234567], ""),
    "several groups": (["1,234,567", "12", "999"], [1234567, 12, 999], ""),
    "thousands points": (["1.234.567", "12", "999"], [1234567, 12, 999], ""),
    "German": (["1.234,56", "12,5", "-7"], [1234.56, 12.5, -7], ""),
    "Swiss": (["1'234.50", "12.5", "-7"], [1234.5, 12.5, -7], ""),
    "multipliers": (["2.97M", "676.42K", "1.2B", "853"], [2970000, 676420, 1.2e9, 853], ""),
    "one multiplier": (["2.97K", "1.5K", "-"], [2970, 1500, NAN], ""),
    "small multipliers": (["1.2k", "3.4m", "950"], [1200, 3400000, 950], ""),
    "multipliers in words": (["1,2 Mio. €", "2,5 Mrd. €", "3 Mio. €"], [1200000, 2.5e9, 3000000], "€"),
    "multiplied dollars": (["$1.2M", "-$3.4M", "$500.5K"], [1200000, -3400000, 500500], "$"),
    "percent": (["-0.56%", "1.29%", "0%", "+3%"], [-0.56, 1.29, 0, 3], "%"),
    "percent behind a blank": (["12 %", "13,5 %", "14 %"], [12, 13.5, 14], "%"),
    "parentheses": (["(3,065.36)", "944.46", "(1.50)"], [-3065.36, 944.46, -1.5], ""),
    "a minus behind": (["1.234,56-", "12,5", "7,25-"], [-1234.56, 12.5, -7.25], ""),
    "whole dollars": (["$1,234", "$2,345"], [1234, 2345], "$"),
    "hundreds and thousands": (["913", "1,004", "926", "2,017"] * 3, [913, 1004, 926, 2017] * 3, ""),
    "thousands and hundreds": (["1.2K", "853", "3.4K", "0"], [1200, 853, 3400, 0], ""),
    "dollars": (["$1,200.50", "$3", "-$4.25"], [1200.5, 3, -4.25], "$"),
    "dollars in parentheses": (["$1,200.50", "($3.00)", "$ (4.25)"], [1200.5, -3, -4.25], "$"),
    "as accountants write it": (["$ 1,200.50 ", "$ -", "$-", "-"], [1200.5, 0, 0, NAN], "$"),
    "euros behind": (["1.234,56 €", "12,00 €", "-3,50\u00a0€"], [1234.56, 12, -3.5], "€"),
    "codes of currencies": (["USD 1,200", "USD 900", "USD 1,200,000"], [1200, 900, 1200000], "USD"),
    "a currency behind": (["1200.50 CHF", "3.25 CHF"], [1200.5, 3.25], "CHF"),
    "degrees": (["12.5 C", "13 C", "-4.5 C"], [12.5, 13, -4.5], "C"),
    "degrees at the number": (["12.5°C", "13°C"], [12.5, 13], "°C"),
    "Kelvin": (["293.1 K", "294.5 K"], [293.1, 294.5], "K"),
    "speed": (["3.5 m/s", "4.25 m/s"], [3.5, 4.25], "m/s"),
    "radiation": (["350.5 W/m2", "0 W/m2"], [350.5, 0], "W/m2"),
    "flow": (["350.5 m3/s", "10.5 m3/s"], [350.5, 10.5], "m3/s"),
    "spreadsheet errors": (["#DIV/0!", "1.5", "#N/A", "#VALUE!"], [NAN, 1.5, NAN, NAN], ""),
    "true and false": (["TRUE", "FALSE", "", "TRUE"], [1, 0, NAN, 1], ""),
    "yes and no": (["yes", "No", "yes", "NA"], [1, 0, 1, NAN], ""),
    "Y and N": (["Y", "N", "N"], [1, 0, 0], ""),
    "t and f": (["t", "f", "t"], [1, 0, 1], ""),
    "ja und nein": (["ja", "nein", "ja"], [1, 0, 1], ""),
    "J and N": (["J", "N", "N"], [1, 0, 0], ""),
    "true and 0": (["true", "0", "1"], [1, 0, 1], ""),
    "millions and billions": (["1.2bn", "350.5mn", "2.4 bn"], [1.2e9, 350500000, 2.4e9], ""),
    "lakhs and crores": (["1,23,456.50", "12,34,567.00", "900.25"], [123456.5, 1234567, 900.25], ""),
    "rupees": (["Rs. 1,200", "Rs. 1,23,456", "Rs. 900"], [1200, 123456, 900], "Rs."),
    "exponents": (["1.5e3", "2E-2", "3"], [1500, 0.02, 3], ""),
    "signs": (["+1.5%", "-2%", "3%"], [1.5, -2, 3], "%"),
}


def table(cells: list[str], sep: str = ";") -> str:
    """Nine rows or more, the cells over and over."""
    rows = (cells * 9)[: max(len(cells) * 3, 9)]
    days = pd.date_range("2021-01-01", periods=len(rows))
    return f"day{sep}n{sep}x\n" + "".join(
        f"{d:%Y-%m-%d}{sep}{i}{sep}{c}\n" for i, (d, c) in enumerate(zip(days, rows, strict=True))
    )


def read(content: str, tmp_path: Path, **options: object) -> Panel:
    path = tmp_path / "table.csv"
    path.write_text(content)
    return read_panel(path, ReadOptions(**options))  # type: ignore[arg-type]


def repeated(values: list[float]) -> list[float]:
    return (values * 9)[: max(len(values) * 3, 9)]


@pytest.mark.parametrize(("cells", "values", "unit"), READ.values(), ids=READ)
def test_what_is_read(cells: list[str], values: list[float], unit: str, tmp_path: Path) -> None:
    panel = read(table(cells), tmp_path)
    np.testing.assert_array_equal(panel.values[:, panel.column("x")], repeated(values))
    assert panel.units.get("x", "") == unit
    again = read(table(cells[:1]), tmp_path, **panel.read_options)  # a few rows, as the whole was read
    if values[0] == values[0]:
        np.testing.assert_array_equal(again.values[:, again.column("x")], values[:1] * 9)


@pytest.mark.parametrize(("cells", "values", "unit"), READ.values(), ids=READ)
def test_a_frame_is_read_as_the_file(cells: list[str], values: list[float], unit: str, tmp_path: Path) -> None:
    frame = pd.read_csv(io.StringIO(table(cells)), sep=";", dtype={"x": str}, keep_default_na=False)
    assert read_panel(frame).fingerprint() == read(table(cells), tmp_path).fingerprint()
    frame.to_parquet(tmp_path / "table.parquet")
    assert read_panel(tmp_path / "table.parquet").fingerprint() == read_panel(frame).fingerprint()


@pytest.mark.parametrize(
    ("cells", "part"),
    [
        (["1,234", "2,345", "3,456"], "thousands comma"),
        (["5%", "5", "6"], "'5%' is a percentage, the column's other cells are not"),
        (["5%", "6%", "7"], "'7' is written without the %"),
        (["1.5 kg", "2.5 kg", "3.5 lb"], "'3.5 lb' is written without the kg"),
        (["$1.50", "$2.50", "€3.50"], "'€3.50'"),
        (["1,234.5", "1.234,5", "2"], "cannot be read either"),
        (["0.5", "1.2T", "3.5", "0.2T"], "'1.2T'"),
        (["1,234 €", "2,345 €"], "'1,234 €' is written with a thousands comma"),
    ],
)
def test_what_is_in_doubt_is_refused(cells: list[str], part: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(table(cells), tmp_path)
    assert "column 'x'" in caught.value.message
    assert part in caught.value.message


def test_marks_that_one_column_proves_are_those_of_the_file(tmp_path: Path) -> None:
    lines = ["day,close,volume"] + [
        f'{d:%Y-%m-%d},"{1000 + i:,}.25","{i + 1},234"' for i, d in enumerate(pd.date_range("2021", periods=9))
    ]
    panel = read("\n".join(lines), tmp_path)
    np.testing.assert_array_equal(panel.values[:, 1], [1000 * i + 1234 for i in range(9)])
    assert "Thousands commas: 'close', 'volume'." in panel.notes
    german = (
        "\n".join(lines).replace('","', '";"').replace(",volume", ";volume").replace("day,", "day;").replace(',"', ';"')
    )
    german = german.translate(str.maketrans(",.", ".,"))
    np.testing.assert_array_equal(read(german, tmp_path).values, panel.values)


def test_points_that_may_group_thousands_are_refused_unless_one_column_tells(tmp_path: Path) -> None:
    thousands = ["1.234", "987", "12.345", "456"] * 10
    with pytest.raises(DataError, match=r"'1\.234' may be thousands or a fraction"):
        read(table(thousands), tmp_path)
    assert read(table(thousands), tmp_path, decimal=",", thousands=".").values[:2, 1].tolist() == [1234, 987]
    assert read(table(thousands), tmp_path, decimal=".").values[:2, 1].tolist() == [1.234, 987]
    lines = table(thousands).splitlines()
    prices = [lines[0] + ";price", *(f"{line};{i},5" for i, line in enumerate(lines[1:]))]
    assert read("\n".join(prices), tmp_path).values[:2].tolist() == [[0, 1234, 0.5], [1, 987, 1.5]]
    fractions = [f"{value:.3f}" for value in np.random.default_rng(0).uniform(1, 300, 40)]
    assert read(table(fractions), tmp_path).values[0, 1] == float(fractions[0])


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f"])
def test_blanks_between_thousands_are_named(blank: str, tmp_path: Path) -> None:
    text = table([f"1{blank}234,50{blank}€", "12,50 €"])
    with pytest.raises(DataError) as caught:
        read(text, tmp_path)
    assert "thousands='space', decimal=','" in caught.value.advice
    panel = read(text, tmp_path, thousands="space", decimal=",")
    assert panel.values[:2, 1].tolist() == [1234.5, 12.5]
    assert panel.units == {"x": "€"}


def test_frames_hold_truth_values_with_gaps() -> None:
    days = pd.date_range("2021", periods=9)
    plain = pd.DataFrame({"day": days, "y": np.arange(9.0), "open": [True, False, True] * 3})
    assert read_panel(plain).values[:3, 1].tolist() == [1, 0, 1]
    gappy = plain.astype({"open": "boolean"})
    gappy.loc[1, "open"] = pd.NA
    np.testing.assert_array_equal(read_panel(gappy).values[:3, 1], [1, NAN, 1])
    assert read_panel(plain.astype({"open": "category"})).values[:3, 1].tolist() == [1, 0, 1]


def test_a_kind_is_told_once_with_its_columns(tmp_path: Path) -> None:
    panel = read(table(["2.97M", "676.42K"]), tmp_path)
    assert "K, M, B and T behind a number multiply it (2.97M is 2,970,000): 'x'." in panel.notes
    assert panel.warnings == ()


@pytest.mark.parametrize("cells", [["12A", "13A", "14A"], ["STN001", "STN002", "STN003"], ["1Y", "3M", "6M"]])
def test_codes_are_no_numbers(cells: list[str], tmp_path: Path) -> None:
    panel = read(table(cells * 2), tmp_path)
    assert set(panel.columns) == {"n", *(f"x={cell}" for cell in cells)}
