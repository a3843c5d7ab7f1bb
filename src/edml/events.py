"""What is on the log, as the pure parts of edml see it: frames of decoded records and offsets.

An event is declared as a typed class; a batch of them is a Polars frame with one column a field
and, beside these, where each row came from (`PARTITION`, `OFFSET`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, NamedTuple

import polars as pl


class WallClock:
    """Marks a ``datetime`` as wall time at the place of the event: no zone, no instant."""


LocalTime = Annotated[datetime, WallClock()]
"""A field of local wall time (``local-timestamp-micros``); a bare ``datetime`` is UTC."""

PARTITION: Final = "_partition"
"""Column of every frame read from the log: the partition that the row came from (Int32)."""

OFFSET: Final = "_offset"
"""Column of every frame read from the log: the row's offset in its partition (Int64)."""


TIMESTAMP: Final = "_timestamp"
"""Column of frames read from the log: the record's timestamp (Datetime in µs, UTC).

Serving does without it.
"""


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


@dataclass(frozen=True)
class Batch:
    """Some records of some topics, in the order of the log within each partition.

    ``frames`` holds, by topic, the records that could be decoded. ``positions`` is, by partition,
    the offset that follows the last record of the batch, whether that record could be decoded or
    not. An empty batch is a tick of the clock. ``caught_up`` names the partitions read to their
    end.
    """

    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    positions: Mapping[TopicPartition, int] = field(default_factory=dict)
    caught_up: frozenset[TopicPartition] = frozenset()

    @property
    def rows(self) -> int:
        """The number of decoded records."""
        return sum(frame.height for frame in self.frames.values())


@dataclass(frozen=True)
class Rejected:
    """Rows of one topic that a step cannot use, and why: they go to the dead letters.

    ``frame`` needs `PARTITION`, `OFFSET` and a column ``cause``.
    """

    topic: str
    frame: pl.DataFrame


@dataclass(frozen=True)
class Outputs:
    """What a step writes: frames by topic, and the rows that it rejects."""

    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.rejected and all(frame.is_empty() for frame in self.frames.values())
