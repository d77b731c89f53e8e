"""The forms in which tables write time, each by the name that notes print and ``date_format`` takes.

A form writes a day, a day with a time of day, or a period (a month, a quarter, a week). Its name shows its parts:
``DD/MM/YY HH:MM``, ``YYYY-Qq``. Forms that look alike, such as ``DD/MM/YY`` and ``MM/DD/YY``, are orders of one
another: only the whole column tells which of them is meant.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

from forecast.tables.monthnames import MONTHS, WEEKDAYS

# Names of columns that hold a time.
TIMELIKE = re.compile(
    r"date|time|stamp|year|epoch|period|datum|zeit|fecha|heure"
    r"|^(ds|dt|ts|t|day|week|month|quarter|quartal|monat|mois|mes|ym|yw|yyyymm|yyyyww|unix|utc|mtu.*)$",
    re.I,
)

# Parts of a time are named as in `strptime`: Y and y (the year in four digits and in two), m, d, H, M, S, f, b (a
# month's name), p (the first letter of AM or PM), j (day of the year). Further ones are q (quarter), w (ISO week),
# u (its day), k (a weekday's name, which says nothing new), z (a zone),
# s (the year in which a season ends), h (a half of the year).
_YEAR, _SHORT, _MONTH, _DAY = r"(?P<Y>\d{4})", r"'?(?P<y>\d{2})", r"(?P<m>\d{1,2})", r"(?P<d>\d{1,2})"
_NAME, _QUARTER, _WEEK = r"(?P<b>[A-Za-z]{3,12})\.?", r"(?P<q>[1-4])", r"(?P<w>\d{1,2})"
_DIGITS = r"(?P<Y>(?:1[5-9]|2[01])\d{2})(?P<m>\d{2})(?P<d>\d{2})"
_ORDINAL, _OF = r"(?:st|nd|rd|th|er|o)?", r"(?:(?:de|of) )?"
_Q = r"(?i:Q|T|KV?|Quarter|Qtr|Quartal|Trimestre|Kwartal|Kvartal)\.? ?"
_W = r"(?i:W|KW|CW|U|V|Week|Woche|Semaine|Semana|Uke|Uge|Vecka)\.? ?"
_MOST = (("m", 12), ("d", 31), ("w", 53), ("q", 4), ("j", 366))

_ORDERS = [tuple(order.replace("-", mark) for order in ("DD-MM-YYYY", "MM-DD-YYYY")) for mark in "-/."]
_ORDERS += [tuple(order.replace("-", mark) for order in ("DD-MM-YY", "MM-DD-YY", "YY-MM-DD")) for mark in "-/."]
_ORDERS += [("DD-Mon-YY", "YY-Mon-DD"), ("YYYYMM", "YYYYWW")]
_ORDERS += [("YYYY-MM", "YYYY-ww", "YYYY-q", "YYYY/yy"), ("MM/YYYY", "ww/YYYY", "q/YYYY")]


def _numeric(order: str) -> str:
    """The pattern of a date in numbers from its name."""
    parts = {"YYYY": _YEAR, "YY": r"(?P<y>\d{1,2})", "MM": _MONTH, "DD": _DAY}
    mark = re.search(r"[-/.]", order)
    assert mark is not None
    return re.escape(mark[0]).join(parts[part] for part in order.split(mark[0]))


_DAYS = {
    "YYYY-MM-DD": rf"{_YEAR}-{_MONTH}-{_DAY}",
    "YYYY/MM/DD": rf"{_YEAR}/{_MONTH}/{_DAY}",
    "YYYY.MM.DD": rf"{_YEAR}\.{_MONTH}\.{_DAY}",
    **{order: _numeric(order) for orders in _ORDERS[:6] for order in orders},
    "DD Mon YYYY": rf"{_DAY}{_ORDINAL}[ /.-]*{_OF}{_NAME}[ /.,-]*{_OF}{_YEAR}",
    "Mon DD, YYYY": rf"{_NAME}[ /.-]*{_DAY}{_ORDINAL},? {_YEAR}",
    "YYYY-Mon-DD": rf"{_YEAR}[ /-]{_NAME}[ /-]{_DAY}",
    "DD-Mon-YY": rf"(?P<d>\d{{1,2}})[ /.-]*{_NAME}[ /.,-]*{_SHORT}",
    "YY-Mon-DD": rf"(?P<y>\d{{1,2}})[ /.-]*{_NAME}[ /.,-]*'?(?P<d>\d{{2}})",
    "YYYYMMDD": _DIGITS,
    "YYYY-DDD": rf"{_YEAR}-(?P<j>\d{{3}})",
    "YYYY-Www-d": rf"{_YEAR}-?W(?P<w>\d{{2}})-?(?P<u>[1-7])",
}
_WEEKDAY = r"(?:(?P<k>[A-Za-z]{2,12}(?:-feira)?)[.,]* )?"
_MARK = r"(?:,? |[T_:])"
_CLOCKS = {
    " HH:MM": _MARK + r"(?P<H>\d{1,2})[:h](?P<M>\d{2})",
    " HH:MM:SS": _MARK + r"(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?",
    " HH.MM": r",? (?P<H>\d{1,2})\.(?P<M>\d{2})",
    " HH": r"[ T](?P<H>\d{1,2})h?",
}
_COMPACT_CLOCKS = {
    "HH": r"[T_]?(?P<H>\d{2})",
    "HHMM": r"[ T_]?(?P<H>\d{2})(?P<M>\d{2})",
    "HHMMSS": r"[ T_]?(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})",
}
_NOON = r" ?(?P<p>[AaPp])(?:\.? ?[Mm]\.?)?"
_ZONE = r" ?(?P<z>z|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?|[A-Z]{3,5}|Z)"
_PERIODS = {
    "YYYY-MM": rf"{_YEAR}[-/:](?P<m>\d{{1,2}})",
    "YYYY-ww": rf"{_YEAR}[-/:](?P<w>\d{{1,2}})",
    "YYYY-q": rf"{_YEAR}[-/:](?P<q>\d{{1,2}})",
    "YYYY/yy": rf"{_YEAR}[-/](?P<s>\d{{2}})",
    "YYYY/YYYY": rf"{_YEAR}[-/](?P<s>\d{{4}})",
    "FY YYYY": rf"FY ?{_YEAR}",
    "MM/YY": r"(?P<m>\d{1,2})[-/](?P<y>\d{2})",
    "YY-Mon": rf"{_SHORT}[ /.-]?{_NAME}",
    **{f"{part}/YYYY": rf"(?P<{name}>\d{{1,2}})[-/.](?P<Y>(?:1[5-9]|2[01])\d{{2}})"
       for part, name in (("MM", "m"), ("ww", "w"), ("q", "q"))},
    "YYYY-Mon": rf"{_YEAR}[ /.-]*{_NAME}",
    "Mon YYYY": rf"{_NAME}[ /.,-]*{_OF}{_YEAR}",
    "Mon-YY": rf"{_NAME}[ /.,-]*{_SHORT}",
    "YYYYMmm": rf"{_YEAR}-?M{_MONTH}",
    "YYYY-Qq": rf"{_YEAR}[ :/-]*{_Q}{_QUARTER}",
    "Qq YYYY": rf"{_Q}{_QUARTER}[ :/.,-]*{_OF}{_YEAR}",
    "q Q YYYY": rf"{_QUARTER}(?:\.|st|nd|rd|th|er|o)? ?{_Q}[ :/.,-]*{_OF}{_YEAR}",
    "YY-Qq": rf"{_SHORT}[ :/-]*{_Q}{_QUARTER}",
    "Qq YY": rf"{_Q}{_QUARTER}[ :/.,-]*{_SHORT}",
    "q Q YY": rf"{_QUARTER}(?:\.|st|nd|rd|th|er|o)? ?{_Q}[ :/.,-]*{_SHORT}",
    "YYYY-Hh": rf"{_YEAR}[ -]?(?:H|HY|S) ?(?P<h>[12])",
    "Hh YYYY": rf"(?:H|HY|S) ?(?P<h>[12])[ /-]{_YEAR}",
    "YYYY-Www": rf"{_YEAR}[ /-]?{_W}{_WEEK}",
    "Www YYYY": rf"{_W}{_WEEK}[ /.,-]+{_YEAR}",
    "Mon DD HH:MM:SS YYYY": rf"{_NAME} {_DAY}{_CLOCKS[' HH:MM:SS']} {_YEAR}",
    "Mon DD HH:MM:SS±zone YYYY": rf"{_NAME} {_DAY}{_CLOCKS[' HH:MM:SS']}{_ZONE} {_YEAR}",
}  # fmt: skip

# Whole numbers that are taken for a time only where nothing else can be, or where the user says so.
_NUMBERS = {
    "YYYY": r"(?P<Y>\d{4})(?:\.0*)?",
    "YYYYMM": r"(?P<Y>\d{4})(?P<m>\d{2})(?:\.0*)?",
    "YYYYWW": r"(?P<Y>\d{4})(?P<w>\d{2})(?:\.0*)?",
    "YYYY.q": rf"{_YEAR}\.{_QUARTER}",
    "YYYY.MM": rf"{_YEAR}\.(?P<m>0[1-9]|1[0-2]?)",
    "YYYYDDD": r"(?P<Y>\d{4})(?P<j>\d{3})(?:\.0*)?",
}
EPOCHS = {"epoch s": 1, "epoch ms": 1_000, "epoch us": 1_000_000, "epoch ns": 1_000_000_000}
SPREADSHEET = ("excel", "excel-1904")

# An interval is dated by its beginning; the slash is that of ISO 8601.
INTERVAL = " - end"
_TO = (r" (?:-|to|till|until|bis|a|au) ", r" ?/ ?")

# Behind a form whose cells state their zone.
ZONE = "±zone"

# Years of two digits are those of a hundred years from here on, as in POSIX; another first year stands in the name.
CENTURY, SINCE = 1969, " from "

# What is left of typography, so that forms are few: accents, dashes, blanks of other kinds, a zone in parentheses.
_PLAIN = (
    (r"\p{Mn}", ""),
    ("ł", "l"),
    ("ø", "o"),
    (r"\p{Pd}|−", "-"),
    (r"\s+", " "),
    (r"^/Date\((\d+)(?:[+-]\d{4})?\)/$", r"\1"),
    (r" \([^()]*\)$", ""),
)


def tidied(text: pa.Array) -> pa.Array:
    """Cells [R] in ASCII letters, single blanks and plain dashes, as the forms are written."""
    if not pc.any(pc.match_substring_regex(text, r"[^0-9A-Za-z:./+, -]|  ")).as_py():
        return text
    text = pc.utf8_normalize(text, "NFKD")
    for pattern, plain in _PLAIN:
        text = pc.replace_substring_regex(text, pattern, plain)
    return pc.ascii_trim_whitespace(text)


@cache
def forms() -> dict[str, str]:
    """Every form of a time that is no mere count, by its name: the regular expression of its cells."""
    found: dict[str, str] = {}
    for day, pattern in _DAYS.items():
        found |= {day + clock: pattern + time for clock, time in {"": "", **_clocks(day)}.items()}
    return found | _PERIODS | _NUMBERS


def _clocks(day: str) -> dict[str, str]:
    """What may follow a form of a day, by name."""
    clocks = _CLOCKS | (_COMPACT_CLOCKS if day == "YYYYMMDD" else {})
    found = clocks | {f"{clock}±zone": pattern + _ZONE for clock, pattern in clocks.items()}
    return found | {f"{clock} AM/PM": pattern + _NOON for clock, pattern in _CLOCKS.items()}


@cache
def _compiled() -> tuple[
    list[tuple[str, re.Pattern[str], list[tuple[str, re.Pattern[str]]]]], dict[str, re.Pattern[str]]
]:
    """The forms of days with what may follow them, and those of periods."""
    clocks = {clock: re.compile(pattern) for day in _DAYS for clock, pattern in _clocks(day).items()}
    days = [
        (day, re.compile(_WEEKDAY + pattern), [(clock, clocks[clock]) for clock in _clocks(day)])
        for day, pattern in _DAYS.items()
    ]
    return days, {
        period: re.compile((_WEEKDAY if "SS" in period else "") + pattern) for period, pattern in _PERIODS.items()
    }


def named_form(date_format: str) -> tuple[str, int] | None:
    """The form of a name, in large letters or small, and the first year of its years of two digits.

    None if there is none.
    """
    name, _, since = date_format.casefold().partition(SINCE)
    name, interval, _ = name.partition(INTERVAL)
    if name not in _by_name() or not re.fullmatch(r"(\d{4})?", since):
        return None
    return _by_name()[name] + interval, int(since or CENTURY)


@cache
def _by_name() -> dict[str, str]:
    """Every form that has a name, by that in small letters."""
    return {form.casefold(): form for form in (*forms(), *EPOCHS, *SPREADSHEET)}


def pattern_of(form: str, weekday: bool = False) -> str:
    """The regular expression of a form, its parts as named groups; before it a weekday, if that is asked for."""
    start, interval, _ = form.partition(INTERVAL)
    end = f"(?:{'|'.join(_TO)}).+" if interval else ""
    return f"^{_WEEKDAY * weekday}{forms()[start]}{end}$"


def with_any_clock(form: str) -> str | None:
    """The regular expression of a form whose time of day may lack seconds, or lack altogether; None of other forms."""
    day, timed, rest = form.partition(" HH:MM")
    if day not in _DAYS or INTERVAL in form:
        return None
    mark = rest.removeprefix(":SS")
    clock = _CLOCKS[" HH:MM:SS"].replace(r":(?P<S>\d{2})", r"(?::(?P<S>\d{2})") + ")?"
    ending = {"": "" if timed else f"(?:{_NOON})?", " AM/PM": _NOON, "±zone": _ZONE}[mark]
    return f"^{_WEEKDAY}{_DAYS[day]}(?:{clock}{ending}){'' if mark == '±zone' else '?'}$"


def orders_of(form: str) -> tuple[str, ...]:
    """The forms that look like this one, the usual ones first; most look like no other."""
    day = re.split("[ ±]", form)[0]
    rest = form.removeprefix(day)
    return next((tuple(order + rest for order in orders) for orders in _ORDERS if day in orders), (form,))


@lru_cache(maxsize=1024)  # a sample of a column is looked at from several sides
def form_of(text: str) -> str | None:
    """The form of one cell, or None where it is no timestamp; of forms that look alike, the first that is possible."""
    days, periods = _compiled()
    for day, pattern, clocks in days:
        if (match := pattern.match(text)) and _is_possible(match.groupdict()):
            rest = text[match.end() :]
            clock = next((name for name, clock in clocks if rest and clock.fullmatch(rest)), None)
            if not rest or (clock and not (text.isdigit() and int(rest[:2]) > 24)):
                return day + (clock or "")
    for period, pattern in periods.items():
        if (match := pattern.fullmatch(text)) and _is_possible(match.groupdict()):
            return period
    return _form_of_interval(text)


def _form_of_interval(text: str) -> str | None:
    for to in _TO:
        begin, *end = re.split(to, text, maxsplit=1)
        form = form_of(begin) if end else None
        if form and (form_of(end[0]) == form or re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", end[0])):
            return form + INTERVAL
    return None


def _is_possible(parts: dict[str, str | None]) -> bool:
    """Whether names are those of a month and a weekday, and numbers within the largest ones."""
    if (parts.get("b") or "jan").lower() not in MONTHS or (parts.get("k") or "mo").lower() not in WEEKDAYS:
        return False
    return len(parts.get("y") or "00") == 2 and all(1 <= int(parts.get(name) or 1) <= most for name, most in _MOST)


def is_iso(form: str) -> bool:
    """Whether a form is that of ISO 8601, which can be meant in one way only."""
    return form.startswith("YYYY-MM-DD") and INTERVAL not in form


def is_period(form: str) -> bool:
    """Whether a form writes a month, a quarter or a week, not a day."""
    return form in _PERIODS


def is_monthly(form: str) -> bool:
    """Whether a form of a month in two digits might as well be a day of a month, or a fraction: 1/08, 08-Jan."""
    return form in ("MM/YY", "YY-Mon")


def is_day(form: str) -> bool:
    """Whether a form, or a format of ``strptime``, writes a day without a time of day."""
    return not re.search(r"%[HIXcTfs]", form) if "%" in form else form.partition(SINCE)[0] in _DAYS


def spelled(form: str) -> str:
    """A form as ``strptime`` spells it, where it can; else its name."""
    hour = "%I" if form.endswith("AM/PM") else "%H"
    text = form.replace(" HH", f" {hour}").replace(":MM", ":%M").replace(":SS", ":%S").replace("AM/PM", "%p")
    text = text.replace("DD", "%d").replace("MM", "%m").replace("Mon", "%b").replace("YYYY", "%Y").replace("YY", "%y")
    text = text.replace("±zone", "%z")
    return form if re.search(r"[A-Za-z±]", re.sub("%[A-Za-z]", "", text)) else text


def infer_form(texts: list[str]) -> str | None:
    """The form of most of these cells, or None where most are no times; of forms that look alike, the usual one."""
    found = Counter(orders_of(form)[0] for form in map(form_of, texts) if form)
    form, count = found.most_common(1)[0] if found else ("", 0)
    if count < len(texts) and all(text.isdigit() for text in texts):
        return None  # a count, some of which look like a date
    return form if count and count * 2 >= len(texts) else None


def infer_count(texts: list[str]) -> str | None:
    """How numbers could count time: ``epoch`` in s, ms, us or ns, ``YYYYMM`` and the like, ``excel``, or not at all."""
    matched = [re.fullmatch(r"(\d{4,19})(?:[.,]\d*)?", text) for text in texts]
    if not texts or not all(matched):
        return None
    for form in ("YYYY.q", "YYYY.MM"):
        if all(1500 <= int(match[1]) <= 2199 and re.match(pattern_of(form), match[0]) for match in matched if match):
            return form
    numbers = [int(match[1]) for match in matched if match]
    low, high = min(numbers), max(numbers)
    for form, unit in EPOCHS.items():
        # 1973 to 2100; smaller counts look like any other measurement
        if low >= 100_000_000 * unit and high <= 4_102_444_800 * unit:
            return form
    for form, within, most in (("YYYYMM", 100, 12), ("YYYYWW", 100, 53), ("YYYYDDD", 1000, 366)):
        if all(1500 <= n // within <= 2199 and 1 <= n % within <= most for n in numbers):
            return form
    if low >= 1000 and high <= 2999:
        return "YYYY"
    return SPREADSHEET[0] if low >= 20_000 and high <= 80_000 else None


def formats_like(text: str) -> list[str]:
    """Formats of ``strptime`` that could read a cell: its first or last three numbers as a date, others as the time."""
    parts = re.split(r"(\d+)", text.replace("%", "%%"))
    n_numbers = len(parts) // 2
    found = []
    for begin, order in product(dict.fromkeys((0, n_numbers - 3)), ("Ymd", "dmY", "mdY", "ymd", "dmy", "mdy")):
        clock = iter("HMSf"[: max(0, n_numbers - 3)])
        codes = [order[i - begin] if 0 <= i - begin < 3 else next(clock, "f") for i in range(n_numbers)]
        if 3 <= n_numbers <= 7:
            found.append("".join(a + b for a, b in zip(parts[::2], [*(f"%{code}" for code in codes), ""], strict=True)))
    return found
