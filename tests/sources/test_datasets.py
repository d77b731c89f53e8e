"""The built-in series: what the files hold, and that they can be made again."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from export_datasets import export
from forecast.errors import DataError
from forecast.sources.datasets import DATASETS, load_dataset
from generate_station import generate

DATA = Path(__file__).parents[2] / "data"


def datasheet() -> dict[str, str]:
    """SHA-256 by file, as the datasheet states it."""
    text = (DATA / "README.md").read_text(encoding="utf-8")
    return {file: digest for digest, file in re.findall(r"^ {4}([0-9a-f]{64}) {2}(\S+)$", text, re.MULTILINE)}


def test_files_are_those_of_the_datasheet() -> None:
    files = {file.file: hashlib.sha256((DATA / file.file).read_bytes()).hexdigest() for file in DATASETS.values()}
    assert files == datasheet()


def test_export_writes_the_same_bytes_again(tmp_path: Path) -> None:
    assert export(tmp_path) == datasheet()
    for file in datasheet():
        assert (tmp_path / file).read_bytes() == (DATA / file).read_bytes()


@pytest.mark.parametrize(
    ("name", "shape", "first", "last", "value", "missing"),
    [
        ("weather", (732, 1), "1950-01-01", "2010-12-01", 23.11, 0),
        ("co2", (2284, 1), "1958-03-29", "2001-12-29", 316.1, 59),
        ("stocks", (1047, 6), "2004-08-19", "2008-10-14", 100.0, 0),
        ("station", (26280, 7), "2021-01-01", "2023-12-31T23", 3.3, 0),
    ],
)
def test_panel(name: str, shape: tuple[int, int], first: str, last: str, value: float, missing: int) -> None:
    panel = load_dataset(name)
    assert panel.values.shape == shape
    assert panel.values.dtype == np.float64
    assert panel.times.dtype == np.dtype("datetime64[us]")
    assert panel.times[[0, -1]].tolist() == [np.datetime64(first, "us").item(), np.datetime64(last, "us").item()]
    assert panel.values[0, 0] == value
    assert np.isnan(panel.values).sum() == missing
    assert panel.clock.freq == DATASETS[name].freq
    assert panel.default_target == DATASETS[name].target in panel.columns
    assert panel.units.keys() == set(panel.columns)


@pytest.mark.parametrize("name", DATASETS)
def test_rows_lie_on_the_clock(name: str) -> None:
    panel = load_dataset(name)
    on_clock = pd.date_range(panel.times[0], panel.times[-1], freq=panel.clock.freq).to_numpy()
    assert np.isin(panel.times, on_clock).all()
    if name != "stocks":  # whose exchange closes on holidays
        assert len(panel.times) == len(on_clock)
    assert panel.stretches().max() == 0


@pytest.mark.parametrize("name", DATASETS)
def test_header_names_the_columns_that_have_units(name: str) -> None:
    header = (DATA / DATASETS[name].file).read_text(encoding="utf-8").split("\n", 1)[0]
    assert header.split(",") == ["ds", *DATASETS[name].units]


def test_every_price_is_read_to_the_last_bit() -> None:
    printed = [line.split(",")[4] for line in (DATA / "stocks.csv").read_text(encoding="utf-8").splitlines()[1:]]
    panel = load_dataset("stocks")
    assert panel.values[:, panel.column("close")].tolist() == [float(price) for price in printed]


def test_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("stock")
    assert caught.value.message == "There is no built-in series 'stock'."
    assert caught.value.advice == "Did you mean 'stocks'? Built in: weather, co2, stocks, station."
    assert caught.value.exit_code == 2


def test_only_the_station_is_simulated_and_its_title_says_so() -> None:
    assert [dataset.name for dataset in DATASETS.values() if "(simulated)" in dataset.title] == ["station"]
    assert load_dataset("station").name == "station (simulated)"


def test_station_obeys_physics() -> None:
    station = pd.DataFrame(load_dataset("station").values, columns=list(DATASETS["station"].units))
    assert (station["dew_point"] <= station["temperature"]).all()
    assert station["humidity"].between(0, 100).all()
    assert station["pressure"].between(940, 1050).all()
    assert station["wind_direction"].between(0, 359).all()
    assert (station[["wind_speed", "rain"]] >= 0).all(axis=None)
    # By hand: 17.62 × 10 / 253.12 − 17.62 × 20 / 263.12 = −0.64320, and exp of that is 52.56 %.
    at_20_over_10 = station[(station["temperature"] == 20.0) & (station["dew_point"] == 10.0)]
    assert (at_20_over_10["humidity"] == 52.6).all()
    assert len(at_20_over_10) > 0


def test_station_has_seasons_and_days() -> None:
    temperature = generate().set_index("ds")["temperature"]
    by_month = temperature.groupby(temperature.index.month).mean()
    assert by_month.loc[7] - by_month.loc[1] > 12
    july = temperature[temperature.index.month == 7]
    by_hour = july.groupby(july.index.hour).mean()
    assert by_hour.idxmax() in (14, 15, 16)
    assert by_hour.idxmin() in (3, 4, 5)


def test_station_has_fronts() -> None:
    station = generate().set_index("ds")
    storm = station["wind_speed"] > 8
    pressure, temperature = station["pressure"], station["temperature"]
    assert (pressure.shift(12) - pressure)[storm].mean() > 3  # it fell before the storm,
    assert (pressure.shift(-12) - pressure)[storm].mean() > 3  # rises after it,
    assert (temperature.shift(-18) - temperature.shift(6))[storm].mean() < -3  # and the air is colder behind.
    assert station.loc[storm, "rain"].mean() > 5 * station.loc[~storm, "rain"].mean()
    assert 0.04 < (station["rain"] > 0).mean() < 0.12


def test_another_seed_makes_other_weather() -> None:
    assert (generate(seed=1)["temperature"] != generate(seed=2)["temperature"]).mean() > 0.9
