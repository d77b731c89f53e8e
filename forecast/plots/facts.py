"""What a report is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast.data.prepare import Prepared
from forecast.evaluation.scoring import Evaluation
from forecast.plots.draw import pooled_labels_of
from forecast.plots.style import Labels


@dataclass(frozen=True)
class Explained:
    """What was found inside a run's network.

    Args:
        sentences: In words.
        pictures: PNG files by name.
    """

    sentences: list[str]
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class Facts:
    """Everything that a report says, from a training that has just ended or from the folder of a run.

    Args:
        name: Name of the run.
        manifest: The content of its manifest.json.
        prepared: The rows that it was trained on, and how they were divided.
        evaluation: Scores and forecasts of the test span.
        histories: Losses by epoch of each network, by its column.
        forecast: The newest forecast.
        explained: What was found inside its network; None if nobody has looked.
    """

    name: str
    manifest: Mapping[str, Any]
    prepared: Prepared
    evaluation: Evaluation
    histories: Mapping[str, pd.DataFrame]
    forecast: pd.DataFrame
    explained: Explained | None = None

    @property
    def labels(self) -> Labels:
        """What the page says about the series."""
        return pooled_labels_of(self.prepared.rows, self.evaluation.metrics["model"], self.histories)
