"""What came of a search: the two runs on the same test windows, and what that says, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.commands.tune.search import Search
from forecast.commands.tune.space import in_words, values_of
from forecast.commands.tune.study import TrialStore, error_of, import_optuna
from forecast.commands.tune.trial import ERRORS, SECONDS, WHY
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, prepare
from forecast.data.windows import Forecaster, Ints, Windows
from forecast.evaluation.scoring import score_models
from forecast.evaluation.verdict import significant_sign
from forecast.evaluation.yardstick import naive_errors
from forecast.model import Model
from forecast.runs.run import Run

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# How important a dimension was is told of so many trials with an error, of which this share counts as good: Optuna asks
# for five good ones, and fewer made a setting important by chance.
_FEWEST_TRIALS, _GOOD = 20, 0.25

TUNED, DEFAULTS = "tuned", "defaults"


def judge(panel: Panel, tuned: Run, defaults: Run) -> dict[str, Any] | None:
    """Both runs on the test windows that both can forecast, with the test of the difference; None if there is none.

    Args:
        panel: The rows.
        tuned: The run of the best settings.
        defaults: That of the defaults.
    """
    prepared = {name: prepare(panel, run.config) for name, run in ((TUNED, tuned), (DEFAULTS, defaults))}
    first = prepared[TUNED]
    cutoffs = np.intersect1d(first.test.cutoffs, prepared[DEFAULTS].test.cutoffs)
    if not len(cutoffs):
        return None
    windows = Windows(cutoffs - first.test.lookback + 1, first.test.lookback, first.test.horizon)
    models = {
        name: _forecaster(Model.load(run), prepared[name], windows.lookback)
        for name, run in ((TUNED, tuned), (DEFAULTS, defaults))
    }
    season = first.config.data.season
    error = naive_errors(first.rows, first.training_rows, season)
    metrics = score_models(first.rows, windows, models, season, error).metrics
    measure = metrics["skill_of"]
    compared = {key: metrics[key].get(DEFAULTS) for key in ("skill", "skill_interval", "p_value", "detectable")}
    return {
        "measure": measure,
        "n_windows": len(windows),
        **{name: metrics["models"][name][measure.lower()] for name in models},
        **compared,
    }


def _forecaster(model: Model, prepared: Prepared, lookback: int) -> Forecaster:
    """The forecasts of windows of a longer lookback, at whose end those of the model lie."""
    cut = lookback - prepared.config.data.lookback

    def forecast(starts: Ints) -> Floats:
        return model.forecast(prepared.rows, starts + cut)

    return forecast


def summarise(
    search: Search,
    best: FrozenTrial,
    panel: Panel,
    judged: Mapping[str, Any] | None,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """All that is kept of a search, as JSON types.

    Args:
        search: What was searched.
        best: The trial of the lowest error.
        panel: The rows.
        judged: What `judge` returned; None if the defaults are the best.
        about: More to keep.
    """
    finished, folds = search.store.finished(), [fold.prepared for fold in search.folds]
    lines = [
        {
            "trial": trial.number + 1,
            "error": error_of(trial),
            "errors": list(trial.user_attrs.get(ERRORS, ())),
            "why": trial.user_attrs.get(WHY),
            "seconds": trial.user_attrs.get(SECONDS),
            "tried": dict(trial.params),
        }
        for trial in finished
    ]
    clock = panel.clock
    found: dict[str, Any] = {
        "schema": 1,
        "title": panel.name,
        "target": list(search.config.data.target),
        "horizon": search.config.data.horizon,
        "unit": folds[0].rows.unit,
        "seed": search.config.training.seed,
        "fingerprint": panel.fingerprint(),
        "spans": [_span(fold, clock) for fold in folds],
        "space": {name: in_words(choices) for name, choices in search.space.items()},
        "n_trials": len(finished),
        "n_stopped": sum(line["error"] is None for line in lines),
        "best": best.number + 1,
        "error": best.value,
        "error_of_defaults": next((line["error"] for line in lines if line["trial"] == 1), None),
        "defaults": values_of(search.config, search.space),
        "found": values_of(search.config_of(best), search.space),
        "importances": importances(search.store),
        "trials": lines,
        "test": None if judged is None else dict(judged),
        **about,
    }
    return found | {"verdict": verdict(found)}


def _span(fold: Prepared, clock: Any) -> dict[str, Any]:
    split = fold.split
    begins = clock.format(split.validation_from[0]) if split.is_by_time else None
    ends = clock.format(split.test_from[0]) if split.is_by_time else None
    return {"from": begins, "to": ends, "n_train": len(fold.train), "n_windows": len(fold.validation)}


def importances(store: TrialStore) -> dict[str, float]:
    """The share of each dimension in what makes a trial good (PED-ANOVA, Watanabe et al. 2023); none of few trials."""
    optuna = import_optuna()
    errors = [error for trial in store.finished() if (error := error_of(trial)) is not None]
    if len(errors) < _FEWEST_TRIALS or len(set(errors)) == 1:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_GOOD)
    found = optuna.importance.get_param_importances(store.study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def verdict(summary: Mapping[str, Any]) -> str:
    """What came of a search, in words; the defaults are named where they are better."""
    spans, count = len(summary["spans"]), summary["n_trials"]
    on = f"{spans} validation spans" if spans > 1 else "the validation span"
    if summary["best"] == 1:
        return f"Of {count} trials none was better than the defaults on {on}: keep the defaults."
    first, usual = f"Trial {summary['best']} of {count} is the best on {on}", summary["error_of_defaults"]
    first += f": its error is {1 - summary['error'] / usual:.1%} lower than the defaults'." if usual else "."
    test = summary["test"]
    if test is None or test["skill"] is None:
        return f"{first} No test window can tell the two apart."
    share = f"{abs(test['skill']):.1%} {'lower' if test['skill'] > 0 else 'higher'}"
    on_test = f"On {test['n_windows']:,} test windows its {test['measure']} is {share} than the defaults'"
    sign = significant_sign(DEFAULTS, {DEFAULTS: test["skill"]}, {DEFAULTS: test["p_value"]})
    if sign > 0:
        return f"{first} {on_test} (significant, p = {test['p_value']:.2g})."
    if sign < 0:
        return f"{first} {on_test} (significant, p = {test['p_value']:.2g}): the defaults are better, keep them."
    least = test["detectable"]
    shows = f"; these windows show only leads of about {least:.1%} or more" if least is not None and least < 1 else ""
    shows = "; these windows are too few to test" if test["p_value"] is None else shows
    return f"{first} {on_test}, which is no evidence of a difference{shows}."


def trials_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """A line for each trial: its number, its error, why it has none, its seconds, and what it tried."""
    lines = [
        {name: line[name] for name in ("trial", "error", "why", "seconds")} | line["tried"]
        for line in summary["trials"]
    ]
    return pd.DataFrame(lines).astype({"error": float})
