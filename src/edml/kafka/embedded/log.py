"""The embedded log: a real Kafka broker and a real schema registry as child processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edml.kafka.embedded.broker import Broker
from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.java import Caching
from edml.kafka.embedded.ports import any_free_port
from edml.kafka.embedded.progress import Progress, Silence
from edml.kafka.embedded.registry import Registry
from edml.kafka.embedded.server import Server
from edml.kafka.embedded.state import (
    BrokerState,
    LogState,
    RegistryState,
    forget_state,
    read_state,
    write_state,
)


@dataclass(slots=True)
class EmbeddedLog:
    """A broker and a registry, with their data under ``home``; not necessarily running.

    Tests do to it what happens to brokers: `kill_broker`, `suspend_broker`, `start_broker`.
    """

    home: Path
    broker: Server[Broker]
    registry: Server[Registry]

    @classmethod
    def planned(
        cls,
        home: Path,
        installation: Installation,
        *,
        port: int,
        registry_port: int,
        caching: Caching = Caching.USE,
    ) -> "EmbeddedLog":
        """Give back a log that is not started yet."""
        home = home.absolute()
        broker = Broker(home / "kafka", installation, port, any_free_port(), caching)
        registry = Registry(home / "registry", installation, registry_port, caching)
        return cls(home, Server(broker), Server(registry))

    @classmethod
    def found(cls, home: Path, installation: Installation) -> "EmbeddedLog | None":
        """Give back the log that was started under ``home``, None when none was."""
        home = home.absolute()
        state = read_state(home)
        if state is None:
            return None
        broker = Broker(
            home / "kafka", installation, state.broker.port, state.broker.controller_port
        )
        registry = Registry(home / "registry", installation, state.registry.port)
        return cls(
            home, Server(broker, state.broker.process), Server(registry, state.registry.process)
        )

    @classmethod
    @contextmanager
    def start(
        cls,
        home: Path,
        *,
        jars: Path,
        port: int | None = 0,
        registry_port: int | None = 0,
        progress: Progress | None = None,
    ) -> "Iterator[EmbeddedLog]":
        """Give a running log, and stop it afterwards unless it ran before.

        Port 0 stands for any free port, None for the usual one or the next free one after it.
        """
        from edml.kafka.embedded.service import down, up

        shown = Silence() if progress is None else progress
        log, new = up(home, jars=jars, port=port, registry_port=registry_port, progress=shown)
        try:
            yield log
        finally:
            if new:
                down(home, progress=shown)

    @property
    def bootstrap_servers(self) -> str:
        """The address of the broker."""
        return self.broker.program.bootstrap_servers

    @property
    def registry_url(self) -> str:
        """The address of the registry's Confluent-compatible API."""
        return self.registry.program.url

    @property
    def installation(self) -> Installation:
        """The program files; Kafka's own tools are among them."""
        return self.broker.program.installation

    @property
    def servers(self) -> tuple[Server[Registry], Server[Broker]]:
        """Both servers, the slower one first."""
        return self.registry, self.broker

    def kill_broker(self) -> None:
        """End the broker at once, as a power cut does (SIGKILL)."""
        self.broker.running_process.kill()

    def kill_registry(self) -> None:
        """End the registry at once (SIGKILL)."""
        self.registry.running_process.kill()

    def suspend_broker(self) -> None:
        """Freeze the broker (SIGSTOP): connections stay open and nothing answers."""
        self.broker.running_process.suspend()

    def resume_broker(self) -> None:
        """Let the frozen broker go on (SIGCONT)."""
        self.broker.running_process.resume()

    def start_broker(self) -> None:
        """Start the broker again, with its port and its data; it is ready afterwards."""
        self._start_again(self.broker)

    def start_registry(self) -> None:
        """Start the registry again, with its port and its data; it is ready afterwards."""
        self._start_again(self.registry)

    def remember(self) -> None:
        """Write down what runs, so that other commands find it; forget it when nothing does."""
        if not any(server.running for server in self.servers):
            forget_state(self.home)
            return
        broker, registry = self.broker.program, self.registry.program
        state = LogState(
            bootstrap_servers=self.bootstrap_servers,
            registry_url=self.registry_url,
            broker=BrokerState(broker.port, broker.controller_port, self.broker.process),
            registry=RegistryState(registry.port, self.registry.process),
        )
        write_state(self.home, state)

    def _start_again(self, server: Server[Broker] | Server[Registry]) -> None:
        server.start()
        self.remember()
        server.wait_until_ready()
