"""How fast this program is beside a plain Keras recipe, Darts and NeuralForecast.

    python scripts/benchmark.py --data FOLDER [--only ETTh1,JFK] [--repeats K] [--rates] [--kept FILE]

Every contender runs alone, in a process of its own, on the CPU with its own choice of threads; the order rotates from
round to round, and medians are reported. A call adds its rounds to those of FILE, if they were asked for in the same
way on the same machine, so that each can have a quiet quarter of an hour of its own. With ``--rates`` only windows a
second are measured, of the network that all share, over three epochs.

The peers get an environment of their own, made on the first call: pip takes the packages of ``peers.txt`` from where it
always takes them. If it can find a build of torch for the CPU alone (a folder of wheels in PIP_FIND_LINKS will do), it
takes that one; the ordinary one brings some GB for GPUs.

Equal for all: the rows, standardised by the training rows (70 %; then 10 % for validation, 20 % for the test), on the
clock of the hours (47 of JFK's 75,119 are missing: each repeats the hour before); a lookback of 168 and a horizon of
24; the windows of each part, all of them; one LSTM layer of 64 units fed step by step; batches of 64; Adam on the mean
absolute error; validation on the same windows by the same code when training is over, on the weights of each epoch, so
that it costs nobody time; scoring 1,024 windows at once, from rows that are ready in memory; errors in standardised
units.

Not equal: Keras and this program map the last state to all steps by one dense layer, Darts and NeuralForecast the last
24 states to one step each. NeuralForecast draws its windows at random: as many as there are make an epoch. Peers keep
their own learning rate (1e-3, constant); this program keeps its own trainer: schedule, clipping, averaged weights, and
a validation and a checkpoint after each epoch, which count in its time but not in its windows a second. Its validation
error is that of the best weights so far, the peers' that of each epoch's own. In the row of its default recipe the
network, lookback, calendar, batches and epochs are what it chooses by itself; the vanilla RNN beside it is left out.
Peak memory is that of the whole process, imports included, until its last epoch ends.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contenders.contest import NEWEST, RUN, RUNS, Contest, write_contest
from speed import (
    DEFAULT,
    IMPORT,
    INSTANT,
    PEERS,
    PREDICT,
    SAME,
    bars_of,
    bars_of_commands,
    bars_table,
    commands_table,
    contenders_table,
)

SCRIPTS = Path(__file__).parent

# File, target, the other columns that are fed (None for all), and how the first column is dated.
DATASETS: Mapping[str, tuple[str, str, tuple[str, ...] | None, str]] = {
    "ETTh1": ("ett/ETTh1.csv", "OT", (), "%Y-%m-%d %H:%M:%S"),
    "JFK": ("jfk_weather/jfk_weather_cleaned.csv", "DRYBULBTEMPF", None, "%d-%m-%Y %H:%M"),
}

SIZES = {"lookback": 168, "horizon": 24, "units": 64}

MODULES = {SAME: "product", DEFAULT: "default"} | {name: module for module, name in PEERS.items()}
ELSEWHERE = {PEERS["darts"], PEERS["neuralforecast"]}

# Epochs of the rounds after the first: one of warm-up, two that count.
SHORT = 3


def load(name: str, options: argparse.Namespace) -> Contest:
    """The rows of a dataset, the target first, standardised by the training rows."""
    file, target, others, date_format = DATASETS[name]
    frame = pd.read_csv(options.data / file, nrows=options.rows, index_col=0)
    frame.index = pd.to_datetime(frame.index, format=date_format).floor("h")
    frame = frame[~frame.index.duplicated()].asfreq("h", method="ffill")
    columns = (target, *(frame.columns.drop(target) if others is None else others))
    values = frame[list(columns)].to_numpy(np.float64)
    n_train, n_test = int(0.7 * len(values)), int(0.2 * len(values))
    training = values[:n_train]
    return Contest(
        folder=options.cache / name,
        values=((values - training.mean(axis=0)) / training.std(axis=0)).astype(np.float32),
        columns=columns,
        start=str(frame.index[0]),
        validation_from=n_train,
        test_from=len(values) - n_test,
        lookback=options.lookback,
        horizon=options.horizon,
        units=options.units,
        batch_size=64,
    )


def peers_python(cache: Path) -> str:
    """The interpreter of the peers' environment, which is made if it is not there."""
    folder, wanted = cache / "peers", (SCRIPTS / "peers.txt").read_text()
    python, stamp = folder / "bin" / "python", folder / "ready"
    if not stamp.exists() or stamp.read_text() != wanted:
        say("making the environment of the peers: some minutes")
        venv.create(folder, clear=True, with_pip=True)
        install = [
            "-I",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            str(SCRIPTS / "peers.txt"),
        ]
        if subprocess.run([str(python), *install]).returncode:
            sys.exit(f"The packages of {SCRIPTS / 'peers.txt'} could not be installed: pip says why above.")
        stamp.write_text(wanted)
    return str(python.absolute())


