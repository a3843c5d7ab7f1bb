"""The limit: consume → produce_batch → commit, and nothing between; every value is the same.

Its clients and Python itself are set as edml's are, and it takes as much at once.
"""

import confluent_kafka as ck

from bench.programs.job import job, stopped
from edml.cli.running import suit_large_batches
from edml.kafka.log import FETCHES
from edml.kafka.sink import LINGER_MS, ONE_IN_FLIGHT


def main() -> None:
    """Pipe until told to stop."""
    told, stop = job(), stopped()
    suit_large_batches()
    exactly_once = told["guarantee"] == "exactly_once"
    at_most, value = int(told["batch"]), bytes(int(told["value_bytes"]))
    consumer = ck.Consumer(
        {
            "bootstrap.servers": told["bootstrap"],
            "group.id": told["group"],
            "group.instance.id": told["group"],
            "partition.assignment.strategy": "range",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            **FETCHES,
            "socket.nagle.disable": True,
        }
    )
    producer = ck.Producer(
        {
            "bootstrap.servers": told["bootstrap"],
            "linger.ms": LINGER_MS,
            **ONE_IN_FLIGHT,
            "retry.backoff.ms": 2,
            "socket.nagle.disable": True,
            "queue.buffering.max.messages": 1_000_000,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            **({"transactional.id": told["group"]} if exactly_once else {}),
        }
    )
    consumer.subscribe([told["input"]])
    if exactly_once:
        producer.init_transactions()
    while not stop.is_set():
        messages = consumer.consume(1, 0.25)
        messages += consumer.consume(at_most - 1, 0) if messages else []
        if not messages:
            continue
        if exactly_once:
            producer.begin_transaction()
        records = [{"key": message.key(), "value": value} for message in messages]
        if producer.produce_batch(told["output"], records) < len(records):
            raise BufferError("the producer's queue is full")
        if exactly_once:
            producer.send_offsets_to_transaction(
                consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
            )
            producer.commit_transaction()
        else:
            producer.flush()
            consumer.commit(offsets=consumer.position(consumer.assignment()), asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
