"""Small tables for tests of reading, and what a refusal, a warning or a silent success must look like."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import ForecastError
from forecast.sources.from_table import read_panel


def table(n: int = 40, step: str = "D", form: str = "%Y-%m-%d", sep: str = ",", start: str = "2020-01-01") -> str:
    """A column v of 0.5, 1.5 and so on beside its time."""
    times = pd.date_range(start, periods=n, freq=step)
    return f"time{sep}v\n" + "".join(f"{t.strftime(form)}{sep}{i}.5\n" for i, t in enumerate(times))


LINES = table().splitlines()


def with_line(number: int, line: str, text: str = "") -> str:
    """A table with another line at this place."""
    lines = (text or table()).splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n"


def column(values: object, name: str = "v", step: str = "h") -> str:
    """A table of one column."""
    cells = list(values)  # type: ignore[call-overload]
    times = pd.date_range("2020-01-01", periods=len(cells), freq=step)
    return f"time,{name}\n" + "".join(f"{t:%Y-%m-%d %H:%M},{v}\n" for t, v in zip(times, cells, strict=True))


def berlin(form: str, start: str = "2020-10-24") -> str:
    """Sixty hours of a wall clock in Berlin."""
    times = pd.date_range(start, periods=60, freq="h", tz="Europe/Berlin")
    return "time,v\n" + "".join(f"{t.strftime(form)},{i}\n" for i, t in enumerate(times))


def stacked(cities: str = "ab") -> str:
    """The table once for each city, below one another."""
    return "city,time,v\n" + "".join(f"{city},{row}{k}\n" for k, city in enumerate(cities) for row in LINES[1:])


def zipped(**members: str) -> bytes:
    """A zip archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


def read(folder: Path, content: str | bytes, **options: object) -> Panel:
    """The panel of a file ``table.csv`` in a folder."""
    path = folder / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_panel(path, ReadOptions(**options))  # type: ignore[arg-type]


def refused(source: object, settings: dict[str, object]) -> str:
    """What the refusal to train on a source of the working folder says: exit code 2, nothing written, a next step."""
    before = sorted(Path.cwd().rglob("*"))
    with pytest.raises(ForecastError) as caught:
        forecast.train(source, settings, runs_dir=Path("models"))  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert caught.value.message
    assert caught.value.advice
    assert sorted(Path.cwd().rglob("*")) == before
    return "\n".join(caught.value.text("shell"))


_COMMAND = re.compile(
    r"((?:(?:sed|cat|zcat|unzip|mv|\(echo) [^\n]*? (?:\||&&) )?forecast inspect \S+(?: --[^(\n]*)?)(?: \(|$)",
    re.MULTILINE,
)


def commands(message: str) -> list[str]:
    """The commands in a message that need no name to be filled in."""
    found = _COMMAND.findall(message)
    return [command for command in found if not re.search(r"\b(COLUMN|NAME|FILE|data\.csv)\b", command)]


def obeyed(command: str) -> Panel:
    """The panel that a command of an advice leads to."""
    before, _, arguments = command.rpartition("forecast inspect ")
    path, *words = shlex.split(arguments)
    if before:
        done = subprocess.run(["bash", "-c", before.rstrip(" |&")], capture_output=True, check=True)
        if path == "-":
            path = "mended.csv"
            Path(path).write_bytes(done.stdout)
    options = {name[2:].replace("-", "_"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    return read_panel(path, forecast.configure(options).read)


def followed(message: str) -> Panel | None:
    """The panel that the first command of a message leads to; None where there is none to follow as it is."""
    return obeyed(commands(message)[0]) if commands(message) else None


def followed_in_python(advice: str) -> Panel:
    """The panel that the first call of an advice leads to, after the command of a shell that it may need."""
    found = re.search(r"(.*?)(forecast\.read\(.*?\)+)(?= |$)", advice, re.MULTILINE)
    assert found, advice
    before, call = found.groups()
    if before.endswith(", then "):
        command = re.split("(?:^|[:.] )(?=sed|zcat|unzip|cat|mv|\\(echo)", before.removesuffix(", then "))[-1]
        subprocess.run(["bash", "-c", command], check=True)
    return eval(call, {"forecast": forecast})  # type: ignore[no-any-return]
