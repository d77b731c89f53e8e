"""Style: words, numbers and styles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecast.data.clock import Clock
from forecast.plots.style import (
    BASELINE,
    MODEL,
    NAIVE,
    OBSERVED,
    OTHER,
    Labels,
    format_like,
    format_number,
    model_name,
    printable,
    with_unit,
)

LABELS = Labels("weather", "temperature", "°C", Clock("MS"), "stacked-lstm", "rnn")


def test_looks_differ_in_colour_marker_and_line() -> None:
    styles = [OBSERVED, MODEL, BASELINE, OTHER, *NAIVE.values()]
    assert len({style.color for style in styles}) == len({style.marker for style in styles}) == len(styles)
    assert len({style.dashes for style in styles}) == len(styles) - 1  # observed is the thinner of two unbroken lines
    assert [LABELS.line_style(model) for model in ("stacked-lstm", "rnn", "gru")] == [MODEL, BASELINE, OTHER]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((106215.0, 85050.4), ("106,215", "85,050")),
        ((106215.0, 85050.4, 0.5), ("106,215.00", "85,050.40", "0.50")),
        ((1.2, 0.0003), ("1.2000", "0.0003")),
        ((1.2, 3e-5), ("1.20e+00", "3.00e-05")),
        ((1.5e-5, 3e-5, 0), ("1.50e-05", "3.00e-05", "0")),
        ((2e6, 3e7, 1.5e9), ("2,000,000", "30,000,000", "1,500,000,000")),
        ((99.96, -100.2), ("100.0", "-100.2")),
        ((0.0,), ("0",)),
    ],
)
def test_numbers_of_a_column_are_written_alike(values: tuple[float, ...], texts: tuple[str, ...]) -> None:
    assert tuple(map(format_like(values), values)) == texts


def test_a_unit_stands_once_beside_its_name() -> None:
    assert with_unit("load", "MW") == "load (MW)"
    assert with_unit("load", "") == "load"
    assert with_unit("T (degC)", "degC") == "T (degC)"
    assert with_unit("conc [mol/L]", "mol/L") == "conc [mol/L]"
    assert with_unit("a" * 30 + " (kW)", "kW") == "a" * 23 + "… (kW)"


def test_words() -> None:
    hours, quarters = replace(LABELS, clock=Clock("h")), replace(LABELS, clock=Clock("15min"))
    assert [hours.format_duration(1), hours.format_duration(1200)] == ["1 hour", "1,200 hours"]
    assert [quarters.format_duration(1), quarters.format_duration(96)] == ["15 minutes", "96 steps of 15 minutes"]
    assert LABELS.subject("temperature") == "weather, temperature"
    assert LABELS.subject("JFK/temperature") == "weather, JFK, temperature"
    time = np.datetime64("2010-12-01T00:00", "us")
    assert [LABELS.format_time(time), hours.format_time(time)] == ["2010-12-01", "2010-12-01 00:00"]
    assert [format_number(x) for x in (0, 0.42, -1234.5, 1.2e-9, 3e12)] == [
        "0",
        "0.420",
        "-1,234",
        "1.20e-09",
        "3.00e+12",
    ]
    assert LABELS.format_amount(np.nan) == "undefined"
    assert [model_name(name) for name in ("stacked-lstm", "rnn", "gru")] == ["stacked LSTM", "vanilla RNN", "GRU"]
    assert [printable("a\u00a0b\x1b\n"), printable("abcdef", 4)] == ["a b\\x1b\\n", "abc…"]
