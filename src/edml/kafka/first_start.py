"""Where a partition begins that has no committed offset.

At a first start that is its beginning. But committed offsets also expire when a group has been idle
for long, and then to start over silently would write everything again. The two are told apart by
what was written: a partition number whose outputs are not empty has been read before, and so has
every one if outputs are not empty while the group has no committed offset at all.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any

from edml.errors import LogError, TopicError
from edml.events import TopicPartition
from edml.kafka.group_offsets import places
from edml.kafka.spans import Span, spans


class FirstStart:
    """Gives the first offsets of inputs' partitions; refuses to write again what was written."""

    def __init__(
        self,
        client: Mapping[str, Any],
        group: str,
        *,
        inputs: Iterable[str],
        outputs: Iterable[str],
    ) -> None:
        self._client = client
        self._group = group
        self._inputs = list(inputs)
        self._outputs = list(outputs)

    def __call__(self, fresh: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each of these partitions begins; the log and the group are asked once for all.

        Raises `LogError` when this is no first start, and `TopicError` when an output has not got
        the partition of its keys.
        """
        topics = spans(self._client, {*(each.topic for each in fresh), *self._outputs})
        known = cache(lambda: places(self._client, self._group, self._inputs))
        for each in fresh:
            self._check(each, topics, known)
        return {each: topics[each.topic].first[each.partition] for each in fresh}

    def _check(
        self,
        partition: TopicPartition,
        topics: Mapping[str, Span],
        known: Callable[[], Mapping[TopicPartition, int]],
    ) -> None:
        written = [
            topic for topic in self._outputs if self._written(topic, topics, partition.partition)
        ]
        if not written and not known():
            written = [topic for topic in self._outputs if any(topics[topic].end.values())]
        if written:
            raise LogError(
                f"{self._group} has no committed offset, but has written to "
                f"{', '.join(written)}: the offset has expired or was deleted, and to start over "
                "would write it all again",
                where=str(partition),
                todo="say where to go on: "
                f"`edml topics seek --lost --group {self._group} --to TIME`, the time when it last "
                "ran, or `--to latest`",
            )

    def _written(self, topic: str, topics: Mapping[str, Span], number: int) -> bool:
        if topic not in topics or number not in topics[topic].end:
            there = len(topics[topic].end) if topic in topics else 0
            raise TopicError(
                f"{topic} has {there} partitions, and none of number {number}",
                where=topic,
                todo="topics that are read and written together need as many partitions each. "
                "Adding some parts keys from their history: create the topics anew",
            )
        return topics[topic].end[number] > 0
