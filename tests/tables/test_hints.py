"""Whatever a refusal proposes reads the table, or leads to another complaint; and it changes no other column."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.errors import DataError
from forecast.sources.from_table import read_panel
from tables import commands, obeyed, table

# Hints after one another, at most, until a table is read.
_MOST_HINTS = 4


def refusals() -> dict[str, str | bytes]:
    """The catalogue: every table that the tests of this folder expect to be refused."""
    found: dict[str, str | bytes] = {}
    for name in ("test_bad_files", "test_bad_tables", "test_bad_values"):
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= {f"{name[9:]}: {key}": case[0] for key, case in module.REFUSED.items()}
    return found


DAYS = pd.date_range("2021-01-01", periods=60)
Y = np.round(100 + 10 * np.sin(np.arange(60) / 5), 2)


def sales(sep: str = ",", **columns: object) -> str:
    """Sixty days of y beside other columns."""
    return pd.DataFrame({"day": DAYS.strftime("%Y-%m-%d"), "y": Y} | columns).to_csv(index=False, sep=sep)


def one(cell: str, among: object = 1.5) -> list[object]:
    """A column with one odd cell."""
    return [among] * 30 + [cell] + [among + 1] * 29  # type: ignore[operator]


WORDY = {
    "a word among numbers": sales(x=one("calm")),
    "a word among numbers, twice": sales(x=one("calm"), z=one("broken")),
    "one percentage": sales(x=one("5%")),
    "one number without its unit": sales(x=["1.5 kg"] * 59 + ["2"]),
    "two units": sales(x=["1.5 kg"] * 40 + ["2.5 lb"] * 20),
    "two currencies": sales(x=["$1.50"] * 40 + ["€2.50"] * 20),
    "words for missing values": sales(x=["T", 1.5, "M", 2.5, 3.5] * 12, sky=["T", "M"] * 30),
    "thousands by points or fractions": sales(x=["1.234", "987"] * 30),
    "thousands by blanks": sales(x=["1 234,5", "987,5"] * 30),
    "thousands by no-break spaces, and a unit": sales(x=["1\u00a0234,50\u00a0€", "987,50\u00a0€"] * 30),
    "a total without a time": sales(x=Y) + ",6000,6000\n",
    "thousands or fractions": sales(x=["1,234"] * 30 + ["2,345"] * 30),
    "a Unicode minus": sales(x=one("−5"), remark=["10−20"] * 60),
    "blanks in numbers": sales(x=one("1\u00a0234")),
    "a double name": sales(x=Y).replace("day,y,x", "day,y,y"),
    "no name": sales(x=Y).replace("day,y,x", "day,y,"),
    "a total": sales(x=Y) + "Total,6000,6000\n",
    "two totals": sales(x=Y) + "Mean,6000,6000\nTotal,6000,6000\n",
    "a footer of several fields": sales(x=Y) + "Source: a, b, c, and d\n",
    "a preamble": "Station 4\nBerlin, Germany\n" + sales(x=Y),
    "a preamble and a total": "Station 4\nBerlin, Germany\n" + sales(x=Y) + "Total,6000,6000\n",
    "a preamble and a word": "Station 4\n\n" + sales(x=one("calm")),
    "blanks between fields": sales(sep=" ", x=Y),
    "the header twice": sales(x=Y) + sales(x=Y + 1),
    "coordinates": sales(place=["52.5N", "13.4E"] * 30, x=one("12W", 1.0)),
    "a serial number of 20 digits": sales(x=one("12345678901234567890")),
    "infinite": sales(x=one("inf")),
    "hour and day in two columns": "".join(
        f"{line},{i % 24}\n" if i else f"{line},HHMM\n"
        for i, line in enumerate(table(48, "h", "%Y-%m-%d").splitlines())
    ),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("content", (cases := refusals() | WORDY).values(), ids=cases)
def test_what_a_refusal_proposes_leads_on(content: str | bytes) -> None:
    Path("table.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        read_panel("table.csv")
    except DataError as error:
        _follow(error, [])


def _follow(error: DataError, said: list[str]) -> None:
    """Obey every hint of a refusal, and every hint of what it leads to."""
    message, advice = error.text("shell")
    assert not message.startswith("There is no column")
    assert message not in said, "the hints lead round in a circle"
    assert advice
    assert len(said) <= _MOST_HINTS
    for command in commands(advice):
        assert not any(f"{option} " in command for option in ("s/%//", "s/true", "NA/g"))
        if said and "forecast inspect table.csv" in command:
            kept = [word for word in said[-1].split() if word.startswith("--")]
            assert [word for word in kept if word not in command] == [], "a hint drops what was given before"
        try:
            obeyed(command)
        except DataError as other:
            _follow(other, [*said, message, command])


@pytest.mark.parametrize("name", WORDY)
def test_what_a_refusal_proposes_changes_no_other_column(name: str) -> None:
    Path("table.csv").write_text(WORDY[name])
    try:
        panel = read_panel("table.csv")
    except DataError as error:
        for command in commands(error.text("shell")[1]):
            try:
                panel = obeyed(command)
            except DataError:
                continue
            if "y" in panel.columns and "header" not in name and "--columns" not in command:
                np.testing.assert_array_equal(panel.values[:, panel.column("y")][:60], Y)
    else:
        assert "y" not in panel.columns or panel.values[:, panel.column("y")].tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"skip_footer": 1}, "--skip-footer 1 --skip-columns x"), ({"skip_columns": "z"}, "--skip-columns z,x")],
)
def test_a_hint_keeps_what_was_given(options: dict[str, object], expected: str) -> None:
    Path("table.csv").write_text(sales(z=one("calm"), x=one("broken")) + "Total,1,2,3\n" * ("skip_footer" in options))
    given = {"skip_columns": "z"} | options
    with pytest.raises(DataError) as caught:
        read_panel("table.csv", ReadOptions(**given))  # type: ignore[arg-type]
    assert expected.split(" --")[-1].split()[-1] in caught.value.text("shell")[1]
    assert "z,x" in caught.value.text("shell")[1]
    assert "skip_columns='z,x'" in caught.value.advice


def test_a_hint_that_would_not_help_is_not_shown() -> None:
    Path("table.csv").write_text(
        "day,x\n" + "".join(f"{day:%Y-%m-%d},{i}\n" for i, day in enumerate(DAYS)) + "end,calm,1\n"
    )
    with pytest.raises(DataError) as caught:
        read_panel("table.csv", ReadOptions(skip_footer=0))
    for command in commands(caught.value.text("shell")[1]):
        obeyed(command)


def test_words_for_missing_values_are_named_one_after_another() -> None:
    Path("table.csv").write_text(WORDY["words for missing values"])
    options, said = ReadOptions(), []
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            read_panel("table.csv", options)
        said.append(commands(caught.value.text("shell")[1])[0])
        options = ReadOptions(missing_words=said[-1].split()[-1])  # type: ignore[arg-type]
    assert [command.split()[-1] for command in said] == ["T", "T,M"]
    panel = read_panel("table.csv", options)
    np.testing.assert_array_equal(panel.values[:5, panel.column("x")], [np.nan, 1.5, np.nan, 2.5, 3.5])
    assert panel.values[:2, panel.column("sky=T")].tolist() == [1, 0]  # another column's words are its own


def test_in_python_a_hint_names_arguments() -> None:
    frame = pd.DataFrame({"day": DAYS, "y": Y, "x": one("calm")})
    with pytest.raises(DataError, match=r"the table, row 31, column 'x': 'calm' is not a number") as caught:
        read_panel(frame)
    assert "forecast.read(frame, forecast.ReadOptions(skip_columns='x'))" in caught.value.advice
    assert read_panel(frame, ReadOptions(skip_columns="x")).columns == ("y",)  # type: ignore[arg-type]
