"""Records of both inputs that may still matter, with an index of their keys."""

from collections.abc import Mapping
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from edml.scoring.growing import Flags, Growing, Integers, padded, taken, words
from edml.scoring.payload import Layout, Payload

Records = npt.NDArray[np.void]
"""An array of `RECORD`."""

RECORD: Final = padded(
    [
        ("key", np.uint64),
        ("check", np.uint64),
        ("time", np.int64),
        ("source", np.int64),
        ("partition", np.int32),
        ("kind", np.int32),
        ("role", np.int32),
        ("place", np.int32),
        ("side", np.uint8),
        ("after", np.bool_),
        ("counts", np.bool_),
        ("opens", np.bool_),
        ("hidden", np.bool_),
    ]
)
"""What is known of a record.

``key`` and ``check`` are two hashes of its key and partition, ``time`` its event time in µs.
``source`` is the offset of a prediction's event, ``kind`` the code of its version, role and
segment, ``role`` that of its role. ``place`` is its row in the payload of its ``side``. ``after``
tells whether the record came after the last silence, ``counts`` whether it counts and repeats no
other, ``opens`` whether it is the first of its event. ``hidden`` are repetitions that need not be
found: see `edml.scoring.repetition`.
"""

PREDICTION: Final = 0
OUTCOME: Final = 1

SEEDS: Final = (0x5851F42D4C957F2D, 0x14057B7EF767814F)

_EMPTY: Final[Integers] = np.empty(0, dtype=np.int64)

_ODD: Final = np.uint64(0x9E37_79B9_7F4A_7C15)

_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFF_FFFF)
_WINDOW: Final = np.arange(4)
"""So many slots are looked into at once."""


def hashes(
    keys: pl.Series, partitions: Integers
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Two independent hashes of each key in its partition.

    Keys are taken to be equal when both are: of a thousand million keys two are mistaken for one
    another with a probability of 10⁻²¹.
    """
    both = keys.to_frame("key").select_seq(
        pl.col("key").hash(SEEDS[0]).alias("key"), pl.col("key").hash(SEEDS[1]).alias("check")
    )
    apart = partitions.astype(np.uint64) * _ODD
    return both.get_column("key").to_numpy() ^ apart, both.get_column("check").to_numpy() ^ apart


class Chunk:
    """Records in the order in which they came, and a hash table of the keys of all but hidden ones.

    Records are only added at the end. ``hidden`` is how many of them are hidden. The table is open
    addressed: a record stands in the first slot that was free from that of its hash on, as the
    upper half of its hash and its number plus one; 0 is a free slot.
    """

    def __init__(self, layouts: tuple[Layout, Layout], capacity: int) -> None:
        self._layouts = layouts
        self._records = Growing(RECORD, capacity)
        self.payloads = tuple(Payload(each, capacity // 2) for each in layouts)
        self._slots = _slots(capacity)
        self.hidden = 0
        self.newest: Mapping[int, int] = {}
        self.sealed = False

    @property
    def height(self) -> int:
        """The number of records."""
        return self._records.size

    @property
    def records(self) -> Records:
        """The records."""
        return self._records.filled

    def extend(self, records: Records) -> None:
        """Add records."""
        start = self.height
        words(self._records.room(records.size))[:] = words(records)
        self.hidden += int(np.count_nonzero(records["hidden"]))
        entered = self.height - self.hidden
        if 2 * entered > self._slots.size:
            self._slots = _slots(entered)
            start = 0
        self._enter(start)

    def locate(self, records: Records) -> tuple[Integers, Integers]:
        """All pairs (place in ``records``, record here that is not hidden) of the same key."""
        keys = np.ascontiguousarray(records["key"])
        slot, wanted = self._home(keys), keys >> _HALF
        # Most keys are not here, and most of their slots are free.
        query = self._slots[slot].nonzero()[0]
        slot, wanted = slot[query], wanted[query]
        places, numbers = [_EMPTY], [_EMPTY]
        while query.size:
            entries = self._slots[slot[:, None] + _WINDOW]
            at, column = ((entries >> _HALF) == wanted[:, None]).nonzero()
            places.append(query[at])
            numbers.append((entries[at, column] & _LOW).astype(np.int64) - 1)
            more = entries[:, -1].nonzero()[0]
            query, wanted = query[more], wanted[more]
            slot = (slot[more] + _WINDOW.size) & self._mask
        if len(places) == 1:
            return _EMPTY, _EMPTY
        place, number = np.concatenate(places), np.concatenate(numbers)
        same = (number >= 0).nonzero()[0]
        place, number = place[same], number[same]
        here = taken(self.records, number)
        same = (
            (here["key"] == keys[place]) & (here["check"] == records["check"][place])
        ).nonzero()[0]
        return (place, number) if same.size == place.size else (place[same], number[same])

    def only(self, numbers: Integers) -> Self:
        """Some of the records."""
        few = type(self)(self._layouts, numbers.size)
        records = taken(self.records, numbers)
        payloads = []
        for side, payload in enumerate(self.payloads):
            ours = records["side"] == side
            payloads.append(payload.only(records["place"][ours]))
            records["place"][ours] = np.arange(np.count_nonzero(ours))
        few.payloads = tuple(payloads)
        few.extend(records)
        return few

    def seal(self) -> None:
        """Nothing is added any more: note the latest time of each partition."""
        self.sealed = True
        self._records.trimmed()
        partitions, times = self.records["partition"], self.records["time"]
        newest = np.full(partitions.max(initial=0) + 1, np.iinfo(np.int64).min)
        np.maximum.at(newest, partitions, times)
        self.newest = {int(p): int(newest[p]) for p in np.unique(partitions)}

    def alive(self, closed: Integers) -> Flags:
        """The records that are not before ``closed``, by partition number."""
        flags: Flags = self.records["time"] >= closed[self.records["partition"]]
        return flags

    @property
    def _mask(self) -> int:
        return self._slots.size - _WINDOW.size

    def _home(self, keys: npt.NDArray[np.uint64]) -> Integers:
        """The slot from which on records of a key may stand."""
        return (keys & np.uint64(self._mask)).astype(np.int64)

    def _enter(self, start: int) -> None:
        """Enter the records from ``start`` on into the table, but for hidden ones."""
        keys = np.ascontiguousarray(self.records["key"][start:])
        entry = (keys & ~_LOW) | np.arange(start + 1, self.height + 1, dtype=np.uint64)
        if self.hidden:
            shown = (~self.records["hidden"][start:]).nonzero()[0]
            keys, entry = keys[shown], entry[shown]
        slot = self._home(keys)
        while entry.size:
            free = (self._slots[slot] == 0).nonzero()[0]
            self._slots[slot[free]] = entry[free]  # of those that want the same slot, one gets it
            left = (self._slots[slot] != entry).nonzero()[0]
            slot, entry = (slot[left] + 1) & self._mask, entry[left]
        # A window that begins at the last slot goes on where the first ones are repeated.
        self._slots[self._mask + 1 :] = self._slots[: _WINDOW.size - 1]


def _slots(capacity: int) -> npt.NDArray[np.uint64]:
    """A table that is a quarter full with as many records, at the most."""
    return np.zeros(
        (1 << max(6, (4 * capacity - 1).bit_length())) + _WINDOW.size - 1, dtype=np.uint64
    )
