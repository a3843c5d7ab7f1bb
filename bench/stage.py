"""The stage that all peers share: one broker, one registry, and what is asked of them."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, OffsetSpec

from edml.application import Application
from edml.kafka.embedded import EmbeddedLog
from edml.kafka.embedded.progress import Silence
from edml.kafka.embedded.service import down
from edml.kafka.topics import TopicSpec, ensure_topics
from edml.settings import RegistrySettings, Settings
from edml.wiring import Cluster

PARTITIONS = 4
TIMEOUT_S = 30.0
RETRY_S = 0.1
NOT_YET = frozenset(
    {
        ck.KafkaError.NOT_LEADER_FOR_PARTITION,
        ck.KafkaError.LEADER_NOT_AVAILABLE,
        ck.KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
FOR_EVER = {"retention.ms": "-1"}


@dataclass(frozen=True)
class Stage:
    """A running log, and a folder for what is left over."""

    log: EmbeddedLog
    folder: Path
    settings: Settings
    known: dict[str, Sequence[int]] = field(default_factory=dict)
    """The partitions of topics that were asked about."""

    @cached_property
    def admin(self) -> AdminClient:
        """One connection for every question."""
        return AdminClient(dict(self.client))

    @property
    def client(self) -> Mapping[str, Any]:
        """What a client needs to be told."""
        return self.settings.client()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a command of edml needs to be told."""
        return {
            "EDML_HOME": str(self.settings.home),
            "EDML_BOOTSTRAP_SERVERS": self.log.bootstrap_servers,
            "EDML_REGISTRY_URL": self.log.registry_url,
        }

    @property
    def broker_pid(self) -> int:
        """The broker's process id."""
        return self.log.broker.running_process.pid

    def cluster(self, application: Application, partitions: int = PARTITIONS) -> Cluster:
        """The stage as the cluster of an application; use it as a context."""
        return Cluster(self.settings, application, partitions)

    def create(self, topic: str) -> None:
        """Create a topic unless it is there; nothing is ever deleted for its age."""
        if topic not in self.admin.list_topics(timeout=TIMEOUT_S).topics:
            ensure_topics(self.client, [TopicSpec(topic, PARTITIONS, FOR_EVER)])
        self._know(topic)

    def end(self, topic: str) -> int:
        """The sum of the partitions' last stable offsets: what a reader of committed can read."""
        return sum(self.ends(topic).values())

    def ends(self, topic: str) -> dict[int, int]:
        """The last stable offset of each partition."""
        asked = {ck.TopicPartition(topic, p): OffsetSpec.latest() for p in self._partitions(topic)}
        answers = self.admin.list_offsets(
            asked,
            isolation_level=ck.IsolationLevel.READ_COMMITTED,
            request_timeout=TIMEOUT_S,
        )
        return {each.partition: answer.result().offset for each, answer in answers.items()}

    def _partitions(self, topic: str) -> Sequence[int]:
        if topic not in self.known:
            self.known[topic] = list(
                self.admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
            )
        return self.known[topic]

    def _know(self, topic: str) -> None:
        """Let the admin client learn who leads a topic that was just created."""
        until = time.monotonic() + TIMEOUT_S
        while True:
            self.admin.list_topics(topic, timeout=TIMEOUT_S)
            try:
                self.ends(topic)
            except ck.KafkaException as error:
                if error.args[0].code() not in NOT_YET or time.monotonic() > until:
                    raise
                time.sleep(RETRY_S)
            else:
                return

    def truncate(self, topic: str) -> None:
        """Delete what is on a topic up to its stable end."""
        ends = [ck.TopicPartition(topic, p, end) for p, end in self.ends(topic).items()]
        for answer in self.admin.delete_records(ends, request_timeout=TIMEOUT_S).values():
            answer.result()


@contextmanager
def stage(folder: Path, jars: Path) -> Iterator[Stage]:
    """A fresh broker and registry under ``folder``, stopped when the context is left."""
    home = folder / "home"
    down(home, progress=Silence())
    shutil.rmtree(home)
    with EmbeddedLog.start(home, jars=jars) as log:
        settings = Settings(
            home=home / "edml",
            bootstrap_servers=log.bootstrap_servers,
            registry_access=RegistrySettings(url=log.registry_url),
            kafka={"log_level": "0"},  # clients that outlive the broker complain to nobody
        )
        yield Stage(log, folder, settings)
