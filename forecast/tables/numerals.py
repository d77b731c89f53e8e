"""Numbers from text: exact, with every cell that is not a number found and explained."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.tables.source import show
from forecast.tables.table import Floats, Table

# How tables write "nothing was measured", in lower case.
MISSING = ("", "-", "--", "?", ".", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "nil", "nat", "(null)")
_COMMA = r"^[+-]?\d+,\d+$"


@dataclass(frozen=True)
class Numbers:
    """A column of R cells read as numbers.

    Args:
        values: Float64 [R], NaN where a cell is missing or no number.
        missing: Which cells are written as missing, [R].
        words: Rows whose cell is neither a number nor missing.
        infinite: Rows whose number is infinite or beyond the range of float64.
        long: Rows whose integer has more digits than any number type keeps.
    """

    values: Floats
    missing: NDArray[np.bool_]
    words: NDArray[np.int64]
    infinite: NDArray[np.int64]
    long: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many cells are numbers."""
        return len(self.values) - int(self.missing.sum()) - len(self.words)


def is_missing(cells: pa.Array) -> NDArray[np.bool_]:
    """Which cells are written as missing, [R]."""
    folded = pc.utf8_lower(pc.ascii_trim_whitespace(cells))
    return pc.is_in(folded, pa.array(MISSING)).to_numpy(zero_copy_only=False)


def parse_numbers(cells: pa.Array, decimal: str = ".", thousands: str = "") -> Numbers:
    """The numbers of a column of text.

    Args:
        cells: R strings.
        decimal: What stands before the fraction.
        thousands: What groups the digits by three; empty for nothing.
    """
    none = np.zeros(0, np.int64)
    if decimal == "." and not thousands:
        try:
            values = pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)
            if np.isfinite(values).all() and (not len(values) or np.abs(values).max() < 1e18):
                return Numbers(values, np.zeros(len(values), bool), none, none, none)
        except pa.ArrowInvalid:
            pass
    trimmed = pc.ascii_trim_whitespace(cells)
    missing = is_missing(trimmed)
    point, group = re.escape(decimal), re.escape(thousands)
    whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)" if thousands else r"\d+"
    number = pc.match_substring_regex(trimmed, rf"^[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$")
    endless = pc.match_substring_regex(trimmed, r"^[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?$")
    plain = trimmed
    if thousands:
        plain = pc.replace_substring(plain, thousands, "")
    if decimal != ".":
        plain = pc.replace_substring(plain, decimal, ".")
    values = pc.cast(pc.if_else(number, plain, pa.scalar(None, pa.string())), pa.float64())
    values = values.to_numpy(zero_copy_only=False).astype(np.float64)
    large = np.flatnonzero(np.abs(values) >= 1e18)
    long = (
        large[[re.fullmatch(r"[+-]?\d{19,}", plain[int(row)].as_py()) is not None for row in large]]
        if len(large)
        else none
    )
    endless = endless.to_numpy(zero_copy_only=False)
    words = ~(missing | number.to_numpy(zero_copy_only=False) | endless)
    return Numbers(values, missing, np.flatnonzero(words), np.flatnonzero(np.isinf(values) | endless), long)


