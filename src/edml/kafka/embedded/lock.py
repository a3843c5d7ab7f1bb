"""The lock: every file of the embedded Kafka and registry, by coordinate, size and sha256.

``jars.lock.json`` beside this module is written by ``python -m edml.kafka.embedded.lock``, which
resolves what is named below. It names no host: where the files come from is the business of whoever
downloads them.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jgo.maven import Artifact as MavenFile

LOCK_FILE = Path(__file__).with_name("jars.lock.json")

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
# Taken without what they depend on: Kafka's own dependencies hold what is used of them.
KAFKA_EXTRAS = (
    "org.apache.kafka:kafka-tools:4.3.1",  # the console producer and consumer
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",  # the broker's log, as in Kafka's download
)
REGISTRY_GROUP, REGISTRY_NAME, REGISTRY_VERSION = "io.apicurio", "apicurio-registry-app", "3.0.9"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file of a Maven repository; ``size`` in bytes."""

    group: str
    name: str
    version: str
    extension: str
    classifier: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The file's name in a Maven repository, such as ``kafka-clients-4.3.1.jar``."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{classifier}.{self.extension}"

    @property
    def path(self) -> PurePosixPath:
        """The file's place in a Maven repository, below its root."""
        return PurePosixPath(*self.group.split("."), self.name, self.version, self.file_name)


@dataclass(frozen=True, slots=True)
class Lock:
    """The jars of Kafka's class path, and the archive of the registry."""

    kafka: tuple[Artefact, ...]
    registry: Artefact

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """Everything that has to be there before the log can start."""
        return (*self.kafka, self.registry)


def read_lock(path: Path = LOCK_FILE) -> Lock:
    """Give back the committed lock."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return Lock(
        kafka=tuple(Artefact(**entry) for entry in document["kafka"]),
        registry=Artefact(**document["registry"]),
    )


def write_lock(lock: Lock, path: Path = LOCK_FILE) -> None:
    """Write the lock, in a stable order, so that a change can be reviewed."""
    document = {
        "kafka": [asdict(artefact) for artefact in lock.kafka],
        "registry": asdict(lock.registry),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def resolve(cache: Path) -> Lock:
    """Resolve by Maven's rules and give back the lock.

    Downloads everything into ``cache``, a local Maven repository, to hash it.
    """
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=cache)
    kafka, dependencies = context.resolver.resolve([context.create_dependency(KAFKA)])
    extras = [context.create_dependency(extra) for extra in KAFKA_EXTRAS]
    jars = [_locked(dependency.artifact) for dependency in (*kafka, *dependencies, *extras)]
    registry = context.project(REGISTRY_GROUP, REGISTRY_NAME).at_version(REGISTRY_VERSION)
    return Lock(
        kafka=tuple(sorted(jars, key=lambda jar: (jar.group, jar.name))),
        registry=_locked(registry.artifact(classifier="all", packaging="tar.gz")),
    )


def _locked(artifact: "MavenFile") -> Artefact:
    file = artifact.resolve()
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return Artefact(
        group=artifact.groupId,
        name=artifact.artifactId,
        version=artifact.version,
        extension=artifact.packaging,
        classifier=artifact.classifier or "",
        size=file.stat().st_size,
        sha256=sha256,
    )


def main() -> None:
    """Resolve anew and write the lock."""
    from jgo.constants import default_maven_repo

    lock = resolve(default_maven_repo())
    write_lock(lock)
    print(f"{len(lock.artefacts)} artefacts → {LOCK_FILE}")  # noqa: T201


if __name__ == "__main__":
    main()
