"""A real broker and a real registry, one for the whole test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edml.kafka.embedded import EmbeddedLog


@pytest.fixture(scope="session")
def log(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedLog]:
    """A broker and a registry, shared by the tests: each names topics and groups of its own."""
    with EmbeddedLog.start(tmp_path_factory.mktemp("edml-home"), jars=jars) as log:
        yield log


@pytest.fixture(scope="session")
def bootstrap_servers(log: EmbeddedLog) -> str:
    """The address of the broker."""
    return log.bootstrap_servers


@pytest.fixture(scope="session")
def registry_url(log: EmbeddedLog) -> str:
    """The address of the registry."""
    return log.registry_url
