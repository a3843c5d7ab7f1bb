"""Writes the folded network as a TensorFlow SavedModel with a signature on raw, named features."""

from functools import reduce
from pathlib import Path
from typing import Any

import tensorflow as tf

from edml.application import Category
from edml.trainer.folded import Dense, Folded, Spans


def export(network: Folded, path: Path) -> None:
    """Write the folder ``path``. Its signature ``serving_default`` takes batches of any size."""
    module = _Network(network)
    dtypes = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}
    specs = {
        tensor.name: tf.TensorSpec([None], dtypes[tensor.dtype], name=tensor.name)
        for tensor in network.signature.inputs
    }
    concrete = tf.function(module.predict, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(module, str(path), signatures={"serving_default": concrete})


class _Network(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """The network's tables, and what is done with them."""

    def __init__(self, network: Folded) -> None:
        super().__init__()
        self._network = network
        self._spans = Spans.of(network.categories)
        self._lookups = {
            category.name: _lookup(category)
            for at, category in enumerate(network.categories)
            if at not in self._spans.at
        }
        # Variables, not constants: large tables stay out of the graph's protocol buffer.
        self._rows = tf.Variable(network.rows, trainable=False)
        self._crosses = [tf.Variable(cross.rows, trainable=False) for cross in network.crosses]

    def predict(self, **columns: Any) -> dict[str, Any]:
        """Give the label for columns of raw features."""
        network = self._network
        places = self._places(columns)
        hidden = tf.constant(network.first.bias)[tf.newaxis, :]
        if places:
            stacked = tf.stack(list(places.values()), axis=1)
            rows = tf.gather(self._rows, stacked + network.offsets[list(places)])
            hidden += tf.reduce_sum(rows, axis=1)
        continuous = self._continuous(columns, places)
        if continuous:
            hidden += tf.concat(continuous, axis=1) @ tf.constant(network.first.kernel)
        return {network.label: self._linked(self._deep(hidden))}

    def _places(self, columns: dict[str, Any]) -> dict[int, Any]:
        """Look values up in the vocabularies: the places by the category's number."""
        categories = self._network.categories
        places: dict[int, Any] = {}
        spans = self._spans
        if spans.at:
            values = tf.stack([columns[categories[at].name] for at in spans.at], axis=1)
            known = tf.where(values > spans.highest, spans.below, tf.maximum(values, spans.below))
            found = tf.unstack(known - spans.below, axis=1)
            places |= dict(zip(spans.at, found, strict=True))
        for at, category in enumerate(categories):
            if category.name in self._lookups:
                places[at] = self._lookups[category.name].lookup(columns[category.name])
        return places

    def _continuous(self, columns: dict[str, Any], places: dict[int, Any]) -> list[Any]:
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
        for cross, rows in zip(network.crosses, self._crosses, strict=True):
            pairs = places[cross.first] * cross.columns + places[cross.second]
            parts.append(tf.gather(rows, pairs))
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
