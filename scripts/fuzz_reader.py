"""Feeds the reader with bytes that coverage chooses; each must end in a panel or a message, soon and in little memory.

Prints how many inputs were tried. A traceback, ten seconds over one input, or a gigabyte of memory ends it with exit
code 1 and the bytes of that input as hex; the first of them chooses the options, the others are the file.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from forecast.config import ReadOptions

OPTIONS = (
    ReadOptions(),
    ReadOptions(freq="D"),
    ReadOptions(resample="h"),
    ReadOptions(tz="Europe/Berlin"),
    ReadOptions(decimal=","),
    ReadOptions(thousands=","),
    ReadOptions(encoding="latin-1", skip_rows=1),
    ReadOptions(date_format="%d.%m.%Y %H:%M", delimiter=";"),
    ReadOptions(series_id="city", keep_sentinels=True),
    ReadOptions(time_column="time,hour"),
)


def seeds() -> list[bytes]:
    """Small tables of every kind that the reader knows, each behind the byte that chooses its options."""
    days, hours = pd.date_range("2020-01-01", periods=9), pd.date_range("2020-10-24 20:00", periods=9, freq="h")
    daily = "time,v\n" + "".join(f"{t:%Y-%m-%d},{i}.5\n" for i, t in enumerate(days))
    german = "Zeit;T (°C)\n" + "".join(f"{t:%d.%m.%Y %H:%M};{i},25\n" for i, t in enumerate(hours))
    stacked = "city,time,v\n" + "".join(f"{c},{t:%Y-%m-%d},{i}\n" for c in "ab" for i, t in enumerate(days))
    parts = "year,month,day,hour,v\n" + "".join(f"{t.year},{t.month},{t.day},{t.hour},-9999\n" for t in hours)
    zoned = 'time,v\n"' + "".join(f'{t:%Y-%m-%dT%H:%M:%S+02:00}","1,234"\n"' for t in hours)[:-1]
    epochs = "t\tv\tw\n" + "".join(f"{1577836800 + 60 * i}\tNA\t1e20\n" for i in range(9))
    months = "month|v\n" + "".join(f"2020-Q{i},{i}\n".replace(",", "|") for i in range(1, 5))
    packed, parquet = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", daily)
    pd.DataFrame({"time": days, "v": range(9), "w": list("abcdefghi")}).to_parquet(parquet)
    plain = [text.encode() for text in (daily, german, stacked, parts, zoned, epochs, months)]
    others = [gzip.compress(plain[0]), packed.getvalue(), parquet.getvalue(), german.encode("utf-16")]
    chosen = {1: 0, 2: 1, 3: 1, 4: 1, 5: 4, 6: 1, 7: 1, 8: 2, 9: 0}
    return [b"\0" + content for content in plain + others] + [bytes([n]) + plain[i] for n, i in chosen.items()]


def fuzz(arguments: list[str]) -> None:
    """Run libFuzzer in this process, which it ends, and in this folder.

    Args:
        arguments: Those of libFuzzer.
    """
    import atheris

    with atheris.instrument_imports(include=["forecast"]):
        for name in [name for name in sys.modules if name.startswith("forecast")]:
            del sys.modules[name]
        from forecast.errors import DataError
        from forecast.sources.from_table import read_panel
        from forecast.sources.quality import inspect_columns

    path = Path("input")

    def read(data: bytes) -> None:
        path.write_bytes(data[1:])
        try:
            panel = read_panel(path, OPTIONS[data[0] % len(OPTIONS)] if data else None)
        except DataError:
            return
        inspect_columns(panel)
        assert not (abs(panel.values) == float("inf")).any(), "an infinite value"
        assert (panel.absent_before() >= 0).all(), "times that do not ascend"

    target: Callable[[bytes], None] = read
    atheris.Setup([sys.argv[0], *arguments], target)
    atheris.Fuzz()


def main() -> int:
    """Fuzz in a process of its own, which a hang or an exhausted memory may end; say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    seconds = parser.parse_args().seconds
    # In memory, where there is such a place: each input is written to a file.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        corpus, found = Path(folder, "corpus"), Path(folder, "found")
        corpus.mkdir()
        found.mkdir()
        for number, content in enumerate(seeds()):
            (corpus / str(number)).write_bytes(content)
        limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=4096"]
        command = [sys.executable, os.path.abspath(__file__), "--child", *limits, "-print_final_stats=1"]
        done = subprocess.run(
            [*command, f"-artifact_prefix={found}/", str(corpus)], capture_output=True, text=True, cwd=folder
        )
        tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        print(f"{int(tried[1]) if tried else 0:,} inputs tried.")
        if done.returncode == 0 and tried:
            return 0
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
        for path in sorted(found.iterdir()):
            print(f"{path.name}:\n{path.read_bytes().hex()}")
    return 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        fuzz(sys.argv[2:])
    sys.exit(main())
