"""Ordinary use: what each preset makes of real series without any option, beside the naive and a classical forecast.

    python scripts/benchmark_ordinary.py --data FOLDER [--only JFK,WTI] [--kept FILE]

Each preset is trained with its defaults and seed 0. The mean absolute error of its best epoch on the validation span
chooses; every test window is reported. Exponential smoothing (ETS, statsmodels) is fitted anew at each of some evenly
spaced cut-offs, because at every one it would take days, and stands beside the default on the same cut-offs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.tsa.holtwinters import ExponentialSmoothing

import forecast
from forecast import Run
from records import Record, figure_of, keep_records, markdown, read_records

DEFAULT = "segment-lstm"
PRESETS = (DEFAULT, "lstm", "stacked-lstm", "gru", "rnn")
NAIVE = ("persistence", "seasonal-naive")

# The vanilla RNN in the default's design, which is trained beside it.
TWIN = "rnn in its design"

# A source that holds no slash is a built-in series.
TASKS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "JFK": ("jfk_weather/jfk_weather_cleaned.csv", {"target": "DRYBULBTEMPF"}),
    "NYC": ("nyc_airports_2013/weather.csv", {"target": "temp"}),
    "Beijing PM2.5": ("beijing_pm25/raw.csv", {"target": "pm2.5"}),
    "WTI": ("eia_energy_prices/wti-daily.csv", {}),
    "natural gas": ("eia_energy_prices/natural-gas-daily.csv", {}),
    "AAPL": ("stocks/aapl.us.txt", {}),
    "weather": ("weather", {}),
    "co2": ("co2", {}),
    "station": ("station", {}),
    "stocks": ("stocks", {}),
}

# Cut-offs at which ETS is fitted, and the seasons that it looks back on.
ETS_CUTOFFS, ETS_SEASONS, ETS_LEAST = 60, 12, 120


def run_task(name: str, folder: Path) -> list[Record]:
    """Train every preset on one series; a record for each model."""
    source, settings = TASKS[name]
    panel = forecast.read(str(folder / source) if "/" in source else source)
    records = []
    with tempfile.TemporaryDirectory() as place:
        for preset in PRESETS:
            config = forecast.configure({"model": preset, "baseline": preset == DEFAULT, **settings})
            run = forecast.train(panel, config, run=preset, runs_dir=Path(place))
            history, best = run.history, run.manifest["networks"]["model"]["best_epochs"][0]
            validation = history.loc[history["epoch"] == best, "validation_mae"]
            records.append(_record(name, preset, run, preset, float(validation.iloc[0])))
            if preset == DEFAULT:
                records += [_record(name, TWIN, run, "rnn"), *(_record(name, naive, run, naive) for naive in NAIVE)]
                records.append(_ets(name, panel, run))
    return records


def _record(name: str, model: str, run: Run, column: str, validation: float | None = None) -> Record:
    metrics = run.metrics
    return {
        "series": name,
        "model": model,
        "validation_mae": validation,
        "test_mae": metrics["models"][column]["mae"],
        "n_windows": metrics["n_windows"],
        "horizon": metrics["horizon"],
        "seconds": run.manifest["networks"]["model"]["seconds"] if model in PRESETS else None,
        "p_of_the_model_trained_here": metrics["p_value"].get(column),
    }


def _ets(name: str, panel: forecast.Panel, run: Run) -> Record:
    """Exponential smoothing and the default on the same evenly spaced cut-offs."""
    season, horizon = run.metrics["season"], run.metrics["horizon"]
    target = panel.column(run.config.data.target[0])
    windows = list(run.test_forecasts.groupby(["unique_id", "cutoff"], sort=False))
    errors, ours = [], []
    for (series, cutoff), window in windows[:: max(1, len(windows) // ETS_CUTOFFS)]:
        rows = panel.rows(panel.series_ids.index(series) if panel.n_series > 1 else 0)
        seen = panel.values[rows, target][panel.times[rows] <= pd.Timestamp(str(cutoff)).to_datetime64()]
        past = pd.Series(seen[-max(ETS_SEASONS * season, ETS_LEAST) :]).ffill().bfill().to_numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it did not converge is no news; its forecast counts as it is
            fitted = ExponentialSmoothing(
                past, trend="add", damped_trend=True, seasonal="add" if season > 1 else None, seasonal_periods=season
            ).fit()
        errors.append(np.abs(fitted.forecast(horizon) - window["y"].to_numpy()))
        ours.append(np.abs(window[DEFAULT].to_numpy() - window["y"].to_numpy()))
    return {
        "series": name,
        "model": "ets",
        "test_mae": float(np.mean(errors)),
        "default_there": float(np.mean(ours)),
        "n_windows": len(errors),
    }


def table(records: list[Record]) -> str:
    """Validation / test MAE in Markdown; an asterisk marks the preset that the validation span would choose."""
    others = (TWIN, *NAIVE)
    head = ["series", *PRESETS, *others, f"ETS ({DEFAULT} there)"]
    rows: list[list[str]] = [head]
    for name in TASKS:
        found = {str(record["model"]): record for record in records if record["series"] == name}
        if not found:
            continue
        chosen = min(PRESETS, key=lambda model: figure_of(found[model], "validation_mae"))
        cells = [
            f"{found[model]['validation_mae']:.4g} / {found[model]['test_mae']:.4g}{' *' if model == chosen else ''}"
            for model in PRESETS
        ]
        cells += [f"{found[model]['test_mae']:.4g}" for model in others]
        cells.append(f"{found['ets']['test_mae']:.4g} ({found['ets']['default_there']:.4g})")
        rows.append([name, *cells])
    return markdown(rows)


def main() -> None:
    """Compute the series that are missing, print each record as JSON, and the table at the end."""
    parser = argparse.ArgumentParser(description="What the presets make of real series without any option.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--only", default=",".join(TASKS), help="some series, such as JFK,WTI")
    parser.add_argument("--kept", type=Path, default=Path("models/ordinary.jsonl"), help="results kept between calls")
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        parser.error(f"there is no series {unknown[0]!r}; there are {', '.join(TASKS)}")
    records = read_records(options.kept)
    for name in names:
        if not any(record["series"] == name for record in records):
            found = run_task(name, options.data)
            records += found
            keep_records(options.kept, found)
            for record in found:
                print(json.dumps(record), flush=True)
    print(table([record for record in records if record["series"] in names]))


if __name__ == "__main__":
    main()
