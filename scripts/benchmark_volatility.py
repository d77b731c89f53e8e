"""An LSTM beside the log-HAR on realised variances: QLIKE and MSE of the mean of the next 1, 5 and 22 days.

    python scripts/benchmark_volatility.py FOLDER results.jsonl

FOLDER holds the three series of `SERIES`, as CSV. The protocol is that of the figures published with them: forecasts
from each day after the first 1,000 and a month, whose log-HAR (Corsi 2009) is fitted again every day to the last 1,000
days, for each horizon directly. The network is fitted again only every 63 days, to all days before. It is one recipe
for all series and horizons, chosen on the days before the first forecast of each series and on the built-in stocks,
not on what is scored here. Each line is a series and a seed; a line that is there already is not computed again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import forecast

Floats = NDArray[np.float64]

# By name: file, column, and what makes percent squared of it.
SERIES = {
    "sp500_bpq2016": ("sp500_bpq2016_1997_2013.csv", "RV", 1.0),
    "sp500_oxfordman_rv5": ("sp500_oxfordman_rv5_2000_2020.csv", "rv5", 1e4),
    "djia_oxfordman_rv5": ("djia_oxfordman_2000_2018.csv", "rv5", 1e4),
}
HORIZONS, SEEDS = (1, 5, 22), (0, 1, 2)

# Days that the log-HAR is fitted to, and the first day after which both forecast.
WINDOW, FIRST = 1000, 1045

# Textbook cells that see a month, and begin with what a linear map of its day, week and month says.
RECIPE = {
    "model": "lstm",
    "units": 8,
    "linear": True,
    "normalise": "none",
    "lookback": 22,
    "horizon": HORIZONS[-1],
    "epochs": 40,
    "learning_rate": 1e-3,
    "baseline": False,
}
REFIT = 63


def main() -> None:
    """Compute the lines that the file of results lacks, and show what they say."""
    folder, results = Path(sys.argv[1]), Path(sys.argv[2])
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    for seed in SEEDS:
        for name, (file, column, factor) in SERIES.items():
            if any((line["series"], line["seed"]) == (name, seed) for line in lines):
                continue
            variances = pd.read_csv(folder / file)[column].to_numpy(float) * factor
            line: dict[str, Any] = {"series": name, "seed": seed} | compared(variances[variances > 0], seed)
            with results.open("a") as opened:
                opened.write(json.dumps(line) + "\n")
            lines.append(line)
            print(show(line), flush=True)


def compared(variances: Floats, seed: int, first: int = FIRST, window: int = WINDOW, **recipe: Any) -> dict[str, Any]:
    """QLIKE and MSE of both forecasts at each horizon, and what the network's intervals hold.

    Args:
        variances: Of each day, [T].
        seed: Of the network.
        first: The day after which forecasts are made.
        window: Days that the log-HAR is fitted to.
        recipe: Settings other than those of `RECIPE`.
    """
    rows = pd.DataFrame({"ds": np.arange(len(variances)), "variance": variances})
    spans = {"validation_from": str(int(0.85 * first)), "test_from": str(first)}
    settings: dict[str, Any] = (
        RECIPE | recipe | spans | {"target": "variance", "volatility": True, "freq": "step", "seed": seed}
    )
    tested = forecast.backtest(rows, settings, refit=REFIT)
    steps = tested.forecasts.assign(step=tested.forecasts["ds"] - tested.forecasts["cutoff"])
    scores: dict[str, Any] = {}
    for horizon in HORIZONS:
        means = steps[steps["step"] <= horizon].groupby("cutoff")[["y", settings["model"], "log-har"]].mean()
        daily = log_har(variances, horizon, means.index.to_numpy(), window)
        forecasts = {
            "lstm": means[settings["model"]],
            "log-HAR": daily,
            "log-HAR, fitted as the network": means["log-har"],
        }
        scores[str(horizon)] = {
            name: {"qlike": qlike(means["y"], values), "mse": float(np.mean((means["y"] - values) ** 2))}
            for name, values in forecasts.items()
        }
    intervals = tested.metrics["intervals"]["models"][settings["model"]]
    held = {level: [intervals[level]["coverage_by_step"][h - 1] for h in HORIZONS] for level in ("80", "95")}
    return {"n": len(means), "scores": scores, "held": held, "verdict": tested.metrics["verdict"]}


def log_har(variances: Floats, horizon: int, days: NDArray[np.int64], window: int) -> Floats:
    """Forecasts of the mean of the next ``horizon`` days, each by the ``window`` days before that had outcomes."""
    logs = pd.Series(np.log(variances))
    inputs = np.column_stack([np.ones(len(logs)), *(logs.rolling(n).mean() for n in (1, 5, 22))])
    ahead = np.log(pd.Series(variances).rolling(horizon).mean().shift(-horizon)).to_numpy()
    forecasts = np.empty(len(days))
    for number, day in enumerate(days):
        seen = np.arange(max(22, day - horizon - window + 1), day - horizon + 1)
        weights = np.linalg.lstsq(inputs[seen], ahead[seen], rcond=None)[0]
        forecasts[number] = np.exp(inputs[day] @ weights + np.var(ahead[seen] - inputs[seen] @ weights) / 2)
    return forecasts


def qlike(y: Any, values: Any) -> float:
    """The mean of y / f - ln(y / f) - 1."""
    ratio = np.asarray(y) / np.asarray(values)
    return float(np.mean(ratio - np.log(ratio) - 1))


def show(line: dict[str, Any]) -> str:
    """A line of results for a reader: how much more or less than those of the log-HAR the network's losses are."""
    parts = [f"{line['series']}, seed {line['seed']}, {line['n']} origins:"]
    for horizon, scores in line["scores"].items():
        ours, theirs = scores["lstm"], scores["log-HAR"]
        losses = ", ".join(f"{loss} {ours[loss]:.4f} ({ours[loss] / theirs[loss] - 1:+.1%})" for loss in ours)
        parts.append(f"  {horizon} days: {losses}")
    return "\n".join([*parts, f"  intervals hold {line['held']} at these steps"])


if __name__ == "__main__":
    main()
