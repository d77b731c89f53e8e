"""The days on which an exchange trades, as a run keeps them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SessionDays:
    """The sessions of an exchange: every day of its week but for some, and some days beside.

    Args:
        exchange: Its market identifier code (ISO 10383), such as ``XNYS``.
        week: A digit for each day from Monday on, 1 for one with sessions: ``1111100``.
        closed: Days of its week without a session, in ISO 8601, ascending.
        beside: Other days with one, ascending.
        half: Sessions that end early, ascending.
        until: The last day of which this is known; after it every day of the week is taken for a session.
    """

    exchange: str
    week: str
    closed: tuple[str, ...]
    beside: tuple[str, ...]
    half: tuple[str, ...]
    until: str
