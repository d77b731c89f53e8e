"""Presets, and what wins where a preset, a file and a setting speak of the same part."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import plain_config
from forecast.config import nest
from forecast.errors import ConfigError
from forecast.models.catalogue import MODELS, configure, network_configs
from forecast.models.cells import CELLS


def toml(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", MODELS)
def test_presets(name: str) -> None:
    network = configure({"model": name}).network
    assert network.model == name
    parts = nest(MODELS[name].parts)["network"]
    assert network.model_dump(include=parts.keys()) == parts
    assert network.cell in CELLS


@pytest.mark.parametrize("name", MODELS)
def test_summaries_are_one_sentence_for_a_list(name: str) -> None:
    assert MODELS[name].summary.endswith(".")
    assert len(MODELS[name].summary) < 80


def test_nothing_chosen_is_the_default_model() -> None:
    config = configure()
    assert config == configure({"model": "segment-lstm"})
    assert (config.network.decode, config.data.channels) == ("parallel", "independent")


@pytest.mark.parametrize(("model", "cell"), [("rnn", "lstm"), ("segment-gru", "lstm"), ("lstm", "rnn")])
def test_a_model_is_made_of_its_own_cells(model: str, cell: str) -> None:
    with pytest.raises(ConfigError, match=f"the model {model} is made of .* cells. Received: '{cell}'") as caught:
        configure({"model": model, "cell": cell})
    assert all(name in caught.value.advice for name in MODELS)
    own = configure({"model": model}).network.cell
    assert configure({"model": model, "cell": own}) == configure({"model": model})


def test_settings_may_be_keywords() -> None:
    assert configure({"lookback": 5}, model="gru", lookback=7) == configure({"model": "gru", "lookback": 7})


def test_a_setting_wins_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = toml(tmp_path, 'model = "gru"\nunits = "8,4"\nlookback = 7\n[training]\nepochs = 3\n')
    from_file = configure(file=file)
    assert (from_file.network.cell, from_file.network.units) == ("gru", (8, 4))
    assert (from_file.data.lookback, from_file.training.epochs) == (7, 3)
    both = configure({"units": "5", "horizon": 2}, file)
    assert (both.network.cell, both.network.units) == ("gru", (5,))
    assert (both.data.lookback, both.data.horizon, both.training.epochs) == (7, 2, 3)


def test_a_preset_named_by_a_setting_wins_over_that_of_the_file(tmp_path: Path) -> None:
    network = configure({"model": "rnn"}, toml(tmp_path, 'model = "stacked-lstm"')).network
    assert (network.cell, network.units) == ("rnn", (64,))


def test_flat_and_nested_settings_are_the_same() -> None:
    flat = configure({"model": "gru", "units": (8,), "lookback": 5, "epochs": 2})
    nested = {"network": {"model": "gru", "units": (8,)}, "data": {"lookback": 5}, "training": {"epochs": 2}}
    assert configure(nested) == flat


def test_settings_are_left_as_they_were() -> None:
    settings = {"network": {"model": "gru"}, "data": {"lookback": 5}}
    configure(settings)
    assert settings == {"network": {"model": "gru"}, "data": {"lookback": 5}}
    assert configure({"model": "gru"}).network.units == (64,)  # and so were the presets


@pytest.mark.parametrize("name", ["lstmm", "", None, 3, ["lstm"]])
def test_an_unknown_model_lists_those_that_exist(name: object) -> None:
    with pytest.raises(ConfigError) as caught:
        configure({"model": name})
    assert caught.value.message == f"There is no model {name!r}."
    assert caught.value.advice == f"Models: {', '.join(MODELS)}."


@pytest.mark.parametrize("settings", [{"lookbak": 3}, {"data": {"lookbak": 3}}, {"networks": {"units": 3}}])
def test_an_unknown_setting_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"no such setting|There is no setting"):
        configure(settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [("lookback = ", "is not TOML"), ("lookback = 0", "lookback"), ('[network]\nmodel = "x"', "no model 'x'")],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configure(file=toml(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read the configuration .*none\.toml: No such file"):
        configure(file=tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        configure(file=tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_what_stands_beside_a_model_is_a_vanilla_rnn(name: str) -> None:
    networks = network_configs(plain_config(**nest(MODELS[name].parts)["network"] | {"model": name, "segment": 1}))
    baseline = networks.get("baseline", networks["model"])
    assert (baseline.cell, baseline.activation) == ("rnn", "tanh")
