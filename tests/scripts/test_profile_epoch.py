"""The profile of an epoch: every second of it is accounted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contenders.contest import Contest
from profile_epoch import tables


@pytest.mark.thorough
def test_the_parts_of_an_epoch_make_the_whole(tmp_path: Path) -> None:
    values = np.sin(np.arange(600) / 4)[:, None].astype(np.float32)
    contest = Contest(tmp_path, values, ("y",), "2020-01-01T00:00", 420, 480, 12, 4, 4, 64)
    wall, busy = tables(contest, default=False).split("\n\n")
    for table in (wall, busy):
        shares = [float(line.split("|")[3].strip(" %")) for line in table.splitlines()[2:]]
        assert sum(shares) == pytest.approx(100, abs=1)
        assert min(shares) >= 0
    assert "compiled steps" in wall
    seconds = {line.split("|")[1].strip(): float(line.split("|")[2]) for line in busy.splitlines()[2:]}
    assert min(seconds["the recurrence, forwards"], seconds["the recurrence, backwards"]) > 0
