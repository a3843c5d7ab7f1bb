"""New records of one input: which are usable, which come too late, and which repeat others.

Everything here is told by the records of one topic partition in their order, so it comes out the
same however the two inputs interleave and however the records are batched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from edml.events import OFFSET, PARTITION, TIMESTAMP, Rejected
from edml.scoring.bounds import Bounds
from edml.scoring.rows import Chunk, Flags, Integers, Rows
from edml.scoring.rule import Rule
from edml.scoring.watermark import NEVER, Watermark

TIME: Final = "_time"
"""Column: the record's event time in µs."""

AFTER: Final = "_after"
"""Column: whether the record came after the last silence."""

COUNTS: Final = "_counts"
"""Column: whether the record counts, and does not repeat another."""

OPENS: Final = "_opens"
"""Column: whether the record is the first of its key."""

CAUSE: Final = "cause"


@dataclass(frozen=True)
class Input:
    """One of the two inputs: its topic, its columns of key and time, and what else is kept.

    ``parts`` names what makes several records of a key one thing: the predictions of one event
    stand under one ``source`` offset, told apart by ``role``.
    """

    topic: str
    key: str
    time: str
    columns: tuple[str, ...]
    source: str | None = None
    role: str | None = None
    finite: str | None = None


@dataclass(frozen=True)
class Side:
    """What is known of one input: records that may still matter, and how far each partition is."""

    rows: Rows
    watermarks: Mapping[int, Watermark] = field(default_factory=dict)


@dataclass(frozen=True)
class Intake:
    """What became of new records.

    ``fresh`` holds the records that are kept, flagged; None stands for none.
    """

    fresh: Chunk | None
    watermarks: Mapping[int, Watermark]
    rejected: tuple[Rejected, ...] = ()


def take(
    records: pl.DataFrame | None, of: Input, side: Side, since: Integers, bounds: Bounds
) -> Intake:
    """Judge new records of one input, in the order of the log within each partition.

    ``since`` is, by partition number, the offset of the first record after the last silence.
    """
    if records is None or records.is_empty():
        return Intake(None, side.watermarks)
    usable, unusable = _usable(records, of, bounds.rule)
    if usable.is_empty():
        return Intake(None, side.watermarks, rejected=_rejected(of, unusable))
    before, watermarks = _watermarks(usable, side.watermarks, bounds)
    partitions = integers(usable, PARTITION)
    after = integers(usable, OFFSET) >= since[partitions]
    silent = np.where(after, bounds.silent[partitions], NEVER)
    oldest = np.maximum(before - bounds.rule.lateness, silent)
    on_time = integers(usable, TIME) >= oldest
    kept = rows_where(usable.hstack([pl.Series(AFTER, after)]), on_time)
    fresh = Chunk.of(kept, of.key)
    repeats, opens = _repeats(fresh, of, side.rows, bounds)
    flags = [pl.Series(COUNTS, ~repeats), pl.Series(OPENS, opens & ~repeats)]
    return Intake(
        fresh=fresh.holding(kept[[*of.columns, PARTITION, TIME, AFTER]].hstack(flags)),
        watermarks=watermarks,
        rejected=_rejected(of, unusable, _too_late(usable, oldest)),
    )


def met(older: Integers, partitions: Integers, after: Flags, bounds: Bounds) -> Flags:
    """Whether records could meet older ones: not across a silence that has closed these."""
    could: Flags = ~after | (older >= bounds.silent[partitions])
    return could


def _rejected(of: Input, *frames: pl.DataFrame | None) -> tuple[Rejected, ...]:
    return tuple(Rejected(of.topic, each) for each in frames if each is not None)


def integers(frame: pl.DataFrame, column: str) -> Integers:
    """A column of whole numbers, or of instants in µs, as numpy sees it."""
    values = frame.get_column(column).to_numpy()
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]", copy=False).view(np.int64)
    return values


def rows_where(frame: pl.DataFrame, flags: Flags) -> pl.DataFrame:
    """The rows that are flagged."""
    return frame if flags.all() else frame[np.flatnonzero(flags)]


