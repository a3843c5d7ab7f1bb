"""Records read from librdkafka's memory, beside the same records as objects."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from edml.events import TopicPartition
from edml.kafka.fetched import Fetched, Inlet
from edml.kafka.message import Message, Records, Taken

PARTITIONS = 3
RECORDS = 5_000
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def topic(bootstrap_servers: str) -> str:
    """A topic with records of all kinds: nulls, nothing, headers, long ones; in small batches."""
    name = f"fetched-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, num_partitions=PARTITIONS)])[name].result(30)
    producer = ck.Producer({"bootstrap.servers": bootstrap_servers, "batch.num.messages": 70})
    for number in range(RECORDS):
        producer.produce(
            name,
            key=None if number % 7 == 0 else b"key %d" % number,
            value=None if number % 11 == 0 else b"v" * (number % 13 + 3_000 * (number % 97 == 0)),
            partition=number % PARTITIONS,
            timestamp=1_575_000_000_000 + number,
            headers=[("a", b"%d" % number), ("a", b""), ("none", None)] if number % 5 == 0 else [],
        )
    assert producer.flush(30) == 0
    return name


@contextmanager
def consuming(bootstrap_servers: str) -> Iterator[ck.Consumer]:
    """A consumer of no group's."""
    consumer = ck.Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "nobody",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


@contextmanager
def reading(bootstrap_servers: str, topic: str) -> Iterator[tuple[ck.Consumer, Inlet]]:
    """The inlet of a consumer, and all partitions leading there."""
    with consuming(bootstrap_servers) as consumer:
        inlet = Inlet(consumer)
        consumer.list_topics(topic, timeout=PATIENCE_S)
        inlet.lead(TopicPartition(topic, number) for number in range(PARTITIONS))
        try:
            yield consumer, inlet
        finally:
            inlet.close()


def begin(consumer: ck.Consumer, topic: str, offset: int) -> None:
    """Have all partitions read from there on."""
    consumer.assign([ck.TopicPartition(topic, number, offset) for number in range(PARTITIONS)])


def until_ended(inlet: Inlet) -> Iterator[Taken[Fetched]]:
    """All that comes until every partition has ended."""
    ended: set[int] = set()
    until = time.monotonic() + PATIENCE_S
    while len(ended) < PARTITIONS:
        assert time.monotonic() < until, f"only {ended} have ended"
        taken = inlet.take(1_000, 0.1)
        ended |= {news.partition() for news in taken.news}
        yield taken


def told(message: Message) -> tuple[object, ...]:
    """All that a record is."""
    place = message.topic(), message.partition(), message.offset()
    _, stamp = message.timestamp()
    return *place, stamp, message.key(), message.value(), message.headers()


def columns(records: Records) -> list[tuple[int, int, int, bytes | None]]:
    """Places, times and values, row by row."""
    return list(
        zip(
            records.partitions.tolist(),
            records.offsets.tolist(),
            records.timestamps_ms().tolist(),
            records.values(),
            strict=True,
        )
    )


def test_they_are_the_records_that_confluent_kafka_gives(
    bootstrap_servers: str, topic: str
) -> None:
    """Column by column, and each by itself, with its key and its headers; also some of them."""
    with consuming(bootstrap_servers) as consumer:
        begin(consumer, topic, 0)
        objects: list[ck.Message] = []
        while len(objects) < RECORDS:
            objects += [each for each in consumer.consume(1_000, 1.0) if not each.error()]
    expected = sorted(told(each) for each in objects)  # type: ignore[arg-type]
    with reading(bootstrap_servers, topic) as (consumer, inlet):
        begin(consumer, topic, 0)
        single, together, odd = [], [], []
        for taken in until_ended(inlet):
            for records in taken.records.values():
                single += [told(records.message(row)) for row in range(len(records))]
                together += columns(records)
                odd += columns(records.where(records.offsets % 2 == 1))
            assert all(news.value() is None for news in taken.news)
    assert sorted(single) == expected
    assert sorted(together) == [(each[1], each[2], each[3], each[5]) for each in expected]
    assert sorted(odd) == [each for each in sorted(together) if each[1] % 2 == 1]


def test_nothing_is_missing_or_old_after_partitions_are_assigned_again(
    bootstrap_servers: str, topic: str
) -> None:
    """However soon: librdkafka cuts partitions off when it stops to fetch, some time later."""
    with reading(bootstrap_servers, topic) as (consumer, inlet):
        for patience_s in (0.0, 0.001, 0.01, 0.1) * 5:
            begin(consumer, topic, 0)
            inlet.take(500, patience_s)
        begin(consumer, topic, 1_000)
        found = [
            (partition, offset)
            for taken in until_ended(inlet)
            for records in taken.records.values()
            for partition, offset, *_ in columns(records)
        ]
    places = [(row % PARTITIONS, row // PARTITIONS) for row in range(RECORDS)]
    assert sorted(found) == sorted(each for each in places if each[1] >= 1_000)


def test_what_is_fetched_before_the_first_look_is_not_with_the_consumer(
    bootstrap_servers: str, topic: str
) -> None:
    """Where it would come after what is fetched later: out of order."""
    with reading(bootstrap_servers, topic) as (consumer, inlet):
        begin(consumer, topic, 0)
        assert consumer.consume(1, 1.0) == []
        assert (
            sum(len(each) for taken in until_ended(inlet) for each in taken.records.values())
            == RECORDS
        )


def test_what_a_consumer_has_to_say_comes_with_its_place(
    bootstrap_servers: str, topic: str
) -> None:
    """An offset that is not on the log, here, and what is to be done without it."""
    with reading(bootstrap_servers, topic) as (consumer, inlet):
        begin(consumer, topic, 10 * RECORDS)
        until = time.monotonic() + PATIENCE_S
        news: list[Message] = []
        while len(news) < PARTITIONS:
            assert time.monotonic() < until
            news += inlet.take(100, 0.1).news
    for each in news:
        error = each.error()
        assert error is not None
        assert error.code() == ck.KafkaError._AUTO_OFFSET_RESET
        assert "offset not available" in error.str()
        assert each.topic() == topic
    assert {each.partition() for each in news} == set(range(PARTITIONS))


def test_what_was_given_back_is_not_looked_at(bootstrap_servers: str, topic: str) -> None:
    """Closing gives back all that is still held; who looks then is told so, and lives."""
    with reading(bootstrap_servers, topic) as (consumer, inlet):
        begin(consumer, topic, 0)
        held = [records for each in until_ended(inlet) for records in each.records.values()]
    assert sum(map(len, held)) == RECORDS
    for look in (held[0].values, held[0].timestamps_ms, lambda: held[0].message(0)):
        with pytest.raises(RuntimeError, match="given back"):
            look()
