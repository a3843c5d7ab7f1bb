"""Topics followed from outside, record by record, as any reader sees them: for displays and checks.

No group, no commit: whoever follows disturbs nobody. Only what is committed is seen.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import confluent_kafka as ck

from edml.errors import LogError
from edml.kafka.message import Message, consume, read_from_beginning

AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Record:
    """A record as its bytes; ``timestamp_ms`` is the record's own (milliseconds since 1970)."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass(frozen=True)
class Arrival:
    """Records by topic, and when they were here (seconds since 1970, this machine's clock)."""

    at: float
    records: Mapping[str, Sequence[Record]]


class Follower:
    """Reads all partitions of topics that exist, from their beginning. Use it as a context."""

    def __init__(self, client: Mapping[str, Any], topics: Mapping[str, int]) -> None:
        """``topics`` gives the number of partitions of each topic."""
        self._consumer = ck.Consumer(
            {
                **client,
                "group.id": "edml.follow",  # a consumer must name one; nothing is committed
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.message.max.bytes": 10_485_760,
            }
        )
        read_from_beginning(self._consumer, topics)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def read(self, wait_s: float) -> Arrival:
        """What has arrived; waits up to ``wait_s`` for a first record.

        Raises `LogError` when a topic cannot be read.
        """
        messages = consume(self._consumer, AT_ONCE, wait_s)
        return Arrival(time.time(), _by_topic(messages))


def _by_topic(messages: Iterable[Message]) -> Mapping[str, Sequence[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for message in messages:
        error = message.error()
        if error is None:
            found[message.topic()].append(_record(message))
        elif not error.retriable():
            raise LogError(
                f"the topic cannot be followed: {error.str()}",
                where=f"{message.topic()}[{message.partition()}]",
                todo="see with `edml status` whether the log runs",
            )
    return found


def _record(message: Message) -> Record:
    return Record(
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=dict(message.headers() or ()),
    )
