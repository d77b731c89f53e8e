"""Command-line options from the configuration's fields: one name, one default, one help text, in one place."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from forecast.commands.completion import complete_columns, complete_runs, complete_sources
from forecast.commands.help import show_all
from forecast.config import Settings, option_fields
from forecast.errors import ConfigError
from forecast.models.catalogue import MODELS, configure
from forecast.models.cells import CELLS
from forecast.sources.sql import is_database

_SOURCE = typer.Argument(
    metavar="SOURCE",
    help="A built-in name, files, a folder, an address, open-meteo:Oslo, stock:AAPL …, or - for standard input.",
    autocompletion=complete_sources,
)
SourceArgument = Annotated[str, _SOURCE]
OptionalSource = Annotated[str | None, _SOURCE]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Name or path of a run, or latest.", autocompletion=complete_runs)
]
OptionalRun = Annotated[
    str | None, typer.Argument(metavar="RUN", help="List the versions of this run.", autocompletion=complete_runs)
]
RunsArgument = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Names or paths of runs, or latest.", autocompletion=complete_runs),
]
NewSource = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="New rows: a built-in name, files, a folder, an address, or -.",
        autocompletion=complete_sources,
    ),
]
SameSource = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="The rows that it was trained on, if they have moved.",
        autocompletion=complete_sources,
    ),
]
Versions = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="So many of the newest versions stay whole, beside the first; of older ones the scores are kept.",
    ),
]
KnownForecasts = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Forecasts of inputs, with when each was issued. (default: the run's file)"),
]

Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Hold at most 2GB, say, of the rows of a folder of Parquet files at a time."),
]
RunsDir = Annotated[Path | None, typer.Option(help="Where runs live. (default: FORECAST_RUNS or ./models)")]
Keep = Annotated[
    bool,
    typer.Option(
        "--keep",
        help="Keep what is forecast, for forecast score: in the run's folder, or the database FORECAST_ARCHIVE.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RequireSkill = Annotated[
    list[str] | None,
    typer.Option(
        metavar="REFERENCE[:SHARE][:significant]",
        help="Exit with 4 unless the skill is at least this, and significant where that is asked for; may be repeated.",
    ),
]
SettingsFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Settings from a TOML file.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", envvar="FORECAST_QUIET", show_envvar=False, help="Print only results and errors."),
]

EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="What computes side by side: processes of this machine, or a Ray cluster. (default: this process alone)",
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="How many at a time, one core each. (default: all cores)")
]
AddressOption = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster, such as auto or ray://head:10001. (default: RAY_ADDRESS, or this machine)"),
]

_HelpAll = Annotated[
    bool, typer.Option("--help-all", is_eager=True, callback=show_all, help="Show every setting, and exit.")
]
_Database = Annotated[
    str | None,
    typer.Option(help="A database as SOURCE, of which --query asks: sqlite:///weather.db", rich_help_panel="Reading"),
]

# Settings that a command has no use for which keeps no run: it makes no newest forecast, and nobody looks inside.
NOT_FOR_TRIALS = ("refit", "track_gradients", "csv")

# The settings that --help shows: those by which most is decided. --help-all shows the others as well.
_FIRST = {"target", "covariates", "known", "lookback", "horizon", "test_from", "model", "units", "levels", "epochs",
          "seed", "time_limit", "ensemble", "baseline", "time_column", "freq", "tz", "series_id", "columns",
          "missing"}  # fmt: skip

# The settings that name columns of the source, which a shell completes.
_COLUMNS = {"target", "covariates", "known", "static", "time_column", "series_id", "columns", "skip_columns"}

# The settings that take a name of a registry.
_NAMED: dict[str, Collection[str]] = {"model": MODELS, "cell": CELLS}

# What is shown for a setting that is written otherwise than its type.
_METAVARS = {"time_limit": "DURATION"}

# What the help calls the sections of the settings.
PANELS = {"read": "Reading", "data": "Data", "network": "Network", "training": "Training", "intervals": "Intervals"}


def with_settings(
    *sections: str, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for every field of these sections, in place of its parameter ``settings``.

    The command receives, as ``settings``, the fields that the user did give.

    Args:
        sections: Sections of the configuration.
        without: Fields that make no sense with the command.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        kept = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "settings"]
        needs_source = any(p.name == "source" and p.default is p.empty for p in kept)
        if "read" in sections:  # which --database may give instead
            kept = [p.replace(default=None, annotation=_or_none(p)) if p.name == "source" else p for p in kept]
            kept.append(
                inspect.Parameter("database", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Database)
            )
        kept.append(inspect.Parameter("help_all", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_HelpAll))
        options = [option for section in sections for option in _options_of(section) if option.name not in without]
        names = {option.name for option in options}

        @functools.wraps(command)
        def parsed(**given: Any) -> None:
            del given["help_all"]
            if "read" in sections:
                _take_database(given, needs_source)
            settings = {name: given.pop(name) for name in names & given.keys()}
            command(**given, settings={name: value for name, value in settings.items() if value is not None})

        parsed.__signature__ = inspect.Signature([*kept, *options])  # type: ignore[attr-defined]
        parsed.__annotations__ = {parameter.name: parameter.annotation for parameter in [*kept, *options]}
        return parsed

    return decorate


def _or_none(source: inspect.Parameter) -> Any:
    """The annotation of a source that may be left out."""
    kind, argument = get_args(source.annotation)
    return Annotated[kind | None, argument]


def _take_database(given: dict[str, Any], needs_source: bool) -> None:
    """Make the database the source, where one is given.

    Raises:
        ConfigError: If there are two sources, or none; or a query, and nothing to ask.
    """
    database = given.pop("database")
    if database is not None and given["source"] is not None:
        raise ConfigError(f"--database is another source than {given['source']}.", "Give one of them.")
    given["source"] = source = given["source"] if database is None else database
    if source is None and needs_source:
        raise ConfigError("There is no SOURCE.", "Name a built-in series, a file, or a --database: weather, mine.csv …")
    if given.get("query") is not None and not is_database(source):
        raise ConfigError(
            f"--query is asked of a database, and {source} is none.", "Give one: --database sqlite:///mine.db"
        )


def _options_of(section: str) -> list[inspect.Parameter]:
    model = Settings.model_fields[section].annotation
    assert model is not None
    defaults = getattr(configure(), section)  # those of the usual model
    options = []
    for name, field in model.model_fields.items():
        if name not in option_fields():
            continue
        flag = "--" + name.replace("_", "-")
        kind = _kind(field.annotation)
        option = typer.Option(
            f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
            help=f"{meaning_of(name, field)}{_default(getattr(defaults, name))}",
            show_default=False,
            metavar=_METAVARS.get(name) or _metavar(field.annotation),
            rich_help_panel=PANELS[section],
            hidden=name not in _FIRST,
            autocompletion=complete_columns if name in _COLUMNS else _names_of(name, field.annotation),
        )
        options.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
            )
        )
    return options


def _kind(annotation: Any) -> type:
    """What the shell's word is parsed to: the configuration reads numbers itself, and its errors echo the word."""
    return bool if set(_leaves(annotation)) - {type(None)} == {bool} else str


