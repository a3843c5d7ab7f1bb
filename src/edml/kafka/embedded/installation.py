"""What the log is made of on this machine, and where each part of it is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edml.kafka.embedded.jars import fetch, missing, registry_directory
from edml.kafka.embedded.java import Caching, java_version, jvm
from edml.kafka.embedded.lock import Lock, read_lock
from edml.kafka.embedded.progress import Progress

TOOL_HEAP_MB = 256


@dataclass(frozen=True, slots=True)
class Installation:
    """The directory that holds Kafka's jars, the unpacked registry, and Java's caches."""

    directory: Path
    lock: Lock

    @classmethod
    def at(cls, directory: Path) -> "Installation":
        """Give back the installation in ``directory``, be it complete or not."""
        return cls(directory.absolute(), read_lock())

    @property
    def class_path(self) -> str:
        """Kafka's Java class path."""
        return os.pathsep.join(str(self.directory / jar.file_name) for jar in self.lock.kafka)

    @property
    def registry_program(self) -> Path:
        """The jar that runs the registry."""
        registry = self.lock.registry
        name = f"{registry.name}-{registry.version}-runner.jar"
        return registry_directory(self.lock, self.directory) / name

    @property
    def broker_cache(self) -> Path:
        """What Java remembers of the broker's start."""
        return self.directory / f"kafka-java-{java_version()}.aot"

    @property
    def registry_cache(self) -> Path:
        """What Java remembers of the registry's start."""
        return self.directory / f"registry-java-{java_version()}.aot"

    @property
    def rehearsed(self) -> bool:
        """Whether both caches were recorded."""
        return self.broker_cache.exists() and self.registry_cache.exists()

    def fetch(self, progress: Progress) -> None:
        """Fetch what is missing; nothing is asked of the network when nothing is."""
        wanted = missing(self.lock, self.directory)
        if wanted:
            size = sum(artefact.size for artefact in wanted)
            progress.step("fetching Kafka and the schema registry, once", total_bytes=size)
            fetch(self.lock, self.directory, advance=progress.advance)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process changes the installation; then it is ours alone."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / ".turn.lock").open("w") as lock_file:
            fcntl.flock(lock_file, fcntl.LOCK_EX)
            yield

    def tool(self, main_class: str, *arguments: str) -> list[str]:
        """Give back the command that runs one of Kafka's own tools, by the name of its class.

        ``org.apache.kafka.tools.consumer.ConsoleConsumer`` is what ``kafka-console-consumer`` runs.
        """
        java = jvm(
            heap_mb=TOOL_HEAP_MB,
            marker="-Dedml.tool",
            cache=self.broker_cache,
            caching=Caching.USE,
        )
        return [*java, "-cp", self.class_path, main_class, *arguments]
