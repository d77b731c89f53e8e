"""A run folder from a stranger: refused in words, before anything of its size is allocated, nothing else touched.

Every folder is the trained one with one thing changed. The manifest is hashed anew, so that the hashes, which a
stranger can write too, do not stand in for the check that is meant.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import forecast
from configs import plain_config
from forecast import ConfigError, ForecastError, Run, RunError
from forecast.cli import main
from forecast.commands.explain.explain import explain
from forecast.commands.predict.predict import predict_and_draw
from forecast.commands.stream.stream import Stream
from forecast.models.cells import CELLS
from forecast.progress import TrainingState
from forecast.runs.arrays import arrays_to_bytes, specs_of
from forecast.runs.calibration import intervals_of
from forecast.runs.checkpoints import load_checkpoint, save_checkpoint
from forecast.runs.find import all_runs, open_run
from forecast.runs.run import read_explanation
from forecast.runs.writer import RunWriter

Harm = Callable[[Path], object]

MOST_MEMORY = 100 * 1024**2
LARGE = 2**40  # bytes of a file of which the disk holds nothing


@pytest.fixture
def folder(trained: Run, tmp_path: Path) -> Path:
    """A copy of the trained run that may be spoilt."""
    return Path(shutil.copytree(trained.path, tmp_path / "runs" / "months"))


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def sign(folder: Path, *names: str) -> None:
    """Let the manifest say what these files are now."""
    manifest = manifest_of(folder)
    for name in names:
        content = (folder / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(folder, manifest)


def put(name: str, content: bytes) -> Harm:
    def harm(folder: Path) -> None:
        (folder / name).write_bytes(content)
        sign(folder, name)

    return harm


def swap(name: str, old: str, new: str) -> Harm:
    """Another text in a file; the manifest is not signed by itself."""

    def harm(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))
        if name != "manifest.json":
            sign(folder, name)

    return harm


def tell(**changes: object) -> Harm:
    """Another manifest."""
    return lambda folder: write_manifest(folder, manifest_of(folder) | changes)


def list_file(name: str, **changes: object) -> Harm:
    def harm(folder: Path) -> None:
        manifest = manifest_of(folder)
        manifest["files"][name] = manifest["files"]["weights.npz"] | changes
        write_manifest(folder, manifest)

    return harm


def configure(section: str, **changes: object) -> Harm:
    def harm(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config[section] |= changes
        put("config.json", json.dumps(config).encode())(folder)

    return harm


def scale(**changes: object) -> Harm:
    def harm(folder: Path) -> None:
        put("scaler.json", json.dumps(json.loads((folder / "scaler.json").read_text()) | changes).encode())(folder)

    return harm


def arrays(name: str, change: Callable[[dict[str, Any]], object]) -> Harm:
    """Other arrays in an archive."""

    def harm(folder: Path) -> None:
        with np.load(folder / name) as archive:
            held = dict(archive)
        change(held)
        buffer = io.BytesIO()
        np.savez(buffer, **held)  # type: ignore[arg-type]
        put(name, buffer.getvalue())(folder)

    return harm


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        for name, content in members:
            made.writestr(name, content)
    return buffer.getvalue()


def crowded_directory(claimed: int) -> bytes:
    """A directory that claims more entries than there is room for."""
    content = bytearray(archive(("1/head/bias.npy", npy("{}"))))
    content[-14:-10] = claimed.to_bytes(2, "little") * 2
    return bytes(content)


def link_away(name: str) -> Harm:
    """A link to a file or folder outside, of the very content that the manifest speaks of."""

    def harm(folder: Path) -> None:
        outside = folder.parent.parent / "outside"
        (folder / name).rename(outside)
        (folder / name).symlink_to(outside)

    return harm


def pipe(name: str) -> Harm:
    def harm(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return harm


def sparse(name: str) -> Harm:
    """A file of a terabyte that takes no room on the disk."""

    def harm(folder: Path) -> None:
        os.truncate(folder / name, LARGE)
        if name != "manifest.json":
            list_file(name, bytes=LARGE)(folder)

    return harm


def head(name: str, column: str) -> Harm:
    return swap(name, column, "other")


KERNEL = "1/recurrent_1/kernel"
HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
OBJECTS = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
CODE = "{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (1,), }"

HARMS: dict[str, tuple[Harm, str]] = {
    # manifest.json
    "no-manifest": (lambda folder: (folder / "manifest.json").unlink(), "Cannot read .*manifest.json"),
    "cut-manifest": (lambda folder: os.truncate(folder / "manifest.json", 200), "is not JSON"),
    "large-manifest": (sparse("manifest.json"), "manifest.json is too large"),
    "many-values": (
        lambda folder: (folder / "manifest.json").write_bytes(b'{"a": [' + b"[]," * 2_000_000 + b"[]]}"), "too large"
    ),
    "wide-text": (
        lambda folder: (folder / "manifest.json").write_bytes(b'{"a": "' + b"a" * 20_000_000 + "😀".encode() + b'"}'),
        "too large",
    ),
    "key-twice": (swap("manifest.json", '"title"', '"seed": 1, "title"'), "the key 'seed' twice"),
    "inner-key-twice": (swap("manifest.json", '"rows"', '"rows": 1, "rows"'), "the key 'rows' twice"),
    "deep-manifest": (swap("manifest.json", '"title": ', '"title": ' + "[" * 500), "is not JSON"),
    "deep-list": (tell(title=json.loads("[" * 50 + "]" * 50)), "nested too deeply"),
    "very-deep": (
        lambda folder: (folder / "manifest.json").write_text('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}"),
        "is not JSON",
    ),
    "nan": (tell(seed=float("nan")), "it has NaN"),
    "infinity": (tell(seed=float("inf")), "it has Infinity"),
    "overflow": (swap("manifest.json", '"seed": 0', '"seed": 1e999'), "1e999, which is too large"),
    "endless-integer": (swap("manifest.json", '"seed": 0', '"seed": 1' + "0" * 5000), "which is too large"),
    "half-character": (swap("manifest.json", '"title": "', '"title": "\\ud800'), "is not JSON"),
    "no-text": (lambda folder: (folder / "manifest.json").write_bytes(b'{"a": "\xff"}'), "is not JSON"),
    "newer-schema": (tell(schema=2), "has schema 2; this version reads up to 1"),
    "schema-of-words": (tell(schema="1"), "has schema '1'"),
    "unknown-key": (tell(run_this="rm"), "run_this: Extra inputs are not permitted"),
    "title-of-numbers": (tell(title=5), "title: Input should be a valid string"),
    "runtime-unknown": (
        tell(runtimes={"model": "os"}), "runtimes.model: it should be one of onnxruntime, tensorflow, numpy"
    ),
    "no-hash": (list_file("x", sha256="0"), "files.x.sha256"),
    "negative-size": (list_file("x", bytes=-1), "files.x.bytes"),
    "upwards": (list_file("../outside.npz"), "'../outside.npz' is not a place"),
    "upwards-inside": (list_file("plots/../../outside"), "is not a place for a file"),
    "absolute": (list_file("/etc/passwd"), "'/etc/passwd' is not a place"),
    "backslash": (list_file("a\\b"), "is not a place for a file"),
    "nul": (list_file("a\0b"), "is not a place for a file"),
    "many-files": (tell(files={f"f{n}": {"bytes": 1, "sha256": "0" * 64} for n in range(10_001)}), "files: "),
    "linked-manifest": (link_away("manifest.json"), "manifest.json is a link"),
    "piped-manifest": (pipe("manifest.json"), "is not a regular file"),
    # config.json
    "config-of-more": (swap("config.json", '"seed"', '"sees": 1, "seed"'), "sees: no such setting"),
    "config-key-twice": (swap("config.json", '"seed"', '"seed": 1, "seed"'), "the key 'seed' twice"),
    "thousand-layers": (configure("network", units=[4096] * 1000), "units: "),
    "unrolled-graph": (
        lambda folder: (configure("data", lookback=100_000)(folder), configure("network", unroll=True)(folder)),
        "unroll takes up to 1,000 steps",
    ),
    "another-network": (configure("network", units=[4096, 4096]), "weights.npz is damaged: 1/recurrent_1/kernel"),
    "large-ensemble": (configure("training", ensemble=100), "weights.npz does not hold '10/"),
    # scaler.json
    "scale-nan": (scale(scale=[[float("nan")]]), "scaler.json is not JSON: it has NaN"),
    "scale-zero": (scale(scale=[[0.0]]), r"scaler.json is damaged: scale\.0\.0"),
    "scale-negative": (scale(scale=[[-1.0]]), r"scaler.json is damaged: scale\.0\.0"),
    "scale-text": (scale(scale=[["1.0"]]), r"scaler.json is damaged: scale\.0\.0"),
    "scaler-of-more": (scale(code="x"), "scaler.json is damaged: code"),
    "scaler-of-two": (scale(columns=["y", "z"], logged=[False, False], mean=[[0, 0]], scale=[[1, 1]]), "2 columns"),
    "normals-of-two": (scale(normals={"mean": [[1.0, 2.0]], "sparse": False, "climatology": None}), "of 2 targets"),
    "normals-of-another": (scale(normals={"mean": [[1.0], [2.0]], "sparse": False, "climatology": None}), "one normal"),
    "normals-nan": (scale(normals={"mean": [["x"]], "sparse": False, "climatology": None}), "scaler.json is damaged"),
    "normals-short": (
        scale(normals={"mean": [[1]], "sparse": False, "climatology": [[[1.0]]]}),
        r"scaler.json is damaged: normals\.climatology",
    ),
    "scaler-cut": (put("scaler.json", b'{"columns": ['), "scaler.json is not JSON"),
    # weights.npz
    "weights-extra": (arrays("weights.npz", lambda held: held.update(extra=np.zeros(3))), "claims 6 arrays"),
    "weights-renamed": (arrays("weights.npz", lambda held: held.update(extra=held.pop(KERNEL))), "holds 'extra.npy'"),
    "weights-fewer": (arrays("weights.npz", lambda held: held.pop(KERNEL)), f"does not hold '{KERNEL}'"),
    "weights-nan": (arrays("weights.npz", lambda held: held[KERNEL].fill(np.nan)), "not finite"),
    "weights-float64": (
        arrays("weights.npz", lambda held: held.update({KERNEL: held[KERNEL].astype(float)})), "<f8.*where <f4"
    ),
    "weights-turned": (arrays("weights.npz", lambda held: held.update({KERNEL: held[KERNEL].T})), "belongs"),
    "weights-of-objects": (
        arrays("weights.npz", lambda held: held.update({KERNEL: np.array([{}], dtype=object)})), "an array of numbers"
    ),
    "weights-huge": (put("weights.npz", archive((f"{KERNEL}.npy", npy(HUGE)))), "1000000, 1000000"),
    "weights-objects-huge": (put("weights.npz", archive((f"{KERNEL}.npy", npy(OBJECTS)))), "not an array of numbers"),
    "weights-of-code": (put("weights.npz", archive((f"{KERNEL}.npy", npy(CODE)))), "not an array of numbers"),
    "weights-short": (
        put("weights.npz", archive((f"{KERNEL}.npy", npy(HUGE.replace("1000000, 1000000", "3, 32"), bytes(100))))),
        "not those of its shape",
    ),
    "weights-deflated": (
        put("weights.npz", archive((f"{KERNEL}.npy", npy(HUGE, bytes(10**6))), compression=zipfile.ZIP_DEFLATED)),
        "is compressed",
    ),
    "weights-upwards": (put("weights.npz", archive(("../../outside.npy", npy(HUGE)))), "holds '../../outside.npy'"),
    "weights-crowded": (put("weights.npz", crowded_directory(9)), "weights.npz is damaged"),
    "weights-overcrowded": (put("weights.npz", crowded_directory(60_000)), "claims 60,000 arrays"),
    "weights-behind": (
        lambda folder: put("weights.npz", (folder / "weights.npz").read_bytes() + b"PK")(folder), "is damaged"
    ),
    "weights-cut": (lambda folder: put("weights.npz", (folder / "weights.npz").read_bytes()[:-9])(folder), "damaged"),
    "weights-no-zip": (put("weights.npz", b"\x80\x04K\x01."), "it is not an archive"),
    "weights-flipped": (
        lambda folder: put("weights.npz", flipped((folder / "weights.npz").read_bytes()))(folder), "Bad CRC-32"
    ),
    "weights-large": (sparse("weights.npz"), "weights.npz is too large"),
    "weights-changed": (
        lambda folder: (folder / "weights.npz").write_bytes(flipped((folder / "weights.npz").read_bytes())),
        "is not what the manifest says",
    ),
    "weights-linked": (link_away("weights.npz"), "weights.npz is a link"),
    "weights-piped": (pipe("weights.npz"), "is not a regular file"),
    "baseline-linked": (link_away("baseline"), "baseline is a link"),
    # calibration.npz
    "calibration-huge": (put("calibration.npz", archive(("lstm/start.npy", npy(HUGE)))), "calibration.npz is damaged"),
    "calibration-of-more": (
        arrays("calibration.npz", lambda held: held.update({"other/usual": held.pop("rnn/usual")})), "'other/usual.npy'"
    ),
    "calibration-infinite": (arrays("calibration.npz", lambda held: held["rnn/usual"].fill(np.inf)), "not finite"),
    "calibration-cut": (arrays("calibration.npz", lambda held: held.pop("lstm/start")), "incomplete"),
    # ranges.npz
    "ranges-huge": (put("ranges.npz", archive(("least.npy", npy(HUGE)))), "ranges.npz is damaged"),
    "ranges-infinite": (arrays("ranges.npz", lambda held: held["most"].fill(np.inf)), "not finite"),
    "ranges-cut": (arrays("ranges.npz", lambda held: held.pop("median")), "does not hold 'median'"),
    # metrics.json, and the tables
    "metrics-nan": (swap("metrics.json", '"n_windows": ', '"more": NaN, "n_windows": '), "it has NaN"),
    "metrics-of-words": (swap("metrics.json", '"n_windows": ', '"n_windows": "x", "m": '), "n_windows: Input"),
    "metrics-large": (sparse("metrics.json"), "metrics.json is too large"),
    "forecast-of-words": (swap("forecast.csv", ",2006-08-01,", ",2006-08-01,=cmd"), "forecast.csv is damaged"),
    "forecast-time": (swap("forecast.csv", ",2006-08-01,", ",never,"), "forecast.csv is damaged"),
    "forecast-columns": (head("forecast.csv", "cutoff"), "does not begin with the columns"),
    "forecast-endless": (put("forecast.csv", b"unique_id,ds,cutoff," + b"x," * 10**6), "not a row of names"),
    "forecast-large": (sparse("forecast.csv"), "forecast.csv is too large"),
    "test-forecasts": (put("test_forecasts.parquet", b"PAR1" + bytes(99) + b"PAR1"), "forecasts.parquet is damaged"),
    "test-forecasts-cut": (put("test_forecasts.parquet", b"PAR1"), "forecasts.parquet is damaged"),
    "history-of-words": (swap("history.csv", "\n1,", "\nfirst,"), "history.csv is damaged"),
    "history-large": (sparse("history.csv"), "history.csv is too large"),
    "plot-linked": (link_away("plots/5-forecast.png"), "5-forecast.png is a link"),
}  # fmt: skip


def flipped(content: bytes) -> bytes:
    """A bit of the first array's data changed."""
    place = content.index(b"\n", content.index(b"NUMPY")) + 1
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def read_all(folder: Path) -> None:
    """Everything that the commands read of a run."""
    run = open_run(folder)
    for read in (run.weights("model"), run.weights("baseline"), intervals_of(run, "start"), intervals_of(run, "end")):
        assert read
    for read in (
        run.scaler,
        run.ranges,
        run.metrics,
        run.forecast,
        run.test_forecasts,
        run.history,
        run.history_of("baseline"),
    ):
        assert read is not None
    predict_and_draw(run)


