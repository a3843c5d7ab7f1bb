"""The fields of many records as blocks of bytes: what each type of Avro looks like in one."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.kafka.codec import varints
from edml.kafka.codec.blocks import INLINE, Block, join, rows_of, same
from edml.kafka.codec.layout import Enum, Fixed, Node, Nullable, Record, Scalar
from edml.kafka.codec.parts import BRANCHES, whole
from edml.kafka.codec.varints import Longs

LONG: Final = 256
"""Texts beyond this length are not laid out in rows of one width."""


class LongTextError(Exception):
    """A text is so long that all others would be padded to too much."""


def pieces(column: pl.Series, node: Node) -> list[Block]:
    """Give back the pieces of a column, not empty, that `Fit` gave back for the node.

    Raises:
        LongTextError: a text is too long to be laid out in a block.
    """
    match node:
        case Nullable(of=of, null=null):
            return _nullable(column, of, null)
        case Record(fields=fields):
            inner = column.struct.unnest()
            return [piece for f in fields for piece in pieces(inner[f.name], f.type)]
        case Scalar("int" | "long"):
            return [_varints(whole(column, node).to_numpy())]
        case Enum():
            return [_varints(column.to_physical().cast(pl.Int64).to_numpy())]
        case Scalar("string" | "bytes"):
            text = texts(column)
            return [_sizes(text.sizes), text]
        case Fixed():
            return [texts(column)]
        case Scalar("boolean"):
            return [_plain(column.cast(pl.UInt8).to_numpy())]
        case Scalar("float"):
            return [_plain(column.to_numpy().astype("<f4", copy=False))]
        case Scalar("double"):
            return [_plain(column.to_numpy().astype("<f8", copy=False))]
    raise AssertionError(f"not flat: {node}")


def _plain(numbers: NDArray[np.generic]) -> Block:
    """Numbers as they lie in memory."""
    return Block(rows_of(numbers, numbers.itemsize, len(numbers)), numbers.itemsize)


def _varints(values: Longs) -> Block:
    content, width, sizes = varints.encode(values)
    return Block(rows_of(content, width, len(values)), sizes)


def _sizes(sizes: Longs | int) -> Block:
    """The lengths that stand before texts."""
    if isinstance(sizes, int):
        content, width, _ = varints.encode(np.array([sizes]))
        return same(content.tobytes()[:width])
    return _varints(sizes)


def texts(column: pl.Series) -> Block:
    """Strings or bytes, none of them null, without their length.

    Raises:
        LongTextError: one is too long to be laid out in a block.
    """
    views = column.to_arrow(compat_level=pl.CompatLevel.newest())
    heads = np.frombuffer(views.buffers()[1], np.uint8).reshape(-1, 16)
    heads = heads[views.offset : views.offset + len(views)]
    sizes = np.ndarray((len(views),), "<u4", heads, strides=(16,)).astype(np.int64)
    least, most = int(sizes.min()), int(sizes.max())
    if most > LONG:
        raise LongTextError
    counted: Longs | int = most if least == most else sizes
    if most <= INLINE:
        return Block(np.ndarray((len(views),), f"V{most}", heads, 4, strides=(16,)), counted)
    return Block(_gathered(column, most), counted)


def _gathered(column: pl.Series, width: int) -> NDArray[np.void]:
    """So many bytes from the beginning of each text."""
    array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, content = array.buffers()
    places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    first, last = int(places[0]), int(places[-1])
    if last - first == width * len(array):
        return np.ndarray((len(array),), f"V{width}", content, first)
    padded = np.zeros(last - first + width, np.uint8)
    padded[: last - first] = np.frombuffer(content, np.uint8)[first:last]
    shape = (last - first + 1,)
    return np.ndarray(shape, f"V{width}", padded, strides=(1,))[places[:-1] - first]


def _nullable(column: pl.Series, of: Node, null: int) -> list[Block]:
    """The branch of the union, and what some of the records have behind it."""
    nulls = column.null_count()
    if not nulls:
        return [same(BRANCHES[1 - null]), *pieces(column, of)]
    if nulls == len(column):
        return [same(BRANCHES[null])]
    present = column.is_not_null().to_numpy()
    rows = np.flatnonzero(present)
    there = join([same(BRANCHES[1 - null]), *pieces(column.drop_nulls(), of)], len(rows))
    content = np.empty(len(column), there.content.dtype)
    _first_byte(content)[:] = BRANCHES[null][0]
    content[rows] = there.content
    sizes = np.ones(len(column), np.int64)
    sizes[rows] = there.sizes
    return [Block(content, sizes)]


def _first_byte(content: NDArray[np.void]) -> NDArray[np.uint8]:
    return np.ndarray(content.shape, np.uint8, content, strides=content.strides)
