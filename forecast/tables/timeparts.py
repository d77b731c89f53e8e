"""Times that stand in several columns: year and week, year, month and day, a date and its hour."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote
from forecast.tables import explain
from forecast.tables.cadence import REGULAR, fullness
from forecast.tables.calendar import Clock, dates, first_of_century, refuse_far, refuse_where
from forecast.tables.monthnames import MONTHS
from forecast.tables.roworder import iso_years
from forecast.tables.table import Bools, Ints, Table, Times, as_text, is_timestamps
from forecast.tables.timecells import Cells, TimeColumn, numbers_of, sample
from forecast.tables.timeforms import is_day, named_form, tidied
from forecast.tables.times import read_cells

# Between the forms of the columns of one time, such as YYYYMMDD + HHMM.
PLUS = " + "

_WEEK = (
    "week wk kw kalenderwoche woche semaine semana settimana uke uge vecka weekofyear weeknumber weeknum weekno tydzien"
)

# Parts of the calendar by the name of their form: their name in `dates`, the largest number, what columns call them.
_CALENDAR = {
    "YYYY": ("Y", 9999, "year yr yyyy yy jahr annee ano anno jaar ar rok"),
    "MM": ("m", 12, "month mon mo mm monat mois mes mese maand manad maned miesiac period"),
    "DD": ("d", 31, "day dd dy mday dom dayofmonth tag jour dia giorno dag dzien"),
    "DDD": ("j", 366, "doy yday dayofyear jday julian julianday day"),
    "ww": ("w", 53, f"{_WEEK} isoweek period"),
    "mmwr": ("e", 53, f"{_WEEK} mmwrweek epiweek"),
    "ww0": ("W", 53, f"{_WEEK} period"),
    "q": ("q", 4, "quarter qtr q quartal trimestre trim kvartal kwartal kwartaal period"),
    "h": ("h", 2, "half halfyear semester period"),
}

# What a letter before a number says it is, and the number of the average of the year that may stand among them.
_LETTERS = {"M": ("MM",), "Q": ("q",), "S": ("h", "ww", "mmwr", "ww0")}
_AVERAGES = {"MM": "M13", "q": "Q05", "h": "S03"}
_SLOTS = {f"1-{n}": n for n in (24, 48, 96, 288)}
_CLOCKS = ("HH:MM", "HH", "HHMM", "HHMMSS", "mm", *_SLOTS)
_PERIODS = (("MM", "DD"), ("DDD",), ("MM",), ("ww",), ("mmwr",), ("ww0",), ("q",), ("h",))

# Words in the name of a column of the time of day; a number under one of the second kind may count anything.
# fmt: off
HOUR = frozenset({"hour", "hours", "hr", "hh", "h", "he", "hhmm", "hrmn", "hrmin", "stunde", "heure", "hora",
                  "ora", "uur", "timme", "godzina"})
_SLOT = {"period", "settlementperiod", "sp", "isp", "ptu", "mtu", "interval", "slot", "viertelstunde"}
_CLOCK = HOUR | {"time", "clock", "zeit", "uhrzeit", "tid", "tijd", "anfang", "beginn", "begin", "start",
                  "from", "von", "t"} | _SLOT
_MINUTE = {"minute", "minutes", "mn"}
_BEGIN = {"from", "start", "begin", "von", "beginn", "anfang", "ab", "debut", "inicio", "desde"}
_END = {"to", "end", "until", "till", "bis", "ende", "stop", "finish", "fin", "hasta"}
# fmt: on

_TIME_OF_DAY = re.compile(r"\d{1,2}[:h]\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp](\.? ?[Mm]\.?)?)?")
_NUMBER = r"^[A-Za-z]{0,7}[ .-]?(?P<n>\d{1,6})(?:\.0*)?$"

# The end of an interval of hours, such as 01:00-02:00 or 1 - 2; and other ways to write a time of day.
_UNTIL = r"(\d)h? ?(?:-|to|bis|a) ?\d{1,2}(?:[:h]\d{2})?h?$"
_PLAIN = ((_UNTIL, r"\1"), (r"^(\d{1,2})\.(\d{2})\.(\d{2})$", r"\1:\2:\3"), (r"^(\d{1,4}) ?(?:h|H|Uhr)$", r"\1"))


def _folded(name: str) -> str:
    """A name in small ASCII letters and nothing else, without a remark in parentheses: MM (mo)."""
    name = re.sub(r"(?<=\w) *\(.*\)", "", name)
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold())


def words_of(name: str) -> frozenset[str]:
    """The words of a column's name in small letters, and the whole of it: hour, ending, hourending."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return frozenset((*map(str.casefold, words), _folded(name)))


