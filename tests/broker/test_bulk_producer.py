"""A producer that tells of failures alone, on a real broker and on none."""

import ctypes
import time
import uuid
from collections.abc import Iterator

import confluent_kafka as ck
import numpy as np
import polars as pl
import pytest
from confluent_kafka import cimpl
from confluent_kafka.admin import AdminClient, NewTopic

from edml.kafka.bulk_producer import BulkProducer, fits
from edml.kafka.codec.blocks import Block
from edml.kafka.codec.pieces import texts
from edml.kafka.packed import Packed, produce
from edml.kafka.sink import ONE_IN_FLIGHT

PARTITIONS = 3
COUNT = 3_000
NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
PARTITIONER = {"partitioner": "murmur2_random"}


def records(count: int = COUNT, *, value_bytes: int = 20) -> Packed:
    """Keys that differ, and values that say which row they are of."""
    rows = pl.Series(range(count)).cast(pl.String)
    keys, values = texts("key " + rows), texts(rows.str.pad_start(value_bytes))
    assert isinstance(keys, Block)
    assert isinstance(values, Block)
    return Packed(keys, values)


@pytest.fixture
def topic(bootstrap_servers: str) -> str:
    """A topic that takes no record of more than some 100 bytes."""
    name = f"bulk-{uuid.uuid4()}"
    new = NewTopic(name, num_partitions=PARTITIONS, config={"max.message.bytes": "200"})
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([new])[name].result(30)
    return name


@pytest.fixture
def producer(bootstrap_servers: str) -> Iterator[BulkProducer]:
    """One that is set as ours are; each batch is a record, which makes requests small.

    With more than one in flight, 4 of 150 runs on a new topic lost a record, and told nobody.
    """
    producer = BulkProducer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            **ONE_IN_FLIGHT,
            "batch.num.messages": 1,
            **PARTITIONER,
        }
    )
    yield producer
    producer.close()


def written(bootstrap_servers: str, topic: str, count: int) -> dict[bytes, ck.Message]:
    """The first ``count`` records of a topic, by key."""
    consumer = ck.Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "nobody"})
    places = [ck.TopicPartition(topic, each, 0) for each in range(PARTITIONS)]
    consumer.assign(places)
    found: dict[bytes, ck.Message] = {}
    until = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until:
        found |= {
            each.key() or b"": each for each in consumer.consume(count, 0.2) if not each.error()
        }
    consumer.close()
    return found


def flush(producer: BulkProducer) -> None:
    """Wait until nothing is under way."""
    until = time.monotonic() + 30
    while producer.flush(0.1):
        assert time.monotonic() < until


def fail(producer: BulkProducer) -> None:
    """Have librdkafka meet an error after which an idempotent producer cannot go on."""
    refused = int(ck.KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    raise_it = ctypes.CDLL(cimpl.__file__).rd_kafka_test_fatal_error
    raise_it(ctypes.c_void_p(producer.client), refused, b"for a test")


def test_delivers_what_it_is_given(
    producer: BulkProducer, bootstrap_servers: str, topic: str
) -> None:
    """Each record is on the log, in the partition that confluent-kafka puts its key into."""
    assert len(produce(producer.client, topic, records())) == 0
    assert len(producer) > 0
    flush(producer)
    assert producer.failures() == []
    found = written(bootstrap_servers, topic, COUNT)
    assert {int(each.value() or b"") for each in found.values()} == set(range(COUNT))

    theirs = ck.Producer({"bootstrap.servers": bootstrap_servers, **PARTITIONER})
    partitions: dict[bytes, int | None] = {}
    for key in list(found)[:50]:
        theirs.produce(
            topic,
            key=key,
            on_delivery=lambda _, m: partitions.update({m.key() or b"": m.partition()}),
        )
    theirs.flush(30)
    assert {key: found[key].partition() for key in partitions} == partitions
    assert len(partitions) == 50


def test_tells_what_the_broker_refuses(
    producer: BulkProducer, bootstrap_servers: str, topic: str
) -> None:
    """The cause, once for each answer; the neighbours are delivered."""
    flush(producer)
    produce(producer.client, topic, records(1, value_bytes=200))
    produce(producer.client, topic, records(10))
    flush(producer)
    (failure,) = producer.failures()
    assert failure.topic == topic
    assert failure.error.code() == ck.KafkaError.MSG_SIZE_TOO_LARGE
    assert "too large" in failure.error.str()
    assert producer.failures() == []
    assert len(written(bootstrap_servers, topic, 10)) == 10


def test_tells_what_waits_for_too_long() -> None:
    """Without a broker, all of them."""
    producer = BulkProducer({**NOWHERE, "message.timeout.ms": 300})
    produce(producer.client, "nowhere", records(500))
    flush(producer)
    told = {(each.topic, each.error.str()) for each in producer.failures()}
    assert told == {("nowhere", "Local: Message timed out")}
    assert len(producer) == 0
    producer.close()


def test_failures_cannot_be_switched_off() -> None:
    """Whatever a person sets."""
    told = {"message.timeout.ms": 300, "enabled_events": 0, "delivery.report.only.error": False}
    producer = BulkProducer({**NOWHERE, **told})
    produce(producer.client, "nowhere", records(500))
    flush(producer)
    assert producer.failures()
    producer.close()


def test_what_is_fatal_is_raised() -> None:
    """What is queued then is thrown away by librdkafka, which says of each record just that."""
    producer = BulkProducer({**NOWHERE, "enable.idempotence": True})
    produce(producer.client, "nowhere", records(500))
    fail(producer)
    with pytest.raises(ck.KafkaException, match="for a test") as raised:
        flush(producer)
    assert raised.value.args[0].fatal()
    with pytest.raises(ck.KafkaException) as refused:
        produce(producer.client, "nowhere", records(500))
    assert refused.value.args[0].fatal()
    producer.close()


def test_does_not_fit_where_tokens_are_needed() -> None:
    """They are confluent-kafka's business."""
    assert fits({**NOWHERE, "sasl.mechanism": "PLAIN"})
    assert not fits({**NOWHERE, "sasl.mechanism": "OAUTHBEARER"})
    assert not fits({**NOWHERE, "sasl.mechanisms": "oauthbearer"})


def test_a_full_queue_gives_back_what_it_has_no_room_for() -> None:
    """They can be queued again later."""
    producer = BulkProducer({**NOWHERE, "queue.buffering.max.messages": 200})
    left = produce(producer.client, "nowhere", records(500))
    assert len(left) == 300
    assert len(producer) >= 200
    assert np.array_equal(left.values.sizes, records(500).rows(np.arange(200, 500)).values.sizes)
    producer.close()


def test_a_wrong_property_is_named() -> None:
    """As confluent-kafka does."""
    with pytest.raises(ck.KafkaException, match=r"no\.such\.property"):
        BulkProducer({**NOWHERE, "no.such.property": 1})
    with pytest.raises(ck.KafkaException, match=r"enable\.idempotence"):
        BulkProducer({"enable.idempotence": True, "acks": 0})
