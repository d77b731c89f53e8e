"""Replay: train a run again from its record."""

from __future__ import annotations

from dataclasses import asdict

from forecast.commands.options import AsJson, Quiet, RunArgument, RunsDir, SameSource


def command(
    run: RunArgument = "latest",
    source: SameSource = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a run again from its record, and say whether every figure came out the same; exit code 4 if not."""
    from forecast.commands.console import ConsoleProgress, print_json, say
    from forecast.workflows import replaying

    progress = ConsoleProgress(quiet)
    with progress.heeding_signals():
        found = replaying.replay(run, source, runs_dir=runs_dir, progress=progress)
    if as_json:
        changed = {name: {"recorded": was, "replayed": now} for name, (was, now) in found.changed.items()}
        differences = [asdict(difference) | {"share": difference.share} for difference in found.differences]
        print_json({"run": found.run, "same": found.same, "figures": found.n_figures, "differences": differences,
                    "changed": changed})  # fmt: skip
    elif found.same:
        say(f"All {found.n_figures:,} figures of {found.run} came out the same.", strong=True)
        for name, (was, now) in found.changed.items():
            say(f"although {name} was {was} and is {now}")
    found.demand()
