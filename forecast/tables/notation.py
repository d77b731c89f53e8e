"""How the cells of a column are written: with grouped digits, K and M, a unit, parentheses, or as yes and no.

A column is inferred as a whole: what can mean two things in one cell, as ``1,234`` can, is often certain beside the
others. What stays in doubt is no number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.tables.input import MISSING, Notation
from forecast.tables.table import Bools, Floats, Ints

# Words for yes and no in lower case; those that are words of other things, too, only where both occur.
_TRUTHS = (("true", "false"), ("yes", "no"), ("wahr", "falsch"), ("vrai", "faux"), ("verdadero", "falso"))
_TRUTHS_IN_PAIRS = (("on", "off"), ("ja", "nein"), ("oui", "non"), ("sí", "no"), ("si", "no"), ("y", "n"), ("t", "f"),
                    ("j", "n"))  # fmt: skip

_SCALES = {"k": 3, "K": 3, "m": 6, "M": 6, "MM": 6, "mn": 6, "mln": 6, "Mio": 6, "Mio.": 6, "b": 9, "B": 9, "bn": 9,
           "Bn": 9, "bln": 9, "Mrd": 9, "Mrd.": 9, "t": 12, "T": 12, "tn": 12, "Tn": 12}  # fmt: skip

# Alone in a column these are metres, bits and tonnes as well.
_ALSO_UNITS = ("m", "b", "t")

_CURRENCY = (
    r"[$€£¥₹₩₽₺]|(?:US|A|C|NZ|HK|S|R)\$|USD|EUR|GBP|CHF|JPY|CNY|CAD|AUD|NZD|SEK|NOK|DKK|INR|BRL|MXN|PLN|CZK|HUF|TRY|ZAR|"
    r"SGD|HKD|KRW|RUB|ILS|THB|[kK]r\.?|Rs\.?"
)

_BLANK = r"[ \x{a0}\x{2007}\x{2009}\x{202f}]"

# Currencies of lands that group thousands by commas.
_THOUSANDS_COMMAS = ("$", "US$", "C$", "A$", "£", "¥", "₹", "₩", "USD", "GBP", "JPY", "CNY", "INR", "KRW", "CAD", "AUD")

# A number with what may stand about it. A unit holds digits only as powers: m2, W/m2.
_CELL = (
    rf"^(?P<open>\(?){_BLANK}*(?P<sign>[+-]?)(?P<before>(?:{_CURRENCY})?){_BLANK}*(?P<inner>[+-]?)"
    r"(?P<body>\d[\d.,'’]*|[.,]\d+)(?P<power>(?:[eE][+-]?\d+)?)(?P<behind>-?)(?P<gap>[ \x{a0}\x{202f}]?)"
    r"(?P<after>(?:[^\d\s.,:;()+'’–-][23]?(?:[A-Za-z][23]|[^\d():;,]){0,12})?)(?P<close>\)?)$"
)

# Fewer numbers from 100 to 999 beside others such as 1,234 may be chance.
_FEWEST_HUNDREDS = 5

# More different ones than these are no codes, such as 3M and 6M.
_MOST_CODES = 12

# Cells that come as often as this on average are looked at word by word first.
_FEWEST_REPEATS = 4

# What stands about the numbers of a column is the same in most cells; more kinds than this are something else.
_MOST_KINDS = 50


@dataclass(frozen=True)
class Numbers:
    """A column of R cells read as numbers.

    Args:
        values: Float64 [R], NaN where a cell is missing or no number.
        missing: Which cells are written as missing, [R].
        others: Rows whose cell is neither a number nor missing.
        infinite: Rows whose number is infinite or beyond the range of float64.
        too_long: Rows whose integer has more digits than any number type keeps.
    """

    values: Floats
    missing: Bools
    others: Ints
    infinite: Ints
    too_long: Ints

    @property
    def count(self) -> int:
        """How many cells are numbers."""
        return len(self.values) - int(self.missing.sum()) - len(self.others)


def is_missing(cells: pa.Array) -> Bools:
    """Which cells are written as missing, [R]."""
    folded = pc.utf8_lower(pc.ascii_trim_whitespace(cells))
    return pc.is_in(folded, pa.array(MISSING)).to_numpy(zero_copy_only=False)


def without_words(cells: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """The cells, empty where they hold one of these words."""
    if not words:
        return cells
    return pc.if_else(pc.is_in(pc.utf8_trim_whitespace(cells), pa.array(words)), "", cells)


def parse_numbers(cells: pa.Array, decimal: str = ".", thousands: str = "") -> Numbers:
    """The numbers of a column of text without anything about them.

    Args:
        cells: R strings.
        decimal: What stands before the fraction.
        thousands: What groups the digits by three; empty for nothing.
    """
    if decimal == "." and not thousands:
        none, empty = np.zeros(0, np.int64), pc.equal(cells, "")
        missing = empty.to_numpy(zero_copy_only=False)
        try:
            given = pc.if_else(empty, None, cells) if missing.any() else cells
            values = pc.cast(given, pa.float64()).to_numpy(zero_copy_only=False)
            if ((np.abs(values) < 1e18) | missing).all():
                return Numbers(values, missing, none, none, none)
        except pa.ArrowInvalid:
            pass  # a cell is missing by a word, or no plain number
    trimmed = pc.ascii_trim_whitespace(cells)
    if thousands == " ":
        trimmed = _ungrouped(trimmed)
    number = _matches(trimmed, rf"^[+-]?{_digits(decimal, thousands)}(?:[eE][+-]?\d+)?$")
    return _as_numbers(trimmed, _plain(trimmed, decimal, thousands), number)


def parse_as(cells: pa.Array, notation: Notation) -> Numbers:
    """The numbers of a column in a notation; a cell in another one is none.

    Args:
        cells: R strings.
        notation: How the column is written.
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    if notation.truth:
        values = _truths(trimmed)
        return _as_numbers(trimmed, values, values.is_valid().to_numpy(zero_copy_only=False))
    parts = _divide(_ungrouped(trimmed) if notation.thousands == " " else trimmed)
    scale = parts.look_up(lambda about: _meaning(about, notation.scaled)[0]).astype(np.int64)
    unit = parts.look_up(lambda about: _meaning(about, notation.scaled)[1])
    is_zero = ~_matches(parts.body, "[1-9]")
    fits = parts.fits & ((unit == notation.unit) | ((unit == "") & is_zero))
    fits &= _matches(parts.body, f"^{_digits(notation.decimal, notation.thousands)}$")
    fits &= (scale == 0) | ~_matches(parts.power, "e|E")
    fits &= ~parts.minus_behind | notation.minus_behind
    sign = pc.if_else(pa.array(parts.negative), "-", "")
    power = pc.if_else(pa.array(scale > 0), pa.array([f"e{exponent}" for exponent in scale]), parts.power)
    digits = _plain(parts.body, notation.decimal, notation.thousands)
    return _as_numbers(trimmed, pc.binary_join_element_wise(sign, digits, power, ""), fits)