def names_a_clock(name: str) -> bool:
    """Whether a column is called as one of the time of day."""
    return bool(words_of(name) & _CLOCK)


def names_a_part(name: str) -> bool:
    """Whether a column is called as one that holds a part of the time."""
    return names_a_clock(name) or any(_folded(name) in names.split() for _, _, names in _CALENDAR.values())


def names_a_begin(name: str) -> bool:
    """Whether a column is called as one that holds the beginning of an interval."""
    return bool(words_of(name) & _BEGIN)


def names_an_end(name: str) -> bool:
    """Whether a column is called as one that holds the end of an interval."""
    return bool(words_of(name) & _END)


def find_parts(table: Table) -> list[tuple[str, str]]:
    """The columns that hold the year and the like with the form of each, the year first; empty where none do."""
    found = {code: name for code in _CALENDAR if (name := _called(table, code))}
    if "YYYY" not in found:
        return []
    if "DD" in found:
        found.pop("DDD", None)
    best, judged = [("YYYY", found["YYYY"])], (False, 0)
    for codes in _PERIODS:
        if not all(code in found for code in codes):
            continue
        parts = [(code, found[code]) for code in ("YYYY", *codes)]
        try:
            times, _ = _days(table, parts)
            times = times[~np.isnat(times)]
        except DataError:
            if len(best) == 1:
                best = parts  # which says what is wrong, if no other reads
            continue
        judgement = fullness(times) >= REGULAR, len(np.unique(times))
        if codes == ("ww0",) and not (judgement[0] and (_counted(table, found["ww0"]) == 0).any()):
            continue
        if judgement > judged:
            best, judged = parts, judgement
    return best


def find_clock(
    table: Table, days: Ints | None, used: frozenset[str], called: frozenset[str] = _CLOCK
) -> list[tuple[str, str]]:
    """The columns of the time of day, with the form of each; empty where there are none.

    Args:
        table: R rows.
        days: The number of each row's day, [R], which numbers of a clock divide evenly; None to go by the name alone.
        used: Columns that hold the days.
        called: What a column of the time of day may be called.
    """
    for name in table.names:
        if name in used or not words_of(name) & called or names_an_end(name):
            continue
        if (form := clock_form(table, name)) is None:
            continue
        minute = next((other for other in table.names if _is_minute(table, other, used)), None)
        found = [(form, name), ("mm", minute)] if form == "HH" and minute else [(form, name)]
        if days is None or form == "HH:MM" or _is_even(days, _time_of_day(table, found)):
            return found
    return []


def _is_minute(table: Table, name: str, used: frozenset[str]) -> bool:
    """Whether a column is called as the minutes are: beside the month MM, mm too."""
    if name in used or not (words_of(name) & _MINUTE or _folded(name) == "mm"):
        return False
    return bool(_counted(table, name).max() < 60)