def comma_role(cells: pa.Array, words: NDArray[np.int64]) -> str:
    """What the commas inside these cells are: ``decimal`` for certain, ``unclear``, or empty for neither.

    Args:
        cells: R strings.
        words: Rows that are no plain numbers.
    """
    texts = pc.ascii_trim_whitespace(cells.take(pa.array(words)))
    with_comma = pc.match_substring_regex(texts, _COMMA).to_numpy(zero_copy_only=False)
    if not with_comma.any():
        return ""
    rest = texts.filter(pa.array(~with_comma))
    grouped = pc.match_substring_regex(texts, r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+$").to_numpy(zero_copy_only=False)
    pointed = pc.match_substring(pc.ascii_trim_whitespace(cells), ".").to_numpy(zero_copy_only=False)
    if len(rest) or pointed.any():
        return "unclear" if (with_comma | grouped).mean() > 0.5 else ""
    return "unclear" if grouped[with_comma].all() else "decimal"


def decorated(text: str) -> bool:
    """Whether a cell is a number with a unit, a sign or a currency about it, such as ``12.5 C``."""
    return bool(
        re.fullmatch(
            r"[$€£¥]\s*[-+]?\d[\d.,]*|[-+]?\d[\d.,]*\s*[%°$€£¥][A-Za-z]?|[-+]?\d+(?:\.\d+\s?|\s)[A-Za-z/]{1,5}", text
        )
        or (re.search(r"\d", text) and _foreign(text))
    )


def _foreign(text: str) -> str:
    """The first character that reads like part of a number but is none to a computer."""
    for character in text:
        if character in "\u2212\u2013\u2012\ufe63\uff0d\u00a0\u202f\u2007\u2009":
            return character
        if not character.isascii() and unicodedata.category(character) == "Nd":
            return character
    return ""


def explain(table: Table, row: int, name: str) -> tuple[str, str]:
    """Why a cell is not a number, and the command that makes it one."""
    text = table[name][row].as_py().strip()
    shown = show(text)
    foreign = _foreign(text)
    if foreign and re.search(r"\d", text):
        name = unicodedata.name(foreign).lower()
        with_ascii = "-" if unicodedata.category(foreign) == "Pd" or foreign == "\u2212" else ""
        if unicodedata.category(foreign) == "Nd":
            with_ascii = str(unicodedata.decimal(foreign))
        # A space of another kind would not outlive being copied.
        spelled = "".join(rf"\x{byte:02x}" for byte in foreign.encode()) if foreign.isspace() else foreign
        return (
            f"{shown} contains {name} (U+{ord(foreign):04X}), not ASCII.",
            table.mend(f"sed 's/{spelled}/{with_ascii}/g'"),
        )
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        either = "" if "." in text or text.count(",") > 1 else " (or --decimal , if it is a fraction)"
        return f"{shown} is written with a thousands comma.", table.source.command("--thousands ,") + either
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d*", text):
        return f"{shown} groups its digits by points.", table.source.command("--thousands . --decimal ,")
    if re.fullmatch(r"[+-]?\d+\.\d*", text):
        return f"{shown} has a decimal point where --decimal asks for a comma.", table.source.command("--decimal .")
    if re.fullmatch(_COMMA, text):
        return f"{shown} is written with a decimal comma.", table.source.command("--decimal ,")
    if "%" in text and decorated(text):
        return f"{shown} is a percentage, not a number.", table.mend("sed 's/%//g'")
    sign = re.search(r"[$€£¥]", text)
    if sign and decorated(text):
        return f"{shown} carries a currency.", table.mend(f"sed 's/[{sign[0]}]//g'")
    unit = re.search(r"[A-Za-z°/]+$", text)
    if unit and decorated(text):
        return (
            f"{shown} carries a unit, which belongs into the header.",
            table.mend(rf"sed -E 's/([0-9]) ?{_literal(unit[0])}\b/\1/g'"),
        )
    if text.lower() in ("true", "false"):
        return f"{shown} is a truth value, not a number.", table.mend("sed 's/true/1/gi; s/false/0/gi'")
    missing = "A missing value is written as an empty cell, NA, null, ? or -."
    if not text.isprintable() or len(text) > 30 or re.search(r"\d", text):
        return f"{shown} is not a number.", f"{missing} {table.look(row)}"
    word = re.sub(r"^(?=\w)|(?<=\w)$", r"\\b", _literal(text))
    mended = table.mend(f"sed 's/{word}/NA/g'")
    return f"{shown} is not a number.", f"{missing} {mended}"


def _literal(text: str) -> str:
    """A text as a pattern of ``sed`` that matches it alone, within single quotes."""
    return re.sub(r"([\\/.*\[\]^$])", r"\\\1", text).replace("'", "'\\''")
