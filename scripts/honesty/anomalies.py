"""Does `forecast anomalies` hold its false discovery rate, and does it find more than a seasonal z-score does?

``python scripts/honesty/anomalies.py [DATASETS]``: anomalies of six kinds are planted in the test spans of real series,
the built-in station and those in a folder of public ones, and looked for at a false discovery rate of 10 %. A row that
was not planted and is found counts as false, although real series have anomalies of their own. Takes five minutes.

A seasonal z-score stands beside it: how far a row is from the median of the same hour of the seven days before, in
standard deviations of that on the training rows. Of each series it gets the threshold at which its measured rate is
that of `forecast anomalies`, which nobody could know beforehand.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from forecast.data.panel import Floats
from forecast.data.windows import Flags

# The seed is one by which nothing was chosen.
RATE, SEED = 0.1, 2027

# Of a series its newest rows, a fifth of which is the test span; hours of a day; hours from one event to the next.
_ROWS, _DAY, _APART = 12_000, 24, 400

# Found in a folder of public series, beside the built-in station: file and column.
_FILES = {
    "JFK temperature": ("jfk_weather/jfk_weather_cleaned.csv", "DRYBULBTEMPF"),
    "JFK pressure": ("jfk_weather/jfk_weather_cleaned.csv", "SeaLevelPressure"),
    "Beijing temperature": ("beijing_pm25/raw.csv", "TEMP"),
    "ETTh1 load": ("ett/ETTh1.csv", "HUFL"),
    "ETTh2 load": ("ett/ETTh2.csv", "HUFL"),
}

# A kind of anomaly: from the rows of an event, of all rows, to other values; and for how many hours it lasts.
Plant = Callable[[Floats, slice, float, np.random.Generator], Floats]


def _spike(y: Floats, rows: slice, size: float, rng: np.random.Generator) -> Floats:
    return y[rows] + rng.choice([-1, 1]) * rng.uniform(1.5, 4) * size


def _shift(y: Floats, rows: slice, size: float, rng: np.random.Generator) -> Floats:
    return y[rows] + rng.choice([-1, 1]) * rng.uniform(1, 3) * size


def _drift(y: Floats, rows: slice, size: float, rng: np.random.Generator) -> Floats:
    return y[rows] + rng.choice([-1, 1]) * rng.uniform(2, 4) * size * np.linspace(0, 1, rows.stop - rows.start)


def _stuck(y: Floats, rows: slice, size: float, rng: np.random.Generator) -> Floats:
    return np.full(rows.stop - rows.start, y[rows.start])


def _noise(y: Floats, rows: slice, size: float, rng: np.random.Generator) -> Floats:
    return y[rows] + rng.uniform(0.5, 1.5) * size * rng.normal(size=rows.stop - rows.start)


def _half_a_day_off(y: Floats, rows: slice, size: float, rng: np.random.Generator) -> Floats:
    return y[rows.start + _DAY // 2 : rows.stop + _DAY // 2]


PLANTS: dict[str, tuple[Plant, int]] = {
    "spike": (_spike, 1),
    "level shift": (_shift, 2 * _DAY),
    "drift": (_drift, 3 * _DAY),
    "stuck sensor": (_stuck, 2 * _DAY),
    "more noise": (_noise, 2 * _DAY),
    "half a day off": (_half_a_day_off, 2 * _DAY),
}


@dataclass(frozen=True)
class Span:
    """The test span of a series with planted anomalies.

    Args:
        series: Its name.
        kind: Of `PLANTS`.
        events: The rows of each event.
        counted: Which rows count: all but those of the day after an event that lasted, when the series returns.
        found: Which rows `forecast anomalies` found.
        z: The seasonal z-score of each row.
    """

    series: str
    kind: str
    events: list[slice]
    counted: Flags
    found: Flags
    z: Floats

    @property
    def planted(self) -> Flags:
        """Which rows were planted."""
        planted = np.zeros(len(self.z), bool)
        for rows in self.events:
            planted[rows] = True
        return planted

    def false_share(self, found: Flags) -> float:
        """Which share of the rows that were found was not planted; 0 where none was found."""
        found = found & self.counted
        return float((found & ~self.planted).sum() / max(1, found.sum()))

    def detected(self, found: Flags) -> float:
        """Of which share of the events a row was found."""
        return float(np.mean([found[rows].any() for rows in self.events]))


def series_in(folder: Path | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each series as a frame of ds and y, with a row for each of its newest hours."""
    sources = {f"station {name}": ("station", name) for name in ("temperature", "pressure")}
    if folder is not None:
        sources |= {name: (str(folder / file), column) for name, (file, column) in _FILES.items()}
    for name, (source, column) in sources.items():
        panel = forecast.read(source)
        y = pd.Series(panel.values[:, panel.column(column)], pd.Index(panel.times, name="ds"), name="y")
        yield name, y.asfreq("h")[-_ROWS:].reset_index()


