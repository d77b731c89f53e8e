"""What a server counts, as Prometheus reads it: https://prometheus.io/docs/instrumenting/exposition_formats."""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from threading import Lock

import numpy as np

# Upper ends of the buckets of seconds, and of requests that are computed together.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TOGETHER = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Metrics:
    """Counters and histograms, in memory that a server's processes share: each adds to its own, and tells the sum.

    Args:
        counters: What each counter counts, by name; the label sets of each, such as ``run="a",column="y"``.
        histograms: The same, and the upper ends of its buckets.
        processes: How many there are.
    """

    def __init__(
        self,
        counters: Mapping[str, tuple[str, Sequence[str]]],
        histograms: Mapping[str, tuple[str, Sequence[str], Sequence[float]]],
        processes: int = 1,
    ) -> None:
        self._counters, self._histograms = counters, histograms
        self._first: dict[tuple[str, str], int] = {}  # where the numbers of a series begin
        size = 0
        wide = [(name, labels, 1) for name, (_, labels) in counters.items()]
        wide += [(name, labels, len(ends) + 2) for name, (_, labels, ends) in histograms.items()]
        for name, labels, width in wide:
            for label in labels:
                self._first[name, label] = size
                size += width
        shared = mmap.mmap(-1, 8 * (size + 1) * processes)  # nothing cannot be shared
        self._all = np.frombuffer(shared, np.float64).reshape(processes, -1)
        self._own, self._lock = self._all[0], Lock()

    def of_process(self, number: int) -> None:
        """Count as this process from now on."""
        self._own, self._lock = self._all[number], Lock()

    def add(self, name: str, label: str, amount: float = 1.0) -> None:
        """Add to a counter; a label that nobody foresaw is not counted."""
        at = self._first.get((name, label))
        if at is not None:
            with self._lock:
                self._own[at] += amount

    def observe(self, name: str, label: str, value: float) -> None:
        """Add a value to a histogram."""
        at = self._first.get((name, label))
        if at is not None:
            ends = self._histograms[name][2]
            with self._lock:
                self._own[at + bisect_left(ends, value)] += 1
                self._own[at + len(ends) + 1] += value

    def text(self) -> str:
        """All of them, those that are still zero left out."""
        sums, lines = self._all.sum(axis=0).tolist(), []
        for name, (said, labels) in self._counters.items():
            lines += [f"# HELP {name} {said}", f"# TYPE {name} counter"]
            numbers = [(label, sums[self._first[name, label]]) for label in labels]
            lines += [f"{name}{{{label}}} {number:.12g}" for label, number in numbers if number]
        for name, (said, labels, ends) in self._histograms.items():
            lines += [f"# HELP {name} {said}", f"# TYPE {name} histogram"]
            for label in labels:
                at = self._first[name, label]
                *counts, total = sums[at : at + len(ends) + 2]
                so_far = list(accumulate(counts))
                if so_far[-1]:
                    rows = zip([*map("{:g}".format, ends), "+Inf"], so_far, strict=True)
                    lines += [f'{name}_bucket{{{label},le="{end}"}} {count:.12g}' for end, count in rows]
                    lines += [f"{name}_sum{{{label}}} {total:.12g}", f"{name}_count{{{label}}} {so_far[-1]:.12g}"]
        return "\n".join([*lines, ""])


# The statuses that a server answers with.
_STATUSES = (200, 400, 401, 404, 405, 408, 413, 415, 422, 431, 500, 501, 503, 504)


def server_metrics(runs: Mapping[str, Sequence[str]], paths: Sequence[str], processes: int = 1) -> Metrics:
    """What a server counts.

    Args:
        runs: The columns that the network of each run sees, by its name.
        paths: Those that it answers.
        processes: How many share the work.
    """
    at = [f'path="{path}"' for path in [*paths, "other"]]
    of_run = [f'run="{name}"' for name in runs]
    inputs = [f'run="{name}",column="{column}"' for name, columns in runs.items() for column in columns]
    return Metrics(
        {
            "forecast_requests_total": ("Requests.", [f'{path},code="{code}"' for path in at for code in _STATUSES]),
            "forecast_series_total": ("Series that were forecast.", of_run),
            "forecast_warnings_total": ("Warnings in answers: what was repaired, left out, or is far off.", of_run),
            "forecast_inputs_total": ("Values that networks were fed, of the steps before the cut-off.", inputs),
            "forecast_inputs_sum": (
                "Their sum, scaled: the mean was about 0 in training, so this shows drift.",
                inputs,
            ),
            "forecast_inputs_squares": ("The sum of their squares, whose mean was about 1 in training.", inputs),
        },
        {
            "forecast_request_seconds": ("Seconds from the headers of a request to its answer.", at, SECONDS),
            "forecast_batch_size": ("Requests that were computed together.", of_run, TOGETHER),
        },
        processes,
    )
