"""Files that people have whose targets, spans and references must be chosen with care."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run, Settings
from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.errors import DataError
from forecast.sources.read import read
from recording import RecordingProgress

pytestmark = pytest.mark.usefixtures("no_plots")

Tiny = Callable[..., Settings]


def sales_of_parts(days: int = 730, seed: int = 12, demanded: float = 0.14) -> pd.DataFrame:
    """Daily demand of a spare part: mostly none."""
    rng = np.random.default_rng(seed)
    demand = np.where(rng.random(days) < demanded, rng.integers(1, 4, days), 0)
    return pd.DataFrame({"date": pd.date_range("2022-01-01", periods=days), "demand": demand})


def skus(weeks: int = 190) -> pd.DataFrame:
    """Weekly sales of three articles for years, and of one for three weeks."""
    times, rng = pd.date_range("2019-01-07", periods=weeks, freq="W-MON"), np.random.default_rng(14)
    parts = [
        pd.DataFrame({"sku": name, "week": times, "qty": level + rng.normal(0, level / 20, weeks)})
        for name, level in (("A", 100), ("B", 10), ("C", 1000))
    ]
    return pd.concat([*parts, parts[0].tail(3).assign(sku="D")], ignore_index=True)


def months(count: int, seed: int = 32) -> pd.DataFrame:
    """Monthly sales with a yearly cycle."""
    rng, number = np.random.default_rng(seed), np.arange(count)
    sales = 100 + 10 * np.sin(2 * np.pi * number / 12) + rng.normal(0, 1, count)
    return pd.DataFrame({"month": pd.date_range("2021-01-01", periods=count, freq="MS"), "sales": sales})


def shop(days: int = 300) -> pd.DataFrame:
    """Revenue in dollars, a rate, and a count, each day."""
    rng = np.random.default_rng(33)
    orders = 4800 + 300 * np.sin(2 * np.pi * np.arange(days) / 7) + rng.normal(0, 50, days)
    return pd.DataFrame(
        {
            "d": pd.date_range("2021-01-01", periods=days),
            "revenue_usd": 2000 * orders + rng.normal(0, 1e5, days),
            "conversion": 0.02 + rng.normal(0, 1e-3, days),
            "orders": orders.round(),
        }
    )


def load(hours: int = 400) -> pd.DataFrame:
    """Load, temperature and humidity by the hour."""
    rng = np.random.default_rng(57)
    times = pd.date_range("2023-01-01", periods=hours, freq="h")
    columns = {name: rng.normal(level, 5, hours) for name, level in LOAD.items()}
    return pd.DataFrame({"datetime": times, **columns})


LOAD = {"demand_mw": 900, "temperature": 7, "humidity": 60}


# Where zeros abound


def test_a_mostly_idle_series_is_compared_with_always_zero(tmp_path: Path, tiny: Tiny) -> None:
    frame = sales_of_parts()
    run = forecast.train(frame, tiny(lookback=14, horizon=7), run="parts", runs_dir=tmp_path)
    metrics, table = run.metrics, run.test_forecasts
    known = frame[frame["date"] < run.data["validation_from"]]["demand"]
    assert metrics["models"]["zero"]["mae"] == pytest.approx(table["y"].abs().mean())
    assert metrics["models"]["mean"]["mae"] == pytest.approx((table["y"] - known.mean()).abs().mean())
    assert (table["zero"] == 0).all()
    assert (run.forecast["zero"] == 0).all()
    assert run.forecast["mean"].tolist() == pytest.approx([known.mean()] * 7)
    naive = [name for name in metrics["skill"] if name != "rnn"]
    hardest = min(naive, key=lambda name: metrics["skill"][name])
    assert hardest == "zero"
    assert "always zero (MAE" in metrics["verdict"]
    assert "most values are zero, and MAE then rewards forecasting zero" in metrics["verdict"]


@pytest.mark.parametrize(("demanded", "stands"), [(0.3, True), (0.45, True), (0.6, False), (1.0, False)])
def test_zero_stands_where_half_of_the_training_values_are_zero(demanded: float, stands: bool) -> None:
    frame = sales_of_parts(demanded=demanded)
    panel = read(frame, forecast.configure().read)
    prepared = forecast.data.prepare.prepare(panel, resolve(forecast.configure(), panel)[0])
    share = (frame["demand"][: round(0.7 * len(frame))] == 0).mean()
    assert prepared.rows.normals.sparse == stands == (share >= 0.5)


# A short series among long ones


def test_a_series_of_three_rows_does_not_stop_the_others(tmp_path: Path, tiny: Tiny) -> None:
    progress = RecordingProgress()
    run = forecast.train(skus(), tiny(), run="skus", runs_dir=tmp_path, progress=progress)
    assert any(
        "1 of 4 series have no training window and are left out of the training: D" in w for w in progress.warnings
    )
    assert any(w.startswith("there will be no forecast of 1 of 4 series. ") for w in progress.warnings)
    assert set(run.forecast["unique_id"]) == {"A", "B", "C"}
    assert set(run.metrics["by_series"]) == {"A", "B", "C"}


def test_a_series_that_begins_in_the_test_span_does_not_stop_the_others(tmp_path: Path, tiny: Tiny) -> None:
    frame = skus()
    frame = pd.concat([frame[frame["sku"] != "D"], frame[frame["sku"] == "A"].tail(30).assign(sku="D")])
    run = forecast.train(frame, tiny(), run="skus", runs_dir=tmp_path)
    assert set(run.forecast["unique_id"]) == {"A", "B", "C", "D"}  # long enough to be forecast, though not learnt from


# Short series


@pytest.mark.parametrize(
    ("frame", "asked", "rows"),
    [
        (months(84), {"horizon": 12}, (42, 21, 21)),  # ten windows in each of the two spans
        (months(30), {}, (16, 7, 7)),  # five, and a horizon of a quarter
        (months(60), {}, (30, 15, 15)),
        (months(24), {}, (10, 7, 7)),
        (months(200), {}, (139, 21, 40)),
        (months(1000), {}, (700, 100, 200)),
    ],
)
def test_the_shares_of_a_short_series(frame: pd.DataFrame, asked: dict[str, int], rows: tuple[int, ...]) -> None:
    settings = forecast.configure(asked)
    panel = read(frame, settings.read)
    config, choices = resolve(settings, panel)
    prepared = forecast.data.prepare.prepare(panel, config)
    parts = np.bincount(prepared.split.part_of(panel), minlength=3)
    assert tuple(parts) == rows
    assert len(prepared.validation) == rows[1] - config.data.horizon + 1
    told = [line for line in plan_in_sentences(config, panel.clock, choices) if line.startswith("a short series")]
    assert bool(told) == (rows[1] != round(0.1 * len(frame)))
    assert all(
        f"of {len(frame):,} rows {rows[1]} are for validation and {rows[2]} for the test" in line for line in told
    )


@pytest.mark.parametrize("days", [366, 724])
def test_a_year_or_two_of_days_with_a_horizon_of_four_weeks(days: int) -> None:
    frame = sales_of_parts(days)
    settings = forecast.configure({"horizon": 28})
    panel = read(frame, settings.read)
    prepared = forecast.data.prepare.prepare(panel, resolve(settings, panel)[0])
    assert min(len(prepared.train), len(prepared.validation), len(prepared.test)) >= 10


def test_thirty_months_are_trained_with_rough_intervals(tmp_path: Path) -> None:
    progress = RecordingProgress()
    settings = forecast.configure({"model": "lstm", "epochs": 1, "units": 4})
    run = forecast.train(months(30), settings, run="short", runs_dir=tmp_path, progress=progress)
    assert len(run.forecast) == run.config.data.horizon == 3
    assert {"lstm-lo-80", "lstm-hi-95"} <= set(run.forecast)
    rough = [warning for warning in progress.warnings if "the intervals rest on about" in warning]
    assert len(rough) == 1
    assert "the errors of the 5 validation windows depend on each other" in rough[0]


def test_shares_that_were_asked_for_are_kept() -> None:
    settings = forecast.configure({"validation": 0.1, "test": 0.2, "horizon": 12})
    panel = read(months(84), settings.read)
    config, _ = resolve(settings, panel)
    assert (config.data.validation, config.data.test) == (0.1, 0.2)
    with pytest.raises(DataError, match="the validation span needs at least 12 rows"):
        forecast.data.prepare.prepare(panel, config)


# Unlike units


@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_nothing_is_pooled_over_unlike_units(tmp_path: Path, tiny: Tiny, channels: str) -> None:
    targets = "revenue_usd,conversion,orders"
    run = forecast.train(shop(), tiny(target=targets, channels=channels), run="shop", runs_dir=tmp_path)
    metrics, table = run.metrics, run.test_forecasts
    for name, scores in metrics["models"].items():
        assert all(scores[figure] is None for figure in ("mae", "rmse", "bias", "wape"))
        assert all(f"models.{name}.{figure}" in metrics["reasons"] for figure in ("mae", "rmse", "bias", "wape"))
        assert isinstance(scores["mase"], float)
    assert metrics["skill_of"] == metrics["by_step_of"] == "MASE"
    for target, rows in table.groupby("unique_id"):
        error = rows["lstm"] - rows["y"]
        assert metrics["by_series"][target]["lstm"] == pytest.approx(error.abs().mean())
        assert metrics["rmse_by_series"][target]["lstm"] == pytest.approx((error**2).mean() ** 0.5)
    scaled = [
        (rows["lstm"] - rows["y"]).abs() / metrics["naive_error"][target]["mae"]
        for target, rows in table.groupby("unique_id")
    ]
    assert metrics["models"]["lstm"]["mase"] == pytest.approx(pd.concat(scaled).mean())
    steps = table.groupby(["unique_id", "cutoff"]).cumcount()
    first = pd.concat(scaled)[steps == 0]
    assert metrics["by_step"]["lstm"][0] == pytest.approx(first.mean())
    intervals = metrics["intervals"]["models"]["lstm"]
    assert intervals["crps"] is intervals["80"]["width"] is intervals["80"]["winkler"] is None
    assert 0 <= intervals["80"]["coverage"] <= 1


def test_series_of_one_target_are_pooled(tmp_path: Path, tiny: Tiny) -> None:
    run = forecast.train(skus(), tiny(), run="skus", runs_dir=tmp_path)
    assert isinstance(run.metrics["models"]["lstm"]["mae"], float)
    assert run.metrics["by_step_of"] == "MAE"


# The target


@pytest.mark.parametrize(
    "columns",
    [
        list(LOAD),
        ["weekly_sales", "temperature", "fuel_price"],
        ["load", "temp"],
        ["price", "demand"],
    ],
)
def test_a_target_is_not_guessed_by_a_name_that_is_as_often_an_input(columns: list[str]) -> None:
    frame = load().set_axis(["datetime", *[*columns, "other", "another"][:3]], axis=1)
    with pytest.raises(DataError) as caught:
        forecast.train(frame)
    message, advice = caught.value.text("shell")
    assert message.startswith("Which column should be forecast? There are 3: ")
    assert f"--target {columns[0]!r}" in advice


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        (["temperature", "humidity", "y"], "y"),
        (["value", "temperature", "humidity"], "value"),
        (["Open", "High", "Close"], "Close"),
        (["a", "target", "b"], "target"),
    ],
)
def test_names_that_mean_the_target_stay(columns: list[str], target: str) -> None:
    panel = read(load().set_axis(["datetime", *columns], axis=1), forecast.configure().read)
    assert panel.default_target == target


def test_the_price_of_a_market_day_is_the_target() -> None:
    frame = load().assign(other=1.0).set_axis(["Date", "Price", "Open", "High", "Low"], axis=1)
    assert read(frame, forecast.configure().read).default_target == "Price"


# Inputs that cost more than they are worth


def with_holes(frame: pd.DataFrame, column: str, every: int, length: int) -> pd.DataFrame:
    """The same with a hole in a column every so many rows."""
    holes = (np.arange(len(frame)) - 150) % every < length  # none near the end
    return frame.assign(**{column: frame[column].mask(holes)})


def chosen_inputs(frame: pd.DataFrame, **asked: object) -> tuple[tuple[str, ...], list[str]]:
    settings = forecast.configure({"target": "demand_mw", **asked})
    panel = read(frame, settings.read)
    config, choices = resolve(settings, panel)
    return config.data.covariates, plan_in_sentences(config, panel.clock, choices)


def test_an_input_that_costs_more_than_a_tenth_of_the_windows_is_left_out() -> None:
    frame = with_holes(load(4000), "humidity", every=300, length=8)  # longer than what is filled
    kept, told = chosen_inputs(frame)
    assert kept == ("temperature",)
    assert any(line.startswith("left out of the inputs: humidity: it would cost ") for line in told)
    kept, _ = chosen_inputs(with_holes(load(4000), "humidity", every=300, length=6))  # filled: costs nothing
    assert kept == ("temperature", "humidity")
    kept, _ = chosen_inputs(with_holes(load(4000), "humidity", every=3000, length=8))  # costs a few
    assert kept == ("temperature", "humidity")


def test_inputs_that_together_cost_too_much_are_not_all_taken() -> None:
    frame = with_holes(load(4000), "humidity", every=1600, length=7)
    frame["temperature"] = frame["temperature"].mask((np.arange(4000) + 700) % 1900 < 8)
    alone = [chosen_inputs(frame.drop(columns=other))[0] for other in ("temperature", "humidity")]
    kept, told = chosen_inputs(frame)
    assert len(kept) <= 1 or alone == [("humidity",), ("temperature",)]
    assert (len(kept) < 2) == any("left out of the inputs" in line for line in told)


def test_an_input_that_has_ended_before_the_test_span_is_left_out() -> None:
    frame = load(600)
    frame.loc[frame.index[-140:], "humidity"] = np.nan
    kept, told = chosen_inputs(frame, lookback=6, horizon=3)
    assert kept == ("temperature",)
    assert any("it is no longer measured in the last 6 rows before the test span" in line for line in told)


def test_an_input_that_ends_within_the_test_span_is_taken_and_its_end_is_told(tmp_path: Path, tiny: Tiny) -> None:
    frame, progress = load(600), RecordingProgress()
    frame.loc[frame.index[-20:], "humidity"] = np.nan
    assert chosen_inputs(frame, lookback=6, horizon=3)[0] == ("temperature", "humidity")
    run = forecast.train(frame, tiny(target="demand_mw"), run="kept", runs_dir=tmp_path, progress=progress)
    assert run.forecast.empty
    told = "'humidity' is no longer measured at the end of the rows: for a forecast of what follows, train with "
    assert f"{told}covariates='temperature'." in progress.warnings


def test_an_input_that_was_named_is_kept_and_its_loss_is_told(tmp_path: Path, tiny: Tiny) -> None:
    frame = load(600)
    frame.loc[frame.index[-20:], "humidity"] = np.nan
    progress = RecordingProgress()
    settings = tiny(target="demand_mw", covariates="humidity")
    run = forecast.train(frame, settings, run="named", runs_dir=tmp_path, progress=progress)
    assert run.config.data.covariates == ("humidity",)
    assert run.forecast.empty
    assert any(w.startswith("there will be no forecast. In the last 6 rows") for w in progress.warnings)
    assert any("test windows: " in w and "lack inputs (humidity)" in w for w in progress.warnings)


@pytest.mark.parametrize("part", ["values", "presence"])
def test_no_row_after_the_validation_span_decides_which_inputs_are_taken(part: str) -> None:
    frame = with_holes(load(4000), "humidity", every=300, length=8)
    later = frame.index[3200:3700]
    frame.loc[later, "temperature"] = np.nan if part == "presence" else 1e9
    assert chosen_inputs(frame)[0] == ("temperature",)


# References


def test_daily_weather_is_compared_with_its_climatology(tmp_path: Path, tiny: Tiny) -> None:
    days = pd.date_range("2015-01-01", "2021-12-31")
    rng = np.random.default_rng(1)
    weather = 10 - 10 * np.cos(2 * np.pi * days.day_of_year / 365.25) + rng.normal(0, 3, len(days))
    frame = pd.DataFrame({"ds": days, "y": weather})
    run = forecast.train(frame, tiny(epochs=1), run="weather", runs_dir=tmp_path)
    known = frame[frame["ds"] < run.data["validation_from"]]
    table = run.test_forecasts

    def normal(month: int, day: int) -> float:
        """The mean of the same day of the year and of seven days on either side, of all training years."""
        leap = pd.Timestamp(2020, month, day).day_of_year
        of_leap = pd.to_datetime(known["ds"].dt.strftime("2020-%m-%d")).dt.day_of_year
        apart = (of_leap - leap).abs()
        return float(known["y"][np.minimum(apart, 366 - apart) <= 7].mean())

    for _, row in table.iloc[:: len(table) // 20].iterrows():
        assert row["climatology"] == pytest.approx(normal(row["ds"].month, row["ds"].day))
    assert run.metrics["skill"]["climatology"] is not None
    assert run.forecast["climatology"].tolist() == pytest.approx(
        [normal(time.month, time.day) for time in run.forecast["ds"]]
    )


@pytest.mark.parametrize("kind", ["noise", "two short years", "walk"])
def test_what_has_no_yearly_cycle_has_no_climatology(kind: str) -> None:
    days, rng = (
        pd.date_range("2015-01-01", periods=900 if kind == "two short years" else 2500),
        np.random.default_rng(2),
    )
    cycle = -np.cos(2 * np.pi * days.day_of_year / 365.25)
    values = {"noise": rng.normal(size=2500), "walk": rng.normal(size=2500).cumsum(), "two short years": cycle}[kind]
    panel = read(pd.DataFrame({"ds": days, "y": values}), forecast.configure().read)
    prepared = forecast.data.prepare.prepare(panel, resolve(forecast.configure(), panel)[0])
    assert prepared.rows.normals.climatology is None


def test_white_noise_is_not_beaten(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hours = pd.date_range("2020-01-01", periods=1000, freq="h")
    frame = pd.DataFrame({"ds": hours, "y": 50 + rng.normal(size=1000)})
    settings = forecast.configure({"model": "lstm", "epochs": 3, "units": 8, "lookback": 24, "horizon": 12})
    run = forecast.train(frame, settings, run="noise", runs_dir=tmp_path)
    assert run.metrics["skill"]["mean"] < 0.02
    assert " beats " not in run.metrics["verdict"].replace("No evidence that lstm beats", "")


def test_a_scaler_of_a_version_without_normals_is_read(trained: Run) -> None:
    record = trained.scaler.to_record()
    assert record.pop("normals")
    old = type(trained.scaler).from_record(record)
    assert old.normals is None
    again = type(trained.scaler).from_record(trained.scaler.to_record())
    assert again.normals.mean.tolist() == trained.scaler.normals.mean.tolist()
