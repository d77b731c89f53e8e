"""Columns that never change in a series: they are told, fed if they are named, and series never seen have them, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, DataError, Settings
from forecast.choices.columns import static_columns
from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from recording import RecordingProgress


def shops(n_series: int, n_rows: int = 40) -> pd.DataFrame:
    """Shops of a size and a region, with a price that changes and a tax that never does."""
    rng = np.random.default_rng(1)
    parts = [
        pd.DataFrame(
            {
                "unique_id": f"s{number:02d}",
                "ds": pd.date_range("2021-01-01", periods=n_rows),
                "sales": rng.normal(10 + number, 1, n_rows),
                "price": rng.normal(5, 1, n_rows),
                "size": 100.0 + 10 * number,
                "region": ("north", "south")[number % 2],
                "tax": 0.2,
            }
        )
        for number in range(n_series)
    ]
    return pd.concat(parts, ignore_index=True)


def planned(n_series: int, **settings: object) -> tuple[forecast.Config, list[str]]:
    panel = forecast.read(shops(n_series))
    config, choices = resolve(forecast.configure({"target": "sales", **settings}), panel)
    return config, plan_in_sentences(config, panel.clock, choices)


def test_they_never_change_in_a_series_and_differ_between_series() -> None:
    panel = forecast.read(shops(4))
    every, early = np.ones(panel.n_rows, bool), np.arange(panel.n_rows) % 40 < 20
    assert static_columns(panel, every) == ("size", "region=north", "region=south")
    panel.values[30, panel.column("size")] = 0
    assert static_columns(panel, every) == ("region=north", "region=south")
    assert "size" in static_columns(panel, early)  # no later value decides
    assert static_columns(panel.of_series(np.array([0])), every[:40]) == ()


def test_they_are_told_and_not_fed_by_themselves() -> None:
    config, sentences = planned(4)
    assert config.data.static == config.data.known == ()
    told = (
        "never change in a series, and describe it: size, region=north, region=south; not fed, unless named as static"
    )
    assert told in sentences
    assert told not in planned(4, static="none")[1]


def test_those_that_are_named_are_fed_and_nothing_else() -> None:
    config, _ = planned(4, static="region", known="price")
    assert config.data.known == ("price", "region=north", "region=south")
    assert config.data.static == ("region=north", "region=south")
    assert resolve(config, forecast.read(shops(4)))[0] == config
    with pytest.raises(DataError, match="'price' changes in a series") as caught:
        planned(4, static="price")
    assert "'size', 'region=north'" in caught.value.advice
    with pytest.raises(ConfigError, match="direct does not look ahead"):
        planned(4, static="size", model="lstm")


def test_a_series_never_seen_brings_its_own(tiny: Callable[..., Settings], tmp_path: Path, plotless: None) -> None:
    settings = tiny(model="segment-lstm", segment=3, target="sales", covariates="none", static="size,region", epochs=1)
    run = forecast.train(shops(6), settings, run="run", runs_dir=tmp_path)
    new = shops(8).query("unique_id == 's07'")
    progress = RecordingProgress()
    found = forecast.predict(run, new, progress=progress)["segment-lstm"]
    assert "not trained on: s07; scaled by its own rows" in progress.warnings
    larger = forecast.predict(run, new.assign(size=500.0))["segment-lstm"]
    assert (larger != found).all()  # its size is on the scale of the shops that were trained on
    elsewhere = forecast.predict(run, new.assign(region="west"))["segment-lstm"]
    assert np.isfinite(elsewhere).all()


def test_of_a_single_series_one_that_changes_is_refused() -> None:
    panel = forecast.read(shops(1))
    with pytest.raises(DataError, match="static: 'price' changes") as refused:
        resolve(forecast.configure(target="sales", static="price"), panel)
    assert "covariates" in refused.value.text("python")[1]
    assert resolve(forecast.configure(target="sales", static="size"), panel)[0].data.static == ("size",)


def test_an_input_that_is_the_same_throughout_one_series_is_told() -> None:
    table = shops(4)
    table.loc[table["unique_id"] == "s02", "price"] = 5.0
    panel = forecast.read(table)
    config, choices = resolve(forecast.configure(target="sales"), panel)
    assert "price" not in config.data.covariates
    assert "price: it never changes in 1 of 4 series" in "; ".join(plan_in_sentences(config, panel.clock, choices))
