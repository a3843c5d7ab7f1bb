"""Small real models, made by hand: an ONNX graph that costs nothing to make and to load."""

from datetime import UTC, datetime
from pathlib import Path

import onnx
import polars as pl
from onnx import TensorProto, helper

from edml.application import Application
from edml.models import flavours, self_test
from edml.models.artefact import Artefact, Description
from edml.models.records import Metadata


def straight_line(  # noqa: PLR0913  each is a knob of the model
    application: Application,
    folder: Path,
    events: pl.DataFrame,
    *,
    version: str,
    column: str,
    slope: float = 2.0,
    intercept: float = 1.0,
) -> Artefact:
    """An artefact that predicts ``slope * column + intercept``."""
    folder.mkdir(parents=True)
    write_line(application, folder, column=column, slope=slope, intercept=intercept)
    predictor = flavours.named("onnx").load(folder)
    now = datetime(2019, 11, 28, 14, 30, tzinfo=UTC)
    return Artefact.write(
        folder,
        Description(
            version=version,
            application=application.name,
            signature=predictor.signature,
            self_test=self_test.record(application, predictor, events),
            metadata=Metadata(now, "1a2b3c4", "made by hand", now, now, events.height),
        ),
    )


def write_line(
    application: Application,
    folder: Path,
    *,
    column: str,
    slope: float = 2.0,
    intercept: float = 1.0,
) -> None:
    """Write the model of a straight line."""
    label = application.outcome.label
    graph = helper.make_graph(
        [
            helper.make_node("Mul", [column, "slope"], ["product"]),
            helper.make_node("Add", ["product", "intercept"], [label]),
        ],
        "straight_line",
        [helper.make_tensor_value_info(column, TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor_value_info(label, TensorProto.FLOAT, ["batch"])],
        [
            helper.make_tensor("slope", TensorProto.FLOAT, [1], [slope]),
            helper.make_tensor("intercept", TensorProto.FLOAT, [1], [intercept]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
