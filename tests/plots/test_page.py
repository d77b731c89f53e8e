"""The report: what stands in it and in which order; that names in it are harmless, and that it asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import Run
from forecast.commands.report.report import results_of
from forecast.data.clock import Clock
from forecast.data.prepare import prepare
from forecast.evaluation.scoring import Evaluation
from forecast.plots import PLOTS, Labels, PageSize, Plot, PlotFigure, format_axes, styled, to_png
from forecast.plots.page import Image
from forecast.plots.results import Explained, RunResults
from forecast.plots.run_plots import draw_files
from forecast.plots.run_report import report_page
from forecast.plots.selection import missing_shares, missing_spans
from forecast.plots.tables import forecast_table, interval_table, score_table
from forecast.runs.rows import training_panel

HOSTILE = """<script>document.title='taken'</script>"><img src=x onerror="document.title='taken'">{{7*7}}"""
SECTIONS = ["verdict", "scores", "forecast", "origins", "errors", "calibration", "residuals", "training", "inside",
            "data", "reproduction"]  # fmt: skip
LABELS = Labels("months", "y", "°C", Clock("MS"), "lstm", "rnn")


class Parsed(HTMLParser):
    """Every tag with its attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def ids(self) -> list[str]:
        return [of["id"] or "" for _, of in self.tags if "id" in of]

    def images(self) -> list[bytes]:
        uris = [of.get("src") or of.get("srcset") or "" for tag, of in self.tags if tag in ("img", "source")]
        assert all(uri.startswith(("data:image/svg+xml;base64,", "data:image/png;base64,")) for uri in uris)
        return [base64.b64decode(uri.partition(",")[2]) for uri in uris]


@pytest.fixture(scope="module")
def results(trained: Run) -> RunResults:
    return results_of(trained, training_panel(trained))


@pytest.fixture(scope="module")
def drawn(results: RunResults) -> str:
    """A page with hostile names and everything that can stand in it."""
    return report_page(hostile(with_everything(results)))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes time and says nothing in words."""
    monkeypatch.setattr("forecast.plots.page._svg_image", lambda _: Image("data:image/png;base64,", 1, 1))


def with_everything(results: RunResults) -> RunResults:
    """The same with every field that metrics.json may have, intervals, an explanation, and undefined figures."""
    metrics: dict[str, Any] = json.loads(json.dumps(results.evaluation.metrics))
    steps = metrics["horizon"]
    level = {"coverage": 0.78, "width": 2.0, "winkler": 3.0, "coverage_by_step": [0.8] * steps}
    level["width_by_step"] = list(range(1, steps + 1))
    for scores in metrics["models"].values():
        scores |= {"rmsse": 0.9, "wape": 4.0, "bias": -0.25, "directional_accuracy": None}
    metrics["models"]["drift"]["mase"] = None
    metrics["skill"]["persistence"] = metrics["p_value"]["persistence"] = None
    metrics["reasons"] = {"models.drift.mase": "no yardstick", "skill.persistence": "persistence makes no error here"}
    metrics |= {
        "skill_interval": {"rnn": [-0.1, 0.2], "persistence": None},
        "p_by_step": {"rnn": [0.01, *[0.5] * (steps - 1)], "persistence": [None] * steps},
        "echo": {"best_lag": [-1] * steps, "difference_skill": None, "delayed": True},
        "intervals": {
            "levels": [80, 95],
            "adaptive": True,
            "models": {name: {"crps": 0.5, "wql": None, "80": level, "95": level} for name in metrics["models"]},
        },
    }
    explained = Explained(["the gate <i>keeps</i>"], {"1-gates.png": some_png()})
    evaluation = Evaluation(metrics, with_fan(results.evaluation.forecasts, list(metrics["models"])))
    forecast = with_fan(results.forecast, list(metrics["models"]))
    return replace(results, evaluation=evaluation, forecast=forecast, explained=explained)


