"""Forecaster: a model in the manner of scikit-learn, a thin cover over `train`, `predict` and `backtest`."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from forecast.commands.backtest.backtest import backtest
from forecast.commands.predict.predict import predict
from forecast.commands.train.train import train
from forecast.config import Settings
from forecast.errors import ConfigError, DataError, RunError, setting
from forecast.models.catalogue import DEFAULT_MODEL, configure
from forecast.runs.find import open_run
from forecast.runs.run import Run
from forecast.sources.read import Source, kept, read
from forecast.tables.frames import like

# The name of a run that nobody named.
_UNNAMED = "forecaster"


class Forecaster:
    """A model that learns from a frame and forecasts what follows it, in the manner of scikit-learn.

    ``Forecaster(horizon=24).fit(frame).predict()``. Its parameters are settings, so that `clone`, `set_params` and the
    searches of scikit-learn change them. What was fitted is a run, ``run_``, that all functions of the package take.

    Args:
        model: A preset.
        horizon: Steps to forecast; None for as many as suit the clock.
        run: Name under which the run is kept, and replaced by the next fit. None for a run without plots in a temporary
            folder, which goes with the object.
        settings: Others, as `configure` takes them: ``lookback=168, target="load", baseline=False``.
    """

    run_: Run

    def __init__(
        self, model: str = DEFAULT_MODEL, horizon: int | None = None, run: str | None = None, **settings: Any
    ) -> None:
        self.model, self.horizon, self.run, self.settings = model, horizon, run, settings

    def __repr__(self) -> str:
        asked = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items() if value is not None)
        return f"Forecaster({asked})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; ``deep`` changes nothing, as none of them has parameters of its own."""
        return {"model": self.model, "horizon": self.horizon, "run": self.run, **self.settings}

    def set_params(self, **params: Any) -> Self:
        """Change parameters; the next fit uses them.

        Raises:
            ConfigError: If there is no such setting, or a value is not allowed.
        """
        changed = Forecaster(**{**self.get_params(), **params})
        changed._settings()  # refused now rather than by the next fit
        vars(self).update(vars(changed))
        return self

    def fit(self, frame: Source, y: None = None) -> Self:
        """Train on a frame, or anything else that `read` takes.

        Args:
            frame: Rows in order of time.
            y: For scikit-learn, which passes None: the target is a column of the frame.

        Raises:
            ForecastError: As of `train`.
        """
        if y is not None:
            what = "The values to forecast are a column of the frame, and no array beside it."
            raise ConfigError(what, f"Join them, and name the column: {setting('target', 'y')}.", setting="target")
        folder = None if self.run else Path(tempfile.mkdtemp(prefix="forecast-"))
        with _deleting(folder):
            named = self.run or _UNNAMED
            fitted = train(frame, self._settings(), run=named, runs_dir=folder, overwrite=True, draw=folder is None)
        self.run_, self._frame = _deleted_with(fitted, folder), frame
        return self

    def predict(self, frame: Source | None = None, levels: Sequence[int] | None = None) -> Any:
        """The forecast of the steps after a frame: unique_id, ds, cutoff, a column for each model and interval's end.

        Args:
            frame: New rows, the lookback at least; None for those of the fit.
            levels: The intervals to give, in percent; None for all, () for none.

        Returns:
            A frame of the kind in which the rows came.

        Raises:
            RunError: If nothing was fitted yet.
            ConfigError: If there is no such level.
        """
        run = self._fitted()
        known = run.config.intervals.levels
        wanted = known if levels is None else tuple(levels)
        if unknown := [level for level in wanted if level not in known]:
            what, advice = f"There are no intervals of {unknown[0]}%.", f"Ask for them: {setting('levels', '80,95')}."
            raise ConfigError(what, advice, setting="levels", value=unknown[0], allowed=known)
        given: Any = self._frame if frame is None else frame
        found = predict(run) if frame is None else predict(run, kept(frame))
        unwanted = tuple(f"-{end}-{level}" for level in known if level not in wanted for end in ("lo", "hi"))
        return like(given, found[[name for name in found.columns if not str(name).endswith(unwanted)]])

    def score(self, frame: Source | None = None, y: None = None) -> float:
        """How well it forecasts, the more the better: the mean absolute scaled error (MASE) with a minus.

        Args:
            frame: Rows that follow those of the fit, the horizon at least: every forecast of them counts that knew
                none of the values it is for. None for the test span of the fit.
            y: For scikit-learn, which passes None.

        Raises:
            RunError: If nothing was fitted yet.
            DataError: If there are fewer rows, or they do not follow.
        """
        run = self._fitted()
        metrics = run.metrics if frame is None else self._scores(run, frame)
        mase = metrics["models"][metrics["model"]]["mase"]
        return float("nan") if mase is None else -float(mase)

    def _scores(self, run: Run, frame: Source) -> dict[str, Any]:
        """The scores of all forecasts that lie in new rows, which the fitted rows lead up to."""
        panel = read(_joined(kept(self._frame), kept(frame)), run.read_options)
        n_steps = int(np.diff(panel.clock.ordinals(np.array([run.data["last"], panel.times.max()], "M8[us]")))[0])
        horizon = run.config.data.horizon
        if n_steps < horizon:
            what = f"A score needs {horizon} steps after those of the fit. Received: {max(n_steps, 0)}."
            advice = f"Give more rows, or a shorter {setting('horizon')}."
            if n_steps <= 0:
                advice = "Score rows that come later; a search splits by time with cv=TimeSeriesSplit()."
            raise DataError(what, advice)
        return backtest(run, new_rows=panel, windows=n_steps - horizon + 1).metrics

    def _settings(self) -> Settings:
        given = {name: value for name, value in self.get_params().items() if value is not None}
        return configure({name: value for name, value in given.items() if name != "run"})

    def _fitted(self) -> Run:
        if not hasattr(self, "run_"):
            raise RunError("This forecaster has learned nothing yet.", "Call its fit with a frame first.")
        return self.run_

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        if "run_" in state and not self.run:  # a temporary folder is not there when the object is read
            folder = state.pop("run_").path
            files = [path for path in folder.rglob("*") if path.is_file()]
            state["_files"] = {str(path.relative_to(folder)): path.read_bytes() for path in files}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop("_files", None)
        vars(self).update(state)
        if files is not None:
            folder = Path(tempfile.mkdtemp(prefix="forecast-"))
            for name, content in files.items():
                path = folder / _UNNAMED / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.run_ = _deleted_with(open_run(folder / _UNNAMED), folder)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "run_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=InputTags())


def _joined(before: Source, after: Source) -> Source:
    """New rows behind those of the fit, as one frame; the new ones alone where they begin with those, or are a file."""
    if not isinstance(before, pd.DataFrame) or not isinstance(after, pd.DataFrame):
        return after
    first, new = before, after
    if new.iloc[: len(first)].equals(first):
        return new
    if first.index.name == "step" and len(new) and new.index[0] == 0:  # numbered anew, as a slice of an array is
        new = new.set_axis(new.index + first.index[-1] + 1)
    elif first.index.name == "step":  # rows without times: their numbers tell which of them are of the fit
        new = new[new.index > first.index[-1]]
    return pd.concat([first, new])


@contextmanager
def _deleting(folder: Path | None) -> Iterator[None]:
    """Delete a temporary folder if what is to fill it fails."""
    try:
        yield
    except BaseException:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _deleted_with(run: Run, folder: Path | None) -> Run:
    """The run, whose temporary folder is deleted with it."""
    if folder is not None:
        weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    return run
