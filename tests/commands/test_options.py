"""Options come from the configuration's fields: each has a flag, its default, and its own error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from forecast.cli import build_program
from forecast.commands.train import train
from forecast.config import Settings, nest, option_fields
from forecast.errors import ConfigError
from forecast.models.catalogue import DEFAULT_MODEL, MODELS
from forecast.models.cells import CELLS
from forecast.runs.run import Run

COMMANDS: dict[str, Any] = typer.main.get_command(build_program()).commands  # type: ignore[attr-defined]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, trained: Run) -> Callable[..., Settings]:
    """The configuration that `forecast train weather` with some options would train with."""

    def parse(*options: str) -> Settings:
        seen: list[Settings] = []

        def note(source: str, config: Settings, **_: object) -> Run:
            seen.append(config)
            return trained

        monkeypatch.setattr(train, "train", note)
        with COMMANDS["train"].make_context("train", ["weather", *options]) as context:
            COMMANDS["train"].invoke(context)
        return seen[0]

    return parse


def flags(command: str) -> dict[str, list[str]]:
    """Every flag of a command by its parameter, the negative ones included."""
    return {param.name or "": [*param.opts, *param.secondary_opts] for param in COMMANDS[command].params}


# A run's own, which no one types.
FIELDS = {name: section for name, section in option_fields().items() if name != "notation"}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_a_flag_of_train(field: str) -> None:
    flag = "--" + field.replace("_", "-")
    assert flag in flags("train")[field]
    section = FIELDS[field]
    annotation = getattr(Settings(), section).__class__.model_fields[field].annotation
    assert (f"--no-{flag[2:]}" in flags("train")[field]) == (annotation in (bool, bool | None))


def test_inspect_takes_what_reading_and_data_take() -> None:
    wanted = {name for name, section in FIELDS.items() if section in ("read", "data")}
    assert wanted <= flags("inspect").keys()
    assert flags("inspect").keys() <= wanted | {"source", "database", "as_json", "quiet", "help", "help_all"}


def test_no_two_options_share_a_flag() -> None:
    for command in COMMANDS:
        spelt = [flag for own in flags(command).values() for flag in own]
        assert len(spelt) == len(set(spelt))


def test_help_tells_the_default_and_the_choices() -> None:
    helps = {param.name: getattr(param, "help", None) for param in COMMANDS["train"].params}
    assert helps["epochs"] == "Epochs, at most: passes over the training windows. (default: 30)"
    assert helps["cell"] == f"Recurrent cell. One of {', '.join(CELLS)}. (default: lstm)"
    assert helps["decode"] == "How the horizon is produced. One of direct, parallel, recursive. (default: parallel)"
    assert helps["baseline"] == "Train a vanilla RNN beside the model, for comparison. (default: yes)"
    assert helps["lookback"] == "Steps that the network sees. (default: by clock)"
    assert all(helps[name] for name in FIELDS)


def test_nothing_given_is_the_default(configured: Callable[..., Settings]) -> None:
    assert configured() == Settings.from_sections(nest({"model": DEFAULT_MODEL, **MODELS[DEFAULT_MODEL].parts}))


@pytest.mark.parametrize(
    ("options", "section", "field", "value"),
    [
        ("--units 16,8", "network", "units", (16, 8)),
        ("--units 16", "network", "units", (16,)),
        ("--target close,open", "data", "target", ("close", "open")),
        ("--covariates none", "data", "covariates", ()),
        ("--covariates auto", "data", "covariates", None),
        ("--covariates a,b", "data", "covariates", ("a", "b")),
        ("--lookback 48", "data", "lookback", 48),
        ("--learning-rate 1e-3", "training", "learning_rate", 0.001),
        ("--no-baseline", "training", "baseline", False),
        ("--baseline", "training", "baseline", True),
        ("--refit", "training", "refit", True),
        ("--no-calendar", "data", "calendar", False),
        ("--calendar", "data", "calendar", True),
        ("--no-use-bias", "network", "use_bias", False),
        ("--model gru", "network", "cell", "gru"),
        ("--model gru --cell gru", "network", "cell", "gru"),
        ("--unroll", "network", "unroll", True),
        ("--skip-rows 3", "read", "skip_rows", 3),
        ("--date-format %d.%m.%Y", "read", "date_format", "%d.%m.%Y"),
        ("--test-from 2001-01-01", "data", "test_from", "2001-01-01"),
        ("--transform log", "data", "transform", "log"),
    ],
)
def test_what_is_typed_becomes_the_field(
    configured: Callable[..., Settings], options: str, section: str, field: str, value: object
) -> None:
    assert getattr(getattr(configured(*options.split()), section), field) == value


def test_a_file_is_read_and_what_is_typed_wins(configured: Callable[..., Settings], tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('model = "gru"\nlookback = 48\n[training]\nepochs = 3\nseed = 5\n')
    config = configured("--config", str(file), "--epochs", "4")
    assert (config.network.cell, config.data.lookback) == ("gru", 48)
    assert (config.training.epochs, config.training.seed) == (4, 5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--model lstn", "There is no model 'lstn'"),
        ("--cell lstn", "cell: the model segment-lstm is made of lstm cells. Received: 'lstn'"),
        ("--activation tan", "activation: must be 'tanh'"),
        ("--units 0", "units: must be greater than or equal to 1. Received: '0'"),
        ("--units 8,many", "units: must be a valid integer. Received: 'many'"),
        ("--lookback 0", "lookback: must be greater than or equal to 1. Received: '0'"),
        ("--horizon -1", "horizon: must be greater than or equal to 1. Received: '-1'"),
        ("--test 1.5", "test: must be less than 1. Received: '1.5'"),
        ("--test nan", "test: must be"),
        ("--validation 0.5 --test 0.5", "validation 0.5 and test 0.5 leave nothing to train on"),
        ("--learning-rate inf", "learning_rate: must be"),
        ("--dropout 1", "dropout: must be less than 1"),
        ("--seed -1", "seed: must be greater than or equal to 0"),
        ("--config nothing.toml", "Cannot read the configuration nothing.toml"),
    ],
)
def test_what_is_not_allowed_is_echoed_with_what_is(
    configured: Callable[..., Settings], options: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(*options.split())
    assert said in str(caught.value)


def test_an_unknown_model_lists_those_there_are(configured: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigError) as caught:
        configured("--model", "lstn")
    assert caught.value.advice == f"Models: {', '.join(MODELS)}."


def test_an_unknown_setting_in_a_file_lists_those_there_are(
    configured: Callable[..., Settings], tmp_path: Path
) -> None:
    file = tmp_path / "run.toml"
    file.write_text("loockback = 48\n")
    with pytest.raises(ConfigError, match="no setting 'loockback'") as caught:
        configured("--config", str(file))
    assert "lookback" in caught.value.advice


@pytest.mark.parametrize("text", ["lookback = ", "[data]\nlookbak = 3\n", "[data\n", 'lookback = "48 hours"\n'])
def test_a_file_that_is_wrong_is_a_configuration_error(
    configured: Callable[..., Settings], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        configured("--config", str(file))
