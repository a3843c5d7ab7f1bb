"""What every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from edml.errors import EdmlError
from edml.kafka.embedded import EmbeddedLog
from edml.kafka.embedded.progress import Silence
from edml.kafka.embedded.rehearsal import install
from tests.form import LONG

PROJECT = Path(__file__).parent.parent

# A busy machine is slow at times: how long a test may take is said by its timeout alone.
settings.register_profile("edml", deadline=None)
settings.load_profile("edml")


JARS = Path(os.environ.get("EDML_JARS", PROJECT / ".edml" / "jars"))


@pytest.fixture(scope="session")
def jars() -> Path:
    """Kafka's jars, fetched once for all runs: those of `edml up` unless EDML_JARS is set."""
    return JARS


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


@pytest.fixture(scope="session")
def admitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this machine knows of the models that it has admitted: each is tried apart once."""
    return tmp_path_factory.mktemp("trials")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked as ``long`` to the long form."""
    if not LONG:
        left = [each for each in items if each.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left)
        items[:] = [each for each in items if each not in left]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install Kafka before the first test that needs it: no test's timeout pays for a download."""
    if session.config.option.collectonly:
        return
    if any("jars" in getattr(item, "fixturenames", ()) for item in session.items):
        try:
            install(JARS, Silence())
        except EdmlError as error:
            raise pytest.UsageError(str(error)) from error
