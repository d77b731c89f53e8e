"""Series and runs that several tests share; small, so that each test takes seconds."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before NumPy: a second thread of linear algebra is of no use to tests, and while it waits for work it takes a core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import forecast
from forecast import Run, Settings
from forecast.cli import build_program
from loopback import Loopback

# Python would look for circles among the objects of TensorFlow's graphs every moment: a sixteenth of the whole time.
gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="session")
def monthly() -> pd.DataFrame:
    """200 months with a yearly cycle and a little noise: ds, y."""
    months = np.arange(200)
    noise = np.random.default_rng(7).normal(0, 0.5, 200)
    y = 20 + 5 * np.sin(2 * np.pi * months / 12) + noise
    return pd.DataFrame({"ds": pd.date_range("1990-01-01", periods=200, freq="MS"), "y": y})


@pytest.fixture(scope="session")
def three(monthly: pd.DataFrame) -> pd.DataFrame:
    """Three series below one another, on different levels: unique_id, ds, y."""
    rng = np.random.default_rng(8)
    parts = [
        monthly.assign(unique_id=name, y=monthly["y"] * (number + 1) + rng.normal(0, 0.3, len(monthly)))
        for number, name in enumerate(["north", "south", "east"])
    ]
    return pd.concat(parts, ignore_index=True)[["unique_id", "ds", "y"]]


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Settings]:
    """The configuration of a network that is trained in a second, with some settings changed."""

    def configured(**settings: object) -> Settings:
        small = {"model": "lstm", "units": 8, "epochs": 2, "batch_size": 16, "lookback": 6, "horizon": 3}
        small |= {"normalise": "none"}  # whatever suits these series by itself
        return forecast.configure({**small, **settings})

    return configured


@pytest.fixture(scope="session")
def monthly_csv(tmp_path_factory: pytest.TempPathFactory, monthly: pd.DataFrame) -> Path:
    """The months as a file."""
    path = tmp_path_factory.mktemp("sources") / "monthly.csv"
    monthly.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, monthly_csv: Path, tiny: Callable[..., Settings]) -> Run:
    """An LSTM and a vanilla RNN trained on the months, with plots. Only to be read."""
    return forecast.train(monthly_csv, tiny(), run="months", runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def _loopback() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def loopback(_loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A server that stands in for services; it knows nothing of what earlier tests asked."""
    monkeypatch.setattr("forecast.sources.services.answers.os.fsync", lambda file: None)  # half of what a test takes
    _loopback.begin()
    yield _loopback
    _loopback.end()


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plots and the report of a training out: they take longer than it does."""
    _draw_nothing(monkeypatch)


@pytest.fixture(scope="module")
def plotless(trained: Run) -> Iterator[None]:
    """As `no_plots`, for runs that the tests of a file share: until its end."""
    del trained  # made before, because it has plots
    with pytest.MonkeyPatch.context() as patch:
        _draw_nothing(patch)
        yield


@pytest.fixture
def unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every plot and the whole report, but leave out what takes longest: to turn the figures into pictures."""
    monkeypatch.setattr("forecast.plots.run_plots.to_png", lambda figure: b"")
    monkeypatch.setattr("forecast.plots.page.to_svg", lambda figure: b"")


@pytest.fixture
def two_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What takes minutes to train is trained in a second: two steps, no graphs."""
    from forecast.models.backends.tensorflow import tf
    from forecast.training import trainer

    whole = trainer.Fit.__init__

    def begin(fit: trainer.Fit, *arguments: Any) -> None:
        whole(fit, *arguments)
        fit.steps_per_epoch, fit.last_epoch = 2, 1

    monkeypatch.setattr(trainer.Fit, "__init__", begin)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _draw_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("forecast.plots.run_plots.draw_files", lambda *_: {})
    patch.setattr("forecast.plots.run_report.report_page", lambda _: "")


@pytest.fixture
def quick(trained: Run) -> Callable[..., Result]:
    """Run a command in this process, over the folder of the trained run."""

    def run(*arguments: object, stdin: str | None = None) -> Result:
        where = {"FORECAST_RUNS": str(trained.path.parent)}
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(build_program(words), words, input=stdin, env=where)

    return run
