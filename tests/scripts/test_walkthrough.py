"""The narrated step: every gate with its equation and its names, and numbers that the cell confirms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import walkthrough
from forecast.models.backends.tensorflow import keras

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"


def test_every_gate_is_told_with_its_equation_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    walkthrough.one_step()
    told = capsys.readouterr().out
    for part in (
        "input gate, also write",
        "forget gate, also keep",
        "output gate, also read",
        "σ(W_f x + U_f h' + b_f)",
    ):
        assert part in told
    assert "f∘c' + i∘c̃" in told
    assert told.count("the same to") == 3


def test_the_stack_has_the_shapes_of_the_texts(capsys: pytest.CaptureFixture[str]) -> None:
    walkthrough.a_stack()
    told = capsys.readouterr().out
    for part in ("(2, 3, 6)", "(2, 3, 4)", "(2, 4) and (2, 4)", "(2, 3, 5)", "(2, 5) and (2, 5)", "the same to"):
        assert part in told


def test_numbers_that_differ_end_the_program() -> None:
    with pytest.raises(SystemExit, match="h: differs from the equations by 1"):
        walkthrough._check("h", 1.0, 2.0)


def test_the_tutorial_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    keras.utils.set_random_seed(7)
    walkthrough.one_step()
    walkthrough.many_steps()
    walkthrough.a_stack()
    printed = {line.strip() for line in capsys.readouterr().out.splitlines()}
    for page in ("one-cell", "memory", "stack"):
        text = (TUTORIAL / f"{page}.md").read_text(encoding="utf-8")
        shown = [
            line.strip() for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
        ]
        assert len(shown) > 3
        assert set(shown) <= printed
