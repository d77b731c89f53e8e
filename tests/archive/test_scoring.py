"""The scores of forecasts that have come due are those that a few lines of pandas compute."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

import forecast
from forecast import ConfigError, DataError, Run
from forecast.archive.due import LiveScores
from forecast.archive.live import live_so_far
from forecast.evaluation.significance import diebold_mariano
from forecast.plots.results import RunResults
from forecast.plots.run_report import _live


@pytest.fixture(scope="module")
def later(monthly: pd.DataFrame) -> pd.DataFrame:
    """The months and twenty more."""
    times = pd.date_range(monthly["ds"].iloc[-1], periods=21, freq="MS")[1:]
    y = 20 + 5 * np.sin(2 * np.pi * np.arange(200, 220) / 12) + np.random.default_rng(1).normal(0, 0.5, 20)
    return pd.concat([monthly, pd.DataFrame({"ds": times, "y": y})], ignore_index=True)


@pytest.fixture(scope="module")
def kept(trained: Run, later: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[pd.DataFrame]:
    """A forecast from each of twenty months on, as they were kept in the archive of FORECAST_ARCHIVE."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECAST_ARCHIVE", f"sqlite:///{tmp_path_factory.mktemp('kept') / 'kept.sqlite'}")
        frames = [forecast.predict(trained, later[: 200 + n], keep=True) for n in range(20)]
        yield pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def live(trained: Run, later: pd.DataFrame, kept: pd.DataFrame) -> LiveScores:
    return forecast.score(trained, later)


def test_errors_and_coverage_are_those_of_pandas(live: LiveScores, kept: pd.DataFrame, later: pd.DataFrame) -> None:
    points = kept.merge(later, on="ds")
    assert len(points) == 57 == live.summary["n_points"]  # of three forecasts the last steps are not there yet
    assert (live.summary["n_windows"], live.summary["n_origins"], live.summary["n_partly_due"]) == (20, 20, 2)
    errors = {name: (points["y"] - points[name]).abs() for name in ("lstm", "persistence", "seasonal-naive")}
    step = (points["ds"].dt.to_period("M") - points["cutoff"].dt.to_period("M")).map(lambda apart: apart.n)
    day = points["ds"].dt.strftime("%Y-%m-%d")
    for name, error in errors.items():
        assert live.summary["models"][name]["mae"] == pytest.approx(error.mean(), rel=1e-5, abs=1e-5)
        assert live.summary["by_step"][name] == pytest.approx(error.groupby(step).mean().tolist(), rel=1e-5, abs=1e-5)
        by_day = {each["day"]: each["error"][name] for each in live.summary["by_day"]}
        assert by_day == pytest.approx(error.groupby(day).mean().to_dict(), rel=1e-5, abs=1e-5)
        assert live.summary["by_series"]["y"]["error"][name] == pytest.approx(error.mean(), rel=1e-5, abs=1e-5)
        assert live.summary["by_version"]["1"]["error"][name] == pytest.approx(error.mean(), rel=1e-5, abs=1e-5)
    inside = points["y"].between(points["lstm-lo-80"], points["lstm-hi-80"])
    assert live.summary["coverage"]["80"]["share"] == pytest.approx(inside.mean())
    assert live.summary["coverage"]["80"]["by_step"] == pytest.approx(inside.groupby(step).mean().tolist())
    sums = {name: error.groupby(points["cutoff"]).sum().to_numpy() for name, error in errors.items()}
    for reference in ("persistence", "seasonal-naive"):
        skill = 1 - errors["lstm"].mean() / errors[reference].mean()
        assert live.summary["skill"][reference] == pytest.approx(skill, rel=1e-4)
        p = diebold_mariano(sums["lstm"], sums[reference], 3)
        assert live.summary["p_value"][reference] == pytest.approx(p, rel=1e-3)
    assert live.verdict.startswith(("lstm ", "No evidence"))


