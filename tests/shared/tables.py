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
    """What the refusal to train on a source of the working folder says: exit code 2, nothing written, a next step.

    A command at its end that needs no name to be filled in is followed, and must lead to a panel.
    """
    before = sorted(Path.cwd().rglob("*"))
    with pytest.raises(ForecastError) as caught:
        forecast.train(source, settings, runs_dir=Path("models"))  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert caught.value.message
    assert caught.value.advice
    assert sorted(Path.cwd().rglob("*")) == before
    return "\n".join(caught.value.text("shell"))


def followed(message: str) -> Panel | None:
    """The panel that the command at the end of a message leads to; None where there is none to follow as it is."""
    pipe = re.search(r"(?:^|[:.] )((?:sed|cut|zcat|unzip|cat|\(echo) .*) \| forecast inspect -$", message, re.MULTILINE)
    if pipe:
        mended = subprocess.run(["bash", "-c", pipe[1]], capture_output=True, check=True).stdout
        Path("mended.csv").write_bytes(mended)
        return read_panel("mended.csv")
    if moved := re.search(r"(mv .*) && forecast inspect (\S+)$", message):
        subprocess.run(["bash", "-c", moved[1]], check=True)
        return read_panel(moved[2])
    command = re.search(r"forecast inspect ((?:table|weather)\.csv[^\n(]*)", message)
    words = shlex.split(command[1]) if command else []
    if len(words) % 2 == 0 or any(word.isupper() for word in words):
        return None
    options = {name[2:].replace("-", "_"): value for name, value in zip(words[1::2], words[2::2], strict=True)}
    return read_panel(words[0], forecast.configure(options).read)


def followed_in_python(advice: str) -> Panel:
    """The panel that the call at the end of an advice leads to, after the command of a shell that it may need."""
    found = re.search(r"(.*?)(forecast\.read\(.*?\)+)(?= |$)", advice, re.MULTILINE)
    assert found, advice
    before, call = found.groups()
    if before.endswith(", then "):
        command = re.split("(?:^|[:.] )(?=sed|cut|zcat|unzip|cat|mv|\\(echo)", before.removesuffix(", then "))[-1]
        subprocess.run(["bash", "-c", command], check=True)
    return eval(call, {"forecast": forecast})  # type: ignore[no-any-return]
