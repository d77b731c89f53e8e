"""What was found, in words that a newcomer understands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configs import plain_config
from forecast.commands.explain import findings
from forecast.commands.explain.importance import Importance, Importances
from forecast.commands.explain.measures import Memory, Saturation
from forecast.data.clock import Clock
from forecast.data.windows import Windows

HOUR = Clock("h")


@pytest.mark.parametrize(
    ("freq", "steps", "expected"),
    [
        ("h", 2.13, "2.1 hours"),
        ("h", 26, "26 hours"),
        ("h", 1, "1 hour"),
        ("h", 220, "9.2 days"),
        ("10min", 3, "30 minutes"),
        ("10min", 13, "2.2 hours"),
        ("15min", 2880, "30 days"),
        ("D", 3.4, "3 days"),
        ("MS", 0.2, "1 month"),
        ("B", 5, "5 business days"),
    ],
)
def test_spans(freq: str, steps: float, expected: str) -> None:
    assert findings.describe_span(Clock(freq), steps) == expected


def test_a_layer_in_words() -> None:
    memory = Memory("layer 1", np.array([1.0, 3.0, 500.0]), {"forget": Saturation(0.25, 0.5)}, 2)
    assert findings.describe_memory(memory, HOUR, 168) == (
        "layer 1 of 3 units: half of what a unit holds is gone after 3 hours (median); in the slowest, not within the "
        "lookback of 7 days; forget gate 25% nearly closed, 50% nearly open; 2 units are always near zero."
    )
    assert findings.describe_memory(Memory("layer 1", None, {}, 0), HOUR, 168) == "layer 1: a cell without gates."


def test_vanishing_and_exploding_gradients_are_named() -> None:
    assert "the gradient vanishes" in findings.describe_gradient("rnn", np.geomspace(1, 1e-9, 100), HOUR)
    assert "the gradient explodes" in findings.describe_gradient("rnn", np.geomspace(1, 1e9, 100), HOUR)
    plain = findings.describe_gradient("lstm", np.geomspace(1, 0.1, 100), HOUR)
    assert plain.startswith("lstm: 95% of what moves the forecast lies in the newest 61 hours, 99% in the newest ")
    assert plain.endswith("at the far end the gradient is 0.12 of the newest.")
    assert findings.describe_gradient("lstm", np.zeros(5), HOUR) == "lstm: nothing in the window moves the forecast."


@pytest.mark.parametrize(("normalise", "needed"), [("last", 6), ("smoothing", 48)])
def test_what_is_smoothed_is_needed(normalise: str, needed: int) -> None:
    run: Any = SimpleNamespace(config=plain_config(model="lstm", normalise=normalise))
    unused: Any = None
    windows, gradients = Windows(np.zeros(1, int), 48, 1), {"lstm": np.geomspace(1, 1e-9, 48)}
    of_run = findings.Findings(run, unused, windows, 1, (), (), gradients, {}, {}, unused, unused)
    assert of_run.needed_lookback == needed


def test_a_lookback_that_is_used_up_and_one_that_is_not() -> None:
    assert (
        findings.describe_lookback(np.ones(48), HOUR)
        == "The whole lookback of 48 hours is used; a longer one may help."
    )
    short = findings.describe_lookback(np.geomspace(1, 1e-9, 48), HOUR)
    assert short == (
        "Of the lookback of 48 hours, what is older than 6 hours moves the forecast by 1%; --check-lookback tries to "
        "do without it."
    )


def test_what_a_forecast_counts_from_is_told_apart() -> None:
    whole, beyond = np.geomspace(1, 1e-3, 48), np.geomspace(1, 0.1, 48)
    said = findings.describe_gradient("lstm", whole, HOUR, beyond, "the last value")
    assert said.startswith("lstm: 95% of what moves the forecast lies in the newest 11 hours, 99% in the newest ")
    assert "; beyond the last value, 95% in the newest 29 hours, 99% in the newest " in said
    assert said.endswith("; at the far end the gradient is 0.12 of the newest.")
    only_last = np.array([1.0, 0, 0])
    assert findings.describe_gradient("lstm", only_last, HOUR, np.zeros(3), "the last value") == (
        "lstm: 95% of what moves the forecast lies in the newest hour, 99% in the newest hour; nothing beyond the last "
        "value does."
    )


@pytest.mark.parametrize(("beyond", "needed"), [({"lstm": np.ones(48)}, 48), ({}, 6)])
def test_what_lies_beyond_the_last_value_is_needed_too(beyond: dict[str, Any], needed: int) -> None:
    run: Any = SimpleNamespace(config=plain_config(model="lstm", normalise="last"))
    unused: Any = None
    windows, gradients = Windows(np.zeros(1, int), 48, 1), {"lstm": np.geomspace(1, 1e-9, 48)}
    of_run = findings.Findings(run, unused, windows, 1, (), (), gradients, beyond, {}, unused, unused)
    assert of_run.needed_lookback == needed


def test_importance_names_what_matters_first() -> None:
    whole = Importances(
        {"rain": Importance(0.002, 0), "wind": Importance(0.1, 0), "sun": Importance(0.5, 0)},
        {"the newest 2 hours": Importance(0, 0)},
    )
    beyond = Importances({"wind": Importance(0.1, 0), "sun": Importance(0.02, 0)}, {"rest": Importance(0.03, 0)})
    assert findings.describe_importance(whole, beyond) == (
        "Shuffled between windows, inputs add to the error: sun 50%, wind 10%, the rest less than 1%. "
        "By age: each of them less than 1%. "
        "Beyond the last value of each window: wind 10%, sun 2%; by age: rest 3%."
    )


def test_no_more_than_eight_inputs_are_named() -> None:
    many = Importances({f"x{n}": Importance(0.1, 0) for n in range(10)}, {})
    said = findings.describe_importance(many, Importances({}, {}))
    assert "x7 10%, 2 more at least 1%." in said
    assert "Beyond" not in said


@pytest.mark.parametrize(
    ("newest", "oldest", "expected"),
    [(0, 21, "the newest 21 hours"), (21, 42, "21 to 42 hours ago"), (63, 84, "63 hours to 3.5 days ago")],
)
def test_parts_of_the_lookback(newest: int, oldest: int, expected: str) -> None:
    assert findings.describe_part(HOUR, newest, oldest) == expected
