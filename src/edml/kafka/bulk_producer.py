"""A producer that tells of what it could not deliver, and is silent about the rest.

At least once, offsets may follow outputs only when each of them was delivered. confluent-kafka
tells that of each record, with the interpreter's lock in its hands. librdkafka itself can do less:
with ``delivery.report.only.error`` nothing is told of a record that was delivered, what failed
comes as an event, many records at once, and who flushes sleeps until nothing is under way any more.

confluent-kafka does not set its clients up in that way. So this one is librdkafka's own; records
with headers, or which are few, go through confluent-kafka's beside it. So do all of them where
confluent-kafka itself fetches the tokens that open connections (`fits`).
"""

import ctypes
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import confluent_kafka as ck

from edml.kafka import librdkafka as lib
from edml.kafka.packed import fatal_error

_TOKENS: Final = "OAUTHBEARER"
_MECHANISMS: Final = ("sasl.mechanism", "sasl.mechanisms")


def fits(config: Mapping[str, Any]) -> bool:
    """Whether librdkafka can do without confluent-kafka, which knows more ways to get a token."""
    return all(str(config.get(name)).upper() != _TOKENS for name in _MECHANISMS)


class Failure(NamedTuple):
    """Why records of a topic were not delivered."""

    topic: str
    error: ck.KafkaError


class BulkProducer:
    """A producer for `edml.kafka.packed.produce`; ``config`` holds librdkafka's properties.

    ``client`` is its ``rd_kafka_t *``.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises `ck.KafkaException` when librdkafka does not take a property."""
        self.client = _new({**config, "delivery.report.only.error": True})
        self._events = lib.queue_get_main(self.client)
        self._failures: list[Failure] = []

    def __len__(self) -> int:
        """How many records are not delivered yet, and what news waits to be told."""
        count: int = lib.outq_len(self.client)
        return count

    def flush(self, timeout_s: float) -> int:
        """Wait until nothing is under way, for ``timeout_s`` seconds; gives back what still is.

        Raises `ck.KafkaException` when nothing more can be written: what was queued is gone then.
        """
        lib.flush(self.client, int(1000 * timeout_s))
        while event := lib.queue_poll(self._events, 0):
            try:
                self._failures += _failures(event)
            finally:
                lib.event_destroy(event)
        if (fatal := fatal_error(self.client)) is not None:
            raise ck.KafkaException(fatal)
        return len(self)

    def failures(self) -> list[Failure]:
        """What failed since this was last asked: each cause once for each answer of a broker."""
        failures, self._failures = self._failures, []
        return failures

    def close(self) -> None:
        """Let go of the connections; what is still queued is not delivered."""
        lib.queue_destroy(self._events)
        lib.destroy(self.client)


def _new(config: Mapping[str, Any]) -> int:
    told = ctypes.create_string_buffer(lib.TEXT_BYTES)
    properties = lib.conf_new()
    refused = any(
        lib.conf_set(properties, name.encode(), _text(value), told, lib.TEXT_BYTES)
        for name, value in config.items()
    )
    lib.conf_set_events(properties, lib.DELIVERIES | lib.ERRORS)
    client = None if refused else lib.new(lib.PRODUCER, properties, told, lib.TEXT_BYTES)
    if client is None:
        lib.conf_destroy(properties)
        cause = told.value.decode(errors="replace")
        raise ck.KafkaException(ck.KafkaError(ck.KafkaError._INVALID_ARG, cause))
    return int(client)


def _text(value: object) -> bytes:
    """A property as librdkafka reads it."""
    return (str(value).lower() if isinstance(value, bool) else str(value)).encode()


def _failures(event: int) -> list[Failure]:
    """The causes that an event tells; it is of one topic."""
    causes = {}
    for message in _messages(event):
        if message.err and message.err not in causes:
            topic = lib.topic_name(message.rkt).decode()
            causes[message.err] = Failure(topic, ck.KafkaError(message.err))
    return list(causes.values())


def _messages(event: int) -> Iterator[lib.MessageStruct]:
    while at := lib.event_message_next(event):
        yield lib.MessageStruct.from_address(at)
