"""Write the built-in series under ``data/``, byte for byte the same each time: ``python scripts/export_datasets.py``.

Two come from statsmodels, one from matplotlib's sample data, one from the weather generator beside this file.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import matplotlib.cbook as cbook
import numpy as np
import pandas as pd
from statsmodels.datasets import co2, elnino

from forecast.runs.files import write_atomically
from generate_station import generate

DATA = Path(__file__).parents[1] / "data"


def weather() -> pd.DataFrame:
    """Monthly sea-surface temperature of the eastern Pacific [°C]; the source has a row a year and a column a month."""
    by_year = elnino.load_pandas().data.set_index("YEAR")
    ds = pd.date_range(f"{int(by_year.index[0])}-01-01", periods=by_year.size, freq="MS")
    return pd.DataFrame({"ds": ds, "temperature": by_year.to_numpy().ravel()})


def carbon_dioxide() -> pd.DataFrame:
    """Weekly carbon dioxide at Mauna Loa [ppm], with the weeks that were not measured left empty."""
    weekly = co2.load_pandas().data
    return pd.DataFrame({"ds": weekly.index, "co2": weekly["co2"].to_numpy()})


def stocks() -> pd.DataFrame:
    """Daily GOOG: open, high, low, close and adjusted close [USD], and volume [shares]."""
    prices = pd.DataFrame(np.load(cbook.get_sample_data("goog.npz", asfileobj=False), allow_pickle=False)["price_data"])
    return prices.rename(columns={"date": "ds"})[["ds", "open", "high", "low", "close", "volume", "adj_close"]]


SERIES = {"weather": weather, "co2": carbon_dioxide, "stocks": stocks, "station": generate}


def export(folder: Path = DATA) -> dict[str, str]:
    """Write every built-in series as CSV.

    Args:
        folder: Where the files go; it must exist.

    Returns:
        SHA-256 by file name.
    """
    digests = {}
    for name, series in SERIES.items():
        frame = series()
        frame["ds"] = frame["ds"].dt.strftime("%Y-%m-%d %H:%M" if name == "station" else "%Y-%m-%d")
        content = frame.to_csv(index=False, lineterminator="\n").encode()
        write_atomically(folder / f"{name}.csv", content)
        digests[f"{name}.csv"] = hashlib.sha256(content).hexdigest()
    return digests


if __name__ == "__main__":
    for file, digest in export(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA).items():
        print(digest, file)
