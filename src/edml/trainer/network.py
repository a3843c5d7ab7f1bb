"""The wide & deep network in Keras: the deep part, learned on top of the wide part's effects.

After Cheng et al., "Wide & Deep Learning for Recommender Systems" (2016). What is different here
is told in the documentation, under "The model".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
from keras import layers, ops

from edml.application import Application, Category, Embedding
from edml.trainer.encoding import Encoding
from edml.trainer.folded import Link
from edml.trainer.hyperparameters import Hyperparameters

NARROW: Final = 4
"""The embedding's dimension, in the deep part, of a category that only the wide part declares."""

_HIGHEST_LOGARITHM: Final = 30.0


@dataclass(frozen=True)
class Scaling:
    """How the network's score becomes a label: ``link⁻¹(shift + scale * score)``."""

    link: Link
    shift: float
    scale: float


class Tower(layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """One deep network: embeddings and all that is continuous, through dense layers, to a score."""

    def __init__(
        self, encoding: Encoding, dimensions: Sequence[int], parameters: Hyperparameters
    ) -> None:
        super().__init__()
        self.embeddings = [
            layers.Embedding(size, dimension)
            for size, dimension in zip(encoding.sizes, dimensions, strict=True)
        ]
        self.hidden = [
            layers.Dense(units, activation="relu", kernel_initializer="he_normal")
            for units in parameters.hidden
        ]
        self.dropouts = [
            layers.Dropout(parameters.dropout, seed=parameters.seed + depth)
            for depth in range(len(self.hidden))
        ]
        self.score = layers.Dense(1)

    def call(self, indices: Any, continuous: Any, *, training: bool = False) -> Any:
        """Give the score of each row: ``[rows, 1]``."""
        vectors = [embed(indices[:, at]) for at, embed in enumerate(self.embeddings)]
        units = ops.concatenate([*vectors, continuous], axis=1)
        for layer, drop in zip(self.hidden, self.dropouts, strict=True):
            units = drop(layer(units), training=training)
        return self.score(units)


class WideAndDeep(keras.Model):  # type: ignore[misc]
    """Some towers beside the wide part. Gives the label by tower: ``[rows, members]``.

    It takes a row's ``indices`` in the vocabularies, its ``numbers``, and, of the wide part,
    ``effects`` by term and ``evidence`` by cross.
    """

    def __init__(
        self,
        application: Application,
        encoding: Encoding,
        scaling: Scaling,
        intercept: float,
        parameters: Hyperparameters,
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.intercept = intercept
        self.intervals = encoding.intervals
        widths = dimensions(application, encoding.categories)
        self.towers = [Tower(encoding, widths, parameters) for _ in range(parameters.members)]

    def call(self, columns: dict[str, Any], *, training: bool = False) -> Any:
        """Give the label of each row by tower."""
        spread = ops.take(columns["numbers"], self.intervals.owners, axis=1)
        shares = ops.clip((spread - self.intervals.lows) * self.intervals.scales, 0.0, 1.0)
        continuous = ops.concatenate([shares, columns["effects"], columns["evidence"]], axis=1)
        wide = self.intercept + ops.sum(columns["effects"], axis=1, keepdims=True)
        scores = [tower(columns["indices"], continuous, training=training) for tower in self.towers]
        linked = self.scaling.shift + self.scaling.scale * (wide + ops.concatenate(scores, axis=1))
        if self.scaling.link == "identity":
            return linked
        return ops.exp(ops.clip(linked, -_HIGHEST_LOGARITHM, _HIGHEST_LOGARITHM))


def dimensions(application: Application, categories: Sequence[Category]) -> list[int]:
    """The embedding's dimension of each category: as declared for the deep part, else narrow."""
    declared = {
        column.category.name: column.dimension
        for column in application.deep
        if isinstance(column, Embedding)
    }
    return [
        declared.get(category.name, min(NARROW, len(category.values))) for category in categories
    ]
