"""Datasets: list the series that come with the program."""

from __future__ import annotations

from forecast.commands.options import AsJson

EXAMPLES = ("forecast datasets",)


def command(as_json: AsJson = False) -> None:
    """List the series that come with the program."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from forecast.commands.console import out, print_json, say
    from forecast.sources.datasets import DATASETS

    if as_json:
        print_json([{"name": name} | vars(dataset) for name, dataset in DATASETS.items()])
        return
    table = Table(box=SIMPLE_HEAD)
    for column in ("name", "clock", "target", "what"):
        table.add_column(column, no_wrap=column != "what", overflow="fold")
    for dataset in DATASETS.values():
        what = f"{dataset.description}, {dataset.span}. {dataset.source}."
        table.add_row(dataset.title, dataset.freq, f"{dataset.target} {dataset.units[dataset.target]}", what)
    out.print(table)
    say("Train on one with: forecast train weather")
    say("Others are fetched, as with: forecast fetch weather --place Oslo")
