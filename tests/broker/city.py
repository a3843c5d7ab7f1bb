"""A city of its own on the shared broker: the taxi application on topics of its own."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import confluent_kafka as ck
import polars as pl

from edml.application import Application
from edml.kafka.codec.schema import avro_schema
from edml.kafka.control import Typed
from edml.kafka.message import PROMPT, Message, consume
from edml.kafka.serdes import FrameDecoder, FrameEncoder
from edml.models.artefact import Artefact
from edml.models.records import Release, Roles
from edml.serving.records import prediction_schema
from edml.wiring import Cluster
from edml.wiring.publishing import publish
from edml.wiring.running import Running
from edml.wiring.scoring import score
from edml.wiring.serving import serve
from tests.artefacts import straight_line
from tests.trips import trips

PATIENCE_S = 100.0


@dataclass
class City:
    """A cluster with the topics of one application, and what tests do with it."""

    cluster: Cluster
    folder: Path

    @property
    def app(self) -> Application:
        """The application, its topics prefixed."""
        return self.cluster.application

    def artefact(
        self, version: str, *, column: str = "distance_km", slope: float = 2.0
    ) -> Artefact:
        """A model that is a straight line."""
        return straight_line(
            self.app,
            self.folder / version,
            trips(4),
            version=version,
            column=column,
            slope=slope,
        )

    def publish(self, version: str, *, role: Any = "champion", slope: float = 2.0) -> Roles:
        """Make a model and publish it."""
        artefact = self.artefact(version, slope=slope)
        _, decision = publish(self.cluster, artefact.folder, flavour="onnx", role=role, by="test")
        return decision.roles

    def pick_up(self, frame: pl.DataFrame) -> None:
        """Write pick-ups."""
        self.write(self.app.event.topic, self.records(frame))

    def drop_off(self, frame: pl.DataFrame) -> None:
        """Write drop-offs."""
        topic = self.app.outcome.topic
        schema = avro_schema(self.app.outcome.schema)
        encoder = FrameEncoder(self.cluster.registry, topic, schema, key="uuid")
        self.write(topic, encoder.encode(frame))

    def records(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        """Pick-ups as key and value."""
        topic = self.app.event.topic
        schema = avro_schema(self.app.event.schema)
        return FrameEncoder(self.cluster.registry, topic, schema, key="uuid").encode(frame)

    def write(self, topic: str, records: Sequence[dict[str, Any]]) -> None:
        """Write raw records."""
        client = self.cluster.settings.client()
        room = {"queue.buffering.max.messages": max(len(records), 1)}
        producer = ck.Producer({**client, **room, "partitioner": "murmur2_random", "linger.ms": 5})
        for record in records:
            producer.produce(topic, **record)
        assert producer.flush(30) == 0

    def read(self, topic: str, *, isolation: str = "read_committed") -> list[Message]:
        """Every record of a topic, partition by partition, in order: those that are committed."""
        consumer = ck.Consumer(
            {
                **PROMPT,
                **self.cluster.settings.client(),
                "group.id": "test",
                "isolation.level": isolation,
                "enable.partition.eof": True,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        found: list[Message] = []
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING) for p in partitions])
            ended = 0
            while ended < len(partitions):
                for message in consume(consumer, 10_000, 1.0):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    else:
                        assert error.code() == ck.KafkaError._PARTITION_EOF
                        ended += 1
        finally:
            consumer.close()
        return sorted(found, key=lambda each: (each.partition(), each.offset()))

    def predictions(self) -> pl.DataFrame:
        """Every prediction, decoded."""
        messages = self.read(self.app.predictions_topic)
        decoder = FrameDecoder(self.cluster.registry, prediction_schema(self.app))
        decoded = decoder.decode([each.value() for each in messages])
        assert decoded.bad == []
        return decoded.frame

    def dead_letters(self) -> list[dict[str, str]]:
        """The headers of every dead letter of ours."""
        letters = [
            {name: value.decode() for name, value in each.headers() or []}
            for each in self.read(self.cluster.dead_letters)
        ]
        return [each for each in letters if each["topic"].startswith(self.app.topic_prefix)]

    def releases(self) -> list[Release]:
        """What happened to the models."""
        topic = self.cluster.control.releases
        typed = Typed(self.cluster.registry, f"{topic}-value", Release)
        return [typed.decode(each.value() or b"") for each in self.read(topic)]

    @contextmanager
    def scoring(self, **running: Any) -> Iterator[None]:
        """Score in a thread, for as long as the context lasts."""
        with running_thread(lambda stop: score(self.cluster, stop, Running(**running))):
            yield

    @contextmanager
    def serving(self, **running: Any) -> Iterator[None]:
        """Serve in a thread, for as long as the context lasts."""
        with running_thread(lambda stop: serve(self.cluster, stop, Running(**running))):
            yield


@contextmanager
def running_thread(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run in a thread until the context ends; raise what it raised."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def target() -> None:
        try:
            run(stop)
        except BaseException as failure:  # noqa: BLE001  raised again by who waits
            failures.append(failure)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        if failures:  # it is the reason of what the context may have raised
            raise failures[0]


def eventually(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until it holds; fail when it does not come to hold."""
    until = monotonic() + patience_s
    while not holds():
        assert monotonic() < until, "it never came to hold"
        sleep(0.1)


def times_each(frame: pl.DataFrame, *columns: str) -> Counter[int]:
    """How many rows there are of how many of the same."""
    return Counter(frame.group_by(columns).len()["len"].to_list())
