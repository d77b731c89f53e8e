"""A finished run, opened for reading: every file is checked before its content is used.

What reads arrays and tables is imported where it is used, so that a list of runs does not wait for pandas.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from forecast.config import Config, NetworkConfig, ReadOptions
from forecast.errors import RunError, phrase
from forecast.models.catalogue import network_configs
from forecast.models.runtimes import KERAS
from forecast.runs.documents import (
    JsonObject,
    check_manifest,
    check_metrics,
    largest_document,
    parse_json,
    scaler_from_json,
)
from forecast.runs.files import open_within, read_within, sha256_of
from forecast.runs.versions import VERSIONS
from forecast.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.clock import Clock, Times
    from forecast.data.panel import Arrays
    from forecast.data.scaling import Scaler
    from forecast.models.network import Shape
    from forecast.runs.arrays import ArraySpecs
    from forecast.sources.training_ranges import TrainingRanges

T = TypeVar("T")

SCHEMA = 1

WEIGHTS = {"model": "weights.npz", "baseline": "baseline/weights.npz", "refit": "refit.npz"}
OPTIMIZER = {"model": "optimizer.npz", "baseline": "baseline/optimizer.npz", "refit": "refit_optimizer.npz"}
HISTORY = {"model": "history.csv", "baseline": "baseline/history.csv"}
_MOMENTS = ("momentum", "velocity")  # as `moments_of` calls those of a weight
CALIBRATION = "calibration.npz"
RANGES = "ranges.npz"
TEST_FORECASTS, TEST_FORECASTS_AS_CSV = "test_forecasts.parquet", "test_forecasts.csv"
EXPLANATION = "explain"  # a folder, whose files the manifest does not list, because they are written later

# Files that are read when a run is opened by name, if each has at most so many bytes.
PRELOADED = (
    *WEIGHTS.values(), *HISTORY.values(), CALIBRATION, RANGES, "scaler.json", "metrics.json", "gradients.json",
    "forecast.csv",
)  # fmt: skip
LARGEST_PRELOADED = 8 * 1024**2

# The most bytes of a line of the history; of the forecasts of a test span, which are a million lines at most; and of a
# plot.
_LONGEST_LINE = 1024
_LARGEST_TABLE = 1024**3
_LARGEST_PICTURE = 64 * 1024**2

_DATA_KEYS = {"freq", "columns", "series_ids", "test_from", "last"}


@dataclass(frozen=True, eq=False)
class Run(Shown):
    """A finished run, opened for reading. Files are checked against the manifest's hashes when they are read.

    Args:
        path: The folder of this version of it.
        manifest: The content of manifest.json.
        config: The resolved configuration.
        preloaded: The content of files that were read when it was opened, all of one version of the run.
        source: The frame that it was trained on by this process, to be read again; None if it is not in memory.
    """

    path: Path
    manifest: dict[str, Any]
    config: Config
    preloaded: Mapping[str, bytes] = field(default_factory=dict)
    source: Any = None
    _kept: dict[str, Any] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return f"<Run {self.name}: {self.config.network.model} on {self.manifest['title']}>"

    def __eq__(self, other: object) -> bool:
        """Whether it is the same version of the same run."""
        if not isinstance(other, Run):
            return False
        return self.path.absolute() == other.path.absolute() and self.manifest == other.manifest

    def __hash__(self) -> int:
        return hash(self.path.absolute())

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy reads what it needs from the folder, and only while that holds this very version of the run.
        return Run, (self.path.absolute(), self.manifest, self.config)

    def __deepcopy__(self, memo: object) -> Run:
        return self  # nothing of it changes

    @property
    def name(self) -> str:
        """The name of the folder of its first version."""
        return self.home.name

    @property
    def version(self) -> int:
        """Which version of the run it is: 1 as it was trained, and one more each time that it was continued."""
        return int(self.manifest.get("version", 1))

    @property
    def home(self) -> Path:
        """The folder of the run, which is that of its first version and holds the others."""
        is_within = self.version > 1 and self.path.parent.name == VERSIONS
        return self.path.parent.parent if is_within else self.path

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there; else it is an old version, of which only the scores are kept."""
        return self.version == 1 or os.path.exists(self.path / WEIGHTS["model"])

    @property
    def data(self) -> dict[str, Any]:
        """What the manifest says of the data: clock, columns, series, dates of the split.

        Raises:
            RunError: If it does not say all of that.
        """
        data: dict[str, Any] = self.manifest.get("data", {})
        if missing := _DATA_KEYS - data.keys():
            raise RunError(
                f"The manifest of {self.path} does not say {min(missing)!r} of its data: it is damaged, or of another "
                "version.",
                "Train the run again.",
            )
        return data

    @cached_property
    def clock(self) -> Clock:
        """The clock of its rows, with their zone."""
        from forecast.data.clock import Clock

        holidays, read = tuple(self.data.get("holidays", ())), self.config.read
        return Clock(self.data["freq"], self.data.get("tz"), holidays, read.session_days, read.public_holidays)

    @cached_property
    def read_options(self) -> ReadOptions:
        """How its rows are read again: by its clock, where a few rows would not show it or fit an exchange by now."""
        from forecast.sources.infer_week import PATTERN

        options = self.config.read
        is_learned = options.freq == PATTERN or options.weekdays or options.sessions
        is_inferred = options.freq is None and self.clock.freq == "B"
        return options.model_copy(update={"freq": self.clock.freq}) if is_learned or is_inferred else options

    @cached_property
    def test_from(self) -> Times:
        """Where the test span of each series begins, [S]; independent channels count as series.

        Raises:
            RunError: If the manifest has not one time for all series, or one for each.
        """
        import numpy as np

        dates, n_series = self.data["test_from"], self.n_series
        if isinstance(dates, list) and len(dates) != n_series:
            raise RunError(
                f"The manifest of {self.path} has {len(dates)} test spans for {n_series} series: it is damaged.",
                "Train the run again.",
            )
        try:
            return np.broadcast_to(np.array(dates, "datetime64[us]"), (n_series,))
        except ValueError:
            raise RunError(
                f"The manifest of {self.path} has a test_from that is no time: it is damaged.", "Train the run again."
            ) from None

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        metrics = self._document("metrics.json", self._n_scored)
        check_metrics(metrics)
        return metrics

    @cached_property
    def scaler(self) -> Scaler:
        """The fitted scaler.

        Raises:
            RunError: If it is damaged, or its columns are not those that the configuration names.
        """
        content = self._read("scaler.json", largest_document(self._n_scored))
        scaler = scaler_from_json(content, self.path / "scaler.json", self._n_scored)
        if scaler.mean.shape != self._series_and_columns:
            series, columns = self._series_and_columns
            raise RunError(
                f"The scaler of {self.path} is of {scaler.mean.shape[0]} series and {scaler.mean.shape[1]} columns, "
                f"where the run has {series} and {columns}.",
                "Train the run again.",
            )
        if scaler.normals is not None and scaler.normals.mean.shape[1] != self.shape.targets:
            raise RunError(
                f"The scaler of {self.path} has normals of {scaler.normals.mean.shape[1]} targets, where the run has "
                f"{self.shape.targets}.",
                "Train the run again.",
            )
        return scaler

    @property
    def scaler_before(self) -> Scaler | None:
        """The scaler that a version took over from the one before; None where it was fitted to the training rows."""
        return self.scaler if self.version > 1 else None

    @cached_property
    def ranges(self) -> TrainingRanges:
        """How the values of the training rows lie.

        Raises:
            RunError: If they are damaged.
        """
        from forecast.runs.arrays import ArraySpec
        from forecast.sources.training_ranges import TrainingRanges

        if RANGES not in self.manifest["files"]:
            return TrainingRanges.from_scaler(self.scaler)
        spec = ArraySpec("<f8", self._series_and_columns)
        names = [part.name for part in fields(TrainingRanges)]
        arrays = self.arrays(RANGES, dict.fromkeys(names, spec))
        if missing := set(names) - arrays.keys():
            raise RunError(f"{self.path / RANGES} does not hold {min(missing)!r}.", "Train the run again.")
        return TrainingRanges(**arrays)

    @property
    def shape(self) -> Shape:
        """The sizes of the windows that its networks were trained on."""
        from forecast.data.features import calendar_names
        from forecast.data.prepare import count_targets
        from forecast.models.network import Shape

        data = self.config.data
        n_targets = count_targets(data)
        return Shape(
            lookback=data.lookback,
            horizon=data.horizon,
            targets=n_targets,
            covariates=len(data.covariates),
            known=len(data.known) + (len(calendar_names(self.clock)) if data.calendar else 0),
            series=self.n_series + (self.config.training.hide_series > 0),
            masked=data.least_observed < 1,
            categories=tuple(self.config.categories.values()),
        )

    @property
    def n_series(self) -> int:
        """S, the number of series that it was trained on; independent channels count as series."""
        from forecast.data.prepare import count_targets

        return len(self.data["series_ids"]) * len(self.config.data.target) // count_targets(self.config.data)

    @property
    def takes_unseen_series(self) -> bool:
        """Whether its networks forecast series that they were not trained on, beside the several that they were."""
        from forecast.models.network import weight_shapes

        networks = network_configs(self.config).values()
        named = any("queries/identities" in weight_shapes(network, self.shape) for network in networks)
        return self.n_series > 1 and (self.config.training.hide_series > 0 or not named)

    @property
    def _n_scored(self) -> int:
        """Series and targets: each has scores and statistics of its own."""
        return max(1, len(self.manifest.get("data", {}).get("series_ids", ())) * len(self.config.data.target))

    @property
    def _series_and_columns(self) -> tuple[int, int]:
        """S and C: independent channels count as series."""
        shape, data = self.shape, self.config.data
        return self.n_series, shape.targets + len(data.covariates) + len(data.known)

    @property
    def forecast(self) -> pd.DataFrame:
        """The newest forecast, as it was made when the run ended: unique_id, ds, cutoff and a column for each model."""
        return self._forecasts("forecast.csv")

    @property
    def test_forecasts(self) -> pd.DataFrame:
        """The forecasts of the test span, long format."""
        if TEST_FORECASTS not in self.manifest["files"]:  # a run of an earlier version
            return self._forecasts(TEST_FORECASTS_AS_CSV)
        from forecast.runs.parquet_tables import forecasts_from_parquet

        with self._open(TEST_FORECASTS, _LARGEST_TABLE) as file:
            return forecasts_from_parquet(file, self.path / TEST_FORECASTS, self.clock, _LARGEST_TABLE)

    @property
    def history(self) -> pd.DataFrame:
        """Losses of the model by epoch."""
        return self.history_of("model")

    def history_of(self, network: str) -> pd.DataFrame:
        """Losses of ``model`` or ``baseline`` by epoch."""
        from forecast.runs.csv_tables import numbers_from_csv

        name, training = HISTORY[network], self.config.training
        with self._open(
            name, _LONGEST_LINE * (1 + training.epochs * max(training.ensemble, len(self.config.portfolio)))
        ) as file:
            return numbers_from_csv(file, self.path / name)

    @property
    def tracked_gradients(self) -> dict[str, Any]:
        """By network, how far back its gradient reached after each epoch, [E, L]; empty if that was not tracked."""
        name = "gradients.json"
        return self._document(name) if name in self.manifest["files"] else {}

    @property
    def plots(self) -> tuple[Path, ...]:
        """The plots, in the order of their names."""
        names = sorted(name for name in self.manifest["files"] if name.startswith("plots/") and name.endswith(".png"))
        return tuple(self.path / name for name in names if (self.path / name).exists())

    def picture(self, plot: Path) -> bytes:
        """One of the `plots` as a PNG file.

        Raises:
            RunError: If it is damaged.
        """
        return self._read(f"plots/{plot.name}", _LARGEST_PICTURE)

    def plot(self, name: str = "forecast") -> SavedPlot:
        """One of its plots as it was drawn when the run ended, for a notebook to show.

        Args:
            name: Such as ``forecast``, ``test-span`` or ``training``: of several series the first; ``forecast-north``.

        Raises:
            RunError: If there is none; lists those that there are.
        """
        by_name = {path.stem.partition("-")[2]: path for path in self.plots}
        found = by_name.get(name) or next((by_name[other] for other in by_name if other.startswith(f"{name}-")), None)
        if found is None:
            what, known = f"The run {self.name} has no plot {name!r}.", f"Plots: {', '.join(by_name) or 'none'}."
            raise RunError(what, known, setting="name", value=name, allowed=by_name)
        return SavedPlot(found, self.picture(found))

    @property
    def report(self) -> Path | None:
        """The report as it was written when the run ended; None for a run of a version that wrote none."""
        return self.path / "report.html" if "report.html" in self.manifest["files"] else None

    @property
    def forecast_weights(self) -> str:
        """Which weights make forecasts: ``refit`` if the run was refitted on every row, else ``model``."""
        return str(self.manifest.get("forecast_weights", "model"))

    def network_config(self, network: str) -> NetworkConfig:
        """The configuration of ``model``, ``baseline`` or ``refit``, which is the model once more."""
        return network_configs(self.config).get(network, self.config.network)

    def members(self, network: str) -> list[tuple[NetworkConfig, tuple[float, ...] | None]]:
        """The configuration of each member of ``model``, ``baseline`` or ``refit``, and what its forecasts count.

        That is one number for each step of the horizon, or one for all; None where each counts alike.
        """
        portfolio = self.config.portfolio if network != "baseline" else ()
        if portfolio:
            return [(self.config.of_member(own).network, own.weights) for own in portfolio if own.counts]
        return [(self.network_config(network), None)] * self.config.training.ensemble

    def runtime_of(self, network: str) -> str:
        """What computes the forecasts of ``model``, ``baseline`` or ``refit``: a key of `RUNTIMES`."""
        return str(self.manifest.get("runtimes", {}).get(network, KERAS))

    def weights(self, network: str) -> Arrays:
        """The weights of ``model``, ``baseline`` or ``refit``, by the number of the member and their name.

        Raises:
            RunError: If they are damaged, not those of the run's network, or not finite.
        """
        from forecast.models.network import weight_shapes
        from forecast.runs.arrays import ArraySpec

        specs = number_members(
            {name: ArraySpec("<f4", shape) for name, shape in weight_shapes(design, self.shape).items()}
            for design, _ in self.members(network)
        )
        return self._all_arrays(WEIGHTS[network], specs)

    def moments(self, network: str) -> Arrays:
        """The moments of the optimisers of ``model``, ``baseline`` or ``refit``, by member and name.

        They are none of a run of a version that did not keep them, and of members that learn nothing step by step.

        Raises:
            RunError: If they are damaged.
        """
        from forecast.models.network import weight_shapes
        from forecast.runs.arrays import ArraySpec

        if OPTIMIZER[network] not in self.manifest["files"]:
            return {}

        def specs_of(design: NetworkConfig) -> dict[str, ArraySpec]:
            shapes = weight_shapes(design, self.shape).items()
            moments = {f"{name}/{kind}": ArraySpec("<f4", shape) for name, shape in shapes for kind in _MOMENTS}
            return moments | {"iteration": ArraySpec("<i8", ())} if design.units else {}

        specs = number_members(specs_of(design) for design, _ in self.members(network))
        return self._all_arrays(OPTIMIZER[network], specs)

    def _all_arrays(self, name: str, specs: ArraySpecs) -> Arrays:
        arrays = self.arrays(name, specs)
        if missing := specs.keys() - arrays.keys():
            raise RunError(f"{self.path / name} does not hold {min(missing)!r}.", "Train the run again.")
        return arrays

    def arrays(self, name: str, specs: ArraySpecs, keep: bool = False) -> Arrays:
        """The arrays of one of its files, by name.

        Args:
            name: The file's path in the folder.
            specs: What the file may hold.
            keep: Whether the arrays stay in memory, so that the file is read once only.

        Raises:
            RunError: If it is absent or damaged, or holds anything else or a number that is not finite.
        """
        import numpy as np

        from forecast.runs.arrays import largest_archive, read_arrays

        if name in self._kept:
            kept: Arrays = self._kept[name]
            return kept
        with self._open(name, largest_archive(specs)) as file:
            arrays = read_arrays(file, specs, self.path / name)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise RunError(f"{self.path / name} holds numbers that are not finite.", "Train the run again.")
        if keep:
            self._kept[name] = arrays
        return arrays

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What is made of its files, made once and kept under a name."""
        if name not in self._kept:
            self._kept[name] = make()
        made: T = self._kept[name]
        return made

    def _forecasts(self, name: str) -> pd.DataFrame:
        from forecast.runs.csv_tables import forecasts_from_csv

        with self._open(name, _LARGEST_TABLE) as file:
            return forecasts_from_csv(file, self.path / name, self.clock)

    def _document(self, name: str, n_series: int = 1) -> JsonObject:
        return parse_json(self._read(name, largest_document(n_series)), self.path / name, n_series)

    def _read(self, name: str, largest: int) -> bytes:
        with self._open(name, largest) as file:
            return file.read()

    def _open(self, name: str, largest: int) -> IO[bytes]:
        if len(self.preloaded.get(name, b"")) > largest:
            raise RunError(f"{self.path / name} is too large: at most {largest:,} bytes make sense.")
        try:
            if name in self.preloaded:
                return io.BytesIO(self.preloaded[name])
            return open_checked(self.path, name, self.manifest["files"], largest)
        except RunError:
            now = self.manifest
            with suppress(RunError):
                now = read_manifest(self.path)
            if now != self.manifest:
                raise RunError(f"The run {self.name} was replaced since it was opened.", "Open it again.") from None
            if not self.is_whole:
                what = f"Of version {self.version} of {self.name}, an old one, only the scores are kept."
                raise RunError(what, f"Open the run itself, {self.name}: a later version is in its place.") from None
            raise


@dataclass(frozen=True)
class SavedPlot:
    """A plot that was drawn before, which a notebook shows.

    Args:
        path: Its file.
        content: The PNG.
    """

    path: Path
    content: bytes

    def __repr__(self) -> str:
        return f"<Plot {self.path}>"

    def _repr_png_(self) -> bytes:
        return self.content


@dataclass(frozen=True)
class Explanation(Shown):
    """What `forecast explain` found inside a run.

    Args:
        summary: The content of explain.json.
        folder: The folder that holds it and its plots.
    """

    summary: dict[str, Any]
    folder: Path

    def __repr__(self) -> str:
        return f"<Explanation in {self.folder}: {' '.join(self.sentences[:1])}>"

    @property
    def sentences(self) -> list[str]:
        """The findings in words."""
        return list(self.summary["sentences"])

    @property
    def plots(self) -> tuple[Path, ...]:
        """The plots, in the order of their names."""
        return tuple(sorted(self.folder.glob("[0-9]-*.png")))

    def picture(self, plot: Path) -> bytes:
        """One of the `plots` as a PNG file; a `RunError` if it is a link, or too large for a plot."""
        return read_within(self.folder, plot.name, _LARGEST_PICTURE)


def read_explanation(run: Run) -> Explanation | None:
    """What `forecast explain` left in a run's folder; None if the run was never explained.

    Raises:
        RunError: If explain.json is damaged.
    """
    folder = run.path / EXPLANATION
    if not folder.exists():
        return None
    again = f"Type: {phrase(f'forecast explain {run.name}', f'forecast.explain({run.name!r})')}"
    try:
        summary = parse_json(read_within(folder, "explain.json", largest_document()), folder / "explain.json")
    except RunError as error:
        raise RunError(error.args[0], again) from None
    sentences = summary.get("sentences")
    if not (isinstance(sentences, list) and all(isinstance(sentence, str) for sentence in sentences)):
        raise RunError(f"{folder / 'explain.json'} is damaged.", again)
    return Explanation(summary, folder)


def number_members(members: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """The weights of an ensemble as they are saved: each named by its member's number, from 1, and its own name."""
    return {f"{number}/{name}": value for number, member in enumerate(members, 1) for name, value in member.items()}


