"""A home for each demo."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home; whatever a failed test has left running in it is ended."""
    home = tmp_path / "home"
    yield home
    for each in psutil.process_iter():
        try:
            if any(str(home) in text for text in (*each.cmdline(), *each.environ().values())):
                each.kill()
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
