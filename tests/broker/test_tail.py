import confluent_kafka as ck
import polars as pl
import pytest

from edml.errors import TopicError
from edml.kafka.tail import read
from edml.kafka.topics import TopicSpec, ensure_topics
from tests.broker.city import City
from tests.trips import trips


def test_a_topic_is_read_to_its_end(city: City) -> None:
    """All that was written comes back, decoded, with the place of each row."""
    city.cluster.create()
    city.pick_up(trips(200))
    found = read(city.cluster.settings.client(), city.cluster.registry, city.app.event.topic)
    assert found.bad == ()
    assert trips(200)["uuid"].to_list() == sorted(found.frame["uuid"].to_list())
    assert found.frame.select("_partition", "_offset").unique().height == 200


def test_the_last_records_are_the_latest_ones(city: City) -> None:
    """So many of the last are read, also when transactions' markers lie between them."""
    city.cluster.create()
    producer = ck.Producer(
        {
            **city.cluster.settings.client(),
            "transactional.id": city.app.event.topic,
            "partitioner": "murmur2_random",
        }
    )
    producer.init_transactions(30)
    for number, record in enumerate(city.records(trips(40))):
        producer.begin_transaction()
        at = 1_700_000_000_000 + number
        producer.produce(city.app.event.topic, timestamp=at, **record)
        producer.commit_transaction(30)
    found = read(
        city.cluster.settings.client(), city.cluster.registry, city.app.event.topic, last=7
    )
    assert trips(7, first=33)["uuid"].to_list() == found.frame["uuid"].to_list()


def test_aborted_records_are_not_read(city: City) -> None:
    """What a transaction took back was never there."""
    city.cluster.create()
    producer = ck.Producer(
        {**city.cluster.settings.client(), "transactional.id": city.app.event.topic}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for record in city.records(trips(10)):
        producer.produce(city.app.event.topic, **record)
    producer.flush(30)
    producer.abort_transaction(30)
    city.pick_up(trips(5, first=10))
    found = read(city.cluster.settings.client(), city.cluster.registry, city.app.event.topic)
    assert trips(5, first=10)["uuid"].to_list() == sorted(found.frame["uuid"].to_list())


def test_the_latest_of_each_key_without_the_deleted_ones(city: City) -> None:
    """A later record stands for the key, and a tombstone for its absence, as in compaction."""
    topic = city.app.event.topic
    ensure_topics(
        city.cluster.settings.client(), [TopicSpec(topic, 3, {"cleanup.policy": "compact"})]
    )
    city.pick_up(trips(6))
    city.pick_up(trips(6).with_columns(passengers=pl.lit(9, pl.Int64)))
    gone = trips(6)["uuid"].to_list()[:2]
    city.write(topic, [{"key": key, "value": None} for key in gone])
    city.pick_up(trips(1))
    found = read(city.cluster.settings.client(), city.cluster.registry, topic, latest=True)
    passengers = dict(found.frame.select("uuid", "passengers").iter_rows())
    assert {key: 0 if key == gone[0] else 9 for key in trips(6)["uuid"] if key != gone[1]} == (
        passengers
    )


def test_bad_records_are_told_and_left_out(city: City) -> None:
    """A value that is no record does not hide its neighbours."""
    city.cluster.create()
    records = city.records(trips(20))
    records[3] = {"key": b"bad", "value": b"\x07nonsense"}
    city.write(city.app.event.topic, records)
    found = read(city.cluster.settings.client(), city.cluster.registry, city.app.event.topic)
    assert found.frame.height == 19
    (bad,) = found.bad
    assert "magic" in bad.cause


def test_a_topic_that_does_not_exist(city: City) -> None:
    """The error names the topic, or the schema that nobody has registered."""
    client, registry = city.cluster.settings.client(), city.cluster.registry
    with pytest.raises(TopicError, match="no schema is registered for nowhere"):
        read(client, registry, "nowhere")
    with pytest.raises(TopicError, match="there is no topic nowhere"):
        read(client, registry, "nowhere", schema={"type": "record", "name": "A", "fields": []})
