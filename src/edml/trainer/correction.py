"""Corrects a network by few, new rows: what has changed since is added to its tables.

A training from nothing needs many rows, and after a change there are few. Yet most of what the
network knows still holds: a long way is long, whatever the traffic. So its score is kept as one
column among others, and ridge regression (Hoerl and Kennard, 1970) finds how that column has to be
stretched, and what each value of each category and each stretch of each number adds. All of these
are drawn to no change at all, by as much as their rows are few. On a logarithmic link, what is
added multiplies: if all trips take a third less time, a handful of them is enough to know it.

The result is a network of the same tables and the same size, so a correction is exported, served
and corrected like any other.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edml.errors import TrainingError
from edml.trainer.dataset import Examples
from edml.trainer.folded import Dense, Folded
from edml.trainer.tables import Asked, answers, linked, scores

Numbers = NDArray[np.float64]

RIDGE: Final = 30.0
"""So many rows weigh as much as knowing that nothing has changed."""

_AT_ONCE: Final = 16_384


def corrected(network: Folded, examples: Examples, weights: Numbers) -> Folded:
    """The network as these rows correct it; ``weights`` is what each counts for.

    Raises:
        TrainingError: the rows are too few, or not finite.
    """
    asked = Asked.of(network, examples.features)
    if not len(asked):
        raise TrainingError("there is no row to correct a model by")
    score = scores(network, asked)
    missing = linked(network, examples.labels) - score
    middle = float(np.average(score, weights=weights))
    level = float(np.average(missing, weights=weights))
    change = _solved(network, asked, score - middle, missing - level, weights)
    if not np.isfinite(change).all():
        raise TrainingError("the correction of the model is not a number")
    stretch, added, slopes = np.split(change, [1, 1 + len(network.rows)])
    shift = level - middle * float(stretch[0])
    found = _changed(network, 1 + float(stretch[0]), shift, added, slopes)
    return _calibrated(found, examples, weights)


def _solved(
    network: Folded, asked: Asked, score: Numbers, missing: Numbers, weights: Numbers
) -> Numbers:
    """Solve the normal equations: the score's stretch, what values add, and intervals' slopes."""
    size = 1 + len(network.rows) + asked.shares.shape[1]
    squares = np.diag(np.full(size, RIDGE))
    products = np.zeros(size)
    for start in range(0, len(asked), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        columns = _columns(network, asked[part], score[part])
        counted = columns * weights[part, np.newaxis]
        squares += columns.T @ counted
        products += counted.T @ missing[part]
    return np.linalg.solve(squares, products)


def _columns(network: Folded, asked: Asked, score: Numbers) -> Numbers:
    values = np.zeros((len(asked), len(network.rows)))
    rows = np.arange(len(asked))
    for at, offset in enumerate(network.offsets):
        values[rows, offset + asked.places[:, at]] = 1.0
    return np.column_stack([score, values, asked.shares])


def _changed(
    network: Folded, stretch: float, shift: float, added: Numbers, slopes: Numbers
) -> Folded:
    """Fold the change into the tables: all but the wide sum and the towers' ends stays as it is."""
    rows, kernel, bias = (
        each.astype(np.float64) for each in (network.rows, network.first.kernel, network.first.bias)
    )
    rows[:, 0] = rows[:, 0] * stretch + added
    kernel[:, 0] *= stretch
    kernel[: len(slopes), 0] += slopes
    bias[0] = bias[0] * stretch + shift
    towers = [
        [*layers, Dense(end.kernel * np.float32(stretch), end.bias * np.float32(stretch))]
        for *layers, end in network.towers
    ]
    first = Dense(kernel.astype(np.float32), bias.astype(np.float32))
    return replace(network, rows=rows.astype(np.float32), first=first, towers=towers)


def _calibrated(network: Folded, examples: Examples, weights: Numbers) -> Folded:
    """The network brought to the rows' mean label, which a mean of logarithms misses."""
    label = np.average(examples.labels, weights=weights)
    found = np.average(answers(network, examples.features), weights=weights)
    height = np.log(label / found) if network.link == "log" else label - found
    bias = network.first.bias.astype(np.float64)
    bias[0] += height
    return replace(network, first=replace(network.first, bias=bias.astype(np.float32)))
