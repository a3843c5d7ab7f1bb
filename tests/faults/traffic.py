"""Writes trips at a steady rate. A trip's uuid holds its number: what is lost can be named."""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import confluent_kafka as ck
import numpy as np
import polars as pl

from edml.kafka.codec.schema import avro_schema
from edml.kafka.serdes import FrameEncoder
from tests.broker.city import City
from tests.trips import trips

TICK_S = 0.05
DIGITS: Final = 12

Encoders = dict[str, FrameEncoder]


class Traffic:
    """A thread that writes pick-ups, and the drop-off of each right behind it.

    The writer is idempotent and waits for a broker that does not answer: each trip is on the log
    once. Use it as a context; it ends with everything delivered.
    """

    def __init__(self, city: City, rate: int) -> None:
        self._city = city
        self._rate = rate
        self._encoders = self._made_of(())
        self._producer = ck.Producer(
            {
                **city.cluster.settings.client(),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "queue.buffering.max.messages": 2_000_000,
            }
        )
        self._failed: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self._begun = 0.0
        self.written = 0

    def start(self) -> None:
        """Begin to write."""
        self._begun = time.monotonic()
        self._thread.start()

    def stop(self) -> int:
        """Stop writing; how many trips are on the log."""
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(60) == 0
        assert self._failed == []
        return self.written

    def evolved(self) -> Encoders:
        """Encoders of schemas with one more field, which the registry then knows."""
        return self._made_of([{"name": "remark", "type": "string", "default": ""}])

    def use(self, encoders: Encoders) -> None:
        """Write with these encoders from now on."""
        self._encoders = encoders

    def due(self, numbers: np.ndarray) -> np.ndarray:
        """When the trips of these numbers were due to be written, in monotonic seconds."""
        return self._begun + numbers / self._rate

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            behind = int((time.monotonic() - self._begun) * self._rate) - self.written
            if behind <= 0:
                continue
            frame = trips(behind, first=self.written).with_columns(remark=pl.lit("none"))
            for topic, encoder in self._encoders.items():
                for record in encoder.encode(frame):
                    self._producer.produce(topic, **record, on_delivery=self._delivered)
            self._producer.poll(0)
            self.written += behind

    def _made_of(self, more: Sequence[Any]) -> Encoders:
        app, registry = self._city.app, self._city.cluster.registry
        encoders = {}
        for stream in (app.event, app.outcome):
            schema = avro_schema(stream.schema)
            schema = {**schema, "fields": [*schema["fields"], *more]}
            encoders[stream.topic] = FrameEncoder(registry, stream.topic, schema, key=stream.key)
        return encoders

    def _delivered(self, error: ck.KafkaError | None, message: ck.Message) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")


def number_of(uuid: bytes) -> int:
    """The number of the trip with this uuid."""
    return int(uuid[-DIGITS:])
