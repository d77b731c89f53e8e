"""Style: words, numbers and looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.plots.style import BASELINE, MODEL, NAIVE, OBSERVED, OTHER, Labels, model_name, number, shown

LABELS = Labels("weather", "temperature", "°C", "month", "stacked-lstm", "rnn")


def test_looks_differ_in_colour_marker_and_line() -> None:
    looks = [OBSERVED, MODEL, BASELINE, OTHER, *NAIVE.values()]
    assert len({look.color for look in looks}) == len({look.marker for look in looks}) == len(looks)
    assert len({look.linestyle for look in looks}) == len(looks) - 1  # observed is the thinner of two unbroken lines
    assert [LABELS.look(model) for model in ("stacked-lstm", "rnn", "gru")] == [MODEL, BASELINE, OTHER]


def test_words() -> None:
    hours, quarters = replace(LABELS, step="hour"), replace(LABELS, step="15 minutes")
    assert [hours.duration(1), hours.duration(1200)] == ["1 hour", "1,200 hours"]
    assert [quarters.duration(1), quarters.duration(96)] == ["15 minutes", "96 steps of 15 minutes"]
    assert LABELS.subject("temperature") == "weather, temperature"
    assert LABELS.subject("JFK/temperature") == "weather, JFK, temperature"
    time = np.datetime64("2010-12-01T00:00", "us")
    assert [LABELS.moment(time), hours.moment(time)] == ["2010-12-01", "2010-12-01 00:00"]
    assert [number(x) for x in (0, 0.42, -1234.5, 1.2e-9, 3e12)] == ["0", "0.420", "-1,234", "1.20e-09", "3.00e+12"]
    assert LABELS.amount(np.nan) == "undefined"
    assert [model_name(name) for name in ("stacked-lstm", "rnn", "gru")] == ["stacked LSTM", "vanilla RNN", "GRU"]
    assert [shown("a\u00a0b\x1b\n"), shown("abcdef", 4)] == ["a b\\x1b\\n", "abc…"]
