"""Every way to write a time is read as it is meant, by all rows and by a single one in the format that was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from forecast.errors import DataError
from forecast.tables.find_times import find_steps, find_times
from forecast.tables.input import Input
from forecast.tables.table import Table

DAYS = pd.date_range("2019-11-20", periods=60)
HOURS = pd.date_range("2020-01-01", periods=60, freq="h")
MINUTES = pd.date_range("2020-01-01", periods=60, freq="min")
FRACTIONS = pd.date_range("2020-01-01", periods=60, freq="250ms")
HALF_DAYS = pd.date_range("2020-01-01", periods=60, freq="12h")
MONTHS = pd.date_range("1990-01-01", periods=60, freq="MS")
QUARTERS = pd.date_range("1995-01-01", periods=40, freq="QS")
QUARTER_ENDS = pd.date_range("1995-01-01", periods=40, freq="QE")
WEEKS = pd.date_range("2016-01-04", periods=300, freq="W-MON")
HOUR_ENDS = HOURS + pd.Timedelta("1h")

LANGUAGES = {
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
    "Danish": "januar februar marts april maj juni juli august september oktober november december",
    "Polish": "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
    "Polish, of": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
}

Cells = dict[str, object]


def each(times: pd.DatetimeIndex, write: Callable[[pd.Timestamp], object]) -> list[object]:
    return [write(time) for time in times]


def day_number(time: pd.Timestamp) -> float:
    return (time - pd.Timestamp("1899-12-30")) / pd.Timedelta("1D")


def written() -> Iterator[tuple[pd.DatetimeIndex, Cells]]:
    """Times, and columns that write them."""
    for times, formats in (
        (DAYS, "%d/%m/%y|%m/%d/%y|%d.%m.%y|%m-%d-%y|%y-%m-%d|%d-%b-%y|%d-%b-%Y|%b %d, %Y|%A, %d %B %Y|%a %d.%m.%Y"),
        (DAYS, "%Y%j|%Y-%j|%G-W%V-%u|%b %d %Y|%Y.%m.%d|%Y/%m/%d|%Y%m%d|%d %b %Y|%Y-%b-%d"),
        (MONTHS, "%d/%m/%y|%m/%d/%y|%d.%m.%y|%b-%y|%B %Y|%Y %B|%YM%m|%m/%Y|%Y%m|%Y-%m|%Y:%m|%b'%y|%m.%Y"),
        (MONTHS, "%d.%m.%Y|%m/%d/%Y"),
        (QUARTERS, "%d/%m/%y|%m/%d/%y|%y-%m-%d|%m/%d/%Y"),
        (QUARTER_ENDS, "%d/%m/%y|%m/%d/%y|%y-%m-%d|%m/%d/%Y"),
        (WEEKS, "%G-W%V|%GW%V|%G%V|W%V-%G|%G/%V|%G-%V|KW %V/%G|%V/%G|%G-W%V-1|Week %V, %G"),
        (HOURS, "%d/%m/%y %H:%M|%m/%d/%y %I:%M %p|%y-%m-%d %H:%M|%d-%b-%y %H:%M:%S|%d.%m.%Y %H.%M|%d.%m.%Y, %H:%M:%S"),
        (HOURS, "%m/%d/%Y, %I:%M:%S %p|%d/%b/%Y:%H:%M:%S +0000|%a %b %d %Y %H:%M:%S GMT+0000 (Universal Time)"),
        (HOURS, "%a, %d %b %Y %H:%M:%S +0000|%a %b %d %H:%M:%S %Y|%a %b %d %H:%M:%S UTC %Y|%Y-%m-%d %H:%M GMT"),
        (HOURS, "%Y-%m-%d\u00a0%H:%M|%Y%m%d%H|%Y%m%d%H%M|%Y%m%d %H:%M|%Y-%m-%dT%H:%M:%S,000"),
        (HOURS, "%d.%m.%Y %H|%Y-%m-%d_%H:%M"),
    ):  # fmt: skip
        for form in formats.split("|"):
            yield times, {"time": times.strftime(form)}
    forms = (
        "{q}-{Y}|{Y}Q{q}|{Y}-Q{q}|Q{q} {Y}|Q{q}/{y:02d}|{q}Q{y:02d}|{Y}:{q}|{q}. Quartal {Y}|{q}/{Y}|T{q} {Y}|{Y}K{q}|"
    )
    forms += "{Y} q{q}|{q}T{Y}|Q{q}-{Y}|{Y}/{q}|{q}er trimestre {Y}|{y:02d}Q{q}"
    for form in forms.split("|"):
        yield QUARTERS, {"quarter": each(QUARTERS, lambda t, f=form: f.format(q=t.quarter, Y=t.year, y=t.year % 100))}
    for order in ("{d}/{m}/{y:02d}", "{m}/{d}/{y:02d}", "{m}/{Y}", "{d}-{b}-{y:02d}"):
        write = lambda t, f=order: f.format(d=t.day, m=t.month, y=t.year % 100, Y=t.year, b=f"{t:%b}")  # noqa: E731
        yield MONTHS, {"date": each(MONTHS, write)}
    for names in map(str.split, LANGUAGES.values()):
        yield MONTHS, {"month": each(MONTHS, lambda t, n=names: f"{n[t.month - 1]} {t.year}")}
        yield MONTHS, {"month": each(MONTHS, lambda t, n=names: f"{t.year} {n[t.month - 1][:4]}")}
        yield MONTHS, {"month": each(MONTHS, lambda t, n=names: f"{n[t.month - 1][:4]}.-{t.year % 100:02d}")}
        yield DAYS, {"day": each(DAYS, lambda t, n=names: f"{t.day}. {n[t.month - 1]} {t.year}")}
        yield DAYS, {"day": each(DAYS, lambda t, n=names: f"{t.day} de {n[t.month - 1].upper()} de {t.year}")}
    week = WEEKS.isocalendar()
    yield WEEKS, {"week": [f"{y}/{w}" for y, w in zip(week.year, week.week, strict=True)]}
    yield from intervals()
    yield from counts()
    yield from several_columns()
    for form in ("%Y-%m-%d|%Y-%m-%d %H:%M", "%d.%m.%Y|%d.%m.%Y %H:%M", "%m/%d/%Y|%m/%d/%Y %I:%M:%S %p"):
        bare, full = form.split("|")
        for times in (HOURS, HALF_DAYS):
            yield times, {"time": each(times, lambda t, b=bare, f=full: t.strftime(f if t.hour else b))}
    yield FRACTIONS, {"time": each(FRACTIONS, pd.Timestamp.isoformat)}
    yield HOURS + pd.Timedelta("5h30min"), {"time": HOURS.strftime("%Y-%m-%d %H:30:00 EST")}


def intervals() -> Iterator[tuple[pd.DatetimeIndex, Cells]]:
    for form in ("%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%Y-%m-%dT%H:%MZ", "%m/%d/%y %H:%M"):
        pairs = list(zip(HOURS.strftime(form), HOUR_ENDS.strftime(form), strict=True))
        for to in (" - ", " – ", " to "):
            yield HOURS, {"MTU (CET)": [begin + to + end for begin, end in pairs]}
    pairs = list(zip(HOURS.strftime("%Y-%m-%dT%H:%MZ"), HOUR_ENDS.strftime("%Y-%m-%dT%H:%MZ"), strict=True))
    yield HOURS, {"interval": [f"{begin}/{end}" for begin, end in pairs]}
    yield HOURS, {"interval": each(HOURS, lambda t: f"{t:%Y-%m-%d %H:%M} - {t + pd.Timedelta('1h'):%H:%M}")}
    for begin, end in (("from", "to"), ("start", "end"), ("Datum von", "Datum bis"), ("Start time", "End time")):
        cells = {begin: HOURS.strftime("%Y-%m-%d %H:%M"), end: HOUR_ENDS.strftime("%Y-%m-%d %H:%M")}
        yield HOURS, cells
        yield HOURS, dict(reversed(cells.items()))
    dates = {"Datum": HOURS.strftime("%d.%m.%Y")}
    yield HOURS, dates | {"Anfang": HOURS.strftime("%H:%M"), "Ende": HOUR_ENDS.strftime("%H:%M")}


def counts() -> Iterator[tuple[pd.DatetimeIndex, Cells]]:
    yield DAYS, {"Date": each(DAYS, lambda t: int(day_number(t)))}
    yield HOURS, {"Date": each(HOURS, day_number)}
    yield MINUTES, {"Date": each(MINUTES, lambda t: f"{day_number(t):.9f}")}
    yield QUARTERS, {"quarter": each(QUARTERS, lambda t: f"{t.year}.{t.quarter}")}
    yield MONTHS, {"month": MONTHS.strftime("%Y.%m")}
    yield FRACTIONS, {"t": each(FRACTIONS, pd.Timestamp.timestamp)}
    yield FRACTIONS, {"t": each(FRACTIONS, lambda t: int(t.timestamp() * 1000))}
    yield HOURS, {"t": each(HOURS, lambda t: f"{t.timestamp() * 1000}")}
    yield HOURS, {"t": each(HOURS, lambda t: f"/Date({int(t.timestamp()) * 1000})/")}


def several_columns() -> Iterator[tuple[pd.DatetimeIndex, Cells]]:
    for name in ("HHMM", "HRMN", "Time", "hour"):
        yield HOURS, {"YYYYMMDD": HOURS.strftime("%Y%m%d"), name: HOURS.hour * 100}
        yield HOURS, {"date": HOURS.strftime("%d/%m/%Y"), name: HOURS.strftime("%H%M")}
    for name in ("hour", "Hour Ending", "HE", "hr", "Stunde", "HourEnding"):
        yield HOUR_ENDS, {"date": HOURS.strftime("%Y-%m-%d"), name: HOURS.hour + 1}
        yield HOUR_ENDS, {"date": HOURS.strftime("%Y-%m-%d"), name: each(HOURS, lambda t: f"{t.hour + 1:02d}")}
        yield HOURS, {"date": HOURS.strftime("%m/%d/%y"), name: HOURS.hour}
    yield HOUR_ENDS, {"date": HOURS.strftime("%Y%m%d"), "time": (HOURS.hour + 1) * 100}
    yield HOUR_ENDS, {"date": HOURS.strftime("%Y%m%d"), "time": each(HOURS, lambda t: f"{t.hour + 1}:00")}
    yield HOURS, {"date": HOURS.strftime("%Y-%m-%d"), "time": HOURS.strftime("%I:%M %p")}
    yield MINUTES, {"date": MINUTES.strftime("%Y-%m-%d"), "HHMM": MINUTES.strftime("%H%M")}
    yield MINUTES, {"<DATE>": MINUTES.strftime("%Y%m%d"), "<TIME>": MINUTES.strftime("%H%M%S")}
    yield MINUTES, {"date": MINUTES.strftime("%Y-%m-%d"), "hour": MINUTES.hour, "minute": MINUTES.minute}
    forms = "{h}h|{h:02d}h00|H{h}|{h:02d}-{n:02d}|{h}:00 - {n}:00|{h:02d}h-{n:02d}h|{h:02d}.00.00|{h} Uhr"
    for write in forms.split("|"):
        cells = each(HOURS, lambda t, w=write: w.format(h=t.hour, n=(t.hour + 1) % 24))
        yield HOURS, {"Date": HOURS.strftime("%d/%m/%Y"), "Hour": cells}
    for name, freq, n in (("SETTLEMENT_PERIOD", "30min", 48), ("Period", "15min", 96), ("SP", "30min", 48)):
        slots = pd.date_range("2020-01-10", periods=4 * n, freq=freq)
        number = (slots - slots.normalize()) // pd.Timedelta(freq) + 1
        yield slots, {"SETTLEMENT_DATE": slots.strftime("%d-%b-%Y"), name: number}
    mmwr = WEEKS[:157] - (pd.Timestamp("2016-01-04") - pd.Timestamp("2012-12-30"))
    years, weeks = np.repeat([2013, 2014, 2015], [52, 53, 52]), [*range(1, 53), *range(1, 54), *range(1, 53)]
    yield mmwr, {"YEAR": years, "WEEK": weeks}
    week = WEEKS.isocalendar()
    for year, number in (("year", "week"), ("Jahr", "KW"), ("iso_year", "iso_week")):
        yield WEEKS, {year.removeprefix("iso_"): week.year, number: week.week}
    yield WEEKS, {"Year": week.year, "Week": [f"W{number:02d}" for number in week.week]}
    yield MONTHS, {"year": MONTHS.year, "month": MONTHS.month}
    yield MONTHS, {"Year": MONTHS.year, "Month": MONTHS.strftime("%b")}
    yield MONTHS, {"Año": MONTHS.year, "Mes": MONTHS.month}
    yield MONTHS, {"yr": MONTHS.year % 100, "mo": MONTHS.month}
    yield MONTHS, {"year": MONTHS.year, "period": MONTHS.strftime("M%m")}
    yield QUARTERS, {"year": QUARTERS.year, "quarter": QUARTERS.quarter}
    yield QUARTERS, {"Year": QUARTERS.year, "Qtr": [f"Q{number}" for number in QUARTERS.quarter]}
    yield DAYS, {"year": DAYS.year, "doy": DAYS.day_of_year}
    yield DAYS, {"YEAR": DAYS.year, "DAY": DAYS.day_of_year}
    days = {"year": HOURS.year, "month": HOURS.month, "day": HOURS.day}
    yield HOURS, days | {"hour": HOURS.hour}
    yield HOURS, days | {"time": HOURS.strftime("%H:%M")}
    yield HOURS, days | {"hhmm": HOURS.hour * 100}
    yield HOUR_ENDS, days | {"hour": HOURS.hour + 1}
    yield HOURS, {"year": HOURS.year, "doy": HOURS.day_of_year, "hr": HOURS.hour}
    minutes = {"year": MINUTES.year, "month": MINUTES.month, "day": MINUTES.day}
    yield MINUTES, minutes | {"hour": MINUTES.hour, "minute": MINUTES.minute}


CASES = list(written())


def table(columns: Cells) -> Table:
    """A table of text, as a file has it, with a measurement at its end."""
    cells = [pa.array([str(cell) for cell in column]) for column in columns.values()]  # type: ignore[attr-defined]
    v = pa.array([f"{row}.5" for row in range(len(cells[0]))])
    return Table(Input("the table"), (*columns, "v"), (*cells, v))


def shown(case: tuple[pd.DatetimeIndex, Cells]) -> str:
    return " ".join(f"{name}={list(column)[1]}" for name, column in case[1].items())  # type: ignore[call-overload]


@pytest.mark.parametrize(("times", "columns"), CASES, ids=map(shown, CASES))
def test_a_form_is_read_by_all_rows_and_by_one(times: pd.DatetimeIndex, columns: Cells) -> None:
    whole = table(columns)
    found = find_times(whole, None, None)
    np.testing.assert_array_equal(found.times, times.to_numpy().astype("datetime64[us]"))
    assert found.used == set(columns)
    told = found.date_format or found.form
    asked = {(found.date_format, None), (told, None), (told, found.time_column)}
    for row in range(0, len(times), max(7, len(times) // 8)):
        single = whole.take(np.array([row]))
        for date_format, time_column in asked:
            assert find_times(single, time_column, date_format).times[0] == found.times[row]
    np.testing.assert_array_equal(find_times(whole, None, told).times, found.times)


@pytest.mark.parametrize(
    ("cells", "first", "note"),
    [
        (MONTHS.strftime("%m/%d/%y"), "MM/DD/YY", "not as DD/MM/YY: only then do the rows follow each other regularly"),
        (DAYS.strftime("%d.%m.%y"), "DD.MM.YY", "Years of two digits are read as 2019 to 2020"),
        (DAYS.strftime("%y-%m-%d"), "YY-MM-DD", "Years of two digits are read as 2019 to 2020"),
        (
            pd.date_range("1950-01-01", periods=360, freq="MS").strftime("%m/%d/%y"),
            "MM/DD/YY from 1950",
            "1950 to 1979",
        ),
        (pd.date_range("1970-01-01", periods=600, freq="MS").strftime("%d/%m/%y"), "DD/MM/YY", "1970 to 2019"),
        (each(QUARTERS, lambda t: f"{t.quarter}-{t.year}"), "q/YYYY", "not as MM/YYYY or ww/YYYY"),
        (HOURS.strftime("%Y-%m-%d %H:00 - %H:59"), None, "An interval is dated by its beginning"),
    ],
)
def test_what_was_inferred_is_told(cells: list[str], first: str | None, note: str) -> None:
    found = find_times(table({"date": cells}), None, None)
    assert found.date_format == first
    assert note in " ".join(found.notes)


@pytest.mark.parametrize(
    ("columns", "warning"),
    [
        ({"time": [f"{t}"[:16] if t.hour else f"{t:%Y-%m-%d}" for t in HOURS]}, "3 date(s) without a time of day"),
        ({"Date": [int(day_number(t)) for t in DAYS]}, "Day numbers of a spreadsheet, counted from 1900 (excel)"),
    ],
)
def test_what_was_mended_is_told(columns: Cells, warning: str) -> None:
    assert warning in find_times(table(columns), None, None).warnings[0]


def refusal(columns: Cells, date_format: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        find_times(table(columns), None, date_format)
    return "\n".join(caught.value.text("python"))


def test_what_could_be_meant_in_two_ways_is_asked_with_both() -> None:
    days = pd.date_range("2009-02-01", periods=11)
    message = refusal({"date": days.strftime("%d/%m/%y")})
    for date_format in ("%d/%m/%y", "%m/%d/%y"):
        assert f"date_format='{date_format}'" in message
        find_times(table({"date": days.strftime("%d/%m/%y")}), None, date_format)
    twelve = pd.date_range("2009-01-01", periods=12, freq="MS")
    assert "date_format='%m/%d/%Y'" in refusal({"date": twelve.strftime("%m/%d/%Y")})


@pytest.mark.parametrize("name", ["IST", "CST", "XYZ"])
def test_a_zone_that_could_be_several_is_asked_for(name: str) -> None:
    columns: Cells = {"time": HOURS.strftime(f"%Y-%m-%d %H:%M {name}")}
    date_format = f"%Y-%m-%d %H:%M {name}"
    assert f"date_format='{date_format}', tz='" in refusal(columns)
    assert find_times(table(columns), None, date_format).times[0] == HOURS[0]


def test_names_beside_each_other_settle_a_zone() -> None:
    central = pd.date_range("2020-03-07", periods=60, freq="h", tz="America/Chicago")
    found = find_times(table({"time": central.strftime("%Y-%m-%d %H:%M %Z")}), None, None)
    np.testing.assert_array_equal(found.times, central.tz_convert(None).to_numpy().astype("datetime64[us]"))


def test_midnights_left_out_beside_midnights_written_are_mixed_formats() -> None:
    cells = [*HOURS.strftime("%Y-%m-%d %H:%M")[:50], *DAYS.strftime("%Y-%m-%d")[:10]]
    assert "mixed formats" in refusal({"time": cells})


def test_measurements_that_are_called_like_parts_of_the_time_stay() -> None:
    rng = np.random.default_rng(0)
    stores: Cells = {"date": np.repeat(DAYS.strftime("%Y-%m-%d"), 20), "store": [*"abcdefghijklmnopqrst"] * 60}
    for name, values in (
        ("delivery_time", rng.integers(0, 24, 1200)),
        ("opening hours", rng.integers(1, 13, 1200)),
        ("week", rng.integers(1, 53, 1200)),
    ):
        assert find_times(table(stores | {name: values}), None, None).used == {"date"}
    dated: Cells = {"date": DAYS.strftime("%Y-%m-%d"), "week": rng.integers(1, 53, 60), "Q": rng.integers(1, 5, 60)}
    assert find_times(table(dated), None, None).used == {"date"}
    months: Cells = {"year": MONTHS.year, "month": MONTHS.month, "week": rng.integers(1, 53, 60)}
    assert find_times(table(months), None, None).used == {"year", "month"}
    assert find_times(table({"date": DAYS.strftime("%Y-%m-%d"), "end": range(60)}), None, None).used == {"date"}
    hours: Cells = {"date": ["2020-01-01"] * 30, "hour": range(30)}
    assert find_times(table(hours), None, None).used == {"date"}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"year": [2019] * 53, "week": range(1, 54)}, "2019-53 is not an ISO week of its year"),
        ({"time": ["Foo 01.01.2020"] * 9}, "'Foo 01.01.2020'"),
        ({"time": [1577836800, 9999999999999999999, *range(1577836802, 1577837000)]}, "'9999999999999999999'"),
        ({"time": [1577836800, 18446744073711, *range(1577836802, 1577837000)]}, "'18446744073711' is later than"),
        ({"Date": [44000, 44001, 45000]}, "date_format='excel'"),
        ({"Date": [39999, 52012, 20199, 70000, 30303, 29292, 79999, 66666, 55555, 44444]}, "date_format='excel'"),
    ],
)
def test_what_is_no_time_is_refused(columns: Cells, said: str) -> None:
    assert said in refusal(columns)


@pytest.mark.parametrize("date_format", ["YYYY-XX", "excel + HM", "DD.MM.YYYY from 19", "", "YYYY + wk"])
def test_a_format_that_is_none_is_refused(date_format: str) -> None:
    assert "date_format" in refusal({"time": HOURS.strftime("%Y-%m-%d %H:%M")}, date_format)


def test_a_format_may_be_written_in_small_letters() -> None:
    found = find_times(table({"time": HOURS.strftime("%m/%d/%Y %H:%M")}), None, "mm/dd/yyyy hh:mm")
    assert found.times[-1] == HOURS[-1]


def test_day_numbers_since_1904_are_read_where_asked() -> None:
    columns: Cells = {"Date": [int((t - pd.Timestamp("1904-01-01")).days) for t in DAYS]}
    found = find_times(table(columns), None, "excel-1904")
    np.testing.assert_array_equal(found.times, DAYS.to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize(
    ("cells", "date_format"),
    [
        (DAYS.strftime("%Y年%m月%d日"), "%Y年%m月%d日"),
        (HOURS.strftime("%H:%M %Y_%m_%d"), "%H:%M %Y_%m_%d"),
        (DAYS.strftime("%d_%m_%Y"), "%d_%m_%Y"),
        (DAYS.strftime("day %m|%d|%y"), "day %m|%d|%y"),
    ],
)
def test_a_form_that_is_not_known_is_asked_for_with_the_format_that_reads_it(cells: object, date_format: str) -> None:
    assert f"time_column='when', date_format={date_format!r}" in refusal({"when": cells})
    assert len(find_times(table({"when": cells}), "when", date_format).times) == 60


def test_a_named_form_reads_rows_of_iso_8601_too() -> None:
    iso: Cells = {"ds": HOURS.strftime("%Y-%m-%dT%H:%M:%S")}
    for date_format in ("MM/DD/YY", "YYYYMMDD + HHMM", "excel", "YYYY + ww"):
        np.testing.assert_array_equal(find_times(table(iso), None, date_format).times, HOURS.to_numpy())


@pytest.mark.parametrize(
    ("columns", "series_id", "steps"),
    [
        ({}, None, range(60)),
        ({"t": range(60)}, None, range(60)),
        ({"ds": range(5, 65)}, None, range(5, 65)),
        ({"time": [f"{row}.0" for row in range(60)]}, None, range(60)),
        ({"time": [1, 1] * 30}, None, range(60)),
        ({"id": ["a"] * 20 + ["b"] * 40}, "id", [*range(20), *range(40)]),
        ({"id": ["a"] * 20 + ["b"] * 40, "ds": [*range(1, 21), *range(1, 41)]}, "id", [*range(1, 21), *range(1, 41)]),
    ],
)
def test_rows_without_times_are_numbered_in_each_series(columns: Cells, series_id: str | None, steps: object) -> None:
    rows = columns or {"w": np.arange(60) / 7}
    found = find_steps(table(rows), None, None, series_id)
    np.testing.assert_array_equal(found.times.astype(np.int64), list(steps))  # type: ignore[call-overload]


def test_rows_on_a_clock_of_steps_keep_the_order_of_their_times() -> None:
    found = find_steps(table({"date": DAYS.strftime("%m/%d/%y")}), None, None, None)
    np.testing.assert_array_equal(found.times, DAYS.to_numpy())
    with pytest.raises(DataError):
        find_steps(table({"date": ["x"] * 60}), "date", None, None)


@pytest.mark.parametrize("asked", ["%d/%m/%y", "DD/MM/YY", "%Y-%m-%d", "excel", "YYYYWW"])
def test_a_wrong_format_is_answered_with_the_one_that_all_rows_have(asked: str) -> None:
    columns: Cells = {"date": QUARTER_ENDS.strftime("%m/%d/%y")}
    with pytest.raises(DataError) as caught:
        find_times(table(columns), "date", asked)
    assert "'95" not in caught.value.message
    assert "row 1, column 'date': '03/31/95'" in caught.value.message
    assert caught.value.advice.endswith("date_format='%m/%d/%y'))")