def places(folder: Path) -> dict[str, int]:
    """What is there, with the time of the last change; a file that is opened for writing has another."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("name", HARMS)
def test_a_hostile_folder_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    harm, said = HARMS[name]
    harm(folder)
    before = places(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(ForecastError, match=said) as caught:
            read_all(folder)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    assert caught.value.exit_code == 2
    assert places(tmp_path) == before


def test_the_folder_that_they_are_made_from_is_sound(folder: Path) -> None:
    sign(folder, "weights.npz", "scaler.json", "config.json")
    read_all(folder)


@pytest.mark.parametrize("name", ["key-twice", "scale-nan", "weights-huge", "weights-linked", "another-network"])
def test_a_forecast_from_a_hostile_folder_ends_with_two(
    folder: Path, monthly_csv: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    HARMS[name][0](folder)
    monkeypatch.setattr(sys, "argv", ["forecast", "predict", str(folder), str(monthly_csv)])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr()
    assert (caught.value.code, said.out) == (2, "")
    assert "error: " in said.err


def one_step(held: dict[str, Any]) -> None:
    """The head of a network that feeds its forecasts back, and the calendar with them."""
    held |= {"1/head/kernel": np.zeros((10, 1), np.float32), "1/head/bias": np.zeros(1, np.float32)}


def test_a_network_that_cannot_be_computed_is_refused_before_it_is_built(folder: Path, monthly_csv: Path) -> None:
    configure("network", decode="recursive")(folder)
    configure("data", horizon=2_400)(folder)
    for name in ("weights.npz", "baseline/weights.npz"):
        arrays(name, one_step)(folder)
    manifest = manifest_of(folder)
    del manifest["files"]["calibration.npz"]  # whose shapes would be refused first
    write_manifest(folder, manifest)
    with pytest.raises(RunError, match="cannot be computed: decode = recursive would feed back 2400 times"):
        forecast.predict(open_run(folder), monthly_csv)


def test_a_run_of_an_unknown_cell_is_refused_with_the_list(folder: Path, monthly_csv: Path) -> None:
    configure("network", cell="hopfield")(folder)
    with pytest.raises(ConfigError, match="hopfield") as refused:
        forecast.predict(open_run(folder), monthly_csv)
    assert all(cell in str(refused.value) for cell in CELLS)


def test_a_folder_that_is_a_link_is_refused_and_not_listed(folder: Path) -> None:
    (folder.parent / "linked").symlink_to(folder)
    with pytest.raises(RunError, match="linked is a link"):
        open_run(folder.parent / "linked")
    assert [run.name for run in all_runs(runs_dir=folder.parent)] == ["months"]


def test_a_run_of_an_older_version_is_read(folder: Path) -> None:
    manifest = manifest_of(folder)
    for network in manifest["networks"].values():
        del network["fell_back"]
    del manifest["files"]["report.html"], manifest["windows"]
    write_manifest(folder, manifest)
    read_all(folder)
    assert open_run(folder).report is None


def test_what_a_manifest_does_not_say_is_refused_where_it_is_asked_for(folder: Path) -> None:
    manifest = manifest_of(folder)
    del manifest["title"]
    write_manifest(folder, manifest)
    with pytest.raises(RunError, match="does not say 'title'"):
        open_run(folder).manifest["title"]


def test_memory_is_short_and_the_refusal_comes_all_the_same(folder: Path) -> None:
    # The archive of a terabyte, the one that declares as much, and the bomb, where a tenth of a gigabyte is left.
    code = """
        import resource, sys
        from pathlib import Path
        import forecast.data.prepare, forecast.runs.arrays  # which bring NumPy and pandas
        from forecast.runs.find import open_run
        from forecast.errors import RunError
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 100 * 1024**2,) * 2)
        for folder in sys.argv[1:]:
            try:
                open_run(Path(folder)).weights("model")
            except RunError as error:
                print(error.message)
    """
    names = ("weights-large", "weights-huge", "weights-deflated", "large-manifest", "many-values", "another-network")
    folders = [Path(shutil.copytree(folder, folder.parent / name)) for name in names]
    for name, place in zip(names, folders, strict=True):
        HARMS[name][0](place)
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, folders)], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr, len(ran.stdout.splitlines())) == (0, "", len(names))


@pytest.mark.parametrize("place", ["explain", "explain/explain.json", "explain/1-gates.png"])
def test_what_was_found_inside_is_neither_read_nor_written_through_a_link(
    folder: Path, tmp_path: Path, place: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "explain.json").write_text('{"sentences": []}')
    (folder / place).parent.mkdir(exist_ok=True)
    if place != "explain/explain.json":
        (folder / "explain").mkdir(exist_ok=True)
        (folder / "explain" / "explain.json").write_text('{"sentences": []}')
    if place == "explain":
        shutil.rmtree(folder / "explain")
    (folder / place).symlink_to(outside if place == "explain" else outside / "explain.json")
    run, before = open_run(folder), places(outside)
    with pytest.raises(RunError, match="is a link"):
        explain(run)
    with pytest.raises(RunError, match="is a link"):  # the sentences at once, the plots when they are shown
        [found.picture(plot) for found in [read_explanation(run)] if found for plot in found.plots]
    assert places(outside) == before


ARRAYS = {"network/0": np.zeros((2, 3), np.float32)}


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """The checkpoints of a training that was interrupted."""
    save_checkpoint(tmp_path / "checkpoints", "model.1", ARRAYS, TrainingState(5), "a1")
    return tmp_path / "checkpoints"


def resign(path: Path, content: bytes) -> None:
    path.write_bytes(hashlib.sha256(content).digest() + content)


PROGRESS = json.dumps({"origin": "a1", "progress": asdict(TrainingState(5))})

CHECKPOINTS: dict[str, tuple[Harm, str]] = {
    "huge": (lambda path: resign(path, archive(("network/0.npy", npy(HUGE)))), "1000000, 1000000"),
    "deflated": (
        lambda path: resign(path, archive(("network/0.npy", npy(HUGE)), compression=zipfile.ZIP_DEFLATED)), "compressed"
    ),
    "objects": (lambda path: resign(path, archive(("network/0.npy", npy(OBJECTS)))), "not an array of numbers"),
    "more": (
        lambda path: resign(path, arrays_to_bytes(ARRAYS | {"more": np.zeros(1)})), "holds 'more.npy'"
    ),
    "fewer": (lambda path: resign(path, arrays_to_bytes(ARRAYS)), "is of another network"),
    "large": (lambda path: os.truncate(path, LARGE), "is too large"),
    "linked": (lambda path: (path.rename(path.parent.parent / "x"), path.symlink_to(path.parent.parent / "x")), "link"),
    "piped": (lambda path: (path.unlink(), os.mkfifo(path)), "not a regular file"),
    **{
        name: (lambda path, text=text: resign(path, arrays_to_bytes(ARRAYS | {"progress": progress(text)})), "damaged")
        for name, text in {
            "words": "[]",
            "unknown-key": PROGRESS.replace("{", '{"code": 1, ', 1),
            "another-kind": PROGRESS.replace('"step": 5', '"step": "5"'),
            "deep": "[" * 100_000,
        }.items()
    },
}  # fmt: skip


def progress(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_hostile_checkpoint_is_refused(checkpoints: Path, name: str) -> None:
    harm, said = CHECKPOINTS[name]
    harm(next(checkpoints.iterdir()))
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match=said):
            load_checkpoint(checkpoints, "model.1", specs_of(ARRAYS), "a1")
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def test_a_linked_folder_of_checkpoints_is_not_written_into(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, "half")
    writer.begin({}, plain_config(), overwrite=False)
    writer.read_unfinished()
    outside = tmp_path / "outside"
    writer.checkpoints.rename(outside)
    writer.checkpoints.symlink_to(outside)
    with pytest.raises(RunError, match=r"cannot be continued: .*checkpoints is a link"):
        writer.read_unfinished()


@pytest.mark.parametrize("harm", [sparse("manifest.json"), pipe("manifest.json"), link_away("manifest.json"),
                                  swap("manifest.json", "{", '{"code": 1,')])  # fmt: skip
def test_an_unfinished_training_of_a_stranger_is_refused(tmp_path: Path, harm: Harm) -> None:
    writer = RunWriter(tmp_path / "runs", "half")
    writer.begin({}, plain_config(), overwrite=False)
    harm(writer.folder)
    with pytest.raises(RunError, match="cannot be continued"):
        writer.read_unfinished()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: os.truncate(path, LARGE), "too large"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "not a regular file"),
        (lambda path: (path.rename(path.with_name("x")), path.symlink_to(path.with_name("x"))), "is a link"),
        (lambda path: path.write_text("[" * 10_000), "not a state of a stream"),
        (lambda path: path.write_text(path.read_text().replace("[[", "[[NaN, ", 1)), "not a state of a stream"),
        (lambda path: path.write_text(path.read_text().replace("{", '{"code": 1, ', 1)), "not a state of a stream"),
    ],
)
def test_a_hostile_state_of_a_stream_is_refused(trained: Run, tmp_path: Path, harm: Harm, said: str) -> None:
    path = tmp_path / "state.json"
    stream = Stream(trained, path)
    stream.push("2006-09-01", {"y": 20.0})
    stream.save()
    Stream(trained, path)
    harm(path)
    with pytest.raises(RunError, match=said):
        Stream(trained, path)


def test_a_source_that_is_no_file_is_not_read_again(folder: Path) -> None:
    for source in ("/dev/zero", "-"):
        tell(source=source)(folder)
        with pytest.raises(forecast.DataError, match="is no longer there"):
            forecast.sample_paths(open_run(folder), count=1)
