"""A group whose offsets are held by a transaction that nobody ends."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from edml.events import TopicPartition
from edml.kafka import source
from edml.kafka.codec.decode import Decoded
from edml.kafka.source import Source
from edml.runtime.log import Assignment

HELD_AT = 7
PATIENCE_S = 60.0


class Nothing:
    """Decodes nothing: there is nothing to decode."""

    def decode(self, values: object) -> Decoded:
        """Never called."""
        raise AssertionError(values)


@pytest.fixture
def place(bootstrap_servers: str) -> TopicPartition:
    """The only partition of a topic."""
    name = f"held-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, num_partitions=1)])[name].result(30)
    return TopicPartition(name, 0)


@contextmanager
def held(bootstrap_servers: str, group: str, place: TopicPartition) -> Iterator[ck.Producer]:
    """An open transaction with an offset of a group."""
    client = {"bootstrap.servers": bootstrap_servers}
    producer = ck.Producer({**client, "transactional.id": f"{group}.somebody"})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    with closing(ck.Consumer({**client, "group.id": group})) as consumer:
        producer.send_offsets_to_transaction(
            [ck.TopicPartition(place.topic, place.partition, HELD_AT)],
            consumer.consumer_group_metadata(),
            PATIENCE_S,
        )
    yield producer


def assigned(reading: Source, seconds: float) -> Assignment | None:
    """What is ours, if that is told within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        told = reading.read(at_most=1, wait_s=0.1)
        if isinstance(told, Assignment):
            return told
    return None


@pytest.mark.parametrize("commits", [True, False])
def test_who_waits_for_an_offset_says_what_holds_it(
    bootstrap_servers: str,
    place: TopicPartition,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    commits: bool,
) -> None:
    """An offset that a transaction may still move is not read; once it is over, we go on."""
    monkeypatch.setattr(source, "ASK_S", 2.0)
    monkeypatch.setattr(source, "HELD_AFTER_S", 1.0)
    group = f"group-{uuid.uuid4()}"
    waiting = Source(
        {"bootstrap.servers": bootstrap_servers, "group.id": group},
        {place.topic: Nothing()},
        first=lambda places: dict.fromkeys(places, 0),
        before_revoke=lambda: None,
        timestamps=False,
    )
    with closing(waiting), held(bootstrap_servers, group, place) as producer:
        assert assigned(waiting, 8.0) is None
        assert f"holds the offsets of {group}" in caplog.text
        if commits:
            producer.commit_transaction(PATIENCE_S)
        else:
            producer.abort_transaction(PATIENCE_S)
        told = assigned(waiting, PATIENCE_S)
    assert told is not None
    assert told.partitions[place].offset == (HELD_AT if commits else 0)
