"""What a misspelt name may mean, and the refusal of a column that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from forecast.errors import DataError, listed, quote

# Similarity, from 0 to 1, from which on a name is proposed. One letter off in a word of four is 0.75, "waves" for
# "sales" 0.6.
_SIMILAR = 0.7

# Columns that a refusal lists.
_MOST_LISTED = 20


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of these names that a misspelt one is nearest to, whatever its capitals; empty where none is near."""
    folded = {other.casefold(): other for other in names}
    return next((folded[near] for near in get_close_matches(name.casefold(), folded, 1, _SIMILAR)), "")


def did_you_mean(name: str, names: Iterable[str], written: Callable[[str], str] = str) -> str:
    """The question after a misspelt name, "Did you mean weather? "; empty where none is near.

    Args:
        name: What was received.
        names: What there is.
        written: How the question writes a name, such as ``repr``.
    """
    near = nearest(name, names)
    return f"Did you mean {written(near)}? " if near else ""


def no_column(name: str, option: str, names: Sequence[str], where: str = "") -> DataError:
    """The refusal of a column that is not there.

    Args:
        name: What was received.
        option: The setting that names it, as `forecast.errors.setting` writes it.
        names: The columns that there are.
        where: What follows, such as `` in data.csv``.
    """
    meant, there = did_you_mean(name, names, quote), listed([*map(quote, names)], _MOST_LISTED)
    what = f"There is no column {quote(name)} for {option}{where}."
    return DataError(what, f"{meant}Columns: {there}.", value=name, allowed=names)
