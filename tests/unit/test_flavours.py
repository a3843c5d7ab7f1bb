"""What every flavour of model must do. A third one is added to no list: it is found by its name."""

import shutil
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edml import features
from edml.application import dtypes_of
from edml.errors import ModelRefusedError
from edml.models import flavours, self_test
from edml.models.artefact import Artefact
from edml.models.binding import beside, bind
from edml.models.flavour import Columns, Predictor
from tests.parcels import MORNING, parcels

pytestmark = [pytest.mark.parametrize("flavour", flavours.names()), pytest.mark.timeout(300)]


@pytest.fixture
def predictor(flavour: str, artefact: Artefact) -> Predictor:
    """The trained model, loaded."""
    return flavours.named(flavour).load(artefact.folder)


def columns(predictor: Predictor, rows: int, **changes: object) -> Columns:
    """The inputs of so many parcels, which differ in weight."""
    parcel = {
        "handed_over_at": MORNING,
        "parcel": "parcel",
        "depot": "Bonn",
        "service": "express",
    } | changes
    events = pl.DataFrame([parcel] * rows).with_columns(
        weight_kg=pl.int_range(rows).cast(pl.Float64) % 7
    )
    typed = events.select(pl.col(k).cast(v) for k, v in dtypes_of(parcels.event.schema).items())
    return bind(predictor.signature, beside(typed, features.compute(parcels, typed)))


def hours(predictor: Predictor, rows: int, **changes: object) -> list[float]:
    """What the model predicts for these parcels."""
    predicted = predictor.predict(columns(predictor, rows, **changes))["hours"]
    assert predicted.shape == (rows,)
    assert np.isfinite(predicted).all()
    return [float(each) for each in predicted]


def test_it_declares_the_signature(predictor: Predictor, artefact: Artefact) -> None:
    """The inputs and outputs are those of the description, by name and type."""
    found = predictor.signature
    said = artefact.description.signature
    assert {each.name: each for each in found.inputs} == {each.name: each for each in said.inputs}
    assert found.outputs == said.outputs
    assert [(each.name, each.dtype, each.shape) for each in found.outputs] == [
        ("hours", "float32", [-1])
    ]


def test_it_repeats_the_self_test(predictor: Predictor, artefact: Artefact) -> None:
    """All flavours of a model give the same, to the tolerance of the self-test."""
    self_test.run(parcels, predictor, artefact.description.self_test)


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 1000, 5000])
def test_it_takes_batches_of_any_size(predictor: Predictor, rows: int) -> None:
    """A row's prediction does not depend on those beside it, but for the last bits."""
    assert hours(predictor, rows) == pytest.approx((hours(predictor, 7) * 715)[:rows], rel=1e-5)


def test_it_is_pure(predictor: Predictor) -> None:
    """Predicting changes neither the model nor its inputs."""
    given = columns(predictor, 20)
    before = {name: column.copy() for name, column in given.items()}
    first = predictor.predict(given)["hours"].copy()
    second = predictor.predict(given)["hours"]
    assert np.array_equal(first, second)
    assert all(np.array_equal(before[name], given[name]) for name in given)


def test_it_has_learnt_that_heavier_parcels_take_longer(predictor: Predictor) -> None:
    """The model is no constant: it follows the one thing that its history shows."""
    light, *_, heavy = hours(predictor, 7)
    assert heavy - light > 1


@pytest.mark.parametrize("service", ["teleport", "", "Ärger", "e" * 1000])
def test_it_takes_values_out_of_vocabulary(predictor: Predictor, service: str) -> None:
    """A category that was never seen is no error: all unknown values are alike."""
    assert hours(predictor, 3, service=service) == hours(predictor, 3, service="never seen")


def test_it_stays_within_the_labels_that_count(predictor: Predictor) -> None:
    """Numbers far beyond the training's rows give a prediction that the outcome's rule allows."""
    given = dict(columns(predictor, 2))
    given["weight_g"] = np.array([-1e30, 1e30], dtype=np.float32)
    low, high = parcels.outcome.valid
    predicted = predictor.predict(given)["hours"].astype(np.float64)
    assert ((predicted >= low) & (predicted <= high)).all()


def test_it_can_be_loaded_beside_a_thread_that_predicts(
    flavour: str, predictor: Predictor, artefact: Artefact
) -> None:
    """A model is loaded in the background while another one serves."""
    loaded: list[Predictor] = []
    loading = threading.Thread(
        target=lambda: loaded.append(flavours.named(flavour).load(artefact.folder))
    )
    expected = hours(predictor, 7)
    loading.start()
    while loading.is_alive():
        assert hours(predictor, 7) == expected
    loading.join()
    assert hours(loaded[0], 7) == expected


def test_it_does_not_need_its_folder_any_more(
    flavour: str, artefact: Artefact, tmp_path: Path
) -> None:
    """Once loaded, a model lives in memory alone."""
    copy = tmp_path / "copy"
    shutil.copytree(artefact.folder, copy)
    predictor = flavours.named(flavour).load(copy)
    shutil.rmtree(copy)
    assert len(hours(predictor, 7)) == 7


def test_it_refuses_an_empty_folder(flavour: str, tmp_path: Path) -> None:
    """What is missing is told."""
    with pytest.raises(ModelRefusedError, match="has no"):
        flavours.named(flavour).load(tmp_path)


def test_it_refuses_damaged_files(flavour: str, artefact: Artefact, tmp_path: Path) -> None:
    """Files that are not what they should be are a refusal, not a crash."""
    copy = tmp_path / "copy"
    shutil.copytree(artefact.folder, copy)
    path = copy / flavours.named(flavour).path
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ModelRefusedError, match="cannot load"):
        flavours.named(flavour).load(copy)
