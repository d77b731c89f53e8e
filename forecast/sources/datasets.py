"""The built-in series, each with its source, licence, units and clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.errors import DataError
from forecast.tables.spelling import did_you_mean

if TYPE_CHECKING:
    from forecast.data.panel import Panel


@dataclass(frozen=True)
class Dataset:
    """One built-in series.

    Args:
        name: The name that users type.
        title: The name in tables and plots.
        file: Its CSV file; the first column is ``ds``, the others are those of ``units``, in that order.
        description: What was observed, in one line.
        source: Where it comes from.
        licence: As found at the source.
        units: Unit of measurement by column.
        freq: Clock, as a pandas offset alias.
        target: The column that is forecast by default.
        span: First and last observation.
    """

    name: str
    title: str
    file: str
    description: str
    source: str
    licence: str
    units: dict[str, str]
    freq: str
    target: str
    span: str


def load_dataset(name: str) -> Panel:
    """A built-in series as a panel.

    Args:
        name: One of ``DATASETS``.

    Returns:
        One series with clock, units, default target and title; missing values are NaN.

    Raises:
        DataError: If there is no built-in series of that name; lists those that exist.
    """
    # Imported here, so that listing the series takes no time.
    import numpy as np
    import pandas as pd

    from forecast.data.clock import Clock
    from forecast.data.panel import Panel
    from forecast.sources.infer_holidays import infer_holidays
    from forecast.sources.quality import panel_warnings

    if name not in DATASETS:
        raise DataError(
            f"There is no built-in series {name!r}.",
            f"{did_you_mean(name, DATASETS, repr)}Built in: {', '.join(DATASETS)}.",
        )
    dataset = DATASETS[name]
    frame = pd.read_csv(_folder() / dataset.file, dtype={"ds": "str"} | dict.fromkeys(dataset.units, "float64"))
    times = pd.to_datetime(frame["ds"], format="ISO8601").to_numpy().astype("datetime64[us]")
    clock = Clock(dataset.freq)
    if clock.unit == "B":  # that forecasts land on trading days, with and without a library of exchanges
        clock = replace(clock, holidays=infer_holidays(times, clock.is_open))
    panel = Panel(
        values=np.ascontiguousarray(frame[list(dataset.units)].to_numpy()),
        times=times,
        columns=tuple(dataset.units),
        clock=clock,
        name=dataset.title,
        units=dict(dataset.units),
        default_target=dataset.target,
    )
    return replace(panel, warnings=panel_warnings(panel))


def _folder() -> Path:
    """Where the files are: inside the installed package, or at the top of a checkout."""
    packaged = Path(__file__).parent / "builtin"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "data"


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="weather",
            title="weather",
            file="weather.csv",
            description="Monthly sea-surface temperature of the eastern Pacific, 0–10° S, 90–80° W (Niño 1+2)",
            source="NOAA, ERSST.V3B, through statsmodels (elnino)",
            licence="public domain",
            units={"temperature": "°C"},
            freq="MS",
            target="temperature",
            span="January 1950 – December 2010",
        ),
        Dataset(
            name="co2",
            title="co2",
            file="co2.csv",
            description="Weekly carbon dioxide in the air at Mauna Loa, Hawaii; 59 weeks were not measured",
            source="Keeling & Whorf (2004), CDIAC, through statsmodels (co2)",
            licence="public domain",
            units={"co2": "ppm"},
            freq="W-SAT",
            target="co2",
            span="29 March 1958 – 29 December 2001",
        ),
        Dataset(
            name="stocks",
            title="stocks",
            file="stocks.csv",
            description="Daily prices and volume of GOOG",
            source="matplotlib sample data (goog.npz)",
            licence="none stated for the prices; distributed with matplotlib, whose licence is PSF-based",
            units={
                "open": "USD",
                "high": "USD",
                "low": "USD",
                "close": "USD",
                "volume": "shares",
                "adj_close": "USD",
            },
            freq="B",
            target="close",
            span="19 August 2004 – 14 October 2008",
        ),
        Dataset(
            name="station",
            title="station (simulated)",
            file="station.csv",
            description="Hourly weather station made by a stochastic weather generator; no such station exists",
            source="scripts/generate_station.py",
            licence="MIT, as this project",
            units={
                "temperature": "°C",
                "dew_point": "°C",
                "humidity": "%",
                "pressure": "hPa",
                "wind_speed": "m/s",
                "wind_direction": "°",
                "rain": "mm",
            },
            freq="h",
            target="temperature",
            span="1 January 2021 – 31 December 2023",
        ),
    )
}