def test_only_the_last_origins_are_scored_on_request(live: LiveScores, trained: Run, later: pd.DataFrame) -> None:
    last = forecast.score(trained, later, last=5)
    assert last.due.cutoffs.tolist() == live.due.cutoffs[-5:].tolist()
    assert last.summary["n_points"] == 12
    since = forecast.score(trained, later, since="2007-11-01")
    assert since.due.cutoffs.tolist() == last.due.cutoffs.tolist()
    with pytest.raises(ConfigError, match="since takes a time"):
        forecast.score(trained, later, since="soon")


def test_the_page_of_a_run_shows_them_without_the_rows(live: LiveScores, trained: Run) -> None:
    again = live_so_far(trained)
    assert again is not None
    assert {**again.summary, "alarms": []} == {**live.summary, "alarms": []}
    section = _live(cast(RunResults, SimpleNamespace(live=again)))
    assert section is not None
    assert section.title == "Since it went live"
    assert section.sentences[0] == live.verdict


def test_a_run_of_which_nothing_was_kept_has_no_such_section(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORECAST_ARCHIVE", raising=False)
    assert live_so_far(trained) is None


def test_a_notebook_and_a_page_show_them(live: LiveScores) -> None:
    for page in (live._repr_html_(), repr(live)):
        assert live.verdict in page


def test_nothing_due_is_said(trained: Run, monthly: pd.DataFrame, kept: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="No forecast of months is due"):
        forecast.score(trained, monthly)


def test_the_command_shows_draws_and_demands(
    quick: Callable[..., Result], later: pd.DataFrame, kept: pd.DataFrame, tmp_path: Path
) -> None:
    later.to_csv(tmp_path / "later.csv", index=False)
    drawn = ("--plot", tmp_path / "live.png", "--report", tmp_path / "live.html")
    shown = quick("score", "months", tmp_path / "later.csv", *drawn)
    assert shown.exit_code == 0, shown.output
    for said in ("MAE by step ahead", "MAE by day, the last 14 of 20", "Of 20 forecasts 2 are due in part"):
        assert said in shown.stdout
    assert (tmp_path / "live.png").stat().st_size > 10_000
    assert "Since it went live" in (tmp_path / "live.html").read_text("utf-8")
    revised = later.assign(y=later["y"].where(later["ds"] != "2007-01-01", 3.0))
    revised.to_csv(tmp_path / "later.csv", index=False)
    asked = ("--json", "--require-skill", "persistence:0.99", "--last", 12)
    told = quick("score", "months", tmp_path / "later.csv", *asked)
    assert getattr(told.exception, "exit_code", None) == 4
    assert [each["time"] for each in json.loads(told.stdout)["revised"]] == ["2007-01-01T00:00:00"]
    assert "y at 2007-01-01 was revised" in told.stderr
    demands = {("coverage", "80:0.999"): 4, ("coverage", "80:2"): 2, ("coverage", "50"): 2, ("skill", "rnn"): 2}
    for (what, bar), code in demands.items():
        refused = quick("score", "months", tmp_path / "later.csv", f"--require-{what}", bar)
        assert getattr(refused.exception, "exit_code", None) == code, refused.output


def test_series_in_several_units_are_pooled_by_their_naive_errors(kept: pd.DataFrame) -> None:
    from forecast.archive.due import DueForecasts
    from forecast.archive.scoring import _scales

    due = DueForecasts(
        unique_ids=np.array(["a", "b", "c"], object), cutoffs=np.zeros(3, "datetime64[us]"),
        issued=np.zeros(3, "datetime64[us]"), versions=np.ones(3, np.int64), times=np.zeros((3, 1), "datetime64[us]"),
        y=np.ones((3, 1)), forecasts={}, model="lstm", angles=np.zeros(3, bool),
    )  # fmt: skip
    metrics = {"skill_of": "MASE", "naive_error": {"a": {"mae": 2.0}, "b": {"mae": None}}}
    np.testing.assert_array_equal(_scales(metrics, due), [2, np.nan, np.nan])  # type: ignore[arg-type]
    angle = DueForecasts(**{**vars(due), "angles": np.ones(3, bool), "y": np.full((3, 1), 359.0),
                            "forecasts": {"lstm": np.full((3, 1), 1.0)}})  # fmt: skip
    np.testing.assert_array_equal(angle.errors("lstm"), [[-2.0]] * 3)
