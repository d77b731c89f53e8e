"""The same work on a real Ray cluster of two nodes on this machine, which the tests start and stop."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import engine_tasks
from engine_tasks import die, environment, refuse_three, square
from forecast import NullProgress, Run
from forecast.commands.predict.files import forecast_files
from forecast.commands.tune.search import Budget, work
from forecast.engines import engine
from forecast.engines.tasks import ONE_CORE
from forecast.errors import DataError
from slow_search import slow_search

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two nodes of one core each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 << 20}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        modules = [str(Path(engine_tasks.__file__).parent), str(Path(__file__).parents[2])]
        patched.setenv("PYTHONPATH", os.pathsep.join(modules))
        cluster = Cluster(initialize_head=True, head_node_args=node)
        cluster.add_node(**node)
        try:
            yield cluster.address
        finally:
            cluster.shutdown()


def test_a_cluster_computes_what_a_pool_does_whatever_dies(address: str, tmp_path: Path) -> None:
    with engine("ray", address=address) as cluster:
        results = list(cluster.map(square, range(6)))
        assert [result for result, _ in results] == [0, 1, 4, 9, 16, 25]
        assert len({process for _, process in results} - {os.getpid()}) == 2
        assert list(cluster.map(environment, list(ONE_CORE))) == list(ONE_CORE.values())
        outcomes = list(cluster.outcomes(refuse_three, range(5)))
        assert [outcome.result for outcome in outcomes] == [0, 1, 2, None, 4]
        assert isinstance(outcomes[3].error, DataError)
        assert list(cluster.map(partial(die, str(tmp_path), 1), range(5))) == [0, 1, 4, 9, 16]
    attempts = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert attempts == ["0", "1", "2", "2", "3", "4"]


def start_cluster() -> Any:
    """A head that hands out tasks, and two nodes of one core that compute them."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80 << 20})
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    return cluster


def wait_for_files(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*.csv"))) < count:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.thorough
def test_a_node_and_then_the_head_are_lost_in_the_middle(
    trained: Run, monthly: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a lost node computed is computed elsewhere; after the loss of the head the same call does what is left."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    new = tmp_path / "new"
    new.mkdir()
    for number in range(120):
        monthly.tail(40 + number // 2).to_csv(new / f"{number}.csv", index=False)
    with engine() as here:
        forecast_files(trained, str(new), tmp_path / "here", here, NullProgress())

    def call(address: str) -> list[str]:
        command = [sys.executable, "-m", "forecast", "predict", str(trained.path), "--input", str(new), "--output"]
        return [*command, str(tmp_path / "out"), "--engine", "ray", "--address", address]

    for lost in ("node", "head"):
        cluster = start_cluster()
        try:
            process = subprocess.Popen(call(cluster.address))
            wait_for_files(tmp_path / "out", 10, process)
            node = cluster.head_node if lost == "head" else next(iter(cluster.worker_nodes))
            cluster.remove_node(node, allow_graceful=False)
            code = process.wait(200)
            done = len(list((tmp_path / "out").glob("*.csv")))
            assert (code, done) == (0, 120) if lost == "node" else (code != 0 and done < 120)
        finally:
            cluster.shutdown()
        if lost == "node":
            assert written(tmp_path / "out") == written(tmp_path / "here")
            shutil.rmtree(tmp_path / "out")
    subprocess.run([*call("local"), "--workers", "2"], check=True, timeout=200)
    assert written(tmp_path / "out") == written(tmp_path / "here")


@pytest.mark.thorough
def test_a_node_is_lost_in_the_middle_of_a_search(
    monthly_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial that it worked on is ended elsewhere; none is doubled, and none is left running."""
    pytest.importorskip("optuna")
    modules = [str(Path(engine_tasks.__file__).parent), str(Path(__file__).parents[2])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(modules))
    search, cluster = slow_search(monthly_csv, tmp_path / "study", f"sqlite:///{tmp_path}/studies.db"), start_cluster()

    def numbers(state: str) -> list[int]:
        return [trial.number for trial in search.store.trials() if trial.state.name == state]

    def lose_a_node() -> None:
        while len(found := numbers("RUNNING")) < 2:
            time.sleep(0.1)
        running.extend(found)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    running: list[int] = []
    loser = threading.Thread(target=lose_a_node)
    try:
        with engine("ray", address=cluster.address) as by:
            loser.start()
            work(search, Budget(6), by, NullProgress())
        loser.join()
    finally:
        cluster.shutdown()
    assert len(running) == 2
    assert sorted(numbers("COMPLETE") + numbers("PRUNED")) == [0, 1, 2, 3, 4, 5]
    assert len(search.store.trials()) == 6
    assert not list((tmp_path / "study/trials").iterdir())


def test_the_page_of_a_cluster_is_what_ray_takes() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config
    from ray.scripts.scripts import cli
    from yaml import safe_load

    page = (Path(__file__).parents[2] / "docs/scale.md").read_text()
    (clouds,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    validate_config(prepare_config(safe_load(clouds)))
    with pytest.raises(Exception, match="not allowed"):
        validate_config(prepare_config(safe_load(clouds) | {"machines": 3}))
    calls = re.findall(r"^ray (start|up|down|stop|exec|attach|job submit) ?(.*)", page, re.MULTILINE)
    assert {name for name, _ in calls} >= {"start", "stop", "up", "down", "job submit"}
    for name, rest in calls:
        command: Any = cli
        for part in name.split():
            command = command.commands[part]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", rest.split("#")[0].split(" -- ")[0])) <= known


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
