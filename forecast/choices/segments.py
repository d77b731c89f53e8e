"""How many steps are fed to the cell at once."""

from __future__ import annotations


def default_segment(lookback: int, season: int) -> int:
    """Steps in a segment: if possible a divisor of the season, and few enough for about sixteen turns of the cell."""
    longest = max(lookback // 16, 1)
    return max((part for part in range(1, longest + 1) if season % part == 0 and part > 1), default=longest)
