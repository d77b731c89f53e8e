"""Times that are written by their parts: each cell is taken apart by the form of its column, strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote
from forecast.tables import explain
from forecast.tables.calendar import SECOND, dates, first_of_century, refuse_far, time_of_day
from forecast.tables.monthnames import MONTHS, WEEKDAYS
from forecast.tables.table import Ints, Times
from forecast.tables.timecells import Cells, TimeColumn, fields_of, microseconds_of, numbers_of
from forecast.tables.timeforms import CENTURY, INTERVAL, SINCE, pattern_of, spelled, tidied, with_any_clock
from forecast.tables.zone_rules import zone_of_offsets

# Minutes ahead of UTC of the zones that cells name.
_ZONES = {"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "MEZ": 60, "CEST": 120, "MESZ": 120}
_ZONES |= {"EET": 120, "EEST": 180, "MSK": 180, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720}
_ZONES |= {"NZDT": 780, "EST": -300, "EDT": -240, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420}

# Names that several zones have: the name beside which one is meant, its minutes, and a place where it may be.
_SHARED = {
    "CST": ("CDT", -360, "America/Chicago"),
    "BST": ("GMT", 60, "Europe/London"),
    "IST": ("GMT", 60, "Asia/Kolkata"),
}


@dataclass(frozen=True)
class Parts:
    """The parts of each cell by name, as text, what form they have, and what was mended."""

    text: dict[str, pa.Array]
    form: str
    warnings: tuple[str, ...] = ()

    def ordered(self, form: str) -> Parts:
        """The same parts in the order of another form."""
        names = dict(zip(_part_names(self.form), _part_names(form), strict=True))
        return replace(self, text={names.get(name, name): text for name, text in self.text.items()}, form=form)


def read_iso(text: pa.Array, form: str) -> Times | None:
    """Timestamps of a plain ISO form, ten times as fast; None where a cell needs a closer look (24:00, second 60 …)."""
    width = {"YYYY-MM-DD": 10, "YYYY-MM-DD HH:MM": 16, "YYYY-MM-DD HH:MM:SS": 19}.get(form)
    # Arrow takes every ISO form at once; only cells of one width are of one form.
    if width is None or not pc.all(pc.equal(pc.binary_length(text), width)).as_py():
        return None
    try:
        times: Times = pc.cast(text, pa.timestamp("us")).to_numpy(zero_copy_only=False).astype("datetime64[us]")
    except pa.ArrowInvalid:
        return None
    return times if (times >= np.datetime64("0001-01-01")).all() else None


def _part_names(form: str) -> list[str]:
    return list(re.compile(pattern_of(form)).groupindex)


def split_cells(cells: Cells, form: str, asked: bool = False) -> Parts:
    """The parts of each cell; some may lack the time of day, which spreadsheets drop at midnight, or its seconds."""
    tidy = tidied(cells.text)
    found = pc.extract_regex(tidy, pattern_of(form))
    if found.null_count:
        found = pc.extract_regex(tidy, pattern_of(form, weekday=True))
    if not found.null_count:
        return Parts(fields_of(found), form)
    failed = int(np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))[0])
    if asked:
        refusal = DataError(f"{cells.at(failed)} does not have the format {quote(form)}.", "Correct the row.")
    else:
        refusal = explain.other_form(cells.table, cells.columns, cells.written, failed, form)
    loose = with_any_clock(form)
    found = pc.extract_regex(tidy, loose) if loose else found
    if found.null_count:
        raise refusal
    text = fields_of(found)
    bare, full = (int(pc.sum(pc.equal(text[part], "")).as_py()) for part in "HS")
    # Whoever leaves midnight out writes no 00:00.
    if not asked and bare and (bare * 2 > len(tidy) + 1 or _says_midnight(text)):
        raise refusal
    day, timed, rest = form.partition(" HH:MM")
    if not timed and pc.any(pc.not_equal(text["p"], "")).as_py():
        rest = " AM/PM"
    seconds = ":SS" if full < len(tidy) else ""
    mended: tuple[str, ...] = (f"{bare:,} date(s) without a time of day are read as midnight.",) if bare else ()
    if seconds and full > bare:
        mended += (f"{full - bare:,} time(s) without seconds are read as full minutes.",)
    return Parts(text, f"{day} HH:MM{seconds}{rest.removeprefix(':SS')}", mended)


def _says_midnight(text: Mapping[str, pa.Array]) -> bool:
    """Whether a cell with a time of day says 00:00."""
    said = pc.not_equal(text["H"], "").to_numpy(zero_copy_only=False)
    hour, minute, second = (numbers_of(text[part]) for part in "HMS")
    zero = (hour == 12) & pc.is_in(text["p"], pa.array(["a", "A"])) if "p" in text else hour == 0
    return bool((said & np.asarray(zero) & (minute == 0) & (second == 0)).any())


def times_of(cells: Cells, split: Parts, since: int | None = None) -> TimeColumn:
    """Timestamps from the parts of each cell, checked against the calendar and the clock.

    Args:
        cells: For messages.
        split: Their parts.
        since: The first of the hundred years that years of two digits may be; None infers it.
    """
    text, form = split.text, split.form
    parts = {name: numbers_of(text[name]) for name in "YymdqhswujHMS" if name in text}
    notes: tuple[str, ...] = ()
    date_format = None
    if form == "YYYY.MM":  # numbers lose the last zero of October: 2008.1
        parts["m"] = numbers_of(pc.utf8_rpad(text["m"], 2, "0"))
        date_format = form
    if "s" in parts:
        notes = ("Seasons such as 1999/00, whose second year always is the next, are dated by their first year.",)
    if "y" in parts:
        cells.refuse_where(pc.utf8_length(text["y"]).to_numpy(zero_copy_only=False) != 2, "has no year of two digits")
        since = first_of_century(parts["y"]) if since is None else since
        parts["Y"] = since + (parts["y"] - since) % 100
        notes = (f"Years of two digits are read as {parts['Y'].min()} to {parts['Y'].max()}.",)
        date_format = form if since == CENTURY else f"{form}{SINCE}{since}"
    if "b" in text:
        parts["m"] = _looked_up(text["b"], MONTHS)
        cells.refuse_where(parts["m"] == 0, "names no month")
    if "k" in text:
        cells.refuse_where(_looked_up(text["k"], dict.fromkeys(WEEKDAYS, 1) | {"": 1}) == 0, "names no weekday")
    if "f" in text:
        parts["f"] = microseconds_of(text["f"])
    if "p" in text:
        hour, said = parts["H"], pc.not_equal(text["p"], "").to_numpy(zero_copy_only=False)
        cells.refuse_where(said & ((hour < 1) | (hour > 12)), "has no hour from 1 to 12 before AM or PM")
        afternoon = pc.equal(pc.utf8_lower(text["p"]), "p").to_numpy(zero_copy_only=False)
        parts["H"] = np.where(said, hour % 12 + 12 * afternoon, hour)
    times = dates(parts, cells.at) + time_of_day(parts, cells.at)
    whole_days = "H" not in parts and INTERVAL not in form
    found = TimeColumn(times, form, whole_days=whole_days, warnings=split.warnings, date_format=date_format)
    if INTERVAL in form:
        notes += ("An interval is dated by its beginning.",)
    if leap := int((parts.get("S", np.zeros(0)) == 60).sum()):
        warning = f"{leap:,} timestamp(s) with second 60 (a leap second) are read as the next minute."
        found = replace(found, warnings=(*found.warnings, warning))
    if "z" in text:
        found = _from_zone(cells, found, _offsets(cells, text["z"], form))
        return replace(found, notes=notes + found.notes, by_all_rows=date_format is not None)
    refuse_far(found.times, cells.at)
    return replace(found, notes=notes, by_all_rows=date_format is not None)


def _looked_up(words: pa.Array, numbers: Mapping[str, int]) -> Ints:
    """The number of each word, 0 for a word that has none."""
    index = pc.index_in(pc.utf8_lower(words), pa.array(list(numbers)))
    known = np.array([*numbers.values(), 0])
    return known[pc.fill_null(index, len(numbers)).to_numpy(zero_copy_only=False)]


def are_told_apart(zones: list[str]) -> bool:
    """Whether each of these zones is an offset, or a name that beside the others means one zone alone."""
    return all(
        zone.upper() in _ZONES or _SHARED.get(zone, ("",))[0] in zones or re.fullmatch(r"[+-]\d{2}:?\d{2}", zone)
        for zone in zones
    )


def _offsets(cells: Cells, zone: pa.Array, form: str) -> pa.Array:
    """Zones as offsets such as ``+01:00``: of names, those that mean one zone alone."""
    names = pc.dictionary_encode(zone)
    named = names.dictionary.to_pylist()
    offsets = []
    for name in named:
        minutes = _ZONES.get(name.upper())
        beside, shared, place = _SHARED.get(name, ("", 0, "Europe/London"))
        minutes = shared if minutes is None and beside in named else minutes
        if minutes is not None:
            offsets.append(f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}")
        elif name[-1:].isdigit():
            offsets.append(re.sub("^(UTC|GMT)", "", name))
        else:
            row = int(np.argmax(pc.equal(zone, name).to_numpy(zero_copy_only=False)))
            literal = spelled(form.removesuffix("±zone")) + f" {name}"
            raise DataError(
                f"{cells.at(row)}: {quote(name)} may mean several time zones.",
                f"{cells.table.source.retry(date_format=literal, tz=place)} (name the zone of this clock)",
            )
    return pa.array(offsets).take(names.indices)


def _from_zone(cells: Cells, local: TimeColumn, zone: pa.Array) -> TimeColumn:
    """Local times in UTC, by the offset that each cell states."""
    parts = pc.extract_regex(zone, r"^(?P<s>[+-])(?P<h>\d{2}):?(?P<m>\d{0,2})$")
    hours, minutes = (numbers_of(pc.if_else(parts.is_valid(), parts.field(name), "0")) for name in "hm")
    cells.refuse_where((hours > 15) | (minutes > 59), "has an impossible offset from UTC")
    negative = pc.fill_null(pc.equal(parts.field("s"), "-"), False).to_numpy(zero_copy_only=False)
    offset = np.where(negative, -1, 1) * (hours * 60 + minutes)
    if (local.times == local.times.astype("datetime64[D]")).all() and offset.any():
        # Days that begin at local midnight: in UTC they would begin at 22:00 or 23:00 by season.
        note = "Every time is a local midnight; the local dates are kept."
        return replace(local, zoned=True, whole_days=True, notes=(note,), warnings=())
    times = local.times - (offset * 60 * SECOND).astype("timedelta64[us]")
    refuse_far(times, cells.at)
    found = replace(local, times=times, zoned=True, whole_days=False)
    if not offset.any():
        return replace(found, zone="UTC", notes=("Timestamps are in UTC.",))
    if (offset == offset[0]).all():
        zone = f"{'-' if offset[0] < 0 else '+'}{abs(offset[0]) // 60:02d}:{abs(offset[0]) % 60:02d}"
        return replace(found, zone=zone)
    if zone := zone_of_offsets(times, offset):
        return replace(found, zone=zone)
    warning = f"Timestamps have {len(np.unique(offset))} different offsets from UTC; all are converted to UTC."
    return replace(found, warnings=(*local.warnings, warning))