def _seasonal_z(y: Floats, n_training: int) -> Floats:
    """Of each row the distance from the median of the same hour of the seven days before, in standard deviations."""
    before = np.stack([pd.Series(y).shift(days * _DAY).to_numpy() for days in range(1, 8)])
    residual = y - pd.DataFrame(before).median().to_numpy()
    return np.abs(residual) / np.nanstd(residual[:n_training])


def spans_of(name: str, frame: pd.DataFrame, number: int, runs: Path) -> Iterator[Span]:
    """The test span of a series with anomalies of each kind, and what was found in it."""
    rng = np.random.default_rng([SEED, number])
    settings = {"model": "lstm", "units": 16, "lookback": 48, "horizon": _DAY, "epochs": 4, "baseline": False}
    settings |= {"target": "y", "seed": SEED}
    run = forecast.train(frame, forecast.configure(settings), run=name.replace(" ", "-"), runs_dir=runs)
    first = int(np.searchsorted(frame["ds"].to_numpy(), np.datetime64(run.test_from[0])))
    y = frame["y"].to_numpy()
    size = float(np.nanstd(y[_DAY : int(0.7 * first)] - y[: int(0.7 * first) - _DAY]) / np.sqrt(2))
    for kind, (plant, length) in PLANTS.items():
        changed, counted, events = y.copy(), np.ones(len(y), bool), []
        for start in range(first + _DAY, len(y) - _APART, _APART):
            begin = start + int(rng.integers(_APART - length - 2 * _DAY))
            rows = slice(begin, begin + length)
            changed[rows] = np.where(np.isnan(y[rows]), np.nan, plant(y, rows, size, rng))
            counted[rows.stop : rows.stop + (_DAY if length > 1 else 0)] = False
            events.append(slice(rows.start - first, rows.stop - first))
        result = forecast.anomalies(run, frame.assign(y=changed), rate=RATE)
        kinds = result.rows.set_index("ds")["kind"].reindex(frame["ds"][first:]).fillna("")
        found = ~kinds.isin(("", "gap")).to_numpy()
        yield Span(name, kind, events, counted[first:], found, _seasonal_z(changed, int(0.7 * first))[first:])


def _threshold(spans: list[Span], rate: float) -> float:
    """The lowest threshold of a series' z-scores at which their mean false share is at most the rate."""
    for threshold in np.arange(1.5, 12, 0.05):
        if np.mean([span.false_share(span.z > threshold) for span in spans]) <= rate:
            return float(threshold)
    return np.inf


def report(spans: list[Span]) -> None:
    """Print the table."""
    names = list(dict.fromkeys(span.series for span in spans))
    rate = float(np.mean([span.false_share(span.found) for span in spans]))
    thresholds = {name: _threshold([span for span in spans if span.series == name], rate) for name in names}
    print(f"measured false discovery rate: {rate:.1%} (asked for: {RATE:.0%}); z-score: the same, by its threshold\n")
    print("| planted | events | detected | by z-score | false | false by z-score |\n|---|---|---|---|---|---|")
    groups = [("kind", kind) for kind in PLANTS] + [("series", name) for name in names] + [("", "all")]
    for key, group in groups:
        own = [span for span in spans if not key or getattr(span, key) == group]
        by_z = [span.z > thresholds[span.series] for span in own]
        figures = (
            [span.detected(span.found) for span in own],
            [span.detected(found) for span, found in zip(own, by_z, strict=True)],
            [span.false_share(span.found) for span in own],
            [span.false_share(found) for span, found in zip(own, by_z, strict=True)],
        )
        events = sum(len(span.events) for span in own)
        print(f"| {group} | {events} | " + " | ".join(f"{np.mean(shares):.0%}" for shares in figures) + " |")


def main() -> None:
    """Plant, look, and print the table."""
    folder, spans = (Path(sys.argv[1]) if len(sys.argv) > 1 else None), list[Span]()
    with tempfile.TemporaryDirectory() as runs:
        for number, (name, frame) in enumerate(series_in(folder)):
            spans += spans_of(name, frame, number, Path(runs))
    report(spans)


if __name__ == "__main__":
    main()
