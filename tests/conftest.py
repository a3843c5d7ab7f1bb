"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

PROJECT = Path(__file__).parent.parent

# A busy machine is slow at times: how long a test may take is said by its timeout alone.
settings.register_profile("edml", deadline=None)
settings.load_profile("edml")


@pytest.fixture(scope="session")
def jars() -> Path:
    """Kafka's jars, fetched once for all runs: those of `edml up` unless EDML_JARS is set."""
    return Path(os.environ.get("EDML_JARS", PROJECT / ".edml" / "jars"))
