"""One Kafka node: broker and controller in one process (KRaft), for one machine.

What its properties mean: https://kafka.apache.org/documentation/#brokerconfigs
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edml.errors import EmbeddedLogError
from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.java import Caching, jvm
from edml.kafka.embedded.ports import HOST

HEAP_MB = 512
FORMAT_HEAP_MB = 128
FORMAT_MARKER = "-Dedml.format"
FORMAT_TIMEOUT_S = 60
NODE_ID = 1
CLUSTER_ID = "ZWRtbC1lbWJlZGRlZC1sbw"  # 16 bytes in base 64: it never meets another cluster
ANSWER_TIMEOUT_S = 2.0
YEARS_10_IN_MINUTES = 10 * 365 * 24 * 60


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker keeps its data, and the ports on which it listens."""

    directory: Path
    installation: Installation
    port: int
    controller_port: int
    caching: Caching = Caching.USE

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "Kafka"

    @property
    def bootstrap_servers(self) -> str:
        """The address that clients connect to first."""
        return f"{HOST}:{self.port}"

    @property
    def marker(self) -> str:
        """The argument by which the process is known as this broker."""
        return f"-Dedml.broker={self.directory}"

    @property
    def log_file(self) -> Path:
        """What the broker says it does."""
        return self.directory / "broker.log"

    @property
    def output_file(self) -> Path:
        """What the process prints: why Java does not start, say."""
        return self.directory / "broker.out"

    def prepare(self) -> None:
        """Write the broker's properties, and format its storage unless that was done before."""
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}" for name, value in self._properties().items()]
        self._properties_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if not (self._data / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        """Give back the command that runs the broker."""
        java = self._java(HEAP_MB, marker=self.marker, caching=self.caching)
        return [*java, "kafka.Kafka", str(self._properties_file)]

    def answers(self) -> bool:
        """Whether the broker answers a request for its metadata."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        try:
            return bool(client.list_topics(timeout=ANSWER_TIMEOUT_S).brokers)
        except KafkaException:
            return False

    def _java(self, heap_mb: int, *, marker: str, caching: Caching) -> list[str]:
        cache = self.installation.broker_cache
        return [
            *jvm(heap_mb=heap_mb, marker=marker, cache=cache, caching=caching),
            f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}",
            f"-Dedml.broker.log={self.log_file}",
            "-cp",
            self.installation.class_path,
        ]

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _properties_file(self) -> Path:
        return self.directory / "server.properties"

    def _format(self) -> None:
        formatted = subprocess.run(
            [
                *self._java(FORMAT_HEAP_MB, marker=FORMAT_MARKER, caching=Caching.USE),
                "kafka.tools.StorageTool",
                "format",
                "--config",
                str(self._properties_file),
                "--cluster-id",
                CLUSTER_ID,
                "--ignore-formatted",
            ],
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if formatted.returncode != 0:
            raise EmbeddedLogError(
                f"Kafka cannot format its storage:\n{formatted.stdout}{formatted.stderr}",
                where=str(self._data),
                todo="look whether the disk is full and the directory may be written",
            )

    def _properties(self) -> Mapping[str, object]:
        return {
            "process.roles": "broker,controller",
            "node.id": NODE_ID,
            "controller.quorum.voters": f"{NODE_ID}@{HOST}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self._data,
            # A misspelt topic is an error, not a new topic.
            "auto.create.topics.enable": "false",
            # One node: nothing can be replicated, and few partitions start sooner.
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            # A laptop that sleeps for a month goes on where it stopped.
            "offsets.retention.minutes": YEARS_10_IN_MINUTES,
            # A consumer that comes or goes is noticed at once.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            # A killed broker waits until its former self is given up before it is taken back.
            "broker.session.timeout.ms": 1500,
            "broker.heartbeat.interval.ms": 500,
            "initial.broker.registration.timeout.ms": 60000,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        }
