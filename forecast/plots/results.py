"""What the plots and the page of a run are made from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from forecast.archive.due import LiveScores
from forecast.data.bounds import TURN
from forecast.data.clock import Clock
from forecast.data.prepare import Prepared, Rows
from forecast.evaluation.scoring import Evaluation
from forecast.plots.diagnosis import Diagnosis, diagnose
from forecast.plots.many_series import MOST_DRAWN, telling_series
from forecast.plots.style import Labels, printable

# The end of an interval, in the name of a column.
_END = re.compile(r"-(lo|hi)-\d+$")

# What is drawn by itself of a run: the files of a plot, or its pictures on the page; and the name of the plot.
Part: TypeAlias = tuple[Literal["files", "page"], str]


@dataclass(frozen=True)
class PlottedSeries:
    """A series and target that has plots of its own.

    Args:
        series_index: Of the series in the panel.
        target_index: Of the target.
        unique_id: Its id in the tables of forecasts.
        suffix: What tells its files apart from those of others; empty if there are no others.
        chosen_for: Why it was chosen of many, such as the least error; empty where it was not.
    """

    series_index: int
    target_index: int
    unique_id: str
    suffix: str
    chosen_for: str = ""


@dataclass(frozen=True)
class Explained:
    """What ``forecast explain`` found inside a run's network.

    Args:
        sentences: In words.
        pictures: PNG files by file name.
    """

    sentences: Sequence[str]
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class RunResults:
    """All that a run's plots and page show, from a training that has just ended or from the folder of a run.

    Args:
        name: Name of the run.
        replay: The command line that trains it again and compares.
        manifest: The content of its manifest.json.
        prepared: The rows that it was trained on, and how they were divided.
        evaluation: Scores and forecasts of the test span.
        histories: Losses by epoch of each network, by its column.
        forecast: The newest forecast.
        explained: What was found inside its network; None if ``forecast explain`` has not been run.
        live: How it has done since it went live; None if no forecast of it was kept and scored.
        drawn: What of its plots has been drawn, by `forecast.plots.run_report.draw_part`; what is absent is drawn when
            it is needed.
    """

    name: str
    replay: str
    manifest: Mapping[str, Any]
    prepared: Prepared
    evaluation: Evaluation
    histories: Mapping[str, pd.DataFrame]
    forecast: pd.DataFrame
    explained: Explained | None = None
    live: LiveScores | None = None
    drawn: dict[Part, Any] = field(default_factory=dict, init=False)  # so that a changed copy has drawn nothing

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of its metrics.json."""
        return self.evaluation.metrics

    @property
    def model(self) -> str:
        """The model's column."""
        return str(self.metrics["model"])

    @cached_property
    def labels(self) -> Labels:
        """What a plot says that pools all targets, whatever their units are."""
        rows = self.prepared.rows
        return replace(labels_of(rows, 0, self.model, self.histories), target=", ".join(rows.targets), unit=rows.unit)

    def labels_of(self, series: PlottedSeries) -> Labels:
        """What a plot says that draws one series and target."""
        return labels_of(self.prepared.rows, series.target_index, self.model, self.histories)

    @cached_property
    def plotted_series(self) -> list[PlottedSeries]:
        """The series and targets that have plots of their own."""
        return plotted_series(self.prepared.rows, telling_series(self.metrics))

    @property
    def which_are_drawn(self) -> str:
        """Which series have plots of their own, in a sentence; empty where all have."""
        count, drawn = sum(map(len, self.prepared.rows.unique_ids)), self.plotted_series
        if len(drawn) == count:
            return ""
        named = [
            printable(series.unique_id, 40) + (f" ({series.chosen_for})" if series.chosen_for else "")
            for series in drawn
        ]
        return f"Of {count:,} series, {len(drawn)} {'is' if len(drawn) == 1 else 'are'} drawn: {', '.join(named)}."

    @cached_property
    def test_forecasts(self) -> pd.DataFrame:
        """The forecasts of the test span as plots have them; angles are moved as in `_comparable_forecasts`."""
        return on_axis(self._comparable_forecasts, self.clock)

    @cached_property
    def _comparable_forecasts(self) -> pd.DataFrame:
        """The forecasts of the test span; angles are moved by full turns to where they are nearest to the observed.

        So errors can be computed, and curves drawn, as if angles were any other numbers.
        """
        forecasts, angles = self.evaluation.forecasts, self.prepared.rows.angles
        if not angles:
            return forecasts
        moved = forecasts.copy()
        is_angle = moved["unique_id"].isin(angles)
        angle = moved[is_angle]
        observed = angle.groupby("unique_id", sort=False)["y"]
        near = observed.ffill().fillna(observed.bfill())  # or else to the last one that was observed
        columns = moved.columns.difference(["unique_id", "ds", "cutoff", "y"])
        ends = [name for name in columns if _END.search(name)]
        for name in columns.difference(ends):
            moved.loc[is_angle, name] += TURN * ((near - angle[name]) / TURN).round()
        for name in ends:  # on their side of the forecast, less than a turn away
            model, end, _ = name.rsplit("-", 2)
            point = moved.loc[is_angle, model]
            beside = point - (point - angle[name]) % TURN if end == "lo" else point + (angle[name] - point) % TURN
            moved.loc[is_angle, name] = beside
        return moved

    @property
    def clock(self) -> Clock:
        """The clock of its rows."""
        return self.prepared.rows.panel.clock

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What is left to learn in the errors."""
        ids = [series.unique_id for series in self.plotted_series]
        return diagnose(self._comparable_forecasts, self.metrics, self.clock, ids)


def on_axis(forecasts: pd.DataFrame, clock: Clock) -> pd.DataFrame:
    """A table in long format with its times as plots have them: wall times without a zone."""
    if not clock.is_zoned:
        return forecasts
    return forecasts.assign(**{name: forecasts[name].dt.tz_localize(None) for name in ("ds", "cutoff")})


def plotted_series(rows: Rows, telling: Mapping[str, str] | None = None) -> list[PlottedSeries]:
    """The series and targets of some rows that have plots of their own: those that tell most, or else the first few.

    Args:
        rows: The rows.
        telling: Unique ids that tell most, with the reason; none where there are few series.
    """
    telling = telling or {}
    places = [
        (series_index, target_index, unique_id)
        for series_index, unique_ids in enumerate(rows.unique_ids)
        for target_index, unique_id in enumerate(unique_ids)
        if not telling or unique_id in telling
    ][:MOST_DRAWN]
    alone = len(places) == 1
    return [
        PlottedSeries(series, target, name, "" if alone else f"-{_slug(name)}", telling.get(name, ""))
        for series, target, name in places
    ]


def observed_series(rows: Rows, series: PlottedSeries) -> pd.DataFrame:
    """``unique_id, ds, y``: what was observed of one series and target."""
    span = rows.panel.rows(series.series_index)
    y = rows.series_values(series.series_index, series.target_index)
    known = np.flatnonzero(~np.isnan(y))
    stop = int(known[-1]) + 1 if len(known) else 0
    return pd.DataFrame(
        {"unique_id": series.unique_id, "ds": rows.panel.clock.on_axis(rows.panel.times[span][:stop]), "y": y[:stop]}
    )


def labels_of(rows: Rows, target: int, model: str, columns: Collection[str]) -> Labels:
    """What every plot says about one target of some rows.

    Args:
        rows: The rows.
        target: Index of the target.
        model: The model's column.
        columns: What is drawn beside it; the vanilla RNN has a line style of its own if it is among them.
    """
    panel, name = rows.panel, rows.targets[target]
    unit = panel.units.get(name, "")
    return Labels(
        title=panel.name,
        target=name,
        unit=unit,
        clock=panel.clock,
        model=model,
        baseline="rnn" if "rnn" in columns and model != "rnn" else None,
    )


def _slug(name: str) -> str:
    """A part of a file name for any name: its harmless characters, and a hash where that leaves some out."""
    safe = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40]
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]
    return safe if safe == name else f"{safe}-{digest}".strip("-")
