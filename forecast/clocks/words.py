"""Numbers of steps in words."""

from __future__ import annotations

from forecast.clocks.kinds import Kind
from forecast.clocks.slots import Slotted
from forecast.clocks.week import Week

_UNIT_NAMES = {
    "step": ("step", "steps"),
    "slot": ("slot", "slots"),
    "s": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "D": ("day", "days"),
    "B": ("business day", "business days"),
    "session": ("session", "sessions"),
    "W": ("week", "weeks"),
    "M": ("month", "months"),
    "Q": ("quarter", "quarters"),
    "Y": ("year", "years"),
}


def steps_in_words(kind: Kind, steps: int) -> str:
    """A number of steps as users read it: "24 hours", "1 month", "96 × 15 minutes"; slots far apart are slots."""
    of_slots = isinstance(kind, Slotted) and isinstance(kind.slots, Week) and kind.slots.is_sparse
    singular, plural = _UNIT_NAMES["slot" if of_slots else kind.unit]
    if kind.multiple == 1 or of_slots:
        return f"{steps:,} {singular if steps == 1 else plural}"
    return f"{steps:,} × {kind.multiple} {plural}" if steps > 1 else f"{kind.multiple} {plural}"
