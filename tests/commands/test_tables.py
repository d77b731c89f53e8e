"""Tables on the terminal: no number is ever cut, the best is marked, and all is written as a person would type it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from forecast.commands import tables
from forecast.commands.tables import print_scores, print_table
from forecast.plots.style import format_like
from forecast.plots.tables import Cell, Table


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a call prints on a terminal of some width."""

    def print_on(width: int, call: Callable[..., None], *arguments: Any, **keywords: Any) -> str:
        file = io.StringIO()
        console = Console(file=file, width=width, highlight=False, emoji=False, color_system=None)
        monkeypatch.setattr(tables, "out", console)
        monkeypatch.setattr("forecast.commands.console.out", console)
        call(*arguments, **keywords)
        return file.getvalue()

    return print_on


def metrics() -> dict[str, Any]:
    figures = {"mae": 1.23456, "rmse": 2.0, "mase": None, "smape": 3.0, "rmsse": 1.0, "bias": -0.5}
    better = {name: value and value / 2 for name, value in figures.items()}
    level = {"coverage": 0.789, "width": 4.5, "coverage_by_step": [0.7, 0.8]}
    return {
        "model": "lstm", "unit": "°C", "horizon": 2, "models": {"lstm": better, "persistence": figures},
        "skill": {"persistence": -0.123}, "p_value": {"persistence": 0.0001},
        "by_step": {"lstm": [0.5, 0.6], "persistence": [1.0, 1.1]},
        "by_series": {"a" * 50: {"lstm": 1e5, "persistence": None}},
        "intervals": {"levels": [80], "models": {"lstm": {"80": level}}},
    }  # fmt: skip


def test_scores_fit_a_terminal_and_leave_the_rest_to_the_report(printed: Callable[..., str]) -> None:
    text = printed(80, print_scores, metrics(), "weather: 135 windows")
    assert text.startswith("weather: 135 windows")
    assert "MAE °C  RMSE °C  MASE  sMAPE %   skill        p" in text
    for hidden in ("RMSSE", "bias"):
        assert hidden not in text
    for shown in ("1.2346", "0.6173", "-12.3%", "< 0.001", "78.9%", "100,000", "a" * 39 + "…", "–"):
        assert shown in text, shown


def test_the_best_is_bold_and_names_give_no_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("[red]caption", ["model", "MAE"], [[Cell("[b]x"), Cell("1", best=True)], [Cell("y"), Cell("2")]])
    console = Console(file=io.StringIO(), width=80, record=True, force_terminal=True, color_system="standard")
    monkeypatch.setattr(tables, "out", console)
    print_table(table)
    text = console.export_text(styles=True)
    assert "[red]caption" in text
    assert "[b]x" in text
    assert re.search(r"\x1b\[1m *1", text)
    assert not re.search(r"\x1b\[1m *2", text)


NAMES = (
    "stacked-lstm",
    "a model with a very long name",
    "温度と湿度の予測モデル",
    "x" * 70,
    "seasonal-naive",
    "[b]bold\x1b[31m",
)


def hard_table(seed: int) -> Table:
    """Up to fourteen columns and rows of numbers of any size below names of any length."""
    rng = np.random.default_rng(seed)
    n_rows, n_columns = rng.integers(1, 14, 2)
    heads = ["model", *(f"{rng.choice(NAMES)} {column}" for column in range(n_columns))]
    columns = []
    for _ in range(n_columns):
        values = (
            10 ** rng.uniform(-9, 14) * rng.lognormal(0, rng.choice([0.3, 3]), n_rows) * rng.choice([-1, 1], n_rows)
        )
        columns.append([Cell(text) for text in map(format_like(values, 4), values)])
    rows = [[Cell(str(rng.choice(NAMES))), *row] for row in zip(*columns, strict=True)]
    return Table(f"table {seed}", heads, rows)


@pytest.mark.parametrize("width", [*range(40, 101, 3), 120, 160, 200])
def test_every_number_stands_whole_on_any_terminal(width: int, printed: Callable[..., str]) -> None:
    for seed in range(width % 2, 25, 2):
        table = hard_table(seed)
        text = printed(width, print_table, table)
        assert all(cell_len(line) <= width for line in text.splitlines())
        words = text.split()
        for row in table.rows:
            for cell in row[1:]:
                assert cell.text in words, (seed, cell.text, text)
                words.remove(cell.text)


def test_scores_of_twelve_models_stand_whole_on_a_narrow_terminal(printed: Callable[..., str]) -> None:
    models = {f"model-{number}": {"mae": 1234567.8 * number, "rmse": 1e9 + number} for number in range(1, 13)}
    many = metrics() | {
        "models": models,
        "skill": {},
        "p_value": {},
        "unit": "MWh",
        "by_series": {"a": dict.fromkeys(models, 114.25)},
    }
    many["by_step"] = {name: [1140.5 * number, 2.0] for number, name in enumerate(models, 1)}
    many.pop("intervals")
    for width in (40, 60, 80, 120):
        text = printed(width, print_scores, many, "twelve")
        for figure in ("14,814,814", "1,000,000,012", "13,686.00", "114.2"):
            assert figure in text, (width, figure)
        assert "…" not in text


def test_a_column_that_may_be_lacking_is_left_out_and_named(printed: Callable[..., str]) -> None:
    table = Table("", ["run", "series", "MAE"], [[Cell("a-long-name"), Cell("a title"), Cell("12,345.6")]])
    assert "series" in printed(80, print_table, table, ("series",))
    narrow = printed(25, print_table, table, ("series",))
    assert "no room for: series" in narrow
    assert "12,345.6" in narrow
    assert "a title" not in narrow
