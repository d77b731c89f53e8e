"""A year replayed week by week: trained anew, continued, or left as it was, judged on each week that follows.

    python scripts/replay_year.py data/station.csv --target temperature --kept station.jsonl
    python scripts/replay_year.py jfk_weather_cleaned.csv --target DRYBULBTEMPF --fresh-every 4 --kept jfk.jsonl
    python scripts/replay_year.py station --target temperature --weeks 12 --change dew_point:1.8:32 --kept unit.jsonl

Of every week the forecasts from all of its origins are scored, which nothing was trained on yet; then it becomes part
of the rows. All begin from one training on the rows before the year, and hold out spans of one length. `fresh` is
trained anew every so many weeks, `continued` is what `forecast update --train` makes of it each week, `never` stays.
The forecasts of each week are kept in the archive of `continued`, which scores them and looks for drift; `alarms` are
the weeks with one. What was done is kept, and not done again: the script can be stopped at any time. No vanilla RNN is
trained beside. With --change, columns are others from the first week on: a sensor that drifts, another unit, another
place; a second table then tells of every four weeks how much of what was lost is regained.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import forecast
from forecast import NullProgress, Panel, Run
from forecast.archive.store import Archive
from forecast.commands.train.continuing import HORIZONS_HELD_OUT
from forecast.data.prepare import encode, windows_of
from forecast.evaluation.scoring import score_models
from forecast.evaluation.yardstick import naive_errors_beside
from forecast.model import forecasters, load_models
from forecast.runs.calibration import intervals_of
from forecast.runs.rows import new_panel, scaler_of
from records import Record, figure_of, keep_records, markdown, read_records

ARMS = ("never", "fresh", "continued")
WEEK = np.timedelta64(7, "D")

# The level of the intervals whose coverage is shown.
LEVEL = 80


def changed(panel: Panel, since: np.datetime64, changes: Sequence[str]) -> Panel:
    """The rows with columns that are others from a time on.

    Args:
        panel: The rows.
        since: When it begins.
        changes: ``COLUMN:FACTOR:ADDED`` each, or ``COLUMN:FACTOR:ADDED:DAYS`` for one that comes in so many days.
    """
    values = panel.values.copy()
    for change in changes:
        name, *numbers = change.split(":")
        factor, added, days = (*map(float, numbers), 0.0)[:3]
        column = panel.columns.index(name)
        age = (panel.times - since) / np.timedelta64(1, "D")
        share = np.where(age < 0, 0.0, np.minimum(1.0, age / days) if days else 1.0)
        values[:, column] += share * (values[:, column] * (factor - 1) + added)
    return replace(panel, values=values)


class Year:
    """One year of a series, and the runs that go through it.

    Args:
        panel: All rows.
        settings: Of the trainings.
        weeks: How many of the newest weeks are replayed.
        folder: Where the runs live.
        margin: By which share a continued version must be better to take the place; None for significantly.
        changes: What changes with the first week, as of `changed`.
    """

    def __init__(
        self,
        panel: Panel,
        settings: dict[str, object],
        weeks: int,
        folder: Path,
        margin: float | None = None,
        changes: Sequence[str] = (),
    ) -> None:
        self.settings, self.folder, self.margin = settings, folder, margin
        self.begin = panel.times.max() - weeks * WEEK
        self.panel = changed(panel, self.begin, changes)

    def known(self, week: int) -> Panel:
        """The rows before a week; weeks count from 0."""
        return self.panel.between(self.panel.times.min(), self.begin + week * WEEK)

    def train(self, week: int) -> Run:
        """A training on the rows before a week, with short spans at their end, as of an update."""
        panel, name = self.known(week), f"fresh-{week:03d}"
        if (self.folder / name).exists():
            return forecast.find(name, runs_dir=self.folder)
        times = np.unique(panel.times)
        chosen, _ = forecast.resolve(forecast.configure(self.settings), panel)
        held_out = HORIZONS_HELD_OUT * chosen.data.horizon
        dates = {"validation_from": times[-2 * held_out], "test_from": times[-held_out]}
        spans = {key: panel.clock.format(date) for key, date in dates.items()}
        config = forecast.configure({**self.settings, **spans, "baseline": False})
        return forecast.train(
            panel, config, run=name, runs_dir=self.folder, overwrite=True, progress=NullProgress(), draw=False
        )

    def continued(self, week: int) -> tuple[Run, str, int]:
        """The run of `continued` before a week, updated by the rows of the week before; why; and its alarms."""
        if not (self.folder / "continued").exists():
            shutil.copytree(self.train(0).path, self.folder / "continued")
        if week == 0:
            return forecast.find("continued", runs_dir=self.folder), "", 0
        done = forecast.update(
            "continued",
            self.known(week),
            train=True,
            margin=self.margin,
            runs_dir=self.folder,
            progress=NullProgress(),
            draw=False,
        )
        return done.run, done.why, len(done.alarms)

    def score(self, run: Run, week: int) -> Record:
        """The error of a run in a week, from all of its origins, and what its intervals hold."""
        rows_read = new_panel(run, self.known(week + 1), NullProgress())
        rows = encode(rows_read, run.config.data, scaler_of(run, rows_read))
        windows = windows_of(rows, rows.panel.times > self.begin + week * WEEK, run.config.data)
        models, season = load_models(run), run.config.data.season
        before = rows.panel.times <= self.begin
        naive_error = naive_errors_beside(run.metrics, rows, before, season)
        intervals = intervals_of(run, "end", rows.scaler)
        scored = score_models(rows, windows, forecasters(models, rows), season, naive_error, intervals)
        if run.name == "continued":
            Archive.open(run).keep(scored.forecasts.drop(columns="y"), rows_read.fingerprint())
        metrics = scored.metrics
        name = metrics["model"]
        held = (metrics["intervals"] or {"models": {}})["models"].get(name, {}).get(str(LEVEL), {}).get("coverage")
        return {
            "n_windows": metrics["n_windows"],
            "mae": metrics["models"][name]["mae"],
            "persistence": metrics["models"]["persistence"]["mae"],
            "coverage": held,
            "unit": metrics["unit"],
        }


def replay(year: Year, weeks: int, fresh_every: int, kept: Path, stop_after: float) -> list[Record]:
    """The records of every arm and week, those that are kept already first; ends early when time is over."""
    records, began = read_records(kept), time.monotonic()
    done = {(record["arm"], record["week"]) for record in records}
    for week in range(weeks):
        for arm in ARMS:
            if (arm, week) in done:
                continue
            if time.monotonic() - began > stop_after:
                print(f"stopped before week {week}; the same command goes on")
                return records
            started, why, n_alarms = time.process_time(), "", 0  # whatever else the machine does meanwhile
            if arm == "continued":
                run, why, n_alarms = year.continued(week)
            else:
                run = year.train(0 if arm == "never" else week - week % fresh_every)
            seconds = time.process_time() - started
            is_trained = week > 0 and (arm == "continued" or (arm == "fresh" and week % fresh_every == 0))
            record = {"arm": arm, "week": week, "version": run.version, "why": why, "alarms": n_alarms}
            record |= {"seconds": seconds if is_trained else None} | year.score(run, week)
            keep_records(kept, [record])
            records.append(record)
    return records


def table(records: list[Record]) -> str:
    """Error, coverage, seconds and versions of each arm over the weeks that all of them have."""
    weeks = set.intersection(*({record["week"] for record in records if record["arm"] == arm} for arm in ARMS))
    unit = next((f" ({record['unit']})" for record in records if record["unit"]), "")
    rows: list[list[object]] = [
        [
            "",
            f"MAE{unit}",
            "against fresh",
            f"{LEVEL} % intervals hold",
            "processor seconds a training",
            "of fresh",
            "versions",
            "alarms",
        ]
    ]
    of_arm = {arm: [r for r in records if r["arm"] == arm and r["week"] in weeks] for arm in ARMS}
    mae = {arm: _mean(found, "mae") for arm, found in of_arm.items()}
    seconds = {arm: _mean(found, "seconds") for arm, found in of_arm.items()}
    for arm in ARMS:
        share = seconds[arm] / seconds["fresh"] if arm != "never" else np.nan
        n_versions = {"never": 1, "fresh": 1 + sum(r["seconds"] is not None for r in of_arm["fresh"])}
        version = max((int(figure_of(record, "version")) for record in of_arm[arm]), default=1)
        rows.append(
            [
                arm,
                f"{mae[arm]:.4g}",
                f"{mae[arm] / mae['fresh'] - 1:+.1%}",
                f"{_mean(of_arm[arm], 'coverage'):.1%}",
                "–" if np.isnan(seconds[arm]) else f"{seconds[arm]:.1f}",
                "–" if np.isnan(share) else f"{share:.2f}",
                n_versions.get(arm, version),
                sum(int(figure_of(record, "alarms")) > 0 for record in of_arm[arm]),
            ]
        )
    naive = f"last value: {_mean(of_arm['never'], 'persistence'):.4g}; {len(weeks)} weeks"
    return f"{markdown(rows)}\n\n{naive}"


def table_of_months(records: list[Record]) -> str:
    """The error of each arm in every four weeks, and the first week with an alarm."""
    last = max(int(figure_of(record, "week")) for record in records)
    months = range(0, last + 1, 4)
    rows: list[list[object]] = [["MAE in weeks", *(f"{first + 1}–{min(first + 3, last) + 1}" for first in months)]]
    for arm in ARMS:
        found = [[r for r in records if r["arm"] == arm and r["week"] in range(first, first + 4)] for first in months]
        rows.append([arm, *(f"{_mean(part, 'mae'):.4g}" for part in found)])
    alarmed = [int(figure_of(record, "week")) for record in records if record["alarms"]]
    return f"{markdown(rows)}\n\n" + (f"first alarm: after {min(alarmed)} weeks" if alarmed else "no alarm")


def _mean(records: list[Record], key: str) -> float:
    """The mean of a figure, each week by its windows; NaN where there is none."""
    found = [(figure_of(r, key), 1.0 if key == "seconds" else figure_of(r, "n_windows")) for r in records if r[key]]
    values, weights = zip(*found, strict=True) if found else ((np.nan,), (1.0,))
    return float(np.average(values, weights=weights))


def main() -> None:
    """Replay, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", help="a file, or a built-in series")
    parser.add_argument("--target", required=True)
    parser.add_argument("--model", default="segment-lstm")
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--fresh-every", type=int, default=4, help="weeks from one fresh training to the next")
    parser.add_argument("--margin", type=float, help="as of update; significantly better where it is left out")
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="COLUMN:FACTOR:ADDED[:DAYS]",
        help="what a column is from the first week on; it comes in so many days, or at once",
    )
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop after so many; the same command goes on"
    )
    parser.add_argument("--kept", type=Path, required=True, help="what was done; the runs lie beside it")
    given = parser.parse_args()
    settings: dict[str, object] = {"target": given.target, "model": given.model}
    panel = forecast.read(given.series, forecast.configure(settings).read)
    year = Year(panel, settings, given.weeks, given.kept.with_suffix(".runs"), given.margin, given.change)
    records = replay(year, given.weeks, given.fresh_every, given.kept, 60 * given.minutes)
    print(table(records))
    if given.change:
        print(f"\n{table_of_months(records)}")


if __name__ == "__main__":
    main()
