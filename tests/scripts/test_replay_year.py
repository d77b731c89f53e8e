"""The replay of a year: what its table says of the records, and that what is kept is not done again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import replay_year
from replay_year import Year, changed, replay, table, table_of_months


def record(arm: str, week: int, mae: float, seconds: float | None, version: int = 1) -> dict[str, object]:
    about = {"arm": arm, "week": week, "version": version, "why": "", "alarms": 0, "seconds": seconds}
    return about | {"n_windows": 10, "mae": mae, "persistence": 4.0, "coverage": 0.8, "unit": "°C"}


def test_the_table_compares_the_weeks_that_all_have() -> None:
    records = [record(arm, 0, 2.0, None) for arm in replay_year.ARMS]
    records += [record("never", 1, 4.0, None), record("fresh", 1, 2.0, 20.0), record("continued", 1, 2.2, 4.0, 2)]
    records.append(record("never", 2, 100.0, None))
    head, _, never, fresh, continued, _, naive = table(records).splitlines()
    assert head.startswith("|  | MAE (°C) | against fresh |")
    assert never == "| never | 3 | +50.0% | 80.0% | – | – | 1 | 0 |"
    assert fresh == "| fresh | 2 | +0.0% | 80.0% | 20.0 | 1.00 | 2 | 0 |"
    assert continued == "| continued | 2.1 | +5.0% | 80.0% | 4.0 | 0.20 | 2 | 0 |"
    assert naive == "last value: 4; 2 weeks"


def test_columns_change_at_once_or_by_and_by() -> None:
    days = pd.date_range("2024-01-01", periods=8, freq="D")
    panel = replay_year.forecast.read(pd.DataFrame({"ds": days, "y": 10.0, "x": 3.0}))
    later = changed(panel, days[2].to_datetime64(), ["y:1:2:4", "x:1.8:32"])
    y, x = (later.values[:, panel.columns.index(name)].tolist() for name in "yx")
    assert y == [10, 10, 10, 10.5, 11, 11.5, 12, 12]
    assert x == pytest.approx([3, 3, *[37.4] * 6])


def test_the_table_of_a_change_has_a_column_for_every_four_weeks() -> None:
    records = [record(arm, week, 2.0 + week, None) for week in range(5) for arm in replay_year.ARMS]
    records[8]["alarms"] = 1
    head, _, never, *_, naive = table_of_months(records).splitlines()
    assert head == "| MAE in weeks | 1–4 | 5–5 |"
    assert never == "| never | 3.5 | 6 |"
    assert naive == "first alarm: after 2 weeks"


def test_what_was_kept_is_not_done_again(
    tmp_path: Path, monthly: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "year.jsonl"
    year = Year(replay_year.forecast.read(monthly), {"target": "y"}, 1, tmp_path / "runs")
    replay_year.keep_records(kept, [record(arm, 0, 2.0, None) for arm in replay_year.ARMS])
    monkeypatch.setattr(Year, "train", lambda *_: pytest.fail("trained again"))
    assert len(replay(year, 1, 4, kept, 60.0)) == 3
