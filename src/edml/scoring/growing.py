"""Arrays that grow at their end."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SMALL: Final = 1 << 10


WORD: Final = 8
"""Bytes: a record is a whole number of words, so that it is copied word by word."""


def words(records: npt.NDArray[Any]) -> Integers:
    """The words of a contiguous array of records, one row a record.

    To copy records themselves would copy them field by field.
    """
    return records.view(np.int64).reshape(records.size, records.itemsize // WORD)


def taken(records: npt.NDArray[Any], rows: Integers) -> npt.NDArray[Any]:
    """Some of the records of a contiguous array."""
    return words(records).take(rows, axis=0).view(records.dtype).reshape(-1)


def joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Contiguous arrays of records, one after another."""
    return np.concatenate([words(each) for each in parts]).view(parts[0].dtype).reshape(-1)


def padded(fields: list[Any]) -> np.dtype[Any]:
    """The type of a record of these fields, and what else makes it a whole number of words."""
    size = np.dtype(fields).itemsize
    more = -size % WORD if size else WORD
    return np.dtype([*fields, ("", np.uint8, (more,))] if more else fields)


class Growing:
    """An array of records that grows at its end, in place while there is room."""

    def __init__(self, dtype: np.dtype[Any], capacity: int) -> None:
        self._values = np.empty(max(1, capacity), dtype)
        self.size = 0

    @property
    def filled(self) -> npt.NDArray[Any]:
        """What stands in it."""
        return self._values[: self.size]

    def room(self, more: int) -> npt.NDArray[Any]:
        """As many more elements, which are still to be filled in."""
        start, end = self.size, self.size + more
        if end > self._values.size:
            wider = np.empty(max(end, 2 * self._values.size), self._values.dtype)
            words(wider)[:start] = words(self._values)[:start]
            self._values = wider
        self.size = end
        return self._values[start:end]

    def trimmed(self) -> None:
        """Give back what was not needed."""
        if 2 * self.size < self._values.size:
            self._values = joined([self.filled])


def distinct(values: Integers) -> tuple[Integers, Integers]:
    """The distinct values in ascending order, and the place of each value among them."""
    if not values.size:
        return values, values
    least = int(values.min())
    span = int(values.max()) - least + 1
    if span > 4 * values.size + SMALL:
        found, place = np.unique(values, return_inverse=True)
        return found, place
    there = np.zeros(span, dtype=np.bool_)
    there[values - least] = True
    return np.flatnonzero(there) + least, (np.cumsum(there) - 1)[values - least]