def _usable(
    records: pl.DataFrame, of: Input, rule: Rule
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Records with their time in µs, and those that must not be used, with the cause.

    A time far ahead of the record's own timestamp would carry the watermark with it, and make all
    that follows too late.
    """
    times = integers(records, of.time)
    timed = records.hstack([pl.Series(TIME, times)])
    ahead = times > integers(records, TIMESTAMP) + rule.ahead
    endless = np.zeros(records.height, dtype=np.bool_)
    if of.finite is not None:
        endless = ~np.isfinite(records.get_column(of.finite).to_numpy())
    bad = ahead | endless
    if not bad.any():
        return timed, None
    cause = (
        pl.when(pl.lit(pl.Series(ahead)))
        .then(
            pl.format("{} {} is too far ahead of the record's timestamp", pl.lit(of.time), of.time)
        )
        .otherwise(pl.format("{} is {}, not a number", pl.lit(of.finite), of.finite or pl.lit("")))
    )
    rejected = records.select(PARTITION, OFFSET, cause.alias(CAUSE))
    return rows_where(timed, ~bad), rows_where(rejected, bad)


def _watermarks(
    records: pl.DataFrame, known: Mapping[int, Watermark], bounds: Bounds
) -> tuple[Integers, dict[int, Watermark]]:
    """The watermark that each record meets, and the partitions' watermarks after all of them."""
    times, offsets = integers(records, TIME), integers(records, OFFSET)
    before = np.empty(times.size, dtype=np.int64)
    after = dict(known)
    for partition, rows in _by_partition(integers(records, PARTITION)):
        watermark = known.get(partition, Watermark())
        before[rows] = watermark.before(times[rows])
        after[partition] = watermark.after(
            times[rows], offsets[rows], bounds.rule.window, bounds.now
        )
    return before, after


def _by_partition(partitions: Integers) -> list[tuple[int, Integers]]:
    """The rows of each partition, in order."""
    order = np.argsort(partitions, kind="stable")
    numbers, starts = np.unique(partitions[order], return_index=True)
    return [
        (int(number), rows)
        for number, rows in zip(numbers, np.split(order, starts[1:]), strict=True)
    ]


def _too_late(records: pl.DataFrame, limit: Integers) -> pl.DataFrame | None:
    """The records before ``limit``, with the cause."""
    behind_s = (limit - integers(records, TIME)) / 1e6
    late = behind_s > 0
    if not late.any():
        return None
    behind = pl.lit(pl.Series(behind_s[late]).round().cast(pl.Int64))
    return rows_where(records, late).select(
        PARTITION,
        OFFSET,
        pl.format("too late, by {} s: its windows are closed", behind).alias(CAUSE),
    )


def _repeats(fresh: Chunk, of: Input, known: Rows, bounds: Bounds) -> tuple[Flags, Flags]:
    """Which of some new records repeat an earlier one, and which are the first of their key."""
    repeats = np.zeros(fresh.height, dtype=np.bool_)
    opens = np.ones(fresh.height, dtype=np.bool_)
    for place, new, old in _earlier(fresh, of, known):
        partitions = integers(new, PARTITION)
        apart = np.abs(integers(new, TIME) - integers(old, TIME))
        near = (
            (partitions == integers(old, PARTITION))
            & (apart <= bounds.rule.reach)
            & met(integers(old, TIME), partitions, new.get_column(AFTER).to_numpy(), bounds)
        )
        if of.source is None or of.role is None:
            repeats[place[near]] = True
            continue
        source, earlier = integers(new, of.source), integers(old, of.source)
        again = (source == earlier) & (new[of.role] == old[of.role]).to_numpy()
        repeats[place[near & (again | (earlier < source))]] = True
        opens[place[near & (earlier == source)]] = False
    return repeats, opens


def _earlier(
    fresh: Chunk, of: Input, known: Rows
) -> Sequence[tuple[Integers, pl.DataFrame, pl.DataFrame]]:
    """New records beside earlier ones of the same key: among the known, then among the new."""
    columns = [PARTITION, TIME, AFTER, *(each for each in (of.source, of.role) if each is not None)]
    told = fresh.frame[columns]
    pairs = []
    place, old = known.find(fresh.keys, columns)
    if old is not None:
        pairs.append((place, told[place], old))
    place, row = fresh.repeated()
    if place.size:
        keys = fresh.keys.values
        same = (keys[place] == keys[row]).to_numpy()
        pairs.append((place[same], told[place[same]], told[row[same]]))
    return pairs
