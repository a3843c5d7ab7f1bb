"""What is on the log: topics with their sizes, consumer groups with their lag."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec, TopicMetadata

from edml.errors import LogError

TIMEOUT_S = 10.0
REPLAYS = "edml.replay."

Place: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""


@dataclass(frozen=True, slots=True)
class TopicSize:
    """A topic; ``messages`` counts offsets, so what compaction removed and markers count too."""

    topic: str
    partitions: int
    messages: int


@dataclass(frozen=True, slots=True)
class GroupLag:
    """How many offsets a consumer group is behind on one topic, all partitions added up."""

    group: str
    topic: str
    lag: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found on the log; Kafka's own topics are left out."""

    topics: tuple[TopicSize, ...]
    groups: tuple[GroupLag, ...]


def inspect(client: Mapping[str, str | int | float | bool]) -> Inspection:
    """Give back what is on the log that ``client``, librdkafka's properties, reaches.

    Raises ``LogError`` when it does not answer.
    """
    admin = AdminClient(dict(client))
    try:
        metadata = admin.list_topics(timeout=TIMEOUT_S).topics
        places = [place for name, topic in sorted(metadata.items()) for place in _places(topic)]
        first = _offsets(admin, places, OffsetSpec.earliest())
        end = _offsets(admin, places, OffsetSpec.latest())
        return Inspection(_sizes(first, end), _lags(admin, first, end))
    except KafkaException as error:
        raise LogError(
            f"the log cannot be inspected: {error.args[0].str()}",
            where=str(client["bootstrap.servers"]),
            todo="see with `edml status` whether the log runs; `edml up` starts it",
        ) from error


def _places(topic: TopicMetadata) -> list[Place]:
    name = str(topic.topic)
    return [] if name.startswith("__") else [(name, number) for number in sorted(topic.partitions)]


def _offsets(admin: AdminClient, places: Iterable[Place], spec: OffsetSpec) -> dict[Place, int]:
    asked = {TopicPartition(topic, number): spec for topic, number in places}
    if not asked:
        return {}
    answers = admin.list_offsets(
        asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=TIMEOUT_S
    )
    return {
        (place.topic, place.partition): answer.result().offset for place, answer in answers.items()
    }


def _sizes(first: Mapping[Place, int], end: Mapping[Place, int]) -> tuple[TopicSize, ...]:
    names = sorted({topic for topic, _ in end})
    return tuple(
        TopicSize(
            topic=name,
            partitions=sum(topic == name for topic, _ in end),
            messages=sum(end[place] - first[place] for place in end if place[0] == name),
        )
        for name in names
    )


def _lags(
    admin: AdminClient, first: Mapping[Place, int], end: Mapping[Place, int]
) -> tuple[GroupLag, ...]:
    listed = admin.list_consumer_groups(request_timeout=TIMEOUT_S).result().valid
    # A replay keeps its own place as an offset: how much it has written, not read.
    groups = sorted(group.group_id for group in listed if not group.group_id.startswith(REPLAYS))
    lags: list[GroupLag] = []
    for group in groups:
        lags.extend(_group_lags(group, _committed(admin, group), first, end))
    return tuple(lags)


def _committed(admin: AdminClient, group: str) -> dict[Place, int]:
    # The API takes one group at a call.
    (answer,) = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S
    ).values()
    committed = answer.result().topic_partitions or []
    return {(place.topic, place.partition): place.offset for place in committed}


def _group_lags(
    group: str,
    committed: Mapping[Place, int],
    first: Mapping[Place, int],
    end: Mapping[Place, int],
) -> list[GroupLag]:
    behind = {
        place: end[place] - max(offset, first[place])
        for place, offset in committed.items()
        if place in end
    }
    topics = sorted({topic for topic, _ in behind})
    return [
        GroupLag(group, name, sum(lag for place, lag in behind.items() if place[0] == name))
        for name in topics
    ]
