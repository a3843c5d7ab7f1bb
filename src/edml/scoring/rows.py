"""The records that may still matter: an immutable value that grows by whole batches.

Records stand in chunks, in the order in which they came. Only the last chunk grows; it is shared by
all versions, each of which knows how much of it is its own. Nothing that a version can see ever
changes, so an older one stays good and costs nothing: who adds to one that is not the newest any
more gets a copy of the last chunk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Self

import numpy as np
import polars as pl

from edml.scoring.bounds import by_number
from edml.scoring.chunk import Chunk, Records
from edml.scoring.growing import Integers, distinct, joined, taken
from edml.scoring.payload import Layout

FEWEST: Final = 1 << 14
"""Records that the last chunk holds, at least, before another is begun."""

SHARE: Final = 2
"""Another chunk is begun when the last one holds this part of all records."""


class Found(NamedTuple):
    """Pairs of a new record, by its place among them, and an older one: where it stands, and it."""

    new: Integers
    chunk: Integers
    number: Integers
    old: Records


@dataclass(frozen=True, eq=False)
class Rows:
    """Records of both inputs, as far as they may still matter.

    ``height`` is how much of the last chunk belongs to this version. ``since`` is what was closed
    when the last chunk was begun, ``fewest`` how many records it holds before another is.
    """

    layouts: tuple[Layout, Layout]
    chunks: tuple[Chunk, ...] = ()
    height: int = 0
    since: Mapping[int, int] = field(default_factory=dict)
    fewest: int = FEWEST

    @property
    def count(self) -> int:
        """The number of records."""
        return sum(each.height for each in self.chunks[:-1]) + self.height

    def add(self, records: Records, payloads: tuple[Sequence[pl.Series], ...]) -> Self:
        """These records and some more, with the payloads of those of either side, in order."""
        if not records.size:
            return self
        grown = self._open()
        last = grown.chunks[-1]
        for side, (payload, columns) in enumerate(zip(last.payloads, payloads, strict=True)):
            ours = records["side"] == side
            count = int(np.count_nonzero(ours))
            records["place"][ours] = np.arange(payload.height, payload.height + count)
            payload.extend(columns, count)
        last.extend(records)
        return replace(grown, height=last.height)

    def newest(self, count: int) -> Records:
        """The records that were added last, to set their flags before anybody else sees them."""
        return self.chunks[-1].records[self.height - count :]

    def find(self, records: Records) -> Found:
        """The newest records, given again, beside all that came before them with the same key."""
        places, chunks, numbers, old = [], [], [], []
        for at, chunk in enumerate(self.chunks):
            place, number = chunk.locate(records)
            if at == len(self.chunks) - 1:
                earlier = number < self.height - records.size + place
                place, number = place[earlier], number[earlier]
            places.append(place)
            chunks.append(np.full(place.size, at))
            numbers.append(number)
            old.append(taken(chunk.records, number))
        new, where, rows = (np.concatenate(each) for each in (places, chunks, numbers))
        return Found(new, where, rows, joined(old))

    def payload(self, side: int, chunks: Integers, numbers: Integers) -> list[pl.Series]:
        """What else is kept of some records of one side: its layout's columns."""
        which, place = distinct(chunks)
        if which.size == 1:
            return self._payload(side, int(which[0]), numbers)
        order = np.argsort(place, kind="stable")
        parts = [
            pl.DataFrame(self._payload(side, chunk, numbers[place == at]))
            for at, chunk in enumerate(which.tolist())
        ]
        back = np.empty_like(order)
        back[order] = np.arange(order.size)
        return pl.concat(parts)[back].get_columns()

    def _payload(self, side: int, chunk: int, numbers: Integers) -> list[pl.Series]:
        here = self.chunks[chunk]
        return here.payloads[side].columns(here.records["place"][numbers])

    def since_closed(self, closed: Mapping[int, int], width: int) -> Self:
        """Without the chunks of which all is before ``closed``; ``width`` is that of a chunk in µs.

        What is before it in other chunks stays for a while: at most a chunk's part of all.
        """
        if not self.chunks:
            return self
        alive = [
            each
            for each in self.chunks[:-1]
            if any(newest >= closed.get(p, newest) for p, newest in each.newest.items())
        ]
        since = {**closed, **self.since}
        kept = replace(self, chunks=(*alive, self.chunks[-1]), since=since)
        if all(closed[p] - since[p] < width for p in closed):
            return kept
        return kept.renewed(closed)

    def of(self, partitions: frozenset[int]) -> Self:
        """The records of some partitions."""
        wanted = np.array(sorted(partitions), dtype=np.int64)
        kept = []
        for chunk, height in zip(self.chunks, self._heights, strict=True):
            ours = np.isin(chunk.records["partition"][:height], wanted)
            kept.append(chunk.only(np.flatnonzero(ours)))
        for each in kept[:-1]:
            each.seal()
        return replace(self, chunks=tuple(kept), height=kept[-1].height if kept else 0)

    @property
    def _heights(self) -> list[int]:
        before = [each.height for each in self.chunks[:-1]]
        return [*before, self.height] if self.chunks else before

    def renewed(self, closed: Mapping[int, int]) -> Self:
        """Begin another chunk; or, where that is not worth it, one with what is alive of the last.

        A version that is not the newest cannot seal the last chunk, as others still add to it.
        """
        last = self.chunks[-1]
        if self.height >= self.fewest and self.height == last.height:
            return self._sealed(closed)
        oldest = by_number(closed, int(last.records["partition"].max(initial=0)))
        few = last.only(np.flatnonzero(last.alive(oldest)[: self.height]))
        return replace(self, chunks=(*self.chunks[:-1], few), height=few.height, since=closed)

    def _sealed(self, closed: Mapping[int, int]) -> Self:
        last = self.chunks[-1]
        last.seal()
        return replace(
            self, chunks=(*self.chunks, self._chunk(last.height)), height=0, since=closed
        )

    def _open(self) -> Self:
        """The same, with a last chunk that can be added to."""
        if not self.chunks:
            return replace(self, chunks=(self._chunk(self.fewest),))
        last = self.chunks[-1]
        if last.sealed or last.height > self.height:
            own = last.only(np.arange(self.height))
            return replace(self, chunks=(*self.chunks[:-1], own))
        if self.height >= self.fewest and SHARE * self.height >= self.count:
            return self._sealed(self.since)
        return self

    def _chunk(self, capacity: int) -> Chunk:
        return Chunk(self.layouts, capacity)