def with_fan(forecasts: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    bounds = {
        f"{model}-{end}-{level}": forecasts[model] + sign * level / 80
        for model in models
        for level in (80, 95)
        for end, sign in (("lo", -1), ("hi", 1))
    }
    return forecasts.assign(**bounds)


def some_png() -> bytes:
    figure = PlotFigure()
    figure.subplots().plot([1, 2])
    return to_png(figure)


def hostile(results: RunResults) -> RunResults:
    """The same with a hostile name wherever a name can stand."""
    prepared, metrics = results.prepared, dict(results.evaluation.metrics)
    panel = replace(prepared.rows.panel, columns=(HOSTILE,), name=HOSTILE, units={HOSTILE: HOSTILE})
    metrics |= {"naive_error": {HOSTILE: {"mae": 1.0, "rmse": 1.0}}, "verdict": HOSTILE, "unit": HOSTILE}
    manifest = dict(results.manifest) | {"title": HOSTILE, "source": HOSTILE, "command": HOSTILE, "platform": HOSTILE}
    manifest["data"] = dict(manifest["data"]) | {"notes": [HOSTILE], "warnings": [HOSTILE]}
    return replace(
        results,
        name=HOSTILE,
        manifest=manifest,
        prepared=prepare(panel, prepared.config.replace(data={"target": (HOSTILE,)})),
        evaluation=Evaluation(metrics, results.evaluation.forecasts.assign(unique_id=HOSTILE)),
        forecast=results.forecast.assign(unique_id=HOSTILE),
        explained=results.explained and Explained([HOSTILE], {f"{HOSTILE}.png": some_png()}),
    )


def test_a_run_has_a_report_that_its_manifest_knows(trained: Run) -> None:
    assert trained.report == trained.path / "report.html"
    content = trained.report.read_bytes()
    assert trained.manifest["files"]["report.html"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert len(content) < 3e6
    page = Parsed(content.decode())
    assert page.ids() == [name for name in SECTIONS if name != "inside"]
    assert trained.metrics["verdict"] in page.text
    assert trained.data["fingerprint"] in page.text
    (of_intervals,) = trained.metrics["calibration_warnings"]
    assert f"{of_intervals}." in page.text
    assert f"forecast replay {trained.name} --runs-dir {trained.path.parent}" in page.text


@pytest.mark.usefixtures("undrawn")
def test_the_report_of_a_folder_is_that_of_the_training(trained: Run, results: RunResults) -> None:
    assert trained.report is not None
    written = trained.report.read_text(encoding="utf-8")
    again = report_page(results)

    def said(html: str) -> str:
        return re.sub(r"finished [^<]*", "", Parsed(html).text)

    assert said(again) == said(written)


@pytest.mark.usefixtures("undrawn")
def test_everything_stands_in_its_place(results: RunResults) -> None:
    page = Parsed(report_page(with_everything(results)))
    assert page.ids() == SECTIONS
    for said in ("80% interval", "inside 95%", "Winkler", "CRPS", "RMSSE", "direction %", "are an echo", "adapt",
                 "Undefined: no yardstick.", "Undefined: persistence makes no error here.", "−10.0% to +20.0%",
                 "persistence makes no error here", "at 1 of 3 steps ahead", "the gate <i>keeps</i>"):  # fmt: skip
        assert said in page.text, said
    assert not re.search(r"\b(nan|inf|None)\b", page.text)


def test_tiles_stand_in_rows_of_like_length(drawn: str) -> None:
    (columns,) = re.findall(r'class="tiles in-(\d)"', drawn)
    n_tiles = drawn[drawn.index('class="tiles') : drawn.index("</dl>")].count("<dt>")
    rows = -(-n_tiles // 6)
    assert int(columns) == -(-n_tiles // rows)


def test_the_page_asks_for_nothing(drawn: str) -> None:
    html, page = drawn, Parsed(drawn)
    assert "http" not in re.sub(r"data:image/[^\"]*", "", html).replace("http-equiv", "")
    assert "url(" not in html
    (policy,) = [of["content"] or "" for tag, of in page.tags if of.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}" in policy
    assert not [tag for tag, of in page.tags if tag == "script" or "style" in of]
    assert len(page.images()) == 21
    for image in page.images():
        assert not re.search(rb'href="(?!#)|<script|<image|@import|url\((?!#)', image)


def test_hostile_names_are_text(drawn: str) -> None:
    page = Parsed(drawn)
    ours = (
        "html head meta title link style body main header section nav h1 h2 h3 p span a figure figcaption picture "
        "source img div table caption thead tbody tr th td sup small ol ul li details summary dl dt dd pre"
    )
    assert {tag for tag, _ in page.tags} == set(ours.split())
    assert not [name for _, of in page.tags for name in of if name.startswith("on")]
    assert page.text.count(HOSTILE) >= 5
    assert not [image for image in page.images() if b"<script" in image]


def test_undefined_figures_carry_their_reason() -> None:
    metrics = {
        "models": {"lstm": {"mae": 1.0, "mase": None}, "persistence": {"mae": 1.0, "mase": None}},
        "skill": {"persistence": None},
        "p_value": {"persistence": None},
        "reasons": {"models.lstm.mase": "no yardstick", "p_value.persistence": "fewer than eight origins"},
    }
    table = score_table(metrics, LABELS)
    assert table.columns == ["model", "MAE °C", "skill", "p", "MASE"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["LSTM", "1.00", "", "", "–"],
        ["persistence", "1.00", "–", "–", "–"],
    ]
    for row in table.rows:
        for cell in row:
            assert (cell.text == "–") == (cell.reason > 0)
    assert table.notes[table.rows[0][4].reason - 1] == "no yardstick"
    assert table.notes[table.rows[1][3].reason - 1] == "fewer than eight origins"
    assert not any(cell.best for row in table.rows for cell in row)  # of equals, none is the best
    assert interval_table(metrics, LABELS) is None


def test_forecast_table_has_the_model_its_intervals_and_the_others() -> None:
    frame = pd.DataFrame({
        "unique_id": ["y"], "ds": pd.to_datetime(["2001-02-01"]), "cutoff": pd.to_datetime(["2001-01-01"]),
        "lstm": 2.0, "rnn": 2.5, "lstm-lo-80": 1.0, "lstm-hi-80": 3.0, "rnn-lo-80": np.nan, "rnn-hi-80": np.nan,
    })  # fmt: skip
    table = forecast_table(frame, "y", LABELS)
    assert table.columns == ["time", "LSTM", "80% interval", "vanilla RNN"]
    assert [cell.text for cell in table.rows[0]] == ["2001-02-01", "2.000", "1.000 to 3.000", "2.500"]


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_a_newest_forecast_says_so(results: RunResults) -> None:
    page = Parsed(report_page(replace(results, forecast=results.forecast.iloc[:0])))
    assert "There is none." in page.text


def test_holes_are_absent_rows_and_missing_values() -> None:
    times = np.array(["2001-01-01", "2001-01-02", "2001-01-05", "2001-01-06", "2001-01-07"], "datetime64[us]")
    values = np.array([1.0, 2.0, 3.0, np.nan, 5.0])
    found = missing_spans(times, values, np.array([0, 0, 1, 1, 1]))
    days = [tuple(str(day)[:10] for day in hole) for hole in found]
    assert days == [("2001-01-02", "2001-01-05"), ("2001-01-05", "2001-01-07")]


@pytest.mark.parametrize("kind", ["datetime64[us]", "int64"])
def test_holes_too_small_to_be_seen_are_pale_marks_that_are_seen(kind: str) -> None:
    times = np.arange(1001).astype(kind)  # microseconds, or steps
    values = np.ones(1001)
    values[401:500] = np.nan  # ten pieces of a hundred, from the last value before to the first one after
    values[[803, 845, 847]] = np.nan
    spans = missing_spans(times, values, np.zeros(1001, int))
    first, last, shares = missing_shares(spans, times, 100)
    pieces = zip(first.astype(int), last.astype(int), shares, strict=True)
    assert list(pieces) == [(400, 500, 1.0), (800, 810, 0.25), (840, 850, 0.5)]
    assert not len(missing_shares([], times, 100)[0])
    assert not len(missing_shares([], times[:1], 100)[0])


@styled()
def plot_bias_by_step(forecasts: pd.DataFrame, labels: Labels, *, verdict: str, size: PageSize) -> PlotFigure:
    """A plot that the package does not have."""
    error = forecasts[labels.model] - forecasts["y"]
    figure = PlotFigure(size)
    axes = figure.subplots()
    axes.plot(error.groupby(forecasts.groupby("cutoff").cumcount() + 1).mean())
    format_axes(axes)
    figure.add_head(labels.subject(), "bias by step ahead", verdict=verdict, note="Zero is right.")
    return figure


BIAS = Plot(6, "errors", plot_bias_by_step, ("all test forecasts", "pooled labels"))


@pytest.mark.usefixtures("undrawn")
def test_a_plot_is_added_by_one_entry(trained: Run, results: RunResults, monkeypatch: pytest.MonkeyPatch) -> None:
    files, page = {path.name for path in trained.plots}, Parsed(trained.report.read_text())
    monkeypatch.setitem(PLOTS, "bias-by-step", BIAS)
    more_files, html = draw_files(results), report_page(results)
    assert [name for name in more_files if name not in files] == ["6-bias-by-step.png"]
    assert more_files["6-bias-by-step.png"].startswith(b"\x89PNG")
    assert len(Parsed(html).images()) == len(page.images()) + 2
    (section,) = re.findall(r'<section id="errors">.*?</section>', html, re.DOTALL)
    assert "Bias by step ahead" in section
    assert "Zero is right." in section


@pytest.mark.usefixtures("undrawn")
def test_a_plot_without_what_it_needs_is_left_out(results: RunResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLOTS, "bias-by-step", BIAS)
    nothing = Evaluation(results.metrics, results.evaluation.forecasts.iloc[:0])
    without = replace(results, evaluation=nothing)
    assert "6-bias-by-step.png" not in draw_files(without)
    assert "Bias by step ahead" not in report_page(without)


@pytest.mark.usefixtures("undrawn")
def test_a_plot_on_no_section_of_the_page_is_refused(results: RunResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLOTS, "bias-by-step", replace(BIAS, section="bias"))
    with pytest.raises(ValueError, match=r"\{'bias'\}.*'errors'"):
        report_page(results)


def test_each_plot_takes_what_it_needs() -> None:
    for plot in PLOTS.values():
        arguments = [p for p in signature(plot.function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert len(arguments) == len(plot.needs)
    with pytest.raises(ValueError, match=r"\{'gradient'\}.*'test forecasts'"):
        Plot(6, None, plot_bias_by_step, ("gradient", "labels"))


def test_in_a_browser_nothing_is_asked_for_and_every_picture_is_drawn(drawn: str, browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(drawn, encoding="utf-8")
    for width, dark in ((390, False), (1280, True)):
        page = browser.open(path, width, dark=dark)
        asked = [event["request"]["url"] for event in page.events("Network.requestWillBeSent")]
        assert [url for url in asked if not url.startswith("data:image/")] == [path.resolve().as_uri()]
        for kind in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Audits.issueAdded",
                     "Page.javascriptDialogOpening"):  # fmt: skip
            assert page.events(kind) == []
        ink = page.evaluate(INK)
        assert len(ink) == 11
        assert min(ink) > 1000, ink
        assert page.evaluate(TOO_WIDE) <= 0  # only tables scroll, in their boxes
        assert page.evaluate("document.title") != "taken"
        assert page.evaluate("document.scripts.length") == 0
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

# How many pixels of each picture are neither transparent nor white.
INK = """
[...document.images].map(image => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let ink = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    ink += pixels[i + 3] > 40 && pixels[i] + pixels[i + 1] + pixels[i + 2] < 740;
  }
  return ink;
})
"""


def test_the_browser_would_have_told(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<script>console.log('said')</script><img src='data:image/png;base64,AAAA'><img src='other.png'>")
    page = browser.open(path)
    assert page.events("Runtime.consoleAPICalled")
    assert any(event["request"]["url"].endswith("other.png") for event in page.events("Network.requestWillBeSent"))
    assert page.evaluate("[...document.images].map(image => image.naturalWidth)") == [0, 0]