def run(command: Sequence[str], path: str = "") -> str:
    """Standard output of a process that sees no GPU.

    Args:
        command: What to type.
        path: PYTHONPATH.

    Raises:
        SystemExit: If it fails; ends with what it wrote to standard error.
    """
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": path}
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return done.stdout


class Field:
    """The contenders on one dataset.

    Args:
        contest: What they are given.
        peers: The interpreter of the peers' environment.
    """

    def __init__(self, contest: Contest, peers: str) -> None:
        self.contest, self.peers = contest, peers

    @property
    def operations(self) -> int:
        """Floating-point operations of the products of one window, forwards and backwards."""
        read = len(self.contest.columns) + self.contest.units
        return 3 * 2 * self.contest.lookback * 4 * self.contest.units * read

    def command(self, name: str) -> list[str]:
        """What starts a contender."""
        python = self.peers if name in ELSEWHERE else sys.executable
        return [python, "-m", f"contenders.{MODULES[name]}", str(self.contest.folder)]

    def answer(self, name: str, epochs: int) -> dict[str, Any]:
        """Train one contender and return what it answers."""
        facts = {"peak": peak(), "operations": self.operations}
        launched = time.time()
        answer = json.loads(run([*self.command(name), "--epochs", str(epochs)], path_of(name)).splitlines()[-1])
        return answer | facts | {"start": answer.pop("began") - launched}

    def add_rounds(self, answers: dict[str, list[dict[str, Any]]], repeats: int, epochs: int) -> None:
        """Add every contender's answers: in the first round of all over all epochs, then over a few."""
        names, before = list(answers), len(next(iter(answers.values())))
        for number in range(before, before + repeats):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                say(f"{self.contest.folder.name}, round {number + 1}: {name}")
                answers[name].append(self.answer(name, SHORT if number else epochs))


def peak() -> float:
    """Operations a second of a product of two matrices of float32, [2048, 2048], on all cores: the best of some."""
    one, best = np.ones((2048, 2048), np.float32), np.inf
    for _ in range(5):
        began = time.perf_counter()
        one @ one
        best = min(best, time.perf_counter() - began)
    return 2 * 2048**3 / best


def path_of(name: str) -> str:
    """The PYTHONPATH of a contender; what this process was given goes on to those of its own environment."""
    given = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(SCRIPTS), *([given] if given and name not in ELSEWHERE else [])])


