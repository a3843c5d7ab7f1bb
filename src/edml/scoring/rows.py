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
from edml.scoring.chunk import RECORD, Chunk, Records
from edml.scoring.growing import Integers, distinct, joined, taken
from edml.scoring.payload import Layout

FEWEST: Final = 1 << 14
"""Records that the last chunk holds, at least, before another is begun."""

SHARE: Final = 2
"""Another chunk is begun when the last one holds this part of all records."""


_EMPTY: Final[Integers] = np.empty(0, dtype=np.int64)
_NOBODY: Final = np.empty(0, RECORD)


class Found(NamedTuple):
    """Pairs of a new record, by its place among them, and an older one: where it stands, and it."""

    new: Integers
    chunk: Integers
    number: Integers
    old: Records

    def and_(self, *others: "Found") -> "Found":
        """These pairs, and others after them."""
        every = [self, *(each for each in others if each.new.size)]
        if len(every) == 1:
            return self
        return Found(
            np.concatenate([each.new for each in every]),
            np.concatenate([each.chunk for each in every]),
            np.concatenate([each.number for each in every]),
            joined([each.old for each in every]),
        )

    def where(self, rows: Integers) -> "Found":
        """Some of the pairs."""
        return Found(self.new[rows], self.chunk[rows], self.number[rows], taken(self.old, rows))


@dataclass(frozen=True, eq=False)
class Rows:
    """Records of both inputs, as far as they may still matter.

    ``height`` is how much of the last chunk belongs to this version. ``since`` is what was closed
    when the last chunk was begun, ``fewest`` how many records it holds before another is. What is
    not hidden is kept ``spacing`` µs longer than what is, in the same chunk.
    """

    layouts: tuple[Layout, Layout]
    chunks: tuple[Chunk, ...] = ()
    height: int = 0
    since: Mapping[int, int] = field(default_factory=dict)
    fewest: int = FEWEST
    spacing: int = 0

    @property
    def count(self) -> int:
        """The number of records."""
        return sum(each.height for each in self.chunks[:-1]) + self.height

    def add(self, records: Records, payloads: tuple[Sequence[pl.Series], ...]) -> Self:
        """These records and some more, with the payloads of those of either side, in order."""
        if not records.size:
            return self
        grown = self.opened()
        last = grown.chunks[-1]
        for side, (payload, columns) in enumerate(zip(last.payloads, payloads, strict=True)):
            ours = records["side"] == side
            count = int(np.count_nonzero(ours))
            records["place"][ours] = np.arange(payload.height, payload.height + count)
            payload.extend(columns, count)
        last.extend(records)
        return replace(grown, height=last.height)

    def find(self, records: Records) -> Found:
        """Records beside all of the same key that stand here, but for hidden ones."""
        places, chunks, numbers, old = [_EMPTY], [_EMPTY], [_EMPTY], [_NOBODY]
        for at, chunk in enumerate(self.chunks):
            place, number = chunk.locate(records)
            if at == len(self.chunks) - 1 and self.height < chunk.height:
                ours = number < self.height
                place, number = place[ours], number[ours]
            if not place.size:
                continue
            places.append(place)
            chunks.append(np.full(place.size, at))
            numbers.append(number)
            old.append(taken(chunk.records, number))
        new, where, rows = (np.concatenate(each) for each in (places, chunks, numbers))
        return Found(new, where, rows, joined(old))

    def hidden(self) -> Records:
        """The records that are hidden."""
        parts = [
            taken(each.records, each.records["hidden"][:height].nonzero()[0])
            for each, height in zip(self.chunks, self._heights, strict=True)
            if each.hidden
        ]
        return joined([_NOBODY, *parts])

    @property
    def hides(self) -> bool:
        """Whether there may be hidden records."""
        return any(each.hidden for each in self.chunks)

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
        alive = last.alive(oldest)
        if last.hidden:
            # A hidden record goes no later than the one that stands for it.
            alive |= last.alive(oldest - self.spacing) & ~last.records["hidden"]
        few = last.only(np.flatnonzero(alive[: self.height]))
        return replace(self, chunks=(*self.chunks[:-1], few), height=few.height, since=closed)

    def _sealed(self, closed: Mapping[int, int]) -> Self:
        last = self.chunks[-1]
        last.seal()
        return replace(
            self, chunks=(*self.chunks, self._chunk(last.height)), height=0, since=closed
        )

    def opened(self) -> Self:
        """The same, with a last chunk that is added to next. Opened twice, it is as opened once."""
        if not self.chunks:
            return replace(self, chunks=(self._chunk(self.fewest),))
        last = self.chunks[-1]
        if last.sealed or last.height > self.height:
            own = last.only(np.arange(self.height))
            return replace(self, chunks=(*self.chunks[:-1], own)).opened()
        if self.height >= self.fewest and SHARE * self.height >= self.count:
            return self._sealed(self.since)
        return self

    def _chunk(self, capacity: int) -> Chunk:
        return Chunk(self.layouts, capacity)
