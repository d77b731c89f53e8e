"""The command line as a real process: what goes to which stream, exit codes, signals."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib.image
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from forecast.cli import build_program, main
from forecast.commands import console
from forecast.errors import ForecastError
from forecast.runs.find import all_runs, open_run
from forecast.runs.run import Run
from forecast.sources.datasets import DATASETS
from naive_names import NAIVE_OF_CYCLES

TINY = [f"--{name}" for name in ("model=lstm", "units=8", "epochs=2", "batch-size=16", "lookback=6", "horizon=3")]
ESCAPE = "\x1b"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("FORECAST_RUNS", "NO_COLOR")}
    return kept | {"COLUMNS": "120", "OMP_NUM_THREADS": "1"} | more


def forecast(
    *arguments: object, stdin: str = "", cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m forecast`` to its end."""
    command = [sys.executable, "-m", "forecast", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, env=environment(**env))


def parsed(text: str) -> object:
    def refuse(word: str) -> float:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, monthly_csv: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """What a real ``forecast train`` said, and the folder that it ran in."""
    folder = tmp_path_factory.mktemp("work")
    return forecast("train", monthly_csv, *TINY, cwd=folder), folder


def test_train_prints_scores_and_says_the_rest_elsewhere(
    made: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, folder = made
    assert done.returncode == 0, done.stderr
    run = open_run(folder / "models" / "monthly-lstm")
    assert run.metrics["verdict"] in done.stdout
    for name in ("lstm", "rnn", *NAIVE_OF_CYCLES):
        assert re.search(rf"^\s*{name}\s+[\d.]+\s", done.stdout, re.MULTILINE), done.stdout
    assert f"{run.metrics['models']['lstm']['mae']:.4f}" in done.stdout
    assert "forecast predict monthly-lstm" in done.stdout
    assert "target: y" in done.stderr
    assert "target: y" not in done.stdout
    assert "epochs, the best was" in done.stderr
    assert ESCAPE not in done.stdout + done.stderr
    chatter = ("tensorflow", "TF_", "oneDNN", "cuda", "WARNING", "Warning", "absl")
    assert [line for line in done.stderr.splitlines() if any(word in line for word in chatter)] == []
    assert run.manifest["command"].startswith("forecast train ")


def test_plots_are_pictures_of_something(made: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    plots = open_run(made[1] / "models" / "monthly-lstm").plots
    assert len(plots) == 5
    for path in plots:
        pixels = matplotlib.image.imread(path)
        height, width, _ = pixels.shape
        assert width >= 800
        assert height >= 400
        white = (pixels[:, :, :3] > 0.99).all(axis=2).mean()
        assert 0.4 < white < 0.99, path


def test_predict_prints_the_forecast_and_nothing_else(
    quick: Callable[..., Result], trained: Run, monthly_csv: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = quick("predict", "latest", "-", stdin=monthly_csv.read_text())
    assert done.exit_code == 0, done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0][:10] == ["unique_id", "ds", "cutoff", "lstm", "rnn", *NAIVE_OF_CYCLES]
    assert rows[0][10:] == [
        f"{model}-{end}-{level}" for model in ("lstm", "rnn") for level in (80, 95) for end in ("lo", "hi")
    ]
    assert [row[1] for row in rows[1:]] == ["2006-09-01", "2006-10-01", "2006-11-01"]
    assert [float(row[3]) for row in rows[1:]] == pytest.approx(trained.forecast["lstm"].tolist(), rel=1e-6)
    assert re.search(r"the forecast starts after \S+( \S+)?, [\d,]+ steps ago", done.stderr)
    assert capfd.readouterr().out == ""  # nor does a library write past Python's standard output


def test_a_signal_ends_training_with_a_command_that_continues_it(tmp_path: Path, monthly_csv: Path) -> None:
    options = [*TINY, "--epochs", "5000", "--patience", "5000", "--no-baseline", "--run", "long"]
    command = [sys.executable, "-m", "forecast", "train", str(monthly_csv), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()
    )
    checkpoints = tmp_path / "models" / ".long.training" / "checkpoints"
    watchdog = threading.Timer(90, process.kill)
    watchdog.start()
    while process.poll() is None and not list(checkpoints.glob("*.ckpt")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    stdout, stderr = process.communicate()
    watchdog.cancel()
    assert process.returncode == 130, stderr
    assert time.monotonic() - sent < 5
    assert stdout == ""
    assert "Traceback" not in stderr
    assert ESCAPE not in stderr  # this is no terminal
    assert stderr.splitlines()[-1] == "Continue with: forecast train --resume long"
    listed = CliRunner().invoke(build_program(), ["runs", "--runs-dir", str(tmp_path / "models")])
    assert f"forecast train --resume long --runs-dir {tmp_path / 'models'}" in listed.stdout


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize(
    ("number", "code", "place"),
    [(signal.SIGINT, 130, []), (signal.SIGTERM, 143, ["--runs-dir=my runs"])],
    ids=["models", "elsewhere"],
)
def test_resume_after_a_signal_finishes_the_run(
    tmp_path: Path,
    monthly_csv: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
    place: list[str],
) -> None:
    step = console.ConsoleProgress.step

    def signalled(self: console.ConsoleProgress, fit: Any) -> None:
        if fit.state.step == 4:
            os.kill(os.getpid(), number)
        step(self, fit)

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console.ConsoleProgress, "step", signalled)
        begin = ["train", str(monthly_csv), *TINY, "--model=rnn", "--run=part", *place]
        stopped = CliRunner().invoke(build_program(), begin).exception
    assert isinstance(stopped, ForecastError)
    assert stopped.exit_code == code
    # What is to be typed must work as it stands, in the folder where the training was begun.
    typed = stopped.text("shell")[1].removeprefix("Continue with: forecast ")
    assert typed.startswith("train --resume part")
    assert ("--runs-dir" in typed) == bool(place)
    resumed = CliRunner().invoke(build_program(), [*shlex.split(typed), "--json"])
    assert resumed.exit_code == 0, resumed.stderr
    assert parsed(resumed.stdout)["run"] == "part"  # type: ignore[index]
    assert [path.name for path in (tmp_path / ("my runs" if place else "models")).iterdir()] == ["part"]


def test_help_is_instant_and_imports_no_tensorflow() -> None:
    # In one process: whatever one of the commands imported would still be there after the last.
    code = """
import io, sys
from contextlib import redirect_stdout
from forecast.cli import main
from forecast.commands import COMMANDS

for arguments in (["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]):
    sys.argv = ["forecast", *arguments]
    with redirect_stdout(io.StringIO()) as shown:
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, arguments
    assert shown.getvalue(), arguments
print(*({"tensorflow", "pandas", "matplotlib"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "weather", "--model", "lstn"], ["error: There is no model 'lstn'.", "Models: rnn, lstm"]),
        (["train", "weather", "--loockback", "3"], ["--loockback", "--lookback"]),
        (["train", "nothing.csv"], ["nothing.csv", "forecast datasets"]),
        (["train", "whether"], ["error: There is neither a file nor a built-in series 'whether'", "mean weather?"]),
        (["train"], ["error: There is nothing to train on.", "forecast train weather"]),
        (["train", "weather", "--epochs", "many"], ["error: epochs:", "Received: 'many'", "forecast train --help"]),
        (["predict", "nothing"], ["error: There is no run 'nothing'"]),
        (["nothing"], ["nothing"]),
    ],
)
def test_wrong_usage_exits_with_two_and_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    assert ended(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    for words in said:
        assert words in shown.err
    assert list(tmp_path.iterdir()) == []


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """The exit code of the program, run in this process."""
    monkeypatch.setattr("sys.argv", ["forecast", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_a_folder_that_cannot_be_written_exits_with_three(
    tmp_path: Path, monthly_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert ended(monkeypatch, "train", monthly_csv, *TINY, "--runs-dir", tmp_path / "file" / "runs") == 3
    assert capsys.readouterr().err.splitlines()[-1] == "Choose a folder that you may write to with --runs-dir."


def test_colours_stay_away_when_unwanted(tmp_path: Path) -> None:
    coloured = forecast("train", FORCE_COLOR="1", TERM="xterm-256color", cwd=tmp_path)
    assert coloured.returncode == 2
    assert f"{ESCAPE}[1;31m" in coloured.stderr
    assert "Traceback" not in coloured.stderr
    without = forecast("train", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1", cwd=tmp_path)
    assert "error:" in without.stderr
    assert not re.search(r"\x1b\[[\d;]*3\dm", without.stderr)


def test_a_reader_who_leaves_early_gets_no_traceback() -> None:
    command = f"{sys.executable} -m forecast datasets --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment())
    assert done.stdout == "["
    assert "Traceback" not in done.stderr


def test_datasets(quick: Callable[..., Result]) -> None:
    table = quick("datasets")
    assert table.exit_code == 0
    for name in DATASETS:
        assert name in table.stdout
    assert "simulated" in table.stdout
    listed = parsed(quick("datasets", "--json").stdout)
    assert {item["name"] for item in listed} == set(DATASETS)  # type: ignore[attr-defined]


def test_inspect(quick: Callable[..., Result], monthly_csv: Path) -> None:
    shown = quick("inspect", monthly_csv)
    assert shown.exit_code == 0
    for words in ("200 rows", "one every month", "1990-01-01", "2006-08-01", "0 gaps", "target: y", "lookback"):
        assert words in shown.stdout
    found = parsed(quick("inspect", monthly_csv, "--json", "--lookback", "7").stdout)
    assert isinstance(found, dict)
    assert (found["rows"], found["freq"], found["gaps"]) == (200, "MS", 0)
    assert [column["name"] for column in found["columns"]] == ["y"]
    assert any("lookback 7" in line for line in found["train"])


def test_inspect_leaves_nothing_and_warns_on_the_other_stream(
    quick: Callable[..., Result], monthly: pd.DataFrame, tmp_path: Path
) -> None:
    source = tmp_path / "holes.csv"
    monthly.assign(y=monthly["y"].where(monthly.index % 50 != 3, -9999)).to_csv(source, index=False)
    shown = quick("inspect", source)
    assert "-9999" in shown.stderr
    assert "warning" not in shown.stdout
    quiet = quick("inspect", source, "--quiet")
    assert quiet.stderr == ""
    assert quiet.stdout == shown.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["holes.csv"]


def test_evaluate(quick: Callable[..., Result], trained: Run, monthly_csv: Path) -> None:
    assert trained.metrics["verdict"] in quick("evaluate", "months").stdout
    assert parsed(quick("evaluate", "months", "--json").stdout) == trained.metrics
    scored = quick("evaluate", "months", monthly_csv, "--json")
    assert parsed(scored.stdout)["n_windows"] == 38  # type: ignore[index]
    assert "scored on 38 windows" in scored.stderr
    assert quick("evaluate", "months", monthly_csv, "--quiet").stderr == ""


def test_predict_in_every_form(quick: Callable[..., Result], trained: Run, tmp_path: Path) -> None:
    text = quick("predict", "months", "--quiet")
    assert text.stderr == ""
    assert text.stdout == (trained.path / "forecast.csv").read_text()
    rows = parsed(quick("predict", "months", "--json").stdout)
    assert isinstance(rows, list)
    assert [row["ds"] for row in rows] == ["2006-09-01", "2006-10-01", "2006-11-01"]
    assert [row["lstm"] for row in rows] == pytest.approx(trained.forecast["lstm"].tolist(), rel=1e-12)
    written = quick("predict", "months", "-o", tmp_path / "f.csv", "--plot", tmp_path / "f.png", "--quiet")
    assert written.stdout == ""
    assert (tmp_path / "f.csv").read_text() == text.stdout
    assert (tmp_path / "f.png").read_bytes() == (trained.path / "plots" / "5-forecast.png").read_bytes()


def test_predict_writes_and_prints_json_alike(quick: Callable[..., Result], tmp_path: Path) -> None:
    both = quick("predict", "months", "--json", "-o", tmp_path / "f.csv")
    rows = parsed(both.stdout)  # --json is one document on standard output, whatever else is asked
    assert isinstance(rows, list)
    assert rows == parsed(quick("predict", "months", "--json").stdout)
    written = csv.DictReader((tmp_path / "f.csv").read_text().splitlines())
    assert [float(row["lstm"]) for row in written] == pytest.approx([row["lstm"] for row in rows], rel=1e-12)


def test_runs_and_report(quick: Callable[..., Result], trained: Run) -> None:
    listed = quick("runs")
    assert "months" in listed.stdout
    assert f"{trained.metrics['models']['lstm']['mae']:.4g}" in listed.stdout
    (item,) = parsed(quick("runs", "--json").stdout)  # type: ignore[misc]
    assert item["run"] == "months"
    assert item["models"] == trained.metrics["models"]
    shown = quick("report")
    assert shown.stdout.splitlines() == [trained.metrics["verdict"], str(trained.report), *map(str, trained.plots)]
    found = parsed(quick("report", "months", "--json").stdout)
    assert found == {
        "run": "months",
        "verdict": trained.metrics["verdict"],
        "report": str(trained.report),
        "plots": [str(path) for path in trained.plots],
    }


def test_runs_that_cannot_be_read_are_named_with_the_reason(
    quick: Callable[..., Result], trained: Run, tmp_path: Path
) -> None:
    for name in ("whole", "no-manifest", "cut", "other-figures"):
        shutil.copytree(trained.path, tmp_path / name)
    (tmp_path / "no-manifest" / "manifest.json").unlink()
    (tmp_path / "cut" / "manifest.json").write_bytes((trained.path / "manifest.json").read_bytes()[:100])
    (tmp_path / "other-figures" / "metrics.json").write_text("{}")
    (tmp_path / "not-a-run").mkdir()
    listed = quick("runs", "--runs-dir", tmp_path).stdout
    assert "whole" in listed.splitlines()[3]
    said = {line.split(".")[0]: line for line in listed.splitlines() if line.startswith("cannot be read: ")}
    assert "No such file" in said["cannot be read: no-manifest"]
    assert "is not JSON" in said["cannot be read: cut"]
    assert "changed or damaged" in said["cannot be read: other-figures"]
    assert "not-a-run" not in listed
    items = parsed(quick("runs", "--runs-dir", tmp_path, "--json").stdout)
    assert [item["run"] for item in items if "damaged" in item] == ["cut", "no-manifest", "other-figures"]


def test_each_run_takes_one_line_at_eighty_columns(trained: Run, tmp_path: Path) -> None:
    name = "a-run-with-quite-a-long-name-of-forty-chars"
    shutil.copytree(trained.path, tmp_path / name)
    on_terminal = in_terminal(80, "runs", "--runs-dir", tmp_path)
    (line,) = [line for line in on_terminal.splitlines() if name in line]
    assert "%" in line
    assert "no room for: series" in on_terminal


def in_terminal(width: int, *arguments: object) -> str:
    """What a command prints on a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    env = {name: value for name, value in environment(TERM="xterm").items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "forecast", *map(str, arguments)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=env) as process:
        os.close(theirs)
        printed = b""
        with suppress(OSError):  # Linux's way to say that the other end is closed
            while part := os.read(ours, 65536):
                printed += part
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[\d;]*m", "", printed.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize("width", [60, 80, 160])
def test_predict_shows_a_table_on_a_terminal(width: int, trained: Run) -> None:
    shown = in_terminal(width, "predict", trained.path)
    assert all(len(line) <= width for line in shown.splitlines())
    assert shown.startswith("y: the next 3 months after 2006-08-01")
    for row in trained.forecast.to_dict("records"):
        (line,) = [line for line in shown.splitlines() if f"{row['ds']:%Y-%m-%d}" in line]
        low, high = (f"{row[f'lstm-{end}-95']:.2f}" for end in ("lo", "hi"))
        assert f"{row['lstm']:.2f} " in line
        assert f"{low} to {high}" in line
    assert ("no room for: " in shown) == (width < 160)


def test_paths_are_printed_in_one_piece(quick: Callable[..., Result], trained: Run, tmp_path: Path) -> None:
    # A path that is broken over two lines cannot be copied.
    long = tmp_path / ("deep" * 20) / ("er" * 20)
    shutil.copytree(trained.path, long / "months")
    shown = quick("report", "months", "--runs-dir", long)
    assert str(long / "months" / "plots" / "1-test-span.png") in shown.stdout


def test_without_runs_there_is_advice(quick: Callable[..., Result], tmp_path: Path) -> None:
    empty = quick("runs", "--runs-dir", tmp_path)
    assert empty.exit_code == 0
    assert "forecast train weather" in empty.stdout
    assert parsed(quick("runs", "--runs-dir", tmp_path, "--json").stdout) == []


@pytest.mark.usefixtures("no_plots")
def test_train_in_json_has_the_keys_that_were_promised(
    quick: Callable[..., Result], monthly_csv: Path, tmp_path: Path
) -> None:
    options = [*TINY, "--model", "rnn", "--epochs", "1", "--runs-dir", tmp_path, "--run", "j"]
    done = quick("train", monthly_csv, *options, "--json", "--quiet")
    assert done.stderr == ""
    document = parsed(done.stdout)
    assert isinstance(document, dict)
    promised = {"schema", "n_windows", "horizon", "unit", "season", "models", "skill", "by_step", "verdict"}
    assert promised | {"run", "path"} <= document.keys()
    assert document["run"] == "j"
    assert {"mae", "rmse", "mase", "smape"} < set(document["models"]["rnn"])
    assert open_run(Path(document["path"])).metrics["models"] == document["models"]


def test_resume_takes_no_other_setting(quick: Callable[..., Result]) -> None:
    done = quick("train", "--resume", "x", "--epochs", "3")
    assert isinstance(done.exception, ForecastError)
    assert done.exception.exit_code == 2
    assert done.exception.advice == "Type: forecast train --resume x"


def test_resume_of_what_is_not_there(quick: Callable[..., Result]) -> None:
    done = quick("train", "--resume", "months")
    assert isinstance(done.exception, ForecastError)
    message, advice = done.exception.text("shell")
    assert message == "The run 'months' is finished, so there is nothing to resume."
    assert advice == "See it with: forecast report months\nForecast with: forecast predict months"
    done = quick("train", "--resume", "nothing")
    assert "no unfinished training 'nothing'" in str(done.exception)


@pytest.mark.usefixtures("no_plots")
def test_what_resuming_a_finished_run_advises_works(
    made: tuple[subprocess.CompletedProcess[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(made[1] / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    assert ended(monkeypatch, "train", "--resume", "monthly-lstm") == 2
    said = capsys.readouterr().err.splitlines()
    commands = [line.split(": forecast ")[1] for line in said if ": forecast " in line]
    assert [command.split()[0] for command in commands] == ["report", "predict", "train"]
    for command in commands:
        assert ended(monkeypatch, *shlex.split(command)) == 0, capsys.readouterr().err
    assert [run.name for run in all_runs(runs_dir=tmp_path / "models")] == ["monthly-lstm"]


def test_an_empty_name_is_refused(quick: Callable[..., Result], monthly_csv: Path, tmp_path: Path) -> None:
    done = quick("train", monthly_csv, "--run", "", "--runs-dir", tmp_path, "--epochs", "1", "--model", "rnn")
    assert isinstance(done.exception, ForecastError)
    assert done.exception.exit_code == 2


def test_explain(quick: Callable[..., Result], tmp_path: Path) -> None:
    said = quick("explain", "months", "--output", tmp_path / "inside")
    assert said.exit_code == 0, said.output
    lines = said.stdout.splitlines()
    assert lines[0].startswith("layer 1 of 8 units: ")
    assert [Path(line).name for line in lines[-3:]] == ["1-gates.png", "2-gradient.png", "3-importance.png"]
    told = quick("explain", "months", "--output", tmp_path / "inside", "--json")
    assert parsed(told.stdout) == parsed((tmp_path / "inside" / "explain.json").read_text())


def test_stream_goes_on_where_it_stopped(
    quick: Callable[..., Result], trained: Run, monthly: pd.DataFrame, tmp_path: Path
) -> None:
    rows, state = monthly.tail(20), tmp_path / "state.json"

    def streamed(part: pd.DataFrame, *more: object) -> Result:
        return quick("stream", "months", "--state", state, *more, stdin=part.to_csv(index=False))

    first = streamed(rows[:8])
    assert first.exit_code == 0, first.output
    assert len(pd.read_csv(io.StringIO(first.stdout))) == 3 * 3
    assert "warning: no forecast yet: The newest forecast needs 6 rows" in first.stderr
    second = streamed(rows, "--json")
    documents = [parsed(line) for line in second.stdout.splitlines()]
    assert len(documents) == 12
    wanted = trained.forecast.astype({"ds": str, "cutoff": str}).to_dict(orient="records")
    assert [row["ds"] for row in documents[-1]] == [row["ds"] for row in wanted]  # type: ignore[index, attr-defined]
    gap = streamed(monthly.tail(1).assign(ds=pd.Timestamp("2020-01-01")))
    assert isinstance(gap.exception, ForecastError)
    assert gap.exception.exit_code == 2
    again = streamed(monthly.tail(1).assign(ds=pd.Timestamp("2020-01-01")), "--restart", "--quiet")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "")


def test_a_stream_starts_from_a_history(
    quick: Callable[..., Result], monthly: pd.DataFrame, monthly_csv: Path, tmp_path: Path
) -> None:
    row = pd.DataFrame({"ds": [monthly["ds"].iloc[-1] + pd.offsets.MonthBegin()], "y": [20.0]})
    said = quick(
        "stream", "months", "--history", monthly_csv, "--state", tmp_path / "s.json", stdin=row.to_csv(index=False)
    )
    assert said.exit_code == 0, said.output
    assert len(pd.read_csv(io.StringIO(said.stdout))) == 3


def test_a_bar_that_is_missed_exits_with_four(
    trained: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, "evaluate", trained.path, "--require-skill", "persistence:-5") == 0
    capsys.readouterr()
    bars = ["--require-skill", "persistence:-5", "--require-skill", "rnn:0.99"]
    assert ended(monkeypatch, "evaluate", trained.path, *bars, "--json", "--quiet") == 4
    shown = capsys.readouterr()
    assert parsed(shown.err)["error"].startswith("lstm has too little skill: against rnn it is ")
    assert parsed(shown.out) == parsed((trained.path / "metrics.json").read_text())
    assert ended(monkeypatch, "train", "weather", "--require-skill", "naive:0.1", "--runs-dir", trained.path) == 2
    allowed = "References: persistence, seasonal-naive, drift, mean, seasonal-mean, zero, climatology, log-har, rnn."
    assert allowed in capsys.readouterr().err