def time_commands(field: Field, repeats: int) -> dict[str, list[float]]:
    """Wall time of whole processes: the import that everything is measured by, the commands, and cold starts."""
    folder = field.contest.folder
    forecast = [sys.executable, "-m", "forecast"]
    predict = [*forecast, "predict", str(folder / RUNS / RUN)]
    listed = [*forecast, "runs", "--runs-dir", str(folder / RUNS)]
    steps = f"load, read a CSV, forecast {field.contest.horizon} steps"
    commands = {
        IMPORT: [sys.executable, "-c", "import tensorflow"],
        PREDICT: predict,
        **dict(zip(INSTANT, ([*forecast, "--help"], listed, [*forecast, "datasets"]), strict=True)),
        f"{SAME}: {steps}": [*predict, str(folder / NEWEST)],
        **{f"{name}: {steps}": [*field.command(name), "--newest"] for name in PEERS.values()},
    }
    seconds: dict[str, list[float]] = {label: [] for label in commands}
    for number in range(repeats):
        say(f"whole processes, round {number + 1} of {repeats}")
        for label, command in commands.items():
            began = time.perf_counter()
            run(command, path_of(label.partition(":")[0]))
            seconds[label].append(time.perf_counter() - began)
    return seconds


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def page(document: Mapping[str, Any]) -> str:
    """Every table in Markdown.

    Args:
        document: What `main` keeps.
    """
    parts: list[str] = []
    versions: dict[str, str] = {}
    for name, answers in document["datasets"].items():
        parts += [f"## {name}", contenders_table(answers), bars_table(bars_of(answers))]
        versions |= {key: value for found in answers.values() for key, value in found[0]["versions"].items()}
    if document["commands"]:
        parts += ["## Whole processes", commands_table(document["commands"])]
        parts.append(bars_table(bars_of_commands(document["commands"])))
    found = document["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    parts.append(f"{found['cpu']}, {found['cores']} cores, no GPU; Python {found['python']}, {packages}.")
    return "\n\n".join(parts)


def kept_before(path: Path, document: dict[str, Any]) -> dict[str, Any]:
    """What an earlier call kept, if it was asked for the same on the same machine; else a document without figures."""
    before = json.loads(path.read_text()) if path.exists() else {}
    alike = all(before.get(key) == document[key] for key in ("machine", "settings"))
    return before if alike else document


def keep(path: Path, document: Mapping[str, Any]) -> None:
    """Write the figures down."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def say(text: str) -> None:
    """Tell on standard error what goes on."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, keep the figures as JSON, and print the tables."""
    parser = argparse.ArgumentParser(description="Speed beside a plain Keras recipe, Darts and NeuralForecast.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--only", default=",".join(DATASETS), help="some datasets, such as ETTh1")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--epochs", type=int, default=20, help="of the first round; the others take three")
    parser.add_argument("--rates", action="store_true", help="only windows a second, of the network that all share")
    parser.add_argument("--without", default="", help="contenders that are left out, such as 'Keras recipe'")
    parser.add_argument("--rows", type=int, help="only the first rows of each dataset, for a trial")
    parser.add_argument("--lookback", type=int, default=SIZES["lookback"])
    parser.add_argument("--horizon", type=int, default=SIZES["horizon"])
    parser.add_argument("--units", type=int, default=SIZES["units"])
    parser.add_argument("--cache", type=Path, default=Path(".benchmark_cache"), help="the peers' environment and runs")
    parser.add_argument("--kept", type=Path, default=Path("models/benchmark.json"), help="where the figures go")
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = [name for name in names if name not in DATASETS]
    if unknown:
        parser.error(f"there is no dataset {unknown[0]!r}; there are {', '.join(DATASETS)}")
    if options.epochs < 2 or options.repeats < 1:
        parser.error("--epochs takes 2 or more, because the first one is warm-up, and --repeats 1 or more")
    peers = peers_python(options.cache)
    contests = {name: load(name, options) for name in names}
    settings = {
        name: getattr(options, name) for name in ("epochs", "rows", "lookback", "horizon", "units", "rates", "without")
    }
    document: dict[str, Any] = {"machine": machine(), "settings": settings, "datasets": {}, "commands": {}}
    document = kept_before(options.kept, document)
    left_out = {*options.without.split(","), *([DEFAULT] if options.rates else [])}
    contenders = [name for name in MODULES if name not in left_out]
    for name, contest in contests.items():
        write_contest(contest)
        answers = document["datasets"].setdefault(name, {contender: [] for contender in contenders})
        Field(contest, peers).add_rounds(answers, options.repeats, SHORT if options.rates else options.epochs)
        keep(options.kept, document)
    if not options.rates:
        document["commands"] = time_commands(Field(contests[names[0]], peers), options.repeats)
        keep(options.kept, document)
    print(page(document))


if __name__ == "__main__":
    main()
