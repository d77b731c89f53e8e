"""Files that can be read in two ways, or that are no table yet: what is asked, and that the answers read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError
from tables import commands, obeyed, read

N = 60
DAYS = pd.date_range("2021-01-01", periods=N)
RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(content: str, **options: object) -> tuple[str, list[str]]:
    """The message of a refusal, and the commands that it proposes."""
    with pytest.raises(DataError) as caught:
        read(Path(), content, **options)
    message, advice = caught.value.text("shell")
    return f"{message}\n{advice}", commands(advice)


def lines(header: str, *columns: object, mark: str = ",") -> str:
    rows = zip(*columns, strict=True)  # type: ignore[call-overload]
    return "\n".join([header, *(mark.join(map(str, row)) for row in rows)]) + "\n"


@pytest.mark.parametrize("mark", [";", "\t"])
def test_points_in_a_german_file_may_be_thousands(mark: str) -> None:
    sold = RNG.integers(1001, 9999, N)
    cells = [f"{n // 1000}.{n % 1000:03d}" for n in sold]
    german = lines(f"Datum{mark}Absatz", DAYS.strftime("%d.%m.%Y"), cells, mark=mark)
    message, ways = asked(german)
    assert "may be thousands or a fraction" in message
    thousands, fraction = map(obeyed, ways)
    np.testing.assert_array_equal(thousands.values[:, 0], sold)
    np.testing.assert_array_equal(fraction.values[:, 0], sold / 1000)
    np.testing.assert_array_equal(read(Path(), german, thousands=".").values[:, 0], sold)
    # Elsewhere in the file, points stand before fractions.
    other = lines(f"Datum{mark}a{mark}b", DAYS.strftime("%d.%m.%Y"), cells, [0.5] * N, mark=mark)
    np.testing.assert_array_equal(read(Path(), other).values[:, 0], sold / 1000)


def test_codes_of_a_weather_station_are_no_decimal_commas() -> None:
    hours = pd.date_range("2021-01-01", periods=N, freq="h").strftime("%Y-%m-%dT%H:%M:%S")
    temperature = [f'"{t:+05d},1"' for t in RNG.integers(-200, 300, N)]
    pressure = [f'"{p},1"' for p in RNG.integers(9900, 10400, N)]
    wind = RNG.integers(0, 90, N)
    message, ways = asked(lines("DATE,TMP,SLP,SPEED", hours, temperature, pressure, wind))
    assert "several fields in one cell" in message
    (panel,) = map(obeyed, ways)
    assert panel.columns == ("SPEED",)
    np.testing.assert_array_equal(panel.values[:, 0], wind)
    for signed in ([f'"{t:+d},5"' for t in range(-30, 30)], [f'"{t:+.1f}"'.replace(".", ",") for t in range(N)]):
        assert "several" not in str(read(Path(), lines("DATE,TMP", hours, signed)).notes)
