"""Weather: what each service is asked for, and what of its answers is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ConfigError, MachineError
from forecast.sources.services.fetch import Fetched
from loopback import NOON, Loopback, Reply
from services import as_json, meteostat, open_meteo, value_at

Fetch = Callable[..., Fetched]


def times(first: str, *hours: int) -> list[pd.Timestamp]:
    return [pd.Timestamp(first) + pd.Timedelta(hours=hour) for hour in hours]


def test_hours_of_a_place_end_with_the_time_of_asking(get: Fetch, services: Loopback) -> None:
    fetched = get("open-meteo:Oslo", start="2026-11-01", columns=["temperature_2m", "precipitation"])
    frame = fetched.table.frame
    assert frame.columns.tolist() == ["ds", "temperature_2m", "precipitation"]
    assert frame["ds"].tolist() == times("2026-11-01", *range(37))  # to noon of the second day
    assert frame["temperature_2m"].tolist() == [
        value_at(time.to_pydatetime().replace(tzinfo=UTC)) for time in frame["ds"]
    ]
    assert fetched.table.about["units"] == {"temperature_2m": "°C", "precipitation": "mm"}
    assert fetched.table.about["about"]["Oslo"]["place"]["name"] == "Oslo, Oslo County, Norway"
    assert services.requests[-1].path == "/v1/archive"
    assert services.requests[-1].params == {
        "latitude": "59.9127", "longitude": "10.7461", "hourly": "temperature_2m,precipitation",
        "start_date": "2026-11-01", "end_date": "2026-11-02", "timezone": "GMT",
    }  # fmt: skip


def test_days_are_kept_when_they_are_over_and_missing_ends_are_left_out(get: Fetch, services: Loopback) -> None:
    days = [None, 1.5, None, 2.5, 3.5]
    answer = json.loads(open_meteo({"latitude": "1", "longitude": "2", "daily": "rain_sum", "start_date": "2026-10-29",
                                    "end_date": "2026-11-02"}, NOON))  # fmt: skip
    answer["daily"]["rain_sum"] = days
    services.says("/v1/archive", as_json(answer))
    frame = get("open-meteo:1,2", start="2026-10-29", step="daily", columns=["rain_sum"]).table.frame
    assert frame["ds"].tolist() == times("2026-10-30", 0, 24, 48)  # today is not over
    np.testing.assert_array_equal(frame["rain_sum"], [1.5, np.nan, 2.5])


def test_a_long_span_is_asked_in_parts_that_weigh_what_they_count(get: Fetch, services: Loopback) -> None:
    columns = [f"v{number}" for number in range(20)]
    fetched = get("open-meteo:59.91,10.75", start="2024-10-01", step="daily", columns=columns)
    spans = [(request.params["start_date"], request.params["end_date"]) for request in services.requests]
    assert spans == [("2024-10-01", "2026-08-31"), ("2026-09-01", "2026-11-02")]  # 700 days and the rest
    assert len(fetched.table.frame) == 762
    weights = [json.loads(path.read_text())["weight"] for path in sorted(fetched.path.parent.rglob("*.about.json"))]
    assert sorted(weights) == [2 * 63 / 14, 100]


def test_a_forecast_is_of_the_time_of_asking_and_a_later_one_stands_beside_it(
    get: Fetch, services: Loopback, clock: object
) -> None:
    fetched = get("open-meteo:Oslo", product="forecast", columns=["temperature_2m"])
    frame = fetched.table.frame
    assert frame.columns.tolist() == ["issued_at", "ds", "temperature_2m_forecast"]
    assert fetched.table.about["units"] == {"temperature_2m_forecast": "°C"}
    assert (frame["issued_at"] == pd.Timestamp("2026-11-02 12:00")).all()
    assert (frame["ds"].min(), frame["ds"].max()) == (*times("2026-11-02", 13), *times("2026-11-17", 23))
    assert fetched.path.name == "open-meteo-oslo-hourly-forecast.csv"
    assert fetched.path.read_text().splitlines()[1].startswith("2026-11-02T12:00:00Z,2026-11-02T13:00Z,")
    clock.time += timedelta(hours=6)  # type: ignore[attr-defined]
    later = get("open-meteo:Oslo", product="forecast", refresh=True)
    assert later.table.frame["issued_at"].nunique() == 2
    assert len(later.table.frame) == 2 * len(frame) - 6
    assert later.n_revised == 0


def test_previous_runs_say_the_latest_time_at_which_each_value_was_known(get: Fetch, services: Loopback) -> None:
    def with_leads(params: dict[str, str]) -> bytes:
        answer = json.loads(open_meteo(params, NOON))
        for lead in range(1, 8):
            answer["hourly"][f"rain_previous_day{lead}"] = [10.0 * lead + hour for hour in range(9 * 24)]
        answer["hourly"]["rain_previous_day7"][3] = None
        return as_json(answer)

    services.says("/v1/forecast", with_leads)
    fetched = get("open-meteo:Oslo", product="previous-runs", columns=["rain"], start="2026-11-01")
    frame = fetched.table.frame
    at_three = frame[frame["ds"] == pd.Timestamp("2026-11-01 03:00")]
    assert at_three["issued_at"].tolist() == times("2026-10-26 11:00", *range(0, 144, 24))
    assert at_three["rain_forecast"].tolist() == [63, 53, 43, 33, 23, 13]
    assert ((frame["ds"] - frame["issued_at"]) >= pd.Timedelta(hours=16)).all()
    assert (frame["issued_at"].max(), frame["ds"].max()) == (*times("2026-11-02", 12), *times("2026-11-09", 4))
    assert services.requests[-1].params["hourly"] == ",".join(f"rain_previous_day{lead}" for lead in range(1, 8))
    with pytest.raises(ConfigError, match="no daily previous-runs"):
        get("open-meteo:Oslo", product="previous-runs", step="daily")


def test_single_runs_are_one_a_day_and_known_from_their_publication_on(get: Fetch, services: Loopback) -> None:
    frame = get("open-meteo:Oslo", product="single-runs", columns=["rain"], start="2026-10-31").table.frame
    assert [request.params["run"] for request in services.requests[1:]] == [
        "2026-10-31T00:00", "2026-11-01T00:00", "2026-11-02T00:00",
    ]  # fmt: skip
    assert frame.groupby("issued_at")["ds"].agg(["min", "size"]).to_numpy().tolist() == [
        [first, 7 * 24 - 9] for first in times("2026-10-31", 9, 33, 57)
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hourly": {"time": ["2026-11-01T00:00"]}}, "JSON without hourly.rain"),
        ({"hourly": {"time": ["2026-11-01T00:00"], "rain": [1, 2]}}, "1 times, and 2 values of rain"),
        ({"hourly": {"time": ["soon"], "rain": [1]}}, 'what is of another form (ValueError: time data "soon"'),
        ({"hourly": {"time": ["2026-11-01T00:00"], "rain": ["wet"]}}, "a value that is no number"),
        ({"utc_offset_seconds": 3600}, "times 3600 s from GMT"),
        ({"hourly": None}, "JSON without 'hourly'"),
    ],
)
def test_an_answer_of_another_form_is_refused(
    get: Fetch, services: Loopback, change: dict[str, object], told: str
) -> None:
    good = {"utc_offset_seconds": 0, "hourly": {"time": ["2026-11-01T00:00"], "rain": [1]}}
    services.says("/v1/archive", as_json(good | change))
    with pytest.raises(MachineError, match="answered with") as caught:
        get("open-meteo:Oslo", columns=["rain"], start="2026-11-01")
    assert caught.value.message.startswith("Open-Meteo (archive) answered with")
    assert told in caught.value.message


def test_places_are_found_by_name_and_region_and_misspelt_ones_suggested(get: Fetch, services: Loopback) -> None:
    american = get("open-meteo:Oslo, Minnesota", start="2026-11-01").table.about["about"]
    assert american["Oslo, Minnesota"]["place"]["latitude"] == 48.19526
    panel = get("open-meteo:Oslo,Bergen, Norway", start="2026-11-01").table.frame
    assert panel["unique_id"].unique().tolist() == ["Oslo", "Bergen, Norway"]
    (note,) = get("open-meteo:Springfield", start="2026-11-01").notes
    assert note == "Springfield: Springfield, Missouri is taken; there is Springfield, Kentucky, too."
    for name, near in {
        "Olso": "'Oslo, ",
        "Berrgen": "'Bergen, Vestland, Norway'",
        "Oslo, Sweden": "or 'Oslo, Min",
    }.items():
        with pytest.raises(MachineError, match=f"knows no place '{name}'") as caught:
            get(f"open-meteo:{name}")
        assert near in caught.value.advice
    with pytest.raises(MachineError) as caught:
        get("open-meteo:Xyzzy")
    assert caught.value.advice == "Give latitude and longitude: 59.91,10.75"
    with pytest.raises(ConfigError, match="no place at latitude 91, longitude 0"):
        get("open-meteo:91,0")
    services.says("/v1/search", '{"results": [{"name": "Oslo"}]}')
    with pytest.raises(MachineError, match="a place without name, latitude and longitude"):
        get("open-meteo:Oslo, Norway,Kristiania")


def test_of_a_station_only_what_was_observed_is_kept(get: Fetch, services: Loopback) -> None:
    hours = [datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in range(5)]
    sources = ["dwd_hourly", "dwd_mosmix", "metar isd_lite", "", "metar model"]
    rows = list(zip(hours, [1.5, 2.5, 3.5, None, 5.5], sources, strict=True))
    rows += [(NOON + timedelta(days=1), 9.0, "synop")]
    services.says("/hourly/2026/10384.csv.gz", meteostat(rows))
    fetched = get("meteostat:10384", start="2025-06-01", columns=["temp"])
    frame = fetched.table.frame
    assert frame["ds"].tolist() == times("2026-11-01", 0, 1, 2)
    np.testing.assert_array_equal(frame["temp"], [1.5, np.nan, 3.5])
    assert fetched.table.about["units"] == {"temp": "°C"}
    assert fetched.notes == ("10384: 2 values of models, which nobody measured, are left out.",)
    assert [request.path for request in services.requests] == ["/hourly/2025/10384.csv.gz", "/hourly/2026/10384.csv.gz"]
    with pytest.raises(MachineError, match="Meteostat knows no '99999'"):
        get("meteostat:99999", start="2026-01-01")
    with pytest.raises(MachineError, match="without the column 'rhum'"):
        get("meteostat:10384", columns=["rhum"], start="2026-01-01")
    with pytest.raises(ConfigError, match="no station of Meteostat"):
        get("meteostat:../x")


def test_days_of_a_station_leave_out_what_failed_a_check(get: Fetch, services: Loopback) -> None:
    fetched = get("ncei:USW00094728", start="2026-10-25", columns=["TMAX", "PRCP"])
    frame = fetched.table.frame
    assert frame["ds"].tolist() == [pd.Timestamp("2026-10-25") + pd.Timedelta(days=day) for day in range(8)]
    noon = [value_at(datetime(2026, 10, 25, 12, tzinfo=UTC) + timedelta(days=day)) for day in range(8)]
    np.testing.assert_array_equal(frame["TMAX"], [noon[0], np.nan, np.nan, *noon[3:]])
    assert frame["PRCP"].tolist() == noon
    assert services.requests[0].params == {
        "dataset": "daily-summaries", "stations": "USW00094728", "startDate": "2026-10-25", "endDate": "2026-11-02",
        "dataTypes": "TMAX,PRCP", "units": "metric", "format": "json", "includeAttributes": "true",
    }  # fmt: skip
    services.says("/access", "[]")
    with pytest.raises(MachineError, match="NOAA NCEI has nothing of 'USW00094728' from 2026-10-26 to 2026-11-02"):
        get("ncei:USW00094728", start="2026-10-26")
    with pytest.raises(ConfigError, match="no station of GHCN-Daily"):
        get("ncei:New York")
    services.says("/access", '{"errorMessage": "An error occurred", "errorCode": 500}')
    with pytest.raises(MachineError, match="JSON without rows"):
        get("ncei:USW00094728", start="2026-10-24")


def test_the_archive_of_ghcn_daily_is_in_tenths(get: Fetch, services: Loopback) -> None:
    table = (
        '"STATION","DATE","LATITUDE","NAME","PRCP","PRCP_ATTRIBUTES","SNOW","SNOW_ATTRIBUTES","TMAX","TMAX_ATTRIBUTES"\n'
        '"USW00094728","2026-10-30"," 40.77","NEW YORK, NY US","   28",",,W,2400","   12",",,W,","  -82",",,W,2400"\n'
        '"USW00094728","2026-10-31"," 40.77","NEW YORK, NY US","    0","T,,W,2400","    0",",,W,","  278",",X,W,2400"\n'
    )
    services.says("/data/global-historical-climatology-network-daily/access/USW00094728.csv", table)
    frame = get("ghcn:USW00094728", start="2026-01-01", columns=["TMAX", "PRCP", "SNOW", "TAVG"]).table.frame
    assert frame["PRCP"].tolist() == [2.8, 0.0]
    assert frame["SNOW"].tolist() == [12, 0]
    np.testing.assert_array_equal(frame["TMAX"], [-8.2, np.nan])
    assert frame["TAVG"].isna().all()
    services.says("/data", Reply(b"", 404))
    with pytest.raises(MachineError, match="GHCN-Daily knows no 'USW00099999'"):
        get("ghcn:USW00099999")
