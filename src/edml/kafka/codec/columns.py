"""Many datums of one schema read side by side: field after field, each for all records at once.

A cursor stands in each record. Reading a field gives back a column and moves every cursor past that
field, never beyond its own record: a bad record cannot touch its neighbours, and no length that it
claims is ever allocated. Records that are not clean are marked as doubtful, and their values mean
nothing; whether they are bad is for the strict reader to say.
"""

from collections.abc import Container, Sequence
from typing import Final, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from edml.kafka.codec import varints
from edml.kafka.codec.dtypes import bounds, column_type, unit, utf8
from edml.kafka.codec.layout import Enum, Field, Fixed, Node, Nullable, Record, Scalar
from edml.kafka.codec.varints import Longs

_Number = TypeVar("_Number", bound=np.generic)

_PADDING: Final = bytes(24)
"""Behind the last record, so that whole words can be read at any place of it."""

_INLINE: Final = 12
"""Strings up to this length stand inside of their Arrow view."""

_HALF_WORD: Final = np.uint64(32)


_MASKS: Final = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
"""The lowest 0 to 8 bytes of a word."""


class Buffer:
    """The bytes of a batch, readable as numbers at any place."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self.bytes: Final = b"".join([*values, _PADDING])
        self.u1: Final = self.overlapping(np.dtype(np.uint8))
        self.u8: Final = self.overlapping(np.dtype("<u8"))

    def overlapping(self, number: np.dtype[_Number]) -> NDArray[_Number]:
        """Give back the bytes as overlapping numbers: number ``i`` begins at byte ``i``."""
        count = len(self.bytes) - number.itemsize + 1
        return np.ndarray((count,), number, self.bytes, strides=(1,))


class Cursors:
    """Where reading stands in each record."""

    def __init__(self, buffer: Buffer, places: Longs, ends: Longs) -> None:
        self._buffer = buffer
        self._places = places
        self._ends = ends
        self._doubtful: NDArray[np.bool_] = np.zeros(len(places), np.bool_)

    @classmethod
    def over(cls, values: Sequence[bytes], skip: int) -> "Cursors":
        """Stand behind the first bytes of each value, which is never shorter."""
        ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        return cls(Buffer(values), starts + skip, ends)

    def record(self, fields: Sequence[Field], wanted: Container[str]) -> list[pl.Series]:
        """Read the fields of a record, all of them; give back the columns that are wanted."""
        columns = []
        for field in fields:
            column = self._column(field.type)
            if field.name in wanted:
                columns.append(column.alias(field.name))
        return columns

    def doubtful(self) -> NDArray[np.bool_]:
        """Give back the records that are not clean, or not read to their end."""
        unread: NDArray[np.bool_] = self._places != self._ends
        return self._doubtful | unread

    def _column(self, node: Node) -> pl.Series:
        match node:
            case Scalar():
                return self._scalar(node)
            case Enum():
                return self._enum(node)
            case Fixed(size=size):
                return self._views(*self._span(np.full(len(self._places), size)))
            case Nullable():
                return self._nullable(node)
            case Record(fields=fields):
                names = [field.name for field in fields]
                return pl.DataFrame(self.record(fields, names)).to_struct()
        raise AssertionError(f"not flat: {node}")

    def _scalar(self, node: Scalar) -> pl.Series:
        match node.kind:
            case "string":
                return self._string()
            case "bytes":
                return self._views(*self._span(self._varint()))
            case "float":
                return self._plain(np.dtype("<f4"))
            case "double":
                return self._plain(np.dtype("<f8"))
            case "boolean":
                return self._boolean()
        return self._whole(node)

    def _take(self, sizes: Longs | int) -> Longs:
        """Move past so many bytes, never out of the record; give back where they begin."""
        places = self._places
        self._places = places + sizes
        self._doubtful |= self._places > self._ends
        np.minimum(self._places, self._ends, out=self._places)
        return places

    def _varint(self) -> Longs:
        places = self._places
        first = self._buffer.u1[places]
        if first.max(initial=0) < varints.CONTINUED:
            self._take(1)
            return varints.unzigzag(first.astype(np.uint64))
        words = self._buffer.u8
        values, sizes, too_long = varints.decode(
            words[places], lambda rows: words[places[rows] + 8]
        )
        self._doubtful |= too_long
        self._take(sizes)
        return values

    def _between(self, values: Longs, low: int, high: int) -> Longs:
        """Doubt what is outside of the bounds, and put the lower one in its place."""
        if len(values) and (values.min() < low or values.max() > high):
            outside = (values < low) | (values > high)
            self._doubtful |= outside
            values = np.where(outside, low, values)
        return values

    def _whole(self, node: Scalar) -> pl.Series:
        values = self._varint()
        if (limits := bounds(node)) is not None:
            values = self._between(values, *limits)
        return pl.Series(values * unit(node)).cast(column_type(node))

    def _plain(self, number: np.dtype[_Number]) -> pl.Series:
        return pl.Series(self._buffer.overlapping(number)[self._take(number.itemsize)])

    def _boolean(self) -> pl.Series:
        values = self._buffer.u1[self._take(1)]
        self._doubtful |= values > 1
        return pl.Series(values == 1)

    def _enum(self, node: Enum) -> pl.Series:
        places = self._between(self._varint(), 0, len(node.symbols) - 1)
        return pl.Series(node.symbols, dtype=pl.Enum(node.symbols)).gather(places)

    def _string(self) -> pl.Series:
        text = utf8(self._views(*self._span(self._varint())))
        if text.null_count():
            self._doubtful |= text.is_null().to_numpy()
        return text

    def _span(self, sizes: Longs) -> tuple[Longs, Longs]:
        """Move past so many bytes; give back where they begin and how many really are there."""
        wrong = (sizes < 0) | (sizes > self._ends - self._places)
        if wrong.any():
            self._doubtful |= wrong
            sizes = np.where(wrong, 0, sizes)
        return self._take(sizes), sizes

    def _views(self, places: Longs, sizes: Longs) -> pl.Series:
        """Give back a column of bytes. They stay where they are, except short ones.

        https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
        """
        words = self._buffer.u8
        views = np.empty((len(places), 2), np.uint64)
        views[:, 0] = sizes.view(np.uint64) | (words[places] << _HALF_WORD)
        views[:, 1] = places.view(np.uint64) << _HALF_WORD
        if len(short := np.flatnonzero(sizes <= _INLINE)):
            places, sizes = places[short], sizes[short]
            head = words[places] & _MASKS[np.minimum(sizes, 4)]
            views[short, 0] = sizes.view(np.uint64) | (head << _HALF_WORD)
            views[short, 1] = words[places + 4] & _MASKS[np.maximum(sizes - 4, 0)]
        buffers = [None, pa.py_buffer(views), pa.py_buffer(self._buffer.bytes)]
        return pl.Series(pa.Array.from_buffers(pa.binary_view(), len(views), buffers))

    def _nullable(self, node: Nullable) -> pl.Series:
        branches = self._between(self._varint(), 0, 1)
        present = branches != node.null
        if present.all():
            return self._column(node.of)
        rows = np.flatnonzero(present)
        inner = Cursors(self._buffer, self._places[rows], self._ends[rows])
        values = inner._column(node.of)
        self._places[rows] = inner._places
        self._doubtful[rows] |= inner._doubtful
        return scatter(values, present)


def scatter(values: pl.Series, present: NDArray[np.bool_]) -> pl.Series:
    """Give back a column of the values, in their order, at the rows that are present, else null."""
    places = pl.Series(np.cumsum(present) - 1).set(pl.Series(~present), None)
    return values.gather(places)
