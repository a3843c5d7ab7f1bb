import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from edml.errors import DataError
from edml.models.artefact import DESCRIPTION, Artefact

pytestmark = pytest.mark.timeout(400)  # the first one trains the model


def test_an_artefact_is_read_as_it_was_written(artefact: Artefact) -> None:
    """The folder holds all there is to know, in both flavours."""
    found = Artefact.read(artefact.folder)
    assert found == artefact
    assert found.flavours() == ["savedmodel", "onnx"]
    assert sorted(each.name for each in artefact.folder.iterdir()) == [
        "edml.json",
        "model.onnx",
        "saved_model",
    ]


@pytest.mark.parametrize("flavour", ["savedmodel", "onnx"])
def test_an_artefact_becomes_an_event(artefact: Artefact, flavour: str) -> None:
    """The event holds the bytes, their hash and size, and what the description says."""
    model = artefact.model(flavour)
    assert model.artefact is not None
    assert model.sha256 == sha256(model.artefact).hexdigest()
    assert model.size_bytes == len(model.artefact)
    assert (model.version, model.application) == (artefact.version, "parcels")
    assert artefact.model(flavour) == model
    behind = artefact.model(flavour, packed=model.artefact, uri="s3://bucket/model.zip")
    assert (behind.artefact, behind.uri) == (None, "s3://bucket/model.zip")
    assert behind.sha256 == model.sha256


def test_a_folder_without_a_description_is_no_artefact(tmp_path: Path) -> None:
    """The message says which folder to name."""
    with pytest.raises(DataError, match="no model artefact") as told:
        Artefact.read(tmp_path)
    assert "edml train" in str(told.value)


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1}', '{"format": 99}'])
def test_a_damaged_description_is_told(tmp_path: Path, damage: str) -> None:
    """Whatever is wrong with it, it is a message and no traceback."""
    (tmp_path / DESCRIPTION).write_text(damage)
    with pytest.raises(DataError, match="damaged"):
        Artefact.read(tmp_path)


def test_a_description_with_an_unknown_field_is_damaged(artefact: Artefact, tmp_path: Path) -> None:
    """What this version does not understand, it does not guess."""
    shutil.copy(artefact.folder / DESCRIPTION, tmp_path)
    facts = json.loads((tmp_path / DESCRIPTION).read_text())
    facts["metadata"]["colour"] = "blue"
    (tmp_path / DESCRIPTION).write_text(json.dumps(facts))
    with pytest.raises(DataError, match="colour"):
        Artefact.read(tmp_path)
