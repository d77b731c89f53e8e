"""ENGINES: what computes tasks side by side. Adding one is a file and an entry here."""

from __future__ import annotations

from collections.abc import Callable

from forecast.engines.tasks import Engine, ThisProcess
from forecast.errors import ConfigError, setting
from forecast.memory import core_count


def engine(name: str | None = None, workers: int | None = None, address: str | None = None) -> Engine:
    """An engine, for use in a ``with`` block.

    Args:
        name: One of `ENGINES`; None for a pool if workers are asked for, and else for this process.
        workers: How many tasks are computed at a time, each on one core; None for as many as there are cores.
        address: Of a Ray cluster, such as ``auto``; None for RAY_ADDRESS, or one of this machine alone.

    Raises:
        ConfigError: If there is no engine of that name, or it takes no address.
        MachineError: If what it needs is not installed, or no cluster answers.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"workers: must be at least 1. Received: {workers}.", setting="workers", value=workers)
    if name is None and address is None:
        return ThisProcess() if workers is None else _local(workers, None)
    if name not in ENGINES:
        what = "address: only the engine ray has one." if name is None else f"engine: there is no engine {name!r}."
        raise ConfigError(
            what, f"Use {setting('engine', 'ray')} or {setting('engine', 'local')}.", value=name, allowed=ENGINES
        )
    return ENGINES[name](workers, address)


def _local(workers: int | None, address: str | None) -> Engine:
    from forecast.engines.pool import Pool

    if address is not None:
        raise ConfigError(
            f"address: processes of this machine have none. Received: {address!r}.",
            f"Leave it out, or use {setting('engine', 'ray')}.",
        )
    return Pool(workers or core_count())


def _ray(workers: int | None, address: str | None) -> Engine:
    from forecast.engines.cluster import Cluster

    return Cluster(workers, address)


ENGINES: dict[str, Callable[[int | None, str | None], Engine]] = {"local": _local, "ray": _ray}
