"""Impossible and odd values: each kind is named once, with its count, worst and time, and the option that takes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.config import ReadOptions
from forecast.errors import rendered, without_settings

N = 1500
STEP = np.arange(N)
TIMES = pd.date_range("2022-03-01", periods=N, freq="h")


def column(kind: str, seed: int = 0) -> np.ndarray:
    """A sound column: hourly, with a day's course."""
    rng = np.random.default_rng(seed)
    day = np.sin(2 * np.pi * STEP / 24)
    drift = np.cumsum(rng.normal(0, 0.1, N))
    return {
        "temp": 9 + 4 * day + drift + rng.normal(0, 0.5, N),
        "pressure": 1010 + drift * 3,
        "humidity": np.clip(70 + 12 * day + rng.normal(0, 3, N), 25, 99).round(),
        "rain": np.where(rng.random(N) < 0.1, rng.exponential(1, N), 0.0),
        "wind": 3 + rng.weibull(1.5, N),
        "close": 100 * np.exp(0.01 * np.cumsum(rng.normal(0, 1, N))),
        "volume": 1e6 * np.exp(rng.normal(0, 1, N)),
        "load": 5000 + 900 * day + 40 * rng.normal(0, 1, N),
    }[kind]


def warnings_of(name: str, values: np.ndarray, **options: object) -> list[str]:
    """What reading the column says, as the command line words it."""
    frame = pd.DataFrame({"time": TIMES[: len(values)], name: values})
    panel = forecast.read(frame, ReadOptions(**options))  # type: ignore[arg-type]
    return [rendered(text, "shell") for text in panel.warnings if "values are missing" not in text]


def put(rows: object, value: object) -> Callable[[np.ndarray], np.ndarray]:
    def with_values(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[rows] = value
        return values

    return with_values


# Name -> column, its kind, what is done to it, what the only warning says.
ODD: dict[str, tuple[str, str, Callable[[np.ndarray], np.ndarray], str]] = {
    "pressure of 0": (
        "Pressure (millibars)",
        "pressure",
        put(np.r_[100:130, 500], 0),
        "31 value(s) are 0, the first at 2022-03-05 04:00: impossible for air pressure "
        "(--missing '0@Pressure (millibars)' reads them as missing).",
    ),
    "pressures of different sizes": (
        "pressure",
        "pressure",
        put([5, 600, 601], [12, 0, 101]),
        "3 value(s) are below 300 mbar, the lowest 0 at 2022-03-26 00:00: impossible for air pressure "
        "(--missing '<300@pressure' reads them as missing).",
    ),
    "54 °C among 9": (
        "temp",
        "temp",
        put(700, 54),
        "1 single value(s) far from those before and after, such as 54 at 2022-03-30 04:00 between",
    ),
    "warmer than any air": (
        "temp (°C)",
        "temp",
        put([700, 701], [93, 95]),
        "2 value(s) are above 57 °C, the highest 95",
    ),
    "a wind of 400 m/s": ("wind speed (m/s)", "wind", put(5, 400), "1 value(s) are above 120 m/s, the highest 400"),
    "humidity of 130": ("humidity", "humidity", put(40, 130), "1 value(s) are above 100 %, the highest 130"),
    "humidity of 0 for hours": (
        "humidity",
        "humidity",
        put(np.r_[90:100], 0),
        "10 value(s) are 0, the first at 2022-03-04 18:00: impossible for relative humidity",
    ),
    "negative rain": (
        "rain",
        "rain",
        put([66, 67], [-2, -3]),
        "2 value(s) are negative, the lowest -3 at 2022-03-03 19:00",
    ),
    "a share for nothing": (
        "close",
        "close",
        put([300, 800], 0),
        "2 price(s) are not positive, such as 0 at 2022-03-13 12:00",
    ),
    "a negative share price": ("Adj Close", "close", put([300], -5), "1 price(s) are not positive, such as -5"),
    "zeros among loads": (
        "load",
        "load",
        put([80, 81, 400], 0),
        "3 value(s) are 0, the first at 2022-03-04 08:00, and all others lie within",
    ),
    "two codes": (
        "load",
        "load",
        put([80, 81, 400, 402], [0, 0, 65000, 65000]),
        "4 value(s) are 65000 or 0, the first at",
    ),
    "spikes": (
        "load",
        "load",
        put([200, 900], [20, 12000]),
        "2 single value(s) far from those before and after, such as 12000",
    ),
    "the last value": (
        "load",
        "load",
        put(N - 1, 12000),
        "1 single value(s) far from those before and after, such as 12000 at 2022-05-02 11:00 after 5",
    ),
    "a spike of 1e15": (
        "load",
        "load",
        put(200, 1e15),
        "1 value(s) lie more than 200 standard deviations away, such as 1e+15",
    ),
}


@pytest.mark.parametrize(("name", "kind", "change", "says"), ODD.values(), ids=ODD)
def test_odd_values_are_named_once_and_the_option_takes_them(name, kind, change, says):
    sound = column(kind)
    assert warnings_of(name, sound) == []
    odd = change(sound)
    (warning,) = warnings_of(name, odd)
    assert warning.startswith(f"{name!r}: {says}"), warning
    # What the finding advises, and nothing else, is done: it goes, and no other value than those that were put there.
    option, value = shlex.split(re.search(r"\((--.*) reads (?:it|them) as missing\)", warning)[1])
    frame = pd.DataFrame({"time": TIMES, name: odd})
    panel = forecast.read(frame, ReadOptions(**{option[2:]: value}))
    np.testing.assert_array_equal(panel.values[:, 0], np.where(odd == sound, sound, np.nan))
    assert all("missing" in text for text in panel.warnings)


@pytest.mark.parametrize("kind", ["temp", "pressure", "humidity", "rain", "wind", "close", "volume", "load"])
def test_a_sound_column_is_left_in_peace(kind):
    flagged = [warnings_of(kind, column(kind, seed)) for seed in range(25)]
    assert sum(map(bool, flagged)) <= 1, flagged


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("holiday", (STEP % 100 == 0).astype(float)),
        ("level", np.where(STEP % 90 == 0, 10.0, STEP % 3)),
        ("demand", np.where(STEP % 7 == 0, np.random.default_rng(0).integers(1, 40, N), 0).astype(float)),
        ("price", np.random.default_rng(0).normal(40, 30, N)),  # of power
        ("wind direction", np.random.default_rng(0).uniform(0, 360, N)),
        ("sun", np.maximum(0, np.sin(2 * np.pi * STEP / 24)) * 900),
    ],
)
def test_what_jumps_by_nature_is_left_in_peace(name, values):
    assert warnings_of(name, values) == []


