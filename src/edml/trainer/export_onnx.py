"""Writes the folded network as an ONNX graph: gathers, a few matrix products, no one-hots."""

from functools import reduce
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edml.application import Category
from edml.trainer.folded import Dense, Folded, Spans

_OPSET: Final = 17
_IR_VERSION: Final = 8  # what every ONNX Runtime of these years reads
_ML: Final = "ai.onnx.ml"
_TYPES: Final = {
    "int64": TensorProto.INT64,
    "float32": TensorProto.FLOAT,
    "string": TensorProto.STRING,
}


def export(network: Folded, path: Path) -> None:
    """Write the file ``path``: the same inputs, outputs and predictions as the SavedModel."""
    onnx.save(graph(network), str(path))


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

    def split(self, columns: str, names: list[str], widths: list[int]) -> list[str]:
        outputs = [f"split_{name}" for name in names]
        inputs = [columns, self.constant(_ints(*widths))]
        self.nodes.append(helper.make_node("Split", inputs, outputs, axis=1))
        return outputs


def _draw(network: Folded, drawing: _Drawing) -> None:
    places = _places(network, drawing)
    sums = []
    if places:
        stacked = drawing.node("Concat", *places.values(), axis=1)
        offsets = drawing.constant(network.offsets[list(places)])
        rows = drawing.node("Add", stacked, offsets)
        looked_up = drawing.node("Gather", drawing.constant(network.rows), rows, axis=0)
        sums.append(drawing.node("ReduceSum", looked_up, drawing.constant(_ints(1)), keepdims=0))
    continuous = _continuous(network, places, drawing)
    if continuous:
        joined = drawing.node("Concat", *continuous, axis=1)
        sums.append(_dense(joined, network.first, drawing))
    else:
        sums.append(drawing.constant(network.first.bias))
    hidden = sums[0] if len(sums) == 1 else drawing.node("Add", *sums)
    score = _deep(network, hidden, drawing)
    label = drawing.node("Exp", score) if network.link == "log" else score
    low, high = (drawing.constant(np.array(bound, np.float32)) for bound in network.valid)
    held = drawing.node("Clip", label, low, high)
    drawing.node("Squeeze", held, drawing.constant(_ints(1)), to=network.label)


def _places(network: Folded, drawing: _Drawing) -> dict[int, str]:
    """The places of the values of each category, ``[rows, 1]``, by the category's number."""
    places: dict[int, str] = {}
    axis = drawing.constant(_ints(1))
    spans = Spans.of(network.categories)
    if spans.at:
        names = [network.categories[at].name for at in spans.at]
        columns = [drawing.node("Unsqueeze", name, axis) for name in names]
        values = drawing.node("Concat", *columns, axis=1)
        below = drawing.constant(spans.below)
        too_high = drawing.node("Greater", values, drawing.constant(spans.highest))
        known = drawing.node("Where", too_high, below, drawing.node("Max", values, below))
        found = drawing.node("Sub", known, below)
        columns = drawing.split(found, names, [1] * len(names))
        places |= dict(zip(spans.at, columns, strict=True))
    for at, category in enumerate(network.categories):
        if at not in places:
            places[at] = drawing.node("Unsqueeze", _looked_up(category, drawing), axis)
    return places


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


def _continuous(network: Folded, places: dict[int, str], drawing: _Drawing) -> list[str]:
    """The shares of all intervals, then effect and evidence of the crosses."""
    parts = []
    if network.numbers:
        axis = drawing.constant(_ints(1))
        # One subtraction a number: gathering its column for each interval takes ten times longer.
        beyond = [
            drawing.node(
                "Sub",
                drawing.node("Unsqueeze", name, axis),
                drawing.constant(network.intervals.lows[network.intervals.owners == at]),
            )
            for at, name in enumerate(network.numbers)
        ]
        joined = drawing.node("Concat", *beyond, axis=1)
        shares = drawing.node("Mul", joined, drawing.constant(network.intervals.scales))
        zero, one = (drawing.constant(np.array(bound, np.float32)) for bound in (0, 1))
        parts.append(drawing.node("Clip", shares, zero, one))
    for cross in network.crosses:
        columns_ = drawing.constant(np.array(cross.columns, np.int64))
        first = drawing.node("Mul", places[cross.first], columns_)
        pairs = drawing.node("Add", first, places[cross.second])
        looked_up = drawing.node("Gather", drawing.constant(cross.rows), pairs, axis=0)
        parts.append(drawing.node("Squeeze", looked_up, drawing.constant(_ints(1))))
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
