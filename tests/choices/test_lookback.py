"""A longer lookback is taken where a probe finds that it pays on the validation span, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import forecast
from forecast import Config, Panel, Settings
from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.data.clock import Clock


def planned(settings: Settings, panel: Panel) -> tuple[Config, list[str]]:
    """The configuration, and the sentences that are shown before training."""
    config, choices = resolve(settings, panel)
    return config, plan_in_sentences(config, panel.clock, choices)


def months(values: np.ndarray) -> Panel:
    times = np.datetime64("1950-01", "M") + np.arange(len(values))
    return Panel(values[:, None], times.astype("datetime64[us]"), ("y",), Clock("MS"), default_target="y")


def five_years(n: int = 900) -> Panel:
    """A cycle of five years, of which three years, the default lookback, show too little."""
    rng = np.random.default_rng(0)
    pattern = rng.normal(size=60)
    return months(np.tile(pattern, n // 60) + rng.normal(0, 0.2, n))


def test_a_memory_that_pays_is_doubled_and_the_reason_is_told() -> None:
    config, notes = planned(forecast.configure(), five_years())
    assert config.data.lookback == 144
    (told,) = [note for note in notes if note.startswith("lookback")]
    assert told.startswith("lookback 144 months (a linear map errs ")
    assert "less before the test span than with 36), horizon 12 months" in told


def test_a_random_walk_gets_no_longer_memory() -> None:
    config, notes = planned(forecast.configure(), months(np.random.default_rng(1).normal(size=900).cumsum()))
    assert (config.data.lookback, config.network.normalise) == (36, "last")
    assert "a linear map errs" not in " ".join(notes)


@pytest.mark.parametrize("settings", [{"lookback": 30}, {"segment": 3}, {"model": "lstm"}])
def test_what_the_user_chose_is_not_touched(settings: dict[str, object]) -> None:
    config, notes = planned(forecast.configure(settings), five_years())
    assert config.data.lookback == settings.get("lookback", 36)
    assert "linear map" not in " ".join(notes)


def test_the_test_span_is_not_looked_at() -> None:
    panel = five_years()
    values = panel.values.copy()
    values[int(0.8 * len(values)) + 1 :] = np.random.default_rng(2).normal(
        size=(len(values[int(0.8 * len(values)) + 1 :]), 1)
    )
    changed = replace(panel, values=values)
    assert resolve(forecast.configure(), changed) == resolve(forecast.configure(), panel)


def test_a_series_without_room_keeps_what_it_has() -> None:
    config, _ = resolve(forecast.configure(), five_years(240))  # 168 training rows: at most 56 in a lookback
    assert config.data.lookback == 36


def test_gaps_that_a_longer_window_cannot_do_without_forbid_it() -> None:
    panel = five_years()
    kept = np.arange(panel.n_rows) % 100 != 99
    holed = replace(panel, values=panel.values[kept], times=panel.times[kept], offsets=(0, int(kept.sum())))
    assert resolve(forecast.configure(least_observed=1), holed)[0].data.lookback == 36
    assert resolve(forecast.configure(), holed)[0].data.lookback == 144  # windows with holes do without


def test_many_short_series_have_as_long_a_lookback_as_leaves_windows_to_train_on() -> None:
    one = months(np.random.default_rng(5).normal(size=84))
    n_series = 60
    many = Panel(
        np.tile(one.values, (n_series, 1)),
        np.tile(one.times, n_series),
        ("y",),
        one.clock,
        tuple(f"s{number}" for number in range(n_series)),
        tuple(84 * number for number in range(n_series + 1)),
        default_target="y",
    )
    # Of 36 rows twelve are for validation; a year and a horizon make the other 24, one window for each series.
    settings = {"test_from": "1953-01-01", "horizon": 12}
    data = planned(forecast.configure(settings), many)[0].data
    assert (data.lookback, data.validation_from) == (12, "1952-01-01T00:00:00")
    assert len(forecast.prepare(many, forecast.resolve(forecast.configure(settings), many)[0]).train) == 60


@pytest.mark.parametrize("settings", [{"newest": 10}, {"newest": 12, "lookback": 24}])
def test_what_the_look_judges_is_what_is_read(settings: dict[str, object]) -> None:
    config, _ = planned(forecast.configure(settings), five_years())
    assert (config.network.newest, config.data.lookback) == (settings["newest"], settings.get("lookback", 36))


def test_of_dates_the_rows_before_them_count() -> None:
    times = np.datetime64("2001-01-01", "us") + np.arange(20_000) * np.timedelta64(1, "h")
    values = np.random.default_rng(6).normal(size=(20_000, 1))
    panel = Panel(values, times, ("y",), Clock("h"), default_target="y")
    few = resolve(forecast.configure(test_from=str(times[230])), panel)[0]
    assert few.data.lookback <= 230 // 3
    assert len(forecast.prepare(panel, few).train) > 50
    config = resolve(forecast.configure(test_from=str(times[2000])), panel)[0]
    assert (config.data.lookback, config.network.segment, config.training.batch_size) == (168, 8, 64)


def test_members_that_read_more_find_windows_between_gaps() -> None:
    panel = five_years()
    kept = np.arange(panel.n_rows) % 100 != 99
    holed = replace(panel, values=panel.values[kept], times=panel.times[kept], offsets=(0, int(kept.sum())))
    config, choices = resolve(forecast.configure(least_observed=1, members="all"), holed)
    assert 36 < config.data.lookback <= 99 - 12
    assert len(forecast.prepare(holed, config).train) > 0
    reasons = {choice.field: choice.why for choice in choices}
    assert reasons["lookback"] == "the longest that a member of the portfolio reads"
    assert config.network.newest == 36
