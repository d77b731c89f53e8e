"""Values and names as they come: what is refused, and with what words; what is mended; what just works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tables import LINES, column, followed, read, refused, stacked, table, with_line

STEPS = np.arange(100)
WAVE = (20 + 10 * np.sin(STEPS / 7)).round(3)
SMALL = {"target": "v", "lookback": 6, "horizon": 3}


def cell(text: str) -> str:
    """A table with another value in line 9."""
    return with_line(9, f"2020-01-08,{text}")


def beside(values: object) -> str:
    """A target v with a covariate x."""
    return "".join(f"{line},{x}\n" for line, x in zip(column(WAVE).splitlines(), ["x", *values], strict=True))  # type: ignore[misc]


# Name -> content, settings, what the message says.
REFUSED: dict[str, tuple[str, dict[str, object], list[str]]] = {
    "all missing": ("time,v\n2020-01-01,NA\n2020-01-02,NA\n2020-01-03,-\n", {}, ["every value of 'v' is missing"]),
    "inf": (cell("inf"), {}, ["'inf'", "infinite", "sed -n 9p table.csv"]),
    "1e400": (cell("1e400"), {}, ["'1e400'", "beyond the largest number"]),
    "20 digits": (cell("12345678901234567890"), {}, ["'12345678901234567890'", "more digits than a number keeps"]),
    "a word": (cell("calm"), {}, ["'calm' is not a number", "sed -n 9p table.csv"]),
    "a star": (cell("*"), {}, ["'*' is not a number", "sed -n 9p table.csv"]),
    "a half number": (cell("5-"), {}, ["'5-' is not a number", "sed -n 9p table.csv"]),
    "unit": (cell("12.5 C"), {}, ["'12.5 C' carries a unit, the column's other cells do not"]),
    "thousands": (cell('"1,234"'), {}, ["'1,234'", "--thousands ,"]),
    "percent": (cell("5%"), {}, ["'5%' is a percentage, the column's other cells are not"]),
    "Unicode minus": (cell("−5"), {}, ["'−5'", "U+2212", r"sed -E 's/−([0-9.])/-\1/g'"]),
    "no-break space": (cell("1\u00a0234"), {}, [r"'1\xa0234'", "U+00A0", "--thousands space"]),
    "other digits": (cell("٣"), {}, ["'٣'", "U+0663", "sed -n 9p table.csv"]),
    "ambiguous commas": (
        "time,v\n" + "".join(f'2020-01-{d:02d},"{d},234"\n' for d in range(1, 30)),
        {},
        ["line 2", "'1,234'", "--thousands ,", "--decimal ,"],
    ),
    "points for commas": (table(), {"decimal": ","}, ["line 2", "decimal point", "--decimal ."]),
    "words as target": (
        beside(np.where(STEPS > 50, "N", "W")),
        {"target": "x"},
        ["'x' was left out. It holds words, which are read as 'x=N', 'x=W'.", "Columns: 'v'"],
    ),
    "time as target": (table(), {"target": "time"}, ["'time' was left out. It holds the time.", "Columns: 'v'"]),
    "missing column as target": (
        beside(["NA"] * 100),
        {"target": "x"},
        ["'x' was left out. Every value is missing."],
    ),
    "unknown target": (table(), {"target": "w"}, ["no column 'w'", "Columns: 'v'"]),
    "too short": (
        table(8),
        SMALL,
        ["needs at least 9 rows", "has 5", "about 13 rows in all, there are 8", "--lookback"],
    ),
    "horizon 0": (table(), {"horizon": 0}, ["horizon", "0"]),
    "lookback -3": (table(), {"lookback": -3}, ["lookback", "-3"]),
    "fraction above 1": (table(), {"validation": 1.5}, ["validation", "1.5"]),
    "fraction below 0": (table(), {"test": -0.1}, ["test", "-0.1"]),
    "zero under a logarithm": (
        column(WAVE - WAVE.min()),
        SMALL | {"transform": "log"},
        ["'v' cannot be logged: 2 values are not positive, the first is 0", "--transform none"],
    ),
    "negative under a logarithm": (
        column(WAVE - 15),
        SMALL | {"transform": "log"},
        ["cannot be logged", "--transform none"],
    ),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("content", "settings", "parts"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(content: str, settings: dict[str, object], parts: list[str]) -> None:
    Path("table.csv").write_text(content)
    message = refused("table.csv", settings)
    where = ["table.csv, line 9, column 'v'"] * (content.startswith("time,v\n2020-01-01,0.5\n") and not settings)
    assert [part for part in where + parts if part not in message] == []
    if "Columns:" not in message:
        followed(message)


# Name -> value that is missing.
MISSING = ["", "-", "--", "?", ".", "NA", "n/a", "#N/A", "NaN", "null", "None", " na "]


@pytest.mark.parametrize("text", [*MISSING, "-9999", "-999.9", "1e20"])
def test_what_is_written_for_missing_becomes_missing(text: str, tmp_path: Path) -> None:
    panel = read(tmp_path, cell(text))
    expected = np.arange(40) + 0.5
    expected[7] = np.nan
    np.testing.assert_array_equal(panel.values[:, 0], expected)
    sentences = ["'v': 1 of 40 values are missing, at most 1 in a row."]
    if text not in MISSING:
        sentences.insert(0, f"'v': 1 value(s) {float(text):g} are read as missing (keep_sentinels=True keeps them).")
    assert panel.warnings == tuple(sentences)


def test_999_is_a_sentinel_only_when_repeated_and_far(tmp_path: Path) -> None:
    twice = with_line(10, "2020-01-09,999", with_line(20, "2020-01-19,999"))
    assert np.isnan(read(tmp_path, twice).values).sum() == 2
    assert not np.isnan(read(tmp_path, with_line(10, "2020-01-09,999")).values).any()
    assert read(tmp_path, twice, keep_sentinels=True).values.max() == 999
    heights = "time,v\n" + "".join(f"2020-01-{d:02d},{990 + d}\n" for d in range(1, 31)) + "2020-01-31,999\n"
    assert not np.isnan(read(tmp_path, heights).values).any()


# Name -> column and values, what the one warning on it says.
WARNED: dict[str, tuple[str, object, str]] = {
    "above 2^53": ("v", [2**53 + 2 * int(i) for i in STEPS[1:]], "99 integer(s) above 2^53 are rounded"),
    "1e30": ("v", [f"{v:g}e30" for v in WAVE], "100 value(s) are 1e30 or larger"),
    "tiny variance on a large mean": ("v", 1e9 + WAVE / 1e3, "vary by only"),
    "constant": ("v", np.full(100, 5), "every value is 5; it is not an input unless named"),
    "negative volume": ("volume", WAVE - 11, "value(s) are negative, the lowest -1"),
    "humidity above 100": ("humidity", WAVE + 75, "value(s) are above 100 %, the highest 105"),
    "split": (
        "close",
        (100 + WAVE / 10) / np.where(STEPS > 60, 2, 1),
        "1 jump(s) like a share split, the first by a factor of 0.5",
    ),
    "dividend": (
        "close",
        (100 + WAVE / 10) - np.where(STEPS > 60, 20, 0),
        "1 fall(s) beyond ten of its usual steps, the first by 0.2",
    ),
    "stuck": ("v", np.where((STEPS > 20) & (STEPS < 60), 21.5, WAVE), "a long run of one value: 21.5 for 39 rows"),
    "outlier": (
        "v",
        np.where(STEPS == 50, 1e6, WAVE),
        "1 value(s) lie more than 200 standard deviations away, such as 1e+06",
    ),
}


@pytest.mark.parametrize(("name", "values", "part"), WARNED.values(), ids=WARNED)
def test_what_is_odd_is_warned_about(name: str, values: object, part: str, tmp_path: Path) -> None:
    panel = read(tmp_path, column(values, name))
    assert [part in warning and warning.startswith(f"{name!r}: ") for warning in panel.warnings].count(True) == 1
    np.testing.assert_array_equal(panel.values[:, 0], np.asarray(values, float))


def test_numbers_keep_their_last_bit(tmp_path: Path) -> None:
    panel = read(tmp_path, "time,v\n2020-01-01,0.1\n2020-01-02,5e-324\n2020-01-03,+.5\n2020-01-04,10.357019999999999\n")
    assert panel.values[:, 0].tolist() == [0.1, 5e-324, 0.5, 10.357019999999999]


def test_marks_that_are_named_are_read(tmp_path: Path) -> None:
    grouped = read(tmp_path, table(sep=";").replace(".5", ".500,25"), thousands=".", decimal=",")
    assert grouped.values[7, 0] == 7500.25
    assert read(tmp_path, cell("1\u00a0234"), thousands="space").values[7, 0] == 1234
    assert read(tmp_path, cell('"1,234"'), thousands=",").values[7, 0] == 1234


def test_an_encoding_that_is_named_is_read(tmp_path: Path) -> None:
    panel = read(tmp_path, table().replace("v", "T (°C)").encode("latin-1"), encoding="latin-1")
    assert panel.columns == ("T (°C)",)
    assert panel.units == {"T (°C)": "°C"}


def test_odd_names_are_kept(tmp_path: Path) -> None:
    names = ("a\nb", "<script>x</script>", "Ba$$in", "=cmd|x", "_x", "温度", "🌡", "\x1b[31mred", "x" * 300, "../../x")
    header = ",".join(f'"{name}"' for name in names)
    rows = "".join(f"{line[:10]}{f',{i}' * len(names)}\n" for i, line in enumerate(LINES[1:]))
    panel = read(tmp_path, f"time,{header}\n{rows}")
    assert panel.columns == names
    assert panel.warnings == ()
    renamed = stacked().replace("a,", "../../x,").replace("b,", "💧,")
    assert read(tmp_path, renamed).series_ids == ("../../x", "💧")
