"""The trained network, folded into a few tables: what is exported, whatever the flavour.

An embedding goes straight into the first dense layer, so all that a value of a category can do is
to add one row to that layer. Folding multiplies these rows out once; a prediction then looks rows
up and adds them. Nothing is one-hot, no embedding is concatenated, and the numbers are those of the
network, to the rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edml.application import Category
from edml.models.records import Signature, Tensor
from edml.trainer.encoding import Floats, Intervals

Link = Literal["identity", "log"]


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


@dataclass(frozen=True)
class Spans:
    """The categories that are ranges of integers: a value's place is its distance from the lowest.

    ``at`` says which of the network's categories they are; ``below`` is one less than the lowest
    value of each, ``highest`` the highest. Any other value has place 0.
    """

    at: list[int]
    below: NDArray[np.int64]
    highest: NDArray[np.int64]

    @classmethod
    def of(cls, categories: Sequence[Category]) -> "Spans":
        """Find them."""
        found = {at: span for at, each in enumerate(categories) if (span := consecutive(each))}
        return cls(
            at=list(found),
            below=np.array([low - 1 for low, _ in found.values()], dtype=np.int64),
            highest=np.array([high for _, high in found.values()], dtype=np.int64),
        )


def consecutive(category: Category) -> tuple[int, int] | None:
    """The lowest and highest value of a category that is a range of integers, in order; else None.

    Such a category needs no lookup: a value's place is its distance from the lowest.
    """
    values = category.values
    first = values[0]
    if isinstance(first, int) and list(values) == list(range(first, first + len(values))):
        return first, first + len(values) - 1
    return None
