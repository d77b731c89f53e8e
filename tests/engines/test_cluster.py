"""The same work on a real Ray cluster of two nodes on this machine, which the tests start and stop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import engine_tasks
from engine_tasks import die, environment, refuse_three, square
from forecast.engines import engine
from forecast.engines.tasks import ONE_CORE
from forecast.errors import DataError

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
