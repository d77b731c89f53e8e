"""Make the figures and the table of docs/tutorial: ``python scripts/tutorial.py --data FOLDER``, in some minutes.

The folder holds ``jfk_weather/jfk_weather_cleaned.csv``, hours of the weather at New York's airport JFK. Each network
is one of the textbook's, fed hour by hour, and forecasts the temperature of the next day from a week.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

import forecast
from forecast.data.panel import Floats

FIGURES = Path(__file__).parent.parent / "docs" / "tutorial"

SETTINGS = {"target": "DRYBULBTEMPF", "covariates": "none", "lookback": 168, "horizon": 24, "normalise": "standard",
            "epochs": 6, "calendar": False}  # fmt: skip
MODELS = ("lstm", "stacked-lstm", "gru", "peephole-lstm", "coupled-lstm")
FIRST = pd.Timestamp("2015-07-01")  # three years
UNITS, STEPS = 32, 200
COLOURS = {"rnn": "#d1495b", "lstm": "#1f77b4", "stacked-lstm": "#444444", "gru": "#3a8f5c", "peephole-lstm": "#c98a2b",
           "coupled-lstm": "#8d6cab"}  # fmt: skip


def gradient_of_a_fresh_cell(name: str, forget_bias: float = 1.0) -> Floats:
    """How far a change of the state is felt some steps later, in a cell that has learned nothing, [STEPS].

    It is the largest singular value of the product of the steps' Jacobians, in plain NumPy. What reaches a unit before
    its activation is drawn at random, with a spread of 1 for the plain RNN, and of 0.5 for a gate. The recurrent matrix
    is orthogonal, as when a training starts.
    """
    rng = np.random.default_rng(7)
    recurrent = np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0]
    reach = np.eye(UNITS)
    norms = []
    for _ in range(STEPS):
        if name == "rnn":  # h = tanh(W x + U h')
            h = np.tanh(rng.normal(size=UNITS))
            reach = (1 - h**2)[:, None] * recurrent @ reach
        else:  # along the cell state alone: c = f∘c' + i∘c̃
            f = 1 / (1 + np.exp(-(0.5 * rng.normal(size=UNITS) + forget_bias)))
            reach = f[:, None] * reach
        norms.append(np.linalg.norm(reach, 2))
    return np.array(norms)


def plot_forgetting() -> Figure:
    """Why a plain RNN forgets, and what the bias of the forget gate is for."""
    figure, axes = plt.subplots(figsize=(7, 3.4))
    steps = np.arange(1, STEPS + 1)
    axes.plot(steps, gradient_of_a_fresh_cell("rnn"), color=COLOURS["rnn"], label="plain RNN")
    for bias, dash in ((0.0, ":"), (1.0, "--"), (4.0, "-")):
        label = f"LSTM's cell state, forget bias {bias:g}"
        axes.plot(steps, gradient_of_a_fresh_cell("lstm", bias), dash, color=COLOURS["lstm"], label=label)
    axes.set(yscale="log", ylim=(1e-12, 3), xlim=(0, STEPS), xlabel="steps later", ylabel="what is left of a change")
    axes.legend(frameon=False, fontsize=9)
    return figure


def plot_keeping() -> Figure:
    """What is left of a memory after n steps, for some openings of the forget gate."""
    figure, axes = plt.subplots(figsize=(7, 2.8))
    steps = np.arange(101)
    for f, shade in ((1.0, 1.0), (0.99, 0.8), (0.95, 0.6), (0.9, 0.45), (0.5, 0.3)):
        axes.plot(steps, f**steps, color=COLOURS["lstm"], alpha=shade)
        place = min(np.log(0.3) / np.log(f), 62) if f < 1 else 62
        axes.annotate(f"f = {f:g}", (place, f**place), xytext=(4, 4), textcoords="offset points", fontsize=9)
    axes.set(xlim=(0, 100), ylim=(0, 1.08), xlabel="steps in which nothing is written", ylabel="left of the cell state")
    return figure


def plot_cells(gradients: dict[str, Floats]) -> Figure:
    """How far back the forecasts of trained networks look: the norm of the gradient by lag, beside its newest."""
    figure, axes = plt.subplots(figsize=(7, 3.4))
    for name, norms in gradients.items():
        axes.plot(np.arange(1, len(norms) + 1), norms / norms[0], color=COLOURS[name], label=name, linewidth=1.3)
    axes.set(yscale="log", xlim=(0, 168), xlabel="hours before the forecast", ylabel="gradient, the newest hour's = 1")
    axes.legend(frameon=False, fontsize=9, ncols=2)
    return figure


def main() -> None:
    """Train, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument(
        "--runs", type=Path, default=Path("models/tutorial"), help="where the runs are kept, and used again"
    )
    options = parser.parse_args()
    FIGURES.mkdir(exist_ok=True)
    plt.rcParams.update(
        {"axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "tutorial", "svg.fonttype": "none"}
    )
    for name, figure in {"forgetting": plot_forgetting(), "keeping": plot_keeping()}.items():
        save(figure, name)
    hours = pd.read_csv(options.data / "jfk_weather" / "jfk_weather_cleaned.csv")
    hours = hours[pd.to_datetime(hours["DATE"], format="%d-%m-%Y %H:%M") >= FIRST]
    gradients: dict[str, Floats] = {}
    rows = ["| model | weights | half of what a unit holds is gone after | test MAE, °F |", "|---|---|---|---|"]
    kept = {run.name: run for run in forecast.all_runs(runs_dir=options.runs)}
    for model in MODELS:
        first = model == MODELS[0]  # which stands beside the plain RNN, and whose gates are shown
        settings = {**SETTINGS, "model": model, "baseline": first, "track_gradients": first}
        if (options.runs / f".{model}.training").exists():
            run = forecast.resume(model, runs_dir=options.runs, source=hours)
        else:
            run = kept.get(model) or forecast.train(hours, settings, run=model, runs_dir=options.runs)
        explanation = forecast.explain(run, hours)
        found = explanation.summary["gradient_by_lag"]
        gradients |= {name: np.array(norms) for name, norms in found.items()}
        rows += [row(run, name, explanation.summary["layers"] if name == model else []) for name in found]
        if first:
            for path, name in zip(explanation.plots, ("gates", "gradient", "importance", "training"), strict=True):
                shrink(path, FIGURES / f"{name}.png")
            print(*explanation.sentences, sep="\n")
    save(plot_cells(gradients), "cells")
    print(*rows, sep="\n")


def row(run: forecast.Run, name: str, layers: list[dict[str, Any]]) -> str:
    """A line of the table."""
    file = run.path / ("weights.npz" if layers else "baseline/weights.npz")
    with np.load(file, allow_pickle=False) as arrays:
        weights = sum(array.size for array in arrays.values())
    half = [f"{np.median([value for value in layer['half_lives'] if value]):.1f}" for layer in layers]
    held = f"{', '.join(half)} hours" if half else "–"
    return f"| `{name}` | {weights:,} | {held} | {run.metrics['models'][name]['mae']:.3f} |"


def save(figure: Figure, name: str) -> None:
    """Write a figure as SVG, the same bytes each time."""
    figure.savefig(FIGURES / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def shrink(source: Path, target: Path) -> None:
    """Write a picture in 64 colours, as wide as a page shows it."""
    picture = Image.open(BytesIO(source.read_bytes())).convert("RGB")
    width = min(picture.width, 1200)
    picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(64).save(target, optimize=True)


if __name__ == "__main__":
    main()
