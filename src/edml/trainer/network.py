"""The wide & deep network in Keras: the deep part, learned on top of the wide part's effects.

After Cheng et al., "Wide & Deep Learning for Recommender Systems" (2016); what is different here is
told in the documentation, under "The model".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops

from edml.application import Application, Category, Embedding
from edml.trainer.encoding import Encoding
from edml.trainer.folded import CrossTable, Dense, Folded, Intervals, Link
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.wide import Wide

NARROW: Final = 4
"""The embedding's dimension, in the deep part, of a category that only the wide part declares."""


@dataclass(frozen=True)
class Scaling:
    """How the network's score becomes a label: ``link⁻¹(shift + scale * score)``."""

    link: Link
    shift: float
    scale: float


class Tower(layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """One deep network: embeddings and everything continuous, through dense layers, to one score."""

    def __init__(self, encoding: Encoding, dimensions: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        self.embeddings = [
            layers.Embedding(size, dimension)
            for size, dimension in zip(encoding.sizes, dimensions, strict=True)
        ]
        self.hidden = [
            layers.Dense(units, activation="relu", kernel_initializer="he_normal")
            for units in hidden
        ]
        self.score = layers.Dense(1)

    def call(self, indices: Any, continuous: Any) -> Any:
        """Give the score of each row: ``[rows, 1]``."""
        vectors = [embed(indices[:, at]) for at, embed in enumerate(self.embeddings)]
        units = ops.concatenate([*vectors, continuous], axis=1)
        for layer in self.hidden:
            units = layer(units)
        return self.score(units)


class WideAndDeep(keras.Model):  # type: ignore[misc]
    """Several towers beside the wide part. Gives the label by tower: ``[rows, members]``.

    It takes a row's ``indices`` in the vocabularies, ``numbers``, and, of the wide part, ``effects``
    and ``evidence`` by term.
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
        self.intervals = intervals_of(encoding)
        self.towers = [
            Tower(encoding, dimensions(application, encoding.categories), parameters.hidden)
            for _ in range(parameters.members)
        ]

    def call(self, columns: dict[str, Any]) -> Any:
        """Give the label of each row by tower."""
        spread = ops.take(columns["numbers"], self.intervals.owners, axis=1)
        shares = ops.clip((spread - self.intervals.lows) * self.intervals.scales, 0.0, 1.0)
        continuous = ops.concatenate([shares, columns["effects"], columns["evidence"]], axis=1)
        wide = ops.sum(columns["effects"], axis=1, keepdims=True)
        scores = [tower(columns["indices"], continuous) for tower in self.towers]
        score = ops.concatenate(scores, axis=1) + wide + self.intercept
        linked = self.scaling.shift + self.scaling.scale * score
        return ops.exp(linked) if self.scaling.link == "log" else linked


def dimensions(application: Application, categories: Sequence[Category]) -> list[int]:
    """The embedding's dimension of each category: as declared for the deep part, else narrow."""
    declared = {
        column.category.name: column.dimension
        for column in application.deep
        if isinstance(column, Embedding)
    }
    return [declared.get(category.name, min(NARROW, len(category.values))) for category in categories]


def intervals_of(encoding: Encoding) -> Intervals:
    """The intervals of all numbers of an encoding."""
    edges = [encoding.edges[number.name] for number in encoding.numbers]
    owners = [np.full(len(each) - 1, at, np.int64) for at, each in enumerate(edges)]
    return Intervals(
        owners=np.concatenate([*owners, np.empty(0, np.int64)]),
        lows=np.concatenate([*(each[:-1] for each in edges), np.empty(0)]).astype(np.float32),
        scales=np.concatenate([*(1 / np.diff(each) for each in edges), np.empty(0)]).astype(
            np.float32
        ),
    )


def fold(
    application: Application,
    encoding: Encoding,
    scaling: Scaling,
    wide: Wide,
    model: WideAndDeep | None,
) -> Folded:
    """Multiply the network out into tables; without a model, the wide part alone.

    The towers stand side by side in each layer, and the score is their mean.
    """
    towers = model.towers if model is not None else []
    kernels = [tower.hidden[0].get_weights() for tower in towers]
    starts = np.cumsum([0, *(dimensions(application, encoding.categories) if towers else [])])
    tables = [
        [
            embed.get_weights()[0] @ kernel[start : start + embed.output_dim]
            for embed, start in zip(tower.embeddings, starts, strict=False)
        ]
        for tower, (kernel, _) in zip(towers, kernels, strict=True)
    ]
    intervals = intervals_of(encoding)
    units = sum(kernel.shape[1] for kernel, _ in kernels)
    continuous = np.concatenate(
        [np.empty((_continuous_width(encoding, intervals), 0)), *(k[starts[-1] :] for k, _ in kernels)],
        axis=1,
    )
    shares, effects, evidence = np.split(
        continuous,
        np.cumsum([len(intervals.lows), len(encoding.wide) + len(encoding.crosses)]),
    )
    score = np.full(1, scaling.scale)
    rows = []
    for at, (category, size) in enumerate(zip(encoding.categories, encoding.sizes, strict=True)):
        table = np.zeros((size, 1 + units))
        if towers:
            table[:, 1:] = np.concatenate([each[at] for each in tables], axis=1)
        if category in encoding.wide:
            term = encoding.wide.index(category)
            table[:, :1] += np.outer(wide.weights[term], score)
            table[:, 1:] += np.outer(wide.weights[term], effects[term])
        rows.append(table)
    singles = len(encoding.wide)
    into = [np.concatenate([np.zeros((len(shares), 1)), shares], axis=1)]
    crosses = []
    for number, cross in enumerate(encoding.crosses):
        term = singles + number
        first, second = encoding.place(cross.first), encoding.place(cross.second)
        table = np.stack([wide.weights[term], np.log1p(wide.rows[term])], axis=1)
        crosses.append(CrossTable(first, second, encoding.sizes[second], table.astype(np.float32)))
        into.append(
            np.stack(
                [np.append(score, effects[term]), np.append([0.0], evidence[number])],
            )
        )
    bias = np.concatenate([[scaling.shift + scaling.scale * wide.intercept], *(b for _, b in kernels)])
    return Folded(
        label=application.outcome.label,
        link=scaling.link,
        valid=application.outcome.valid,
        categories=encoding.categories,
        numbers=[number.name for number in encoding.numbers],
        rows=np.concatenate([*rows, np.empty((0, 1 + units))]).astype(np.float32),
        crosses=crosses,
        intervals=intervals,
        first=Dense(np.concatenate(into).astype(np.float32), bias.astype(np.float32)),
        layers=_side_by_side(towers, scaling.scale),
    )


def _continuous_width(encoding: Encoding, intervals: Intervals) -> int:
    return len(intervals.lows) + len(encoding.wide) + 2 * len(encoding.crosses)


def _side_by_side(towers: Sequence[Tower], scale: float) -> list[Dense]:
    """The towers' later layers as one network: blocks on the diagonal, and the mean at the end."""
    if not towers:
        return []
    inner = []
    for depth in range(1, len(towers[0].hidden)):
        weights = [tower.hidden[depth].get_weights() for tower in towers]
        height, width = weights[0][0].shape
        kernel = np.zeros((height * len(towers), width * len(towers)), np.float32)
        for at, (block, _) in enumerate(weights):
            kernel[at * height : (at + 1) * height, at * width : (at + 1) * width] = block
        inner.append(Dense(kernel, np.concatenate([bias for _, bias in weights])))
    last = [tower.score.get_weights() for tower in towers]
    share = np.float32(scale / len(towers))
    mean = Dense(
        np.concatenate([kernel for kernel, _ in last]) * share,
        np.sum([bias for _, bias in last], axis=0) * share,
    )
    return [*inner, mean]
