"""The networks of a configuration, trained side by side: for a run, or only to be scored."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from forecast.commands.train.members import fit_networks_of
from forecast.commands.train.portfolio import Portfolio
from forecast.data.prepare import Prepared
from forecast.engines.tasks import Engine, ThisProcess
from forecast.evaluation.scoring import score_models
from forecast.evaluation.verdict import CLEAR_LEAD, significant_sign
from forecast.evaluation.yardstick import NaiveError
from forecast.model import Model, TrainingContext
from forecast.models.catalogue import network_configs
from forecast.progress import Progress


def fit_networks(
    context: TrainingContext, naive_error: Mapping[str, NaiveError], engine: Engine | None = None
) -> dict[str, Model]:
    """Train the networks of a configuration: ``model``, and ``baseline`` if the vanilla RNN stands beside it.

    Beside the ensemble of a portfolio stands its first member alone, ``single``: what the run would be without others.

    Args:
        context: What the trainings share.
        naive_error: What scaled errors are divided by, for each unique id.
        engine: What trains their members; None for one after the other.
    """
    prepared, engine = context.prepared, engine or ThisProcess()
    configs = network_configs(prepared.config)
    if prepared.config.portfolio:
        portfolio = Portfolio(context, engine)
        # The first member and the baseline first: whatever time is left is for the others.
        single = portfolio.fit_first()
        baseline = {network: portfolio.fit_baseline(configs[network]) for network in configs if network != "model"}
        return {"model": portfolio.fit_others(), **baseline, "single": single}
    models = fit_networks_of(context, configs, prepared.train, engine)
    if not prepared.config.training.fall_back:
        return models
    return {network: fall_back_if_no_better(model, context, naive_error) for network, model in models.items()}


def fit_without_saving(
    prepared: Prepared, naive_error: Mapping[str, NaiveError], progress: Progress
) -> dict[str, Model]:
    """The same, and nothing is left behind: neither a run nor a plot.

    Args:
        prepared: Rows, scaler and windows.
        naive_error: What scaled errors are divided by, for each unique id.
        progress: Receives notes, warnings and progress.
    """
    with tempfile.TemporaryDirectory() as folder:
        return fit_networks(TrainingContext(prepared, Path(folder), progress), naive_error)


def fall_back_if_no_better(model: Model, context: TrainingContext, naive_error: Mapping[str, NaiveError]) -> Model:
    """The model, if it beats the last value on the validation span; if not, one that repeats that value.

    It beats it if it is better significantly, or by a twentieth.

    Args:
        model: A trained model.
        context: What the run's trainings share.
        naive_error: What scaled errors are divided by, for each unique id.
    """
    prepared = context.prepared
    scores = score_models(
        prepared.rows,
        prepared.validation,
        {model.name: model.over(prepared.rows)},
        prepared.config.data.season,
        naive_error,
    ).metrics
    gain, p = scores["skill"]["persistence"], scores["p_value"]["persistence"]
    plain = gain is not None and gain >= CLEAR_LEAD
    if plain or significant_sign("persistence", scores["skill"], scores["p_value"]) > 0:
        return model
    measured = "no skill can be measured" if gain is None else f"skill {gain:.1%}"
    measured += ", too few windows to test" if p is None else f", p = {p:.2g}"
    context.progress.warn(
        f"on the validation span {model.name} does not beat the last value ({measured}), so its forecasts repeat that "
        "value"
    )
    return model.repeating_last_value()
