"""The embedded log: a real Kafka broker and a real schema registry as child processes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from edml.errors import EmbeddedLogError
from edml.kafka.embedded.broker import Broker
from edml.kafka.embedded.jars import class_path, fetch, registry_directory
from edml.kafka.embedded.lock import read_lock
from edml.kafka.embedded.ports import free_port
from edml.kafka.embedded.process import Process, start
from edml.kafka.embedded.registry import Registry

READY_TIMEOUT_S = 60.0
STOP_PATIENCE_S = 15.0
POLL_S = 0.05


@dataclass(slots=True)
class EmbeddedLog:
    """A running broker and registry."""

    broker: Broker
    registry: Registry
    broker_process: Process
    registry_process: Process

    @property
    def bootstrap_servers(self) -> str:
        """The address of the broker."""
        return self.broker.bootstrap_servers

    @property
    def registry_url(self) -> str:
        """The address of the registry's Confluent-compatible API."""
        return self.registry.url

    @classmethod
    @contextmanager
    def start(cls, home: Path, *, jars: Path) -> "Iterator[EmbeddedLog]":
        lock = read_lock()
        fetch(lock, jars)
        broker = Broker(home / "kafka", class_path(lock, jars), free_port(), free_port())
        registry = Registry(home / "registry", registry_directory(lock, jars), free_port())
        registry.prepare()
        registry_process = start(registry.command(), marker=registry.marker, output=registry.output_file)
        broker.prepare()
        broker_process = start(broker.command(), marker=broker.marker, output=broker.output_file)
        log = cls(broker, registry, broker_process, registry_process)
        try:
            log.wait()
            yield log
        finally:
            log.stop()

    def wait(self) -> None:
        _wait(lambda: _broker_answers(self.bootstrap_servers), self.broker_process)
        _wait(lambda: _registry_answers(self.registry_url), self.registry_process)

    def stop(self) -> None:
        self.registry_process.stop(patience_s=STOP_PATIENCE_S)
        self.broker_process.stop(patience_s=STOP_PATIENCE_S)

    def kill_broker(self) -> None:
        """End the broker at once (SIGKILL)."""
        self.broker_process.kill()

    def start_broker(self) -> None:
        """Start the broker again, with the same port and data, and wait until it is ready."""
        self.broker_process = start(
            self.broker.command(), marker=self.broker.marker, output=self.broker.output_file
        )
        _wait(lambda: _broker_answers(self.bootstrap_servers), self.broker_process)


def _wait(ready: Callable[[], bool], process: Process) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not ready():
        if not process.running or time.monotonic() > deadline:
            raise EmbeddedLogError("not ready")
        time.sleep(POLL_S)


def _broker_answers(servers: str) -> bool:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        return bool(AdminClient({"bootstrap.servers": servers, "log_level": 0}).list_topics(timeout=1).brokers)
    except KafkaException:
        return False


def _registry_answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/subjects", timeout=2).is_success
    except httpx.TransportError:
        return False
