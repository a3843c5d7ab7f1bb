"""The records that scoring keeps, against a list that is searched from end to end."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edml.scoring.chunk import OUTCOME, PREDICTION, RECORD, Records, hashes
from edml.scoring.payload import Layout
from edml.scoring.repetition import FEW, beside
from edml.scoring.rows import Rows

WIDTH = 8
LAYOUTS = (
    Layout(
        pl.Schema(
            {
                "number": pl.Float64(),
                "whole": pl.Int64(),
                "text": pl.String(),
                "at": pl.Datetime("us", "UTC"),
                "yes": pl.Boolean(),
                "many": pl.List(pl.Int64()),
            }
        )
    ),
    Layout(pl.Schema()),
)


@dataclass(frozen=True)
class Kept:
    """One record as a test sees it."""

    key: str
    side: int
    partition: int
    time: int
    payload: tuple[Any, ...]
    hidden: bool = False


@dataclass(frozen=True)
class Version:
    """Rows, the records that must stand in them, and those that may."""

    rows: Rows
    must: tuple[Kept, ...] = ()
    may: tuple[Kept, ...] = ()

    def add(self, records: tuple[Kept, ...]) -> "Version":
        """With some more records, each of which finds all before it of its key.

        What is hidden is not found; of keys that come often, records are not found by each other.
        """
        new = _records(records)
        opened = self.rows.opened()
        found = opened.find(new)
        assert all(
            opened.chunks[chunk].records[number] == old
            for _, chunk, number, old in zip(*found, strict=True)
        )
        later, earlier, crowded = beside(new)
        assert set(crowded.tolist()) == _crowded(records)
        told = _counted(
            [
                (int(each), int(old["side"]), int(old["partition"]), int(old["time"]))
                for each, old in [
                    *zip(found.new, found.old, strict=True),
                    *zip(later, new[earlier], strict=True),
                ]
            ]
        )
        rows = opened.add(new, (_payload(records), []))
        assert rows.chunks == opened.chunks
        assert _partners(records, self.must) <= told <= _partners(records, self.may)
        return Version(rows, (*self.must, *records), (*self.may, *records))

    def close(self, closed: dict[int, int]) -> "Version":
        """Without what is before ``closed``, which may stay for a while."""
        alive = tuple(
            each for each in self.must if each.time >= closed.get(each.partition, each.time)
        )
        return replace(self, rows=self.rows.since_closed(closed, WIDTH), must=alive)

    def of(self, partition: int) -> "Version":
        """One partition alone."""
        must, may = (
            tuple(each for each in kept if each.partition == partition)
            for kept in (self.must, self.may)
        )
        return Version(self.rows.of(frozenset({partition})), must, may)

    def check(self) -> None:
        """What stands in the rows is what was added, with its payload."""
        found: list[Any] = []
        for at, chunk in enumerate(self.rows.chunks):
            last = at == len(self.rows.chunks) - 1
            records = chunk.records[: self.rows.height] if last else chunk.records
            numbers = (records["side"] == PREDICTION).nonzero()[0]
            if numbers.size:
                chunks = np.full(numbers.size, at)
                payload = pl.DataFrame(self.rows.payload(PREDICTION, chunks, numbers))
                found += map(str, payload.rows())
        must, may = (
            [str(each.payload) for each in kept if each.side == PREDICTION]
            for kept in (self.must, self.may)
        )
        assert _counted(must) <= _counted(found) <= _counted(may)


def _partners(records: tuple[Kept, ...], before: tuple[Kept, ...]) -> frozenset[Any]:
    """For each record all before it of its key, among the records and those ``before``."""
    crowded = _crowded(records)
    return _counted(
        [
            (number, old.side, old.partition, old.time)
            for number, each in enumerate(records)
            for old in (
                *(old for old in before if not old.hidden),
                *(() if number in crowded else records[:number]),
            )
            if old.key == each.key
        ]
    )


def _crowded(records: tuple[Kept, ...]) -> set[int]:
    """The places of those of which there are more than a few."""
    keys = [each.key for each in records]
    return {number for number, key in enumerate(keys) if keys.count(key) > FEW}


def _counted(found: list[Any]) -> frozenset[Any]:
    """Each with the number of its occurrence, so that multisets can be compared."""
    return frozenset((each, found[:number].count(each)) for number, each in enumerate(found))


def _records(kept: tuple[Kept, ...]) -> Records:
    new = np.zeros(len(kept), RECORD)
    for name in ("side", "partition", "time", "hidden"):
        new[name] = [getattr(each, name) for each in kept]
    keys = pl.Series([each.key for each in kept], dtype=pl.String)
    new["key"], new["check"] = hashes(keys, np.zeros(len(kept), dtype=np.int64))
    return new


def _payload(kept: tuple[Kept, ...]) -> list[pl.Series]:
    rows = [each.payload for each in kept if each.side == PREDICTION]
    return pl.DataFrame(rows, schema=LAYOUTS[PREDICTION].schema, orient="row").get_columns()


PAYLOADS = st.tuples(
    st.none() | st.floats(0, 1),
    st.none() | st.integers(-5, 5),
    st.none() | st.sampled_from(["a", "b", "…"]),
    st.none(),
    st.none() | st.booleans(),
    st.none() | st.lists(st.integers(0, 3), max_size=2),
)
KEPT = st.builds(
    Kept,
    st.sampled_from("aaabcd"),
    st.sampled_from([PREDICTION, OUTCOME]),
    st.integers(0, 1),
    st.integers(0, 60),
    PAYLOADS,
    st.sampled_from([False, False, True]),
)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(KEPT, min_size=1, max_size=9)),
        st.tuples(st.just("add"), st.lists(KEPT, min_size=1, max_size=24)),
        st.tuples(st.just("close"), st.integers(0, 20)),
        st.tuples(st.just("of"), st.integers(0, 1)),
        st.tuples(st.just("back"), st.integers(1, 6)),
    ),
    max_size=16,
)


SOME = [Kept("a", PREDICTION, 0, 60, (None,) * 6)] * 8
BACK_BEFORE_THE_LAST_CHUNK_WAS_SEALED: list[tuple[str, Any]] = [
    ("add", SOME),
    ("add", SOME[:4]),
    ("close", 1),
    ("close", 20),
    ("back", 2),
    ("add", SOME[:1]),
]


@settings(max_examples=60, deadline=None)
@given(MOVES)
@example(BACK_BEFORE_THE_LAST_CHUNK_WAS_SEALED)
def test_every_version_keeps_all_that_is_open(moves: list[tuple[str, Any]]) -> None:
    """Whatever is added, closed or gone back to: each version holds its records, and finds them."""
    versions = [Version(replace(Rows(LAYOUTS), fewest=4))]
    closed = 0
    for move, how in moves:
        newest = versions[-1]
        match move:
            case "add":
                records = tuple(replace(each, time=each.time + closed) for each in how)
                versions.append(newest.add(records))
            case "close":
                closed += how
                versions.append(newest.close({0: closed, 1: closed}))
            case "of":
                versions.append(newest.of(how))
            case _:
                versions.append(versions[-min(how, len(versions))])
    for each in versions:
        each.check()