def split_members(weights: Arrays, count: int) -> list[Arrays]:
    """The reverse of `number_members`: the weights of each of the members."""
    return [
        {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
        for prefix in (f"{number}/" for number in range(1, count + 1))
    ]


def read_manifest(folder: Path) -> JsonObject:
    """The manifest of a run folder, finished or not.

    Raises:
        RunError: If it is absent, damaged, or of a newer schema.
    """
    manifest = parse_json(read_within(folder, "manifest.json", largest_document()), folder / "manifest.json")
    schema = manifest.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise RunError(f"{folder} has schema {schema!r}; this version reads up to {SCHEMA}.", "Update forecast.")
    check_manifest(manifest)
    return manifest


def open_checked(folder: Path, name: str, files: dict[str, Any], largest: int) -> IO[bytes]:
    """A file of a run, opened at its beginning, if it has the size and the digest that the manifest says."""
    expected = files.get(name)
    if expected is None:
        raise RunError(f"The run {folder.name} has no {name}.")
    file = open_within(folder, name, largest)
    if os.fstat(file.fileno()).st_size != expected["bytes"] or sha256_of(file).hex() != expected["sha256"]:
        file.close()
        raise RunError(
            f"{folder / name} is not what the manifest says: it was changed or damaged.", "Train the run again."
        )
    file.seek(0)
    return file
