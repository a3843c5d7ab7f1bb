"""Rows by key: an immutable multiset that grows by whole batches.

A log-structured store: each batch becomes a chunk with a hash index of its own; chunks of like size
are merged, so that there are few of them however many rows there are. Adding gives a new value and
leaves the old one as it was, so every version of the state stays good and none costs a copy.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

FACTOR: Final = 4
"""So many chunks of like size become one: each row is copied once for every factor of the whole."""

SMALLEST: Final = 1 << 9
"""Rows of a chunk up to which it takes in the next one: less work than to look into two."""

LARGEST: Final = 1 << 19
"""Rows of a chunk from which on it is not merged any more, so that none takes long to merge."""


class Keys(NamedTuple):
    """Keys, and their hashes."""

    values: pl.Series
    hashes: Hashes


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows, in the order in which they were added, and an index of their keys.

    The index is a table of buckets: those of bucket ``b`` are
    ``order[starts[b]:starts[b + 1]]``, and ``hashes``, in that same order, tells them apart.
    """

    frame: pl.DataFrame
    key: str
    hashes: Hashes
    order: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    shift: np.uint64

    @classmethod
    def of(cls, frame: pl.DataFrame, key: str) -> Self:
        """Index a frame by its column ``key``."""
        hashes = frame[key].hash().to_numpy()
        order = np.argsort(hashes, kind="stable").astype(np.int32)
        return cls._indexed(frame, key, hashes[order], order)

    @classmethod
    def merged(cls, chunks: Sequence[Self]) -> Self:
        """One chunk of several."""
        frame = pl.concat([each.frame for each in chunks], rechunk=True)
        hashes = np.concatenate([each.hashes for each in chunks])
        order = np.concatenate(
            [each.order + before for each, before in zip(chunks, _before(chunks), strict=True)]
        )
        # Each part is in order already, which the stable sort makes use of.
        by_hash = np.argsort(hashes, kind="stable")
        return cls._indexed(frame, chunks[0].key, hashes[by_hash], order[by_hash])

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.frame.height

    @property
    def keys(self) -> Keys:
        """The rows' keys."""
        hashes = np.empty_like(self.hashes)
        hashes[self.order] = self.hashes
        return Keys(self.frame.get_column(self.key), hashes)

    def only(self, kept: Flags) -> Self:
        """The rows that are flagged."""
        place = np.cumsum(kept, dtype=np.int32) - 1
        still = kept[self.order]
        order = place[self.order[still]]
        return self._indexed(self.frame[np.flatnonzero(kept)], self.key, self.hashes[still], order)

    def holding(self, frame: pl.DataFrame) -> Self:
        """The same index over other columns of the same rows."""
        return replace(self, frame=frame)

    def repeated(self) -> tuple[Integers, Integers]:
        """All pairs (row, earlier row) of equal hash."""
        if not (self.hashes[1:] == self.hashes[:-1]).any():
            return _NONE, _NONE
        later, earlier = self.locate(self.keys.hashes)
        return later[earlier < later], earlier[earlier < later]

    def locate(self, wanted: Hashes) -> tuple[Integers, Integers]:
        """All pairs (place in ``wanted``, row) of equal hash."""
        bucket = wanted >> self.shift
        at, end = self.starts[bucket], self.starts[bucket + np.uint64(1)]
        query = np.flatnonzero(at < end)
        at, end = at[query], end[query]
        found: list[tuple[Integers, Integers]] = []
        while query.size:
            same = self.hashes[at] == wanted[query]
            found.append((query[same], self.order[at[same]].astype(np.int64)))
            at = at + 1
            more = at < end
            query, at, end = query[more], at[more], end[more]
        if not found:
            return _NONE, _NONE
        return np.concatenate([q for q, _ in found]), np.concatenate([row for _, row in found])

    @classmethod
    def _indexed(
        cls, frame: pl.DataFrame, key: str, hashes: Hashes, order: npt.NDArray[np.int32]
    ) -> Self:
        # About two buckets a row: most keys that are not here meet an empty one.
        bits = max(1, int(hashes.size).bit_length() + 1)
        shift = np.uint64(64 - bits)
        counts = np.bincount((hashes >> shift).astype(np.int64), minlength=1 << bits)
        starts = np.zeros((1 << bits) + 1, dtype=np.int32)
        np.cumsum(counts, out=starts[1:])
        return cls(frame, key, hashes, order, starts, shift)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with a key that may stand in several of them."""

    key: str
    columns: tuple[str, ...]
    chunks: tuple[Chunk, ...] = ()

    @property
    def height(self) -> int:
        """The number of rows."""
        return sum(each.height for each in self.chunks)

    def add(self, chunk: Chunk | None) -> Self:
        """These rows and those of a chunk."""
        if chunk is None or not chunk.height:
            return self
        chunks = (*self.chunks, chunk)
        if len(chunks) > 1 and sum(each.height for each in chunks[-2:]) <= SMALLEST:
            chunks = (*chunks[:-2], Chunk.merged(chunks[-2:]))
        while (tail := _mergeable(chunks)) >= FACTOR:
            chunks = (*chunks[:-tail], Chunk.merged(chunks[-tail:]))
        return replace(self, chunks=chunks)

    def find(self, keys: Keys, columns: Sequence[str]) -> tuple[Integers, pl.DataFrame | None]:
        """For every row with one of ``keys``: the key's place among them, and the row's columns.

        Returns ``(places, frame)`` of equal length; the frame is None when nothing was found.
        """
        places: list[Integers] = []
        frames: list[pl.DataFrame] = []
        for chunk in self.chunks:
            place, row = chunk.locate(keys.hashes)
            if place.size:
                here = chunk.frame.get_column(self.key)
                same = (keys.values[place] == here[row]).to_numpy()
                places.append(place[same])
                frames.append(chunk.frame[list(columns)][row[same]])
        if not frames:
            return _NONE, None
        return np.concatenate(places), pl.concat(frames)

    def only(self, kept: Callable[[pl.DataFrame], Flags], *, strictly: bool = False) -> Self:
        """Let go of the rows that are not ``kept``.

        Unless ``strictly``, a chunk stays whole while most of it is kept: to copy it would cost
        more than it frees.
        """
        left: list[Chunk] = []
        for chunk in self.chunks:
            flags = kept(chunk.frame)
            stay = int(np.count_nonzero(flags))
            if stay == chunk.height or (2 * stay > chunk.height and not strictly):
                left.append(chunk)
            elif stay:
                left.append(chunk.only(flags))
        return replace(self, chunks=tuple(left))


_NONE: Final[Integers] = np.empty(0, dtype=np.int64)


def _mergeable(chunks: Sequence[Chunk]) -> int:
    """How many of the youngest chunks are no larger, by size class, than the last one."""
    most = chunks[-1].height
    if most >= LARGEST:
        return 1
    limit = FACTOR ** (math.floor(math.log(most, FACTOR)) + 1)
    tail = 0
    while tail < len(chunks) and chunks[-1 - tail].height < limit:
        tail += 1
    return tail


def _before(chunks: Sequence[Chunk]) -> list[int]:
    """How many rows stand before each chunk."""
    return [int(each) for each in np.cumsum([0, *(chunk.height for chunk in chunks[:-1])])]
