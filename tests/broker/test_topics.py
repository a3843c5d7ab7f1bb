from typing import TypeAlias
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from edml.errors import LogError, TopicError
from edml.kafka import inspection
from edml.kafka.embedded.ports import any_free_port
from edml.kafka.inspection import GroupLag, TopicSize, inspect
from edml.kafka.topics import TopicSpec, ensure_topics

Client: TypeAlias = dict[str, str | int | float | bool]

COMPACT = {"cleanup.policy": "compact"}


@pytest.fixture
def client(bootstrap_servers: str) -> Client:
    """The properties of a client of the running log."""
    return {"bootstrap.servers": bootstrap_servers}


@pytest.fixture
def name() -> str:
    """A name for a topic that no other test has."""
    return f"topic-{uuid4()}"


def test_missing_topics_are_created(client: Client, name: str) -> None:
    """What is missing is created as it was declared; the second time there is nothing to do."""
    specs = [TopicSpec(f"{name}-a", 3), TopicSpec(f"{name}-b", 1, COMPACT)]

    assert sorted(ensure_topics(client, specs)) == [f"{name}-a", f"{name}-b"]
    assert ensure_topics(client, specs) == ()


def test_other_number_of_partitions_is_refused(client: Client, name: str) -> None:
    """Keys would lie in other partitions than their readers believe."""
    ensure_topics(client, [TopicSpec(name, 3)])

    with pytest.raises(TopicError, match="has 3 partitions instead of 4"):
        ensure_topics(client, [TopicSpec(name, 4)])


def test_other_cleanup_policy_is_refused(client: Client, name: str) -> None:
    """A topic that deletes would lose the models that a compacted one keeps."""
    ensure_topics(client, [TopicSpec(name, 1)])

    with pytest.raises(TopicError, match=r"cleanup\.policy=delete instead of compact"):
        ensure_topics(client, [TopicSpec(name, 1, COMPACT)])


def test_tuned_settings_are_left_alone(client: Client, name: str) -> None:
    """Who runs the cluster may keep records longer than we would."""
    ensure_topics(client, [TopicSpec(name, 1, {"retention.ms": "86400000"})])

    assert ensure_topics(client, [TopicSpec(name, 1, {"retention.ms": "3600000"})]) == ()


def test_impossible_topic_is_refused(client: Client) -> None:
    """A name that Kafka does not allow is told as Kafka tells it."""
    with pytest.raises(TopicError, match="cannot be created"):
        ensure_topics(client, [TopicSpec("no spaces, please", 1)])


def test_created_topics_can_be_written_at_once(client: Client, name: str) -> None:
    """The first record after the creation is acknowledged, on each partition."""
    ensure_topics(client, [TopicSpec(name, 4)])
    problems: list[object] = []
    producer = Producer(client)
    for partition in range(4):
        producer.produce(
            name, b"x", partition=partition, on_delivery=lambda error, _: problems.append(error)
        )
    producer.flush(30)

    assert problems == [None] * 4


def test_inspection_counts_messages_and_lag(client: Client, name: str) -> None:
    """Topics have their sizes, groups the number of messages that they have not committed."""
    ensure_topics(client, [TopicSpec(name, 2)])
    producer = Producer(client)
    for number in range(10):
        producer.produce(name, b"x", partition=number % 2)
    producer.flush(30)
    consumer = Consumer({**client, "group.id": name})
    committed = [TopicPartition(name, 0, 3), TopicPartition(name, 1, 1)]
    consumer.commit(offsets=committed, asynchronous=False)
    consumer.close()

    inspection = inspect(client)

    assert TopicSize(name, partitions=2, messages=10) in inspection.topics
    assert GroupLag(name, name, lag=6) in inspection.groups


def test_unreachable_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that does not answer is an error that says so, not an empty log."""
    monkeypatch.setattr(inspection, "TIMEOUT_S", 1.0)  # nobody comes, however long is waited
    client: Client = {"bootstrap.servers": f"127.0.0.1:{any_free_port()}", "log_level": 0}

    with pytest.raises(LogError, match="cannot be inspected"):
        inspect(client)
