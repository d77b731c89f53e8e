"""Pictures of the inside: the turns of the cell stand where they happened."""

from __future__ import annotations

import numpy as np
from matplotlib.dates import date2num

from forecast.commands.explain.plots import _edges


def test_turns_of_the_cell_begin_where_their_segment_does() -> None:
    days = np.datetime64("2024-01-01", "us") + np.arange(9) * np.timedelta64(1, "D")
    first = date2num(days[0])
    np.testing.assert_allclose(_edges(days, 1) - first, np.arange(10) - 0.5)
    # Segments of four end at the cut-off; the oldest is a stub of one day.
    np.testing.assert_allclose(_edges(days, 4) - first, [-0.5, 0.5, 4.5, 8.5])
    np.testing.assert_allclose(_edges(days, 9) - first, [-0.5, 8.5])
