"""The benchmark of speed: its bars from canned figures, and that its contenders are given the same windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import benchmark
import forecast
import speed
from contenders.contest import RUN, RUNS, Contest, answer, read_contest, write_contest
from contenders.keras import KerasRecipe
from contenders.product import Product


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
    noise = np.random.default_rng(0).normal(0, 0.1, (900, 2))
    values = (np.sin(np.arange(900) * 2 * np.pi / 24)[:, None] + noise).astype(np.float32)
    contest = Contest(tmp_path, values, ("y", "x"), "2020-01-01T00:00", 630, 720, 12, 4, 4, 64)
    write_contest(contest)
    return contest


def canned(rate: float, errors: list[float], scored: float = 100.0) -> speed.Answer:
    return {
        "start": 3.0,
        "seconds": [10.0 * (1 + number) for number in range(len(errors))],
        "training_rates": [rate / 9, *[rate] * (len(errors) - 1)],  # the first epoch is warm-up
        "scoring_rates": [scored] * 3,
        "validation_mae": errors,
        "memory": 5e8,
        "windows": {"train": 1000},
        "parameters": 17_000,
        "versions": {"numpy": "2"},
        "input_share": 0.06,
        "operations": 1e9,
        "peak": 1e12,
    }


def answers(reached: float) -> dict[str, list[speed.Answer]]:
    """The best peer is Darts, with an error of 0.3 after 40 s; the default recipe has ``reached`` after 10 s."""
    return {
        speed.SAME: [canned(450, [0.5, 0.4], 199.0), canned(350, [0.5, 0.4], 199.0)],
        speed.DEFAULT: [canned(900, [reached, 0.2], 900.0)],
        "Keras recipe": [canned(100, [0.5, 0.45])] * 2,
        "Darts": [canned(160, [0.5, 0.4, 0.35, 0.3, 0.32]), canned(161, [0.5, 0.4])],
        "NeuralForecast": [canned(20, [0.6, 0.5])] * 2,
    }


def test_bars_are_against_the_best_peer_and_say_whether_they_hold() -> None:
    training, scoring, of_peak, batches, waiting = speed.bars_of(answers(0.31))
    assert training.rounds == pytest.approx((450 / 160, 350 / 161))
    assert training.found == pytest.approx((450 / 160 + 350 / 161) / 2)
    assert training.holds
    assert of_peak.rounds == pytest.approx((0.45, 0.35))
    assert (of_peak.found, of_peak.holds) == (pytest.approx(0.4), True)
    assert scoring.found == pytest.approx(1.99)
    assert not scoring.holds
    assert "0.3000, Darts" in waiting.demand
    assert (waiting.found, waiting.holds) == (20 / 40, False)  # in its second epoch
    assert not batches.holds
    assert speed.bars_of(answers(0.3))[-1].found == 10 / 40
    assert "| 0.25 |  | ≤ 0.2 | MISSED |" in speed.bars_table(speed.bars_of(answers(0.3)))


def test_an_error_that_is_never_reached_meets_no_bar() -> None:
    found = answers(0.3) | {speed.DEFAULT: [canned(900, [0.5, 0.301])]}
    waiting = speed.bars_of(found)[-1]
    assert (waiting.found, waiting.holds) == (None, False)
    assert "| never |  | ≤ 0.2 | MISSED |" in speed.bars_table([waiting])


def test_the_page_has_a_row_for_each_contender_and_each_process() -> None:
    commands = {speed.IMPORT: [4.0, 9.0, 3.0], speed.PREDICT: [0.4], **{name: [0.5] for name in speed.INSTANT}}
    machine = {"cpu": "a processor", "cores": 2, "python": "3.11"}
    page = benchmark.page({"datasets": {"ETTh1": answers(0.3)}, "commands": commands, "machine": machine})
    assert "| Darts | 17,000 | 6.2 | 160 (160–161) | 100 (100–100) | 0.3000 | 40.0 | 43.0 | 500 |" in page
    assert "| NeuralForecast | 17,000 | 50.0 | 20 (20–20) | 100 (100–100) | 0.5000 | never | never | 500 |" in page
    assert "| `forecast runs` | 0.50 | 12.5% |" in page
    assert '`forecast predict RUN`: share of `python -c "import tensorflow"` | 0.1 |  | ≤ 0.12 | holds |' in page
    assert page.endswith("a processor, 2 cores, no GPU; Python 3.11, numpy 2.")


def test_the_keras_recipe_learns_from_the_windows_of_the_contest(contest: Contest) -> None:
    recipe = KerasRecipe()
    recipe.contest = contest
    batches = list(recipe._windows("validation", 64, shuffle=False))
    starts = contest.starts("validation")
    seen = np.concatenate([past for past, _ in batches])
    ahead = np.concatenate([future for _, future in batches])
    np.testing.assert_array_equal(seen, contest.values[starts[:, None] + np.arange(12)])
    np.testing.assert_array_equal(ahead, contest.values[starts[:, None] + np.arange(12, 16), 0])
    assert starts[0] + 12 == contest.validation_from
    assert starts[-1] + 16 == contest.test_from


@pytest.mark.usefixtures("no_plots")
def test_this_program_is_measured_on_the_windows_of_the_contest(contest: Contest) -> None:
    product = Product(default=False)
    found = answer(product, read_contest(contest.folder), epochs=2)
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(product.prepared, part).starts, contest.starts(part))
    assert len(found["training_rates"]) == len(found["seconds"]) == 2
    assert 0 < found["seconds"][0] < found["seconds"][1]
    run = forecast.find(str(contest.folder / RUNS / RUN))
    # The error of the best weights so far, as the program itself has it.
    history = run.history
    assert found["validation_mae"][-1] == pytest.approx(history["validation_mae"].min(), rel=1e-4)
    scored = run.test_forecasts
    tested = product.forecaster("test")().reshape(-1)
    np.testing.assert_allclose(tested, scored["lstm"], atol=1e-4)
