"""A topic in memory: records in the order in which they were written, with their offsets."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from zlib import crc32

import polars as pl

from edml.events import OFFSET, PARTITION, TIMESTAMP

CAUSE: Final = "_cause"
"""Column of a topic's records: why the record cannot be decoded, or null."""

_PLACE: Final = pl.Schema(
    {
        PARTITION: pl.Int32(),
        OFFSET: pl.Int64(),
        TIMESTAMP: pl.Datetime("us", "UTC"),
        CAUSE: pl.String(),
    }
)


class Topic:
    """Some partitions; a row goes to the partition of its key, which is the column ``key``."""

    def __init__(self, name: str, *, partitions: int, key: str | None) -> None:
        self.name = name
        self.ends = [0] * partitions
        self.records = pl.DataFrame(schema=_PLACE)
        self._key = key

    def append(self, rows: pl.DataFrame, *, at: datetime, partition: int | None = None) -> None:
        """Write rows, all to one ``partition`` or each to that of its key."""
        if rows.is_empty():
            return
        values = rows.drop(_PLACE.names(), strict=False)
        partitions = pl.Series(PARTITION, self._partitions(values, partition), pl.Int32)
        cause = rows[CAUSE] if CAUSE in rows.columns else pl.lit(None, pl.String)
        placed = values.with_columns(partitions).with_columns(
            (
                pl.int_range(pl.len()).over(PARTITION)
                + pl.col(PARTITION).replace_strict(range(len(self.ends)), self.ends)
            )
            .cast(pl.Int64)
            .alias(OFFSET),
            pl.lit(at, _PLACE[TIMESTAMP]).alias(TIMESTAMP),
            cause.alias(CAUSE),
        )
        self.records = pl.concat([self.records, placed], how="diagonal_relaxed")
        for each, count in partitions.value_counts().iter_rows():
            self.ends[each] += count

    def skip(self, partitions: Iterable[int]) -> None:
        """Use up an offset of each partition, as the marker at the end of a transaction does."""
        for each in partitions:
            self.ends[each] += 1

    def partitions_of(self, rows: pl.DataFrame) -> set[int]:
        """The partitions to which rows go by their keys."""
        return set(self._partitions(rows, None))

    def span(self, partition: int, first: int, end: int, *, at_most: int) -> pl.DataFrame:
        """The records of a partition with offsets in ``[first, end)``, the first ``at_most``."""
        return self.records.filter(
            pl.col(PARTITION) == partition, pl.col(OFFSET) >= first, pl.col(OFFSET) < end
        ).head(at_most)

    @property
    def values(self) -> pl.DataFrame:
        """What was written, as it was written: no offsets, nothing that cannot be decoded."""
        return decoded(self.records).drop(PARTITION, OFFSET, TIMESTAMP)

    def _partitions(self, rows: pl.DataFrame, partition: int | None) -> list[int]:
        if partition is not None:
            return [partition] * rows.height
        keys = rows[self._key or rows.columns[0]].cast(pl.String)
        return [0 if key is None else crc32(key.encode()) % len(self.ends) for key in keys]


def decoded(records: pl.DataFrame) -> pl.DataFrame:
    """The records that can be decoded."""
    return records.filter(pl.col(CAUSE).is_null()).drop(CAUSE)


def undecodable(records: pl.DataFrame) -> pl.DataFrame:
    """The place and the cause of those that cannot."""
    return records.filter(pl.col(CAUSE).is_not_null()).select(
        PARTITION, OFFSET, pl.col(CAUSE).alias("cause")
    )
