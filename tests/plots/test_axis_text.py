"""What stands at ticks: dates that are right without their neighbours, and numbers with marks between thousands."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from forecast.plots.axis_text import PlainNumbers, date_ticks
from forecast.plots.figure import PlotFigure, format_axes


@pytest.mark.parametrize(
    ("first", "last", "most", "labels"),
    [
        ("2023-04-22T16", "2023-04-23T21", 4, ["00:00\n23 Apr\n2023", "12:00"]),
        ("2021-12-28T03", "2022-01-02T07", 6, ["29 Dec\n2021", "30 Dec", "31 Dec", "01 Jan\n2022", "02 Jan"]),
        ("2021-12-31T20", "2022-01-01T02", 4, ["20:00\n31 Dec\n2021", "22:00", "00:00\n01 Jan\n2022", "02:00"]),
        ("2021-05-01", "2021-06-03", 4, ["01 May\n2021", "15 May", "01 Jun"]),
        ("2021-11-10", "2022-02-03", 4, ["Dec\n2021", "Jan\n2022", "Feb"]),
        ("1949-12-20", "2010-12-01", 4, ["1960", "1980", "2000"]),
    ],
)
def test_dates(first: str, last: str, most: int, labels: list[str]) -> None:
    assert date_ticks(np.datetime64(first, "us"), np.datetime64(last, "us"), most)[1] == labels


@pytest.mark.parametrize("start", ["2001-01-24T01:00", "2001-12-31T23:50:01"])
def test_each_label_names_its_own_date(start: str) -> None:
    first = np.datetime64(start, "us")
    for seconds in np.geomspace(20, 3e9, 150):
        last = first + np.timedelta64(int(seconds * 1e6), "us")
        for most in (4, 6, 10):
            ticks, labels = date_ticks(first, last, most)
            assert len(ticks) == len(labels) <= most
            assert (first <= ticks).all()
            assert (ticks <= last).all()
            year, day = "", ""
            for tick, label in zip(ticks.astype("datetime64[s]").tolist(), labels, strict=True):
                above, *below = label.split("\n")
                for line in below:
                    year, day = (line, day) if line.isdigit() else (year, line)
                assert isinstance(tick, datetime)
                if ":" in above:
                    assert above.startswith(f"{tick:%H:%M}")
                    assert day == f"{tick:%d %b}"
                if not above.isdigit():
                    assert year == f"{tick:%Y}", (labels, label)


@pytest.mark.parametrize("days", [30, 100, 400])
def test_daily_rows_have_no_midnights(days: int) -> None:
    axes = PlotFigure().subplots()
    format_axes(axes, np.datetime64("2021-05-04", "us") + np.arange(days) * np.timedelta64(1, "D"), 4)
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert len(labels) > 1
    assert not any(":" in label for label in labels)


@pytest.mark.parametrize(
    ("low", "high", "some", "offset"),
    [
        (0, 2.4e6, ["0", "500,000", "1,000,000"], ""),
        (-1500, 1500, ["\u22121,000", "1,000"], ""),
        (9e6, 1.5e7, ["10,000,000", "14,000,000"], ""),
        (0, 2.4e10, ["0.5", "2.0"], "×10¹⁰"),
        (1e-5, 4e-5, ["1.0", "3.5"], "×10⁻⁵"),
        (0.1, 0.4, ["0.10", "0.35"], ""),
    ],
)
def test_numbers(low: float, high: float, some: list[str], offset: str) -> None:
    axes = PlotFigure().subplots()
    axes.plot([low, high])
    format_axes(axes)
    axes.figure.draw_without_rendering()
    assert isinstance(axes.yaxis.get_major_formatter(), PlainNumbers)
    assert set(some) <= {text.get_text() for text in axes.get_yticklabels()}
    assert axes.yaxis.get_offset_text().get_text() == offset
