"""Training: the same bits twice and after an interruption, every kind of series, and nothing known too early."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, DataError, ForecastError, Run, RunError, Settings
from forecast.evaluation import scoring
from forecast.plots.run_plots import draw_forecasts
from forecast.progress import NullProgress, StopRequested
from forecast.runs.find import all_runs
from forecast.training.sampling import WindowOrder
from naive_names import NAIVE_OF_CYCLES
from recording import RecordingProgress

pytestmark = pytest.mark.usefixtures("no_plots")

Tiny = Callable[..., Settings]


class Stop(NullProgress):
    """Asks to stop when the numbered network has done so many steps."""

    def __init__(self, network: int, step: int) -> None:
        self.network, self.stop_at, self.seen = network, step, 0

    def started(self, network: str, fit: object) -> None:
        self.seen += 1

    def step(self, fit: forecast.training.trainer.Fit) -> None:  # type: ignore[name-defined]
        if self.seen == self.network and fit.state.step == self.stop_at:
            raise StopRequested(2)


def results(run: Run) -> dict[str, bytes]:
    """The bytes of every file but those with a time of day in them."""
    return {name: (run.path / name).read_bytes() for name in run.manifest["files"] if name != "report.html"}


@pytest.fixture(scope="module")
def everything(tiny: Tiny) -> Settings:
    """Three trainings in one: the model, the baseline, and the model on every row; dropout, so that its seeds count."""
    return tiny(refit=True, head_dropout=0.2, lookback=3)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, monthly_csv: Path, everything: Settings, plotless: None) -> Run:
    """The run that was never interrupted."""
    return forecast.train(monthly_csv, everything, run="run", runs_dir=tmp_path_factory.mktemp("straight"))


def test_the_same_seed_gives_the_same_bytes(
    tmp_path: Path, monthly_csv: Path, straight: Run, everything: Settings
) -> None:
    again = forecast.train(monthly_csv, everything, run="again", runs_dir=tmp_path)
    assert results(again) == results(straight)


def test_another_seed_gives_another_network(
    tmp_path: Path, monthly_csv: Path, straight: Run, everything: Settings
) -> None:
    other = everything.replace(training={"seed": 1, "baseline": False, "refit": False, "epochs": 1})
    run = forecast.train(monthly_csv, other, run="run", runs_dir=tmp_path)
    assert run.weights("model").keys() == straight.weights("model").keys()
    assert any((run.weights("model")[name] != array).any() for name, array in straight.weights("model").items())


# 200 months leave 135 training windows: 9 steps an epoch, 18 in all.
@pytest.mark.parametrize(
    ("network", "step"),
    [(1, 4), (1, 18), (3, 2)],
    ids=["within an epoch", "last step", "refit"],
)
def test_an_interrupted_training_ends_with_the_same_bytes(
    tmp_path: Path, monthly_csv: Path, straight: Run, everything: Settings, network: int, step: int
) -> None:
    with pytest.raises(StopRequested) as caught:
        forecast.train(monthly_csv, everything, run="run", runs_dir=tmp_path, progress=Stop(network, step))
    assert caught.value.exit_code == 130
    assert caught.value.text("shell")[1] == f"Continue with: forecast train --resume run --runs-dir {tmp_path}"
    assert all_runs(runs_dir=tmp_path) == []
    resumed = forecast.resume("run", runs_dir=tmp_path)
    assert results(resumed) == results(straight)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.thorough
def test_a_training_may_be_interrupted_again_and_again(
    tmp_path: Path, monthly_csv: Path, straight: Run, everything: Settings
) -> None:
    with pytest.raises(StopRequested):
        forecast.train(monthly_csv, everything, run="run", runs_dir=tmp_path, progress=Stop(1, 3))
    for stop in (Stop(1, 11), Stop(2, 9)):
        with pytest.raises(StopRequested):
            forecast.resume("run", runs_dir=tmp_path, progress=stop)
    assert results(forecast.resume("run", runs_dir=tmp_path)) == results(straight)


def test_a_stop_between_two_networks_names_the_command_that_continues(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny
) -> None:
    class Between(NullProgress):
        def ended(self, network: str, fit: object) -> None:
            raise StopRequested(15)  # as the command line does when a signal comes while nothing is trained

    with pytest.raises(StopRequested) as caught:
        forecast.train(monthly, tiny(model="rnn", epochs=1), run="run", runs_dir=tmp_path, progress=Between())
    assert "forecast train --resume run" in caught.value.text("shell")[1]


def interrupted(folder: Path, source: object, config: Settings) -> None:
    with pytest.raises(StopRequested):
        forecast.train(source, config, run="run", runs_dir=folder, progress=Stop(1, 3))  # type: ignore[arg-type]


def test_resume_refuses_data_that_changed(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    source = tmp_path / "months.csv"
    monthly.to_csv(source, index=False)
    interrupted(tmp_path / "runs", source, tiny(model="rnn"))
    pd.concat([monthly, monthly.tail(1).assign(ds=pd.Timestamp("2006-09-01"))]).to_csv(source, index=False)
    with pytest.raises(DataError, match=r"has changed since .*201 rows now, 200 then") as caught:
        forecast.resume("run", runs_dir=tmp_path / "runs")
    assert "--run run --overwrite" in caught.value.text("shell")[1]
    monthly.assign(y=monthly["y"].where(monthly.index != 100, 3.0)).to_csv(source, index=False)
    with pytest.raises(DataError, match="has changed since"):
        forecast.resume("run", runs_dir=tmp_path / "runs")
    monthly.to_csv(source, index=False)
    assert forecast.resume("run", runs_dir=tmp_path / "runs").name == "run"


def test_a_frame_must_be_given_again(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    interrupted(tmp_path, monthly, tiny(model="rnn"))
    with pytest.raises(DataError, match="cannot be read again"):
        forecast.resume("run", runs_dir=tmp_path)
    assert forecast.resume("run", runs_dir=tmp_path, source=monthly).name == "run"


def test_resume_works_from_another_folder(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monthly.to_csv(tmp_path / "months.csv", index=False)
    monkeypatch.chdir(tmp_path)
    interrupted(tmp_path / "runs", "months.csv", tiny(model="rnn"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert forecast.resume("run", runs_dir=tmp_path / "runs").manifest["source"] == str(tmp_path / "months.csv")


def test_a_missing_source_says_how_to_give_it_again(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    monthly.to_csv(tmp_path / "months.csv", index=False)
    interrupted(tmp_path / "runs", tmp_path / "months.csv", tiny(model="rnn"))
    (tmp_path / "months.csv").rename(tmp_path / "moved.csv")
    with pytest.raises(DataError, match=r"months\.csv"):
        forecast.resume("run", runs_dir=tmp_path / "runs")
    assert forecast.resume("run", runs_dir=tmp_path / "runs", source=tmp_path / "moved.csv").name == "run"


def test_resume_of_nothing_lists_what_can_be_resumed(
    tmp_path: Path, trained: Run, monthly: pd.DataFrame, tiny: Tiny
) -> None:
    with pytest.raises(RunError, match="The run 'months' is finished"):
        forecast.resume("months", runs_dir=trained.path.parent)
    interrupted(tmp_path, monthly, tiny(model="rnn"))
    with pytest.raises(RunError, match="no unfinished training 'other'") as caught:
        forecast.resume("other", runs_dir=tmp_path)
    assert "Unfinished: run" in caught.value.advice


def test_an_unfinished_folder_that_is_damaged_is_refused(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    interrupted(tmp_path, monthly, tiny(model="rnn"))
    (tmp_path / ".run.training" / "config.json").unlink()
    with pytest.raises(ForecastError) as caught:
        forecast.resume("run", runs_dir=tmp_path, source=monthly)
    assert caught.value.exit_code == 2


def test_the_model_was_restored_and_not_trained_again(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    with pytest.raises(StopRequested):
        forecast.train(monthly, tiny(), run="run", runs_dir=tmp_path, progress=Stop(2, 3))

    class Count(NullProgress):
        steps = 0

        def step(self, fit: object) -> None:
            self.steps += 1

    count = Count()
    forecast.resume("run", runs_dir=tmp_path, source=monthly, progress=count)
    assert count.steps == 2 * 20 - 3  # what was left of the baseline's two epochs


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"lookback": 150}, DataError),
        ({"target": "nothing"}, DataError),
        ({"test_from": "2050-01-01"}, DataError),
        ({"transform": "log", "target": "x", "covariates": "none"}, DataError),
        ({"decode": "recursive", "horizon": 200, "lookback": 6}, ConfigError),
    ],
)
def test_a_refusal_leaves_nothing_behind(
    tmp_path: Path, tiny: Tiny, settings: dict[str, object], kind: type[ForecastError]
) -> None:
    # 2200 rows, so that even 200 steps ahead fit into every part; the network's builder refuses them, last of all.
    days = pd.date_range("2010-01-01", periods=2200, freq="D")
    frame = pd.DataFrame({"ds": days, "y": np.sin(np.arange(2200)), "x": np.cos(np.arange(2200))})
    source = frame if settings.get("horizon") == 200 else frame.iloc[:200]
    with pytest.raises(kind):
        forecast.train(source, tiny(**settings), run="run", runs_dir=tmp_path / "runs")
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


def test_an_existing_run_is_refused_before_training(
    tmp_path: Path, trained: Run, monthly: pd.DataFrame, tiny: Tiny
) -> None:
    shutil.copytree(trained.path, tmp_path / "run")
    progress = RecordingProgress()
    with pytest.raises(ConfigError, match="There is a run 'run' already"):
        forecast.train(monthly, tiny(), run="run", runs_dir=tmp_path, progress=progress)
    assert progress.networks == []
    assert forecast.find("run", runs_dir=tmp_path).manifest == trained.manifest
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # and no lock


def test_an_overwritten_run_is_there_until_the_new_one_is_whole(
    tmp_path: Path, trained: Run, monthly_csv: Path, tiny: Tiny
) -> None:
    shutil.copytree(trained.path, tmp_path / "run")
    config = tiny(model="rnn", seed=5)
    with pytest.raises(StopRequested):
        forecast.train(monthly_csv, config, run="run", runs_dir=tmp_path, overwrite=True, progress=Stop(1, 4))
    assert forecast.find("run", runs_dir=tmp_path).manifest == trained.manifest
    forecast.resume("run", runs_dir=tmp_path)
    assert forecast.find("run", runs_dir=tmp_path).config.training.seed == 5
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["", "../x", "x" * 300, "latest", "a/b"])
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a run"):
        forecast.train(monthly, tiny(model="rnn", epochs=1), run=name, runs_dir=tmp_path / "runs")
    assert not (tmp_path / "x").exists()


def test_runs_without_a_name_are_called_after_source_and_model(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny
) -> None:
    source = tmp_path / "sea ice (°C).2021.csv"
    monthly.to_csv(source, index=False)
    config = tiny(model="rnn", epochs=1)
    names = [forecast.train(source, config, runs_dir=tmp_path / "runs").name for _ in range(2)]
    assert names == ["sea-ice-C-rnn", "sea-ice-C-rnn-2"]


def test_runs_live_where_the_environment_says(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_RUNS", str(tmp_path / "mine"))
    run = forecast.train(monthly, tiny(model="rnn", epochs=1))
    assert run.path == tmp_path / "mine" / "series-rnn"
    assert forecast.find().path == run.path


def test_the_manifest_says_what_was_done(monthly_csv: Path, trained: Run, monthly: pd.DataFrame) -> None:
    manifest = trained.manifest
    assert manifest["source"] == str(monthly_csv)
    assert manifest["seed"] == 0
    assert manifest["forecast_weights"] == "model"
    assert manifest["data"] | {"fingerprint": ""} == {
        "fingerprint": "",
        "rows": 200,
        "columns": ["y"],
        "series_ids": [""],
        "freq": "MS",
        "tz": None,
        "holidays": [],
        "first": "1990-01-01T00:00:00.000000",
        "last": "2006-08-01T00:00:00.000000",
        "units": {},
        "notes": manifest["data"]["notes"],
        "warnings": [],
        "validation_from": "2001-09-01T00:00:00.000000",  # 140 rows of 200 to train on,
        "test_from": "2003-05-01T00:00:00.000000",  # 20 to validate, 40 to test
    }
    assert manifest["data"]["fingerprint"] == forecast.read(monthly).fingerprint()
    # 140 rows hold 132 windows of 6 + 3; in 20 and 40 rows, 18 and 38 horizons of 3 begin.
    assert manifest["windows"] == {"train": 132, "validation": 18, "test": 38}
    # 4 gates, each of 3 inputs + 8 states + 1 bias for 8 units, and a head from 8 to 3; the vanilla RNN has one gate.
    assert manifest["networks"]["model"]["parameters"] == 4 * 8 * (3 + 8 + 1) + 9 * 3
    assert manifest["networks"]["baseline"]["parameters"] == 8 * (3 + 8 + 1) + 9 * 3


def test_metrics_have_the_keys_that_were_promised(trained: Run) -> None:
    metrics = trained.metrics
    json.dumps(metrics, allow_nan=False)
    assert metrics["schema"] == 1
    assert (metrics["n_windows"], metrics["horizon"], metrics["season"]) == (38, 3, 12)
    names = ["lstm", "rnn", *NAIVE_OF_CYCLES]
    assert list(metrics["models"]) == list(metrics["by_step"]) == names
    of_model = {"mae", "rmse", "mase", "rmsse", "smape", "wape", "bias", "directional_accuracy"}
    assert all(set(scores) == of_model for scores in metrics["models"].values())
    assert metrics["reasons"] == {
        "models.persistence.directional_accuracy": "it never forecasts a change, or nothing ever changed"
    }
    assert list(metrics["intervals"]["models"]) == names
    assert metrics["intervals"]["levels"] == [80, 95]
    for scores in metrics["intervals"]["models"].values():
        assert scores["80"]["width"] < scores["95"]["width"]
        assert len(scores["80"]["coverage_by_step"]) == 3
    assert list(metrics["skill"]) == ["rnn", *NAIVE_OF_CYCLES]
    assert metrics["verdict"].endswith(".")


def test_scores_are_those_of_the_table_of_forecasts(trained: Run) -> None:
    frame, metrics = trained.test_forecasts, trained.metrics
    assert len(frame) == 38 * 3
    for name, scores in metrics["models"].items():
        error = (frame["y"] - frame[name]).abs()
        assert scores["mae"] == pytest.approx(error.mean(), rel=1e-9)
        assert scores["rmse"] == pytest.approx(((frame["y"] - frame[name]) ** 2).mean() ** 0.5, rel=1e-9)
        steps = np.tile([0, 1, 2], 38)
        assert metrics["by_step"][name] == pytest.approx(error.groupby(steps).mean().tolist(), rel=1e-9)


def test_rows_after_an_origin_do_not_touch_its_forecast(
    tmp_path: Path, monthly: pd.DataFrame, trained: Run, tiny: Tiny
) -> None:
    origin = 180  # within the test span
    later = monthly.assign(y=monthly["y"].where(monthly.index <= origin, 40 - monthly["y"]))
    run = forecast.train(later, tiny(), run="run", runs_dir=tmp_path)
    assert (run.path / "scaler.json").read_bytes() == (trained.path / "scaler.json").read_bytes()
    for network in ("model", "baseline"):
        for name, array in trained.weights(network).items():
            assert run.weights(network)[name].tobytes() == array.tobytes()

    def until_origin(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["cutoff"] <= monthly["ds"][origin]].drop(columns="y")

    pd.testing.assert_frame_equal(
        until_origin(run.test_forecasts), until_origin(trained.test_forecasts), check_exact=True
    )
    after = run.test_forecasts["cutoff"] > monthly["ds"][origin]
    assert (run.test_forecasts.loc[after, "lstm"] != trained.test_forecasts.loc[after, "lstm"]).all()


def test_several_series_are_forecast_by_one_network(tmp_path: Path, three: pd.DataFrame, tiny: Tiny) -> None:
    run = forecast.train(three, tiny(model="gru", baseline=False), run="run", runs_dir=tmp_path)
    names = {"north", "south", "east"}
    assert set(run.metrics["by_series"]) == set(run.metrics["naive_error"]) == names
    assert run.metrics["n_windows"] == 3 * 38
    assert set(run.test_forecasts["unique_id"]) == set(run.forecast["unique_id"]) == names
    assert len(run.forecast) == 9
    # South is twice as high as north; forecasts in each other's units would be far off.
    means = run.forecast.groupby("unique_id")["gru"].mean()
    assert means["north"] < means["south"] < means["east"]
    for name, frame in run.test_forecasts.groupby("unique_id"):
        y = three[three["unique_id"] == name].set_index("ds")["y"]
        assert frame["y"].tolist() == pytest.approx(y[frame["ds"]].tolist(), rel=1e-11)
        assert frame["persistence"].tolist() == pytest.approx(y[frame["cutoff"]].tolist(), rel=1e-11)


def test_a_series_that_cannot_be_forecast_is_told_and_left_out(tmp_path: Path, three: pd.DataFrame, tiny: Tiny) -> None:
    holed = three.drop(index=three.index[three["unique_id"] == "east"][190:198])
    progress = RecordingProgress()
    run = forecast.train(holed, tiny(model="rnn", epochs=1), run="run", runs_dir=tmp_path, progress=progress)
    assert any("last 6 rows of series 'east'" in warning for warning in progress.warnings)
    assert run.forecast["unique_id"].tolist() == ["north"] * 3 + ["south"] * 3
    assert set(run.metrics["by_series"]) == {"north", "south", "east"}
    rows = forecast.prepare(forecast.read(holed), run.config).rows
    assert len(draw_forecasts(rows, run.forecast, "rnn", 6)) == 2


def test_a_run_without_a_newest_forecast(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    run = forecast.train(monthly.drop(index=range(190, 198)), tiny(model="rnn", epochs=1), run="run", runs_dir=tmp_path)
    assert len(run.forecast) == 0
    columns = ["unique_id", "ds", "cutoff", "rnn", *NAIVE_OF_CYCLES]
    assert list(run.forecast)[:9] == columns
    assert run.metrics["verdict"]
    with pytest.raises(DataError, match="'y' is missing at 2006-05-01") as caught:
        forecast.predict(run)
    assert "forecast predict run FILE" in caught.value.text("shell")[1]


@pytest.fixture
def wide(monthly: pd.DataFrame) -> pd.DataFrame:
    """Two targets, y and its half z, and a covariate x."""
    return monthly.assign(z=monthly["y"] / 2 + 100, x=np.cos(np.arange(len(monthly))))


def test_several_targets_jointly(tmp_path: Path, wide: pd.DataFrame, tiny: Tiny) -> None:
    run = forecast.train(
        wide, tiny(target="y,z", covariates="x", baseline=False, epochs=1), run="run", runs_dir=tmp_path
    )
    assert run.forecast["unique_id"].tolist() == ["y"] * 3 + ["z"] * 3
    assert set(run.metrics["by_series"]) == {"y", "z"}
    # Inputs: two targets, x, sine and cosine of the year. One head for three steps of both targets.
    assert run.manifest["networks"]["model"]["parameters"] == 4 * 8 * (5 + 8 + 1) + 9 * 6
    persistence = run.forecast.groupby("unique_id")["persistence"].first()
    assert persistence["z"] == pytest.approx(persistence["y"] / 2 + 100)


def test_several_targets_each_on_its_own(tmp_path: Path, wide: pd.DataFrame, tiny: Tiny) -> None:
    config = tiny(target="y,z", covariates="none", channels="independent", baseline=False, epochs=1)
    run = forecast.train(wide, config, run="run", runs_dir=tmp_path)
    assert run.forecast["unique_id"].tolist() == ["y"] * 3 + ["z"] * 3
    assert run.metrics["n_windows"] == 2 * 38
    assert run.manifest["networks"]["model"]["parameters"] == 4 * 8 * (3 + 8 + 1) + 9 * 3
    # z is y on another scale. Each is scaled on its own, so that shared weights give the same forecast of both.
    y, z = (run.forecast[run.forecast["unique_id"] == name]["lstm"].to_numpy() for name in "yz")
    assert z == pytest.approx(y / 2 + 100, rel=1e-6)


def test_channels_on_their_own_see_the_covariates(tmp_path: Path, wide: pd.DataFrame, tiny: Tiny) -> None:
    config = tiny(target="y,z", covariates="x", channels="independent", model="rnn", epochs=1)
    run = forecast.train(wide, config, run="run", runs_dir=tmp_path)
    # Inputs: one target, x, sine and cosine of the year.
    assert run.manifest["networks"]["model"]["parameters"] == 8 * (4 + 8 + 1) + 9 * 3
    assert set(run.metrics["by_series"]) == {"y", "z"}


def test_a_covariate_is_seen(tmp_path: Path, tiny: Tiny) -> None:
    # Noise that the covariate foretells by one step: only a network that sees it can know the next value.
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    frame = pd.DataFrame({"ds": pd.date_range("2000-01-01", periods=600, freq="D"), "y": np.r_[0, x[:-1]], "x": x})
    settings = {"model": "rnn", "target": "y", "horizon": 1, "lookback": 4, "season": 1}
    settings |= {"epochs": 12, "learning_rate": 0.02, "ema": 0}
    mae = {}
    for covariates in ("x", "none"):
        config = tiny(**settings, covariates=covariates)
        run = forecast.train(frame, config, run=covariates, runs_dir=tmp_path)
        mae[covariates] = run.metrics["models"]["rnn"]["mae"]
    assert mae["x"] < 0.4 < 0.7 < mae["none"]  # the mean absolute value of the noise is 0.8


def test_refit_forecasts_with_every_row_and_is_judged_without(straight: Run, monthly_csv: Path) -> None:
    assert straight.manifest["forecast_weights"] == straight.forecast_weights == "refit"
    judged, refitted = straight.weights("model"), straight.weights("refit")
    assert judged.keys() == refitted.keys()
    assert any((judged[name] != refitted[name]).any() for name in judged)
    # The scores are of the judged weights, which evaluate takes again.
    again = forecast.evaluate(straight, monthly_csv)["models"]
    assert again["lstm"] == pytest.approx(straight.metrics["models"]["lstm"], rel=1e-9)


def test_refit_does_not_change_the_scores(
    tmp_path: Path, monthly_csv: Path, straight: Run, everything: Settings
) -> None:
    plain = forecast.train(monthly_csv, everything.replace(training={"refit": False}), run="plain", runs_dir=tmp_path)
    assert plain.metrics == straight.metrics
    assert plain.weights("model").keys() == straight.weights("model").keys()
    merged = plain.forecast.merge(straight.forecast, on=["unique_id", "ds", "cutoff"])
    assert (merged["lstm_x"] != merged["lstm_y"]).all()
    assert merged["rnn_x"].tolist() == merged["rnn_y"].tolist()


def test_no_baseline(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    progress = RecordingProgress()
    run = forecast.train(monthly, tiny(epochs=1, baseline=False), run="run", runs_dir=tmp_path, progress=progress)
    assert progress.networks == ["lstm"]
    assert "baseline/weights.npz" not in run.manifest["files"]
    assert not (run.path / "baseline").exists()
    assert list(run.metrics["models"]) == ["lstm", *NAIVE_OF_CYCLES]
    with pytest.raises(RunError, match="has no baseline"):
        run.weights("baseline")


def test_a_vanilla_rnn_has_no_second_one_beside_it(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    progress = RecordingProgress()
    run = forecast.train(monthly, tiny(model="rnn", epochs=1), run="run", runs_dir=tmp_path, progress=progress)
    assert progress.networks == ["rnn"]
    assert "rnn" not in run.metrics["skill"]
    assert run.metrics["model"] == "rnn"


def test_the_baseline_has_the_models_design(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    run = forecast.train(monthly, tiny(model="gru", units="6,4", lookback=3, epochs=1), run="run", runs_dir=tmp_path)
    shapes = {name: array.shape for name, array in run.weights("baseline").items()}
    assert shapes == {
        "1/recurrent_1/kernel": (3, 6),
        "1/recurrent_1/recurrent_kernel": (6, 6),
        "1/recurrent_1/bias": (6,),
        "1/recurrent_2/kernel": (6, 4),
        "1/recurrent_2/recurrent_kernel": (4, 4),
        "1/recurrent_2/bias": (4,),
        "1/head/kernel": (4, 3),
        "1/head/bias": (3,),
    }


def test_what_was_inferred_and_mended_is_told_and_kept(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    progress = RecordingProgress()
    mixed = monthly.iloc[::-1]
    run = forecast.train(mixed, tiny(model="rnn", epochs=1), run="run", runs_dir=tmp_path, progress=progress)
    assert "target: y" in progress.notes
    assert "lookback 6 months, horizon 3 months, season 12 months" in progress.notes
    assert set(run.manifest["data"]["notes"]) < set(progress.notes)
    rough = "1 step ahead the intervals rest on about 8 independent outcomes"
    *before, last = progress.warnings
    assert before == run.manifest["data"]["warnings"]
    assert last.startswith(rough)
    assert run.metrics["calibration_warnings"] == [last]


@pytest.mark.thorough
def test_what_a_large_training_held_is_let_go(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def n_graphs() -> int:
        gc.collect()
        return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())

    made: list[weakref.ref[WindowOrder]] = []
    true = WindowOrder.__init__

    def watched(order: WindowOrder, *of: Any) -> None:
        made.append(weakref.ref(order))
        true(order, *of)

    monkeypatch.setattr(WindowOrder, "__init__", watched)
    monkeypatch.setattr("forecast.model._LARGE", 0)
    before = n_graphs()
    forecast.train(monthly, tiny(epochs=1), run="run", runs_dir=tmp_path)
    assert len(made) >= 2
    assert all(order() is None for order in made)
    assert n_graphs() <= before


def test_a_table_of_forecasts_that_is_not_whole_is_said_to_be_thinned(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = RecordingProgress()
    monkeypatch.setattr(scoring, "_ROWS_OF_FORECASTS", 40)
    run = forecast.train(monthly, tiny(model="rnn", epochs=1), run="run", runs_dir=tmp_path, progress=progress)
    assert run.metrics["forecasts_every"] > 1
    assert len(run.test_forecasts) < run.metrics["n_windows"] * run.metrics["horizon"]
    (said,) = [note for note in progress.notes if note.startswith("test_forecasts.parquet: ")]
    assert said.startswith(f"test_forecasts.parquet: {len(run.test_forecasts)} rows, of one origin in ")
    assert said.endswith("; every window is scored")


def test_a_training_that_diverges_says_what_to_try(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    huge = tiny(learning_rate=1e32, model="rnn", epochs=20, warmup=0, schedule="constant", activation="linear")
    with pytest.raises(ConfigError, match=r"The loss is .* at step \d+") as caught:
        forecast.train(monthly, huge, run="run", runs_dir=tmp_path)
    assert "learning_rate" in caught.value.advice
    assert list(tmp_path.iterdir()) == []
