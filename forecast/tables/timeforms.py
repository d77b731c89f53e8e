"""The forms in which tables write time, and which of them a column has."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

# Names of columns that hold a time.
TIMELIKE = re.compile(
    r"date|time|stamp|year|epoch|period|datum|zeit|fecha|heure|^(ds|dt|ts|t|day|month|unix|utc)$", re.I
)

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# Parts of a time: y, m, d, H, M, S and f as in `strptime`; n is a month's name, p the first letter of AM or PM, z a
# zone, q a quarter, w an ISO week, j a day of the year; a and b are day and month in an order that the column decides.
_YEAR, _MONTH, _DAY, _NAME = r"(?P<y>\d{4})", r"(?P<m>\d{1,2})", r"(?P<d>\d{1,2})", r"(?P<n>[A-Za-z]{3,9})\.?"
_DAY_FIRST = r"(?P<a>\d{1,2})%(?P<b>\d{1,2})%(?P<y>\d{4})"
_WEEKDAY = r"(?:[A-Za-z]{3,9},? )?"
_DIGITS = r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"

_DATES = {
    "YYYY-MM-DD": rf"{_YEAR}-{_MONTH}-{_DAY}",
    "YYYY/MM/DD": rf"{_YEAR}/{_MONTH}/{_DAY}",
    "YYYY.MM.DD": rf"{_YEAR}\.{_MONTH}\.{_DAY}",
    "DD-MM-YYYY": _DAY_FIRST.replace("%", "-"),
    "DD/MM/YYYY": _DAY_FIRST.replace("%", "/"),
    "DD.MM.YYYY": _DAY_FIRST.replace("%", r"\."),
    "DD Mon YYYY": rf"{_WEEKDAY}{_DAY}[ /.-]*{_NAME}[ /.,-]*{_YEAR}",
    "Mon DD, YYYY": rf"{_WEEKDAY}{_NAME}[ /.-]*{_DAY},? {_YEAR}",
    "YYYY-Mon-DD": rf"{_YEAR}[ /-]{_NAME}[ /-]{_DAY}",
    "YYYYMMDD": _DIGITS,
}
_TIMES = {
    " HH:MM": r"(?:[ T]|  )(?P<H>\d{1,2}):(?P<M>\d{2})",
    " HH:MM:SS": r"(?:[ T]|  )(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?",
    " HH": r"[ T](?P<H>\d{1,2})",
}
_OTHERS = {
    "YYYYMMDDHH": rf"{_DIGITS}[T_]?(?P<H>\d{{2}})",
    "YYYYMMDDHHMM": rf"{_DIGITS}[ T_]?(?P<H>\d{{2}})(?P<M>\d{{2}})",
    "YYYYMMDDHHMMSS": rf"{_DIGITS}[ T_]?(?P<H>\d{{2}})(?P<M>\d{{2}})(?P<S>\d{{2}})",
    "YYYY-MM": rf"{_YEAR}[-/]{_MONTH}",
    "YYYY-Mon": rf"{_YEAR}[ /-]{_NAME}",
    "Mon YYYY": rf"{_NAME}[ /.,-]+{_YEAR}",
    "YYYYMmm": rf"{_YEAR}M{_MONTH}",
    "YYYY-Qq": rf"{_YEAR}[ -]?Q(?P<q>[1-4])",
    "YYYY-Www": rf"{_YEAR}-?W(?P<w>\d{{2}})",
    "YYYY-DDD": rf"{_YEAR}-(?P<j>\d{{3}})",
}
_ZONE = r" ?(?P<z>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_NOON = r" ?(?P<p>[AaPp])\.?[Mm]\.?"

# Whole numbers that are taken for a time only where nothing else can be, or where the user says so.
_NUMBERS = {"YYYY": r"(?P<y>\d{4})(?:\.0*)?", "YYYYMM": r"(?P<y>\d{4})(?P<m>\d{2})(?:\.0*)?"}


@cache
def forms() -> dict[str, re.Pattern[str]]:
    """Every form of a timestamp by its name, the likely ones first."""
    patterns: dict[str, str] = {}
    for date, day in _DATES.items():
        patterns[date] = day
        for clock, time in _TIMES.items():
            patterns[date + clock] = day + time
            patterns[f"{date}{clock} AM/PM"] = day + time + _NOON
            patterns[f"{date}{clock}±zone"] = day + time + _ZONE
    patterns |= _OTHERS
    patterns |= {f"{name}±zone": _OTHERS[name] + _ZONE for name in ("YYYYMMDDHHMM", "YYYYMMDDHHMMSS")}
    return {name: re.compile(f"^{pattern}$") for name, pattern in patterns.items()}


def pattern_of(form: str) -> str:
    """The regular expression of a form, its parts as named groups."""
    return f"^{_NUMBERS[form]}$" if form in _NUMBERS else forms()[form].pattern


def form_of(text: str) -> str | None:
    """The form of one cell, or None where it is no timestamp."""
    for form, pattern in forms().items():
        match = pattern.match(text)
        if match and text.isascii() and _is_possible(text, match.groupdict()):
            return form
    return None


def _is_possible(text: str, parts: dict[str, str | None]) -> bool:
    """Whether a month's name is one, and a run of digits is a date whose month, day and hour can be."""
    if not text.isdigit():
        return (parts.get("n") or "jan").lower()[:3] in MONTHS
    month, day, hour = (int(parts[name] or 0) if name in parts else 1 for name in "mdH")
    return 1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and text[:2] in ("18", "19", "20", "21")


def directives(form: str) -> str:
    """A form of day, month and year, as ``strptime`` spells it."""
    hour = "%I" if form.endswith("AM/PM") else "%H"
    spelled = form.replace(" HH", f" {hour}").replace(":MM", ":%M").replace(":SS", ":%S").replace("AM/PM", "%p")
    return spelled.replace("DD", "%d").replace("MM", "%m").replace("YYYY", "%Y").replace("±zone", "%z")


def infer_form(texts: list[str]) -> str | None:
    """The form of most of these cells, or None where most are no timestamps."""
    if not texts:
        return None
    form, count = Counter(map(form_of, texts)).most_common(1)[0]
    return form if count * 2 >= len(texts) else None


def infer_count(texts: list[str]) -> str | None:
    """How numbers could count time: ``epoch`` in s, ms, us or ns, ``YYYYMM``, ``YYYY``, ``serial``, or not at all."""
    matched = [re.fullmatch(r"(\d{4,19})(?:\.\d*)?", text) for text in texts]
    if not texts or not all(matched):
        return None
    numbers = [int(match[1]) for match in matched if match]
    low, high = min(numbers), max(numbers)
    for form, unit in (("epoch s", 1), ("epoch ms", 1_000), ("epoch us", 1_000_000), ("epoch ns", 1_000_000_000)):
        # 1973 to 2100; smaller counts look like any other measurement
        if low >= 100_000_000 * unit and high <= 4_102_444_800 * unit:
            return form
    if all(1000 <= n // 100 <= 2999 and 1 <= n % 100 <= 12 for n in numbers):
        return "YYYYMM"
    if low >= 1000 and high <= 2999:
        return "YYYY"
    return "serial" if low >= 20_000 and high <= 80_000 else None
