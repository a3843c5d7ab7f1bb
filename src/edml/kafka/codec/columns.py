"""Many datums of one schema read side by side: field after field, each for all records at once.

A cursor stands in each record. Reading a field gives back a column and moves every cursor past that
field, never beyond its own record: a bad record cannot touch its neighbours, and no length that it
claims is ever allocated. Records that are not clean are marked as doubtful, and their values mean
nothing; whether they are bad is for the strict reader to say.
"""

from collections.abc import Container, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from edml.kafka.codec import varints, wire
from edml.kafka.codec.dtypes import bounds, column_type, unit, utf8
from edml.kafka.codec.layout import Enum, Field, Fixed, Node, Nullable, Record, Scalar
from edml.kafka.codec.values import Values
from edml.kafka.codec.varints import Longs

_Number = TypeVar("_Number", bound=np.generic)

_INLINE: Final = 12
"""Strings up to this length stand inside of their Arrow view."""

_HALF_WORD: Final = np.uint64(32)
_LONG_BITS: Final = 64

_MASKS: Final = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
"""The lowest 0 to 8 bytes of a word."""


class Buffer:
    """The bytes of a batch, readable as numbers at any place. A null takes none."""

    def __init__(self, values: Sequence[bytes | None]) -> None:
        together = Values.of(values)
        self.starts: Final = together.starts
        self.ends: Final = together.ends
        self.bytes: Final = together.content
        self.u1: Final = self.overlapping(np.dtype(np.uint8))
        self.u8: Final = self.overlapping(np.dtype("<u8"))

    def overlapping(self, number: np.dtype[_Number]) -> NDArray[_Number]:
        """Give back the bytes as overlapping numbers: number ``i`` begins at byte ``i``."""
        count = len(self.bytes) - number.itemsize + 1
        return np.ndarray((count,), number, self.bytes, strides=(1,))

    def header(self) -> bytes | None:
        """Give back the header that all values begin with; None where they have no common one."""
        size = wire.HEADER.size
        if not len(self.starts) or int((self.ends - self.starts).min()) < size:
            return None
        heads = self.u8[self.starts] & _MASKS[size]
        return self.bytes[:size] if bool((heads == heads[0]).all()) else None


