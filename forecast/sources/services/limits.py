"""Limits of services, kept across processes: what was asked lately stands with the answers that were kept."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from forecast.sources.services.answers import Answers
from forecast.sources.services.hosts import Host

_SPANS = {60.0: "a minute", 3600.0: "an hour", 86_400.0: "a day"}


@dataclass
class Limits:
    """How much was asked of hosts, and how long to wait until there is room for more.

    Args:
        folder: Where answers are kept, in a folder for each host.
    """

    folder: Path
    _asked: dict[str, deque[tuple[datetime, float]]] = field(default_factory=dict)

    def wait(self, host: Host, weight: float, now: datetime) -> tuple[float, str]:
        """Seconds until the limits of a host leave room for a question, and the limit that it waits for, in words.

        A question that is heavier than a limit waits for ever.
        """
        waits = [(self._wait(host, weight, most, seconds, now), most, seconds) for most, seconds in host.limits]
        wait, most, seconds = max(waits, default=(0.0, 0.0, 0.0))
        return wait, f"answers {most:,.0f} calls in {_SPANS.get(seconds, f'{seconds:.0f} s')}"

    def note(self, host: Host, weight: float, now: datetime) -> None:
        """Remember that so much is asked."""
        if host.limits:
            self._of(host, now).append((now, weight))

    def _wait(self, host: Host, weight: float, most: float, seconds: float, now: datetime) -> float:
        since, wait = now - timedelta(seconds=seconds), 0.0
        lately = [(at, taken) for at, taken in self._of(host, now) if at > since]
        room = most - sum(taken for _, taken in lately)
        for at, taken in lately:  # the oldest first: each leaves room when its span is over
            if room >= weight:
                break
            room, wait = room + taken, (at - since).total_seconds()
        return wait if room >= weight else float("inf")

    def _of(self, host: Host, now: datetime) -> deque[tuple[datetime, float]]:
        """What was asked of a host and those that share its limits, the oldest first."""
        group = host.shares or host.name
        if group not in self._asked:
            since = now - timedelta(seconds=max(seconds for _, seconds in host.limits))
            folders = [path for path in self.folder.glob(f"{group}*") if path.is_dir()]
            before = [(answer.time, answer.weight) for path in folders for answer in Answers(path).since(since)]
            self._asked[group] = deque(sorted(before))
        return self._asked[group]