def infer_notation(name: str, cells: pa.Array, given: tuple[str, str] | None) -> tuple[Notation, bool] | None:
    """How a column is written that is no plain numbers, and whether its decimal mark is certain.

    Args:
        name: Its name.
        cells: R strings.
        given: The decimal and the thousands mark, if they are not to be inferred.

    Returns:
        None if most cells are no numbers of one kind.
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    if _are_truths(trimmed):
        return Notation(name, truth=True), True
    if given and given[1] == " ":
        trimmed = _ungrouped(trimmed)
    n_present = int(np.count_nonzero(~is_missing(trimmed)))
    if _are_words(trimmed, n_present):
        return None
    parts = _divide(trimmed)
    counts = parts.count()
    n_numbers = sum(counts.values())
    if n_numbers * 2 <= n_present:
        return None
    scaled = _multiplies(name, parts, counts)
    units: Counter[str] = Counter()
    for about, count in counts.items():
        units[_meaning(about, scaled)[1]] += count
    unit = next((unit for unit, count in units.items() if count * 2 > n_numbers), "")
    of_kind = parts.fits & (parts.look_up(lambda about: _meaning(about, scaled)[1]) == unit)
    bodies = parts.body.filter(pa.array(of_kind))
    if unit.isalpha() and not any(about.gap for about in counts) and not _matches(bodies, "[.,]").any():
        return None  # 12A and 13A are codes
    marks = given or infer_marks(bodies)
    if marks == IN_DOUBT and unit in _THOUSANDS_COMMAS:
        marks = ".", ","
    decimal, thousands = marks if marks and marks != IN_DOUBT else (".", "")
    minus_behind = bool(np.count_nonzero(of_kind & parts.minus_behind) > 1)  # a single one may be a slip
    return Notation(name, decimal, thousands, unit, scaled, minus_behind), marks != IN_DOUBT


# The marks of a column where no cell tells whether 1,234 is about one or about a thousand.
IN_DOUBT = ("", "")


def infer_marks(bodies: pa.Array) -> tuple[str, str] | None:
    """The decimal and the thousands mark of numbers, `IN_DOUBT`, or None where cells contradict each other."""

    def some(*patterns: str) -> bool:
        return any(_matches(bodies, f"^{pattern}$").any() for pattern in patterns)

    if some(".*['’].*"):
        return "," if some(".*,.*") else ".", "'" if some(".*'.*") else "’"
    # A mark before three digits may be either; one before two, or behind another mark, or twice, can be only one.
    fraction = r"(?:\d*{0}(?:\d{{0,2}}|\d{{4,}})|0?{0}\d*|\d{{4,}}{0}\d*)"
    grouped = r"\d{{1,3}}(?:{0}\d{{2,3}})+{0}\d{{3}}(?:{1}\d*)?|\d{{1,3}}{0}\d{{3}}{1}\d*"
    point, comma = fraction.format(r"\."), fraction.format(",")
    grouped_by_comma, grouped_by_point = grouped.format(",", r"\."), grouped.format(r"\.", ",")
    is_point, is_comma = some(point, grouped_by_comma), some(comma, grouped_by_point)
    if is_point and is_comma:
        return None
    n_commas = np.count_nonzero(_matches(bodies, ","))
    if is_point and n_commas == 1 and not some(grouped_by_comma):
        return None  # a single 1,234 among 0.5 and 1.5 may be a slip
    if is_point or is_comma:
        return (".", ",") if is_point else (",", ".")
    if n_commas:
        # Hundreds without a fraction beside fractions of three digits would be odd: those are thousands.
        n_hundreds = np.count_nonzero(_matches(bodies, r"^[1-9]\d\d$"))
        if min(n_commas, n_hundreds) >= _FEWEST_HUNDREDS and n_hundreds >= 0.05 * len(bodies):
            return ".", ","
        return None if some(r".*\..*") else IN_DOUBT
    return ".", ""


def _multiplies(name: str, parts: _Parts, counts: Mapping[_About, int]) -> bool:
    """Whether K, M, B and T behind the numbers of a column multiply them, and are no units."""
    scales = {about: count for about, count in counts.items() if _meaning(about, scaled=True)[0]}
    n_scaled = sum(scales.values())
    plain = parts.body.filter(pa.array(parts.fits & (parts.look_up(lambda about: about.after) == "")))
    if n_scaled < 2 or (2 * n_scaled < sum(counts.values()) and not _matches(plain, r"^\d{1,3}(?:\.\d*)?$").all()):
        return False
    exponents = {_meaning(about, scaled=True)[0] for about in scales}
    if len(exponents) > 1:
        return True
    if _matches(plain, "[1-9]").any() and exponents != {3}:
        return False  # from hundreds on, thousands come first: B, M and T are flags here
    if any(len(about.after.split()[0]) > 1 for about in scales):
        return True  # mn, bn, Mrd
    is_kelvin = any(about.after == "K" for about in scales) and re.search("temp|kelvin", name, re.I) is not None
    may_be_unit = is_kelvin or any(about.gap or about.after in _ALSO_UNITS for about in scales)
    may_be_code = pc.count_distinct(parts.body).as_py() <= _MOST_CODES and not _matches(parts.body, "[.,]").any()
    return not (may_be_unit or may_be_code)


class _About(NamedTuple):
    """What stands about a number."""

    before: str
    gap: str
    after: str


@cache
def _meaning(about: _About, scaled: bool) -> tuple[int, str]:
    """The power of ten and the unit that stand about a number."""
    after = about.after.strip()
    if scaled:
        for scale in sorted(_SCALES, key=len, reverse=True):
            rest = after[len(scale) :].strip()
            if after.startswith(scale) and (not rest or re.fullmatch(_CURRENCY, rest)):
                return _SCALES[scale], about.before or rest
    return 0, f"{about.before}{after}"


@dataclass(frozen=True)
class _Parts:
    """Cells [R] divided into a number and what stands about it.

    Args:
        fits: Which cells can be so divided, [R].
        negative: Which numbers are negative, [R].
        minus_behind: Which have their minus behind them, [R].
        body: Their digits and marks, [R] strings; empty where a cell does not fit.
        power: Their power of ten as ``e5``, [R] strings.
        kinds: What stands about numbers, each kind once.
        codes: The kind of each cell, [R].
    """

    fits: Bools
    negative: Bools
    minus_behind: Bools
    body: pa.Array
    power: pa.Array
    kinds: tuple[_About, ...]
    codes: Ints

    def count(self) -> dict[_About, int]:
        """How many cells have each kind."""
        counts = np.bincount(self.codes[self.fits], minlength=len(self.kinds))
        return {kind: int(count) for kind, count in zip(self.kinds, counts, strict=True) if count}

    def look_up(self, of_kind: Callable[[_About], object]) -> NDArray[Any]:
        """A value for each kind, as each cell has it, [R]."""
        return np.array([of_kind(kind) for kind in self.kinds])[self.codes]


def _divide(trimmed: pa.Array) -> _Parts:
    # As accountants write it: $ (4.25), and $ - for nothing.
    trimmed = pc.replace_substring_regex(trimmed, rf"^({_CURRENCY}){_BLANK}*\(", r"(\1")
    trimmed = pc.replace_substring_regex(trimmed, rf"^({_CURRENCY}){_BLANK}*-$", r"\10")
    found = pc.extract_regex(trimmed, _CELL)
    part = {name: pc.fill_null(found.field(name), "") for name in ("open", "sign", "before", "inner", "body", "power",
                                                                   "behind", "gap", "after", "close")}  # fmt: skip
    has = {name: _matches(part[name], pattern) for name, pattern in
           {"open": ".", "close": ".", "sign": "-", "inner": "-", "behind": "-", "after": "."}.items()}  # fmt: skip
    fits = found.is_valid().to_numpy(zero_copy_only=False) & (has["open"] == has["close"])
    negative = has["open"].astype(int) + has["sign"] + has["inner"] + has["behind"]
    fits &= negative <= 1
    gap = pc.if_else(pa.array(has["after"]), part["gap"], "")
    about = pc.dictionary_encode(pc.binary_join_element_wise(part["before"], gap, part["after"], "\t"))
    kinds = tuple(_About(*text.split("\t")) for text in about.dictionary.to_pylist())
    codes = about.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if len(kinds) > _MOST_KINDS:
        fits = np.zeros(len(fits), bool)
    return _Parts(fits, negative > 0, has["behind"], part["body"], part["power"], kinds, codes)


def _are_words(trimmed: pa.Array, n_present: int) -> bool:
    """Whether cells that often come again are mostly no numbers: each is looked at once, which is soon told."""
    words = pc.value_counts(trimmed)
    if len(words) * _FEWEST_REPEATS > len(trimmed):
        return False
    counts = words.field("counts").to_numpy()
    return bool(counts[_divide(words.field("values")).fits].sum() * 2 <= n_present)


def _are_truths(trimmed: pa.Array) -> bool:
    """Whether all cells say yes or no in the words of one language, or are 1 and 0 beside such words."""
    folded = pc.unique(pc.utf8_lower(trimmed.filter(pa.array(~is_missing(trimmed)))))
    words = set(folded.slice(0, 5).to_pylist()) - {"0", "1"}
    if len(folded) > 4 or not words:
        return False
    return any(words <= set(pair) for pair in _TRUTHS) or any(words == set(pair) for pair in _TRUTHS_IN_PAIRS)


def _truths(trimmed: pa.Array) -> pa.Array:
    """Yes and no as ``1`` and ``0``, other cells as null."""
    pairs = (*_TRUTHS, *_TRUTHS_IN_PAIRS)
    values = {"1": "1", "0": "0"} | {yes: "1" for yes, _ in pairs} | {no: "0" for _, no in pairs}
    at = pc.index_in(pc.utf8_lower(trimmed), pa.array(list(values)))
    return pa.array(list(values.values())).take(at)


def _plain(digits: pa.Array, decimal: str, thousands: str) -> pa.Array:
    digits = pc.replace_substring(digits, thousands, "") if thousands.strip() else digits
    return pc.replace_substring(digits, decimal, ".") if decimal != "." else digits


def _ungrouped(trimmed: pa.Array) -> pa.Array:
    """Cells without blanks between groups of three digits."""
    for _ in range(2):  # of overlapping groups, every second is found
        trimmed = pc.replace_substring_regex(trimmed, rf"(\d){_BLANK}(\d{{3}})", r"\1\2")
    return trimmed


def _digits(decimal: str, thousands: str) -> str:
    """The pattern of a number's digits, grouped by threes or not at all."""
    point, group = re.escape(decimal), re.escape(thousands.strip())
    whole = rf"(?:\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}|\d+)" if group else r"\d+"  # India has 12,34,567
    return rf"(?:{whole}(?:{point}\d*)?|{point}\d+)"


def _matches(cells: pa.Array, pattern: str) -> Bools:
    return pc.match_substring_regex(cells, pattern).to_numpy(zero_copy_only=False)


def _as_numbers(trimmed: pa.Array, plain: pa.Array, fits: Bools) -> Numbers:
    """Numbers from cells [R] that are written plainly, where they fit."""
    missing = is_missing(trimmed)
    endless = _matches(trimmed, r"^[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?$")
    plain = pc.if_else(pa.array(fits), plain, pa.scalar(None, pa.string()))
    values = pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    large = np.flatnonzero(np.abs(values) >= 1e18)
    too_long = [row for row in large if re.fullmatch(r"[+-]?\d{19,}", plain[int(row)].as_py())]
    infinite = np.flatnonzero(np.isinf(values) | endless)
    return Numbers(values, missing, np.flatnonzero(~(missing | fits | endless)), infinite, np.array(too_long, np.int64))
