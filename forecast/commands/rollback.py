"""Rollback: put an earlier version of a run back in its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.commands.options import AsJson, Quiet, RunArgument, RunsDir

if TYPE_CHECKING:
    from forecast.runs.run import Run

EXAMPLES = ("forecast rollback mine --to 1",)


def command(
    run: RunArgument,
    to: Annotated[
        int | None, typer.Option(metavar="VERSION", help="Which version. (default: the one that it continues)")
    ] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Put an earlier version of a run back in its place, or a later one again; no weights are deleted."""
    from forecast.commands.console import print_json, say

    found = rollback(run, to=to, runs_dir=runs_dir)
    if as_json:
        print_json({"run": found.name, "version": found.version, "finished": found.manifest["finished"]})
    elif not quiet:
        say(f"{found.name}: version {found.version} is in place, as of {found.manifest['finished']}")


def rollback(run: Run | str, *, to: int | None = None, runs_dir: Path | None = None) -> Run:
    """Put another version of a run in its place, which is returned. Servers and readers take it up by themselves.

    Args:
        run: A run or its name.
        to: The version; None for the one that the version in place continues.
        runs_dir: Where runs live.

    Raises:
        RunError: If there is no such version, or it is damaged; then nothing changes.
        MachineError: If the run is being trained or updated.
    """
    from forecast.errors import RunError, phrase
    from forecast.runs.files import locked
    from forecast.runs.find import find, folder_named, open_run, runs_folder, versions_of
    from forecast.runs.run import Run
    from forecast.runs.versions import folder_of_version, numbers_of_versions, put_in_place

    # By its folder, for what says which version is in place may be what is damaged.
    home = None if isinstance(run, Run) or run == "latest" else folder_named(run, runs_folder(runs_dir))
    home = find(run, runs_dir=runs_dir).home if home is None else home
    with locked(home.with_name(f".{home.name}.lock"), f"The run {home.name}"):
        number = to
        if number is None:
            number = find(home.resolve()).manifest.get("update", {}).get("continued_from")
            if number is None:
                raise RunError(
                    f"Version 1 of {home.name} is in place, and there is none before it.",
                    f"Name a later one: {phrase('--to VERSION', 'to=VERSION')}.",
                )
        versions = numbers_of_versions(home)
        if number not in versions:
            raise RunError(f"{home.name} has no version {number}.", f"Versions: {', '.join(map(str, versions))}.")
        version = open_run(folder_of_version(home, number))
        if not version.is_whole:
            whole = [other.version for other in versions_of(home)[0] if other.is_whole]
            raise RunError(
                f"Of version {number} of {home.name}, an old one, only the scores are kept.",
                f"Versions that can be put in place: {', '.join(map(str, whole))}.",
            )
        for network in version.manifest["networks"]:
            version.weights(network)  # which a damaged one refuses
        put_in_place(home, number)
    return find(home.resolve())