class Cursors:
    """Where reading stands in each record.

    ``rows`` tells in which rows of the columns the records are, which have ``count`` rows; None
    stands for all. The other rows are null.
    """

    def __init__(
        self, buffer: Buffer, places: Longs, ends: Longs, rows: Longs | None, count: int
    ) -> None:
        self._buffer = buffer
        self._places = places
        self._ends = ends
        self._rows = rows
        self._count = count
        self._doubtful: NDArray[np.bool_] = np.zeros(len(places), np.bool_)
        self._validity = None if rows is None else _bits(_at(rows, np.ones_like(rows), count) != 0)

    @classmethod
    def over(cls, buffer: Buffer, skip: int) -> "Cursors":
        """Stand behind the first bytes of each value, which is never shorter."""
        return cls(buffer, buffer.starts + skip, buffer.ends, None, len(buffer.starts))

    def frame(self, fields: Sequence[Field], wanted: Container[str]) -> pl.DataFrame:
        """Read the fields of a record, all of them; give back the columns that are wanted."""
        kept = [field for field in fields if field.name in wanted]
        columns = self._fields(fields, wanted)
        if not kept:
            return pl.DataFrame(height=self._count)
        frame = pl.Series(_struct(kept, columns, None, self._count)).struct.unnest()
        for i, field in enumerate(kept):
            if (to := column_type(field.type)) != frame.dtypes[i]:
                frame.replace_column(i, frame[field.name].cast(to))
        return frame

    def doubtful(self) -> NDArray[np.bool_]:
        """Give back the records that are not clean, or not read to their end."""
        unread: NDArray[np.bool_] = self._places != self._ends
        return self._doubtful | unread

    def _fields(self, fields: Sequence[Field], wanted: Container[str]) -> list[Any]:
        columns = [(field.name, self._column(field.type)) for field in fields]
        return [column for name, column in columns if name in wanted]

    def _column(self, node: Node) -> Any:
        """Give back the next field as an Arrow array; enums as strings."""
        match node:
            case Scalar():
                return self._scalar(node)
            case Enum():
                places = self._between(self._varint(), 0, len(node.symbols) - 1)
                symbols = pa.array(node.symbols, pa.large_string())
                return symbols.take(self._array(pa.int64(), places))
            case Fixed(size=size):
                views = self._views(*self._span(np.full(len(self._places), size)))
                return self._array(pa.binary_view(), views)
            case Nullable():
                return self._nullable(node)
            case Record(fields=fields):
                columns = self._fields(fields, [field.name for field in fields])
                return _struct(fields, columns, self._validity, self._count)
        raise AssertionError(f"not flat: {node}")

    def _scalar(self, node: Scalar) -> Any:
        match node.kind:
            case "string":
                return self._array(pa.string_view(), self._string())
            case "bytes":
                return self._array(pa.binary_view(), self._views(*self._span(self._varint())))
            case "float":
                return self._array(pa.float32(), self._plain(np.dtype("<f4")))
            case "double":
                return self._array(pa.float64(), self._plain(np.dtype("<f8")))
            case "boolean":
                return self._array(pa.bool_(), self._boolean())
        return self._array(_arrow(node), self._whole(node))

    def _array(self, to: Any, values: NDArray[Any]) -> Any:
        """Give back the values of the records as an Arrow array of all rows."""
        if self._rows is not None:
            values = _at(self._rows, values, self._count)
        content = _bits(values) if values.dtype == np.bool_ else pa.py_buffer(values)
        shared = [pa.py_buffer(self._buffer.bytes)] if values.ndim > 1 else []
        return pa.Array.from_buffers(to, self._count, [self._validity, content, *shared])

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
            return varints.ONE_BYTE[first]
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

    def _whole(self, node: Scalar) -> Longs | NDArray[np.int32]:
        values = self._varint()
        if (limits := bounds(node)) is not None:
            values = self._between(values, *limits)
        if (factor := unit(node)) != 1:
            values = values * factor
        return values.astype(np.int32) if _arrow(node).bit_width < _LONG_BITS else values

    def _plain(self, number: np.dtype[_Number]) -> NDArray[_Number]:
        return self._buffer.overlapping(number)[self._take(number.itemsize)]

    def _boolean(self) -> NDArray[np.bool_]:
        values = self._buffer.u1[self._take(1)]
        self._doubtful |= values > 1
        true: NDArray[np.bool_] = values == 1
        return true

    def _string(self) -> NDArray[np.uint64]:
        views = self._views(*self._span(self._varint()))
        buffers = [None, pa.py_buffer(views), pa.py_buffer(self._buffer.bytes)]
        text = utf8(pl.Series(pa.Array.from_buffers(pa.binary_view(), len(views), buffers)))
        if text.null_count():
            bad = text.is_null().to_numpy()
            self._doubtful |= bad
            views[bad] = 0
        return views

    def _span(self, sizes: Longs) -> tuple[Longs, Longs]:
        """Move past so many bytes; give back where they begin and how many really are there."""
        wrong = (sizes < 0) | (sizes > self._ends - self._places)
        if wrong.any():
            self._doubtful |= wrong
            sizes = np.where(wrong, 0, sizes)
        return self._take(sizes), sizes

    def _views(self, places: Longs, sizes: Longs) -> NDArray[np.uint64]:
        """Give back Arrow's views of bytes. They stay where they are, except short ones.

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
        return views

    def _nullable(self, node: Nullable) -> Any:
        branches = self._between(self._varint(), 0, 1)
        present = branches != node.null
        if present.all():
            return self._column(node.of)
        some = np.flatnonzero(present)
        rows = some if self._rows is None else self._rows[some]
        inner = Cursors(self._buffer, self._places[some], self._ends[some], rows, self._count)
        column = inner._column(node.of)
        self._places[some] = inner._places
        self._doubtful[some] |= inner._doubtful
        return column


@cache
def _arrow(node: Scalar) -> Any:
    """Give back the Arrow type of the column of such numbers or times."""
    return pl.Series([], dtype=column_type(node)).to_arrow().type


def _at(rows: Longs, values: NDArray[Any], count: int) -> NDArray[Any]:
    """Give back so many values, zero but in the rows that have one."""
    everywhere = np.zeros((count, *values.shape[1:]), values.dtype)
    everywhere[rows] = values
    return everywhere


def _bits(values: NDArray[np.bool_]) -> Any:
    """Give back booleans as Arrow keeps them."""
    return pa.py_buffer(np.packbits(values, bitorder="little"))


def _struct(fields: Sequence[Field], columns: Sequence[Any], validity: Any, count: int) -> Any:
    """Give back the columns of a record as one Arrow array."""
    named = zip(fields, columns, strict=True)
    to = pa.struct([pa.field(field.name, column.type) for field, column in named])
    return pa.Array.from_buffers(to, count, [validity], children=list(columns))


def scatter(values: pl.Series, present: NDArray[np.bool_]) -> pl.Series:
    """Give back a column of the values, in their order, at the rows that are present, else null."""
    places = pl.Series(np.cumsum(present) - 1).set(pl.Series(~present), None)
    return values.gather(places)
