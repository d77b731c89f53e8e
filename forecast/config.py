"""The settings that a user gives and the configuration of a run: validated, unchangeable, to and from JSON and TOML.

A setting's description, default and limits stand here once; its option, its help and its place in files follow.
`Settings` are as asked: a field that is None is open, and `forecast.resolve` chooses it from the data. A `Config` is
resolved: it restates, with the type that is left, each field that was open.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from forecast.clocks.public_holidays import PublicHolidays
from forecast.clocks.session_days import SessionDays
from forecast.errors import ConfigError, phrase
from forecast.models.cells import CELLS
from forecast.shown import Shown
from forecast.tables.input import Notation
from forecast.tables.spelling import did_you_mean

Activation = Literal["tanh", "sigmoid", "relu", "elu", "selu", "softplus", "softsign", "swish", "gelu", "linear",
                     "hard_sigmoid", "exponential"]  # fmt: skip
Initialiser = Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
                      "orthogonal", "random_normal", "random_uniform", "truncated_normal", "zeros", "ones"]  # fmt: skip
Constraint = Literal["none", "max_norm", "non_neg", "unit_norm"]
Transform = Literal["none", "log"]
Loss = Literal["mae", "mse", "huber", "qlike"]
Channels = Literal["joint", "independent"]
Division = Literal["time", "series"]
Duplicates = Literal["first", "last", "mean"]
Aggregate = Literal["mean", "duration", "sum", "last", "max", "min"]
Normalise = Literal["none", "last", "standard", "last-scaled", "seasonal", "smoothing"]


def _split_commas(value: object) -> object:
    """``"64,32"`` as ``("64", "32")``, so that options and files are written alike; brackets hold their commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in re.split(r",(?![^()]*\))", value) if part.strip())
    return (value,) if isinstance(value, int | float) else value


class MissingValue(NamedTuple):
    """What is taken as missing: values equal to, below or above a number, in one column or in all of them.

    Args:
        sign: ``<``, ``>``, or empty for equal.
        value: The number.
        column: The name of the column; None for all.
    """

    sign: str
    value: float
    column: str | None


def parse_missing(text: str) -> MissingValue:
    """What a text such as ``0@pressure``, ``-1``, ``<0@rain`` or ``>60@temp`` takes as missing.

    Raises:
        ValueError: If it is of another form.
    """
    number, at, column = text.partition("@")
    sign = number[:1] if number[:1] in ("<", ">") else ""
    try:
        value = float(number.removeprefix(sign))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (at and not column):
        raise ValueError(f"takes values such as -1, 0@pressure, <0@rain or >60@temp. Received: {text!r}")
    return MissingValue(sign, value, column or None)


def _split_missing(value: object) -> object:
    """``"0@p,<0@rain"`` as two texts; a comma that no number follows belongs to the name of a column."""
    if isinstance(value, str):
        return tuple(filter(None, map(str.strip, re.split(r",(?=\s*[<>]?[-+]?\.?\d|\s*$)", value))))
    return (f"{value:.17g}",) if isinstance(value, int | float) else value


