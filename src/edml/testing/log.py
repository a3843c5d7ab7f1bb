"""The runtime's port `edml.runtime.log.Log` in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from edml.errors import LogError
from edml.events import OFFSET, PARTITION, Batch, Outputs, TopicPartition
from edml.runtime.log import (
    AbortedError,
    Assignment,
    Committed,
    FencedError,
    ReassignedError,
    RefusedError,
)
from edml.testing.broker import DEAD_LETTERS, MemoryBroker
from edml.testing.crash import Crash, CrashedError
from edml.testing.topic import decoded, undecodable

AGAIN_AT_MOST = 10_000


@dataclass(frozen=True)
class MemoryReading:
    """A batch, with the generation of the group in which it was read."""

    batch: Batch
    generation: int
    records: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether no record was read."""
        return not self.records


class MemoryLog:
    """One instance in the group of a `MemoryBroker`.

    ``reached`` is told of each moment at which a process may die, and may raise.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        instance: str = "0",
        *,
        reached: Callable[[Crash], None] = lambda _: None,
    ) -> None:
        self.instance = instance
        self.rests = False
        """Whether the last reading found nothing, and nothing has come of it."""
        self._broker = broker
        self._reached = reached
        self._assigned: Sequence[TopicPartition] | None = None
        self._revoked = True
        self._positions: dict[TopicPartition, int] = {}
        self._commit: MemoryCommit | None = None
        self._turn = 0
        broker.join(self)

    def read(self, *, at_most: int, wait_s: float) -> MemoryReading | Assignment | None:
        """What is there now; after a rebalance nothing at first, then which partitions are ours."""
        del wait_s  # what is not there yet will not come while we wait
        self.rests = False
        if self._revoked:
            self._revoked = False
            return None
        if self._assigned is not None:
            ours, self._assigned = self._assigned, None
            return Assignment({each: self._broker.place(each) for each in ours})
        reading = self._reading(at_most)
        self.rests = reading.empty
        if not reading.empty:
            self._reached(Crash.AFTER_READ)
        return reading

    def again(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[Batch]:
        """The records of each span once more, partition by partition."""
        for each, (first, end) in sorted(spans.items()):
            topic = self._broker.topic(each.topic)
            records = topic.span(each.partition, first, end, at_most=end - first)
            for part in records.iter_slices(AGAIN_AT_MOST):
                self._reached(Crash.IN_REBUILD)
                if self._revoked:
                    raise ReassignedError
                yield Batch({each.topic: decoded(part)}, {each: part[OFFSET][-1] + 1})

    def resume(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets."""
        self.rests = False
        self._positions = dict(positions)

    def commit(
        self, reading: MemoryReading, outputs: Outputs, places: Mapping[TopicPartition, Committed]
    ) -> "MemoryCommit":
        """Begin to write; it is done when somebody waits for it, or when partitions are revoked."""
        self.rests = False
        self._commit = MemoryCommit(lambda: self._write(reading, outputs, places))
        return self._commit

    def close(self) -> None:
        """Finish what is under way, and leave."""
        if self._commit is not None:
            self._commit.finish()
        self._broker.leave(self)

    def revoke(self) -> None:
        """The partitions are taken away: finish what is being committed, drop what was read."""
        if self._commit is not None:
            self._commit.finish()
        self._revoked = True
        self._assigned = None
        self._positions = {}

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are ours, after the next reading."""
        self._assigned = partitions

    def _reading(self, at_most: int) -> MemoryReading:
        """Take from each partition in turn, another one first each time."""
        self._turn += 1
        ours = sorted(self._positions)
        start = self._turn % max(1, len(ours))
        parts: dict[str, list[pl.DataFrame]] = {}
        positions: dict[TopicPartition, int] = {}
        caught_up = set()
        for each in ours[start:] + ours[:start]:
            topic = self._broker.topic(each.topic)
            first, end = self._positions[each], topic.ends[each.partition]
            records = topic.span(each.partition, first, end, at_most=at_most + 1)
            if records.height <= at_most:
                caught_up.add(each)
            records = records.head(at_most)
            at_most -= records.height
            if not records.is_empty():
                parts.setdefault(each.topic, []).append(records)
                positions[each] = records[OFFSET][-1] + 1
        self._positions |= positions
        records_by_topic = {topic: pl.concat(frames) for topic, frames in parts.items()}
        frames = {topic: decoded(records) for topic, records in records_by_topic.items()}
        return MemoryReading(
            Batch(frames, positions, frozenset(caught_up)),
            self._broker.generation,
            records_by_topic,
        )

    def _write(
        self, reading: MemoryReading, outputs: Outputs, places: Mapping[TopicPartition, Committed]
    ) -> None:
        self._reached(Crash.BEFORE_COMMIT)
        if not self._broker.holds(self):
            raise FencedError(f"another process has taken the place of instance {self.instance!r}")
        try:
            self._reached(Crash.AFTER_OUTPUTS)
        except BaseException:
            self._broker.write_in_vain(outputs)
            raise
        if reading.generation != self._broker.generation:
            self._broker.write_in_vain(outputs)
            raise AbortedError("the group has moved on since this batch was read")
        if self._broker.refuses():
            self._broker.write_in_vain(outputs)
            raise AbortedError("the broker refuses this transaction")
        for topic, frame in outputs.frames.items():
            if self._broker.refused(topic, frame):
                self._broker.write_in_vain(outputs)
                raise RefusedError(f"{topic}: a record is too large")
        self._broker.write(outputs, _dead_letters(reading, outputs), places)
        self._reached(Crash.AFTER_COMMIT)


class MemoryCommit:
    """A commit on its way: nothing of it is done before somebody waits for it."""

    def __init__(self, write: Callable[[], None]) -> None:
        self._write: Callable[[], None] | None = write
        self._failure: BaseException | None = None

    def wait(self) -> None:
        """Do it, unless that is done; raise what has come of it."""
        self.finish()
        if self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Do it, however it ends: whoever waits for it will know."""
        write, self._write = self._write, None
        if write is None:
            return
        try:
            write()
        except (AbortedError, FencedError, CrashedError) as failure:
            self._failure = failure


def _dead_letters(reading: MemoryReading, outputs: Outputs) -> pl.DataFrame:
    """What could not be decoded, and what the step has rejected of the same batch."""
    bad = [(topic, undecodable(records)) for topic, records in reading.records.items()]
    rejected = [(each.topic, each.frame) for each in outputs.rejected]
    for topic, frame in rejected:
        read = reading.batch.frames.get(topic, pl.DataFrame(schema=frame.schema))
        strangers = frame.join(read, on=[PARTITION, OFFSET], how="anti")
        if not strangers.is_empty():
            raise LogError(
                "the step rejects a record that is not in its batch",
                where=f"{topic}[{strangers[PARTITION][0]}]@{strangers[OFFSET][0]}",
                todo="reject a record in the step that reads it",
            )
    return pl.concat(
        [pl.DataFrame(schema=DEAD_LETTERS)]
        + [
            frame.select(pl.lit(topic).alias("topic"), PARTITION, OFFSET, "cause").match_to_schema(
                DEAD_LETTERS
            )
            for topic, frame in bad + rejected
        ]
    )