def _metavar(annotation: Any) -> str | None:
    leaves = set(_leaves(annotation)) - {type(None)}
    return {frozenset({int}): "INTEGER", frozenset({float}): "NUMBER", frozenset({bool}): None}.get(
        frozenset(leaves), "TEXT"
    )


def _leaves(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Literal or origin is tuple:
        return [str]
    if origin is Annotated:
        return _leaves(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [leaf for part in get_args(annotation) for leaf in _leaves(part)]
    return [annotation]


def meaning_of(name: str, field: FieldInfo) -> str:
    """What a setting decides, and the words that it may be."""
    words = _words(name, field.annotation)
    return f"{field.description} One of {', '.join(words)}." if words else str(field.description)


def _names_of(name: str, annotation: Any) -> Callable[[str], list[str]] | None:
    """What a shell completes a setting's value from."""
    words = _words(name, annotation)
    return (lambda incomplete: [word for word in words if word.startswith(incomplete)]) if words else None


def _words(name: str, annotation: Any) -> tuple[str, ...]:
    """The words that a setting may be; none if it may be others."""
    literal = next((part for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal), None)
    return tuple(_NAMED[name]) if name in _NAMED else get_args(literal)


def _default(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    elif isinstance(value, tuple):
        value = ",".join(map(str, value))
    return f" (default: {value})"


def refuse_forecasts_alone(known_forecasts: str | None, source: object) -> None:
    """Refuse forecasts of inputs without the rows that they go with.

    Raises:
        ConfigError: If they are given alone.
    """
    from forecast.errors import ConfigError

    if known_forecasts is not None and source is None:
        raise ConfigError(
            "--known-forecasts is read beside a SOURCE; the rows of the training have the forecasts of the training.",
            "Name the rows that it goes with, or leave it out.",
            setting="known_forecasts",
            value=known_forecasts,
        )
