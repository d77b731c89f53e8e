"""What reads rows for a run agrees: audits, streams, pushes and requests of runs with zones, steps and words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from clients import asked, served
from forecast import Settings
from forecast.commands.serve.app import Limits
from forecast.commands.stream.feed import stream_rows
from forecast.commands.stream.stream import Stream

Tiny = Callable[..., Settings]


def wave(n: int) -> np.ndarray:
    return (50 + 10 * np.sin(np.arange(n) / 4) + np.random.default_rng(0).normal(0, 0.5, n)).round(3)


def test_an_audit_finds_the_scored_forecasts_of_a_zone(tiny: Tiny, tmp_path: Path, no_plots: None) -> None:
    times = pd.date_range("2023-10-20", periods=400, freq="h", tz="Europe/Berlin")
    path = tmp_path / "zoned.csv"
    pd.DataFrame({"time": [time.isoformat() for time in times], "load": wave(400)}).to_csv(path, index=False)
    run = forecast.train(path, tiny(epochs=1, baseline=False), run="zoned", runs_dir=tmp_path / "runs")
    assert forecast.audit(run).failed == ()


def test_rows_in_order_are_taken_by_every_entry(tiny: Tiny, tmp_path: Path, no_plots: None) -> None:
    path = tmp_path / "steps.csv"
    pd.DataFrame({"v": wave(200)}).to_csv(path, index=False)
    run = forecast.train(path, tiny(freq="step", epochs=1, baseline=False), run="steps", runs_dir=tmp_path / "runs")
    expected = forecast.predict(run, path)
    assert expected["ds"].tolist() == [200, 201, 202]
    assert forecast.audit(run).failed == ()
    *_, streamed = stream_rows(Stream(run), str(path))
    pd.testing.assert_frame_equal(streamed.drop(columns="number"), expected, rtol=1e-6)
    stream = Stream(run)
    for step, value in enumerate(wave(200)):
        pushed = stream.push(step, {"v": value})
    assert pushed is not None
    pd.testing.assert_frame_equal(pushed, expected, rtol=1e-6)
    with served(run, Limits(body=1_000_000, seconds=20)) as port:
        for rows in ([{"v": v} for v in wave(200)], [{"ds": i, "v": v} for i, v in enumerate(wave(200))]):
            status, answer = asked(port, body={"rows": rows})
            assert status == 200, answer
            assert [row["ds"] for row in answer["forecast"]] == [200, 201, 202]


def test_rows_of_what_is_known_ahead_lack_the_words_of_the_past(tiny: Tiny, tmp_path: Path, no_plots: None) -> None:
    rng = np.random.default_rng(1)
    days = pd.date_range("2022-01-01", periods=300)
    words = {"sky": rng.choice(["sun", "rain", "fog"], 300), "plan": rng.choice(["yes", "no"], 300)}
    table = pd.DataFrame({"date": days, "sales": wave(300), **words})
    ahead = pd.DataFrame({"date": pd.date_range(days[-1], periods=4)[1:], "plan": ["yes", "no", "yes"]})
    settings = tiny(target="sales", known="plan", decode="parallel", epochs=1, baseline=False)
    run = forecast.train(table, settings, run="words", runs_dir=tmp_path)
    found = forecast.predict(run, pd.concat([table, ahead]))
    assert found["cutoff"].unique().tolist() == [days[-1]]
    assert found["ds"].tolist() == ahead["date"].tolist()


def test_a_cell_without_a_word_is_no_event_or_is_missing() -> None:
    days = pd.date_range("2022-01-01", periods=300)
    storms = pd.DataFrame({"date": days, "sales": wave(300), "sky": np.where(days.day < 6, "storm", "")})
    panel = forecast.read(storms)
    assert panel.values[:, panel.column("sky=storm")].tolist() == (days.day < 6).astype(float).tolist()
    skies = np.where(days.day < 16, "rain", "sun")
    skies[[7, 9]] = ""
    panel = forecast.read(storms.assign(sky=skies))
    assert np.flatnonzero(np.isnan(panel.values[:, panel.column("sky=rain")])).tolist() == [7, 9]


def test_errors_are_json_where_results_are(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "forecast", "predict", "nope", "--json", "--runs-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    error = json.loads(done.stderr)
    assert "There is no run 'nope'" in error["error"]
    assert error["exit_code"] == 2
