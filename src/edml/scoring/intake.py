"""New records of one input: which are usable, which come too late, and which repeat others.

Everything here is told by the records of one topic partition in their order, so it comes out the
same however the two inputs interleave and however the records are batched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from edml.events import OFFSET, PARTITION, TIMESTAMP, Rejected
from edml.scoring.bounds import Bounds
from edml.scoring.chunk import RECORD, Records
from edml.scoring.growing import Flags, Integers
from edml.scoring.kinds import Kinds
from edml.scoring.watermark import NEVER, Watermark
from edml.serving import records as served

CAUSE: Final = "cause"

LARGEST: Final = 1e100
"""Of a prediction's size: sums of squares of larger ones would be infinite, and stay so."""


@dataclass(frozen=True)
class Input:
    """One of the two inputs: its topic, and its columns of key and time.

    ``named`` tells whether its records are of a version, role and segment, and stand under the
    offset of their event.
    """

    side: int
    topic: str
    key: str
    time: str
    named: bool = False
    finite: str | None = None


@dataclass(frozen=True)
class Intake:
    """What became of new records: those that are kept, row by row as they came, and the others."""

    records: Records
    frame: pl.DataFrame | None
    watermarks: Mapping[int, Watermark]
    rejected: tuple[Rejected, ...] = ()


def take(
    rows: pl.DataFrame | None,
    of: Input,
    known: Mapping[int, Watermark],
    bounds: Bounds,
    kinds: Kinds,
) -> Intake:
    """Judge new records of one input, in the order of the log within each partition.

    Whether a record repeats another is not told yet, nor are its hashes.
    """
    if rows is None or rows.is_empty():
        return Intake(np.empty(0, RECORD), None, known)
    usable, unusable = _usable(rows, of, bounds)
    if usable.is_empty():
        return Intake(np.empty(0, RECORD), None, known, _rejected(of, unusable))
    times, partitions = integers(usable, of.time), integers(usable, PARTITION)
    offsets = integers(usable, OFFSET)
    before, watermarks = _watermarks(times, partitions, offsets, known, bounds)
    after = offsets >= bounds.since[of.side][partitions]
    silent = np.where(after, bounds.silent[partitions], NEVER)
    oldest = np.maximum(before - bounds.rule.lateness, silent)
    late = times < oldest
    if late.any():
        too_late = _too_late(usable.filter(late), (oldest - times)[late])
        rejected = _rejected(of, unusable, too_late)
        kept = np.flatnonzero(~late)
        usable, times, partitions = usable[kept], times[kept], partitions[kept]
        after = after[kept]
    else:
        rejected = _rejected(of, unusable)
    records = np.zeros(times.size, RECORD)
    records["side"], records["time"], records["partition"] = of.side, times, partitions
    records["after"] = after
    if of.named:
        records["source"] = integers(usable, served.EVENT_OFFSET)
        records["kind"], records["role"] = kinds.of(usable)
    return Intake(records, usable, watermarks, rejected)


def integers(frame: pl.DataFrame, column: str) -> Integers:
    """A column of whole numbers, or of instants in µs, as numpy sees it."""
    values = frame.get_column(column).to_numpy()
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]", copy=False).view(np.int64)
    return values


def repeats(new: Records, old: Records, bounds: Bounds) -> tuple[Flags, Flags]:
    """For pairs of a new record and an earlier one of its input: what the earlier makes of it.

    The first flags tell which new records it makes a repetition, the second which it leaves not to
    be the first of their event.
    """
    near = (
        (new["partition"] == old["partition"])
        & (np.abs(new["time"] - old["time"]) <= bounds.rule.reach)
        & met(old["time"], new["partition"], new["after"], bounds)
    )
    same, earlier = new["source"] == old["source"], old["source"] < new["source"]
    return near & (earlier | (same & (new["role"] == old["role"]))), near & same


def since(new: Records, bounds: Bounds) -> Integers:
    """The time from which on an earlier record of its input is near a new one, and can be met.

    There is no upper end: an earlier one is past it by the lateness at most, or it is too late.
    """
    reached: Integers = new["time"] - bounds.rule.reach
    silent = np.where(new["after"], bounds.silent[new["partition"]], NEVER)
    return np.maximum(reached, silent)


def met(older: Integers, partitions: Integers, after: Flags, bounds: Bounds) -> Flags:
    """Whether records could meet older ones: not across a silence that has closed these."""
    could: Flags = ~after | (older >= bounds.silent[partitions])
    return could


def _rejected(of: Input, *frames: pl.DataFrame | None) -> tuple[Rejected, ...]:
    return tuple(Rejected(of.topic, each) for each in frames if each is not None)


def _usable(
    rows: pl.DataFrame, of: Input, bounds: Bounds
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Rows that can be used, and those that must not be, with the cause.

    A number without a finite square would spoil all sums that it enters. A time far ahead of the
    record's own timestamp would carry the watermark with it, and make all that follows too late.
    """
    bad = integers(rows, of.time) > integers(rows, TIMESTAMP) + bounds.rule.ahead
    ahead = bad
    if of.finite is not None:
        bad = bad | ~(np.abs(rows.get_column(of.finite).to_numpy()) <= LARGEST)
    if not bad.any():
        return rows, None
    cause = (
        pl.when(pl.lit(pl.Series(ahead)))
        .then(
            pl.format("{} {} is too far ahead of the record's timestamp", pl.lit(of.time), of.time)
        )
        .otherwise(
            pl.format("{} is {}, not a number to score", pl.lit(of.finite), of.finite or pl.lit(""))
        )
    )
    rejected = rows.select(PARTITION, OFFSET, cause.alias(CAUSE))
    return rows.filter(~bad), rejected.filter(bad)


def _watermarks(
    times: Integers,
    partitions: Integers,
    offsets: Integers,
    known: Mapping[int, Watermark],
    bounds: Bounds,
) -> tuple[Integers, dict[int, Watermark]]:
    """The watermark that each record meets, and the partitions' watermarks after all of them."""
    before = np.empty(times.size, dtype=np.int64)
    after = dict(known)
    for partition in np.flatnonzero(np.bincount(partitions)).tolist():
        rows = np.flatnonzero(partitions == partition)
        watermark = known.get(partition, Watermark())
        before[rows], after[partition] = watermark.after(
            times[rows], offsets[rows], bounds.rule.window, bounds.now
        )
    return before, after


def _too_late(rows: pl.DataFrame, behind_us: Integers) -> pl.DataFrame:
    """What is rejected of rows that are so far behind, with the cause."""
    behind_s = pl.lit(pl.Series((behind_us / 1e6).round().astype(np.int64)))
    return rows.select(
        PARTITION,
        OFFSET,
        pl.format("too late, by {} s: its windows are closed", behind_s).alias(CAUSE),
    )
