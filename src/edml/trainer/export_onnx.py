"""Writes the folded network as an ONNX graph: gathers, a few matrix products, no one-hots."""

from base64 import b64encode
from functools import reduce
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edml.application import Category
from edml.trainer import tables
from edml.trainer.folded import Dense, Folded, Joint, consecutive, joints, pairs

_OPSET: Final = 17
_IR_VERSION: Final = 8  # what every ONNX Runtime of these years reads
_ML: Final = "ai.onnx.ml"
_TYPES: Final = {
    "int64": TensorProto.INT64,
    "float32": TensorProto.FLOAT,
    "string": TensorProto.STRING,
}


def export(network: Folded, path: Path) -> None:
    """Write the file ``path``: the same inputs, outputs and predictions as the SavedModel.

    The network's tables are among its metadata.
    """
    model = graph(network)
    kept = b64encode(tables.packed(network)).decode()
    helper.set_model_props(model, {tables.ONNX_METADATA: kept})
    onnx.save(model, str(path))


def graph(network: Folded) -> onnx.ModelProto:
    """Give the network as a checked ONNX model."""
    drawing = _Drawing()
    _draw(network, drawing)
    signature = network.signature
    model = helper.make_model(
        helper.make_graph(
            drawing.nodes,
            network.label,
            [_column(each.name, each.dtype) for each in signature.inputs],
            [_column(each.name, each.dtype) for each in signature.outputs],
            drawing.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_ML, 3)],
        ir_version=_IR_VERSION,
        producer_name="edml",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class _Drawing:
    """Collects nodes and constants, and names what flows between them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        output = to or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def upright(self, value: NDArray[Any]) -> str:
        return self.constant(value[:, np.newaxis])

    def sum(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self.node("Sum", *parts)

    def beside(self, parts: list[str], axis: int) -> str:
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=axis)

    def split(self, columns: str, names: list[str], widths: list[int]) -> list[str]:
        outputs = [f"split_{name}" for name in names]
        inputs = [columns, self.constant(_ints(*widths))]
        self.nodes.append(helper.make_node("Split", inputs, outputs, axis=1))
        return outputs


def _draw(network: Folded, drawing: _Drawing) -> None:
    places = [_place(category, drawing) for category in network.categories]
    looked_up = [
        drawing.node("Gather", drawing.constant(joint.rows), _row(joint, places, drawing), axis=0)
        for joint in joints(network)
    ]
    hidden = drawing.sum(looked_up or [drawing.constant(network.first.bias)])
    continuous = _continuous(network, places, drawing)
    if continuous:
        kernel = drawing.constant(network.first.kernel)
        hidden = drawing.node("Gemm", drawing.beside(continuous, 0), kernel, hidden, transA=1)
    score = _deep(network, hidden, drawing)
    label = drawing.node("Exp", score) if network.link == "log" else score
    low, high = (drawing.constant(np.array(bound, np.float32)) for bound in network.valid)
    held = drawing.node("Clip", label, low, high)
    drawing.node("Squeeze", held, drawing.constant(_ints(1)), to=network.label)


def _place(category: Category, drawing: _Drawing) -> str:
    """The places of a category's values: ``[rows]``."""
    span = consecutive(category)
    if span is None:
        return _looked_up(category, drawing)
    below, above = span[0] - 1, span[1] + 1
    bounds = (drawing.constant(np.array(bound, np.int64)) for bound in (below, above))
    held = drawing.node("Clip", category.name, *bounds)
    return drawing.node("Sub", held, drawing.constant(_ints(below))) if below else held


def _row(joint: Joint, places: list[str], drawing: _Drawing) -> str:
    """Which row of a joint the places are: ``[rows]``."""
    first, *others = joint.at
    row = places[first]
    for at, size in zip(others, joint.sizes[1:], strict=True):
        above = drawing.node("Mul", row, drawing.constant(_ints(size)))
        row = drawing.node("Add", above, places[at])
    return row


def _looked_up(category: Category, drawing: _Drawing) -> str:
    keys = "keys_strings" if category.type == "string" else "keys_int64s"
    vocabulary: dict[str, Any] = {keys: list(category.values)}
    return drawing.node(
        "LabelEncoder",
        category.name,
        domain=_ML,
        values_int64s=list(range(1, len(category.values) + 1)),
        default_int64=0,
        **vocabulary,
    )


def _continuous(network: Folded, places: list[str], drawing: _Drawing) -> list[str]:
    """The shares of all intervals, then effect and evidence of the crosses: ``[…, rows]`` each.

    They lie along the rows, for ONNX Runtime is quickest in long runs of one operation.
    """
    parts = []
    if network.numbers:
        intervals = network.intervals
        # One subtraction a number: gathering its column for each interval takes ten times longer.
        beyond = [
            drawing.node("Sub", name, drawing.upright(intervals.lows[intervals.owners == at]))
            for at, name in enumerate(network.numbers)
        ]
        joined = drawing.beside(beyond, 0)
        shares = drawing.node("Mul", joined, drawing.upright(intervals.scales))
        zero, one = (drawing.constant(np.array(bound, np.float32)) for bound in (0, 1))
        parts.append(drawing.node("Clip", shares, zero, one))
    for cross in network.crosses:
        joint = pairs(network, cross)
        table = drawing.constant(np.ascontiguousarray(joint.rows.T))
        parts.append(drawing.node("Gather", table, _row(joint, places, drawing), axis=1))
    return parts


def _deep(network: Folded, hidden: str, drawing: _Drawing) -> str:
    """The wide sum plus the towers' scores: ``[rows, 1]``."""
    if not network.towers:
        return hidden
    parts = ["wide", *(f"tower_{number}" for number in range(len(network.towers)))]
    wide, *units = drawing.split(hidden, parts, network.widths)
    scores = [wide]
    scores += [
        reduce(lambda taken, layer: _dense(drawing.node("Relu", taken), layer, drawing), tower, own)
        for tower, own in zip(network.towers, units, strict=True)
    ]
    return drawing.node("Sum", *scores)


def _dense(inputs: str, layer: Dense, drawing: _Drawing) -> str:
    return drawing.node(
        "Gemm", inputs, drawing.constant(layer.kernel), drawing.constant(layer.bias)
    )


def _column(name: str, dtype: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _TYPES[dtype], ["rows"])


def _ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
