"""A topic read to its end, as a frame: for displays, queries and checks, never for the loop.

Only what is committed is read (``read_committed``). Where the end is, is asked once, at the
beginning: a topic that is being written to is read up to there.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import confluent_kafka as ck
import numpy as np
import polars as pl

from edml.errors import LogError, TopicError
from edml.events import OFFSET, PARTITION, TIMESTAMP, TopicPartition
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.message import PROMPT, Consumed, Message, taken
from edml.kafka.registry import Registry, subject
from edml.kafka.serdes import FrameDecoder
from edml.kafka.spans import QUIET, Client, Offsets, Span, span

AT_ONCE: Final = 10_000
WAIT_S: Final = 0.2
# librdkafka's own codes begin with an underscore, and are public all the same.
END: Final = ck.KafkaError._PARTITION_EOF
DELETED: Final = ck.KafkaError._AUTO_OFFSET_RESET
SILENCE_S: Final = 30.0
"""After so long without a record, a log that has not come to its end does not answer."""

KEY: Final = "_key"
"""Column of the record's key, as bytes, where it is asked for."""


@dataclass(frozen=True)
class Bad:
    """A record that cannot be decoded, where it is, and why."""

    partition: int
    offset: int
    cause: str


@dataclass(frozen=True)
class Tail:
    """The records of a topic, or its last ones, in the order of their timestamps.

    ``frame`` has the fields of the schema, and `PARTITION`, `OFFSET` and `TIMESTAMP`; ``bad`` are
    the records that are none.
    """

    frame: pl.DataFrame
    bad: tuple[Bad, ...] = ()


def read(  # noqa: PLR0913 - what is read, and how much of it
    client: Client,
    registry: Registry,
    topic: str,
    *,
    schema: RecordSchema | None = None,
    last: int | None = None,
    latest: bool = False,
) -> Tail:
    """Read a topic as a frame of ``schema``, or else of the latest one that is registered for it.

    ``last`` reads so many of its last records, ``latest`` keeps the last record of each key, as
    compaction will, and leaves out the deleted ones. Raises `TopicError` when the topic or its
    schema does not exist, and `LogError` when the log does not answer.
    """
    reader = schema or registry.latest(subject(topic))
    if reader is None:
        raise TopicError(
            f"no schema is registered for {topic}: its records cannot be decoded",
            where=f"subject {subject(topic)}",
            todo="have its producer register one, as all do that write Avro",
        )
    decoder = FrameDecoder(registry, reader)
    frames = [_decoded([], decoder)[0]]
    bad: list[Bad] = []
    deleted: list[ck.Message] = []
    for batch in messages(client, topic, last=last):
        if latest:
            deleted += [each for each in batch if each.value() is None]
        kept = [each for each in batch if each.value() is not None] if latest else batch
        frame, faults = _decoded(kept, decoder)
        frames.append(frame)
        bad += faults
    found = pl.concat(frames)
    if latest:
        found = _latest(found, deleted)
    found = found.drop(KEY).sort(TIMESTAMP, PARTITION, OFFSET)
    return Tail(found if last is None else found.tail(last), tuple(bad))


def messages(
    client: Client, topic: str, *, last: int | None = None
) -> Iterator[Sequence[ck.Message]]:
    """The records of a topic in batches: all, or of each partition at least the ``last`` ones.

    Raises `TopicError` when the topic does not exist, and `LogError` when the log does not answer.
    """
    whole = span(client, topic)
    if last is None:
        yield from between(client, topic, whole.first, whole.end)
        return
    for partition in whole.end:
        yield from _back(client, TopicPartition(topic, partition), whole, last)


def record_at(client: Client, partition: TopicPartition, offset: int) -> ck.Message | None:
    """One record; None when it is not on the log.

    Raises `TopicError` when there is no such topic, and `LogError` when the log does not answer.
    """
    topic, number = partition
    whole = span(client, topic)
    if not whole.first.get(number, 0) <= offset < whole.end.get(number, 0):
        return None
    batches = between(client, topic, {number: offset}, {number: offset + 1})
    return next((each for batch in batches for each in batch if offset_of(each) == offset), None)


def _back(
    client: Client, partition: TopicPartition, whole: Span, last: int
) -> Iterator[Sequence[ck.Message]]:
    """At least the ``last`` records of a partition.

    Transactions' markers take offsets, too, some one for every record: look twice as far back, and
    further when that was not enough.
    """
    topic, number = partition
    first, end = whole.first[number], whole.end[number]
    back = 2 * last
    while True:
        start = max(first, end - back)
        batches = list(between(client, topic, {number: start}, {number: end}))
        if start == first or sum(map(len, batches)) >= last:
            yield from batches
            return
        back *= 4


