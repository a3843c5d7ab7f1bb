"""A city of its own for each test, on the broker that all tests share."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copy, copytree
from uuid import uuid4

import pytest

from edml.apps.taxi import taxi
from edml.kafka.embedded import EmbeddedLog
from edml.settings import RegistrySettings, Settings
from edml.wiring import Cluster
from tests.broker.city import City
from tests.broker.terminal import Terminal


@pytest.fixture
def city(log: EmbeddedLog, admitted: Path, tmp_path: Path) -> Iterator[City]:
    """The taxi application on topics of its own, on a machine that has seen others before.

    Most tests serve the same straight line: a trial of it in every home would only take time.
    """
    prefix = f"test-{uuid4().hex[:8]}."
    settings = Settings(
        home=tmp_path / "home",
        bootstrap_servers=log.bootstrap_servers,
        registry_access=RegistrySettings(url=log.registry_url),
        topic_prefix=prefix,
    )
    trials = copytree(admitted, settings.home / "trials")
    with Cluster(settings, taxi.prefixed(prefix)) as cluster:
        yield City(cluster, tmp_path / "models")
    for mark in trials.glob("*.admitted"):
        copy(mark, admitted)


@pytest.fixture
def terminal(
    city: City, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """A terminal whose commands mean the city."""
    settings = city.cluster.settings
    monkeypatch.setenv("EDML_HOME", str(settings.home))
    monkeypatch.setenv("EDML_BOOTSTRAP_SERVERS", str(settings.bootstrap_servers))
    monkeypatch.setenv("EDML_REGISTRY_URL", settings.registry.url)
    monkeypatch.setenv("EDML_TOPIC_PREFIX", settings.topic_prefix)
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal(capsys)
