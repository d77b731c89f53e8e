"""Audits: runs that are clean pass every check, and each planted leak is caught by the check that is named for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import forecast
from forecast import Run, Settings
from forecast.cli import main
from forecast.commands.audit import audit as auditing
from forecast.commands.audit.checks import Audit
from forecast.commands.audit.doubts import find_doubts, what_rows_do_not_tell
from forecast.data import prepare, scaling, windows
from forecast.data.panel import Panel
from forecast.data.prepare import arrange
from forecast.data.split import Split
from forecast.data.windows import Ints
from forecast.errors import DataError, LeakError
from forecast.models import network
from forecast.models.backends import keras, onnx
from forecast.models.network import Shape
from forecast.sources.read import read
from recording import RecordingProgress

ON_ANY_ROWS = ["repeatable", "future changed", "future deleted", "future shuffled", "inputs", "covariates",
               "imputation", "newest rows"]  # fmt: skip
ON_TRAINING_ROWS = ["choices", "reading", "scaler", "scaler, future changed", "training windows", "windows", "parts",
                    "purge", "scored"]  # fmt: skip


def frame_of(n_rows: int = 200) -> pd.DataFrame:
    """Days of a target, a covariate that leads nothing, and one that follows the target by a day; some are missing."""
    rng = np.random.default_rng(5)
    y = 10 + np.sin(np.arange(n_rows) / 3) + rng.normal(0, 0.3, n_rows)
    frame = pd.DataFrame({"ds": pd.date_range("2021-01-01", periods=n_rows, freq="D"), "y": y})
    frame["x"] = rng.normal(size=n_rows).cumsum()
    frame["z"] = np.r_[0, y[:-1]] + rng.normal(0, 0.5, n_rows)
    frame.loc[[20, 21, 90, 150, 151, 170], "x"] = np.nan
    frame.loc[[60, 175], "y"] = np.nan
    return frame


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("days") / "days.csv"
    frame_of().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fed(days: Path, plotless: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network that is fed two covariates. Only to be read."""
    return forecast.train(days, covaried(), run="fed", runs_dir=tmp_path_factory.mktemp("runs"))


