"""Values side by side in one piece of memory, and where each one lies."""

from collections.abc import Iterator, Sequence
from typing import Final, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.kafka.codec.varints import Longs

PADDING: Final = bytes(24)
"""Behind the last value, so that whole words can be read at any place of it."""


class Values(Sequence[bytes | None]):
    """The values of a batch: value ``i`` is ``content[starts[i]:ends[i]]``.

    ``content`` ends with `PADDING`. A null takes no bytes; ``nulls`` tells which ones are, and is
    None when none is.
    """

    def __init__(
        self, content: bytes, starts: Longs, ends: Longs, nulls: NDArray[np.bool_] | None = None
    ) -> None:
        self.content: Final = content
        self.starts: Final = starts
        self.ends: Final = ends
        self.nulls: Final = nulls

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> "Values":
        """Lay values side by side that are not yet."""
        if isinstance(values, Values):
            return values
        column = pl.Series(values, dtype=pl.Binary)
        array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, content = array.buffers()
        limits = np.frombuffer(offsets, np.int64)[: len(values) + 1]
        nulls = column.is_null().to_numpy() if column.has_nulls() else None
        return cls(b"".join((content or b"", PADDING)), limits[:-1], limits[1:], nulls)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, row: int) -> bytes | None: ...
    @overload
    def __getitem__(self, row: slice) -> list[bytes | None]: ...
    def __getitem__(self, row: int | slice) -> bytes | list[bytes | None] | None:
        """Give back a value, or some of them, by themselves."""
        if isinstance(row, slice):
            return list(self)[row]
        if self.nulls is not None and self.nulls[row]:
            return None
        return self.content[self.starts[row] : self.ends[row]]

    def __iter__(self) -> Iterator[bytes | None]:
        content = self.content
        bounds = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        if self.nulls is None:
            return (content[start:end] for start, end in bounds)
        told = zip(self.nulls.tolist(), bounds, strict=True)
        return (None if null else content[start:end] for null, (start, end) in told)
