"""The trained network, folded into a few tables: what is exported, whatever the flavour.

An embedding goes straight into the first dense layer, so all that a value of a category can do is
to add one row to that layer. Folding multiplies these rows out once; a prediction then looks rows
up and adds them. Nothing is one-hot, no embedding is concatenated, and the numbers are those of the
network, to the rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from edml.application import Category
from edml.models.records import Signature, Tensor
from edml.trainer.encoding import Floats, Intervals

Link = Literal["identity", "log"]

Rows = NDArray[np.floating[Any]]

_MOST_COMBINATIONS: Final = 1024  # their rows must stay in the processor's cache


@dataclass(frozen=True)
class CrossTable:
    """What each pair of values of two categories adds: effect and evidence, ``[pairs, 2]``.

    A pair's place is ``first * columns + second``, of the places in the vocabularies of the
    categories with these numbers.
    """

    first: int
    second: int
    columns: int
    rows: Floats


@dataclass(frozen=True)
class Dense:
    """A dense layer: ``kernel`` of shape ``[inputs, units]`` and ``bias`` of ``[units]``."""

    kernel: Floats
    bias: Floats


@dataclass(frozen=True)
class Folded:
    """The network as tables. Its first layer has a column for the wide sum, and one a hidden unit.

    ``rows`` (``[all places, 1 + units]``) holds what each value of each category adds to it, one
    category after the other. ``first`` takes the intervals, then effect and evidence of each cross.
    Each of the ``towers`` takes an equal share of the hidden units through dense layers of its own,
    the last one with a single unit; there are none when there is no deep part. The label is
    ``link⁻¹(wide + sum of the towers)``, held within ``valid``.
    """

    label: str
    link: Link
    valid: tuple[float, float]
    categories: Sequence[Category]
    numbers: Sequence[str]
    rows: Floats
    crosses: Sequence[CrossTable]
    intervals: Intervals
    first: Dense
    towers: Sequence[Sequence[Dense]]

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each category's rows begin."""
        sizes = [0, *(len(category.values) + 1 for category in self.categories)]
        return np.cumsum(sizes)[:-1]

    @property
    def widths(self) -> list[int]:
        """The columns of the first layer: one for the wide sum, then those of each tower."""
        units = len(self.first.bias) - 1
        return [1, *(units // len(self.towers) for _ in self.towers)]

    @property
    def signature(self) -> Signature:
        """The raw features that are taken, by name, and the label that is given."""
        categories = [
            Tensor(each.name, "string" if each.type == "string" else "int64", [-1])
            for each in self.categories
        ]
        numbers = [Tensor(name, "float32", [-1]) for name in self.numbers]
        return Signature(categories + numbers, [Tensor(self.label, "float32", [-1])])


def consecutive(category: Category) -> tuple[int, int] | None:
    """The lowest and highest value of a category that is a range of integers, in order; else None.

    Such a category needs no lookup: a value's place is its distance from one below the lowest. What
    is lower is held there, at place 0; what is higher is held one above the highest, at a place of
    its own at the end, which stands for place 0 once more.
    """
    values = category.values
    first = values[0]
    if isinstance(first, int) and list(values) == list(range(first, first + len(values))):
        return first, first + len(values) - 1
    return None


@dataclass(frozen=True)
class Joint:
    """Categories that are looked up together: ``rows`` has one for each combination of places.

    Of the places ``p`` in the categories with the numbers ``at``, of ``sizes`` places each, the row
    is ``((p[0] * sizes[1] + p[1]) * sizes[2] + p[2])…``.
    """

    at: tuple[int, ...]
    sizes: tuple[int, ...]
    rows: Rows


def joints(network: Folded) -> list[Joint]:
    """The rows of all categories, small ones multiplied out with each other: a lookup costs more.

    What they add up to holds the bias of the first layer, when there is any category.
    """
    tables = np.split(network.rows.astype(np.float64), network.offsets[1:])
    found: list[Joint] = []
    for at in sorted(range(len(network.categories)), key=lambda number: len(tables[number])):
        rows = _repeated(tables[at], network.categories[at])
        if found and len(found[-1].rows) * len(rows) <= _MOST_COMBINATIONS:
            first = found.pop()
            joined = (first.rows[:, np.newaxis] + rows).reshape(-1, rows.shape[1])
            found.append(Joint((*first.at, at), (*first.sizes, len(rows)), joined))
        else:
            biased = rows if found else rows + network.first.bias
            found.append(Joint((at,), (len(rows),), biased))
    return [replace(each, rows=each.rows.astype(np.float32)) for each in found]


def pairs(network: Folded, cross: CrossTable) -> Joint:
    """The effect and evidence of a cross, by the places of its two categories."""
    first, second = (network.categories[at] for at in (cross.first, cross.second))
    rows = _repeated(cross.rows.reshape(-1, cross.columns, 2), first)
    rows = _repeated(rows.swapaxes(0, 1), second).swapaxes(0, 1)
    return Joint((cross.first, cross.second), rows.shape[:2], rows.reshape(-1, 2))


def _repeated(rows: Rows, category: Category) -> Rows:
    """The rows by place: those of a range have the first once more at their end."""
    return rows if consecutive(category) is None else np.concatenate([rows, rows[:1]])