def test_the_advice_keeps_what_was_given_and_names_the_column_as_it_is_written():
    values = put([80, 81, 400, 700], [0, 0, 0, -9])(column("load"))
    first = warnings_of("load, net", values, missing="-9@load, net")
    assert "'load, net': 1 value(s) of -9 are read as missing, as you asked." in first
    assert any("(--missing '-9@load, net,0@load, net' reads them as missing)" in text for text in first)
    assert ReadOptions(missing="-9@load, net,0@load, net").missing == ("-9@load, net", "0@load, net")


def test_the_advice_on_a_price_does_not_contradict_what_a_run_that_takes_logarithms_does():
    """Such a run reads it as missing and says so: the option is not what decides."""
    (warning,) = warnings_of("Close", put([300], -37.63)(column("close")))
    assert warning.endswith("reads it as missing); a run that takes logarithms reads such values as missing unasked.")


def test_python_reads_the_advice_as_python():
    frame = pd.DataFrame({"time": TIMES, "pressure": put([5, 6], 0)(column("pressure"))})
    (warning,) = forecast.read(frame).warnings
    assert warning.endswith("(missing='0@pressure' reads them as missing).")
    assert rendered(warning, "json").endswith('("missing": "0@pressure" reads them as missing).')


def test_a_panel_and_a_built_in_series_are_read_alike():
    plain = forecast.read("weather")
    masked = forecast.read("weather", ReadOptions(missing=">27@temperature"))
    too_warm = plain.values > 27
    assert too_warm.any()
    np.testing.assert_array_equal(np.isnan(masked.values), np.isnan(plain.values) | too_warm)
    again = forecast.read(plain, ReadOptions(missing=">27"))
    np.testing.assert_array_equal(again.values, masked.values)
    assert any(f"{too_warm.sum()} value(s) > 27 are read as missing" in text for text in masked.warnings)


def test_a_finding_goes_from_the_warnings_of_a_panel_that_is_mended():
    frame = pd.DataFrame({"time": TIMES, "pressure": put([5, 6], 0)(column("pressure"))})
    panel = forecast.read(forecast.read(frame), ReadOptions(missing="0@pressure"))
    assert panel.warnings == forecast.read(frame, ReadOptions(missing="0@pressure")).warnings


@pytest.mark.parametrize("text", ["", "@x", "a@x", "0@", "nan", "inf@x", "<", "<@x", "=3"])
def test_what_is_no_value_is_refused(text):
    with pytest.raises(forecast.ConfigError, match="missing"):
        forecast.configure({"missing": (text,)})


def test_a_column_that_is_not_there_is_refused():
    frame = pd.DataFrame({"time": TIMES, "pressure": column("pressure")})
    with pytest.raises(forecast.DataError, match="There is no column 'presure'") as refusal:
        forecast.read(frame, ReadOptions(missing="0@presure"))
    assert "missing='0@pressure'" in refusal.value.advice


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("0@p,<0@rain , -1", ("0@p", "<0@rain", "-1")),
        ("0@a, b,>5@c", ("0@a, b", ">5@c")),
        ("1e3", ("1e3",)),
        (0, ("0",)),
        (-999.9, ("-999.89999999999998",)),
        (["0@p", "1@q,2@r"], ("0@p", "1@q,2@r")),
    ],
)
def test_rules_are_written_with_commas_or_as_a_list(text, rules):
    assert ReadOptions(missing=text).missing == rules


def test_what_a_run_reads_names_no_settings_that_nobody_can_give():
    frame = pd.DataFrame({"time": TIMES, "p (mbar)": put([5, 6], 0)(column("pressure"))})
    (warning,) = forecast.read(frame).warnings
    assert (
        without_settings(warning)
        == "'p (mbar)': 2 value(s) are 0, the first at 2022-03-01 05:00: impossible for air pressure."
    )
    assert without_settings("plain (as it is)") == "plain (as it is)"


def test_series_on_different_levels_are_not_odd():
    days = pd.date_range("2023-01-01", periods=60)
    rng = np.random.default_rng(0)
    parts = [pd.DataFrame({"id": f"s{k}", "ds": days, "qty": rng.normal(30, 1, 60).round(2)}) for k in range(4)]
    frame = pd.concat([*parts, pd.DataFrame({"id": "new", "ds": days[:5], "qty": 50.0})])
    assert forecast.read(frame, ReadOptions(series_id="id")).warnings == ()
