"""Writes a replay to Kafka so that it can be stopped anywhere, even killed, and gone on with.

A transaction holds some records and, as the offset of a consumer group of the replay's own, how
many have been written by then: both are on the log, or neither. The group's name is the
transactional id, too: whoever takes a replay over ends what the one before left open (KIP-98), and
two who write the same one at a time do not mix.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import confluent_kafka as ck
import polars as pl

from edml.errors import LogError
from edml.kafka.sink import ONE_IN_FLIGHT, Encodes

TIMEOUT_S: Final = 15.0
RETRY_FOR_S: Final = 60.0
RETRY_EVERY_S: Final = 0.05
ATTEMPTS: Final = 3
ERRORS_ONLY: Final = 3
"""What librdkafka tells on standard error (syslog's levels): what it retries is no news."""

TODO: Final = "run the replay again: it goes on where it stopped"


class Replayer:
    """The log of one replay, named ``group``; ``encoders`` are those of the topics it writes to.

    How far it is, is kept as an offset of the partition 0 of ``topic``.
    """

    def __init__(
        self, client: Mapping[str, Any], *, group: str, topic: str, encoders: Mapping[str, Encodes]
    ) -> None:
        self._encoders = encoders
        self._topic = topic
        self._undelivered: list[ck.KafkaError] = []
        self._group = ck.Consumer(
            {
                "log_level": ERRORS_ONLY,
                **client,
                "group.id": group,
                "enable.auto.commit": False,
            }
        )
        self._producer = ck.Producer(
            {
                "log_level": ERRORS_ONLY,
                "transaction.timeout.ms": 10_000,
                **ONE_IN_FLIGHT,
                **client,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "transactional.id": group,
            }
        )
        try:
            self._until_answered(self._producer.init_transactions, TIMEOUT_S)
        except ck.KafkaException as error:
            raise _refused(error) from error

    def done(self) -> tuple[int, int]:
        """What was last written as ``done``, whoever wrote it; zeros at the very first."""
        asked = [ck.TopicPartition(self._topic, 0)]
        try:
            (found,) = self._group.committed(asked, timeout=TIMEOUT_S)
        except ck.KafkaException as error:
            raise _refused(error) from error
        if found.offset < 0:
            return 0, 0
        return found.offset, int(found.metadata or 0)

    def write(self, records: Mapping[str, pl.DataFrame], done: tuple[int, int]) -> None:
        """Write records by topic, and how far the replay is then: both or neither.

        That is the number of records that are done, and of those left out at the beginning. Raises
        `LogError` when the log does not take them.
        """
        encoded = {topic: self._encoders[topic].encode(frame) for topic, frame in records.items()}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._transaction(encoded, done)
            except ck.KafkaException as error:
                if error.args[0].fatal() or attempt == ATTEMPTS:
                    raise _refused(error) from error
                self._abort()
            else:
                return

    def close(self) -> None:
        """Leave the group."""
        self._group.close()

    def _transaction(
        self, encoded: Mapping[str, list[dict[str, Any]]], done: tuple[int, int]
    ) -> None:
        self._producer.begin_transaction()
        for topic, records in encoded.items():
            each_its_own = [dict(record) for record in records]
            queued = self._producer.produce_batch(topic, each_its_own)
            if queued < len(records):
                raise ck.KafkaException(next(r["_error"] for r in each_its_own if "_error" in r))
        place = ck.TopicPartition(self._topic, 0, done[0], str(done[1]))
        self._until_answered(
            self._producer.send_offsets_to_transaction,
            [place],
            self._group.consumer_group_metadata(),
        )
        self._until_answered(self._producer.commit_transaction)

    def _abort(self) -> None:
        try:
            self._until_answered(self._producer.abort_transaction)
        except ck.KafkaException as error:
            raise _refused(error) from error

    @staticmethod
    def _until_answered(call: Callable[..., None], *arguments: object) -> None:
        """Call until it succeeds, or fails for good."""
        until = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                call(*arguments)
            except ck.KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > until:
                    raise
                time.sleep(RETRY_EVERY_S)
            else:
                return


def _refused(error: ck.KafkaException) -> LogError:
    cause: ck.KafkaError = error.args[0]
    if cause.fatal():
        return LogError(
            "the same replay was started elsewhere and goes on there, or this process was suspended"
            f" in the middle of a write: {cause.str()}",
            todo="if nothing else writes it, run it again: it goes on where it stopped",
        )
    return LogError(f"the log does not take the replay's records: {cause.str()}", todo=TODO)
