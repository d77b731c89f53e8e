"""Reading: what just works, what is mended and counted, what is refused with line, value and next command."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecast.data.panel import Panel
from forecast.data.readers import ReadOptions, read_panel
from forecast.errors import DataError

DATASETS = Path(__file__).parents[3] / "shared" / "datasets"
with_datasets = pytest.mark.skipif(not DATASETS.is_dir(), reason="the series for development are not here")


def table(n: int = 40, step: str = "D", form: str = "%Y-%m-%d", sep: str = ",", start: str = "2020-01-01") -> str:
    times = pd.date_range(start, periods=n, freq=step)
    return f"time{sep}v\n" + "".join(f"{t.strftime(form)}{sep}{i}.5\n" for i, t in enumerate(times))


def with_line(number: int, line: str, text: str = "") -> str:
    lines = (text or table()).splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n"


@pytest.fixture
def read(tmp_path: Path):
    def read(content: str | bytes, name: str = "data.csv", **options: object) -> Panel:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_panel(path, ReadOptions(**options))

    return read


@pytest.fixture
def refusal(read):
    def refusal(content: str | bytes, **options: object) -> str:
        with pytest.raises(DataError) as caught:
            read(content, **options)
        assert caught.value.message
        assert caught.value.hint
        return str(caught.value)

    return refusal


def test_a_plain_table_is_read_with_its_clock(read):
    panel = read("day,a (hPa),b\n2020-01-01,1,4\n2020-01-02,,5\n2020-01-03,3,6\n", name="sea.level.csv")
    assert panel.columns == ("a (hPa)", "b")
    assert panel.clock.freq == "D"
    assert panel.name == "sea.level"
    assert panel.units == {"a (hPa)": "hPa"}
    assert panel.default_target is None
    np.testing.assert_array_equal(panel.values, [[1, 4], [np.nan, 5], [3, 6]])
    assert panel.times.tolist() == pd.date_range("2020-01-01", periods=3).to_pydatetime().tolist()
    assert any("'day'" in note and "YYYY-MM-DD" in note for note in panel.notes)
    assert any("1 of 3 values are missing" in warning for warning in panel.warnings)


def _zipped(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + table().encode(),
        table().encode("utf-16"),
        table().encode("utf-32"),
        table().replace("\n", "\r\n"),
        table().replace("\n", "\r"),
        table().rstrip("\n"),
        table() + "\n\n  \n",
        table() + ",\n,\n",
        table() + "\x1a",
        table(sep=";"),
        table(sep="\t"),
        table(sep="|"),
        table(sep=";").replace(".5", ",5"),
        table().replace("2020", '"2020').replace(",", '",').replace('time"', "time"),
        gzip.compress(table().encode()),
        _zipped(a=table()),
        "\n".join([table().splitlines()[0], *reversed(table().splitlines()[1:])]),
        "\n".join([table().splitlines()[0], *np.random.default_rng(0).permutation(table().splitlines()[1:])]),
        table(form="%Y%m%d"),
        table(form="%d.%m.%Y"),
        table(form="%m/%d/%Y"),
        table(form='"%b %d, %Y"'),
        "time,v\n" + "".join(f"{1577836800 + 86400 * i},{i}.5\n" for i in range(40)),
        "time,v\n" + "".join(f"{(1577836800 + 86400 * i) * 1000},{i}.5\n" for i in range(40)),
    ],
)
def test_the_same_table_gives_the_same_panel_however_it_is_written(read, content):
    assert read(content).fingerprint() == read(table()).fingerprint()


def test_parquet_and_frames_give_the_same_panel(tmp_path):
    frame = pd.read_csv(io.StringIO(table()), parse_dates=["time"])
    (tmp_path / "a.csv").write_text(table())
    frame.to_parquet(tmp_path / "b.csv")
    expected = read_panel(tmp_path / "a.csv").fingerprint()
    assert read_panel(tmp_path / "b.csv").fingerprint() == expected
    assert read_panel(frame).fingerprint() == expected
    assert read_panel(frame.set_index("time")).fingerprint() == expected
    assert read_panel(frame.astype({"time": str})).fingerprint() == expected
    assert read_panel(frame.set_index(frame.pop("time").dt.to_period("D"))).fingerprint() == expected


@pytest.mark.parametrize(
    ("step", "form", "freq"),
    [
        ("10min", "%Y-%m-%d %H:%M", "10min"),
        ("h", "%Y-%m-%dT%H:%M:%SZ", "h"),
        ("6h", "%d/%m/%Y %I:%M %p", "6h"),
        ("B", "%Y-%m-%d", "B"),
        ("B", "%Y-%m-%d 16:00:00", "B"),
        ("W-SAT", "%Y-%m-%d", "W-SAT"),
        ("MS", "%Y-%m", "MS"),
        ("MS", "%Y-%m-15", "MS"),
        ("ME", "%Y-%m-%d", "ME"),
        ("BME", "%Y-%m-%d", "ME"),
        ("QS-FEB", "%Y-%m-%d", "QS-FEB"),
        ("QE", "%Y-%m-%d", "QE-DEC"),
        ("YS", "%Y", "YS-JAN"),
        ("30D", "%Y-%m-%d", "30D"),
        ("30s", "%Y-%m-%d %H:%M:%S", "30s"),
    ],
)
def test_the_clock_is_seen_from_the_steps(read, step, form, freq):
    panel = read(table(60, step, form))
    assert panel.clock.freq == freq
    assert panel.n_rows == 60
    assert not panel.absent_before().any()


def test_a_month_by_its_middle_stands_at_its_start(read):
    panel = read(table(24, "MS", "%Y-%m-15"))
    assert panel.times[0] == np.datetime64("2020-01-01")
    assert any("moved to its place" in note for note in panel.notes)


def test_day_and_month_are_settled_by_the_cadence_or_refused(read, refusal):
    panel = read(table(60, "MS", "%d/%m/%Y"))
    assert panel.clock.freq == "MS"
    message = refusal(table(11, "D", "%d.%m.%Y", start="2009-02-01"))
    assert "'01.02.2009'" in message
    assert "--date-format '%d.%m.%Y'" in message
    chosen = read(table(11, "D", "%d.%m.%Y", start="2009-02-01"), date_format="%d.%m.%Y")
    assert chosen.times[-1] == np.datetime64("2009-02-11")


def test_an_hour_of_24_ends_its_day(read):
    text = table(30, "h", "%Y-%m-%d %H:%M").replace("2020-01-02 00:00", "2020-01-01 24:00")
    assert read(text).fingerprint() == read(table(30, "h", "%Y-%m-%d %H:%M")).fingerprint()


def test_second_60_is_the_next_minute(read):
    panel = read(table(30, "30s", "%Y-%m-%d %H:%M:%S").replace("00:01:00", "00:00:60"))
    assert panel.times[2] == np.datetime64("2020-01-01T00:01")
    assert any("second 60" in warning for warning in panel.warnings)


def _berlin(form: str, start: str = "2020-10-24") -> str:
    times = pd.date_range(start, periods=60, freq="h", tz="Europe/Berlin")
    return "time,v\n" + "".join(f"{t.strftime(form)},{i}\n" for i, t in enumerate(times))


def test_offsets_are_converted_to_utc(read):
    panel = read(_berlin("%Y-%m-%dT%H:%M:%S%z"))
    assert panel.times[0] == np.datetime64("2020-10-23T22:00")
    assert not panel.absent_before().any()
    assert any("2 different offsets" in warning for warning in panel.warnings)


def test_the_hour_that_autumn_repeats_needs_its_zone(read, refusal):
    text = _berlin("%Y-%m-%d %H:%M")
    assert "--tz" in refusal(text)
    panel = read(text, tz="Europe/Berlin")
    assert panel.fingerprint() == read(_berlin("%Y-%m-%dT%H:%M:%S%z")).fingerprint()


def test_the_hour_that_spring_leaves_out_is_a_counted_gap(read):
    text = _berlin("%Y-%m-%d %H:%M", "2020-03-28")
    assert any("1 hour absent in 1 gap" in warning for warning in read(text).warnings)
    assert not read(text, tz="Europe/Berlin").absent_before().any()


def test_days_at_local_midnight_keep_their_dates():
    index = pd.date_range("2020-03-01", periods=60, tz="America/New_York", name="Date")
    panel = read_panel(pd.DataFrame({"close": np.arange(60.0)}, index=index))
    assert panel.clock.freq == "D"
    assert panel.times[0] == np.datetime64("2020-03-01")


def test_time_is_put_together_from_its_parts(read):
    times = pd.date_range("2020-02-28", periods=50, freq="h")
    rows = "".join(f"{i},{t.year},{t.month},{t.day},{t.hour},{i}.5,NW\n" for i, t in enumerate(times))
    panel = read("No,year,month,day,hour,v,wind\n" + rows)
    assert panel.columns == ("v",)
    assert panel.clock.freq == "h"
    assert panel.times[-1] == np.datetime64("2020-03-01T01:00")
    assert any("row counter: 'No'" in note for note in panel.notes)
    assert any("left out: 'wind'" in note for note in panel.notes)


def test_a_date_and_a_time_of_day_are_joined(read):
    times = pd.date_range("2020-01-20", periods=50, freq="h")
    joined = "Date;Time;v\n" + "".join(f"{t:%d.%m.%Y};{t:%H:%M:%S};{i}\n" for i, t in enumerate(times))
    numbered = "date,hour,v\n" + "".join(f"{t:%Y-%m-%d},{t.hour},{i}\n" for i, t in enumerate(times))
    assert read(joined).fingerprint() == read(numbered).fingerprint()
    assert read(joined).columns == ("v",)


def _stacked(cities: str = "ab") -> str:
    rows = table().splitlines()[1:]
    return "city,time,v\n" + "".join(f"{city},{row}{k}\n" for k, city in enumerate(cities) for row in rows)


def test_series_are_told_apart_by_the_one_column_that_can(read):
    panel = read(_stacked("ba"))
    assert panel.series_ids == ("a", "b")
    assert panel.offsets == (0, 40, 80)
    assert panel.values[0, 0] == 0.51
    assert panel.values[40, 0] == 0.5
    long = read(_stacked().replace("city,time,v", "unique_id,ds,y"))
    assert long.series_ids == ("a", "b")
    assert long.default_target == "y"


def test_series_that_nothing_tells_apart_are_refused(refusal):
    nameless = "\n".join(line.split(",", 1)[1] for line in _stacked().splitlines())
    assert "--series-id" in refusal(nameless)
    assert "--series-id city" in refusal(_stacked("12"))


def test_clashing_rows_are_refused_and_identical_ones_left_out(read, refusal):
    line = table().splitlines()[8]
    assert any("1 identical row" in w for w in read(table() + line + "\n").warnings)
    message = refusal(table() + line + "9\n")
    assert "line 42" in message
    assert "line 9" in message
    assert "'v': 7.5 and 7.59" in message


def test_rows_beside_the_clock_move_to_it_or_give_way(read):
    lines = table(100, "h", "%Y-%m-%d %H:51").splitlines()
    lines[10] = lines[10].replace(":51", ":48")  # 09:48 is nearest to 09:51, which is free
    lines.insert(21, "2020-01-01 20:12,-1")  # nearest to 19:51, which is taken
    panel = read("\n".join(lines))
    assert panel.n_rows == 100
    assert panel.times[9] == np.datetime64("2020-01-01T09:51")
    assert panel.values[9, 0] == 9.5
    assert -1 not in panel.values
    assert any(w.startswith("1 time(s) off the clock") for w in panel.warnings)
    assert any(w.startswith("1 row(s) are left out") for w in panel.warnings)


def test_an_irregular_table_shows_its_steps_and_can_be_averaged(read, refusal):
    text = "time,v\n" + "".join(f"2020-01-01 {h:02d}:{m:02d},{i}\n" for i, (h, m) in enumerate(
        [(0, 0), (0, 7), (1, 3), (2, 50), (3, 1), (5, 9), (6, 30), (9, 2)]))  # fmt: skip
    message = refusal(text)
    assert "7 min" in message
    assert "1 h 47 min" in message
    assert "--resample h" in message
    panel = read(text, resample="H")
    assert panel.values[:, 0].tolist() == [0.5, 2, 3, 4, 5, 6, 7]
    assert panel.times[-1] == np.datetime64("2020-01-01T09:00")


def test_gaps_are_counted(read):
    lines = table().splitlines()
    panel = read("\n".join(lines[:9] + lines[15:]))
    assert panel.absent_before().max() == 6
    assert any("6 days absent in 1 gap(s)" in w and "after 2020-01-08" in w for w in panel.warnings)


def test_weekly_rows_before_daily_ones_do_not_hide_business_days(read):
    weekly = pd.date_range("1972-01-07", periods=20, freq="W-FRI")
    daily = pd.bdate_range("1972-06-01", periods=200)
    panel = read("Date,Close\n" + "".join(f"{t:%Y-%m-%d},{i + 1}\n" for i, t in enumerate(weekly.append(daily))))
    assert panel.clock.freq == "B"
    assert panel.n_rows == 220
    assert panel.default_target == "Close"


@pytest.mark.parametrize(
    ("cell", "count"), [("-9999", 1), ("-", 1), ("?", 1), ("NA", 1), ("null", 1), ("", 1), ("1e20", 1), ("-999.9", 1)]
)
def test_sentinels_and_words_for_missing_become_missing(read, cell, count):
    panel = read(with_line(10, f"2020-01-09,{cell}"))
    assert np.isnan(panel.values).sum() == count
    assert np.isnan(panel.values[8, 0])


def test_999_is_a_sentinel_only_when_repeated_and_far(read):
    twice = with_line(10, "2020-01-09,999", with_line(20, "2020-01-19,999"))
    assert np.isnan(read(twice).values).sum() == 2
    assert not np.isnan(read(with_line(10, "2020-01-09,999")).values).any()
    assert read(twice, keep_sentinels=True).values.max() == 999
    heights = "time,v\n" + "".join(f"2020-01-{d:02d},{990 + d}\n" for d in range(1, 31)) + "2020-01-31,999\n"
    assert not np.isnan(read(heights).values).any()


def test_numbers_keep_their_last_bit(read):
    panel = read("time,v\n2020-01-01,0.1\n2020-01-02,5e-324\n2020-01-03,+.5\n2020-01-04,10.357019999999999\n")
    assert panel.values[:, 0].tolist() == [0.1, 5e-324, 0.5, 10.357019999999999]


def test_marks_of_decimals_and_thousands(read, refusal):
    text = table(sep=";").replace(".5", ".500,25")
    assert "--thousands . --decimal ," in refusal(text)
    assert read(text, thousands=".", decimal=",").values[7, 0] == 7500.25
    assert "decimal point" in refusal(table(), decimal=",")
    assert "--thousands ," in refusal(with_line(10, '2020-01-09,"1,234"'))
    assert read(with_line(10, '2020-01-09,"1,234"'), thousands=",").values[8, 0] == 1234
    assert "cannot be read" in refusal(
        "\n".join([*table().splitlines()[:1], *(f'2020-01-{d:02d},"{d},234"' for d in range(1, 30))])
    )


def test_latin_1_is_refused_until_named(read, refusal):
    text = table().replace("v", "T (°C)").encode("latin-1")
    message = refusal(text)
    assert "line 1" in message
    assert message.endswith("--encoding latin-1")
    panel = read(text, encoding="latin-1")
    assert panel.columns == ("T (°C)",)
    assert panel.units == {"T (°C)": "°C"}


LINES = table().splitlines()


@pytest.mark.parametrize(
    ("content", "expected"),
    {
        "zero bytes": (b"", ["0 bytes"]),
        "header only": ("time,v\n", ["no rows"]),
        "blank lines": ("\n \n\n", ["blank lines"]),
        "utf-16 without mark": (table().encode("utf-16-le"), ["--encoding utf-16-le"]),
        "NUL": (with_line(6, "2020-01-05,1\x00"), ["line 6", "offset 79"]),
        "gzip cut": (gzip.compress(table().encode())[:-9], ["damaged gzip"]),
        "gzip bomb": (gzip.compress(b"1" * 100_000_000), ["bomb"]),
        "zip of two": (_zipped(a=table(), b=table()), ["zip of 2 files", "'a'"]),
        "xlsx": (_zipped(**{"[Content_Types].xml": "x"}), ["Excel"]),
        "damaged parquet": (b"PAR1" + bytes(60) + b"PAR1", ["damaged Parquet"]),
        "web page": ("<!DOCTYPE html><p>", ["web page"]),
        "json": ('{"a": 1}', ["JSON"]),
        "decimal comma": (table().replace(".5", ",5"), ["line 2", "decimal comma", "--decimal ,"]),
        "trailing comma": ("time,v\n" + "".join(f"{line},\n" for line in LINES[1:]), ["ends in a comma"]),
        "extra field": (with_line(8, "2020-01-07,1,2"), ["line 8", "3 field(s)", "sed -n 8p"]),
        "short row": (with_line(8, "2020-01-07"), ["line 8", "1 field(s)"]),
        "unclosed quote": (with_line(8, '2020-01-07,"1.5'), ["line 8", "quotation mark"]),
        "swallowed row": (with_line(8, '2020-01-07,"1', with_line(9, '2020-01-08,2"')), ["line 8", "swallows"]),
        "no header": ("\n".join(LINES[1:]), ["no header", "2020-01-01"]),
        "double name": ("time,v,v\n2020-01-01,1,2\n", ["'v' stands 2 times"]),
        "empty name": (",time,v\n0,2020-01-01,1\n", ["column 1 of 3"]),
        "preamble": ("Station 4\n\n" + table(), ["--skip-rows 2"]),
        "header again": ("\n".join(LINES[:20] + LINES[:1] + LINES[20:]), ["line 21", "second time", "sed 21d"]),
        "footer": (table() + "Total,3\n", ["line 42", "'Total'", "footer"]),
        "columns": (",".join(f"c{i}" for i in range(10_000)) + "\n" + "1," * 9_999 + "1\n", ["10,000", "2,000"]),
        "no time": ("a,b\n1.5,2\n2.5,3\n", ["'a': '1.5', '2.5'", "--time-column"]),
        "mixed formats": (with_line(9, "08.01.2020,1"), ["line 9", "DD.MM.YYYY", "mixed formats"]),
        "no such day": (with_line(9, "2020-02-30,1"), ["line 9", "'2020-02-30'", "calendar"]),
        "empty time": (with_line(9, ",1"), ["line 9", "time is empty"]),
        "two-digit year": (table(form="%d.%m.%y"), ["--date-format '%d.%m.%y'"]),
        "excel serials": ("date,v\n43831,1\n43832,2\n43833,3\n", ["spreadsheet"]),
        "all missing": ("time,v\n2020-01-01,NA\n2020-01-02,NA\n2020-01-03,-\n", ["every value of 'v' is missing"]),
        "infinite": (with_line(9, "2020-01-08,inf"), ["line 9", "column 'v'", "'inf'"]),
        "overflow": (with_line(9, "2020-01-08,1e400"), ["line 9", "'1e400'"]),
        "long integer": (with_line(9, "2020-01-08,12345678901234567890"), ["line 9", "digits"]),
        "word": (with_line(9, "2020-01-08,calm"), ["line 9", "column 'v'", "'calm'"]),
        "unit": (with_line(9, "2020-01-08,12.5 C"), ["line 9", "unit"]),
        "percent": (with_line(9, "2020-01-08,5%"), ["line 9", "percentage"]),
        "currency": (table().replace(",", ",$"), ["line 2", "currency"]),
        "unicode minus": (with_line(9, "2020-01-08,−5"), ["line 9", "U+2212"]),
        "no-break space": (with_line(9, "2020-01-08,1\u00a0234"), ["line 9", "U+00A0"]),
        "other digits": (with_line(9, "2020-01-08,٣"), ["line 9", "U+0663"]),
        "truth values": ("time,v\n2020-01-01,True\n2020-01-02,False\n", ["line 2", "truth value"]),
        "one row": ("time,v\n2020-01-01,1\n", ["1 row(s)", "--freq"]),
    }.values(),
)  # fmt: skip
def test_refusals_name_the_place_and_the_next_step(refusal, content, expected):
    message = refusal(content)
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"time_column": "when"}, "'time', 'v'"),
        ({"series_id": "city"}, "'time', 'v'"),
        ({"encoding": "zlib"}, "not an encoding"),
        ({"delimiter": "::"}, "one ASCII character"),
        ({"decimal": ";"}, "--decimal"),
        ({"thousands": "1"}, "--thousands"),
        ({"skip_rows": 99}, "41 lines"),
        ({"date_format": "%Q"}, "--date-format"),
        ({"date_format": "%d.%m.%Y"}, "line 2"),
        ({"freq": "bh"}, "not a frequency"),
        ({"freq": "fortnight"}, "not a frequency"),
        ({"resample": "3B"}, "not supported"),
    ],
)
def test_options_that_do_not_fit_are_refused(refusal, options, expected):
    assert expected in refusal(table(), **options)


def test_an_unknown_zone_is_refused(refusal):
    assert "not a time zone" in refusal(table(30, "h", "%Y-%m-%d %H:%M"), tz="../etc")


def test_paths_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weather.csv").write_text(table())
    for source, expected in {
        "wether.csv": "forecast inspect weather.csv",
        ".": "forecast inspect weather.csv",
        "a\0b": "not a path",
        "x" * 5000: "not a path",
        "https://example.org/a.csv": "curl -L",
        "s3://bucket/a.csv": "aws s3 cp",
        "/dev/null": "0 bytes",
        "/dev/zero": "NUL byte",
    }.items():
        with pytest.raises(DataError) as caught:
            read_panel(source)
        assert expected in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text(table())
    path.chmod(0)
    with pytest.raises(DataError, match="may not be read"):
        read_panel(path)


def test_a_file_beyond_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "huge.csv"
    with path.open("wb") as stream:
        stream.truncate(10_000_000_000)
    monkeypatch.setattr("forecast.data.reading.memory.available_memory", lambda: 8_000_000_000)
    with pytest.raises(DataError, match=r"need about 60\.0 GB of memory; 8\.0 GB are available"):
        read_panel(path)


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table().encode())))
    panel = read_panel("-")
    assert panel.name == "stdin"
    assert panel.n_rows == 40


def test_odd_names_are_kept(read):
    panel = read(
        'time,"a\nb",<script>x</script>,Ba$$in,=cmd|x\n2020-01-01,1,2,3,4\n2020-01-02,1,2,3,4\n2020-01-03,1,2,3,5\n'
    )
    assert panel.columns == ("a\nb", "<script>x</script>", "Ba$$in", "=cmd|x")
    assert read(_stacked().replace("a,", "../../x,").replace("b,", "💧,")).series_ids == ("../../x", "💧")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_read_or_refused(tmp_path, data):
    content = bytearray(
        data.draw(st.sampled_from([table(12), _stacked(), table(30, "h", "%d.%m.%Y %H:%M", ";")])).encode()
    )
    pieces = [b",", b'"', b"\n", b"\0", b"\xff", b"9" * 20, b"-", b"1e400", b"NA", b"24:00", b"Z", b";", b"\x1f\x8b"]
    for _ in range(data.draw(st.integers(0, 6))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 9))] = data.draw(
            st.sampled_from(pieces) | st.binary(max_size=5)
        )
    path = tmp_path / "any.csv"
    path.write_bytes(bytes(content))
    try:
        panel = read_panel(path)
    except DataError:
        return
    assert not np.isinf(panel.values).any()
    assert (panel.absent_before() >= 0).all()


@with_datasets
def test_an_hourly_station_off_the_hour():
    panel = read_panel(DATASETS / "jfk_weather" / "jfk_weather_cleaned.csv")
    assert panel.clock.freq == "h"
    assert panel.times[0] == np.datetime64("2010-01-01T00:51")
    assert panel.times[-1] == np.datetime64("2018-07-27T22:51")
    assert len(panel.columns) == 10
    assert panel.absent_before().sum() == 47
    assert set((panel.times - panel.times.astype("datetime64[h]")).astype(int)) == {51 * 60_000_000}


@with_datasets
def test_three_airports_in_one_file():
    panel = read_panel(DATASETS / "nyc_airports_2013" / "weather.csv")
    assert panel.series_ids == ("EWR", "JFK", "LGA")
    assert panel.clock.freq == "h"
    assert panel.n_rows == 26_115
    assert panel.times[0] == np.datetime64("2013-01-01T06:00")
    assert panel.columns == (
        "temp",
        "dewp",
        "humid",
        "wind_dir",
        "wind_speed",
        "wind_gust",
        "precip",
        "pressure",
        "visib",
    )
    assert panel.default_target == "temp"


@with_datasets
def test_a_table_with_sentinels_a_double_row_and_a_gap():
    panel = read_panel(DATASETS / "weather_jena2020" / "weather.csv")
    assert panel.clock.freq == "10min"
    assert panel.values.shape == (52_695, 21)
    missing = dict(zip(panel.columns, np.isnan(panel.values).sum(axis=0).tolist(), strict=True))
    assert missing["wv (m/s)"] == 1
    assert missing["OT"] == 50
    assert sum(missing.values()) == 81
    assert np.flatnonzero(panel.absent_before()).size == 1
    assert panel.units["T (degC)"] == "degC"


@with_datasets
@pytest.mark.parametrize(
    ("file", "freq", "rows", "columns"),
    [
        ("beijing_pm25/raw.csv", "h", 43_824, 7),
        ("exchange_rate/exchange_rate.csv", "D", 7_588, 8),
        ("ett/ETTm1.csv", "15min", 69_680, 7),
        ("eia_energy_prices/brent-daily.csv", "B", 9_958, 1),
        ("stocks/intc.us.txt", "B", 11_556, 6),
    ],
)
def test_tables_as_people_have_them(file, freq, rows, columns):
    panel = read_panel(DATASETS / file)
    assert (panel.clock.freq, *panel.values.shape) == (freq, rows, columns)


def test_angles_are_averaged_along_their_circle() -> None:
    times = pd.date_range("2024-01-01", periods=24, freq="10min")
    around_north = np.resize([350.0, 10.0, 355.0, 5.0, 340.0, 20.0], 24)
    around_north[6:12] = 200.0
    frame = pd.DataFrame({"ds": times, "wind_dir": around_north, "code": around_north})
    panel = read_panel(frame, ReadOptions(resample="h"))
    away = np.abs((panel.values[:, 0] + 180) % 360 - 180)
    assert away[[0, 2, 3]] == pytest.approx([0, 0, 0], abs=1e-6)
    assert panel.values[1, 0] == pytest.approx(200)
    assert panel.values[0, 1] == pytest.approx(180)  # a name that says nothing of an angle
