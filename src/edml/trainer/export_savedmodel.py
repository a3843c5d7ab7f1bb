"""Writes the folded network as a TensorFlow SavedModel with a signature on raw, named features."""

from functools import reduce
from pathlib import Path
from typing import Any

import tensorflow as tf

from edml.application import Category
from edml.trainer import tables
from edml.trainer.folded import Dense, Folded, Joint, consecutive, joints, pairs


def export(network: Folded, path: Path) -> None:
    """Write the folder ``path``. Its signature ``serving_default`` takes batches of any size.

    The network's tables lie within.
    """
    module = _Network(network)
    dtypes = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}
    specs = {
        tensor.name: tf.TensorSpec([None], dtypes[tensor.dtype], name=tensor.name)
        for tensor in network.signature.inputs
    }
    concrete = tf.function(module.predict, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(module, str(path), signatures={"serving_default": concrete})
    beside = path.parent / tables.SAVED_MODEL
    beside.parent.mkdir()
    beside.write_bytes(tables.packed(network))


class _Network(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """The network's tables, and what is done with them."""

    def __init__(self, network: Folded) -> None:
        super().__init__()
        self._network = network
        self._lookups = {
            category.name: _lookup(category)
            for category in network.categories
            if consecutive(category) is None
        }
        self._joints = joints(network)
        self._pairs = [pairs(network, cross) for cross in network.crosses]
        # Variables, not constants: large tables stay out of the graph's protocol buffer.
        self._rows = [tf.Variable(joint.rows, trainable=False) for joint in self._joints]
        self._crosses = [tf.Variable(joint.rows, trainable=False) for joint in self._pairs]

    def predict(self, **columns: Any) -> dict[str, Any]:
        """Give the label for columns of raw features."""
        network = self._network
        places = [self._place(category, columns) for category in network.categories]
        looked_up = [
            tf.gather(rows, _row(joint, places))
            for rows, joint in zip(self._rows, self._joints, strict=True)
        ]
        hidden = sum(looked_up[1:], looked_up[0]) if looked_up else tf.constant(network.first.bias)
        continuous = self._continuous(columns, places)
        if continuous:
            kernel = tf.constant(network.first.kernel)
            hidden += tf.concat(continuous, axis=1) @ kernel
        return {network.label: self._linked(self._deep(hidden))}

    def _place(self, category: Category, columns: dict[str, Any]) -> Any:
        """Give the places of a category's values."""
        span = consecutive(category)
        if span is None:
            return self._lookups[category.name].lookup(columns[category.name])
        below, above = span[0] - 1, span[1] + 1
        return tf.clip_by_value(columns[category.name], below, above) - below

    def _continuous(self, columns: dict[str, Any], places: list[Any]) -> list[Any]:
        """Collect the shares of all intervals, then effect and evidence of the crosses."""
        network = self._network
        parts = []
        if network.numbers:
            intervals = network.intervals
            beyond = [
                columns[name][:, tf.newaxis] - intervals.lows[intervals.owners == at]
                for at, name in enumerate(network.numbers)
            ]
            shares = tf.concat(beyond, axis=1) * intervals.scales
            parts.append(tf.clip_by_value(shares, 0.0, 1.0))
        for joint, rows in zip(self._pairs, self._crosses, strict=True):
            parts.append(tf.gather(rows, _row(joint, places)))
        return parts

    def _deep(self, hidden: Any) -> Any:
        """Add the towers' scores to the wide sum."""
        wide, *units = tf.split(hidden, self._network.widths, axis=1)
        for tower, own in zip(self._network.towers, units, strict=True):
            wide += reduce(_dense, tower, own)
        return wide[:, 0]

    def _linked(self, score: Any) -> Any:
        low, high = self._network.valid
        label = tf.exp(score) if self._network.link == "log" else score
        return tf.clip_by_value(label, low, high)


def _row(joint: Joint, places: list[Any]) -> Any:
    """Say which row of a joint the places are."""
    first, *others = joint.at
    row = places[first]
    for at, size in zip(others, joint.sizes[1:], strict=True):
        row = row * size + places[at]
    return row


def _dense(units: Any, layer: Dense) -> Any:
    return tf.nn.relu(units) @ tf.constant(layer.kernel) + tf.constant(layer.bias)


def _lookup(category: Category) -> Any:
    """A table from a category's values to their places."""
    dtype = tf.string if category.type == "string" else tf.int64
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(category.values), dtype),
            tf.range(1, len(category.values) + 1, dtype=tf.int64),
        ),
        default_value=0,
    )
