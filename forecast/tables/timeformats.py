"""The formats in which tables write time, and which of them a column has."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR, _MONTH, _DAY = r"(?P<y>\d{4})", r"(?P<m>\d{1,2})", r"(?P<d>\d{1,2})"
_NAMED = r"(?P<n>[A-Za-z]{3,9})\.?"
_WEEKDAY = r"(?:[A-Za-z]{3,9},? )?"

# Words of the format -> pattern. `a` and `b` are a day and a month whose order the whole column decides.
_DATES = {
    "YYYY-MM-DD": rf"{_YEAR}-{_MONTH}-{_DAY}",
    "YYYY/MM/DD": rf"{_YEAR}/{_MONTH}/{_DAY}",
    "YYYY.MM.DD": rf"{_YEAR}\.{_MONTH}\.{_DAY}",
    "DD-MM-YYYY": rf"(?P<a>\d{{1,2}})-(?P<b>\d{{1,2}})-{_YEAR}",
    "DD/MM/YYYY": rf"(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})/{_YEAR}",
    "DD.MM.YYYY": rf"(?P<a>\d{{1,2}})\.(?P<b>\d{{1,2}})\.{_YEAR}",
    "DD Mon YYYY": rf"{_WEEKDAY}{_DAY}[ /.-]*{_NAMED}[ /.,-]*{_YEAR}",
    "Mon DD, YYYY": rf"{_WEEKDAY}{_NAMED}[ /.-]*{_DAY},? {_YEAR}",
    "YYYY-Mon-DD": rf"{_YEAR}[ /-]{_NAMED}[ /-]{_DAY}",
    "YYYYMMDD": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
}
_TIMES = {
    "": "",
    " HH:MM": r"(?:[ T]|  )(?P<H>\d{1,2}):(?P<M>\d{2})",
    " HH:MM:SS": r"(?:[ T]|  )(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?",
    " HH": r"[ T](?P<H>\d{1,2})",
}
_COARSE = {
    "YYYYMMDDHH": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[T_]?(?P<H>\d{2})",
    "YYYYMMDDHHMM": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[ T_]?(?P<H>\d{2})(?P<M>\d{2})",
    "YYYYMMDDHHMMSS": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[ T_]?(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})",
    "YYYY-MM": rf"{_YEAR}[-/]{_MONTH}",
    "YYYY-Mon": rf"{_YEAR}[ /-]{_NAMED}",
    "Mon YYYY": rf"{_NAMED}[ /.,-]+{_YEAR}",
    "YYYYMmm": rf"{_YEAR}M{_MONTH}",
    "YYYY-Qq": rf"{_YEAR}[ -]?Q(?P<q>[1-4])",
    "YYYY-Www": rf"{_YEAR}-?W(?P<w>\d{{2}})",
    "YYYY-DDD": rf"{_YEAR}-(?P<j>\d{{3}})",
}
_ZONE = r" ?(?P<z>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_NOON = r" ?(?P<p>[AaPp])\.?[Mm]\.?"


@cache
def formats() -> dict[str, re.Pattern[str]]:
    """Every format in words -> its pattern, the likely ones first."""
    formats = {}
    for date, day in _DATES.items():
        for clock, time in _TIMES.items():
            formats[date + clock] = day + time
            if clock:
                formats[f"{date}{clock} AM/PM"] = day + time + _NOON
                formats[f"{date}{clock}±zone"] = day + time + _ZONE
    formats |= _COARSE
    formats |= {f"{words}±zone": _COARSE[words] + _ZONE for words in ("YYYYMMDDHHMM", "YYYYMMDDHHMMSS")}
    return {words: re.compile(f"^{pattern}$") for words, pattern in formats.items()}


def format_of(text: str) -> str | None:
    """The format of one cell in words, or None where it is no timestamp."""
    for words, pattern in formats().items():
        found = pattern.match(text)
        if found and text.isascii():
            parts = found.groupdict()
            if "n" in parts and parts["n"].lower()[:3] not in MONTHS:
                continue
            # A run of digits is a date only where its month and day can be.
            if text.isdigit() and not (
                1 <= int(parts["m"]) <= 12 and 1 <= int(parts["d"]) <= 31 and text[:2] in ("18", "19", "20", "21")
            ):
                continue
            if text.isdigit() and int(parts.get("H") or 0) > 24:
                continue
            return words
    return None


def directives(words: str) -> str:
    """A format of day, month and year in words, as ``strptime`` spells it."""
    hour = "%I" if words.endswith("AM/PM") else "%H"
    spelled = words.replace(" HH", f" {hour}").replace(":MM", ":%M").replace(":SS", ":%S").replace("AM/PM", "%p")
    return spelled.replace("DD", "%d").replace("MM", "%m").replace("YYYY", "%Y").replace("±zone", "%z")


def guess(texts: list[str]) -> str | None:
    """The format of most of these cells in words, or None where most are no timestamps."""
    if not texts:
        return None
    words, count = Counter(map(format_of, texts)).most_common(1)[0]
    return words if count * 2 >= len(texts) else None


def guess_number(texts: list[str]) -> str | None:
    """How numbers could count time: ``epoch`` in s, ms, us or ns, ``YYYYMM``, ``YYYY``, ``serial``, or not at all."""
    matched = [re.fullmatch(r"(\d{4,19})(?:\.\d*)?", text) for text in texts]
    if not texts or not all(matched):
        return None
    numbers = [int(found[1]) for found in matched if found]
    low, high = min(numbers), max(numbers)
    for words, unit in (("epoch s", 1), ("epoch ms", 1_000), ("epoch us", 1_000_000), ("epoch ns", 1_000_000_000)):
        # 1973 to 2100; smaller counts look like any other measurement
        if low >= 100_000_000 * unit and high <= 4_102_444_800 * unit:
            return words
    if all(1000 <= n // 100 <= 2999 and 1 <= n % 100 <= 12 for n in numbers):
        return "YYYYMM"
    if low >= 1000 and high <= 2999:
        return "YYYY"
    return "serial" if low >= 20_000 and high <= 80_000 else None
