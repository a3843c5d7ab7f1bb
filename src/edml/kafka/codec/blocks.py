"""The fields of many records as blocks of bytes, and blocks joined to records.

A block has one row of bytes a record, all of one width, of which the first so many count. Rows are
written from left to right at the places that the counts give, each over what did not count of the
one before. Most fields have the same size in each record: up to the first one that has not, and
again from one to the next, they are written in columns, as they lie in memory.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from edml.kafka.codec.varints import Longs

INLINE: Final = 12
"""Texts up to this length stand inside of their Arrow view.

https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

_HALF_WORD: Final = np.uint64(32)


class Block(NamedTuple):
    """A piece of each record: ``content`` has one row a record, or a single one for all of them.

    ``sizes`` tells how many bytes of each row count; one number stands for all.
    """

    content: NDArray[np.void]
    sizes: Longs | int

    @property
    def width(self) -> int:
        """Bytes of each row."""
        return self.content.itemsize

    def addresses(self) -> Longs:
        """Where in memory each row begins, as long as the block lives."""
        places: Longs = np.arange(len(self.content)) * self.content.strides[0]
        return places + self.content.ctypes.data

    def rows(self, places: NDArray[np.intp]) -> "Block":
        """Only the rows at these places."""
        sizes = self.sizes if isinstance(self.sizes, int) else self.sizes[places]
        return Block(self.content[places], sizes)


def same(content: bytes) -> Block:
    """A piece that is the same in each record."""
    return Block(np.frombuffer(content, f"V{len(content)}"), len(content))


def rows_of(numbers: NDArray[np.generic], width: int, count: int) -> NDArray[np.void]:
    """The first ``width`` bytes of each of so many equal parts of an array, which is not copied."""
    step = numbers.nbytes // count if count else numbers.itemsize
    return np.ndarray((count,), f"V{width}", numbers, strides=(step,))


def join(blocks: Iterable[Block], rows: int) -> Block:
    """The blocks, one behind the other, as one block of so many rows."""
    runs = [list(run) for _, run in groupby(blocks, lambda block: isinstance(block.sizes, int))]
    width = sum(block.width for run in runs for block in run)
    canvas = np.empty(rows * width, np.uint8)
    offset = 0
    if runs and isinstance(runs[0][0].sizes, int):
        offset = _side_by_side(canvas, width, runs.pop(0))
    if not runs:
        return Block(rows_of(canvas, width, rows), width)
    starts = np.arange(0, rows * width, width)
    places = starts + offset
    for run in runs:
        for block in _merged(run, rows):
            shape = (rows * width - block.width + 1,)
            np.ndarray(shape, block.content.dtype, canvas, strides=(1,))[places] = block.content
            places += block.sizes
    return Block(rows_of(canvas, width, rows), places - starts)


def cut(block: Block) -> list[bytes]:
    """The bytes that count, row by row."""
    if isinstance(block.sizes, int):
        return list(block.content.tolist())
    rows, width = len(block.content), block.width
    sizes = block.sizes
    if rows * width > _FAR or int(sizes.min()) <= INLINE:
        counted = zip(block.content.tolist(), sizes.tolist(), strict=True)
        return [row[:size] for row, size in counted]
    views = np.empty((rows, 2), np.uint64)
    words = np.ndarray((rows,), "<u4", block.content, strides=(width,))
    views[:, 0] = sizes.view(np.uint64) | (words.astype(np.uint64) << _HALF_WORD)
    views[:, 1] = np.arange(0, rows * width, width, dtype=np.uint64) << _HALF_WORD
    buffers = [None, pa.py_buffer(views), pa.py_buffer(block.content)]
    return pl.Series(pa.Array.from_buffers(pa.binary_view(), rows, buffers)).to_list()


_FAR: Final = 2**31 - 1
"""What the offset of an Arrow view can reach."""


def _merged(run: Sequence[Block], rows: int) -> Sequence[Block]:
    """Blocks of constant sizes as one; others as they are."""
    if len(run) == 1 or not isinstance(run[0].sizes, int):
        return run
    width = sum(block.width for block in run)
    canvas = np.empty(rows * width, np.uint8)
    _side_by_side(canvas, width, run)
    return [Block(rows_of(canvas, width, rows), width)]


def _side_by_side(canvas: NDArray[np.uint8], width: int, run: Iterable[Block]) -> int:
    """Write blocks of constant sizes at the left of each row; gives back where the last ends."""
    offset = 0
    for block in run:
        if block.width:
            shape = (len(canvas) // width,)
            column = np.ndarray(shape, block.content.dtype, canvas, offset, strides=(width,))
            column[:] = block.content
        offset += block.width
    return offset
