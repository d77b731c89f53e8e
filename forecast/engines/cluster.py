"""A Ray cluster: one that runs somewhere, or one of this machine alone that is started and stopped with the work."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from typing import Any

from forecast.engines.pool import lost_too_often
from forecast.engines.tasks import MOST_LOST, ONE_CORE, Argument, Engine, Outcome, Result, Task, attempt
from forecast.errors import MachineError
from forecast.progress import Progress

# Tasks that are handed over for each core of the cluster, so that none waits for us; and at least so many, for which a
# cluster that grows with its work gets further machines.
_FOR_EACH_CORE, _AT_LEAST = 2, 64

# Seconds for a head node to take a connection.
_SECONDS_TO_ANSWER = 10.0


class Cluster(Engine):
    """Tasks of Ray, one core each. What dies with its worker or machine, Ray computes again elsewhere.

    They are tasks rather than actors: Ray gives one to whichever worker is free, and a worker keeps what it has loaded.

    Args:
        workers: Tasks at a time; None for all cores of the cluster.
        address: Of the cluster; None for RAY_ADDRESS, or one of this machine.

    Raises:
        MachineError: If Ray is not installed, or no cluster answers.
    """

    def __init__(self, workers: int | None, address: str | None) -> None:
        try:
            import ray
        except ImportError:
            raise MachineError(
                "The engine ray needs the package ray, which is not installed.",
                "Install it: pip install 'forecast-lstm[ray]'",
            ) from None
        self._ray, self._workers = ray, workers
        self._output = redirect_stdout(sys.stderr)  # where Ray tells of lost workers; results go to standard output
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told what is computed here
            try:
                _knock(address or os.environ.get("RAY_ADDRESS", ""))
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except (OSError, ValueError, RuntimeError) as error:
                raise MachineError(
                    f"No Ray cluster answers at {address or os.environ.get('RAY_ADDRESS', 'this machine')}: "
                    f"{_first_line(error)}",
                    "Start one: ray start --head, and on each other machine ray start --address HEAD:6379",
                ) from None
        self._output.__enter__()

    def close(self) -> None:
        """Leave the cluster, and stop it if it was started for this."""
        if self._is_ours:
            self._ray.shutdown()
        self._output.__exit__(None, None, None)

    def finished(
        self, task: Task[Argument, Result], arguments: Sequence[Argument], progress: Progress
    ) -> Iterator[tuple[int, Outcome[Result]]]:
        """As of `Engine`."""
        ray = self._ray
        remote = ray.remote(attempt).options(
            num_cpus=1, max_retries=MOST_LOST - 1, runtime_env={"env_vars": ONE_CORE}, name=_name_of(task)
        )
        content = ray.put(pickle.dumps(task))
        following, running = 0, dict[Any, int]()
        try:
            while following < len(arguments) or running:
                most = self._workers or max(_AT_LEAST, _FOR_EACH_CORE * int(ray.cluster_resources().get("CPU", 1)))
                while following < len(arguments) and len(running) < most:
                    running[remote.remote(content, pickle.dumps(arguments[following]))] = following
                    following += 1
                for reference in ray.wait(list(running))[0]:
                    number = running.pop(reference)
                    try:
                        outcome: Outcome[Result] = pickle.loads(ray.get(reference))
                    except ray.exceptions.RayError as error:
                        outcome = Outcome(error=lost_too_often(f"left: {_first_line(error)}"))
                    yield number, outcome
        finally:  # whoever wanted the results may have gone
            for reference in running:
                ray.cancel(reference, force=True)


def _knock(address: str) -> None:
    """Look whether somebody listens at an address with a port, for which Ray would wait many minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()


def _name_of(task: Any) -> str:
    """What Ray's own pages call a task."""
    return str(getattr(getattr(task, "func", task), "__name__", "task"))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
