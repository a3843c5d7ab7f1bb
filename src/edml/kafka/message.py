"""Messages as a consumer of ours gets them: one, and the many of a batch.

confluent-kafka's own types allow None for a topic, a partition and an offset, which every message
has that was consumed. What a batch tells about its messages is taken column by column, with
``map`` over the methods of the C type: no line of Python runs for a record.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress, repeat
from operator import is_, itemgetter
from typing import Any, Final, Generic, Protocol, Self, TypeVar, cast

import confluent_kafka as ck
import numpy as np
from numpy.typing import NDArray

from edml.events import TopicPartition

PROMPT: Final = {"fetch.wait.max.ms": 50}
"""A broker that has no more to give says so after so long, and after half a second by default: so
long takes it to hear that a partition ends, or to go on where somebody is told to read instead."""

_ASKING_S: Final = 2.0


class Message(Protocol):
    """A record; or, where `error` gives one, what the consumer has to say about a partition."""

    def error(self) -> ck.KafkaError | None:
        """What there is to say, if this is no record."""
        ...

    def topic(self) -> str:
        """The topic's name."""
        ...

    def partition(self) -> int:
        """The partition's number."""
        ...

    def offset(self) -> int:
        """The place in the partition."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """The kind of timestamp, and the timestamp in milliseconds since 1970."""
        ...

    def key(self) -> bytes | None:
        """The key."""
        ...

    def value(self) -> bytes | None:
        """The value; None is a tombstone."""
        ...

    def headers(self) -> list[tuple[str, bytes]] | None:
        """The headers, in order."""
        ...


def consume(consumer: Any, at_most: int, wait_s: float) -> list[Message]:
    """What is there now; waits ``wait_s`` seconds for the first message, and for no other."""
    messages = consumer.consume(1, wait_s)
    if messages and at_most > 1:
        messages += consumer.consume(at_most - 1, 0)
    return cast("list[Message]", messages)


def read_from_beginning(consumer: Any, partitions: Mapping[str, int]) -> None:
    """Have a consumer read topics of so many partitions from their beginning, and no others.

    Who leads them is asked before: librdkafka waits for half a second before it asks where a
    partition begins whose leader it does not know yet. Brokers that are away are not waited for.
    """
    for topic in partitions:
        with suppress(ck.KafkaException):
            consumer.list_topics(topic, timeout=_ASKING_S)
    consumer.assign(
        [
            ck.TopicPartition(topic, number, ck.OFFSET_BEGINNING)
            for topic, count in partitions.items()
            for number in range(count)
        ]
    )


# To mypy, a message of ours is not quite confluent-kafka's: see above.
_error: Final[Any] = ck.Message.error
_topic: Final[Any] = ck.Message.topic
_partition: Final[Any] = ck.Message.partition
_offset: Final[Any] = ck.Message.offset
_timestamp: Final[Any] = ck.Message.timestamp
_value: Final[Any] = ck.Message.value
_milliseconds: Final = itemgetter(1)


@dataclass(frozen=True)
class Records(ABC):
    """The records of one topic, in the order in which they were read.

    ``partitions`` and ``offsets`` say where each record lies, row by row.
    """

    partitions: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)

    @abstractmethod
    def message(self, row: int) -> Message:
        """One record with all that it is."""

    @abstractmethod
    def values(self) -> Sequence[bytes | None]:
        """The values, row by row."""

    @abstractmethod
    def timestamps_ms(self) -> NDArray[np.int64]:
        """The timestamps, in milliseconds since 1970."""

    @abstractmethod
    def where(self, kept: NDArray[np.bool_]) -> Self:
        """Only the rows that are to be kept."""

    def ends(self) -> dict[int, int]:
        """By partition, the offset that follows the last record."""
        found = {}
        for partition in np.unique(self.partitions).tolist():
            found[partition] = int(self.offsets[self.partitions == partition].max()) + 1
        return found


@dataclass(frozen=True)
class Consumed(Records):
    """Records of which each is an object of confluent-kafka's."""

    messages: Sequence[Message]

    @classmethod
    def of(cls, messages: Sequence[Message]) -> "Consumed":
        """The messages with their places."""
        count = len(messages)
        return cls(
            np.fromiter(map(_partition, messages), np.int32, count),
            np.fromiter(map(_offset, messages), np.int64, count),
            messages,
        )

    def message(self, row: int) -> Message:
        """One record."""
        return self.messages[row]

    def values(self) -> Sequence[bytes | None]:
        """The values, row by row."""
        return list(map(_value, self.messages))

    def timestamps_ms(self) -> NDArray[np.int64]:
        """The timestamps, in milliseconds since 1970."""
        told = map(_milliseconds, map(_timestamp, self.messages))
        return np.fromiter(told, np.int64, len(self.messages))

    def where(self, kept: NDArray[np.bool_]) -> "Consumed":
        """Only the rows that are to be kept."""
        if kept.all():
            return self
        messages = list(compress(self.messages, kept.tolist()))
        return Consumed(self.partitions[kept], self.offsets[kept], messages)


AnyRecords_co = TypeVar("AnyRecords_co", bound=Records, covariant=True)


@dataclass(frozen=True)
class Taken(Generic[AnyRecords_co]):
    """What a consumer gave at once: records by topic, and what it has to say beside them."""

    records: Mapping[str, AnyRecords_co]
    news: Sequence[Message]

    def positions(self) -> dict[TopicPartition, int]:
        """By partition, the offset that follows the last record."""
        return {
            TopicPartition(topic, partition): end
            for topic, records in self.records.items()
            for partition, end in records.ends().items()
        }


def taken(messages: Sequence[Message]) -> Taken[Consumed]:
    """Messages, sorted."""
    errors = list(map(_error, messages))
    if all(map(is_, errors, repeat(None))):
        return Taken(_by_topic(messages), ())
    is_news = [error is not None for error in errors]
    records = [message for message, news in zip(messages, is_news, strict=True) if not news]
    return Taken(_by_topic(records), list(compress(messages, is_news)))


def _by_topic(messages: Sequence[Message]) -> dict[str, Consumed]:
    topics = list(map(_topic, messages))
    names = dict.fromkeys(topics)
    if len(names) <= 1:
        return {name: Consumed.of(messages) for name in names}
    return {name: Consumed.of(list(compress(messages, map(name.__eq__, topics)))) for name in names}


def where(message: Message) -> str:
    """A record's place, for a person to read."""
    return f"{message.topic()}[{message.partition()}]@{message.offset()}"
