"""Services that answer as they document, at a time that stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from forecast.sources.services.fetch import Fetched, fetch
from forecast.sources.services.transport import Client
from loopback import NOON, Loopback, StandingClock
from recording import RecordingProgress
from services import everything


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def services(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """Every service, as it answers on 2 November 2026 at noon."""
    for name, value in loopback.environment().items():
        monkeypatch.setenv(name, value)
    everything(loopback, NOON)
    return loopback


Fetch = Callable[..., Fetched]


@pytest.fixture
def get(services: Loopback, clock: StandingClock, tmp_path: Path) -> Fetch:
    """`fetch` into a folder of the test, at the time of the clock."""

    def fetched(source: str, **options: object) -> Fetched:
        client = Client(tmp_path / "answers", RecordingProgress(), clock.now, clock.sleep)
        return fetch(source, data_dir=tmp_path, client=client, **options)  # type: ignore[arg-type]

    return fetched
