"""What a table of simulations is: lines that are simulated one by one, figures with their errors, and bars for them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from records import markdown


class Figure(NamedTuple):
    """A share or a mean over replications, and its standard error."""

    value: float
    error: float


# The columns of a line: what was simulated in words and numbers, and what was found in figures.
Line = Mapping[str, str | int | Figure]

# The lowest and the highest value that a figure of a line may have.
Bar = Callable[[Line], tuple[float, float]]


@dataclass(frozen=True)
class Table:
    """A table of simulations.

    Args:
        title: Its heading.
        meaning: What its figures say, for a reader.
        line: Simulates a line: takes the arguments of a case and the number of replications.
        cases: The arguments of each line.
        replications: How many of each case.
        quick_cases: The lines of the short form, which is a test.
        quick: How many replications in the short form.
        bars: What the figures of a column may be.
    """

    title: str
    meaning: str
    line: Callable[..., Line]
    cases: Sequence[tuple[Any, ...]]
    replications: int
    quick_cases: Sequence[tuple[Any, ...]]
    quick: int
    bars: Mapping[str, Bar] = field(default_factory=dict)

    def count(self, quick: bool = False, replications: int | None = None) -> int:
        """How often each case is simulated, as of `make`."""
        return replications or (self.quick if quick else self.replications)

    def make(self, executor: Executor, quick: bool = False, replications: int | None = None) -> pd.DataFrame:
        """The table, a row for each line, with `Figure` objects in it; standard error is told of each line.

        Args:
            executor: Simulates the lines, several side by side.
            quick: Whether to make the short form.
            replications: How many of each case; None for the table's own number.
        """
        count = self.count(quick, replications)
        futures = [executor.submit(self.line, *case, count) for case in (self.quick_cases if quick else self.cases)]
        lines = []
        for future in futures:
            lines.append(future.result())
            print(
                self.title,
                *(f"{column} {_shown(cell)}" for column, cell in lines[-1].items()),
                sep=", ",
                file=sys.stderr,
            )
        return pd.DataFrame(lines)

    def misses(self, frame: pd.DataFrame) -> list[str]:
        """The figures that lie outside their bar, a sentence each."""
        found = []
        for line in _lines(frame):
            case = ", ".join(str(cell) for cell in line.values() if not isinstance(cell, Figure))
            for column in self._missed(line):
                value, (lowest, highest) = line[column].value, self.bars[column](line)
                found.append(f"{case}: {column} is {value:.1%}, wanted {lowest:.1%} to {highest:.1%}")
        return found

    def _missed(self, line: Mapping[str, Any]) -> list[str]:
        """The columns of a line whose figures lie further outside their bar than three standard errors."""
        missed = []
        for column, bar in self.bars.items():
            (value, error), (lowest, highest) = line[column], bar(line)
            if value < lowest - 3 * error or value > highest + 3 * error:
                missed.append(column)
        return missed

    def to_markdown(self, frame: pd.DataFrame, count: int) -> str:
        """The table as a section of a page: figures in percent, in bold where they miss their bar.

        Args:
            frame: What `make` returned.
            count: How often each case was simulated.
        """
        rows, errors = [list(frame.columns)], [0.0]
        for line in _lines(frame):
            missed = self._missed(line)
            rows.append([f"**{_shown(cell)}**" if column in missed else _shown(cell) for column, cell in line.items()])
            errors += [cell.error for cell in line.values() if isinstance(cell, Figure) and math.isfinite(cell.error)]
        told = f"In percent, of {count:,} replications; standard errors are at most {100 * max(errors):.1f}."
        return f"## {self.title}\n\n{self.meaning} {told}\n\n{markdown(rows)}\n"


def _lines(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, cells, strict=True)) for cells in frame.to_numpy()]


def _shown(cell: object) -> str:
    if isinstance(cell, Figure):
        return f"{100 * cell.value:.1f}" if math.isfinite(cell.value) else "–"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def share(happened: ArrayLike) -> Figure:
    """The share of replications in which something happened; its error is not zero where it always or never did."""
    flags = np.asarray(happened, bool)
    near = (flags.sum() + 1) / (flags.size + 2)
    return Figure(float(flags.mean()), math.sqrt(near * (1 - near) / flags.size))


def mean(values: ArrayLike) -> Figure:
    """The mean of a number that each replication gave."""
    found = np.asarray(values, np.float64)
    return Figure(float(found.mean()), float(found.std(ddof=1) / math.sqrt(found.size)) if found.size > 1 else math.inf)


def at_most(highest: float) -> Bar:
    """A bar for shares of claims that should not be made."""
    return lambda _: (0.0, highest)
