"""Structure and time of tables as they come: what is refused, and with what words; what is mended; what just works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError
from forecast.sources.from_table import read_panel
from tables import LINES, berlin, followed, followed_in_python, read, refused, stacked, table, with_line

DAYS = [f"2020-01-{day:02d}" for day in range(1, 31)]
SCATTERED = [(0, 0), (0, 7), (1, 3), (2, 50), (3, 1), (5, 9), (6, 30), (9, 2)]

# Name -> content, what the message says. Where it ends in a command that needs no name, that command leads to a panel.
REFUSED: dict[str, tuple[str, list[str]]] = {
    "decimal comma in a comma file": (
        table().replace(".5", ",5"),
        ["line 2", "'2020-01-01,0,5'", "decimal comma", "--delimiter ';' --decimal ,"],
    ),
    "decimal commas in two columns": (
        "time,a,b\n" + "".join(f"{day},1,5,2,5\n" for day in DAYS),
        ["line 2", "5 fields where the header has 3", "decimal comma"],
    ),
    "extra field": (
        with_line(8, "2020-01-07,1,2"),
        ["line 8", "3 field(s)", "'2020-01-07,1,2'", "sed -n 8p table.csv"],
    ),
    "short row": (with_line(8, "2020-01-07"), ["line 8", "1 field(s)", "sed -n 8p table.csv"]),
    "unclosed quote": (with_line(8, '2020-01-07,"1.5'), ["line 8", "quotation mark", "sed -n 8p table.csv"]),
    "swallowed row": (
        with_line(8, '2020-01-07,"1', with_line(9, '2020-01-08,2"')),
        ["line 8", "swallows", "sed -n 8,9p"],
    ),
    "no header": ("\n".join(LINES[1:]), ["no header", "2020-01-01, 0.5", "(echo 'time,value1'; cat table.csv)"]),
    "double name": ("time,v,v\n2020-01-01,1,2\n", ["line 1", "'v' appears 2 times (columns 2, 3)", "own name"]),
    "double name beside another": (
        "time,v,v,w\n" + "".join(f"{day},1,2,{day[-2:]}\n" for day in DAYS),
        ["'v' appears 2 times (columns 2, 3)", "--skip-columns v"],
    ),
    "empty name": (
        "time,v,,w\n" + "".join(f"{day},1,2,{day[-2:]}\n" for day in DAYS),
        ["line 1", "column 3 of 4 has no name; its first cell is '2'", "--skip-columns 'Unnamed: 2'"],
    ),
    "time without a name": (
        table().replace("time", ""),
        ["line 1", "column 1 of 2 has no name", "--time-column 'Unnamed: 0'"],
    ),
    "preamble": ("Station 4\n\n" + table(), ["line 1", "'Station 4' is no header", "--skip-rows 2"]),
    "preamble as wide as the table": (
        "Station 4,Berlin\nLatitude,52.5\n" + table(),
        ["line 2", "'Latitude'", "times begin in line 4", "--skip-rows 2"],
    ),
    "header again": ("\n".join([*LINES[:20], LINES[0], *LINES[20:]]), ["line 21", "second time", "sed 21d table.csv"]),
    "header at the end": ("\n".join([*LINES, LINES[0]]), ["line 42", "second time", "sed 42d table.csv"]),
    "footer": (table() + "Total,3\n", ["line 42", "'Total'", "footer", "--skip-footer 1"]),
    "footer of two rows": (table() + "Mean,3\nTotal,3\n", ["line 42", "'Mean'", "footer", "--skip-footer 2"]),
    "footer with commas": (table() + "From A, B, and C\n", ["line 42", "3 field(s)", "footer", "--skip-footer 1"]),
    "last line cut off": (table() + "2020-02-1", ["line 42", "1 field(s)", "may be cut off", "--skip-footer 1"]),
    "columns": (
        "time," + ",".join(f"c{i}" for i in range(9_999)) + "".join(f"\n{d}" + ",1" * 9_999 for d in DAYS[:3]),
        ["10,000", "2,000", "--columns c0,c1,c2"],
    ),
    "blanks between fields": (table(sep=" "), ["no comma", "'time v'", "--delimiter space"]),
    "no time": ("a,b\n1.5,2\n2.5,3\n", ["no column that is a time", "'a': '1.5', '2.5'", "--freq step"]),
    "mixed formats": (with_line(9, "08.01.2020,1"), ["line 9", "'08.01.2020'", "DD.MM.YYYY", "mixed formats"]),
    "day or month": (
        table(11, form="%d.%m.%Y", start="2009-02-01"),
        ["line 2, column 'time': '01.02.2009'", "--date-format '%d.%m.%Y'", "--date-format '%m.%d.%Y'"],
    ),
    "no such day": (with_line(9, "2020-02-30,1"), ["line 9", "'2020-02-30'", "calendar"]),
    "empty time": (with_line(9, ",1"), ["line 9, column 'time'", "empty"]),
    "two-digit year": (
        table(11, form="%d.%m.%y", start="2009-02-01"),
        ["line 2", "'01.02.09'", "--date-format '%d.%m.%y'", "--date-format '%m.%d.%y'"],
    ),
    "Excel serials": ("date,v\n43831,1\n43832,2\n43833,3\n", ["line 2, column 'date': '43831'", "--date-format excel"]),
    "the hour that autumn repeats": (
        berlin("%Y-%m-%d %H:%M"),
        ["line 29", "2020-10-25 02:00 was given before (table.csv, line 28)", "--tz Europe/Berlin"],
    ),
    "same time, other value": (
        table() + "2020-01-08,9\n",
        ["line 42", "line 9", "'v': 7.5 and 9", "--duplicates mean", "--resample D", "--series-id"],
    ),
    "irregular": (
        "time,v\n" + "".join(f"2020-01-01 {h:02d}:{m:02d},{i}\n" for i, (h, m) in enumerate(SCATTERED)),
        ["no regular clock", "7 min", "1 h 47 min", "#", "--resample h", "--freq step"],
    ),
    "steps of centuries": ("year,v\n1000,1\n2500,2\n4000,3\n5500,4\n", ["no regular clock", "547,864 d"]),
    "stacked without a name": (
        "\n".join(line.split(",", 1)[1] for line in stacked().splitlines()),
        ["no text column tells", "Add a column"],
    ),
    "stacked by numbers": (stacked("12"), ["line 42", "2020-01-01", "--series-id city"]),
    "one row": ("time,v\n2020-01-01,1\n", ["1 row(s)", "--freq D"]),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "content", "parts"), [(name, *case) for name, case in REFUSED.items()], ids=REFUSED)
def test_what_is_refused(name: str, content: str, parts: list[str]) -> None:
    Path("table.csv").write_text(content)
    message = refused("table.csv", {})
    assert [part for part in ("table.csv", *parts) if part not in message] == []
    if "decimal comma" not in message:  # which the file has to be written again for
        followed(message)


@pytest.mark.parametrize("content", [content for content, _ in REFUSED.values()], ids=REFUSED)
def test_advice_in_python_leads_to_the_same_panel(content: str) -> None:
    Path("table.csv").write_text(content)
    with pytest.raises(DataError) as refusal:
        read_panel("table.csv")
    advice = refusal.value.text("shell")[1]
    assert "--" not in refusal.value.advice
    if "decimal comma" in refusal.value.message or (panel := followed(advice)) is None:
        return
    assert followed_in_python(refusal.value.advice).fingerprint() == panel.fingerprint()


# Name -> the same table, written otherwise.
SAME: dict[str, str] = {
    "semicolons": table(sep=";"),
    "tabs": table(sep="\t"),
    "bars": table(sep="|"),
    "decimal commas where they are certain": table(sep=";").replace(".5", ",5"),
    "quoted": table().replace("2020", '"2020').replace(",", '",').replace('time"', "time"),
    "blank rows at the end": table() + "\n\n  \n",
    "empty rows at the end": table() + ",\n,\n",
    "blank and empty rows at the end": table() + "\n,\n\n , \n",
    "a comma behind every row": "".join(f"{line},\n" for line in LINES),
    "a comma behind every row but the header": LINES[0] + "\n" + "".join(f"{line},\n" for line in LINES[1:]),
    "the index of a frame": "".join(f"{'' if i == 0 else i - 1},{line}\n" for i, line in enumerate(LINES)),
    "descending": "\n".join([LINES[0], *reversed(LINES[1:])]),
    "YYYYMMDD": table(form="%Y%m%d"),
    "year of two digits": table(form="%d.%m.%y"),
    "day first": table(form="%d.%m.%Y"),
    "month first": table(form="%m/%d/%Y"),
    "month by name": table(form='"%b %d, %Y"'),
    "seconds since 1970": "time,v\n" + "".join(f"{1577836800 + 86400 * i},{i}.5\n" for i in range(40)),
    "milliseconds since 1970": "time,v\n" + "".join(f"{(1577836800 + 86400 * i) * 1000},{i}.5\n" for i in range(40)),
}


@pytest.mark.parametrize(("name", "content"), SAME.items(), ids=SAME)
def test_what_just_works(name: str, content: str, tmp_path: Path) -> None:
    panel = read(tmp_path, content)
    assert panel.fingerprint() == read(tmp_path, table()).fingerprint()
    assert panel.warnings == ()
    if "1970" in name:
        assert f"Times are {name}-01-01, in UTC." in panel.notes


# Name -> content, what its one warning says, rows that are left.
WARNED: dict[str, tuple[str, str, int]] = {
    "footer of one cell": (table() + "Total\n", "A footer of 1 line(s) is passed over: 'Total'", 40),
    "footer of empty fields": (table() + "\nSource: a station,\n(c) 2020,\n", "A footer of 2 line(s)", 40),
    "header of three rows": (
        table().replace("time,v", "Price,Close\nTicker,A\nDate,"),
        "The first 3 rows are read as one header: 'Close'",
        40,
    ),
    "names that differ by case": ("time,v,V\n" + "".join(f"{d},{d[-2:]},1{d[-1]}\n" for d in DAYS), "'v' and 'V'", 30),
    "names that differ by form": (
        "time,\u00e9,e\u0301\n" + "".join(f"{d},{d[-2:]},1{d[-1]}\n" for d in DAYS),
        "1 pair(s) of names differ only by case, blanks or Unicode form",
        30,
    ),
    "names that differ by blanks": (
        "time,a b,ab\n" + "".join(f"{d},{d[-2:]},1{d[-1]}\n" for d in DAYS),
        "'a b' and 'ab'",
        30,
    ),
    "blank line inside": (with_line(9, "\n2020-01-08,7.5"), "1 blank line(s)", 40),
    "empty row inside": (with_line(9, ",\n2020-01-08,7.5"), "1 row(s) of empty fields", 40),
    "second 60": (
        table(30, "30s", "%Y-%m-%d %H:%M:%S").replace("00:01:00", "00:00:60"),
        "1 timestamp(s) with second 60",
        30,
    ),
    "offsets of no zone": (
        berlin("%Y-%m-%dT%H:%M:%S%z").replace("+0100", "-0330"),
        "2 different offsets from UTC; all are converted to UTC",
        60,
    ),
    "the hour that spring leaves out": (berlin("%Y-%m-%d %H:%M", "2020-03-28"), "1 hour absent in 1 gap(s)", 60),
    "the zone of the hour that spring leaves out": (
        berlin("%Y-%m-%d %H:%M", "2020-03-28"),
        "The hour after 2020-03-29 01:00 is absent, as in spring, when clocks go forward",
        60,
    ),
    "identical rows": (table() + LINES[40] + "\n", "1 identical row(s) are left out", 40),
    "unsorted": ("\n".join([*LINES[:5], LINES[6], LINES[5], *LINES[7:]]), "1 row(s) are out of order", 40),
    "gap": ("\n".join(LINES[:9] + LINES[15:]), "6 days absent in 1 gap(s), the longest 6 days after 2020-01-08", 34),
    "1970": (with_line(2, "1970-01-01,1"), "1 time(s), such as 1970-01-01, lie far from all others", 40),
    "9999": (with_line(41, "9999-12-31,1"), "1 time(s), such as 9999-12-31, lie far from all others", 40),
}


@pytest.mark.parametrize(("content", "part", "rows"), WARNED.values(), ids=WARNED)
def test_what_is_mended_with_a_warning(content: str, part: str, rows: int, tmp_path: Path) -> None:
    panel = read(tmp_path, content)
    assert [part in warning for warning in panel.warnings].count(True) == 1
    assert panel.n_rows == rows


def test_no_window_crosses_a_gap(tmp_path: Path) -> None:
    panel = read(tmp_path, WARNED["gap"][0])
    assert panel.absent_before().max() == 6
    assert panel.stretches().tolist() == [0] * 8 + [1] * 26


def test_day_and_month_are_settled_by_the_cadence_or_by_the_user(tmp_path: Path) -> None:
    assert read(tmp_path, table(60, "MS", "%d/%m/%Y")).clock.freq == "MS"
    chosen = read(tmp_path, table(11, form="%d.%m.%Y", start="2009-02-01"), date_format="%d.%m.%Y")
    assert chosen.times[-1] == np.datetime64("2009-02-11")


def test_an_hour_of_24_ends_its_day(tmp_path: Path) -> None:
    text = table(30, "h", "%Y-%m-%d %H:%M").replace("2020-01-02 00:00", "2020-01-01 24:00")
    assert read(tmp_path, text).fingerprint() == read(tmp_path, table(30, "h", "%Y-%m-%d %H:%M")).fingerprint()


def test_wall_clocks_and_offsets_are_the_same_hours(tmp_path: Path) -> None:
    zoned = read(tmp_path, berlin("%Y-%m-%dT%H:%M:%S%z"))
    assert zoned.times[0] == np.datetime64("2020-10-23T22:00")
    assert not zoned.absent_before().any()
    assert (zoned.clock.tz, zoned.clock.format(zoned.times[0])) == ("Europe/Berlin", "2020-10-24 00:00+02:00")
    assert read(tmp_path, berlin("%Y-%m-%d %H:%M"), tz="Europe/Berlin").fingerprint() == zoned.fingerprint()
    spring = read(tmp_path, berlin("%Y-%m-%d %H:%M", "2020-03-28"), tz="Europe/Berlin")
    assert not spring.absent_before().any()


def test_second_60_is_the_next_minute(tmp_path: Path) -> None:
    assert read(tmp_path, WARNED["second 60"][0]).times[2] == np.datetime64("2020-01-01T00:01")


def test_days_without_weekends_and_holidays_are_business_days(tmp_path: Path) -> None:
    lines = table(260, "B").splitlines()
    panel = read(tmp_path, "\n".join(line for number, line in enumerate(lines) if number not in (3, 77, 78, 150)))
    assert panel.clock.freq == "B"
    assert panel.warnings == ()
    assert len(np.unique(panel.stretches())) == 1


def test_an_irregular_table_can_be_averaged(tmp_path: Path) -> None:
    panel = read(tmp_path, REFUSED["irregular"][0], resample="H")
    assert panel.values[:, 0].tolist() == [0.5, 2, 3, 4, 5, 6, 7]
    assert panel.times[-1] == np.datetime64("2020-01-01T09:00")


def test_what_skipped_rows_leave_is_the_table(tmp_path: Path) -> None:
    for name in ("preamble", "preamble as wide as the table"):
        assert read(tmp_path, REFUSED[name][0], skip_rows=2).fingerprint() == read(tmp_path, table()).fingerprint()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"time_column": "when"}, "'time', 'v'"),
        ({"series_id": "city"}, "'time', 'v'"),
        ({"encoding": "zlib"}, "not an encoding"),
        ({"delimiter": "::"}, "one ASCII character"),
        ({"decimal": ";"}, "--decimal"),
        ({"thousands": "1"}, "--thousands"),
        ({"skip_rows": 99}, "41 lines"),
        ({"date_format": "%Q"}, "--date-format"),
        ({"date_format": "%d.%m.%Y"}, "line 2"),
        ({"freq": "bh"}, "not a frequency"),
        ({"freq": "fortnight"}, "not a frequency"),
        ({"freq": "99999999999999999999h"}, "not a frequency"),
        ({"freq": "1000000h"}, "longer than a century"),
        ({"resample": "3B"}, "not supported"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], expected: str) -> None:
    Path("table.csv").write_text(table())
    assert expected in refused("table.csv", options)


def test_an_unknown_zone_is_refused() -> None:
    Path("table.csv").write_text(table(30, "h", "%Y-%m-%d %H:%M"))
    assert "not a time zone" in refused("table.csv", {"tz": "../etc"})


def test_days_at_local_midnight_keep_their_dates() -> None:
    index = pd.date_range("2020-03-01", periods=60, tz="America/New_York", name="Date")
    panel = read_panel(pd.DataFrame({"close": np.arange(60.0)}, index=index))
    assert panel.clock.freq == "D"
    assert panel.times[0] == np.datetime64("2020-03-01")
