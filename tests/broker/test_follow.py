"""Topics are followed from outside as a client sees them."""

import time
import uuid
from collections.abc import Iterator

import confluent_kafka as ck
import pytest

from edml.errors import LogError
from edml.kafka.follow import Follower, Record
from edml.kafka.raw import write_raw
from edml.kafka.topics import TopicSpec, ensure_topics

PATIENCE_S = 30.0


@pytest.fixture
def client(bootstrap_servers: str) -> dict[str, str | int | float | bool]:
    """How the broker is reached."""
    return {"bootstrap.servers": bootstrap_servers}


@pytest.fixture
def topic(client: dict[str, str | int | float | bool]) -> str:
    """A topic of three partitions."""
    name = f"followed-{uuid.uuid4().hex[:8]}"
    ensure_topics(client, [TopicSpec(name, 3)])
    return name


def following(follower: Follower, topic: str) -> Iterator[Record]:
    """The records of a topic, one after the other."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        yield from follower.read(0.1).records.get(topic, ())


def test_records_of_all_partitions_come_as_they_were_written(
    client: dict[str, str | int | float | bool], topic: str
) -> None:
    """What is there already, and what comes later."""
    before_ms = time.time() * 1000
    written = [(f"key-{number}".encode(), f"value-{number}".encode()) for number in range(40)]
    write_raw(client, topic, written[:20])
    with Follower(client, {topic: 3}) as follower:
        records = following(follower, topic)
        found = [next(records) for _ in range(20)]
        write_raw(client, topic, written[20:])
        found += [next(records) for _ in range(20)]
    assert sorted((each.key, each.value) for each in found) == sorted(written)
    assert {each.partition for each in found} == {0, 1, 2}
    assert all(before_ms - 1 <= each.timestamp_ms <= time.time() * 1000 for each in found)


def test_only_what_is_committed_is_seen(
    client: dict[str, str | int | float | bool], topic: str
) -> None:
    """An aborted record never comes."""
    producer = ck.Producer({**client, "transactional.id": topic})
    producer.init_transactions()
    for value, end in (
        (b"aborted", producer.abort_transaction),
        (b"committed", producer.commit_transaction),
    ):
        producer.begin_transaction()
        producer.produce(topic, value=value, partition=0)
        producer.flush()
        end()
    with Follower(client, {topic: 3}) as follower:
        assert next(following(follower, topic)).value == b"committed"


def test_a_record_that_the_log_refuses_is_an_error(
    client: dict[str, str | int | float | bool],
) -> None:
    """It is not lost silently."""
    with pytest.raises(LogError, match="were not written"):
        write_raw(client, "a topic's name has no blanks", [(b"key", b"value")])
