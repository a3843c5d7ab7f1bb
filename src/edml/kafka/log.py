"""Kafka behind the runtime's port `edml.runtime.log.Log`: a source and a sink in one group."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from edml.events import Batch, Outputs, TopicPartition
from edml.kafka.burial import DeadLetters
from edml.kafka.first_start import FirstStart
from edml.kafka.sink import Encodes, InFlight, Sink
from edml.kafka.source import Decodes, KafkaReading, Source
from edml.runtime.log import Assignment, Committed

Guarantee = Literal["exactly_once", "at_least_once"]

SESSION_TIMEOUT_MS = 10_000

FETCHES: Final[Mapping[str, Any]] = {
    "fetch.message.max.bytes": 2_097_152,
    "queued.max.messages.kbytes": 16_384,
    "fetch.queue.backoff.ms": 10,
}
"""What is fetched of a partition at once, how much is fetched ahead in all, and how soon it is seen
that there is room for more (after a second by default, in which the loop would run dry).

A batch takes all that is there, up to its number of records. So this bounds what it may hold, which
is several times as much when it is decoded, and twice that with another one being committed.
"""


class KafkaLog:
    """Reads and writes as one instance of one group.

    ``client`` holds librdkafka properties; ``instance`` is who this process is. Who does without
    ``timestamps`` gets frames without `TIMESTAMP`, sooner.
    """

    def __init__(  # noqa: PLR0913  each has its name where it is called
        self,
        client: Mapping[str, Any],
        *,
        group: str,
        instance: str,
        inputs: Mapping[str, Decodes],
        outputs: Mapping[str, Encodes],
        dead_letters: DeadLetters,
        guarantee: Guarantee = "exactly_once",
        timestamps: bool = True,
    ) -> None:
        self._sink = Sink(
            client,
            outputs,
            dead_letters,
            instance=instance if guarantee == "exactly_once" else None,
            commit_offsets=self._commit_offsets,
        )
        self._source = Source(
            {
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": SESSION_TIMEOUT_MS // 4,
                **FETCHES,
                **client,
                "group.id": group,
                "group.instance.id": instance,
            },
            inputs,
            first=FirstStart(client, group, inputs=inputs, outputs=outputs),
            before_revoke=self._sink.finish,
            timestamps=timestamps,
        )

    def read(self, *, at_most: int, wait_s: float) -> KafkaReading | Assignment | None:
        """What is there now."""
        return self._source.read(at_most=at_most, wait_s=wait_s)

    def again(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[Batch]:
        """The records of some spans once more."""
        return self._source.again(spans)

    def resume(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets."""
        self._source.resume(positions)

    def commit(
        self, reading: KafkaReading, outputs: Outputs, places: Mapping[TopicPartition, Committed]
    ) -> InFlight:
        """Begin to write outputs, dead letters and offsets."""
        return self._sink.commit(reading, outputs, places)

    def close(self) -> None:
        """Finish what is under way, and leave the group."""
        self._sink.close()
        self._source.close()

    def _commit_offsets(self, places: Mapping[TopicPartition, Committed]) -> None:
        self._source.commit(places)
