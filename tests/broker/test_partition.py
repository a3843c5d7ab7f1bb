import uuid

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from edml.kafka.partition import partitions


@pytest.fixture
def topic(bootstrap_servers: str) -> str:
    """A topic of seven partitions."""
    name = f"partitions-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, num_partitions=7)])[name].result(30)
    return name


def test_librdkafka_puts_a_key_where_we_say(bootstrap_servers: str, topic: str) -> None:
    """With ``murmur2_random``, each key of any length lands in the partition that we compute."""
    landed: dict[bytes, int] = {}

    def delivered(error: ck.KafkaError | None, message: ck.Message) -> None:
        assert error is None
        key, partition = message.key(), message.partition()
        assert isinstance(key, bytes)
        assert partition is not None
        landed[key] = partition

    keys = [str(uuid.uuid4())[: 1 + place % 36].encode() for place in range(500)]
    producer = ck.Producer(
        {"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random"}
    )
    for key in keys:
        producer.produce(topic, b"", key, on_delivery=delivered)
    assert producer.flush(30) == 0

    expected = dict(zip(keys, partitions(keys, 7).tolist(), strict=True))
    assert landed == expected
