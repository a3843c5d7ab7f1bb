"""Kafka Streams, set as its documentation advises for throughput, or for latency.

https://kafka.apache.org/documentation/streams/developer-guide/config-streams.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.peers.peer import Join, Tools, Work
from bench.processes import Command
from bench.stage import Stage

GUARANTEES = {"exactly_once": "exactly_once_v2", "at_least_once": "at_least_once"}
THROUGHPUT = {
    "commit.interval.ms": "1000",
    "producer.linger.ms": "100",
    "producer.batch.size": "262144",
    "producer.buffer.memory": "134217728",
    "consumer.max.poll.records": "10000",
    "consumer.max.partition.fetch.bytes": "10485760",
    "buffered.records.per.partition": "20000",
    "topology.optimization": "all",
}
LATENCY = {
    "producer.linger.ms": "0",
    "producer.batch.size": "65536",
    "consumer.fetch.min.bytes": "1",
    "poll.ms": "5",
    "topology.optimization": "all",
}


@dataclass(frozen=True)
class KafkaStreams:
    """Serving: one topology, ``threads`` stream threads, and Kafka's ``properties``."""

    tools: Tools
    name: str = "kafka_streams"
    threads: int = 1
    properties: Mapping[str, str] = field(default_factory=lambda: THROUGHPUT)
    compiles: bool = True
    instances: int = 1

    @property
    def output(self) -> str:
        """The topic that it writes."""
        return f"bench.{self.name}"

    def prepare(self, stage: Stage) -> None:
        """Nothing: its group is new each time."""

    def command(self, work: Work) -> Command:
        """Start the topology."""
        told = {**self.tools.told(work), **_told(self.tools, work, self.threads, self.properties)}
        return self.tools.jvm("StreamsServing", told)


@dataclass(frozen=True)
class KafkaStreamsJoin:
    """Scoring: a stream-stream join over window stores in memory, with their changelogs."""

    tools: Tools
    join: Join
    name: str = "kafka_streams"
    threads: int = 1
    properties: Mapping[str, str] = field(default_factory=lambda: THROUGHPUT)
    compiles: bool = True
    instances: int = 1

    @property
    def output(self) -> str:
        """The topic that it writes."""
        return f"bench.{self.name}.scored"

    def prepare(self, stage: Stage) -> None:
        """Nothing: its group is new each time."""

    def command(self, work: Work) -> Command:
        """Start the topology."""
        told = {
            **self.tools.told(work),
            **self.join.told(),
            **_told(self.tools, work, self.threads, self.properties),
        }
        return self.tools.jvm("StreamsScoring", told)


def _told(
    tools: Tools, work: Work, threads: int, properties: Mapping[str, str]
) -> Mapping[str, str]:
    """Kafka Streams' own properties."""
    told = {
        "bootstrap.servers": tools.bootstrap,
        "application.id": work.group,
        "processing.guarantee": GUARANTEES[work.guarantee],
        "num.stream.threads": str(threads),
        "state.dir": str(work.folder / work.group),
        "consumer.auto.offset.reset": "earliest",
        **properties,
    }
    return {f"streams.{name}": value for name, value in told.items()}
