"""Folds the wide part and the towers into the tables that are exported: a matter of arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edml.application import Application
from edml.trainer.encoding import Encoding, Floats
from edml.trainer.folded import CrossTable, Dense, Folded
from edml.trainer.network import Scaling, Tower
from edml.trainer.wide import Wide

_Table = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class _FirstLayer:
    """The first layers of all towers side by side, by what they take; ``[…, units]`` each."""

    embedded: Sequence[_Table]
    """For each category, what each of its values adds, its embedding multiplied out."""
    shares: _Table
    effects: _Table
    evidence: _Table
    bias: _Table

    @property
    def units(self) -> int:
        """The hidden units of all towers."""
        return len(self.bias)


def fold(
    application: Application,
    encoding: Encoding,
    scaling: Scaling,
    wide: Wide,
    towers: Sequence[Tower],
) -> Folded:
    """Multiply the network out. The score is the mean of the towers'; there may be none of them."""
    layer = _first_layer(encoding, towers)
    return Folded(
        label=application.outcome.label,
        link=scaling.link,
        valid=application.outcome.valid,
        categories=encoding.categories,
        numbers=[number.name for number in encoding.numbers],
        rows=_rows(encoding, scaling, wide, layer),
        crosses=_crosses(encoding, wide),
        intervals=encoding.intervals,
        first=_first(encoding, scaling, wide, layer),
        towers=[_later_layers(tower, scaling.scale / len(towers)) for tower in towers],
    )


def _first_layer(encoding: Encoding, towers: Sequence[Tower]) -> _FirstLayer:
    """Take the towers' first layers apart, and put the parts side by side."""
    weights = [tower.hidden[0].get_weights() for tower in towers]
    embedded = []
    start = 0
    for at, size in enumerate(encoding.sizes):
        tables = [tower.embeddings[at].get_weights()[0] for tower in towers]
        width = tables[0].shape[1] if tables else 0
        products = [
            table @ kernel[start : start + width]
            for table, (kernel, _) in zip(tables, weights, strict=True)
        ]
        embedded.append(_beside(products, size))
        start += width
    terms, crosses = len(encoding.wide) + len(encoding.crosses), len(encoding.crosses)
    continuous = _beside(
        [kernel[start:] for kernel, _ in weights], len(encoding.intervals.lows) + terms + crosses
    )
    shares, effects, evidence = np.split(
        continuous, [len(encoding.intervals.lows), len(continuous) - crosses]
    )
    bias = np.concatenate([np.empty(0), *(bias for _, bias in weights)])
    return _FirstLayer(embedded, shares, effects, evidence, bias)


def _rows(encoding: Encoding, scaling: Scaling, wide: Wide, layer: _FirstLayer) -> Floats:
    """What each value of each category adds to the wide sum, and to the hidden units."""
    tables = [np.empty((0, 1 + layer.units))]
    for category, embedded in zip(encoding.categories, layer.embedded, strict=True):
        effect = np.zeros(len(embedded))
        through = np.zeros(layer.units)
        for term, of_wide in enumerate(encoding.wide):
            if of_wide.name == category.name:
                effect = effect + wide.weights[term]
                through = through + layer.effects[term]
        tables.append(
            np.column_stack([effect * scaling.scale, embedded + np.outer(effect, through)])
        )
    return np.concatenate(tables).astype(np.float32)


def _crosses(encoding: Encoding, wide: Wide) -> list[CrossTable]:
    """The effect and the evidence of each pair of values."""
    tables = []
    for term, cross in enumerate(encoding.crosses, start=len(encoding.wide)):
        second = encoding.place(cross.second)
        rows = np.column_stack([wide.weights[term], np.log1p(wide.rows[term])])
        tables.append(
            CrossTable(
                first=encoding.place(cross.first),
                second=second,
                columns=encoding.sizes[second],
                rows=rows.astype(np.float32),
            )
        )
    return tables


def _first(encoding: Encoding, scaling: Scaling, wide: Wide, layer: _FirstLayer) -> Dense:
    """The layer that takes the intervals, then effect and evidence of each cross."""
    parts = [np.column_stack([np.zeros(len(layer.shares)), layer.shares])]
    for number in range(len(encoding.crosses)):
        effect = np.append(scaling.scale, layer.effects[len(encoding.wide) + number])
        evidence = np.append(0.0, layer.evidence[number])
        parts.append(np.stack([effect, evidence]))
    bias = np.append(scaling.shift + scaling.scale * wide.intercept, layer.bias)
    return Dense(np.concatenate(parts).astype(np.float32), bias.astype(np.float32))


def _later_layers(tower: Tower, scale: float) -> list[Dense]:
    """A tower's layers after the first; ``scale`` is what its score counts."""
    weights = [layer.get_weights() for layer in tower.hidden[1:]]
    kernel, bias = tower.score.get_weights()
    share = np.float32(scale)
    return [*(Dense(*each) for each in weights), Dense(kernel * share, bias * share)]


def _beside(parts: Sequence[_Table], rows: int) -> _Table:
    return np.concatenate([np.empty((rows, 0)), *parts], axis=1)
