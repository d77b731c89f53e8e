"""Disks that are really full, as the command line meets them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.runs.find import open_run
from forecast.runs.run import Run
from injection import results

TRAIN = "-m forecast train {source} --model rnn --units 16 --epochs 2 --lookback 6 --horizon 3 --run months --overwrite"


def trains(setting: str, source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Train over the run of a folder in a shell that a setting has narrowed, and see what it leaves in it."""
    command = f"{setting} && cd {folder} && {sys.executable} {TRAIN.format(source=source)}; code=$?"
    return subprocess.run(
        [
            "unshare",
            "-Urm",
            "bash",
            "-c",
            f"{command}; ulimit -S -f unlimited; cp -r {folder} {folder}.left; exit $code",
        ],
        capture_output=True,
        text=True,
    )


@pytest.mark.thorough
@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode != 0,
    reason="needs a name space of its own, to mount a small disk in",
)
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("mkdir {folder}/kept && cp -r {folder}/models {folder}/kept && mount -t tmpfs -o size={bytes} tmpfs "
         "{folder}/models && cp -r {folder}/kept/models/. {folder}/models", "No space left on device"),
        ("ulimit -S -f 8", "File too large"),
    ],
    ids=["a full disk", "a limit of size"],
)  # fmt: skip
def test_a_full_disk_ends_with_three_and_leaves_the_older_run(
    tmp_path: Path, trained: Run, monthly_csv: Path, setting: str, reason: str
) -> None:
    folder = tmp_path / "work"
    shutil.copytree(trained.path, folder / "models" / "months")
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())
    done = trains(setting.format(folder=folder, bytes=used + 60_000), monthly_csv, folder)
    left = Path(f"{folder}.left") / "models"
    run = open_run(left / "months")
    results(run)
    assert [path for path in left.rglob("*") if path.name.endswith(".tmp")] == []
    assert done.returncode == 3, done.stderr
    assert f"bytes): {reason}." in done.stderr
    assert "Free some space there" in done.stderr
    assert "Traceback" not in done.stderr
    assert run.manifest == trained.manifest
