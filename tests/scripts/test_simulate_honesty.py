"""The simulation of claims in its short form: every bar holds; and that it sees where one does not."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import simulate_honesty
from forecast.data.panel import Floats
from honesty.coverage import KINDS, LENGTHS
from honesty.losses import LOSSES, equal_losses
from honesty.series import Kind, ar1, garch, mean_of_season, moving_average, random_walk, wrong_season
from honesty.table import Figure, Line, Table, at_most, mean, share
from simulate_honesty import TABLES

QUICK = [name for name, table in TABLES.items() if table.quick_cases]


@pytest.mark.parametrize("name", QUICK)
def test_the_short_form_meets_every_bar(name: str) -> None:
    table = TABLES[name]
    with ThreadPoolExecutor(1) as executor:
        frame = table.make(executor, quick=True)
    assert len(frame) == len(table.quick_cases)
    assert table.misses(frame) == []


def correlation(values: Floats, lag: int) -> float:
    return float(np.corrcoef(values[lag:], values[:-lag])[0, 1])


@pytest.mark.parametrize(
    ("kind", "lag", "expected"),
    [
        (ar1, 1, 0.8),
        (moving_average, 1, 0.6 / 1.36),
        (moving_average, 2, 0.0),
        (garch, 1, 0.5),
        (mean_of_season, 1, 0.0),
    ],
)
def test_series_are_correlated_as_they_are_called(kind: Kind, lag: int, expected: float) -> None:
    values = kind(np.random.default_rng(0), 24 * 500, 24)
    if kind is mean_of_season:
        values = values - np.resize(values.reshape(-1, 24).mean(axis=0), len(values))
    assert correlation(values, lag) == pytest.approx(expected, abs=0.04)


def test_a_random_walk_and_a_wrong_season_are_what_they_are_called() -> None:
    steps = np.diff(random_walk(np.random.default_rng(0), 5000, 24))
    assert correlation(steps, 1) == pytest.approx(0, abs=0.05)
    swings = np.abs(np.fft.rfft(wrong_season(np.random.default_rng(0), 2400, 24) - 20))
    assert 2400 / np.argmax(swings) == pytest.approx(24 * 5 / 7, rel=0.01)


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_are_equal_and_overlap(kind: str) -> None:
    losses = equal_losses(kind, 300, 4, 2, np.random.default_rng(0))
    assert losses.shape == (2, 300, 4)
    assert (losses[:, 1:, 0] == losses[:, :-1, 1]).all()  # the next origin's first step is this one's second
    many = np.array(
        [equal_losses(kind, 50, 1, 2, np.random.default_rng(seed)).mean(axis=(1, 2)) for seed in range(300)]
    )
    difference = mean(many[:, 0] / many.mean() - many[:, 1] / many.mean())
    assert abs(difference.value) < 3 * difference.error


def test_every_length_and_kind_is_in_the_table() -> None:
    assert len(TABLES["coverage"].cases) == len(LENGTHS) * len(KINDS) == 30


def test_shares_and_means_know_their_errors() -> None:
    assert share([True, False, False, False]).value == 0.25
    assert share([False] * 98) == Figure(0.0, pytest.approx(0.01, rel=0.02))
    assert mean([1.0, 3.0]) == Figure(2.0, 1.0)


def line(name: str, replications: int) -> Line:
    return {"losses": name, "times": 1200, "found": Figure(0.2 if name == "bad" else 0.06, 0.01)}


TABLE = Table("A title", "What it says.", line, (("good",), ("bad",)), 5, (("good",),), 2, {"found": at_most(0.05)})


def test_a_figure_beyond_its_bar_is_told_in_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate_honesty, "TABLES", {"one": TABLE, "networks": TABLES["networks"]})
    monkeypatch.setattr(simulate_honesty, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    monkeypatch.setattr(sys, "argv", ["simulate_honesty.py", "--only", "one"])
    assert simulate_honesty.main() == 1
    printed, told = capsys.readouterr()
    assert "## A title\n\nWhat it says. In percent, of 5 replications; standard errors are at most 1.0." in printed
    assert "| good | 1,200 | 6.0 |\n| bad | 1,200 | **20.0** |\n" in printed
    assert "bad, 1200: found is 20.0%, wanted 0.0% to 5.0%" in told
    assert "good, 1200" not in told
    monkeypatch.setattr(sys, "argv", ["simulate_honesty.py", "--quick"])
    assert simulate_honesty.main() == 0
    told = capsys.readouterr().err
    assert "A title, losses good, times 1,200, found 6.0" in told
    assert "networks" not in told


def test_an_unknown_table_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["simulate_honesty.py", "--only", "sizes"])
    with pytest.raises(SystemExit):
        simulate_honesty.main()
    assert "there is no table 'sizes'; there are size, panels" in capsys.readouterr().err
