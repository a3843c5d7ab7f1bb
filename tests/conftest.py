"""What every test may ask for."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def jars() -> Path:
    """The directory with Kafka's jars, fetched once for all runs: that of `edml up` unless EDML_JARS is set."""
    return Path(os.environ.get("EDML_JARS", PROJECT / ".edml" / "jars"))