def clock_form(table: Table, name: str) -> str | None:
    """How a column writes the time of day: ``HH:MM``, ``HH``, ``HHMM``, ``HHMMSS``, or by its number of 48 periods.

    None where it is no time of day.
    """
    texts = [] if is_timestamps(table[name]) else _plain(pa.array(sample(table[name]), pa.string())).to_pylist()
    if texts and all(map(_TIME_OF_DAY.fullmatch, texts)):
        return "HH:MM"
    matched = [re.match(_NUMBER, text) for text in texts]
    if not texts or not all(matched):
        return None
    if words_of(name) & _SLOT:
        most = _counted(table, name).max()
        # Days of 23 and 25 hours have fewer and more of them.
        return next((form for form, n in _SLOTS.items() if n * 23 <= most * 24 <= n * 25), None)
    digits = [match["n"] for match in matched if match]
    numbers, narrowest = np.array(list(map(int, digits))), min(map(len, digits))
    compact = bool(words_of(name) & {"hhmm", "hrmn", "hrmin"})
    if numbers.max() <= 25 and words_of(name) & HOUR and narrowest < 4 and not compact:
        counted = _counted(table, name)
        if counted.max() == 25 and counted.min() == 1:
            return "1-24"  # on the long day of autumn 25
    if numbers.max() <= 24 and narrowest < 4 and not compact:
        return "HH"
    if (numbers % 100 >= 60).any() or (numbers // 100 % 100 >= 60).any():
        return None
    if numbers.max() <= 2400 and (numbers.max() >= 100 or narrowest == 4 or compact):
        return "HHMM"
    return "HHMMSS" if numbers.max() <= 240_000 and (numbers.max() >= 10_000 or narrowest == 6) else None


def read_parts(table: Table, parts: list[tuple[str, str]]) -> TimeColumn:
    """Times from several columns.

    Args:
        table: R rows.
        parts: The form of each column, empty to infer a date's, and its name; the calendar before the clock.

    Raises:
        DataError: If a cell is not of its form, or not in the calendar.
    """
    n_days = next((i for i, (code, _) in enumerate(parts) if i and code not in _CALENDAR), len(parts))
    day_parts, clocks = parts[:n_days], parts[n_days:]
    since = _time_of_day(table, clocks)
    code, first = day_parts[0]
    if code in _CALENDAR:
        times, warnings = _days(table, day_parts)
        found = TimeColumn(times, warnings=warnings, by_all_rows=bool(warnings))
        forms = [code for code, _ in day_parts]
    else:
        found = read_cells(Cells(day_text(table, first), table, f"column {quote(first)}"), code or None, since)
        forms = [found.date_format or found.form]
    notes = found.notes
    if clocks and clocks[0][0] == "HH" and (since == np.timedelta64(24, "h")).any():
        notes += ("Hours 1 to 24 are taken as the ends of hours; 24 ends the day.",)
    if clocks and clocks[0][0] in _SLOTS:
        notes += (f"Periods {clocks[0][0].replace('-', ' to ')} of a day are dated by their beginning.",)
    if any(pc.any(pc.match_substring_regex(as_text(table[name]), _UNTIL)).as_py() for _, name in clocks):
        notes += ("An interval is dated by its beginning.",)
    names = [name for _, name in parts]
    times = found.times + since
    refuse_far(times[~np.isnat(found.times)], lambda row: f"{table.row(row)}, columns {', '.join(map(quote, names))}")
    form = PLUS.join([*forms, *(code for code, _ in clocks)])
    return replace(
        found,
        times=times,
        form=form,
        used=frozenset(names),
        whole_days=not clocks,
        notes=(f"Time: columns {', '.join(map(quote, names))}, written as {form}.", *notes),
        time_column=",".join(names),
        date_format=form,
        elapsed=since if clocks and clocks[0][0] in _SLOTS else None,
    )


def _time_of_day(table: Table, clocks: list[tuple[str, str]]) -> Clock:
    """The time of day from its columns, [R]."""
    midnight: Clock = np.zeros(len(table), "timedelta64[us]")
    return sum((_since_midnight(table, name, form) for form, name in clocks), midnight)


def day_text(table: Table, name: str) -> pa.Array:
    """A column of days as text without blanks about it; of timestamps, their days."""
    column = table[name]
    return (
        pa.array(np.datetime_as_string(column, unit="D"))
        if is_timestamps(column)
        else pc.ascii_trim_whitespace(as_text(column))
    )


def codes_of(date_format: str) -> list[str]:
    """The forms of the columns of one time; of two named MM, the one behind the hour is that of the minutes."""
    codes = date_format.split(PLUS)
    hour = codes.index("HH") if "HH" in codes else len(codes)
    return [*codes[:hour], *("mm" if code == "MM" else code for code in codes[hour:])]


def are_codes(codes: list[str]) -> bool:
    """Whether these are forms of the columns of one time: of a date or of parts of the calendar, then of the clock."""
    first = codes[0]
    is_date = is_day(first) if "%" in first else is_day((named_form(first) or ("", 0))[0])
    n_days = next((i for i, code in enumerate(codes) if i and code not in _CALENDAR), len(codes))
    if len(set(codes)) < len(codes) or not all(code in _CLOCKS for code in codes[n_days:]):
        return False
    return n_days == 1 if is_date else first in _CALENDAR


def code_of(table: Table, name: str) -> str:
    """The form of a column that is called as a part of the time is, and holds it; empty of any other."""
    code = next((code for code in _CALENDAR if _is_called(table, name, code)), None)
    return code or ("mm" if _is_minute(table, name, frozenset()) else clock_form(table, name)) or ""


def parts_called(table: Table, codes: list[str]) -> list[str]:
    """The columns that hold these parts of the time, the calendar's first; empty if they are no such parts."""
    if codes[0] not in _CALENDAR:
        return []
    calendar = [code for code in codes if code in _CALENDAR]
    found = [name for code in calendar if (name := _called(table, code))]
    return found + clocks_called(table, codes[len(calendar) :], found)


def clocks_called(table: Table, codes: list[str], used: list[str]) -> list[str]:
    """The columns that are called as ones of the time of day in these forms are, as far as there are any."""
    found: list[str] = []
    for code in codes:
        words = _SLOT | HOUR if code in _SLOTS else _CLOCK - _SLOT
        if code == "mm":
            names = [name for name in table.names if _is_minute(table, name, frozenset(used))]
        else:
            names = [name for name in table.names if name not in used and words_of(name) & words]
            names = [name for name in names if not names_an_end(name) and (code in _SLOTS or clock_form(table, name))]
        found += sorted(names, key=lambda name: not words_of(name) & HOUR)[:1]
    return found


def _called(table: Table, code: str) -> str | None:
    return next((name for name in table.names if _is_called(table, name, code)), None)


def _is_called(table: Table, name: str, code: str) -> bool:
    """Whether a column is called as a part of the calendar is, and holds it."""
    _, most, names = _CALENDAR[code]
    if _folded(name) not in names.split() or is_timestamps(table[name]):
        return False
    numbers = [_number(text, code) for text in sample(table[name])]
    return sum(0 <= number <= most for number in numbers) * 2 > len(numbers)


def _number(text: str, code: str) -> int:
    """A part of the calendar as a number; -1 where it is none, or a letter says that it is another part."""
    match = re.match(_NUMBER, text)
    if match and text[1:].isdigit() and code not in _LETTERS.get(text[0], (code,)):
        return -1
    return int(match["n"]) if match else MONTHS.get(text.lower().rstrip("."), -1) if code == "MM" else -1


def _days(table: Table, parts: list[tuple[str, str]]) -> tuple[Times, tuple[str, ...]]:
    """The first day of each period, [R], NaT for the average of a year, and what was mended."""
    numbers = {_CALENDAR[code][0]: _numbers(table, code, name) for code, name in parts}
    if (year := numbers["Y"]).max() < 100:
        since = first_of_century(year)
        numbers["Y"] = since + (year - since) % 100
    averages = _averages(table, parts)
    for code, _ in parts[1:]:
        numbers[_CALENDAR[code][0]][averages] = 1

    def at(row: int) -> str:
        return f"{table.row(row)}: " + "-".join(str(column[row]) for column in numbers.values())

    warnings: tuple[str, ...] = ()
    if week := numbers.keys() & {"w", "e"}:
        years = iso_years(numbers["Y"], numbers[min(week)])
        moved = int((years != numbers["Y"]).sum())
        if moved and fullness(dates(numbers | {"Y": years}, at)) >= REGULAR:
            numbers["Y"] = years
            warnings = (f"{moved:,} week(s) stand beside the calendar year: by the order of rows, of the week's year.",)
    times = dates(numbers, at)
    if averages.any():
        times[averages] = np.datetime64("NaT")
        warnings += (f"{averages.sum():,} row(s) that hold the average of a year (such as M13) are left out.",)
    return times, warnings


def _averages(table: Table, parts: list[tuple[str, str]]) -> Bools:
    """Which rows hold the average of a year, [R], as statistical offices write it among the months: M13."""
    found = np.zeros(len(table), bool)
    for code, name in parts:
        if code in _AVERAGES and not is_timestamps(table[name]):
            cells = pc.ascii_trim_whitespace(as_text(table[name]))
            found |= pc.equal(cells, _AVERAGES[code]).to_numpy(zero_copy_only=False)
    return found


def _numbers(table: Table, code: str, name: str) -> Ints:
    """A part of the calendar as numbers, [R]; months may be named, and quarters be called Q1."""
    text = tidied(pc.ascii_trim_whitespace(as_text(table[name])))
    words = pc.dictionary_encode(text)
    numbers = np.array([_number(word, code) for word in words.dictionary.to_pylist()], np.int64)
    found = numbers[words.indices.to_numpy(zero_copy_only=False)]
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        what = f"{table.cell(row, name)}: {quote(text[row].as_py())} is not a whole number of the calendar."
        raise DataError(what, explain.look_at_row(table, row))
    return found


def _plain(text: pa.Array) -> pa.Array:
    """Times of day without the end of their interval, and with colons."""
    for pattern, plain in _PLAIN:
        text = pc.replace_substring_regex(text, pattern, plain)
    return text


def _counted(table: Table, name: str) -> Ints:
    """A column of whole numbers, [R]; 0 where a cell is none."""
    text = tidied(pc.ascii_trim_whitespace(as_text(table[name])))
    return numbers_of(pc.fill_null(pc.extract_regex(text, _NUMBER).field("n"), ""))


def _since_midnight(table: Table, name: str, form: str) -> Clock:
    """The time of day in a column, [R]."""
    if form in _SLOTS:
        number = _counted(table, name)
        wrong = (number < 1) | (number * 24 > _SLOTS[form] * 25)
        refuse_where(wrong, lambda row: table.cell(row, name), f"is no number of the form {form}")
        return (number - 1) * np.timedelta64(86_400_000_000 // _SLOTS[form], "us")
    shown = pc.ascii_trim_whitespace(as_text(table[name]))
    text = _plain(tidied(shown))
    if form != "HH:MM":
        text = _with_colons(pc.extract_regex(text, _NUMBER).field("n"), form)
    # As the times of one day, which are read and checked like all others.
    cells = Cells(pc.binary_join_element_wise("2000-01-01", text, " "), table, f"column {quote(name)}", shown)
    cells.refuse_where(text.is_null().to_numpy(zero_copy_only=False), f"is no time of day of the form {form}")
    return read_cells(cells, None if form == "HH:MM" else "YYYY-MM-DD HH:MM:SS").times - np.datetime64("2000-01-01")


def _with_colons(digits: pa.Array, form: str) -> pa.Array:
    """Digits of a form as HH:MM:SS; of ``HHMM``, 930 as 09:30:00."""
    digits = pc.utf8_lpad(digits, {"HH": 2, "mm": 4, "HHMM": 4, "HHMMSS": 6}[form], "0")
    return pc.replace_substring_regex(pc.utf8_rpad(digits, 6, "0"), r"^(\d+)(\d\d)(\d\d)$", r"\1:\2:\3")


def _is_even(days: Ints, since: Clock) -> bool:
    """Whether numbers beside days tell the hours of each, in as many series as there are: no measurement does."""
    counts = np.unique(np.stack([days, since.astype(np.int64)]), axis=1, return_counts=True)[1]
    return bool(len(counts) > days.max() + 1 and counts.mean() * 2 >= counts.max())
