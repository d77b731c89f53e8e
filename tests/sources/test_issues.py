"""Files of forecasts that were known ahead: each form says the same, and what does not tell the time is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.data.panel import Panel
from forecast.data.prepare import arrange
from forecast.errors import DataError
from forecast.sources.issues import IN_SOURCE, lasting

HOURS = pd.date_range("2024-01-01", periods=48, freq="h")


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame({"ds": HOURS, "load": np.arange(48.0) % 7, "temp": np.arange(48.0)})


def long_form(every: int = 6, leads: tuple[int, ...] = tuple(range(1, 13))) -> pd.DataFrame:
    """Every few hours, for each of some hours ahead: its number, and a hundredth for each hour of the lead."""
    return pd.DataFrame(
        [
            {"issued_at": HOURS[0] + pd.Timedelta(issue, "h"), "valid": HOURS[0] + pd.Timedelta(issue + lead, "h"),
             "temp": issue + lead + lead / 100}
            for issue in range(0, 48, every)
            for lead in leads
        ]
    )  # fmt: skip


def read(rows: pd.DataFrame, forecasts: pd.DataFrame, tmp_path: Path, **options: object) -> Panel:
    path = tmp_path / "forecasts.csv"
    forecasts.to_csv(path, index=False)
    return forecast.read(rows, forecast.ReadOptions(known_forecasts=str(path), **options))


def ahead(panel: Panel, origin: int, name: str = "temp") -> list[float]:
    """What a row knew of those after it; of the first series."""
    known = panel.as_of()[name].at(np.arange(origin + 1, 48), np.full(47 - origin, origin))
    return known[~np.isnan(known)].round(2).tolist()


def test_a_row_knows_the_newest_issue_that_was_there_by_then(rows: pd.DataFrame, tmp_path: Path) -> None:
    panel = read(rows, long_form(), tmp_path)
    assert ahead(panel, 12) == [12 + lead + lead / 100 for lead in range(1, 13)]
    assert ahead(panel, 14) == [12 + lead + lead / 100 for lead in range(3, 13)]
    late = read(rows, long_form(), tmp_path, issue_delay="5h")
    assert ahead(late, 14) == [6 + lead + lead / 100 for lead in range(9, 13)]
    assert ahead(late, 17) == ahead(panel, 17)
    assert panel.fingerprint() != late.fingerprint()
    assert any("Known ahead as forecasts: 'temp'" in note for note in panel.notes)


def test_what_the_source_measures_stays_and_its_holes_are_what_was_known(rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.loc[[20, 47], "temp"] = np.nan
    panel = read(rows, long_form(), tmp_path)
    asked = forecast.configure(target="load", lookback=4, horizon=2)
    temp = arrange(panel, resolve(asked, panel)[0].data).values[:, 1]
    assert temp[[19, 20, 47]].round(2).tolist() == [19, 20.02, 47.05]
    as_target = forecast.configure(target="temp", lookback=4, horizon=2)
    target = arrange(panel, resolve(as_target, panel)[0].data)
    assert target.columns[0] == "temp"
    assert np.isnan(target.values[[20, 47], 0]).all()  # a forecast of a target is not its value
    alone = read(rows[["ds", "load"]], long_form(), tmp_path)
    assert alone.columns == ("load", "temp")
    assert alone.values[[0, 1, 6, 7, 20], 1].round(2).tolist()[1:] == [1.01, 6.06, 7.01, 20.02]


def test_a_column_for_each_lead_says_the_same(rows: pd.DataFrame, tmp_path: Path) -> None:
    expected = ahead(read(rows, long_form(every=1, leads=(6, 24)), tmp_path), 10)
    by_step = pd.DataFrame({"time": HOURS, "temp_6h": np.arange(48) + 0.06, "temp_previous_day1": np.arange(48) + 0.24})
    assert ahead(read(rows, by_step.assign(temp_6h=by_step["temp_6h"]), tmp_path), 10)[:6] == expected[:6]
    numbers = np.arange(48)
    by_issue = pd.DataFrame({"issued_at": HOURS, "temp_lead_6h": numbers + 6.06, "temp_1d_ahead": numbers + 24.24})
    assert ahead(read(rows, by_issue, tmp_path), 10) == expected
    within = rows.merge(by_step, left_on="ds", right_on="time").drop(columns="time")
    path = tmp_path / "all.csv"
    within.to_csv(path, index=False)
    for source, named in ((str(path), str(path)), (str(path), IN_SOURCE), (within, IN_SOURCE)):
        panel = forecast.read(source, forecast.ReadOptions(known_forecasts=named))
        assert panel.columns == ("load", "temp")
        assert ahead(panel, 10)[:6] == expected[:6]


def test_a_run_keeps_where_its_forecasts_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def kept(path: str | None, source: str) -> str | None:
        return lasting(forecast.ReadOptions(known_forecasts=path), source).known_forecasts

    assert kept(None, "load.csv") is None
    assert kept("load.csv", "load.csv") == kept(IN_SOURCE, "load.csv") == IN_SOURCE
    assert kept("weather.csv", "load.csv") == str(tmp_path.resolve() / "weather.csv")


def test_series_are_those_of_their_names_or_all(rows: pd.DataFrame, tmp_path: Path) -> None:
    two = pd.concat([rows.assign(unique_id=name) for name in ("north", "south")])
    for_all = read(two, long_form(), tmp_path)
    known = for_all.as_of()["temp"].at(np.array([13, 48 + 13]), np.array([12, 48 + 12]))
    assert known.round(2).tolist() == [13.01, 13.01]
    own = pd.concat(
        [long_form().assign(unique_id="north"), long_form().eval("temp = temp + 100").assign(unique_id="south")]
    )
    known = read(two, own, tmp_path).as_of()["temp"].at(np.array([13, 48 + 13]), np.array([12, 48 + 12]))
    assert known.round(2).tolist() == [13.01, 113.01]
    with pytest.raises(DataError, match="forecasts the series 'east'; those of the source are 'north', 'south'"):
        read(two, long_form().assign(unique_id="east"), tmp_path)


def test_times_are_those_of_the_zone_of_the_source(rows: pd.DataFrame, tmp_path: Path) -> None:
    utc = long_form().assign(issued_at=lambda f: f["issued_at"] - pd.Timedelta("1h"),
                             valid=lambda f: f["valid"] - pd.Timedelta("1h"))  # fmt: skip
    stamped = utc.assign(**{name: utc[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("issued_at", "valid")})
    expected = ahead(read(rows, long_form(), tmp_path), 14)
    berlin = {"tz": "Europe/Berlin"}
    assert ahead(read(rows, stamped, tmp_path, **berlin), 14) == expected
    assert ahead(read(rows, long_form(), tmp_path, **berlin), 14) == expected
    with pytest.raises(DataError, match="have a zone, and those of the source have none"):
        read(rows, stamped, tmp_path)


def test_a_day_of_issue_is_taken_from_its_beginning_which_is_said(rows: pd.DataFrame, tmp_path: Path) -> None:
    daily = long_form(every=24).assign(issued_at=lambda f: f["issued_at"].dt.strftime("%Y-%m-%d"))
    assert any("tells the day of issue" in warning for warning in read(rows, daily, tmp_path).warnings)
    assert not read(rows, daily, tmp_path, issue_delay="6h").warnings


@pytest.mark.parametrize("by_lead", [False, True])
def test_forecasts_are_averaged_as_rows_are_where_the_whole_period_is_forecast(by_lead: bool, tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=24 * 60, freq="h")
    rows = pd.DataFrame({"ds": hours, "load": np.arange(len(hours)) % 50.0})
    if by_lead:
        forecasts = pd.DataFrame({"ds": hours, "temp_24h": np.arange(len(hours)) + 0.5})
    else:
        ahead = [(run, run + lead) for run in range(12, len(hours) - 60, 24) for lead in range(1, 61)]
        forecasts = pd.DataFrame(
            {"issued_at": hours[[run for run, _ in ahead]], "ds": hours[[step for _, step in ahead]],
             "temp": [step + run / 10_000 for run, step in ahead]}
        )  # fmt: skip
    panel = read(rows, forecasts, tmp_path, resample="D")
    known = panel.as_of()["temp"]
    day = np.arange(5, 9)
    mean = day * 24 + 11.5
    if by_lead:  # the last hour of the next day is told in the last of this one
        np.testing.assert_allclose(known.at(day, day), mean + 0.5)
        assert np.isnan(known.at(day, day - 1)).all()
    else:  # from noon: the next two days are told as a whole, and noon is after the beginning of a day
        np.testing.assert_allclose(known.at(day, day - 1), mean + ((day - 2) * 24 + 12) / 10_000)
        assert np.isnan(known.at(day, day - 2)).all()


def test_codes_of_missing_values_are_no_forecasts(rows: pd.DataFrame, tmp_path: Path) -> None:
    coded = long_form()
    coded.loc[coded["valid"] == HOURS[20], "temp"] = -9999
    assert 20.02 not in ahead(read(rows, coded, tmp_path), 18)
    assert min(ahead(read(rows, coded, tmp_path), 18)) > 0


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.drop(columns="issued_at"), {}, "does not tell when its forecasts were issued"),
        (lambda f: f.assign(valid="soon"), {}, "'valid'.*'soon'"),
        (lambda f: f, {"issued_at": "run"}, "There is no column 'run' for issued_at"),
        (lambda f: f.assign(valid=f["valid"] + pd.Timedelta("400D")), {}, "none of it is of a time of the source"),
        (lambda f: f, {"issue_delay": "48h"}, "none of it was known before that"),
    ],
)
def test_what_tells_no_time_is_refused(
    change: object, options: dict[str, str], message: str, rows: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        read(rows, change(long_form()), tmp_path, **options)  # type: ignore[operator]


def test_months_of_any_length_and_days_of_25_hours_are_forecast_as_a_whole(tmp_path: Path) -> None:
    days = pd.date_range("2023-01-01", periods=730)
    forecasts = pd.DataFrame({"ds": days, "temp_40d": np.arange(730.0)})
    panel = read(pd.DataFrame({"ds": days, "load": np.arange(730) % 50.0}), forecasts, tmp_path, resample="MS")
    known = panel.as_of()["temp"]
    month = np.arange(1, 23)
    means = forecasts.groupby(days.to_period("M"))["temp_40d"].mean().to_numpy()
    np.testing.assert_allclose(known.at(month, month), means[month])
    hours = pd.date_range("2024-10-20", "2024-11-02", freq="h", tz="Europe/Berlin").tz_convert("UTC")
    told = pd.DataFrame({"ds": hours.strftime("%Y-%m-%dT%H:%M:%SZ"), "temp_24h": 1.0})
    rows = told.rename(columns={"temp_24h": "load"}).assign(load=np.arange(len(hours)) % 50.0)
    panel = read(rows, told, tmp_path, resample="D", tz="Europe/Berlin")
    day = np.arange(1, panel.n_rows - 1)
    assert (panel.as_of()["temp"].at(day, day) == 1).all()
