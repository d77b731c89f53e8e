"""The naive forecasts that stand beside a model, as tables and metrics name them."""

from __future__ import annotations

# In their order, of series whose values differ by the phase of the season and are neither prices nor mostly zero.
NAIVE_OF_CYCLES = ("persistence", "seasonal-naive", "drift", "mean", "seasonal-mean")
