"""The fields of many records: how long each is in each record, and how they are written."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.kafka.codec import varints
from edml.kafka.codec.dtypes import unit
from edml.kafka.codec.layout import Enum, Fixed, Node, Nullable, Record, Scalar
from edml.kafka.codec.varints import Longs

GAP: Final = 8
"""Bytes between two records: the last word of the first may run over its end."""

_WORD_BYTES: Final = 8

_LONG: Final = 256
"""Strings beyond this length are copied one by one, shorter ones side by side, a word at a time."""


class Canvas:
    """The bytes of a batch while they are written, and where writing stands in each record."""

    def __init__(self, content: NDArray[np.uint8], places: Longs) -> None:
        self._bytes = content
        self._places = places.copy()

    def cut(self, starts: Longs, ends: Longs) -> list[bytes]:
        """Give back the records."""
        everything = self._bytes.tobytes()
        return [everything[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]

    def at(self, rows: Longs) -> "Canvas":
        """Give back the same bytes, with writing standing in some of the records."""
        return Canvas(self._bytes, self._places[rows])

    def move_some(self, rows: Longs, sizes: Longs | int) -> None:
        """Move by so many bytes in some of the records."""
        self._places[rows] += sizes

    def move(self, sizes: Longs | int) -> None:
        """Move by so many bytes in each record."""
        self._places += sizes

    def put(self, numbers: NDArray[np.generic] | np.generic, *, ahead: int = 0) -> None:
        """Write a number in each record, so many bytes ahead, and stay."""
        self._overlapping(numbers.dtype)[self._places + ahead] = numbers

    def put_some(self, rows: Longs, numbers: NDArray[np.generic], *, ahead: int = 0) -> None:
        """Write a number in some of the records, so many bytes ahead, and stay."""
        self._overlapping(numbers.dtype)[self._places[rows] + ahead] = numbers

    def copy(self, row: int, content: NDArray[np.uint8]) -> None:
        """Write bytes in one record, and stay."""
        place = self._places[row]
        self._bytes[place : place + len(content)] = content

    def _overlapping(self, number: np.dtype[np.generic]) -> NDArray[np.generic]:
        count = len(self._bytes) - number.itemsize + 1
        return np.ndarray((count,), number, self._bytes, strides=(1,))


class Piece(Protocol):
    """A field of many records, ready to be written."""

    @property
    def sizes(self) -> Longs | int:
        """Its bytes in each record."""
        ...

    def write(self, canvas: Canvas) -> None:
        """Write it in each record, and move behind it."""
        ...


class Varints:
    """Whole numbers."""

    def __init__(self, values: Longs) -> None:
        words = varints.zigzag(values)
        self._longest = int(words.max(initial=0))
        self.sizes: Longs | int = 1
        self._first: NDArray[np.generic] = words.astype(np.uint8)
        if self._longest >= 1 << 7:
            self.sizes = varints.groups(words)
            self._first, self._second = varints.encode(words, self.sizes)

    def write(self, canvas: Canvas) -> None:
        """Write one byte or one word each, and two bytes more where a word is too short."""
        canvas.put(self._first)
        if self._longest >= 1 << 56 and isinstance(self.sizes, np.ndarray):
            rows = np.flatnonzero(self.sizes > _WORD_BYTES)
            canvas.put_some(rows, self._second[rows].astype("<u2"), ahead=_WORD_BYTES)
        canvas.move(self.sizes)


class Plain:
    """Numbers of a fixed size, as they lie in memory; or one, the same in each record."""

    def __init__(self, numbers: NDArray[np.generic] | np.generic) -> None:
        self._numbers = numbers
        self.sizes = numbers.dtype.itemsize

    def write(self, canvas: Canvas) -> None:
        """Write the numbers."""
        canvas.put(self._numbers)
        canvas.move(self.sizes)


class Text:
    """Strings or bytes, without their length."""

    def __init__(self, column: pl.Series) -> None:
        array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, content = array.buffers()
        places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        first, last = int(places[0]), int(places[-1])
        self._bytes = np.zeros(last - first + GAP, np.uint8)
        if content is not None:
            self._bytes[: last - first] = np.frombuffer(content, np.uint8)[first:last]
        self._places = places[:-1] - first
        self.sizes = np.diff(places)

    def write(self, canvas: Canvas) -> None:
        """Write the strings: the first word of each, then the second of those that have one."""
        words = np.ndarray((len(self._bytes) - 7,), "<u8", self._bytes, strides=(1,))
        short = np.flatnonzero(self.sizes <= _LONG)
        for ahead in range(0, int(self.sizes[short].max(initial=0)), 8):
            short = short[self.sizes[short] > ahead]
            canvas.put_some(short, words[self._places[short] + ahead], ahead=ahead)
        for row in np.flatnonzero(self.sizes > _LONG).tolist():
            place = self._places[row]
            canvas.copy(row, self._bytes[place : place + self.sizes[row]])
        canvas.move(self.sizes)


class Optional:
    """Pieces that some records have, behind the branch of the union that says so."""

    def __init__(self, present: NDArray[np.bool_], null: int, inner: Sequence[Piece]) -> None:
        self._branches = np.where(present, (1 - null) << 1, null << 1).astype(np.uint8)
        self._rows = np.flatnonzero(present)
        self._inner = inner
        self.sizes = np.ones(len(present), np.int64)
        self._size = np.zeros(len(self._rows), np.int64)
        for piece in inner:
            self._size += piece.sizes
        self.sizes[self._rows] += self._size

    def write(self, canvas: Canvas) -> None:
        """Write the branches, and what is there."""
        canvas.put(self._branches)
        canvas.move(1)
        there = canvas.at(self._rows)
        for piece in self._inner:
            piece.write(there)
        canvas.move_some(self._rows, self._size)


def header(content: bytes) -> list[Piece]:
    """Give back the pieces that begin each record alike."""
    return [Plain(np.uint8(byte)) for byte in content]


def pieces(column: pl.Series, node: Node) -> list[Piece]:
    """Give back the pieces of a column that `fit` gave back for the node."""
    match node:
        case Nullable(of=of, null=null):
            present = column.is_not_null().to_numpy()
            return [Optional(present, null, pieces(column.drop_nulls(), of))]
        case Record(fields=fields):
            inner = column.struct
            return [
                piece for field in fields for piece in pieces(inner.field(field.name), field.type)
            ]
        case Scalar("int" | "long"):
            return [Varints(column.to_physical().cast(pl.Int64).to_numpy() // unit(node))]
        case Enum():
            return [Varints(column.to_physical().cast(pl.Int64).to_numpy())]
        case Scalar("string" | "bytes"):
            text = Text(column)
            return [Varints(text.sizes), text]
        case Fixed():
            return [Text(column)]
        case Scalar("boolean"):
            return [Plain(column.cast(pl.UInt8).to_numpy())]
        case Scalar("float"):
            return [Plain(column.to_numpy().astype("<f4", copy=False))]
        case Scalar("double"):
            return [Plain(column.to_numpy().astype("<f8", copy=False))]
    raise AssertionError(f"not flat: {node}")
