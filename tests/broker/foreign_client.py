"""A client that knows Kafka and Avro, and nothing of edml: it is run as a program of its own.

::

    python foreign_client.py BOOTSTRAP REGISTRY write TOPIC   # events as JSON lines from stdin
    python foreign_client.py BOOTSTRAP REGISTRY read TOPIC N  # N records as JSON lines to stdout
"""

import json
import sys
from datetime import datetime

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

WAIT_S = 60


def write(bootstrap_servers: str, registry: SchemaRegistryClient, topic: str) -> None:
    """Write each line of the input as an event, with the schema that is registered."""
    settings = {"auto.register.schemas": False, "use.latest.version": True}
    serialise = AvroSerializer(registry, conf=settings)
    context = SerializationContext(topic, MessageField.VALUE)
    producer = Producer({"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random"})
    for line in sys.stdin:
        event = json.loads(line)
        for name in ("pickup_at", "pickup_local"):
            event[name] = datetime.fromisoformat(event[name])
        producer.produce(topic, key=event["uuid"], value=serialise(event, context))
    assert producer.flush(WAIT_S) == 0


def read(bootstrap_servers: str, registry: SchemaRegistryClient, topic: str, count: int) -> None:
    """Print some records as JSON."""
    deserialise = AvroDeserializer(registry)
    context = SerializationContext(topic, MessageField.VALUE)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"foreign.{topic}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    try:
        for message in consumer.consume(count, WAIT_S):
            assert message.error() is None, message.error()
            record = deserialise(message.value(), context)
            told = {"key": (message.key() or b"").decode(), "value": record}
            sys.stdout.write(json.dumps(told, default=datetime.isoformat) + "\n")
    finally:
        consumer.close()


def main() -> None:
    """Do what the arguments say."""
    bootstrap_servers, url, what, topic, *rest = sys.argv[1:]
    registry = SchemaRegistryClient({"url": url})
    if what == "write":
        write(bootstrap_servers, registry, topic)
    else:
        read(bootstrap_servers, registry, topic, int(rest[0]))
    assert not [name for name in sys.modules if name.split(".")[0] == "edml"]


if __name__ == "__main__":
    main()
