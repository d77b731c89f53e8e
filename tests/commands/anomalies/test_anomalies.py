"""Odd rows of new months under the run of the months."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

import forecast
from forecast import Run
from forecast.commands.anomalies.anomalies import Anomalies
from forecast.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def usual(monthly: pd.DataFrame) -> pd.DataFrame:
    """The months and 90 more of the same kind."""
    months = np.arange(290)
    y = 20 + 5 * np.sin(2 * np.pi * months / 12) + np.random.default_rng(3).normal(0, 0.5, 290)
    y[:200] = monthly["y"]
    return pd.DataFrame({"ds": pd.date_range("1990-01-01", periods=290, freq="MS"), "y": y})


@pytest.fixture(scope="module")
def planted(usual: pd.DataFrame) -> pd.DataFrame:
    """The same with a spike, a stuck sensor, a gap, and a level that shifts."""
    y = usual["y"].to_numpy(copy=True)
    y[220] += 200
    y[240:246] = y[240]
    y[270:] += 300
    return usual.assign(y=y).drop(index=[255, 256])


@pytest.fixture(scope="module")
def found(trained: Run, planted: pd.DataFrame) -> Anomalies:
    return forecast.anomalies(trained, planted, since="2006-09-01")


def test_a_spike_is_odd_and_does_not_spoil_what_is_expected_after_it(
    found: Anomalies, trained: Run, usual: pd.DataFrame
) -> None:
    rows = found.rows.set_index("ds")
    spike = rows.loc["2008-05-01"]
    assert spike["kind"] == "spike"
    assert spike["p"] < 0.001
    assert not spike["lo"] < spike["y"] < spike["hi"]
    without = forecast.anomalies(trained, usual, since="2006-09-01")
    assert not len(without.odd)
    assert without.limit == 0
    assert without.worth_drawing() == ["y"]
    clean = without.rows.set_index("ds")["expected"]
    assert rows.loc[:"2008-05-01", "expected"].equals(clean[:"2008-05-01"])
    # The network sees six months: had it been fed the spike, it would expect others after it.
    after = slice("2008-06-01", "2008-11-01")
    assert (rows.loc[after, "kind"] == "").all()
    assert (rows.loc[after, "expected"] - clean[after]).abs().max() < 5


def test_a_stuck_sensor_a_gap_and_a_shift_are_named(found: Anomalies) -> None:
    events = found.events[found.events["kind"] != "spike"].set_index("kind")
    assert events.loc["stuck", "rows"] == 5
    assert events.loc["stuck", "ds"] == pd.Timestamp("2010-02-01")
    assert events.loc["gap", "rows"] == 2
    assert np.isnan(events.loc["gap", "y"])
    assert events.loc["shift", "ds"] == pd.Timestamp("2012-07-01")
    assert events.loc["shift", "rows"] >= 3
    assert found.rows["ds"].iloc[-1] == pd.Timestamp("2014-02-01")


def test_rows_of_the_run_itself_are_judged_from_its_test_span_on(trained: Run) -> None:
    result = forecast.anomalies(trained)
    assert result.rows["ds"].iloc[0] == pd.Timestamp(trained.test_from[0])
    assert len(result.rows) == 40
    assert not len(result.odd)
    assert "0 of 40 rows are odd" in repr(result)


def test_a_notebook_shows_it_and_a_plot_marks_it(found: Anomalies) -> None:
    html = found._repr_html_()
    assert "spike" in html
    assert "data:image/png" in html
    assert found.sentence in repr(found)
    assert {text.get_label() for text in found.plot().axes[0].lines} >= {"observed", "expected", "spike", "shift"}
    with pytest.raises(ConfigError, match="no series"):
        found.plot("nowhere")


def test_the_command_writes_tables_json_and_a_plot(
    quick: Callable[..., Result], planted: pd.DataFrame, tmp_path: Path
) -> None:
    source = tmp_path / "more.csv"
    planted.to_csv(source, index=False)
    done = quick("anomalies", "months", source, "--since", "2006-09-01", "--json", "--plot", tmp_path / "odd.png")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["kinds"]["gap"] == 1
    assert document["odd"] == len(document["rows"]) < document["judged"]
    assert (tmp_path / "odd.png").read_bytes().startswith(b"\x89PNG")
    done = quick("anomalies", "months", source, "--since", "2006-09-01", "-o", tmp_path / "odd.csv", "--every-row")
    table = pd.read_csv(tmp_path / "odd.csv", keep_default_na=False)
    assert list(table) == ["unique_id", "ds", "y", "expected", "lo", "hi", "p", "kind"]
    assert len(table) == document["judged"]
    assert "rows are odd" in done.stdout


def test_it_says_where_rows_are_not_honest_or_not_there(
    trained: Run, quick: Callable[..., Result], monthly: pd.DataFrame
) -> None:
    said = quick("anomalies", "months", "--since", "1995-01-01", "--json")
    assert "trained or chosen on" in said.stderr
    assert said.exit_code == 0
    with pytest.raises(DataError, match="no row to judge"):
        forecast.anomalies(trained, monthly[:100])
    with pytest.raises(ConfigError, match="not a time"):
        forecast.anomalies(trained, since="yesterday week")
    with pytest.raises(ConfigError, match="rate"):
        forecast.anomalies(trained, rate=0.0)
