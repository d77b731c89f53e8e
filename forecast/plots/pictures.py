"""The plots of a report: each drawn twice, for a screen and for a phone, and carried inside the page."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from forecast.data.prepare import Prepared
from forecast.evaluation.diagnosis import Diagnosis
from forecast.evaluation.scoring import Evaluation
from forecast.plots.canvas import DPI, PHONE, SCREEN, Drawing, to_svg
from forecast.plots.diagnosis import plot_coverage, plot_error_by_clock, plot_reliability, plot_residuals
from forecast.plots.draw import Drawn, drawn, labels_of, observed_series, pooled_labels_of
from forecast.plots.plots import plot_error_by_step, plot_examples, plot_forecast, plot_test_span, plot_training
from forecast.plots.style import Labels, shown
from forecast.plots.timeline import plot_data

_CURVE = re.compile(rb' d="[^"]*"')
_BEYOND_HUNDREDTHS = re.compile(rb"(?<=\.\d\d)\d+")


@dataclass(frozen=True)
class Image:
    """A file inside the page.

    Args:
        uri: Its content, as ``data:`` URI.
        width: In CSS pixels.
        height: In CSS pixels.
    """

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A plot of the page.

    Args:
        title: What is shown.
        note: How to read it; may be empty.
        wide: For screens and paper.
        narrow: For phones; None to show the wide one there too, in a box that scrolls.
        flips: In the dark, its ink turns light; not where colours are a scale.
    """

    title: str
    note: str
    wide: Image
    narrow: Image | None = None
    flips: bool = True


def image_of(figure: Drawing) -> Image:
    """A drawing as SVG."""
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Image(data_uri(_rounded(to_svg(figure)), "image/svg+xml"), width, height)


def _rounded(svg: bytes) -> bytes:
    """An SVG whose curves are given to a hundredth of a point: a third of the bytes are digits that no eye can see."""
    return _CURVE.sub(lambda curve: _BEYOND_HUNDREDTHS.sub(b"", curve[0]), svg)


def png_image(content: bytes) -> Image:
    """A PNG file, in the size that its letters were drawn for."""
    width, height = (int.from_bytes(content[place : place + 4]) for place in (16, 20))  # its first chunk, by the format
    return Image(data_uri(content, "image/png"), round(96 * width / DPI), round(96 * height / DPI))


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that needs no request. A script in an SVG does not run behind one in ``<img>``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


class Album:
    """The pictures of a run, drawn when they are asked for.

    Args:
        prepared: What the run was trained on.
        evaluation: Scores and forecasts of the test span.
        histories: Losses by epoch of each network, by its column.
        forecast: The newest forecast.
        diagnosis: What was found in the errors.
    """

    def __init__(
        self,
        prepared: Prepared,
        evaluation: Evaluation,
        histories: Mapping[str, pd.DataFrame],
        forecast: pd.DataFrame,
        diagnosis: Diagnosis,
    ) -> None:
        self.diagnosis = diagnosis
        self.rows, self.split = prepared.rows, prepared.split
        self.metrics, self.forecasts = evaluation.metrics, evaluation.forecasts
        self.histories, self.forecast = histories, forecast
        self.model, self.lookback = evaluation.metrics["model"], prepared.config.data.lookback
        self.pooled = pooled_labels_of(self.rows, self.model, histories)
        self.drawn = drawn(self.rows)
        self.scored = [one for one in self.drawn if one.name in diagnosis.residuals]

    def newest(self) -> list[Picture]:
        """The newest forecast, with its fan."""
        ahead = set(self.forecast["unique_id"])
        return [
            self._of(one, plot_forecast, self._past(one), self.forecast, one.name, self.labels(one), self.lookback)
            for one in self.drawn
            if one.name in ahead
        ]

    def span(self) -> list[Picture]:
        """The test span."""
        return [self._of(one, plot_test_span, self.forecasts, one.name, self.labels(one)) for one in self.scored]

    def examples(self) -> list[Picture]:
        """The best forecast, typical ones, and the worst."""
        return [
            self._of(one, plot_examples, self.forecasts, self._past(one), one.name, self.labels(one), self.lookback)
            for one in self.scored
        ]

    def by_step(self) -> list[Picture]:
        """The error by how far ahead."""
        return [self._of(None, plot_error_by_step, self.metrics["by_step"], self.pooled)]

    def by_clock(self) -> list[Picture]:
        """The error by hour, weekday and month."""
        measure = "MASE" if self.diagnosis.scaled else self.pooled.axis("mean absolute error")
        parts = self.diagnosis.by_clock
        return [self._of(None, plot_error_by_clock, parts, self.pooled, measure)] if parts else []

    def coverage(self) -> list[Picture]:
        """What the model's intervals hold."""
        intervals = (self.metrics.get("intervals") or {}).get("models", {}).get(self.model, {})
        levels = {name: found for name, found in intervals.items() if name.isdecimal()}
        return [self._of(None, plot_coverage, levels, self.pooled)] if levels else []

    def reliability(self) -> list[Picture]:
        """What was observed when so much was forecast."""
        found = self.diagnosis.reliability
        return [self._of(one, plot_reliability, found[one.name], self.labels(one), one.name) for one in self.scored]

    def residuals(self) -> list[Picture]:
        """The residuals of the model."""
        found = self.diagnosis.residuals
        return [self._of(one, plot_residuals, found[one.name], self.labels(one), one.name) for one in self.scored]

    def training(self) -> list[Picture]:
        """The error while training."""
        return [self._of(None, plot_training, self.histories, self.pooled)]

    def data(self) -> list[Picture]:
        """All rows and how they are divided."""
        return [self._of(None, plot_data, self.rows, self.drawn, self.split, self.pooled)]

    def labels(self, one: Drawn) -> Labels:
        """What the page says about one series and target."""
        return labels_of(self.rows, one.target, self.model, self.histories)

    def _past(self, one: Drawn) -> pd.DataFrame:
        return observed_series(self.rows, one)

    def _of(self, one: Drawn | None, plot: Callable[..., Drawing], *things: object) -> Picture:
        """A plot of these things on both sheets, without the subject in its title, which the page has said."""
        wide, narrow = plot(*things, sheet=SCREEN), plot(*things, sheet=PHONE)
        subject = self.pooled.subject() if one is None else self.labels(one).subject(one.name)
        title = wide.title.removeprefix(f"{subject}: ")
        title = f"{shown(one.name, 60)}: {title}" if one and len(self.drawn) > 1 else f"{title[:1].upper()}{title[1:]}"
        return Picture(title, wide.note, image_of(wide), image_of(narrow))
