"""The configuration: limits, spellings, and what is said about a value that is not allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from configs import PLAIN, plain_config
from forecast.config import FOUND, Config, Settings, nest, option_fields, settings_from_toml
from forecast.errors import ConfigError, RunError
from forecast.models.catalogue import configure
from forecast.models.cells import CELLS
from forecast.runs.documents import parse_json


def test_json_keeps_everything() -> None:
    changed = plain_config(
        read={"tz": "Europe/Berlin", "skip_rows": 2},
        data={"target": "a,b", "validation": 0.1 + 0.2, "calendar": True},
        network={"units": "8,4", "dropout": 0.1, "unroll": False},
        training={"learning_rate": 1 / 3, "seed": 2**31 - 1},
    )
    for config in (changed, plain_config()):
        assert Config.from_sections(parse_json(config.to_json().encode(), Path("config.json"))) == config
    assert Settings.from_sections(json.loads(Settings().to_json())) == Settings()


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"data": 5}', '{"data": {"lookbak": 5}}', "[" * 100_000])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises((ConfigError, RunError)):
        Config.from_sections(parse_json(text.encode(), Path("config.json")))


def test_every_option_has_one_section_and_a_description() -> None:
    sections = {name: info.annotation.model_fields for name, info in Settings.model_fields.items()}
    names = [name for fields in sections.values() for name in fields]
    assert sorted([*option_fields(), *FOUND]) == sorted(names)  # else two sections share a name
    for fields in sections.values():
        assert all(field.description and field.description.endswith((".", "…", ")")) for field in fields.values())


@pytest.mark.parametrize(
    ("section", "name", "allowed", "refused"),
    [
        ("data", "lookback", [1, 100_000, "48"], [0, -1, 100_001, 1.5, "x", True]),
        ("data", "horizon", [1, 100_000], [0, -1, 100_001]),
        ("data", "season", [1, 1_000_000], [0, 1_000_001]),
        ("data", "validation", [0.001, 0.79], [0, 1, -0.1, float("nan")]),
        ("data", "test", [0.001, 0.89], [0, 1, float("inf")]),
        ("data", "longest_fill", [0, 100], [-1]),
        ("data", "transform", ["none", "log"], ["sqrt", "", "LOG"]),
        ("data", "channels", ["joint", "independent"], ["both"]),
        ("network", "units", ["64", "64,32", 64, (64, 32), [64]], ["", (), "0", "64,-1", "4097", "a", 64.5, True]),
        ("network", "cell", list(CELLS), ["LSTM", "transformer", "", None]),
        ("network", "normalise", ["none", "last", "standard", "last-scaled", "seasonal", "smoothing"], ["mean"]),
        ("network", "cycle", [1, 168], [0, -1]),
        ("network", "segment", [1, 100_000], [0]),
        ("network", "decode", ["direct", "parallel", "recursive"], ["both"]),
        ("network", "dropout", [0, 0.99], [1, -0.1]),
        ("network", "kernel_regularizer", [0, 10], [-1, 11]),
        ("network", "activation", ["tanh", "linear"], ["tan", "lambda x: x"]),
        ("network", "kernel_initializer", ["zeros"], ["identity"]),
        ("network", "bias_constraint", ["none", "non_neg"], ["positive"]),
        ("network", "use_bias", [True, False, "true", "no"], ["perhaps", 2]),
        ("training", "epochs", [1, 100_000], [0]),
        ("training", "batch_size", [1, 65_536], [0, 65_537]),
        ("training", "learning_rate", [1e-9, 1e30], [0, -1, float("nan"), float("inf")]),
        ("training", "ema", [0, 0.999], [1]),
        ("training", "loss", ["mae", "mse", "huber"], ["mape"]),
        ("training", "seed", [0, 2**31 - 1], [-1, 2**31]),
        ("read", "skip_rows", [0, 10], [-1]),
    ],
)
def test_limits(section: str, name: str, allowed: list[object], refused: list[object]) -> None:
    for value in allowed:
        Settings.from_sections({section: {name: value}})
    for value in refused:
        with pytest.raises(ConfigError) as caught:
            Settings.from_sections({section: {name: value}})
        assert caught.value.message.startswith(f"{name}: "), value
        assert "Received: " in caught.value.message, value


def test_a_message_echoes_the_value_and_lists_what_is_allowed() -> None:
    *others, last = CELLS
    with pytest.raises(ConfigError) as caught:
        Settings.from_sections({"network": {"cell": "lsmt", "units": "8,0"}, "data": {"lookback": 0}})
    assert caught.value.message.splitlines() == [
        "lookback: must be greater than or equal to 1. Received: 0.",
        f"cell: must be {', '.join(map(repr, others))} or {last!r}. Received: 'lsmt'.",
        "units: must be greater than or equal to 1. Received: '0'.",
    ]
    assert caught.value.text("shell")[1] == "forecast train --help lists every option."


@pytest.mark.parametrize(
    ("nested", "message"),
    [
        ({"data": {"validation": 0.5, "test": 0.5}}, "validation 0.5 and test 0.5 leave nothing to train on."),
        ({"network": {"go_backwards": True, "units": "4,4"}}, "go_backwards works with one layer"),
        ({"network": {"go_backwards": True, "stateful": True}}, "go_backwards works with one layer, without stateful"),
        ({"network": {"go_backwards": True, "decode": "recursive"}}, "go_backwards works with one layer"),
        ({"network": {"stateful": True}, "training": {"mirror": True}}, "stateful cannot be used with mirror"),
        ({"network": {"stateful": True, "decode": "parallel"}}, "stateful needs decode = direct, not parallel."),
    ],
)
def test_settings_that_contradict_each_other(nested: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_sections(nested)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("target", "a, b ,c", ("a", "b", "c")),
        ("target", ["a, b"], ("a, b",)),  # a list says where a name ends
        ("target", "", ()),
        ("covariates", "auto", None),
        ("covariates", "none", ()),
        ("covariates", "a,b", ("a", "b")),
    ],
)
def test_commas_part_names(name: str, given: object, expected: object) -> None:
    assert getattr(Settings.from_sections({"data": {name: given}}).data, name) == expected


def test_a_configuration_does_not_change() -> None:
    config = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        config.data.lookback = 5
    other = config.replace(data={"lookback": 5}, training={"epochs": 2})
    assert (other.data.lookback, other.training.epochs) == (5, 2)
    assert (config.data.lookback, config.training.epochs) == (None, 30)
    with pytest.raises(ConfigError, match="lookback: must be greater"):
        config.replace(data={"lookback": 0})


def test_settings_are_put_into_their_sections() -> None:
    nested = nest({"lookback": 5, "units": "8", "training": {"epochs": 1}, "data": {"horizon": 2}, "batch_size": 4})
    assert nested == {
        "data": {"lookback": 5, "horizon": 2},
        "network": {"units": "8"},
        "training": {"epochs": 1, "batch_size": 4},
    }


def test_an_unknown_setting_lists_those_that_exist() -> None:
    with pytest.raises(ConfigError) as caught:
        nest({"lookbak": 5})
    assert caught.value.message == "There is no setting 'lookbak'."
    assert "lookback" in caught.value.advice


def test_a_configuration_has_no_open_field() -> None:
    of_later_versions = {"split", "hide_series", "static", "linear", "linear_inputs", "least_observed", "hide_values"}
    of_later_versions |= {"volatility"}
    for name in PLAIN.keys() - of_later_versions:
        with pytest.raises(ConfigError, match=f"^{name}: is missing."):
            Config.from_sections(nest({other: value for other, value in PLAIN.items() if other != name}))
        with pytest.raises(ConfigError, match=f"^{name}: must be .* Received: None."):
            Config.from_sections(nest(PLAIN | {name: None}))
    assert isinstance(plain_config(), Settings)
    assert Settings().resolved(**nest(PLAIN)) == plain_config()


@pytest.mark.parametrize("section", ["data", "network", "training"])
def test_settings_and_configuration_have_the_same_fields(section: str) -> None:
    asked, resolved = (kind.model_fields[section].annotation for kind in (Settings, Config))
    assert list(asked.model_fields) == list(resolved.model_fields)
    # What the configuration states again is what may be open, and all of it but the choice to unroll and the dates.
    stays_open = {"unroll", "cycle", "newest", "validation_from", "test_from", "time_limit"}
    may_be_open = {name for name, field in asked.model_fields.items() if type(None) in get_args(field.annotation)}
    assert set(resolved.__annotations__) == may_be_open - stays_open == set(nest(PLAIN)[section])


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('lookback = 5\ntarget = ["Größe"]\n[training]\nepochs = 2\n', encoding="utf-8")
    assert settings_from_toml(path) == {"lookback": 5, "target": ["Größe"], "training": {"epochs": 2}}
    path.write_bytes("target = 'Größe'".encode("latin-1"))
    with pytest.raises(ConfigError, match="is not TOML"):
        settings_from_toml(path)


def test_json_is_readable() -> None:
    assert json.loads(Settings().to_json())["network"]["units"] == [64]
    assert Settings().to_json().endswith("}\n")


def test_a_configuration_as_toml_is_read_back_the_same(tmp_path: Path) -> None:
    config = Settings.from_sections(
        {"data": {"target": ('a "b"\\ü',), "lookback": 48}, "training": {"learning_rate": 1e-5}}
    )
    path = tmp_path / "run.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert Settings.from_sections(nest(settings_from_toml(path))) == config


def test_a_cell_that_was_added_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CELLS, "mine", CELLS["lstm"])
    assert Settings.from_sections({"network": {"cell": "mine"}}).network.cell == "mine"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("lookbak = 3", "{file}: There is no setting 'lookbak'."),
        ("lookback = 0", "{file}: lookback: must be greater than or equal to 1. Received: 0."),
        ("[network]\nmodel = 'lsmt'", "{file}: There is no model 'lsmt'."),
        ("lookback = = 3", "{file} is not TOML: Invalid value (at line 1, column 12)."),
    ],
)
def test_what_is_wrong_in_a_file_names_the_file(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        configure(file=file)
    assert caught.value.message == said.format(file=file)


def test_what_is_wrong_beside_a_file_does_not_name_it(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("horizon = 3")
    with pytest.raises(ConfigError, match=r"^lookback: must be"):
        configure({"lookback": 0}, tmp_path / "mine.toml")
