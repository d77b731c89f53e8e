"""How much memory this process may still take."""

from __future__ import annotations

import os
import re
import resource
from contextlib import suppress
from pathlib import Path

from forecast.errors import ConfigError


def available_memory() -> int:
    """Bytes that this process may still allocate, from the kernel, the container and the user's own limit."""
    figures = []
    try:
        meminfo = Path("/proc/meminfo").read_text()
        figures.append(int(re.search(r"MemAvailable:\s+(\d+) kB", meminfo)[1]) * 1024)  # type: ignore[index]
    except (OSError, TypeError):
        figures.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    with suppress(OSError, ValueError):  # no container, or one without a limit
        group = Path("/sys/fs/cgroup")
        figures.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        figures.append(soft)
        with suppress(OSError):
            figures.append(soft - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE"))
    return max(0, min(figures))


def core_count() -> int:
    """How many cores this process computes with: FORECAST_CORES, which is one in a worker, or all of the machine."""
    asked = os.environ.get("FORECAST_CORES", "")
    if asked and not (asked.isdecimal() and int(asked)):
        raise ConfigError(f"FORECAST_CORES: must be a number of cores, at least 1. Received: {asked!r}.")
    return int(asked or os.cpu_count() or 1)


def megabytes(count: int) -> str:
    """A number of bytes in words."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
