"""Where a partition begins that has no committed offset.

At a first start that is its beginning. But committed offsets also expire when a group has been idle
for long, and then to start over silently would write everything again. The two are told apart by
what was written: a partition number whose outputs are not empty has been read before.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import confluent_kafka as ck

from edml.errors import LogError
from edml.events import TopicPartition

TIMEOUT_S = 30.0


class FirstStart:
    """Gives the first offset of an input's partition; refuses to write again what was written."""

    def __init__(self, client: Mapping[str, Any], outputs: Iterable[str]) -> None:
        self._client = client
        self._outputs = list(outputs)

    def __call__(self, partition: TopicPartition) -> int:
        """The beginning of ``partition``; raises `LogError` when this is no first start."""
        consumer = ck.Consumer({**self._client, "group.id": "edml.watermarks"})
        try:
            for topic in self._outputs:
                _, end = _offsets(consumer, TopicPartition(topic, partition.partition))
                if end > 0:
                    raise LogError(
                        f"{partition} has no committed offset, but {topic} has been written: the "
                        "offset has expired or was deleted, and to start over would write it all "
                        "again",
                        where=str(partition),
                        todo="say where to go on with `edml topics seek`",
                    )
            first, _ = _offsets(consumer, partition)
            return first
        finally:
            consumer.close()


def _offsets(consumer: ck.Consumer, partition: TopicPartition) -> tuple[int, int]:
    """The first offset and the one after the last."""
    found: tuple[int, int] = consumer.get_watermark_offsets(
        ck.TopicPartition(*partition), timeout=TIMEOUT_S
    )
    return found
