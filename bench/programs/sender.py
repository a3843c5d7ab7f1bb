"""Sends each event at its scheduled moment, whether or not anybody keeps up with it."""

import time

import confluent_kafka as ck
import polars as pl

from bench.programs.job import job, stopped

TICK_S = 0.001
LINGER_MS = 5
"""What Kafka's own clients wait by default; without, a request a record busies the broker most."""
HEAD_START_S = 0.2


def main() -> None:
    """Send all events; event *i* is due at ``start`` + *i* / ``rate`` on the monotonic clock.

    Says when it starts, and at the end by how much it was itself behind its schedule at worst.
    """
    told, stop = job(), stopped()
    rate = float(told["rate"])
    records = pl.read_parquet(told["records"]).head(int(told["count"])).to_dicts()
    producer = ck.Producer(
        {
            "bootstrap.servers": told["bootstrap"],
            "linger.ms": LINGER_MS,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.list_topics(told["topic"])
    start = time.monotonic() + HEAD_START_S
    print("start", start, flush=True)
    sent, behind_s = 0, 0.0
    while sent < len(records) and not stop.is_set():
        due = min(len(records), int((time.monotonic() - start) * rate) + 1)
        if due > sent:
            if producer.produce_batch(told["topic"], records[sent:due]) < due - sent:
                raise BufferError("the producer's queue is full")
            behind_s = max(behind_s, time.monotonic() - start - sent / rate)
            sent = due
        producer.poll(0)
        time.sleep(max(TICK_S, start + sent / rate - time.monotonic()))
    producer.flush()
    print("behind", behind_s)


if __name__ == "__main__":
    main()
