"""Where else the course of a training is written: TensorBoard's event files, or MLflow. One hook, off by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from forecast.commands.progress import ForwardingProgress
from forecast.errors import ConfigError, MachineError, setting
from forecast.progress import Progress, Training

# Writes a figure: its name, its value, the epoch.
Log = Callable[[str, float, int], None]


@contextmanager
def tracked(progress: Progress, tracker: str | None, run: str, settings: Mapping[str, object]) -> Iterator[Progress]:
    """A progress that also writes each epoch's losses and errors where a tracker shows them.

    Args:
        progress: Receives everything.
        tracker: ``tensorboard:FOLDER`` or ``mlflow:ADDRESS``, such as ``mlflow:sqlite:///mlflow.db``; None for none.
        run: Name of the run.
        settings: What it is trained with.

    Raises:
        ConfigError: If there is no such tracker.
        MachineError: If its package is not installed, or it cannot be written; later that is a warning.
    """
    if tracker is None:
        yield progress
        return
    kind, _, place = tracker.partition(":")
    if kind not in TRACKERS or not place:
        raise ConfigError(
            f"{setting('track')}: takes {' or '.join(f'{name}:PLACE' for name in TRACKERS)}. Received: {tracker!r}.",
            "Such as tensorboard:logs or mlflow:sqlite:///mlflow.db",
            setting="track",
            value=tracker,
            allowed=TRACKERS,
        )
    with ExitStack() as stack:
        try:
            log = stack.enter_context(TRACKERS[kind](place, run, settings))
        except ModuleNotFoundError as error:
            raise MachineError(
                f"{kind} needs {error.name}, which is not installed.",
                f"Install it: pip install 'forecast-lstm[{kind}]'",
            ) from None
        except Exception as error:
            raise MachineError(f"{kind} cannot be written at {place}: {error}", "Leave it out, or mend it.") from None
        yield _Tracked(progress, log)


class _Tracked(ForwardingProgress):
    """Logs each epoch once.

    Args:
        progress: Receives everything.
        log: Writes a figure.
    """

    def __init__(self, progress: Progress, log: Log) -> None:
        super().__init__(progress)
        self._log: Log | None = log
        self._network, self._logged = "", 0

    def started(self, network: str, fit: Training) -> None:
        """Forward the start; the epochs that a resumed training has done were logged when they were."""
        self._network, self._logged = network, len(fit.state.history)
        super().started(network, fit)

    def step(self, fit: Training) -> None:
        """Log the epochs that have ended since, and forward."""
        self._log_epochs(fit)
        super().step(fit)

    def ended(self, network: str, fit: Training) -> None:
        """Log the last epoch, and forward."""
        self._log_epochs(fit)
        super().ended(network, fit)

    def _log_epochs(self, fit: Training) -> None:
        for epoch in fit.state.history[self._logged :]:
            for name, value in asdict(epoch).items():
                if self._log is not None and name not in ("epoch", "steps") and value == value:
                    try:
                        self._log(f"{self._network}/{name}", float(value), epoch.epoch)
                    except Exception as error:  # of whatever kind; a training does not end for it
                        self.warn(f"The tracker failed, and gets nothing more: {error}")
                        self._log = None
        self._logged = len(fit.state.history)


@contextmanager
def _tensorboard(place: str, run: str, settings: Mapping[str, object]) -> Iterator[Log]:
    from forecast.models.backends.tensorflow import tf

    import_module("tensorboard")  # without it tf.summary writes nothing
    writer = tf.summary.create_file_writer(str(Path(place) / run))
    with writer.as_default():
        tf.summary.text("settings", "\n\n".join(f"{name}: {value}" for name, value in settings.items()), step=0)
        yield lambda name, value, epoch: tf.summary.scalar(name, value, step=epoch)
    writer.close()


@contextmanager
def _mlflow(place: str, run: str, settings: Mapping[str, object]) -> Iterator[Log]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("forecast")
    of = experiment.experiment_id if experiment else client.create_experiment("forecast")
    entry = client.create_run(of, run_name=run).info.run_id
    for name, value in settings.items():
        client.log_param(entry, name, value)
    try:
        yield lambda name, value, epoch: client.log_metric(entry, name.replace(",", ""), value, step=epoch)
    except BaseException:
        client.set_terminated(entry, "KILLED")
        raise
    client.set_terminated(entry)


TRACKERS: dict[str, Callable[[str, str, Mapping[str, Any]], AbstractContextManager[Log]]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}