def _check_missing(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        parse_missing(text)
    return texts


def _check_pairs(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    """The quantiles, if they are the median and pairs about it, which are the ends of intervals."""
    mirrored = [round(1 - quantile, 6) for quantile in reversed(quantiles)]
    in_pairs = 0.5 in quantiles and mirrored == [round(quantile, 6) for quantile in quantiles]
    if quantiles and not (in_pairs and list(quantiles) == sorted(set(quantiles))):
        raise ValueError(
            "takes 0.5 and pairs about it, ascending, such as 0.1,0.5,0.9. "
            f"Received: {','.join(f'{quantile:g}' for quantile in quantiles)}"
        )
    return quantiles


_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def _read_duration(value: object) -> object:
    """``"5m"``, ``"90s"``, ``"1.5h"`` or ``"300"`` as seconds."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", value) if isinstance(value, str) else None
    if found is None or found[2] not in _SECONDS:
        if isinstance(value, str):
            raise ValueError(f"takes a duration such as 90s, 5m or 1h. Received: {value!r}")
        return value
    return float(found[1]) * _SECONDS[found[2]]


def _check_cell(name: str) -> str:
    """The name, if there is such a cell; a cell may have been added to `CELLS` by the user."""
    if name not in CELLS:
        *others, last = map(repr, CELLS)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return name


# Every step of an unrolled loop is a part of the graph; a graph of many thousands of parts fills the memory.
_LONGEST_UNROLLED = 1000

Names = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]
Levels = Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(max_length=99), BeforeValidator(_split_commas)]
Quantiles = Annotated[
    tuple[Annotated[float, Field(gt=0, lt=1)], ...],
    Field(max_length=99),
    BeforeValidator(_split_commas),
    AfterValidator(_check_pairs),
]
MissingValues = Annotated[tuple[str, ...], BeforeValidator(_split_missing), AfterValidator(_check_missing)]
Steps = Annotated[int, Field(ge=1, le=100_000)]
Season = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
CellName = Annotated[str, AfterValidator(_check_cell)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], BeforeValidator(_split_commas)]
Duration = Annotated[float, Field(gt=0, le=1e7), BeforeValidator(_read_duration)]  # in seconds
Penalty = Annotated[float, Field(ge=0, le=10)]
Share = Annotated[float, Field(ge=0, lt=1)]
ObservedShare = Annotated[float, Field(gt=0, le=1)]
SpanShare = Annotated[float, Field(gt=0, lt=1)]  # of the time axis


def _takes_bool(section: type[BaseModel], name: str) -> bool:
    annotation = section.model_fields[name].annotation
    return annotation is bool or bool in get_args(annotation)


class Section(BaseModel):
    """A part of the settings. Its fields cannot be changed, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _explained(error) from None

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # parts of `Settings` are made without it

    @model_validator(mode="before")
    @classmethod
    def _refuse_bool_as_number(cls, values: object) -> object:
        if isinstance(values, Mapping):
            for name, value in values.items():
                if isinstance(value, bool) and name in cls.model_fields and not _takes_bool(cls, name):
                    raise ValueError(f"{name}: must not be yes or no. Received: {value}")
        return values


class ReadOptions(Section):
    """How to read a source. What is not given is inferred and reported."""

    time_column: str | None = Field(None, description="Column that holds the time, or several: date,hour.")
    date_format: str | None = Field(
        None,
        description="Format of the time: %d-%m-%Y %H:%M, or a name such as MM/DD/YY, YYYY-Qq, YYYYMMDD + HHMM, excel.",
    )
    freq: str | None = Field(
        None,
        description="Clock as a pandas offset alias: 15min, h, D, B, W, MS …; D MON-SAT; XNYS: an exchange's sessions; "
        "pattern: the slots of a week in which rows stand; step: rows in order.",
    )
    weekdays: str | None = Field(None, description="Days of the week with rows, such as mon-sat; others are left out.")
    sessions: str | None = Field(
        None, description="Hours of the day with rows, such as 09:30-11:00,13:00-14:30; others are left out."
    )
    holidays: Names = Field(
        (), description="Public holidays as inputs that are known ahead: of countries, their parts, markets: US,US-CA."
    )
    resample: str | None = Field(
        None, description="Average the rows onto this clock; periods that are not whole are left out."
    )
    aggregate: Aggregate = Field(
        "mean", description="What a step of resample gets of its rows; duration weighs each by how long it holds."
    )
    duplicates: Duplicates | None = Field(
        None, description="Of several rows with the same time: first, last or their mean."
    )
    tz: str | None = Field(None, description="Time zone of the stamps, such as Europe/Berlin; times are shown in it.")
    series_id: str | None = Field(None, description="Column that tells series apart, or several: store,item.")
    wide: bool | None = Field(
        None, description="Each column is a series of its own, named by it. (default: where the names are times)"
    )
    encoding: str | None = Field(None, description="Text encoding, such as latin-1.")
    delimiter: str | None = Field(None, description="Character between fields.")
    decimal: str | None = Field(None, description="Decimal mark.")
    thousands: str | None = Field(None, description="Thousands mark.")
    columns: Names = Field((), description="Columns to read beside the time, with commas between them. (default: all)")
    skip_columns: Names = Field((), description="Columns that are not read, with commas between them.")
    skip_rows: int = Field(0, ge=0, description="Lines to skip before the header.")
    skip_footer: int = Field(0, ge=0, description="Lines to skip at the end.")
    keep_sentinels: bool = Field(False, description="Take values such as -9999 for measurements.")
    missing: MissingValues = Field((), description="Values to take as missing, such as 0@pressure,<0@rain,-1.")
    codes: MissingValues | None = Field(
        None, description="Codes of missing values: what a run found in its training rows, and reads other rows by."
    )
    missing_words: Names = Field((), description="Words among numbers that mean a missing value, with commas between.")
    known_forecasts: str | None = Field(
        None,
        description="File of forecasts that were known ahead, such as of the weather: when each was issued, the time "
        "it is for, values; or a column for each lead. - for columns of the source itself.",
    )
    issued_at: str | None = Field(
        None, description="Column that holds when a value was issued: of that file, or of a source that is revised."
    )
    issue_delay: Duration | None = Field(
        None, description="How long after its issue a forecast is there, such as 5h. (default: at once)"
    )
    query: str | None = Field(None, description="What is asked of a database, such as 'select * from weather'.")
    spikes: Literal["keep", "missing"] = Field(
        "keep", description="Single values far from those before them: keep them, or take them as missing."
    )
    notation: tuple[Notation, ...] = Field(
        (), description="How columns are written: what a run found in its rows, and reads other rows by."
    )
    derived: Names = Field((), description="Columns that are made from others: those named as formulas elsewhere.")
    named: Names = Field((), description="Columns named elsewhere: they are read, even where they repeat the time.")
    session_days: SessionDays | None = Field(
        None, description="Sessions of the clock's exchange: what a run was trained by, and reads other rows by."
    )

    public_holidays: PublicHolidays | None = Field(
        None, description="Days of the holidays: what a run was trained by, and reads other rows by."
    )

    @model_validator(mode="after")
    def _check_series(self) -> Self:
        if self.wide and self.series_id is not None:
            raise ValueError(f"wide: columns name the series, and no column holds names. Received: {self.series_id!r}")
        return self


class DataSettings(Section):
    """What is forecast, from what, and how the time axis is divided."""

    target: Names = Field((), description="Columns to forecast, with commas between; or formulas: log_return(Close).")
    covariates: Names | None = Field(None, description="Other columns that the network sees: names, auto or none.")
    known: Names = Field(
        (), description="Columns that are known ahead, such as holidays or plans, or that never change in a series."
    )
    static: Names | None = Field(
        None,
        description="Columns that never change in a series and describe it, such as a region: names or none.",
    )
    calendar: bool | None = Field(None, description="Hour, weekday, day of year … as inputs that are known ahead.")
    lookback: Steps | None = Field(None, description="Steps that the network sees. (default: by clock)")
    horizon: Steps | None = Field(None, description="Steps to forecast. (default: by clock)")
    season: Season | None = Field(None, description="Steps in a cycle; 1: none. (default: by clock)")
    transform: Transform | None = Field(
        None, description="Transform of targets. (default: log, of prices and volatility)"
    )
    volatility: bool | None = Field(
        None, description="Judge targets as variances: by QLIKE, beside the log-HAR. (default: for formulas of such)"
    )
    limits: Names | None = Field(
        None, description="Least and most that a target can be, such as rain=0:,humidity=0:100; auto or none."
    )
    circular: Names | None = Field(None, description="Targets that are angles in degrees: names, auto or none.")
    channels: Channels | None = Field(
        None, description="Several targets: forecast jointly, or each on its own with shared weights."
    )
    validation: SpanShare | None = Field(
        None, description="Share of the time axis for validation. (default: 0.1, more of a short series)"
    )
    test: SpanShare | None = Field(
        None, description="Share for the test, its newest part. (default: 0.2, more of a short series)"
    )
    validation_from: str | None = Field(None, description="First timestamp of the validation span, instead of a share.")
    test_from: str | None = Field(None, description="First timestamp of the test span, instead of a share.")
    split: Division | None = Field(
        None, description="Cut-offs by time, the same for all series, or by each series' own rows. (default: auto)"
    )
    longest_fill: int = Field(
        6, ge=0, description="Missing values in a row that a window may carry forward from the last seen one."
    )

    least_observed: ObservedShare | None = Field(
        None,
        description="Share of a window's targets that must be observed, before its cut-off and after; below 1 the "
        "network is told what is missing. (default: 0.5 where holes cost windows, else 1)",
    )

    @field_validator("covariates", "static", "limits", "circular", mode="before")
    @classmethod
    def _auto_is_open_and_none_is_empty(cls, value: object) -> object:
        return {"auto": None, "none": ()}.get(value, value) if isinstance(value, str) else value

    @field_validator("split", mode="before")
    @classmethod
    def _auto_is_open(cls, value: object) -> object:
        return None if value == "auto" else value

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.validation is not None and self.test is not None and self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} and test {self.test} leave nothing to train on")
        if self.split == "series" and (self.validation_from or self.test_from):
            raise ValueError("split = series divides by shares, and takes no validation_from and test_from")
        return self


class DataConfig(DataSettings):
    """The same, with every open field chosen."""

    covariates: Names
    static: Names = ()  # of runs of earlier versions
    calendar: bool
    lookback: Steps
    horizon: Steps
    season: Season
    transform: Transform
    volatility: bool = False  # of runs of earlier versions
    limits: Names
    circular: Names
    channels: Channels
    validation: SpanShare
    test: SpanShare
    split: Division = "time"  # of runs of earlier versions
    least_observed: ObservedShare = 1.0  # of runs of earlier versions


class NetworkSettings(Section):
    """The recurrent network: a preset's name and its parts. Defaults are those of the Keras LSTM layer."""

    model: str = Field("lstm", description="Preset from the catalogue; the other options change its parts.")
    cell: CellName = Field("lstm", description="Recurrent cell.")
    bidirectional: bool = Field(False, description="Read the window from both ends.")
    units: Sizes = Field((64,), max_length=64, description="Units of each recurrent layer, such as 64 or 64,32.")
    normalise: Normalise | None = Field(
        None,
        description="Per window: subtract the last value, its mean and scale, or the last value and its scale; "
        "seasonal also counts the forecast from the values one cycle before, smoothing from what exponential smoothing "
        "of the window forecasts. (default: last, none where a state is carried, or smoothing where it clearly pays)",
    )
    cycle: Steps | None = Field(
        None, description="Steps of the cycle that normalise = seasonal or smoothing counts with. (default: the season)"
    )
    decay: bool = Field(
        False, description="Let a missing value that was carried forward return to the window's mean, as GRU-D does."
    )
    newest: Steps | None = Field(
        None, description="Read only so many of the newest steps of the lookback. (default: all of them)"
    )
    segment: Steps | None = Field(1, description="Steps that are fed to the cell at once; 1 as in textbooks.")
    decode: Literal["direct", "parallel", "recursive"] = Field("direct", description="How the horizon is produced.")
    quantiles: Quantiles = Field(
        (), description="Quantiles that the head forecasts beside the median, such as 0.1,0.5,0.9. (default: points)"
    )
    linear: bool | None = Field(
        False,
        description="Add a linear map from the window to the horizon, solved on training windows; the network learns "
        "what it leaves. (default: but for prices, columns known ahead, and series that one map does not suit)",
    )
    linear_inputs: bool | None = Field(
        None,
        description="The linear map of a single target may also read the covariates at the cut-off, and what is known "
        "of the horizon. (default: yes)",
    )
    head_dropout: Share = Field(0.0, description="Dropout before the head.")
    activation: Activation = Field("tanh", description="Activation of candidate and output.")
    recurrent_activation: Activation = Field("sigmoid", description="Activation of the gates.")
    use_bias: bool = Field(True, description="Give the cells a bias.")
    unit_forget_bias: bool = Field(True, description="Start the forget gate's bias at 1 (LSTM).")
    reset_after: bool = Field(True, description="Apply the reset gate after the matrix product (GRU).")
    kernel_initializer: Initialiser = Field("glorot_uniform", description="Initialiser of the input weights.")
    recurrent_initializer: Initialiser = Field("orthogonal", description="Initialiser of the recurrent weights.")
    bias_initializer: Initialiser = Field("zeros", description="Initialiser of the bias.")
    kernel_regularizer: Penalty = Field(0.0, description="L2 penalty of the input weights.")
    recurrent_regularizer: Penalty = Field(0.0, description="L2 penalty of the recurrent weights.")
    bias_regularizer: Penalty = Field(0.0, description="L2 penalty of the bias.")
    activity_regularizer: Penalty = Field(0.0, description="L2 penalty of the outputs.")
    kernel_constraint: Constraint = Field("none", description="Constraint of the input weights.")
    recurrent_constraint: Constraint = Field("none", description="Constraint of the recurrent weights.")
    bias_constraint: Constraint = Field("none", description="Constraint of the bias.")
    dropout: Share = Field(0.0, description="Dropout of each layer's inputs.")
    recurrent_dropout: Share = Field(0.0, description="Dropout of the recurrent state.")
    go_backwards: bool = Field(False, description="Read the window from its end.")
    unroll: bool | None = Field(None, description="Unroll the loop over time; short ones are unrolled anyway.")
    stateful: bool = Field(False, description="Carry the state from window to window while training.")

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.go_backwards and (len(self.units) > 1 or self.stateful or self.decode == "recursive"):
            raise ValueError(
                "go_backwards works with one layer, without stateful, and not with decode = recursive; "
                f"units are {self.units}, stateful is {self.stateful}, decode is {self.decode}"
            )
        if self.bidirectional and (self.go_backwards or self.stateful or self.decode != "direct"):
            raise ValueError(
                "bidirectional works with decode = direct, without go_backwards and without stateful; "
                f"decode is {self.decode}, go_backwards is {self.go_backwards}, stateful is {self.stateful}"
            )
        if self.stateful and self.newest:
            raise ValueError("stateful reads every step, and takes no newest")
        if self.stateful and self.decode != "direct":
            raise ValueError(f"stateful needs decode = direct, not {self.decode}")
        if self.normalise in ("seasonal", "smoothing") and self.decode == "recursive":
            raise ValueError(
                f"normalise = {self.normalise} does not go with decode = recursive, which feeds forecasts back"
            )
        return self


class NetworkConfig(NetworkSettings):
    """The same, with every open field chosen."""

    normalise: Normalise
    segment: Steps
    linear: bool = False  # of runs of earlier versions, as the next line
    linear_inputs: bool = False

    @property
    def carries_states(self) -> bool:
        """Whether it can carry its states from row to row, as a stream does: nothing in it depends on whole windows."""
        return self.stateful and self.segment == 1 and self.normalise == "none"

    @property
    def adds_to(self) -> str:
        """The forecast that is there before the network learns, which begins with adding nothing to it; "" for none."""
        smooths = "exponential smoothing" if self.normalise == "smoothing" else ""
        return " and ".join(part for part in (smooths, "the linear map beside it" if self.linear else "") if part)


class TrainingSettings(Section):
    """How the network is trained, and what stands beside it."""

    epochs: int = Field(30, ge=1, le=100_000, description="Epochs, at most: passes over the training windows.")
    steps_per_epoch: int = Field(100, ge=1, description="Batches in an epoch, at most; a long series is sampled.")
    batch_size: BatchSize | None = Field(None, description="Windows in a batch. (default: by length)")
    learning_rate: float = Field(2e-3, gt=0, le=1e32, description="Highest rate of Adam's schedule.")
    mirror: bool | None = Field(
        None, description="Learn from each window and, as often, from its mirror image about its last value."
    )
    hide_series: Share | None = Field(
        None,
        description="Share of the windows of a panel that are learned from without the name of their series, "
        "so that series never seen can be forecast. (default: 0.1)",
    )
    hide_values: Share | None = Field(
        None,
        description="Share of the values before the cut-off that are hidden while training, so that the network "
        "learns to do without. (default: 0.05 where values may be missing)",
    )
    schedule: Literal["cosine", "constant"] = Field("cosine", description="Course of the learning rate.")
    warmup: Share = Field(0.05, description="Share of the steps over which the learning rate rises.")
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of a gradient.")
    loss: Loss | None = Field(None, description="Loss on scaled values. (default: mae; qlike, for volatility)")
    ema: Share = Field(0.99, description="Momentum of the moving average of the weights; 0 for none.")
    patience: Epochs | None = Field(
        None,
        description="Epochs without a better validation error before training stops. "
        "(default: 10; 4 beside a linear map)",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of everything random.")
    ensemble: int = Field(1, ge=1, le=100, description="Networks that differ in their seed; forecasts are averaged.")
    time_limit: Duration | None = Field(
        None,
        description="Use so much time, such as 90s, 5m or 1h: train networks of several designs and simple forecasts, "
        "as many as there is time for, and forecast with the mean that the validation span weighs.",
    )
    members: Names = Field(
        (), description="The same without a limit, or some of them: all, recurrent, or names of members."
    )
    baseline: bool = Field(True, description="Train a vanilla RNN beside the model, for comparison.")
    fall_back: bool = Field(
        False, description="Repeat the last value if the network is not better than that on the validation span."
    )
    track_gradients: bool = Field(
        False, description="Keep after each epoch how far back the gradient reaches; forecast explain draws it."
    )
    refit: bool = Field(False, description="Train again on every row for the newest forecast.")
    csv: bool = Field(False, description="Write the test forecasts as text, too, beside their Parquet file.")


class MemberConfig(Section):
    """A member of a portfolio: the run's configuration with some settings changed, and what became of it.

    Args:
        name: In tables.
        settings: Those by which it differs from the run's, by name.
        epochs: Epochs of its schedule, if there was no time for as many as the run's.
        stopped_after: The epoch after which its time was over.
        left_out: Whether there was no time for it at all.
        weights: What its forecasts count in the ensemble: at each step of the horizon, or one number for all; none
            before that is decided.
    """

    name: str
    settings: dict[str, Any] = {}
    epochs: Epochs | None = None
    stopped_after: Epochs | None = None
    left_out: bool = False
    weights: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()

    @property
    def counts(self) -> bool:
        """Whether its forecasts count at any step."""
        return any(self.weights)


class TrainingConfig(TrainingSettings):
    """The same, with every open field chosen."""

    batch_size: BatchSize
    mirror: bool
    patience: Epochs
    loss: Loss
    hide_series: Share = 0.0  # of runs of earlier versions
    hide_values: Share = 0.0  # of runs of earlier versions


class IntervalConfig(Section):
    """The prediction intervals."""

    levels: Levels = Field((80, 95), description="Levels of the prediction intervals in %, or none.")
    adaptive: bool = Field(True, description="Let the intervals adapt to the errors as time goes on.")

    @field_validator("levels", mode="before")
    @classmethod
    def _none_is_no_level(cls, value: object) -> object:
        return () if value == "none" else value


class Settings(Section, Shown):
    """All settings of a run, as asked."""

    read: ReadOptions = ReadOptions()
    data: DataSettings = DataSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    intervals: IntervalConfig = IntervalConfig()

    @model_validator(mode="after")
    def _check_sections(self) -> Self:
        named = (*self.data.target, *(self.data.covariates or ()))
        derived = tuple(name for name in named if name.endswith(")"))
        read = self.read.model_copy(update={"derived": derived, "named": (*named, *self.data.known)})
        object.__setattr__(self, "read", read)  # so that whoever reads by it has all columns
        if self.read.holidays and self.data.calendar is False:
            raise ValueError(
                f"holidays are told by the calendar. Received: {','.join(self.read.holidays)}, no calendar"
            )
        if self.network.stateful and self.training.mirror:
            raise ValueError("stateful cannot be used with mirror: a state that is carried on has one direction")
        if self.network.stateful and (self.data.least_observed or 1) < 1:
            raise ValueError("stateful needs least_observed = 1: a state that is carried on has no window with holes")
        if not self.network.units and not isinstance(self, Config):  # of which some members have none
            raise ValueError("units: takes at least one layer, such as 64. Received: none")
        steps = -(-(self.data.lookback or 1) // (self.network.segment or 1))
        if self.network.unroll and steps > _LONGEST_UNROLLED:
            raise ValueError(f"unroll takes up to {_LONGEST_UNROLLED:,} steps or segments. Received: {steps:,}")
        if self.network.quantiles and self.training.loss not in (None, "mae"):
            raise ValueError(f"quantiles are learned by their own loss. Received: loss {self.training.loss}")
        if self.training.hide_values and (self.data.least_observed == 1 or self.network.stateful):
            raise ValueError("hide_values is for windows with holes: not with least_observed = 1, or stateful")
        if self.makes_portfolio and (self.training.ensemble > 1 or self.training.fall_back or self.network.stateful):
            raise ValueError(
                "time_limit and members make an ensemble, with seeds and the last value among its members; they do not "
                "go with ensemble, fall_back or stateful"
            )
        if self.training.fall_back and self.network.normalise not in (None, "last", "last-scaled"):
            raise ValueError(f"fall_back needs normalise = last or last-scaled, not {self.network.normalise}")
        return self

    def __repr__(self) -> str:
        chosen = [",".join(self.data.target), self.data.lookback, self.data.horizon]
        target, lookback, horizon = (value or "open" for value in chosen)
        return f"<{type(self).__name__} {self.network.model}: target {target}, lookback {lookback}, horizon {horizon}>"

    @property
    def makes_portfolio(self) -> bool:
        """Whether a portfolio is trained rather than one network."""
        return self.training.time_limit is not None or bool(self.training.members)

    @classmethod
    def from_sections(cls, sections: Mapping[str, Any]) -> Self:
        """Settings from their fields by section.

        Raises:
            ConfigError: If a field is unknown or missing, or a value is not allowed; echoes it and says what is.
        """
        try:
            return cls.model_validate(sections)
        except ValidationError as error:
            raise _explained(error) from None

    def replace(self, **sections: Mapping[str, object]) -> Self:
        """A copy with these fields of these sections changed, validated again.

        Raises:
            ConfigError: If a value is not allowed.
        """
        return self.from_sections(self._merged(sections))

    def resolved(self, **sections: Mapping[str, object]) -> Config:
        """The configuration with these fields of these sections changed; no field of it may still be open.

        Raises:
            ConfigError: If one is, or a value is not allowed.
        """
        return Config.from_sections(self._merged(sections))

    def _merged(self, sections: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, object]]:
        merged = self.model_dump()
        for section, values in sections.items():
            merged[section].update(values)
        return merged

    def to_json(self) -> str:
        """The settings as JSON; `from_sections` takes what a parser makes of it."""
        return self.model_dump_json(indent=2) + "\n"

    def to_toml(self) -> str:
        """The fields that are not open as TOML; `settings_from_toml` reads it back."""
        return "\n".join(
            f"[{section}]\n" + "".join(f"{name} = {_in_toml(value)}\n" for name, value in fields.items())
            for section, fields in self.model_dump(mode="json", exclude_none=True).items()
            if section in Settings.model_fields
        )


def _in_toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_in_toml(part)}' for name, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_in_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


class Config(Settings):
    """The configuration of a run: settings in which every open field has been chosen."""

    data: DataConfig
    network: NetworkConfig
    training: TrainingConfig

    # The members that were asked for, in order; the epoch after which the vanilla RNN beside them stopped.
    portfolio: tuple[MemberConfig, ...] = ()
    baseline_stopped_after: Epochs | None = None

    def with_portfolio(self, members: Iterable[MemberConfig], baseline_stopped_after: int | None = None) -> Config:
        """The same with another portfolio."""
        return self.model_copy(update={"portfolio": tuple(members), "baseline_stopped_after": baseline_stopped_after})

    def to_toml(self) -> str:
        """The fields that are not open as TOML; of a portfolio, those of its first member, which ask for the others."""
        if not self.portfolio:
            return super().to_toml()
        first = {"model": self.portfolio[0].name, "newest": None}
        return self.with_portfolio(()).replace(data={"lookback": self.network.newest}, network=first).to_toml()

    def of_member(self, member: MemberConfig) -> Config:
        """The configuration by which a member of the portfolio is trained.

        Raises:
            ConfigError: If its settings do not go together with the run's.
        """
        own: dict[str, dict[str, object]] = {"training": {}, "network": {}, **nest(member.settings)}
        own["network"]["model"] = member.name
        own["training"] |= {"members": (), "time_limit": None, "baseline": False}
        if member.epochs is not None:
            own["training"]["epochs"] = member.epochs
        return self.with_portfolio(()).replace(**own)

    def before_decisions(self) -> Config:
        """The configuration as it was before anything was trained."""
        planned = (MemberConfig(name=member.name, settings=member.settings) for member in self.portfolio)
        return self.with_portfolio(planned)

    @property
    def categories(self) -> dict[str, int]:
        """The inputs that hold numbers of words, and how many each has, that of the unknown word included."""
        numbers = {own.column: len(own.words) + 1 for own in self.read.notation if own.numbered}
        return {name: numbers[name] for name in self.data.known if name in numbers}


# What a run found in its rows, or what its other settings name: no options.
FOUND = ("notation", "codes", "session_days", "public_holidays", "derived", "named")


def option_fields() -> dict[str, str]:
    """Every setting that a user gives by name, with the section that it belongs to."""
    return {
        name: section
        for section, info in Settings.model_fields.items()
        for name in info.annotation.model_fields  # type: ignore[union-attr]
        if name not in FOUND
    }


def nest(settings: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Settings by section, from flat ones such as ``{"lookback": 48}`` or from sections of them.

    Raises:
        ConfigError: If there is no such setting.
    """
    sections = option_fields()
    nested: dict[str, dict[str, object]] = {}
    for name, value in settings.items():
        if name in Settings.model_fields and isinstance(value, Mapping):
            nested.setdefault(name, {}).update(value)
        elif name in sections:
            nested.setdefault(sections[name], {})[name] = value
        else:
            advice = f"{did_you_mean(name, sections)}Settings: {', '.join(sorted(sections))}."
            raise ConfigError(f"There is no setting {name!r}.", advice, setting=name, value=value, allowed=sections)
    return nested


def settings_from_toml(path: Path) -> dict[str, object]:
    """The settings in a TOML file: flat, or in tables named after the sections.

    Raises:
        ConfigError: If the file is missing or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the configuration {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None


def _explained(error: ValidationError) -> ConfigError:
    """What is wrong with each setting; the fields of the error are those of the first."""
    found: dict[str, tuple[str, object, list[str]]] = {}  # the first complaint about each field says enough
    for item in error.errors(include_url=False):
        where = [str(part) for part in item["loc"] if str(part) not in Settings.model_fields]
        name = next((part for part in where if part in option_fields()), ".".join(where))
        message = re.sub(r"(a valid \w+), .*", r"\1", item["msg"].removeprefix("Value error, "))
        limit = message.partition("Input should be ")[2]
        message = message.replace("Input should be", "must be").replace("Field required", "is missing")
        message = message.replace("Extra inputs are not permitted", "no such setting") + "."
        value = None if item["type"] in ("value_error", "missing") else item["input"]
        received = "" if item["type"] in ("value_error", "missing") else f" Received: {value!r}."
        allowed = re.findall("'(.*?)'", limit) or [limit][: len(limit)]
        found.setdefault(name or message, (f"{name}: {message}{received}" if name else message, value, allowed))
    message = "\n".join(text for text, _, _ in found.values())
    name, (_, value, allowed) = next(iter(found.items()))
    advice = phrase("forecast train --help lists every option.", "forecast.config.option_fields() lists every setting.")
    setting = name if name.isidentifier() else None  # else it is the message, of no single setting
    return ConfigError(message, advice, setting=setting, value=value, allowed=allowed)
