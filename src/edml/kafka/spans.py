"""Where topics begin and end, and how the log is asked such things."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from edml.errors import LogError, TopicError

TIMEOUT_S: Final = 15.0
PAUSE_S: Final = 0.1
MOVING: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
"""What is said of a partition that has just been created or moved: ask again."""

QUIET: Final = 0
"""Of librdkafka's own messages: what goes wrong is told by the error that is raised."""

Client: TypeAlias = Mapping[str, Any]
"""librdkafka's properties."""

Offsets: TypeAlias = Mapping[int, int]
"""An offset by partition."""


@dataclass(frozen=True)
class Span:
    """A topic's first offset by partition, and the one after the last that is committed."""

    first: Offsets
    end: Offsets

    @property
    def offsets(self) -> int:
        """How many offsets are in use."""
        return sum(self.end[number] - self.first[number] for number in self.end)


@contextmanager
def asking(client: Client) -> Iterator[AdminClient]:
    """A client to ask the log with; raises `LogError` when it does not answer."""
    try:
        yield AdminClient({"log_level": QUIET, **client})
    except KafkaException as error:
        raise LogError(
            f"the log does not answer: {error.args[0].str()}",
            where=str(client["bootstrap.servers"]),
            todo="see with `edml status` whether it runs; `edml up` starts it",
        ) from error


def span(client: Client, topic: str) -> Span:
    """Where a topic begins and ends. Raises `TopicError` when there is none of this name."""
    found = spans(client, [topic])
    if topic not in found:
        raise TopicError(
            f"there is no topic {topic}",
            where=str(client["bootstrap.servers"]),
            todo="create the application's topics with `edml topics create`",
        )
    return found[topic]


def spans(client: Client, topics: Iterable[str]) -> dict[str, Span]:
    """Where those of some topics begin and end that exist, in their order."""
    with asking(client) as admin:
        existing = admin.list_topics(timeout=TIMEOUT_S).topics
        found = {
            name: [TopicPartition(name, number) for number in existing[name].partitions]
            for name in dict.fromkeys(topics)
            if name in existing
        }
        places = [place for each in found.values() for place in each]
        first = listed(admin, places, OffsetSpec.earliest())
        end = listed(admin, places, OffsetSpec.latest())
    return {name: Span(first[name], end[name]) for name in found}


def topic_names(client: Client) -> list[str]:
    """The topics on the log, without Kafka's own."""
    with asking(client) as admin:
        found = admin.list_topics(timeout=TIMEOUT_S).topics
    return sorted(name for name in found if not name.startswith("__"))


def listed(
    admin: AdminClient, places: Iterable[TopicPartition], spec: OffsetSpec
) -> dict[str, dict[int, int]]:
    """The offset that ``spec`` stands for, by topic and partition; -1 where there is none."""
    asked = dict.fromkeys(places, spec)
    if not asked:
        return {}
    until = time.monotonic() + TIMEOUT_S
    while True:
        answers = admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT_S
        )
        found: dict[str, dict[int, int]] = {}
        try:
            for place, answer in answers.items():
                found.setdefault(place.topic, {})[place.partition] = answer.result().offset
        except KafkaException as error:
            if error.args[0].code() not in MOVING or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)
        else:
            return found