def between(
    client: Client, topic: str, first: Offsets, end: Offsets
) -> Iterator[Sequence[ck.Message]]:
    """The records of each partition in ``[first, end)``, in batches."""
    for found in records_between(client, topic, first, end):
        yield cast("Sequence[ck.Message]", found.messages)


def records_between(client: Client, topic: str, first: Offsets, end: Offsets) -> Iterator[Consumed]:
    """The same with their places, column by column."""
    left = {number for number, stop in end.items() if first[number] < stop}
    if not left:
        return
    ends = np.zeros(max(end) + 1, np.int64)
    ends[list(end)] = list(end.values())
    consumer = ck.Consumer(
        {
            "log_level": QUIET,
            **PROMPT,
            **client,
            "group.id": "edml.tail",  # a consumer must name one; nothing is committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.message.max.bytes": 10_485_760,
        }
    )
    try:
        consumer.assign([ck.TopicPartition(topic, number, first[number]) for number in left])
        heard_at = time.monotonic()
        while left:
            given = taken(cast("Sequence[Message]", consumer.consume(AT_ONCE, WAIT_S)))
            for news in given.news:
                if _is_end(news):
                    left.discard(news.partition())
            for found in given.records.values():
                yield found.where(found.offsets < ends[found.partitions])
                left -= {number for number, stop in found.ends().items() if stop >= ends[number]}
                heard_at = time.monotonic()
            if time.monotonic() - heard_at > SILENCE_S:
                raise LogError(
                    f"{topic} cannot be read to its end: nothing has come for {SILENCE_S:.0f} s",
                    where=str(client["bootstrap.servers"]),
                    todo="see with `edml status` whether the log runs",
                )
    finally:
        consumer.close()


def _is_end(message: Message) -> bool:
    """Whether the consumer says that a partition ends, and not that a broker is away."""
    error = cast("ck.KafkaError", message.error())
    if error.code() > 0 and not error.retriable():  # the broker's own answer, and its last
        raise LogError(
            f"{message.topic()} cannot be read: {error.str()}",
            where=f"{message.topic()}[{message.partition()}]",
            todo="see with `edml status` what is on the log, and whether you may read it",
        )
    if error.code() == DELETED:
        raise LogError(
            "records were deleted while they were read: their retention is over",
            where=f"{message.topic()}[{message.partition()}]@{message.offset()}",
            todo="run it again",
        )
    return bool(error.code() == END)


def _decoded(
    records: Sequence[ck.Message], decoder: FrameDecoder
) -> tuple[pl.DataFrame, list[Bad]]:
    decoded = decoder.decode([each.value() for each in records])
    good = [records[row] for row in decoded.rows.tolist()]
    frame = decoded.frame.with_columns(_places(good))
    bad = [(records[row], cause) for row, cause in decoded.bad]
    return frame, [Bad(partition_of(each), offset_of(each), cause) for each, cause in bad]


def _places(records: Sequence[ck.Message]) -> list[pl.Series]:
    """Where records are on the log, as columns."""
    return [
        pl.Series(KEY, [as_bytes(each.key()) for each in records], pl.Binary),
        pl.Series(PARTITION, [each.partition() for each in records], pl.Int32),
        pl.Series(OFFSET, [each.offset() for each in records], pl.Int64),
        pl.Series(TIMESTAMP, [each.timestamp()[1] for each in records], pl.Int64)
        .cast(pl.Datetime("ms", "UTC"))
        .dt.cast_time_unit("us"),
    ]


def _latest(frame: pl.DataFrame, deleted: Sequence[ck.Message]) -> pl.DataFrame:
    """The last row of each key, unless the key was deleted after it."""
    key = (KEY, PARTITION)
    last = frame.sort(OFFSET).unique(key, keep="last")
    if not deleted:
        return last
    gone = pl.DataFrame(_places(deleted)).group_by(key).agg(pl.col(OFFSET).max().alias("gone"))
    return (
        last.join(gone, on=key, how="left")
        .filter(pl.col("gone").is_null() | (pl.col("gone") < pl.col(OFFSET)))
        .drop("gone")
    )


def as_bytes(key: bytes | str | None) -> bytes:
    """A key as it stands on the log; empty when there is none."""
    return key.encode() if isinstance(key, str) else key or b""


def partition_of(message: ck.Message) -> int:
    """The partition of a record that was read: every such record has one."""
    return cast("int", message.partition())


def offset_of(message: ck.Message) -> int:
    """The offset of a record that was read: every such record has one."""
    return cast("int", message.offset())
