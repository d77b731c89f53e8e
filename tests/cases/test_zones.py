"""Files on the clock of a place: read alike, forecast and shown in local time by every entry, against plain pandas."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import forecast
from clients import asked, served
from forecast import Run, Settings
from forecast.cli import build_program
from forecast.commands.serve.app import Limits
from forecast.commands.stream.stream import Stream
from forecast.config import ReadOptions
from forecast.data.features import calendar_features, calendar_names
from forecast.errors import DataError
from forecast.sources.from_table import read_panel

BERLIN = "Europe/Berlin"


def hours(first: str, n: int, tz: str = BERLIN) -> pd.DatetimeIndex:
    """Hours of a place, the repeated and the absent one as they are."""
    return pd.date_range(pd.Timestamp(first, tz=tz), periods=n, freq="h")


def values(times: pd.DatetimeIndex) -> np.ndarray:
    """A wave of the day, a little higher each hour, so that no two rows are alike."""
    return (100 + 10 * np.sin(2 * np.pi * times.hour / 24) + np.arange(len(times)) / 1000).round(3)


def wall_file(path: Path, times: pd.DatetimeIndex) -> Path:
    """The rows as a local clock dates them, without an offset."""
    pd.DataFrame({"time": times.strftime("%Y-%m-%d %H:%M"), "load": values(times)}).to_csv(path, index=False)
    return path


def utc(times: pd.DatetimeIndex) -> np.ndarray:
    return times.tz_convert(None).to_numpy().astype("datetime64[us]")


# Name -> first hour and number of hours: over the end of summer time, up to it, and up to its beginning.
SPANS = {
    "autumn within": ("2022-08-01 02:00", 2664),
    "autumn ahead": ("2022-10-01 00:00", 24 * 28 + 20),
    "spring ahead": ("2023-02-27 00:00", 24 * 26 + 20),
}


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS)
@pytest.mark.parametrize("tz", [BERLIN, "America/New_York", "Australia/Sydney", "UTC", "Asia/Kolkata"])
def test_every_way_to_write_hours_gives_the_same_rows(span: tuple[str, int], tz: str, tmp_path: Path) -> None:
    times = hours(*span, tz)
    y = values(times)
    written = {
        "wall": times.strftime("%Y-%m-%d %H:%M"),
        "offsets": [time.isoformat() for time in times],
        "Z": times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
        "epochs": times.as_unit("s").asi8,
    }
    for name, stamps in written.items():
        path = tmp_path / f"{name}.csv"
        pd.DataFrame({"time": stamps, "load": y}).to_csv(path, index=False)
        panel = read_panel(path, ReadOptions(tz=tz))
        np.testing.assert_array_equal(panel.times, utc(times), err_msg=name)
        assert panel.values[:, 0].tolist() == y.tolist()
        assert panel.clock.format(panel.times[-1]) == times[-1].isoformat(" ").replace(":00+", "+").replace(":00-", "-")
        ahead = panel.clock.local(panel.clock.future(panel.times[-1], 24))
        assert ahead.equals(pd.date_range(times[-1], periods=25, freq="h").as_unit("us")[1:])
    frame = pd.DataFrame({"time": times, "load": y})
    assert read_panel(frame).clock.tz == tz
    np.testing.assert_array_equal(read_panel(frame).times, utc(times))


@pytest.mark.parametrize("tz", [BERLIN, "America/New_York", "Europe/London"])
def test_stamps_that_end_their_hour_are_placed_by_their_beginnings(tz: str, tmp_path: Path) -> None:
    begins = pd.date_range("2022-01-01", "2022-12-31 23:00", freq="h", tz=tz)
    # A file of such stamps counts on from the wall clock of the beginning: 03:00 twice, and 02:00 before 04:00.
    labels = (begins.tz_localize(None) + pd.Timedelta("1h")).strftime("%Y-%m-%d %H:%M")
    path = tmp_path / "ends.csv"
    pd.DataFrame({"time": labels, "load": np.arange(len(labels))}).to_csv(path, index=False)
    panel = read_panel(path, ReadOptions(tz=tz))
    np.testing.assert_array_equal(panel.times, utc(begins) + np.timedelta64(1, "h"))
    assert panel.warnings == ()
    assert any("end their step" in note for note in panel.notes)


@pytest.mark.parametrize(("freq", "tz"), [("30min", "Europe/London"), ("15min", BERLIN), ("h", "America/New_York")])
def test_periods_are_counted_from_local_midnight(freq: str, tz: str, tmp_path: Path) -> None:
    times = pd.date_range("2022-01-01", "2022-12-31 23:59", freq=freq, tz=tz)
    day = times.strftime("%Y-%m-%d")
    period = pd.Series(1, index=times).groupby(day).cumsum().to_numpy()  # 46 and 50 half hours on two days
    path = tmp_path / "periods.csv"
    pd.DataFrame({"DATE": day, "SETTLEMENT_PERIOD": period, "MW": np.arange(len(times))}).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"the periods of 2[35] hours") as refusal:
        read_panel(path)
    assert "--tz" in refusal.value.text("shell")[1]
    panel = read_panel(path, ReadOptions(tz=tz))
    np.testing.assert_array_equal(panel.times, utc(times))
    assert panel.values[:, 0].tolist() == list(range(len(times)))
    spring = pd.read_csv(path)[lambda rows: rows["DATE"].between("2022-03-01", "2022-04-15")]
    with pytest.raises(DataError, match="the periods of 23 hours"):
        read_panel(spring)
    winter = pd.read_csv(path)[lambda rows: rows["DATE"].between("2022-01-01", "2022-02-15")]
    assert read_panel(winter).clock.tz is None


@pytest.mark.parametrize(("freq", "clock"), [("D", "D"), ("MS", "MS"), ("W-MON", "W-MON"), ("QS", "QS-JAN")])
@pytest.mark.parametrize("tz", [BERLIN, "America/New_York", "Europe/Athens"])
def test_local_midnights_in_utc_prove_their_zone(freq: str, clock: str, tz: str, tmp_path: Path) -> None:
    times = pd.date_range("2009-12-28", periods=150, freq=freq, tz=tz)
    for number, stamps in enumerate((times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"), times.as_unit("s").asi8)):
        path = tmp_path / f"{number}.csv"
        pd.DataFrame({"time": stamps, "kWh": np.arange(150)}).to_csv(path, index=False)
        for options in (ReadOptions(tz=tz), ReadOptions()):
            panel = read_panel(path, options)
            np.testing.assert_array_equal(panel.times, times.tz_localize(None).to_numpy().astype("datetime64[us]"))
            assert panel.clock.freq == clock
            assert panel.clock.format(panel.times[0]) == str(times[0].date())
        # What was proved by all rows reads two of them alike.
        last = pd.read_csv(path).tail(2)
        few = read_panel(last, ReadOptions(**panel.read_options, freq=freq))
        np.testing.assert_array_equal(few.times, panel.times[-2:])


def test_days_that_begin_at_six_are_days(tmp_path: Path) -> None:
    times = pd.date_range("2021-01-01 06:00", periods=500, freq="D", tz=BERLIN)
    path = tmp_path / "gas.csv"
    pd.DataFrame({"time": times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"), "gas": np.arange(500)}).to_csv(
        path, index=False
    )
    panel = read_panel(path)
    assert (panel.clock.freq, panel.clock.tz) == ("D", BERLIN)
    np.testing.assert_array_equal(panel.times, times.tz_localize(None).to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize(("tz", "hours"), [("America/New_York", (9, 15)), (BERLIN, (9, 17)), ("UTC", (13, 20))])
def test_sessions_prove_the_zone_of_their_hours(tz: str, hours: tuple[int, int], tmp_path: Path) -> None:
    local = pd.date_range("2022-09-01", "2023-02-10", freq="30min", tz=tz)
    local = local[(local.day_of_week < 5) & (local.hour >= hours[0]) & (local.hour <= hours[1])]
    path = tmp_path / "bars.csv"
    stamps = local.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    pd.DataFrame({"time": stamps, "close": np.arange(len(local))}).to_csv(path, index=False)
    panel = read_panel(path)
    assert panel.clock.tz == tz
    assert panel.clock.freq == f"30min MON-FRI {hours[0]:02d}:00-{hours[1]:02d}:30"
    np.testing.assert_array_equal(panel.times, utc(local))
    assert len(np.unique(panel.stretches())) == 1


def test_a_file_without_a_zone_keeps_its_times(tmp_path: Path) -> None:
    times = pd.date_range("2022-01-01", periods=200, freq="h")
    path = tmp_path / "plain.csv"
    pd.DataFrame({"time": times, "y": np.arange(200)}).to_csv(path, index=False)
    panel = read_panel(path)
    assert panel.clock.tz is None
    assert panel.clock.local(panel.times).equals(times.as_unit("us"))


def test_the_hour_of_the_day_is_that_of_the_place() -> None:
    times = hours("2022-01-01", 24 * 365)
    panel = read_panel(pd.DataFrame({"time": times, "load": values(times)}))
    sine = calendar_features(panel.times, panel.clock)[:, calendar_names(panel.clock).index("sine of day")]
    np.testing.assert_allclose(sine, np.sin(2 * np.pi * times.hour / 24), atol=1e-12)


@pytest.fixture(scope="module", params=SPANS.values(), ids=SPANS)
def wall_run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., Settings],
    plotless: None,
) -> tuple[Run, Path, pd.DatetimeIndex]:  # fmt: skip
    """A run on rows of a clock in Berlin, its file, and the times."""
    folder = tmp_path_factory.mktemp("wall")
    times = hours(*request.param)
    path = wall_file(folder / "wall.csv", times)
    settings = tiny(tz=BERLIN, lookback=12, horizon=24, epochs=1, baseline=False)
    return forecast.train(path, settings, run="wall", runs_dir=folder / "runs"), path, times


def stamps_of(csv: str) -> list[str]:
    return pd.read_csv(io.StringIO(csv), dtype=str)["ds"].tolist()


def test_every_entry_forecasts_the_hours_after_the_last_row(
    wall_run: tuple[Run, Path, pd.DatetimeIndex], tmp_path: Path
) -> None:
    run, path, times = wall_run
    following = pd.date_range(times[-1], periods=25, freq="h")[1:]
    expected = [str(time) for time in following]
    runs_dir = str(run.path.parent)

    def typed(*arguments: str) -> str:
        result = CliRunner().invoke(build_program(arguments), [*arguments, "--runs-dir", runs_dir, "--quiet"])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert forecast.predict(run)["ds"].tolist() == following.tolist()
    assert forecast.predict(run, path)["ds"].tolist() == following.tolist()
    frame = pd.DataFrame({"time": times, "load": values(times)})
    assert forecast.predict(run, frame)["ds"].tolist() == following.tolist()
    assert stamps_of(typed("predict", "wall")) == expected
    assert stamps_of(typed("predict", "wall", str(path))) == expected
    assert [row["ds"] for row in json.loads(typed("predict", "wall", "--json"))] == expected
    lines = path.read_text().splitlines()
    newest = tmp_path / "newest.csv"
    newest.write_text("\n".join([lines[0], *lines[-60:]]) + "\n")
    state = str(tmp_path / "state.json")
    assert stamps_of(typed("stream", "wall", str(newest), "--state", state))[-24:] == expected
    stream = Stream(run)
    for time, value in zip(times[-60:], values(times)[-60:], strict=True):
        pushed = stream.push(time, {"load": value})
    assert pushed is not None
    assert pushed["ds"].tolist() == following.tolist()
    local = Stream(run)
    for time, value in zip(times[-60:].tz_localize(None), values(times)[-60:], strict=True):
        pushed = local.push(time, {"load": value})
    assert pushed is not None
    assert pushed["ds"].tolist() == following.tolist()
    with served(run, Limits(body=1_000_000, seconds=20)) as port:
        for form in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M"):
            rows = [{"ds": t.strftime(form), "load": v} for t, v in zip(times, values(times), strict=True)][-60:]
            status, answer = asked(port, body={"rows": rows})
            assert status == 200, answer
            assert [row["ds"] for row in answer["forecast"]] == expected


def test_a_stream_takes_the_hour_of_autumn_twice(tiny: Callable[..., Settings], tmp_path: Path, plotless: None) -> None:
    times = hours("2022-10-01", 24 * 35)
    path = wall_file(tmp_path / "wall.csv", times)
    run = forecast.train(
        path, tiny(tz=BERLIN, lookback=6, epochs=1, baseline=False), run="wall", runs_dir=tmp_path / "runs"
    )
    around = np.flatnonzero((times >= "2022-10-29") & (times < "2022-10-31"))
    stream = Stream(run)
    for row in around:
        pushed = stream.push(times[row].tz_localize(None), {"load": values(times)[row]})
    assert pushed is not None
    assert pushed["cutoff"].iloc[0] == times[around[-1]]
    assert stream.newest() == times[around[-1]]


def test_test_forecasts_come_back_from_disk_in_local_time(wall_run: tuple[Run, Path, pd.DatetimeIndex]) -> None:
    run, _, times = wall_run
    of_run = run.test_forecasts
    assert str(of_run["ds"].dt.tz) == BERLIN
    observed = pd.Series(values(times), index=times)
    np.testing.assert_allclose(of_run["y"], observed[of_run["ds"]], rtol=1e-9)
    pd.testing.assert_frame_equal(pd.read_parquet(run.path / "test_forecasts.parquet"), of_run)


def test_rows_with_a_zone_are_refused_where_the_run_has_none(
    tiny: Callable[..., Settings], tmp_path: Path, plotless: None
) -> None:
    times = pd.date_range("2022-01-01", periods=300, freq="h")
    frame = pd.DataFrame({"ds": times, "y": np.sin(np.arange(300) / 4)})
    run = forecast.train(frame, tiny(epochs=1, baseline=False), run="plain", runs_dir=tmp_path)
    with pytest.raises(DataError, match="had none"):
        forecast.predict(run, frame.assign(ds=times.tz_localize(BERLIN)))
    assert forecast.predict(run, frame)["ds"].iloc[0] == times[-1] + pd.Timedelta("1h")


def test_dates_of_the_split_are_local(tiny: Callable[..., Settings]) -> None:
    times = hours("2022-10-01", 24 * 40)
    frame = pd.DataFrame({"time": times, "load": values(times)})
    settings = tiny(validation_from="2022-10-25", test_from="2022-11-01", lookback=6)
    from forecast.choices.defaults import resolve
    from forecast.data.prepare import prepare

    panel = read_panel(frame)
    split = prepare(panel, resolve(settings, panel)[0]).split
    assert panel.clock.format(split.test_from[0]) == "2022-11-01 00:00+01:00"
    assert panel.clock.format(split.validation_from[0]) == "2022-10-25 00:00+02:00"
