"""The commands that train and predict, as a person calls them."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from edml.cli import predict, train
from edml.errors import DataError, ModelRefusedError
from edml.models.artefact import Artefact
from edml.trainer.task import fetch, task
from tests.parcels import parcels

pytestmark = pytest.mark.timeout(400)  # they train networks

PARCELS = "tests.parcels:parcels"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own."""
    monkeypatch.setenv("EDML_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_train_writes_an_artefact_and_prints_a_table(home: Path, tmp_path: Path) -> None:
    """By default the artefact lies under the version's name; the figures can be had as JSON."""
    figures = tmp_path / "figures.json"
    arguments = [
        *("--app", PARCELS, "--from", "2026-01", "--to", "2026-02"),
        *("--test-from", "2026-03-01", "--test-to", "2026-03-10", "--epochs", "1"),
        *("--threads", "1", "--flavours", "onnx", "--json", str(figures)),
    ]
    done = CliRunner().invoke(train.command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads(figures.read_text())
    assert set(found["baselines"]) == {"mean", "service_region", "lightgbm"}
    assert {"rmse", "mae", "rows", "seconds", "version"} <= set(found)
    assert (found["rows"], found["test_rows"]) == (59 * 24, 10 * 24)
    artefact = Artefact.read(home / "models" / "parcels" / found["version"])
    assert artefact.flavours() == ["onnx"]
    for shown in ("the model", "lightgbm", "west", "23:00", found["version"], "edml publish"):
        assert shown in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from", "2026-13", "--to", "2026-02"],
        ["--from", "2026-01", "--to", "2026-02", "--test-from", "2026-03"],
        ["--from", "2026-01", "--to", "2026-02", "--epochs", "0"],
    ],
)
def test_train_tells_how_it_is_called(arguments: list[str]) -> None:
    """A wrong call exits with 2."""
    assert CliRunner().invoke(train.command, ["--app", PARCELS, *arguments]).exit_code == 2


def test_predict_answers_a_file(artefact: Artefact, home: Path, tmp_path: Path) -> None:
    """Each event that can be predicted is, under its key; the others are counted by cause."""
    assert not home.exists()
    january = date(2026, 1, 1), date(2026, 2, 1)
    events = parcels.history(None, *january).frame.head(6)
    events = events.with_columns(
        service=pl.Series(["express"] * 4 + ["teleport"] * 2),
        weight_kg=pl.Series([0.0, 1.0, 2.0, None, 4.0, 5.0]),
    )
    events.write_parquet(tmp_path / "in.parquet")
    arguments = [str(tmp_path / "in.parquet"), str(tmp_path / "out.csv"), "--app", PARCELS]
    arguments += ["--artefact", str(artefact.folder), "--flavour", "onnx"]
    done = CliRunner().invoke(predict.command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "3 predictions" in done.stdout
    assert "2 left out: unknown service (the first is row 4)" in done.stdout
    assert "1 left out: no weight (the first is row 3)" in done.stdout
    found = pl.read_csv(tmp_path / "out.csv")
    assert found.columns == ["parcel", "hours", "version"]
    assert found["parcel"].to_list() == events["parcel"].head(3).to_list()
    assert found["hours"].is_between(0, 72).all()
    assert found["version"].unique().to_list() == [artefact.version]


def test_predict_gives_the_same_in_both_flavours(artefact: Artefact, tmp_path: Path) -> None:
    """Which flavour answers makes no difference."""
    january = date(2026, 1, 1), date(2026, 2, 1)
    parcels.history(None, *january).frame.head(50).write_parquet(tmp_path / "in.parquet")
    hours = []
    for flavour in ("savedmodel", "onnx"):
        out = tmp_path / f"{flavour}.parquet"
        arguments = [str(tmp_path / "in.parquet"), str(out), "--app", PARCELS, "--json"]
        arguments += ["--artefact", str(artefact.folder), "--flavour", flavour]
        done = CliRunner().invoke(predict.command, arguments, catch_exceptions=False)
        assert json.loads(done.stdout)["predictions"] == 50
        hours.append(pl.read_parquet(out)["hours"].to_numpy())
    assert hours[1] == pytest.approx(hours[0], rel=1e-4)


def test_predict_refuses_another_applications_model(artefact: Artefact, tmp_path: Path) -> None:
    """A model answers only what it was trained for."""
    arguments = ["in.parquet", str(tmp_path / "out.csv"), "--app", "taxi"]
    arguments += ["--artefact", str(artefact.folder)]
    done = CliRunner().invoke(predict.command, arguments)
    assert isinstance(done.exception, ModelRefusedError)
    assert "for the application 'parcels', not 'taxi'" in done.exception.what


def test_a_job_trains_from_a_bucket_into_a_bucket(tmp_path: Path) -> None:
    """The seed's own arguments do; the last line is JSON."""
    (tmp_path / "bucket" / "parcels").mkdir(parents=True)
    (tmp_path / "bucket" / "parcels" / "2026-01.csv").write_text("made by hand")
    arguments = [
        *("--app", PARCELS, "--bucket", (tmp_path / "bucket").as_uri()),
        *("--pattern", "parcels/*.csv", "--from", "2026-01", "--to", "2026-02"),
        *("--batch-size", "64", "--train-examples", "1000", "--eval-steps", "2"),
        *("--output-dir", (tmp_path / "bucket" / "model").as_uri()),
        *("--job-dir", str(tmp_path / "job"), "--threads", "1"),
    ]
    done = CliRunner().invoke(task, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["test_rows"] == 128
    artefact = Artefact.read(tmp_path / "bucket" / "model")
    assert artefact.version == figures["version"]
    assert artefact.flavours() == ["savedmodel", "onnx"]
    assert artefact.description.metadata.parameters["examples"] == "1000"


def test_only_files_of_the_pattern_are_fetched(tmp_path: Path) -> None:
    """An empty bucket is told."""
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    for name in ("a.parquet", "b.parquet", "c.txt"):
        (bucket / name).write_text(name)
    found = fetch(str(bucket), "*.parquet", tmp_path / "history")
    assert sorted(each.name for each in found.iterdir()) == ["a.parquet", "b.parquet"]
    with pytest.raises(DataError, match=r"no file is called '\*\.csv'"):
        fetch(str(bucket), "*.csv", tmp_path / "none")
