from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edml.errors import ModelRefusedError
from edml.models.admission import admit, fetch_artefact
from edml.models.archive import pack
from edml.models.artefact import Artefact
from edml.models.records import Model, SelfTestRow, Signature, Tensor
from tests.parcels import parcels

pytestmark = pytest.mark.timeout(300)  # the first one trains the model


@pytest.fixture
def model(artefact: Artefact) -> Model:
    """A good model, its artefact within."""
    return artefact.model("onnx")


def holding(model: Model, contents: bytes) -> Model:
    """The same model with another artefact, honestly declared."""
    digest = sha256(contents).hexdigest()
    return replace(model, artefact=contents, sha256=digest, size_bytes=len(contents))


def test_a_good_model_is_admitted(model: Model) -> None:
    """What is admitted can predict at once."""
    assert admit(parcels, model).predictor.signature.outputs[0].name == "hours"


def test_a_model_may_lie_behind_a_uri(model: Model, artefact: Artefact, tmp_path: Path) -> None:
    """Bytes that are too large for a record are fetched."""
    path = tmp_path / "model.zip"
    path.write_bytes(artefact.packed("onnx"))
    behind = artefact.model("onnx", uri=path.as_uri())
    assert behind.artefact is None
    assert fetch_artefact(behind) == model.artefact
    assert admit(parcels, behind).model is behind


REFUSALS: dict[str, Callable[[Model], Model]] = {
    "is for the application 'taxi', not 'parcels'": lambda m: replace(m, application="taxi"),
    "no flavour 'pickle'": lambda m: replace(m, flavour="pickle"),
    "sha256 is": lambda m: replace(m, sha256="0" * 64),
    "bytes, but the model says 7": lambda m: replace(m, size_bytes=7),
    "neither an artefact nor a URI": lambda m: replace(m, artefact=None),
    "cannot be fetched": lambda m: replace(m, artefact=None, uri="file:///nowhere/model.zip"),
    "is not a whole zip": lambda m: holding(m, (m.artefact or b"")[:500]),
    "has no file 'model.onnx'": lambda m: replace(
        holding(m, (m.artefact or b"").replace(b"model.onnx", b"other.onnx"))
    ),
    "the artefact's inputs are": lambda m: replace(
        m, signature=replace(m.signature, inputs=m.signature.inputs[1:])
    ),
    "the artefact's outputs are": lambda m: replace(
        m, signature=replace(m.signature, outputs=[Tensor("days", "float32", [-1])])
    ),
    "no self-test rows": lambda m: replace(m, self_test=[]),
    "self-test's events cannot be read": lambda m: replace(
        m, self_test=[replace(m.self_test[0], event='{"handed_over_at": 7}')]
    ),
    "the feature 'hour' is": lambda m: replace(
        m,
        self_test=[
            replace(
                m.self_test[0], features=m.self_test[0].features.replace('"hour": ', '"hour": 9')
            )
        ],
    ),
    "where it was trained it predicted": lambda m: replace(
        m, self_test=[replace(m.self_test[0], prediction=m.self_test[0].prediction + 0.01)]
    ),
}


@pytest.mark.parametrize("cause", REFUSALS)
def test_a_model_that_is_not_what_it_says_is_refused(cause: str, model: Model) -> None:
    """Each lie has a cause of its own, which a person understands."""
    with pytest.raises(ModelRefusedError) as refused:
        admit(parcels, REFUSALS[cause](model))
    assert cause in refused.value.what


def drawn(model: Model, folder: Path, node: onnx.NodeProto, column: str = "weight_g") -> Model:
    """A model of one node from a column to ``hours``."""
    graph = helper.make_graph(
        [node],
        "drawn",
        [helper.make_tensor_value_info(column, TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor_value_info("hours", TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), folder / "model.onnx")
    signature = Signature([Tensor(column, "float32", [-1])], [Tensor("hours", "float32", [-1])])
    return replace(holding(model, pack(folder, "model.onnx")), signature=signature)


def test_a_model_that_needs_an_unknown_column_is_refused(model: Model, tmp_path: Path) -> None:
    """The refusal names the input and the columns that there are."""
    strange = drawn(model, tmp_path, helper.make_node("Exp", ["rain_mm"], ["hours"]), "rain_mm")
    with pytest.raises(
        ModelRefusedError, match="no column provides the input 'rain_mm'; there are"
    ):
        admit(parcels, strange)


def test_a_model_that_predicts_what_is_no_number_is_refused(model: Model, tmp_path: Path) -> None:
    """NaN and infinity are no predictions."""
    divided = drawn(model, tmp_path, helper.make_node("Div", ["zero", "weight_g"], ["hours"]))
    weightless = [row for row in model.self_test if '"weight_g": 0.0' in row.features]
    assert weightless
    with pytest.raises(ModelRefusedError, match="not a finite number"):
        admit(parcels, replace(divided, self_test=weightless))


def test_a_model_that_answers_in_another_shape_is_refused(model: Model, tmp_path: Path) -> None:
    """As many numbers as rows, whatever the signature leaves open."""
    distinct = helper.make_node("Unique", ["weight_g"], ["hours"])
    with pytest.raises(ModelRefusedError, match=r"'hours' of shape \[\d+\] for \d+ rows"):
        admit(parcels, drawn(model, tmp_path, distinct))


def test_a_model_may_take_a_field_of_the_event(model: Model, tmp_path: Path) -> None:
    """Inputs are bound to features and to the event's own fields alike."""
    lifted = drawn(model, tmp_path, helper.make_node("Exp", ["weight_kg"], ["hours"]), "weight_kg")
    row = SelfTestRow(
        '{"handed_over_at": "2026-01-01T08:00:00+00:00", "parcel": "a", "depot": "Bonn", '
        '"service": "express", "weight_kg": 1.0}',
        '{"service": "express", "region": "west", "hour": 8.0, "weight_g": 1000.0}',
        float(np.exp(1)),
    )
    assert admit(parcels, replace(lifted, self_test=[row])).model.self_test == [row]