def covaried() -> Settings:
    small = {"model": "lstm", "units": 6, "epochs": 1, "lookback": 6, "horizon": 3, "batch_size": 32}
    small |= {"least_observed": 1.0, "longest_fill": 2}
    return forecast.configure({**small, "target": "y", "covariates": "x,z", "baseline": False})


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Three origins are enough to catch what is planted."""
    monkeypatch.setattr(auditing, "_ORIGINS", 3)
    return monkeypatch


def failed_in(found: Audit) -> set[str]:
    assert not found.passed
    return set(found.failed)


def detail_of(found: Audit, name: str) -> str:
    return next(check.detail for check in found.checks if check.name == name)


def test_a_clean_run_passes_every_check(fed: Run) -> None:
    found = forecast.audit(fed)
    assert [check.name for check in found.checks] == ON_ANY_ROWS + ON_TRAINING_ROWS
    assert found.failed == ()
    assert found.warnings == ()
    assert len(found.origins) == 8
    assert "with only the later values of 'x', 'z' changed" in detail_of(found, "covariates")


@pytest.mark.usefixtures("plotless", "brief")
@pytest.mark.parametrize(
    "settings",
    [
        {"ensemble": 2, "refit": True, "transform": "log", "model": "rnn"},
        {"stateful": True, "normalise": "last"},
        {"model": "segment-lstm", "segment": 2, "lookback": 8, "decode": "recursive"},
    ],
)
def test_designs_over_several_series(
    three: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path, settings: dict[str, object]
) -> None:
    uneven = three.drop(index=range(180, 200)).reset_index(drop=True)
    run = forecast.train(uneven, tiny(epochs=1, baseline=False, **settings), run="three", runs_dir=tmp_path)
    with pytest.raises(DataError, match="Give them as source"):
        forecast.audit(forecast.find("three", runs_dir=tmp_path))
    found = forecast.audit(run)  # the very rows, which are still in memory: every check is made
    assert [check.name for check in found.checks] == ON_ANY_ROWS + ON_TRAINING_ROWS
    assert found.failed == ()


@pytest.mark.usefixtures("plotless", "brief")
def test_what_is_known_ahead_is_kept_also_where_channels_are_series(
    tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    frame = frame_of().drop(columns="z").ffill()
    frame["plan"] = np.random.default_rng(1).integers(0, 2, len(frame)).astype(float)
    config = tiny(target="y,x", known="plan", channels="independent", decode="parallel", baseline=False, epochs=1)
    run = forecast.train(frame, config, run="planned", runs_dir=tmp_path)
    found = forecast.audit(run, frame)
    assert found.failed == ()
    assert "'plan', known ahead, is kept" in detail_of(found, "future changed")
    assert detail_of(found, "newest rows").startswith("6 forecasts")
    assert "no undeclared covariate" in detail_of(found, "covariates")


def test_on_business_days_what_hangs_on_a_holiday_is_left_out(
    tiny: Callable[..., Settings], plotless: None, tmp_path: Path
) -> None:
    frame = frame_of(260)[["ds", "y"]].assign(ds=pd.bdate_range("2021-01-04", periods=260)).ffill()
    holidays = frame.drop(index=range(210, 260, 4)).reset_index(drop=True)
    config = tiny(decode="parallel", calendar=True, baseline=False, epochs=1, freq="B")
    run = forecast.train(holidays, config, run="business", runs_dir=tmp_path)
    found = forecast.audit(run, holidays)
    assert found.failed == ()
    assert "(without " in detail_of(found, "newest rows")


# The five planted leaks.


@pytest.mark.usefixtures("plotless")
def test_a_scaler_on_all_rows_is_caught(days: Path, tmp_path: Path, brief: pytest.MonkeyPatch) -> None:
    def on_all_rows(panel: Panel, training_rows: windows.Flags, *more: tuple[str, ...]) -> scaling.Scaler:
        return scaling.fit_scaler(panel, np.ones_like(training_rows), *more)

    with pytest.MonkeyPatch.context() as planted:
        planted.setattr(prepare, "fit_scaler", on_all_rows)
        run = forecast.train(days, covaried(), run="scaled", runs_dir=tmp_path)
        found = forecast.audit(run)
        assert failed_in(found) == {"scaler, future changed", "training windows"}
        detail = detail_of(found, "scaler, future changed")
        assert "with all 60 rows from 2021-05-21 on changed, filled with codes and emptied: with all from " in detail
        assert "2021-05-21 on changed, the mean of 'y' is " in detail
    # Once the leak is mended in the code, the run that was trained with it is still found.
    assert failed_in(forecast.audit(run)) == {"scaler"}


def test_back_filling_is_caught(fed: Run, brief: pytest.MonkeyPatch) -> None:
    def back_filled(panel: Panel, longest: int, column: int) -> tuple[windows.Floats, windows.Flags]:
        filled, usable = windows.fill_forward(panel, longest, column)
        return pd.Series(filled).bfill().to_numpy(), np.ones_like(usable)

    brief.setattr(prepare, "fill_forward", back_filled)
    found = forecast.audit(fed)
    assert "imputation" in failed_in(found)
    assert "the filled value 'y' at " in detail_of(found, "imputation")


def test_a_shuffled_split_is_caught(fed: Run, brief: pytest.MonkeyPatch) -> None:
    true = Split.part_of

    def of_shuffled_weeks(split: Split, panel: Panel) -> np.ndarray:
        weeks = np.array_split(true(split, panel), panel.n_rows // 14)
        return np.concatenate([weeks[number] for number in np.random.default_rng(0).permutation(len(weeks))])[
            : panel.n_rows
        ]

    brief.setattr(Split, "part_of", of_shuffled_weeks)
    found = forecast.audit(fed)
    assert {"purge", "windows", "scaler"} <= failed_in(found)


def test_windows_that_are_shuffled_into_parts_are_caught(fed: Run, brief: pytest.MonkeyPatch) -> None:
    def shuffled(rows: prepare.Rows, part_rows: windows.Flags, config: forecast.config.DataConfig) -> windows.Windows:
        every = prepare.index_windows(rows.panel, np.ones_like(part_rows), rows.usable, rows.seen, 6, 3)
        order = np.random.default_rng(0).permutation(len(every))
        share = np.flatnonzero(part_rows)[0] / len(part_rows), np.flatnonzero(part_rows)[-1] / len(part_rows)
        picked = order[int(share[0] * len(order)) : int(share[1] * len(order))]
        return windows.Windows(np.sort(every.starts[picked]), 6, 3)

    brief.setattr(prepare, "windows_of", shuffled)
    found = forecast.audit(fed)
    assert {"parts", "purge"} <= failed_in(found)
    assert "target rows are in train and in validation" in detail_of(found, "parts")


@pytest.fixture
def centred(brief: pytest.MonkeyPatch) -> None:
    """What the network is fed of the target is a centred rolling mean."""

    def smoothed(panel: Panel, longest: int, column: int) -> tuple[windows.Floats, windows.Flags]:
        filled, usable = windows.fill_forward(panel, longest, column)
        if column == 0:
            filled = pd.Series(filled).rolling(3, center=True, min_periods=1).mean().to_numpy()
        return filled, usable

    brief.setattr(prepare, "fill_forward", smoothed)


@pytest.mark.usefixtures("centred")
def test_a_centred_rolling_mean_is_caught(fed: Run) -> None:
    found = forecast.audit(fed)
    assert {"inputs", "future changed", "future deleted", "future shuffled", "newest rows"} <= failed_in(found)
    assert "the filled value 'y' at " in detail_of(found, "inputs")
    assert "covariates" not in found.failed
    # The run was trained and scored without it: its forecasts on file are others.
    assert "scored" in found.failed


def test_a_covariate_from_the_future_is_caught(fed: Run, brief: pytest.MonkeyPatch) -> None:
    def shifted(panel: Panel, longest: int, column: int) -> tuple[windows.Floats, windows.Flags]:
        filled, usable = windows.fill_forward(panel, longest, column)
        if column == 1:
            filled = np.concatenate([filled[2:], filled[-2:]])
        return filled, usable

    brief.setattr(prepare, "fill_forward", shifted)
    found = forecast.audit(fed)
    assert {"covariates", "inputs", "future changed"} <= failed_in(found)
    assert "lstm forecasts " in detail_of(found, "covariates")


def test_a_window_that_reaches_into_the_horizon_is_caught(fed: Run, brief: pytest.MonkeyPatch) -> None:
    true = network.gather_windows

    def one_row_late(rows: prepare.Rows, starts: Ints, sizes: Shape) -> tuple[NDArray[np.float32], ...]:
        past, *ahead = true(rows, starts, sizes)
        next_row = rows.inputs_at(starts[:, None] + sizes.lookback)
        return np.concatenate([past[:, 1:], next_row], axis=1), *ahead

    for runtime in (keras, onnx):
        brief.setattr(runtime, "gather_windows", one_row_late)
    found = forecast.audit(fed)
    ways = {"future changed", "future deleted", "future shuffled", "covariates", "newest rows"}
    assert failed_in(found) - {"scored"} == ways  # what it is fed is sound, which rows of it is not


def test_a_covariate_that_is_the_target_some_steps_later_is_told(
    fed: Run, brief: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = frame_of()
    frame.assign(x=100 - 2 * frame["y"].shift(-2), z=frame["z"] ** 2).to_csv(tmp_path / "days.csv", index=False)
    brief.setattr(sys, "argv", ["forecast", "audit", str(fed.path), str(tmp_path / "days.csv"), "--json", "--strict"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 4
    document = json.loads(capsys.readouterr().out.split('\n{\n  "error')[0])
    assert document["passed"]
    (told,) = document["strong"]
    assert document["warnings"] == [told]
    assert told.startswith("covariate 'x' is nearly a copy of the target 'y' 2 steps later (")


def test_rows_that_are_there_twice_and_copies_of_now_are_told(fed: Run) -> None:
    frame = frame_of()
    frame.loc[180:, "y"] = frame.loc[30:49, "y"].to_numpy()
    panel = read(frame.assign(x=frame["y"] * 1.8 + 32), fed.config.read)
    since = np.array([frame["ds"][160]], "datetime64[us]")
    copy, repeat = find_doubts(arrange(panel, fed.config.data), 1, 0, 6, 3, since)
    assert copy.sentence == "covariate 'x' is the target 'y' in the same or other units: was it known as early?"
    assert "the same 20 rows from 2021-01-31 on, before the test span, and from 2021-06-30 on" in repeat.sentence
    assert (copy.strong, repeat.strong) == (False, True)


def test_what_rows_cannot_tell_is_said(fed: Run) -> None:
    panel = read(frame_of(), fed.config.read)
    said = list(what_rows_do_not_tell(panel, fed.config.data))
    assert [sentence.split()[1] for sentence in said] == ["a", "a", "values"]
    planned = fed.config.data.model_copy(update={"covariates": (), "known": ("x", "z")})
    assert any(
        sentence.startswith("whether 'x', 'z', known ahead, ") for sentence in what_rows_do_not_tell(panel, planned)
    )


def test_new_rows_are_audited_as_far_as_they_go(fed: Run, brief: pytest.MonkeyPatch) -> None:
    progress = RecordingProgress()
    found = forecast.audit(fed, frame_of(230), progress=progress)
    assert [check.name for check in found.checks] == ON_ANY_ROWS
    assert found.failed == ()
    assert progress.notes[-1].startswith("these are not the rows that fed was trained on")
    with pytest.raises(DataError, match="There is no window to score"):
        forecast.audit(fed, frame_of()[:100])


def test_the_command_says_what_passed(fed: Run, brief: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    brief.setattr(sys, "argv", ["forecast", "audit", "fed", "--quiet", "--json", "--runs-dir", str(fed.path.parent)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["run"], document["passed"], document["warnings"]) == ("fed", True, [])
    assert [check["passed"] for check in document["checks"]] == [True] * 17
    assert said.err == ""


@pytest.mark.usefixtures("centred")
def test_the_command_ends_with_four_where_something_leaks(
    fed: Run, brief: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    brief.setattr(sys, "argv", ["forecast", "audit", str(fed.path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == LeakError.exit_code == 4
    said = capsys.readouterr()
    assert "passed  repeatable: " in said.out
    assert "FAILED  future changed: " in said.out
    assert "fed leaks: " in said.out
    assert "Do not trust the scores of this run." in said.err
    assert "Traceback" not in said.err
