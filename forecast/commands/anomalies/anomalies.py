"""Which rows of a source are odd under the forecasts that a run makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.commands.progress import shown_by_default
from forecast.data.clock import STEP, Clock, Times
from forecast.data.newest import measured_rows
from forecast.data.panel import Panel
from forecast.data.prepare import Rows, encode, prepare
from forecast.data.split import at_or_after
from forecast.data.windows import Flags
from forecast.errors import ConfigError, DataError, quote, setting
from forecast.model import load_models
from forecast.outliers.discoveries import benjamini_hochberg
from forecast.outliers.kinds import KINDS, name_kinds, stuck_rows
from forecast.outliers.usual import UsualErrors, errors_of_test_span, errors_of_windows, leads_of, usual_errors
from forecast.outliers.walk import JudgedRows, judge_rows, with_rows_ahead
from forecast.progress import Progress
from forecast.runs.csv_tables import to_records
from forecast.runs.find import find
from forecast.runs.rows import fitted_until, new_panel, refuse_no_numbers, scaler_of, training_panel
from forecast.runs.run import Run
from forecast.sources.read import Source

if TYPE_CHECKING:
    from forecast.plots.figure import PlotFigure
    from forecast.plots.tables import Table

# Series that are drawn, those with the most odd rows.
_MOST_DRAWN = 5


@dataclass(frozen=True)
class Anomalies:
    """The rows of a source, and which of them are odd.

    Args:
        rows: All judged rows in long format: ``unique_id, ds, y, expected, lo, hi, p, kind``. 99 of 100 usual rows lie
            within ``lo`` and ``hi`` of what was expected; ``p`` is how improbable the row was; ``kind`` is one of
            `forecast.outliers.kinds.KINDS`, or "" of a row that is as usual.
        rate: The share of the discoveries that may be false.
        limit: The largest p-value of a discovery; 0 where there is none.
        run: The run's name.
        unit: The targets' unit of measurement.
        clock: The clock of the rows.
    """

    rows: pd.DataFrame
    rate: float
    limit: float
    run: str
    unit: str
    clock: Clock

    def __repr__(self) -> str:
        return f"<Anomalies of {self.run}: {self.sentence}>"

    def _repr_html_(self) -> str:
        from forecast.commands.anomalies.tables import html_of

        return html_of(f"Odd rows under {self.run}", self.sentence, self.plot(), self.table())

    @property
    def odd(self) -> pd.DataFrame:
        """The odd rows alone."""
        return self.rows[self.rows["kind"] != ""].reset_index(drop=True)

    @property
    def events(self) -> pd.DataFrame:
        """Odd rows of one kind in sequence as one: ``unique_id, ds, rows, kind, y, expected, lo, hi, p``.

        Of each its first time, how many rows it has, and the rest of its least probable row.
        """
        rows = self.rows
        new = (rows["unique_id"] != rows["unique_id"].shift()) | (rows["kind"] != rows["kind"].shift())
        number = new.cumsum()[rows["kind"] != ""]
        if number.empty:
            return self.odd.assign(rows=0)
        groups = rows.loc[number.index].groupby(number)
        least = rows.loc[number.index, "p"].fillna(2).groupby(number).idxmin()
        events = rows.loc[least].reset_index(drop=True)
        events["ds"] = groups["ds"].first().to_numpy() if self.clock.freq == STEP else list(groups["ds"].first())
        events.insert(2, "rows", groups.size().to_numpy())
        return events

    @property
    def sentence(self) -> str:
        """How many rows are odd, and in what way."""
        unseen = int((self.rows["p"].isna() & (self.rows["kind"] == "")).sum())
        counts = self.events["kind"].value_counts()
        words = {kind: many.removesuffix("s") if counts.get(kind) == 1 else many for kind, many in KINDS.items()}
        named = ", ".join(f"{counts[kind]} {word}" for kind, word in words.items() if kind in counts)
        what = f"{len(self.odd):,} of {len(self.rows):,} rows are odd{f': {named}' if named else ''}"
        share = f"; of those by their p-value about {self.rate:.0%} may be false alarms" if self.limit else ""
        return f"{what}{share}" + (f"; {unseen:,} rows had no forecast to be judged by" if unseen else "")

    def to_json(self, every_row: bool = False) -> dict[str, Any]:
        """What ``--json`` prints.

        Args:
            every_row: Whether the usual rows are among the rows, too.
        """
        return {
            "run": self.run,
            "summary": self.sentence,
            "judged": len(self.rows),
            "odd": len(self.odd),
            "rate": self.rate,
            "limit": self.limit,
            "unit": self.unit,
            "kinds": {kind: int((self.events["kind"] == kind).sum()) for kind in KINDS},
            "rows": to_records(self.rows if every_row else self.odd),
        }

    def worth_drawing(self) -> list[str]:
        """The series and targets with the most odd rows; the first one where none has any."""
        counted = self.odd["unique_id"].value_counts()
        return list(counted.index[:_MOST_DRAWN]) or list(self.rows["unique_id"].iloc[:1])

    def plot(self, unique_id: str | None = None) -> PlotFigure:
        """The rows of a series with marks at the odd ones.

        Args:
            unique_id: Which; None for the one with the most odd rows.

        Raises:
            ConfigError: If there is none; lists those that there are.
        """
        from forecast.commands.anomalies.plot import plot_anomalies

        known = self.rows["unique_id"].unique()
        name = self.worth_drawing()[0] if unique_id is None else unique_id
        if name not in known:
            raise ConfigError(f"There is no series {quote(name)}.", f"Series: {', '.join(known[:10])}.", value=name)
        return plot_anomalies(self.rows[self.rows["unique_id"] == name], name, self.sentence, self.unit, self.clock)

    def table(self) -> Table:
        """The events as a terminal and a notebook show them."""
        from forecast.commands.anomalies.tables import event_table

        return event_table(self.events, self.rows["unique_id"].nunique() > 1, self.unit, self.clock)


def anomalies(
    run: Run | str,
    source: Source | None = None,
    *,
    rate: float = 0.1,
    since: str | None = None,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> Anomalies:
    """Which rows are odd: improbable one step ahead or a season ahead, in a gap, or of a stuck sensor.

    A row is judged by forecasts from rows before it, in which what was expected stands in the place of suspect ones.
    Its p-value is its error's rank among those of the validation span, or of the test span for rows after it.

    Args:
        run: A run or its name.
        source: Rows to judge; None for the rows that it was trained on, from its test span on.
        rate: The share of the discoveries that may be false, in the mean.
        since: Judge rows from this time on; None for those that the run has not seen.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        ConfigError: If the rate is none.
        DataError: If the rows do not fit the run, or there is no row to judge.
    """
    if not 0 < rate < 1:
        raise ConfigError(f"rate: a share between 0 and 1. Received: {rate!r}.", "The usual one is 0.1.", value=rate)
    progress = progress or shown_by_default()
    run = find(run, runs_dir=runs_dir)
    read = new_panel(run, training_panel(run) if source is None else source, progress)
    unseen_since = fitted_until(run, read)
    from_time = unseen_since if since is None else np.full(read.n_series, _parse_time(since, run.clock))
    if (from_time < unseen_since).any():
        progress.warn(
            "rows that the network was trained or chosen on are among those to judge: it forecasts them better than "
            f"others, so that too few of them seem odd. Those from {run.clock.format(unseen_since[0])} on are honest."
        )
    panel = with_rows_ahead(read, run.config.data.horizon, len(run.config.data.known))
    judged = at_or_after(panel, from_time) & _up_to_the_last_measured(run, read, panel)
    if not judged.any():
        last, before = run.clock.format(read.times.max()), run.clock.format(from_time.min())
        why = "used for training" if since is None else "not asked for"
        raise DataError(
            f"There is no row to judge: the rows end at {last}, and those before {before} were {why}.",
            f"Give newer rows, or {setting('since')} for older ones.",
        )
    rows = encode(panel, run.config.data, scaler_of(run, read, unseen_since))
    refuse_no_numbers(run, np.nan_to_num(rows.scaled, posinf=np.inf, neginf=-np.inf))
    model = load_models(run)[run.config.network.model]
    usual = _usual_of(run, rows, panel.times[judged].min(), progress)
    known_stuck, repeated = stuck_rows(run, rows)
    found = judge_rows(rows, model, run.config.data, usual, judged, known_stuck, progress)
    p = np.where(judged[:, None], found.p, np.nan)
    discovered, limit = benjamini_hochberg(p.ravel(), rate)
    kinds = name_kinds(rows, judged, found, discovered.reshape(p.shape), repeated)
    return Anomalies(_table(rows, judged, found, p, kinds), rate, limit, run.name, rows.unit, run.clock)


def _usual_of(run: Run, rows: Rows, first: np.datetime64, progress: Progress) -> list[UsualErrors]:
    """The usual errors before the first judged row: those of the validation span, or of the test span."""
    leads = leads_of(run.config.data)
    if first <= np.datetime64(run.data["last"]):
        try:
            prepared = prepare(training_panel(run), run.config)
        except DataError as error:
            progress.warn(
                f"{error.message} So rows are judged by the errors of the whole test span, their own among them."
            )
        else:
            model = load_models(run)[run.config.network.model]
            errors = errors_of_windows(prepared.rows, model, prepared.validation, leads)
            return usual_errors(run, rows, errors)
    return usual_errors(run, rows, errors_of_test_span(run, rows, leads))


def _parse_time(text: str, clock: Clock) -> np.datetime64:
    try:
        return np.datetime64(int(text), "us") if clock.freq == STEP else clock.to_utc(pd.Timestamp(text))
    except (ValueError, TypeError):
        raise ConfigError(f"since: {quote(text)} is not a time.", "Give one such as 2024-01-31 13:00.") from None


def _up_to_the_last_measured(run: Run, read: Panel, panel: Panel) -> Flags:
    """Which rows do not come after the last measured one of their series, [T]."""
    ends = [
        read.times[measured_rows(read, number, len(run.config.data.known)).stop - 1] for number in range(read.n_series)
    ]
    last: Times = np.array(ends)
    return panel.times <= np.repeat(last, np.diff(panel.offsets))


def _table(rows: Rows, judged: Flags, found: JudgedRows, p: Any, kinds: Any) -> pd.DataFrame:
    """The judged rows in long format, by series and target."""
    parts, clock = [], rows.panel.clock
    for series, names in enumerate(rows.unique_ids):
        own = np.arange(rows.panel.offsets[series], rows.panel.offsets[series + 1])
        own = own[judged[own]]
        numbers = np.full(len(own), series)
        for target, name in enumerate(names):
            columns = {
                column: rows.bounds.wrap_angles(values[own][:, None], numbers)[:, 0, target]
                for column, values in (
                    ("y", rows.panel.values[:, : rows.n_targets]),
                    ("expected", found.expected),
                    ("lo", rows.bounds.clip(found.low[:, None], rows.series)[:, 0]),
                    ("hi", rows.bounds.clip(found.high[:, None], rows.series)[:, 0]),
                )
            }
            parts.append(
                pd.DataFrame(
                    {"unique_id": name, "ds": clock.local(rows.panel.times[own])}
                    | columns
                    | {"p": p[own, target], "kind": kinds[own, target]}
                )
            )
    return pd.concat(parts, ignore_index=True)
