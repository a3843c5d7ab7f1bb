"""A message as a consumer of ours gets it.

confluent-kafka's own types allow None for a topic, a partition and an offset, which every message
has that was consumed.
"""

from typing import Any, Protocol, cast

import confluent_kafka as ck


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
