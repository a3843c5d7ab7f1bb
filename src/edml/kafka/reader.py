"""A whole topic, read from its beginning and on: by who keeps all of it as a table.

No group, no commit: the table is rebuilt from the log at every start. Only what is committed is
read.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import confluent_kafka as ck

from edml.errors import LogError, TopicError
from edml.kafka.message import PROMPT, consume, read_from_beginning, taken
from edml.kafka.source import WHEN_AWAY
from edml.kafka.spans import QUIET

logger = logging.getLogger(__name__)

AT_ONCE: Final = 10_000

SELDOM_S: Final = 30.0
"""Brokers that are away are told of once in so many seconds."""


@dataclass(frozen=True)
class Read:
    """Values by partition, in the order of the log, and which partitions are read to the end."""

    values: Mapping[int, Sequence[bytes | None]]
    ended: frozenset[int]


class Reader:
    """Reads all partitions of a topic that exists."""

    def __init__(self, client: Mapping[str, Any], topic: str, partitions: int) -> None:
        self._topic = topic
        self._told_s = -SELDOM_S
        self._consumer = ck.Consumer(
            {
                **WHEN_AWAY,
                **PROMPT,
                **client,
                "log_level": QUIET,  # `_noticed` tells, and not at each attempt
                "error_cb": self._noticed,
                "group.id": "edml.reader",  # a consumer must name one; nothing is committed
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # what is deleted while we are slow is gone
                "fetch.message.max.bytes": 10_485_760,
            }
        )
        read_from_beginning(self._consumer, {topic: partitions})

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()

    def read(self, wait_s: float) -> Read:
        """What has come; waits up to ``wait_s`` for a first record.

        Raises `TopicError` when the topic is gone, and `LogError` when it cannot be read. Brokers
        that are away are waited for.
        """
        given = taken(consume(self._consumer, AT_ONCE, wait_s))
        ended = set()
        for message in given.news:
            error = cast("ck.KafkaError", message.error())
            if error.code() == ck.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                self._said(error)
        values: dict[int, list[bytes | None]] = defaultdict(list)
        for records in given.records.values():
            for partition, value in zip(records.partitions.tolist(), records.values(), strict=True):
                values[partition].append(value)
        return Read(values, frozenset(ended))

    def _noticed(self, error: ck.KafkaError) -> None:
        """Tell that brokers are away, now and then."""
        if time.monotonic() > self._told_s + SELDOM_S:
            self._told_s = time.monotonic()
            logger.warning("Waiting for Kafka to go on with %s. %s", self._topic, error.str())

    def _said(self, error: ck.KafkaError) -> None:
        if error.code() == ck.KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicError(
                "the topic does not exist",
                where=self._topic,
                todo="create it with `edml topics create`",
            )
        if error.fatal() or (error.code() > 0 and not error.retriable()):
            raise LogError(f"the topic cannot be read: {error.str()}", where=self._topic)
        logger.warning("Kafka: %s", error.str())
