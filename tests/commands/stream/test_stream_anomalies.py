"""A stream that says which rows are odd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

import forecast
from forecast import Run


@pytest.fixture(scope="module")
def later(monthly: pd.DataFrame) -> pd.DataFrame:
    """Thirty more months, with a spike and then a level that shifts."""
    months = np.arange(200, 230)
    y = 20 + 5 * np.sin(2 * np.pi * months / 12)
    y[10] += 200
    y[20:] += 300
    return pd.DataFrame({"ds": pd.date_range(monthly["ds"].iloc[-1], periods=31, freq="MS")[1:], "y": y})


def test_each_row_is_judged_as_over_the_whole_span_and_a_stream_goes_on_where_it_stopped(
    trained: Run, monthly: pd.DataFrame, later: pd.DataFrame, tmp_path: Path
) -> None:
    stream, flags = forecast.Stream(trained, tmp_path / "state.json", anomalies=True), []
    stream.remember(monthly)
    for number, row in enumerate(later.to_dict("records")):
        if number in (11, 21):  # right after a discovery
            stream.save()
            stream = forecast.Stream(trained, tmp_path / "state.json", anomalies=True)
        answer = stream.push(row["ds"], row)
        assert answer is not None
        assert answer["kind"].nunique() == answer["p"].nunique() == 1
        flags.append((answer["p"].iloc[0], answer["kind"].iloc[0]))
    p, kinds = (np.array(part) for part in zip(*flags, strict=True))
    assert np.flatnonzero(kinds != "")[:4].tolist() == [10, 20, 21, 22]
    assert kinds[[10, 20, 22]].tolist() == ["spike", "spike", "shift"]
    whole = forecast.anomalies(trained, pd.concat([monthly, later]), since="2006-09-01")
    np.testing.assert_allclose(p[:10], whole.rows["p"][:10], rtol=0.3)
    gap = stream.push("2009-03-01", {"y": np.nan})
    assert gap is None or set(gap["kind"]) == {"gap"}
    # One that judges nothing keeps fewer rows, and reads the same file.
    plain = forecast.Stream(trained, tmp_path / "state.json").push("2008-06-01", {"y": 300.0})
    assert plain is not None
    assert "kind" not in plain


def test_the_command_shows_it(
    quick: Callable[..., Result], monthly_csv: Path, later: pd.DataFrame, tmp_path: Path
) -> None:
    source = tmp_path / "later.csv"
    later[:12].to_csv(source, index=False)
    state = tmp_path / "state.json"
    done = quick("stream", "months", source, "--history", monthly_csv, "--state", state, "--anomalies", "--quiet")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].endswith(",p,kind,number")
    assert [line.split(",")[-2] for line in lines[1::3]] == [""] * 10 + ["spike", ""]
