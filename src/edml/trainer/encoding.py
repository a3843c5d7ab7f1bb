"""Turns feature columns into what the network takes: places in vocabularies, and plain numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application, Category, Cross, Number
from edml.trainer.wide import Terms

OUT_OF_VOCABULARY: Final = 0
"""The place of every value that a category does not know; the known ones follow, in order."""

Indices = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Intervals:
    """All intervals of all numbers, in a row: how far a number has come through each, from 0 to 1.

    ``owners`` says whose interval each is; it begins at ``lows`` and is ``1 / scales`` wide.
    """

    owners: NDArray[np.int64]
    lows: Floats
    scales: Floats


@dataclass(frozen=True)
class Encoding:
    """How an application's columns are encoded.

    ``edges`` are, by number, the ends of the intervals in which the model draws a straight line:
    quantiles of the rows that it was trained on, rising.
    """

    categories: tuple[Category, ...]
    numbers: tuple[Number, ...]
    crosses: tuple[Cross, ...]
    wide: tuple[Category, ...]
    """The categories that the wide part takes by themselves."""
    edges: Mapping[str, Floats]

    @classmethod
    def of(cls, application: Application, features: pl.DataFrame, *, intervals: int) -> "Encoding":
        """Find the columns of an application, and the edges of its numbers in some features."""
        columns = application.columns.values()
        numbers = tuple(column for column in columns if isinstance(column, Number))
        return cls(
            categories=tuple(column for column in columns if isinstance(column, Category)),
            numbers=numbers,
            crosses=tuple(column for column in application.wide if isinstance(column, Cross)),
            wide=tuple(column for column in application.wide if isinstance(column, Category)),
            edges={each.name: _edges(features[each.name], intervals) for each in numbers},
        )

    @cached_property
    def intervals(self) -> Intervals:
        """The intervals of all numbers, in a row."""
        edges = [self.edges[number.name] for number in self.numbers]
        none = np.empty(0, np.float32)
        owners = [np.full(len(each) - 1, at, np.int64) for at, each in enumerate(edges)]
        return Intervals(
            owners=np.concatenate([none.astype(np.int64), *owners]),
            lows=np.concatenate([none, *(each[:-1] for each in edges)]),
            scales=np.concatenate([none, *(1 / np.diff(each) for each in edges)]),
        )

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The places of each category, the one out of vocabulary included."""
        return tuple(len(category.values) + 1 for category in self.categories)

    def place(self, category: Category) -> int:
        """Which of the categories this is."""
        return [each.name for each in self.categories].index(category.name)

    def indices(self, features: pl.DataFrame) -> Indices:
        """The place of each value in its category's vocabulary: shape ``[rows, categories]``."""
        encoded = np.empty((features.height, len(self.categories)), dtype=np.int32)
        for at, category in enumerate(self.categories):
            encoded[:, at] = places_of(category, features[category.name])
        return encoded

    def floats(self, features: pl.DataFrame) -> Floats:
        """The numbers as they are: shape ``[rows, numbers]``."""
        numbers = np.empty((features.height, len(self.numbers)), dtype=np.float32)
        for at, number in enumerate(self.numbers):
            numbers[:, at] = features[number.name].to_numpy()
        return numbers

    def terms(self, indices: Indices) -> Terms:
        """The terms of the wide part: first its categories, then its crosses.

        The place of a pair is ``first * size of second + second``.
        """
        places = [indices[:, self.place(category)].astype(np.int64) for category in self.wide]
        sizes = [self.sizes[self.place(category)] for category in self.wide]
        for cross in self.crosses:
            first, second = self.place(cross.first), self.place(cross.second)
            places.append(
                indices[:, first].astype(np.int64) * self.sizes[second] + indices[:, second]
            )
            sizes.append(self.sizes[first] * self.sizes[second])
        stacked = np.array(places, dtype=np.int64).reshape(len(sizes), len(indices))
        return Terms(stacked.T, tuple(sizes))


def places_of(category: Category, column: pl.Series) -> Indices:
    """The place of each value of a column in the category's vocabulary: shape ``[rows]``."""
    values = list(category.values)
    places = column.replace_strict(
        values,
        list(range(1, len(values) + 1)),
        default=OUT_OF_VOCABULARY,
        return_dtype=pl.Int32,
    )
    return places.to_numpy()


def _edges(column: pl.Series, intervals: int) -> Floats:
    """Quantiles that differ, in the precision in which the model compares them; two at least."""
    quantiles = np.quantile(column.to_numpy().astype(np.float64), np.linspace(0, 1, intervals + 1))
    distinct = np.unique(quantiles.astype(np.float32))
    if len(distinct) == 1:
        distinct = np.array([distinct[0], distinct[0] + 1], dtype=np.float32)
    return distinct
