"""The course of a training where a tracker shows it: each epoch once, and no training ends for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import forecast
from forecast.commands.train.tracking import TRACKERS, Log, tracked
from forecast.errors import ConfigError, MachineError
from forecast.progress import NullProgress
from recording import RecordingProgress

SETTINGS = {"model": "lstm", "units": (2,), "lookback": 12, "horizon": 2, "epochs": 2, "baseline": False}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float, int]]:
    """What a tracker named memory is given; it fails after so many figures as its place says."""
    figures: list[tuple[str, float, int]] = []

    @contextmanager
    def memory(place: str, run: str, settings: Mapping[str, object]) -> Iterator[Log]:
        assert (run, settings["epochs"]) == ("sea", 2)

        def log(name: str, value: float, epoch: int) -> None:
            if len(figures) == int(place):
                raise OSError("no more")
            figures.append((name, value, epoch))

        yield log

    monkeypatch.setitem(TRACKERS, "memory", memory)
    return figures


@pytest.mark.usefixtures("unsaved")
def test_each_epoch_is_written_once(logged: list[tuple[str, float, int]], tmp_path: Path) -> None:
    run = forecast.train("weather", SETTINGS, run="sea", runs_dir=tmp_path, track="memory:1000")
    history = run.history_of("model")
    assert [value for name, value, _ in logged if name == "lstm/loss"] == pytest.approx(history["loss"].tolist())
    assert [epoch for name, _, epoch in logged if name == "lstm/validation_mae"] == [1, 2]
    assert len(set(logged)) == len(logged)


@pytest.mark.usefixtures("unsaved")
def test_a_tracker_that_fails_is_a_warning(logged: list[tuple[str, float, int]], tmp_path: Path) -> None:
    progress = RecordingProgress()
    run = forecast.train("weather", SETTINGS, run="sea", runs_dir=tmp_path, track="memory:3", progress=progress)
    assert len(logged) == 3
    assert [text for text in progress.warnings if "tracker" in text] == [
        "The tracker failed, and gets nothing more: no more"
    ]
    assert run.metrics["verdict"]


def test_another_tracker_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes tensorboard:PLACE or mlflow:PLACE"):
        forecast.train("weather", SETTINGS, run="sea", runs_dir=tmp_path, track="tensorboard:")
    assert not (tmp_path / "sea").exists()


@pytest.mark.parametrize("kind", TRACKERS)
def test_without_its_package_it_says_what_to_install(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorboard", "mlflow", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(MachineError, match=f"{kind} needs .*, which is not installed") as caught,
        tracked(NullProgress(), f"{kind}:place", "sea", {}),
    ):
        pass
    assert f"forecast-lstm[{kind}]" in caught.value.advice
