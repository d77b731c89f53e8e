"""A search that is killed again and again, at any moment, finds what it would have found."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

# A search whose trainings are a stand-in that takes no time: errors follow from what the trial tries.
STAND_IN = """
import json, sys, zlib
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import forecast
from forecast.choices.defaults import resolve
from forecast.commands.tune import trial
from forecast.commands.tune.folds import has_room, rolling_folds, without_test
from forecast.commands.tune.search import Budget, Search, work
from forecast.commands.tune.space import space_of
from forecast.engines.tasks import ThisProcess
from forecast.progress import Epoch, NullProgress, TrainingState
from forecast.runs.files import write_atomically

def fit(context, naive_error):
    config, kept = context.prepared.config, context.checkpoints / "epochs.json"
    text = f"{config.network} {config.training} {config.data.validation_from}"
    level = np.random.default_rng(zlib.crc32(text.encode())).uniform(1, 3)
    training = SimpleNamespace(unit="", steps_per_epoch=1, last_epoch=8, epoch=1, state=TrainingState())
    def epochs(count):
        return [Epoch(n + 1, 1, 0.1, 1.0, 1.0, 1.0, level * (1 + 1 / (n + 1))) for n in range(count)]
    training.state.history = epochs(json.loads(kept.read_text()) if kept.exists() else 0)
    context.progress.started("model", training)
    while len(training.state.history) < 8:
        training.state.history = epochs(len(training.state.history) + 1)
        write_atomically(kept, json.dumps(len(training.state.history)).encode())
        context.progress.step(training)
    context.progress.ended("model", training)
    rows = context.prepared.rows
    lookback, horizon = config.data.lookback, config.data.horizon
    def forecaster(starts):
        return np.repeat(rows.filled_at(starts + lookback - 1)[:, None], horizon, axis=1) + level
    return {"model": SimpleNamespace(over=lambda rows: forecaster)}

trial.fit_networks = fit
asked = forecast.configure({"epochs": 8, "lookback": 12, "horizon": 3})
panel = forecast.read(sys.argv[1], asked.read)
config, _ = resolve(asked, panel)
hidden = without_test(panel, config)
folds = rolling_folds(hidden, config, 2)
space = space_of(config, asked, {"lookback"}, lambda lookback: has_room(folds, lookback))
search = Search(Path(sys.argv[2]), None, "months", hidden, config, asked, space, 2)
work(search, Budget(int(sys.argv[3])), ThisProcess(), NullProgress())
"""

TRIALS = 30

READ = """
import json, sys
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import load_study
study = load_study(study_name="months", storage=JournalStorage(JournalFileBackend(sys.argv[1])))
print(json.dumps([[t.number, t.state.name, t.params, t.value, sorted(t.intermediate_values.items()),
                   t.user_attrs.get("errors"), t.user_attrs.get("why")] for t in study.trials]))
"""


def python(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def trials_in(folder: Path) -> list[list[Any]]:
    found: list[list[Any]] = json.loads(python(READ, folder / "journal.log").communicate()[0])
    return found


def lines_of(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_a_search_that_is_killed_finds_the_same(monthly_csv: Path, tmp_path: Path, seed: int) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert python(STAND_IN, monthly_csv, whole, TRIALS).wait() == 0
    chance, kills = random.Random(seed), 0
    while True:
        process, before = python(STAND_IN, monthly_csv, cut, TRIALS), lines_of(cut / "journal.log")
        more = chance.randrange(180)
        while lines_of(cut / "journal.log") - before < more and process.poll() is None:
            pass
        time.sleep(0.03 * chance.random())
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
    assert process.returncode == 0
    assert kills > 5
    expected = trials_in(whole)
    assert {state for _, state, *_ in expected} == {"COMPLETE", "PRUNED"}
    assert len(expected) == TRIALS
    assert trials_in(cut) == expected
    assert not list((cut / "trials").glob("*/*"))


@pytest.mark.thorough
def test_workers_that_are_killed_are_replaced_and_their_trials_go_on(monthly_csv: Path, tmp_path: Path) -> None:
    arguments = ["--trials", "5", "--spans", "1", "--units", "4", "--epochs", "4", "--lookback", "12", "--no-baseline"]
    command = [sys.executable, "-m", "forecast", "tune", str(monthly_csv), *arguments, "--workers", "2", "--json"]
    process = subprocess.Popen(
        [*command, "--run", "months", "--runs-dir", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    journal, killed = tmp_path / "months.study/journal.log", 0
    while process.poll() is None and killed < 2:
        time.sleep(0.05)
        if lines_of(journal) > 14 + 14 * killed and (workers := children_of(process.pid)):
            os.kill(workers[0], 9)
            killed += 1
    summary = json.loads(process.communicate()[0])
    assert killed == 2
    assert [line["trial"] for line in summary["trials"]] == [1, 2, 3, 4, 5]
    assert all(line["error"] is not None or line["why"] == "stopped early" for line in summary["trials"])


def children_of(process: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout
    return list(map(int, found.split()))
