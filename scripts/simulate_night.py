"""Whether the one process that hands out tasks becomes the bottleneck: many groups on 1, 10 and 100 simulated nodes.

    python scripts/simulate_night.py [--groups 10000] [--cores 16] [--seconds 43 ...] [--hand-over 0.0016]

Each core computes one task at a time. When it is done, the scheduler collects the result and hands over the next task,
to one core after the other, each time for `hand_over` seconds; meanwhile the core waits. The lengths of the tasks are
those that were measured, drawn at random. Shown are the time of the whole night, the least that any scheduler could
need, and how much of it the cores compute and the scheduler works.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from records import markdown

# Seconds of a core for the forecasts of a thousand series in a file, as `docs/scale.md` tells how they were measured.
_MEASURED = (1.36, 1.38, 1.39, 2.08)

# Seconds of Ray for a task that does nothing, from `scripts/benchmark_engines.py`.
_HAND_OVER = 0.0016


@dataclass(frozen=True)
class Night:
    """What a night took.

    Args:
        seconds: From the first task handed over to the last result collected.
        cores_busy: The share of that time in which a core computes, on average.
        scheduler_busy: The share in which the scheduler works.
    """

    seconds: float
    cores_busy: float
    scheduler_busy: float


def simulate(lengths: NDArray[np.float64], n_cores: int, hand_over: float) -> Night:
    """A night of tasks of these lengths [N], in this order, on so many cores.

    Args:
        lengths: Seconds of each task.
        n_cores: How many cores there are.
        hand_over: Seconds of the scheduler for each task.
    """
    # When each core next asks for a task, the earliest first; the scheduler serves one at a time.
    asking, scheduler_free, end = [0.0] * n_cores, 0.0, 0.0
    for length in lengths.tolist():
        scheduler_free = max(scheduler_free, heapq.heappop(asking)) + hand_over
        end = max(end, scheduler_free + length)
        heapq.heappush(asking, scheduler_free + length)
    return Night(end, float(lengths.sum()) / (end * n_cores), len(lengths) * hand_over / end)


def least_seconds(lengths: NDArray[np.float64], n_cores: int) -> float:
    """What no scheduler can be faster than: all work spread evenly, or the longest task."""
    return max(float(lengths.sum()) / n_cores, float(lengths.max()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--nodes", nargs="+", type=int, default=[1, 10, 100])
    parser.add_argument("--cores", type=int, default=16, help="Of a node.")
    parser.add_argument("--seconds", nargs="+", type=float, default=_MEASURED, help="Measured lengths of tasks.")
    parser.add_argument("--hand-over", type=float, default=_HAND_OVER, help="Seconds of the scheduler for a task.")
    asked = parser.parse_args(arguments)
    lengths = np.random.default_rng(0).choice(np.array(asked.seconds), asked.groups)
    rows: list[Sequence[object]] = [["nodes", "cores", "minutes", "at least", "cores compute", "the scheduler works"]]
    for nodes in asked.nodes:
        n_cores = nodes * asked.cores
        night = simulate(lengths, n_cores, asked.hand_over)
        least = least_seconds(lengths, n_cores)
        shares = (f"{night.cores_busy:.1%}", f"{night.scheduler_busy:.1%}")
        rows.append([nodes, n_cores, f"{night.seconds / 60:.1f}", f"{least / 60:.1f}", *shares])
    print(markdown(rows))


if __name__ == "__main__":
    main()
