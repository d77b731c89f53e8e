"""Tables of scores on the terminal: they fit, mark the best, and are written as a person would type them."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from forecast.commands.tables import rich_table, scores
from forecast.plots.tables import Cell, Table


def text_of(printed: Any, width: int = 80) -> str:
    console = Console(width=width, record=True)
    console.print(printed)
    return console.export_text()


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


def test_scores_fit_a_terminal_and_leave_the_rest_to_the_report() -> None:
    text = text_of(scores(metrics(), "weather: 135 windows"))
    assert text.startswith("weather: 135 windows")
    assert "MAE °C   RMSE °C   MASE   sMAPE %    skill         p" in text
    for hidden in ("RMSSE", "bias"):
        assert hidden not in text
    for shown in ("1.235", "-12.3%", "< 0.001", "78.9%", "100,000", "a" * 39 + "…", "–"):
        assert shown in text, shown


def test_the_best_is_bold_and_names_give_no_orders() -> None:
    table = Table("[red]caption", ["model", "MAE"], [[Cell("[b]x"), Cell("1", best=True)], [Cell("y"), Cell("2")]])
    console = Console(width=80, record=True, force_terminal=True, color_system="standard")
    console.print(rich_table(table))
    text = console.export_text(styles=True)
    assert "[red]caption" in text
    assert "[b]x" in text
    assert "\x1b[1m1" in text
    assert "\x1b[1m2" not in text
