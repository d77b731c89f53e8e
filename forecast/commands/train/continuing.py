"""A run that is continued: where its networks start, on which spans, how shortly they learn, and if that is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forecast.config import Config, MemberConfig
from forecast.data.clock import Times
from forecast.data.panel import Arrays, Panel
from forecast.data.prepare import Prepared
from forecast.evaluation.scoring import score_models
from forecast.evaluation.significance import SIGNIFICANT
from forecast.evaluation.yardstick import NaiveError
from forecast.model import Model
from forecast.models.catalogue import network_configs
from forecast.runs.find import open_run
from forecast.runs.run import Run, split_members

# Each of the two newest spans, which judge, has so many horizons of rows, if the run's own was not shorter: a change is
# to be learned soon, and thirty independent horizons tell a difference of a few percent.
HORIZONS_HELD_OUT = 60

# After a change they are shorter, a third of the rows since then each, so that there is something to learn; but of so
# many horizons at least, or the change waits. Two weeks after the unit of a column of `station` had changed, windows
# since then made half of what was learned from: the errors of the validation rows, the test rows and the three weeks
# that followed were lower at this schedule's rate than at the whole rate of a first training.
_FEWEST_HELD_OUT = 2

# A continued training takes a tenth of the epochs that the first one took, at most at this share of its rate. Of the
# rates 0.1, 0.25 and 0.5 this one erred least on two of three validation spans of `station`; with a constant rate, and
# epochs until the validation loss rises, forecasts of the weeks that followed were 0.5 to 2 % worse there.
_EPOCHS, _RATE = 0.1, 0.25

# Few rows have come since a change, and the version in place is of another world: so much lower an error is enough
# where no test can be significant. After another unit of a column of `station` continued versions erred 15 to 36 % less
# where they were judged, and less in the weeks that followed; one of three airports, 5.7 % less, soon erred 23 % more.
_LEAD_AFTER_CHANGE = 0.1


class NotBetter(Exception):
    """The version that was trained is not better than the one before; says by how much."""


@dataclass(frozen=True)
class Continuation:
    """What a version of a run is continued from, and when it takes its place.

    Args:
        before: The version that is continued.
        margin: By which share its error must be lower; None for any that is significant, or clear after a change.
        force: Whether it takes the place however good it is.
        changed_since: Since when the rows are no longer as they were; None if nothing has changed.
    """

    before: Run
    margin: float | None = None
    force: bool = False
    changed_since: np.datetime64 | None = None

    def config(self, panel: Panel) -> Config:
        """The configuration of the next version: the same, but for the split and a short schedule.

        Args:
            panel: The rows of the run and the new ones.
        """
        config, first = self.before.config, open_run(self.before.home)
        epochs = max(1, round(_EPOCHS * first.history["member"].value_counts().max()))
        schedule = {"epochs": epochs, "learning_rate": _RATE * first.config.training.learning_rate}
        changed = {"epochs": epochs, "stopped_after": None}
        members = [member.model_copy(update=changed) for member, _ in _kept_members(config)]
        return config.with_portfolio(members).replace(data=self._split(panel), training=schedule)

    def _split(self, panel: Panel) -> dict[str, object]:
        """Two spans at the end of the rows, short ones, so that what is new is soon learned."""
        before, data = self.before, self.before.config.data
        most = HORIZONS_HELD_OUT * data.horizon
        if data.split == "series":
            n_rows = float(np.median(np.diff(panel.offsets)))
            return {"validation": min(data.validation, most / n_rows), "test": min(data.test, most / n_rows)}
        times = np.unique(panel.times)
        if n_rows := self._held_out_since_change(panel):
            return self._dates(panel, times, n_rows, n_rows)
        first, second, last = (np.datetime64(before.data[name]) for name in ("validation_from", "test_from", "last"))
        n_validation = min(most, int(((times >= first) & (times < second)).sum()))
        n_test = min(most, int(((times >= second) & (times <= last)).sum()))
        return self._dates(panel, times, n_validation, n_test)

    @staticmethod
    def _dates(panel: Panel, times: Times, n_validation: int, n_test: int) -> dict[str, object]:
        dates = {"validation_from": times[-n_test - n_validation], "test_from": times[-n_test]}
        return {name: panel.clock.format(date) for name, date in dates.items()}

    def _held_out_since_change(self, panel: Panel) -> int:
        """Rows of each span that judges if a third of those since the change is to be learned from; 0 if as ever."""
        data = self.before.config.data
        if self.changed_since is None or data.split == "series":
            return 0
        third = int((np.unique(panel.times) >= self.changed_since).sum()) // 3
        return third if _FEWEST_HELD_OUT <= third / data.horizon < HORIZONS_HELD_OUT else 0

    def emphasised(self, prepared: Prepared) -> Prepared:
        """The same, with the windows since a change as often to learn from as those before it."""
        windows = prepared.train
        if self.changed_since is None or prepared.config.network.stateful:
            return prepared
        is_new = prepared.rows.panel.times[windows.cutoffs] >= self.changed_since
        new, old = windows.starts[is_new], windows.starts[~is_new]
        if not 0 < len(new) < len(old):
            return prepared
        return replace(prepared, train=replace(windows, starts=np.concatenate([old, np.resize(new, len(old))])))

    @property
    def starts(self) -> dict[str, tuple[Arrays, Arrays]]:
        """The weights of the networks and the moments of their optimisers, by the names of checkpoints."""
        run, starts = self.before, dict[str, tuple[Arrays, Arrays]]()
        for network in (*network_configs(run.config), *(["refit"] if run.forecast_weights == "refit" else [])):
            designs = run.members(network)
            weights = split_members(run.weights(network), len(designs))
            moments = split_members(run.moments(network), len(designs))
            places = [*range(len(designs))]
            if network == "model" and run.config.portfolio:
                places = [number for number, (_, counts) in enumerate(_kept_members(run.config)) if counts]
            for place, (design, _), *start in zip(places, designs, weights, moments, strict=True):
                if design.units:  # what learns nothing step by step is solved anew
                    starts[f"{network}.{place + 1}"] = start[0], start[1]
        return starts

    def judge(self, prepared: Prepared, model: Model, naive_error: Mapping[str, NaiveError]) -> dict[str, Any]:
        """How much better a model is than the one before, on the test windows, which neither was trained on.

        Raises:
            NotBetter: If it is not better as it must be.
        """
        name, rows, season = model.name, prepared.rows, prepared.config.data.season
        before = f"version {self.before.version}"
        models = {name: model.over(rows), before: Model.load(self.before).over(rows)}
        scores = score_models(rows, prepared.test, models, season, naive_error).metrics
        skill, p = scores["skill"][before], scores["p_value"][before]
        since = rows.panel.clock.format(rows.panel.times[prepared.test.cutoffs + 1].min())
        chance = "too few windows to test" if p is None else f"p = {p:.2g}"
        size = (
            "no error to compare"
            if skill is None
            else f"an error {abs(skill):.1%} {'lower' if skill >= 0 else 'higher'}"
        )
        why = f"{size} than that of {before} on {len(prepared.test):,} windows from {since} on ({chance})"
        is_better = skill is not None and skill > 0 and p is not None and p < SIGNIFICANT
        if self.margin is not None:
            is_better = skill is not None and skill >= self.margin
        elif self._held_out_since_change(rows.panel):
            is_better = is_better or (skill is not None and skill >= _LEAD_AFTER_CHANGE)
        if not (is_better or self.force):
            raise NotBetter(why)
        return {"skill": skill, "p_value": p, "why": why}


def changed_since(run: Run) -> np.datetime64 | None:
    """When the change began that a version has learned of; None if it knows of none."""
    text = run.manifest.get("update", {}).get("changed_since")
    return None if text is None else np.datetime64(text)


def _kept_members(config: Config) -> Iterator[tuple[MemberConfig, bool]]:
    """The members of a portfolio that are trained again, the first and those that count, and whether each counts."""
    for number, member in enumerate(config.portfolio):
        if number == 0 or member.counts:
            yield member, member.counts
