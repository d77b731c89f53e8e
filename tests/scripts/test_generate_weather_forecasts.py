"""Simulated weather is the same for a seed; its forecasts keep its spread, and err more the longer they look ahead."""

from __future__ import annotations

import numpy as np

from generate_weather_forecasts import LONGEST, SPREAD, generate


def test_forecasts_drift_from_the_weather_that_comes() -> None:
    measured, forecasts = generate(seed=1, days=700, sites=2)
    again = generate(seed=1, days=700, sites=2)
    assert measured.equals(again[0])
    assert forecasts.equals(again[1])
    both = forecasts.merge(measured, on=["unique_id", "ds"], suffixes=("", "_then"))
    lead = (both["ds"] - both["issued_at"]).dt.days
    error = (both["temperature"] - both["temperature_then"]).groupby(lead).std()
    assert (error.diff().dropna() > 0).all()
    np.testing.assert_allclose(
        error[[1, LONGEST]], [SPREAD * np.sqrt(2 - 2 * np.sqrt(0.99)), SPREAD * np.sqrt(2)], rtol=0.1
    )
    spread = both.groupby(lead)["temperature"].std()
    np.testing.assert_allclose(spread, measured["temperature"].std(), rtol=0.05)
