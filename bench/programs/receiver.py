"""Notes when each record of a topic has arrived at a reader of what is committed."""

import json
import time
from typing import Any

import confluent_kafka as ck
import numpy as np
import polars as pl

from bench.programs.job import job, stopped

AT_ONCE = 100_000
WAIT_S = 0.1


def main() -> None:
    """Read until every event has arrived, or until told to stop; then write the times down.

    ``arrived`` of the file holds, by the event's number, when its record first came (seconds of
    the monotonic clock; not a number where none came), ``received`` how many came in all. With a
    ``marker`` only records are counted whose value holds it.
    """
    told, stop = job(), stopped()
    marker = told["marker"].encode()
    keys = pl.read_parquet(told["records"], columns=["key"])["key"].head(int(told["count"]))
    numbers = {key: number for number, key in enumerate(keys.to_list())}
    consumer = ck.Consumer(
        {
            "bootstrap.servers": told["bootstrap"],
            "group.id": "bench.receiver",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    ends = {int(partition): end for partition, end in json.loads(told["ends"]).items()}
    consumer.assign([ck.TopicPartition(told["topic"], p, end) for p, end in ends.items()])
    arrived = np.full(len(numbers), np.nan)
    received, left = 0, len(numbers)
    print("ready", flush=True)
    while left and not stop.is_set():
        messages: list[Any] = consumer.consume(1, WAIT_S)
        messages += consumer.consume(AT_ONCE, 0) if messages else []
        now = time.monotonic()
        for message in messages:
            number = numbers.get(message.key())
            if number is None or marker not in message.value():
                continue
            received += 1
            if np.isnan(arrived[number]):
                arrived[number] = now
                left -= 1
    np.savez(told["times"], arrived=arrived, received=received)
    consumer.close()


if __name__ == "__main__":
    main()
