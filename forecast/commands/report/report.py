"""The report of a finished run, written anew with what `explain` and `score` have found since."""

from __future__ import annotations

from pathlib import Path

from forecast.archive.live import live_so_far
from forecast.data.panel import Panel
from forecast.data.prepare import prepare
from forecast.errors import rendered
from forecast.evaluation.scoring import Evaluation
from forecast.models.catalogue import network_configs
from forecast.plots.results import Explained, RunResults
from forecast.plots.run_report import report_page
from forecast.runs.files import check_output, write_output
from forecast.runs.find import find, run_command
from forecast.runs.rows import training_panel
from forecast.runs.run import Run, read_explanation
from forecast.sources.read import Source


def write_report(run: Run | str, output: Path, source: Source | None = None, *, runs_dir: Path | None = None) -> Path:
    """Write a run's report into a file; the one in its folder stays as it was when the run ended.

    Args:
        run: A run or its name.
        output: The file.
        source: The rows that it was trained on; None to read them again from where they were.
        runs_dir: Where runs live.

    Raises:
        DataError: If the rows cannot be read again.
        MachineError: If the file cannot be written.
    """
    check_output(output)
    run = find(run, runs_dir=runs_dir)
    write_output(output, report_page(results_of(run, training_panel(run, source))).encode())
    return output


def results_of(run: Run, panel: Panel) -> RunResults:
    """What the plots and the page of a run show.

    Args:
        run: A run.
        panel: The rows that it was trained on.
    """
    histories = {parts.model: run.history_of(network) for network, parts in network_configs(run.config).items()}
    explanation = read_explanation(run)
    explained = None
    if explanation is not None:
        pictures = {path.name: explanation.picture(path) for path in explanation.plots}
        explained = Explained(explanation.sentences, pictures)
    return RunResults(
        name=run.name,
        replay=rendered(run_command("replay", run.name, run.home.parent), "shell"),
        manifest=run.manifest,
        prepared=prepare(panel, run.config, scaler=run.scaler_before),
        evaluation=Evaluation(run.metrics, run.test_forecasts),
        histories={name: history[history["member"] == 1] for name, history in histories.items()},
        forecast=run.forecast,
        explained=explained,
        live=live_so_far(run),
    )
