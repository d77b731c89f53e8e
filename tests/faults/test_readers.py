"""Reading a run while trainings replace it: always one whole version, never none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import forecast
from configs import plain_config
from forecast.runs.find import all_runs, find

WRITE = """
import itertools, json, sys
from pathlib import Path
from forecast.runs import files
from forecast.config import Config
from forecast.runs.writer import RunWriter
if sys.argv[2] == "in steps":
    files.ctypes.CDLL = lambda *_, **__: None
config = Config.from_sections(json.loads(sys.argv[3]))
for number in itertools.count():
    writer = RunWriter(Path(sys.argv[1]), "run")
    writer.begin({}, config, overwrite=True)
    writer.write("metrics.json", json.dumps({"seed": number}))
    writer.write("gradients.json", json.dumps({"seed": number}))
    writer.finish({"seed": number})
    print(number, flush=True)
"""

TRAIN = """
import sys
from pathlib import Path
import forecast
for seed in range(6):
    config = {"model": "lstm", "units": 2, "epochs": 1, "lookback": 6, "horizon": 3, "seed": seed, "baseline": False}
    forecast.train(sys.argv[1], config, run="run", runs_dir=Path(sys.argv[2]), overwrite=True)
    print(seed, flush=True)
"""


@contextmanager
def writing(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has written a first version, and goes on writing versions."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("moves", ["at once", "in steps"])
def test_a_run_is_always_there_and_of_one_version(tmp_path: Path, moves: str) -> None:
    seen = set()
    with writing(WRITE, tmp_path, moves, plain_config().to_json()):
        while len(seen) < 30:
            run = find("run", runs_dir=tmp_path)
            number = run.manifest["seed"]
            assert run.metrics == run.tracked_gradients == {"seed": number}
            if moves == "at once":
                assert [listed.name for listed in all_runs(runs_dir=tmp_path)] == ["run"]
            seen.add(number)


@pytest.mark.thorough
def test_predict_beside_a_training_that_overwrites_its_run(tmp_path: Path, monthly_csv: Path) -> None:
    seen = {}
    with writing(TRAIN, monthly_csv, tmp_path) as process:
        while process.poll() is None:
            run = forecast.find("run", runs_dir=tmp_path)
            made = forecast.predict(run, monthly_csv)["lstm"].tolist()
            assert made == pytest.approx(run.forecast["lstm"].tolist(), rel=1e-5)
            assert seen.setdefault(run.config.training.seed, made) == made
        assert process.returncode == 0
    assert len(seen) > 1
