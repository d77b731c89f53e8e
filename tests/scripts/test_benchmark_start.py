"""The benchmark of the first minute: its bars are ratios within a turn."""

from __future__ import annotations

import benchmark_start as benchmark
from speed import IMPORT, PREDICT


def test_each_command_is_compared_with_the_import_of_its_turn() -> None:
    seconds = {IMPORT: [4.0, 8.0, 5.0], **{command: [4.0, 8.0, 5.0] for command in benchmark.LIMITS}}
    seconds["forecast train weather --no-baseline"] = [8.4, 15.2, 9.0]
    seconds[PREDICT] = [0.4, 1.6, 0.65]
    bars = dict(zip(benchmark.LIMITS, benchmark.bars_of(seconds), strict=True))
    assert bars["forecast train weather --no-baseline"].rounds == (2.1, 1.9, 1.8)
    assert bars["forecast train weather --no-baseline"].holds
    assert bars[PREDICT].found == 0.13
    assert not bars[PREDICT].holds


def test_the_parts_of_a_run_are_shares_of_it() -> None:
    profile = dict.fromkeys(benchmark.STAGES, 0.5) | {"import TensorFlow": 4.5}
    rows = benchmark.profile_table([profile, profile]).splitlines()
    assert "| import TensorFlow | 4.50 | 56% |" in rows
