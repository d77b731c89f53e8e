"""Of many series: how errors spread, the best and the worst, any one on demand, and plots of those that tell most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import forecast
from forecast import Settings
from forecast.commands.report.report import results_of
from forecast.commands.tables import print_scores
from forecast.plots.many_series import lookup_of, scaled_errors, tables_by_series, telling_series
from forecast.plots.page import Section, render
from forecast.plots.run_report import report_page
from forecast.plots.tables import Lookup
from forecast.runs.rows import training_panel
from generate_panel import generate_panel, write_panel

N = 41
MODELS = ("lstm", "persistence", "seasonal-naive")


@pytest.fixture
def metrics() -> dict[str, Any]:
    """Scores of 41 series on levels far apart; one has no scale, and one no window."""
    rng = np.random.default_rng(3)
    names = [f"s{number:02d}" for number in range(N)]
    naive = 10.0 ** rng.uniform(0, 6, N)
    naive[7] = 0.0
    errors = naive[:, None] * rng.uniform(0.5, 2, (N, len(MODELS)))
    return {
        "model": "lstm",
        "models": {model: {} for model in MODELS},
        "naive_error": {
            name: {"mae": value, "rmse": value} for name, value in zip([*names, "unscored"], [*naive, 1.0], strict=True)
        },
        "by_series": {
            name: dict(zip(MODELS, row, strict=True)) for name, row in zip(names, errors.tolist(), strict=True)
        },
        "rmse_by_series": {name: dict.fromkeys(MODELS, 3 * naive) for name, naive in zip(names, naive, strict=True)},
        "crps_by_series": {name: {"lstm": naive / 2} for name, naive in zip(names, naive, strict=True)},
    }


def expected(metrics: dict[str, Any]) -> dict[str, np.ndarray]:
    names = [name for name in metrics["by_series"] if metrics["naive_error"][name]["mae"] > 0]
    return {
        name: np.array([metrics["by_series"][name][model] for model in MODELS]) / metrics["naive_error"][name]["mae"]
        for name in names
    }


def test_quartiles_are_of_errors_over_the_naive_error(metrics: dict[str, Any]) -> None:
    spread, squared, distribution, best, worst = tables_by_series(metrics)
    assert [cell.text for cell in squared.rows[0][1:4]] == ["3.00"] * 3
    assert [cell.text for cell in distribution.rows[0][1:4]] == ["0.500"] * 3
    assert len(distribution.rows) == 1  # the others have no intervals
    scaled = expected(metrics)
    table = np.array(list(scaled.values()))
    assert "40 series" in spread.caption
    for column, model in enumerate(MODELS):
        cells = [cell.text for cell in spread.rows[column]]
        assert [float(text) for text in cells[1:4]] == pytest.approx(
            np.quantile(table[:, column], [0.25, 0.5, 0.75]), rel=0.01
        )
        better = int((table[:, column] < table[:, 2]).sum())
        assert cells[4] == ("–" if model == "seasonal-naive" else f"{better} of 40")
    order = sorted(scaled, key=lambda name: scaled[name][0])
    assert [row[0].text for row in best.rows] == order[:10]
    assert [row[0].text for row in worst.rows] == order[:-11:-1]
    assert float(worst.rows[0][1].text) == pytest.approx(table[:, 0].max(), rel=0.01)


def test_any_series_can_be_looked_up(metrics: dict[str, Any]) -> None:
    lookup = lookup_of(metrics)
    assert lookup is not None
    scaled = expected(metrics)
    ranked = lookup.rows[:40]
    assert [row[0] for row in ranked] == sorted(scaled, key=lambda name: scaled[name][0])
    assert ranked[0][1] == "1 of 40"
    for name, _, *figures in ranked:
        assert [float(figure) for figure in figures] == pytest.approx(scaled[name], abs=0.0005)
    # Also series that have no scaled error are there, with the reason.
    assert lookup.rows[40:] == [["s07", "no scale", *"–––"], ["unscored", "no test window", *"–––"]]
    assert lookup.text.count("\n") == N


@pytest.mark.parametrize(("count", "listed"), [(16, (8, 7)), (22, (10, 10))])
def test_no_series_is_both_among_the_best_and_the_worst(
    metrics: dict[str, Any], count: int, listed: tuple[int, int]
) -> None:
    metrics["by_series"] = dict(list(metrics["by_series"].items())[:count])  # one of them has no scale
    best, worst = tables_by_series(metrics)[-2:]
    assert (len(best.rows), len(worst.rows)) == listed
    assert not {row[0].text for row in best.rows} & {row[0].text for row in worst.rows}


def test_the_series_that_tell_are_the_best_the_middle_and_the_worst(metrics: dict[str, Any]) -> None:
    order = sorted(scaled := expected(metrics), key=lambda name: scaled[name][0])
    found = telling_series(metrics)
    assert found == {order[0]: "least MASE", order[20]: "median MASE", order[-1]: "largest MASE"}


@pytest.mark.parametrize(("count", "drawn"), [(4, 0), (5, 3), (12, 3)])
def test_also_of_few_series_those_that_tell_are_drawn(metrics: dict[str, Any], count: int, drawn: int) -> None:
    metrics["by_series"] = dict(list(metrics["by_series"].items())[:count])
    scaled = {name: row[0] for name, row in expected(metrics).items()}
    found = telling_series(metrics)
    assert len(found) == drawn
    if drawn:
        assert found[min(scaled, key=scaled.__getitem__)] == "least MASE"
        assert found[max(scaled, key=scaled.__getitem__)] == "largest MASE"


def test_few_series_are_all_shown(metrics: dict[str, Any]) -> None:
    metrics["by_series"] = dict(list(metrics["by_series"].items())[:5])
    assert scaled_errors(metrics) is None
    assert lookup_of(metrics) is None
    (table,) = tables_by_series(metrics)
    assert len(table.rows) == 5


def test_one_series_far_from_the_others_gives_only_itself_exponents(metrics: dict[str, Any]) -> None:
    for model in MODELS:
        metrics["by_series"]["s03"][model] *= 1e12
    worst = tables_by_series(metrics)[-1]
    assert worst.rows[0][0].text == "s03"
    assert all("e+" in cell.text for cell in worst.rows[0][1:])
    assert not any("e" in cell.text for row in worst.rows[1:] for cell in row[1:])


def page_of(rows: list[list[str]]) -> str:
    lookup = Lookup("Look up a series", ["series", "MASE"], rows)
    return render({"scores": Section("Scores", lookup=lookup)}, title="t", verdict="v", tiles={}, origin=[])


def test_only_a_page_with_a_lookup_has_a_script_and_its_policy_names_it() -> None:
    plain = render({"scores": Section("Scores")}, title="t", verdict="v", tiles={}, origin=[])
    assert "script" not in plain
    page = page_of([["</pre><script>alert(1)</script>", "1"]])
    assert page.count("<script>") == 1
    assert "script-src 'sha256-" in page
    assert "&lt;script&gt;alert(1)" in page


def test_in_a_browser_what_is_typed_is_found(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    rows = [[f"meter {number}", f"{number / 7:.3f}"] for number in range(500)] + [["<b>bold</b>", "1"]]
    path.write_text(page_of(rows), encoding="utf-8")
    page = browser.open(path, 390)

    def typed(text: str) -> list[str]:
        return page.evaluate(
            f"(() => {{ const box = document.querySelector('.lookup input'); box.value = {text!r};"
            "box.dispatchEvent(new Event('input'));"
            "return [...document.querySelectorAll('.lookup tbody tr')].map(row => row.textContent); })()"
        )

    assert typed("METER 49")[0] == "meter 497.000"
    assert len(typed("meter")) == 12
    assert typed("<b>") == ["<b>bold</b>1"]
    assert typed("no such") == []
    assert page.events("Log.entryAdded") == page.events("Runtime.exceptionThrown") == []


def test_a_run_of_many_series_draws_those_that_tell(
    tmp_path: Path, tiny: Callable[..., Settings], no_plots: None, unsaved: None, capsys: pytest.CaptureFixture[str]
) -> None:
    write_panel(tmp_path / "panel.parquet", generate_panel(16, 120, "D"))
    settings = tiny(model="rnn", epochs=1, lookback=14, horizon=7, baseline=False)
    run = forecast.train(tmp_path / "panel.parquet", settings, run="run", runs_dir=tmp_path)
    telling = telling_series(run.metrics)
    results = results_of(run, training_panel(run))
    assert {series.unique_id: series.chosen_for for series in results.plotted_series} == telling
    page = report_page(results)
    drawn = [name for name in run.metrics["by_series"] if name in telling]
    assert f"Of 16 series, 3 are drawn: {', '.join(f'{name} ({telling[name]})' for name in drawn)}." in page
    for name, why in telling.items():
        assert f"{name} ({why}): " in page
    assert 'type="search"' in page
    print_scores(run.metrics, "the panel")
    printed = capsys.readouterr().out
    assert "How MASE spreads over 16 series" in printed
    assert "The series with the largest MASE" in printed
