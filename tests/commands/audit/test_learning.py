"""What is learned before a cut-off is the same whatever comes after; two looks ahead that once were are caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run, Settings
from forecast.choices import defaults, portfolio
from forecast.commands.audit import audit as auditing
from forecast.commands.audit import learning
from forecast.commands.audit.checks import Audit
from forecast.commands.backtest import backtest as backtesting
from forecast.data import codes
from forecast.data.panel import Panel
from forecast.data.windows import Flags
from forecast.errors import LeakError
from forecast.evaluation.scoring import Evaluation
from forecast.runs.calibration import intervals_of
from forecast.sources import from_table
from forecast.sources.onto_clock import Observations
from forecast.sources.read import read
from forecast.tables.table import Table
from recording import RecordingProgress

Tiny = Callable[..., Settings]
N_ROWS, SMALL = 300, {"baseline": False, "epochs": 1, "covariates": "auto", "normalise": "last"}


def prices(n_rows: int = N_ROWS) -> pd.DataFrame:
    walk = 50 * np.exp(0.01 * np.random.default_rng(0).normal(size=n_rows).cumsum())
    return pd.DataFrame({"ds": pd.bdate_range("2020-01-06", periods=n_rows), "close": walk})


def weather(n_rows: int = N_ROWS) -> pd.DataFrame:
    """Hours of a station; of 99.9, which means a missing temperature, three stand in the training rows."""
    rng = np.random.default_rng(1)
    hours = np.arange(n_rows)
    temperature = 15 + 8 * np.sin(hours * 2 * np.pi / 24) + rng.normal(0, 0.5, n_rows)
    frame = pd.DataFrame({"ds": pd.date_range("2021-03-01", periods=n_rows, freq="h"), "temp": temperature})
    frame["humidity"] = np.clip(70 - 3 * (temperature - 15) + rng.normal(0, 2, n_rows), 1, 100)
    frame["rain"] = np.where(rng.random(n_rows) < 0.1, rng.gamma(1, 2, n_rows), 0.0)
    frame.loc[[30, 80, 130], "temp"] = 99.9
    return frame


@pytest.fixture(scope="module")
def station(plotless: None, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("station")
    weather().to_csv(folder / "station.csv", index=False)
    return forecast.train(folder / "station.csv", tiny(target="temp", **SMALL), run="station", runs_dir=folder)


@pytest.fixture(scope="module")
def share(plotless: None, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("share")
    prices().to_csv(folder / "share.csv", index=False)
    return forecast.train(folder / "share.csv", tiny(**SMALL), run="share", runs_dir=folder)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(auditing, "_ORIGINS", 2)
    return monkeypatch


@pytest.fixture
def signs_of_all_rows(brief: pytest.MonkeyPatch) -> None:
    """Whether a target is a price is told by the signs of all rows."""
    true = defaults.why_price

    def of_all_rows(panel: Panel, target: str, training_rows: Flags, known_rows: Flags) -> str:
        return true(panel, target, training_rows, np.ones_like(known_rows))

    brief.setattr(defaults, "why_price", of_all_rows)


@pytest.fixture
def ranges_of_all_rows(brief: pytest.MonkeyPatch) -> None:
    """Which values are codes is told by the range of all rows, while reading."""
    true = from_table._cleaned

    def cleaned(table: Table, names: tuple[str, ...], rows: Observations, *options: Any) -> object:
        for column in rows.values.T:
            column[np.isin(column, codes.find_codes(column))] = np.nan
        return true(table, names, rows, *options)

    brief.setattr(from_table, "_cleaned", cleaned)
    brief.setattr(from_table, "may_hold_codes", lambda _: False)


def details(found: Audit) -> dict[str, str]:
    return {check.name: check.detail for check in found.checks if not check.passed}


def test_runs_that_look_at_no_later_row_pass(station: Run, share: Run, brief: pytest.MonkeyPatch) -> None:
    assert station.config.read.codes == ("99.9@temp",)
    assert share.config.data.transform == "log"
    assert forecast.audit(station).failed == forecast.audit(share).failed == ()


@pytest.mark.usefixtures("signs_of_all_rows")
def test_a_price_told_by_the_signs_of_all_rows_is_caught(share: Run) -> None:
    failed = details(forecast.audit(share))
    assert set(failed) == {"choices"}
    assert "; transform is 'log', and 'none'; " in failed["choices"]
    assert failed["choices"].endswith(" with all from 2020-12-07 on changed.")


@pytest.mark.usefixtures("ranges_of_all_rows")
def test_codes_told_by_the_range_of_all_rows_are_caught(station: Run) -> None:
    failed = details(forecast.audit(station))
    assert "reading" in failed
    assert "'temp' at 2021-03-02 06:00 is nan, and 99.9 with all from " in failed["reading"]


def test_codes_decided_by_all_rows_are_caught(station: Run, brief: pytest.MonkeyPatch) -> None:
    brief.setattr(defaults, "decide_codes", lambda panel, rows: codes.decide_codes(panel, np.ones_like(rows)))
    assert "codes is ('99.9@temp',), and () with all from " in details(forecast.audit(station))["choices"]


def test_what_was_chosen_by_later_rows_is_caught_once_it_is_mended(
    tiny: Tiny, plotless: None, tmp_path: Path, brief: pytest.MonkeyPatch
) -> None:
    frame = prices()
    frame.loc[N_ROWS - 1, "close"] = 0
    with pytest.MonkeyPatch.context() as planted:
        planted.setattr(defaults, "why_price", lambda *_: "")  # what the signs of all rows tell
        run = forecast.train(frame, tiny(**SMALL), run="planted", runs_dir=tmp_path)
    assert "; transform is 'none', and 'log'; " in details(forecast.audit(run, frame))["choices"]


def test_another_portfolio_of_the_program_is_no_leak(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, frame = tiny(members="all", **SMALL), prices()
    table = learning.Table(frame, asked.read, read(frame, asked.read))
    config, _ = defaults.resolve(asked, table.panel)
    assert len(config.portfolio) > 3
    since = np.array([frame["ds"][240]], "datetime64[us]")
    monkeypatch.setattr(portfolio, "PORTFOLIO", dict([*portfolio.PORTFOLIO.items()][1:]))
    assert learning.check_choices(table, asked, since, config).passed


def audited(source: object, settings: Settings, **arguments: object) -> list[str]:
    """The lines of the audit of a backtest, whose networks are not fitted."""
    progress = RecordingProgress()
    forecast.backtest(source, settings, audit=True, progress=progress, **arguments)  # type: ignore[arg-type]
    return [note for note in progress.notes if note.startswith("passed")]


@pytest.fixture
def unfitted(brief: pytest.MonkeyPatch) -> None:
    brief.setattr(backtesting, "_backtest_fits", lambda *_: Evaluation({"backtest": {}}, pd.DataFrame()))
    brief.setattr(backtesting, "_AUDITED", 2)


@pytest.mark.usefixtures("unfitted")
@pytest.mark.parametrize("name", ["share", "station", "three", "built in", "resampled", "numbered"])
def test_backtests_pass(name: str, station: Run, three: pd.DataFrame, tiny: Tiny) -> None:
    gappy = three.drop(index=range(180, 200)).reset_index(drop=True)
    source, settings = {
        "share": (prices(), {}),
        "station": (str(station.manifest["source"]), {"target": "temp", "lookback": None}),
        "three": (gappy, {}),
        "built in": ("weather", {}),
        "resampled": (weather(2400), {"target": "temp", "resample": "6h"}),
        "numbered": (weather().drop(columns="ds"), {"target": "temp", "freq": "step"}),
    }[name]
    lines = audited(source, tiny(**SMALL | settings), windows=4, refit=2)
    assert [line.split(": ")[0] for line in lines] == [
        f"passed  {check}" for check in ("choices", "reading", "scaler, future changed", "training windows", "inputs")
    ]


@pytest.mark.usefixtures("unfitted", "signs_of_all_rows")
def test_a_price_told_by_later_signs_is_caught_in_a_backtest(tiny: Tiny) -> None:
    with pytest.raises(LeakError, match=r"leaks: 1 of 5 checks failed\. Failed: choices\."):
        audited(prices(), tiny(**SMALL), windows=4)


@pytest.mark.usefixtures("unfitted", "ranges_of_all_rows")
def test_codes_told_by_a_later_range_are_caught_in_a_backtest(tiny: Tiny) -> None:
    with pytest.raises(LeakError, match="reading; "):
        audited(weather(), tiny(target="temp", **SMALL), windows=4, refit=2)


def test_an_audit_stands_in_the_figures_of_a_backtest(
    monthly: pd.DataFrame, tiny: Tiny, trained: Run, brief: pytest.MonkeyPatch
) -> None:
    found = forecast.backtest(monthly, tiny(baseline=False, epochs=1), windows=2, audit=True)
    assert [check["passed"] for check in found.metrics["backtest"]["audit"]] == [True] * 5
    with pytest.raises(forecast.ConfigError, match="a backtest cannot audit its fit"):
        forecast.backtest(trained, audit=True)


def made_wild(frame: pd.DataFrame) -> pd.DataFrame:
    """Another test span: zeros, negative values, codes, spikes, and nothing at the end."""
    wild = frame.copy()
    first = round(0.8 * len(frame))
    size = frame.iloc[:, 1:].max()
    for number, value in enumerate([0.0, -3.0, -9999.0, 99.9, 99.9, 1e6, 999.9, 999.9, -9999.0, 1e20, 0.0]):
        wild.iloc[first + 2 * number, 1:] = value
    wild.iloc[first + 25 : first + 40, 1:] = 7 * size.to_numpy() + np.arange(15.0)[:, None]
    wild.iloc[-12:, 1:] = np.nan
    return wild


@pytest.mark.parametrize(("name", "target"), [("share", "close"), ("station", "temp")])
def test_another_test_span_changes_no_bit_of_what_is_learned(
    name: str, target: str, request: pytest.FixtureRequest, tiny: Tiny, tmp_path: Path
) -> None:
    run: Run = request.getfixturevalue(name)
    frame = made_wild(prices() if name == "share" else weather())
    frame.to_csv(tmp_path / "wild.csv", index=False)
    other = forecast.train(tmp_path / "wild.csv", tiny(target=target, **SMALL), run="wild", runs_dir=tmp_path)
    assert other.config.replace(data={"target": run.config.data.target}) == run.config
    for file in ("weights.npz", "scaler.json", "ranges.npz"):
        assert (other.path / file).read_bytes() == (run.path / file).read_bytes(), file
    before, then = (intervals_of(each, "start") for each in (run, other))
    assert before is not None
    assert then is not None
    assert before.calibrations.keys() == then.calibrations.keys()
    for forecaster, calibration in before.calibrations.items():
        for field, value in vars(calibration).items():
            assert np.array_equal(value, vars(then.calibrations[forecaster])[field]), (forecaster, field)
    assert other.metrics["models"] != run.metrics["models"]
