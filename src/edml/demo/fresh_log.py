"""An empty log of the demo's own, up while it is the context."""

from collections.abc import Iterator
from contextlib import contextmanager

from edml.demo.home import Home
from edml.demo.story import Story
from edml.kafka.embedded import EmbeddedLog
from edml.kafka.embedded.progress import Silence
from edml.kafka.embedded.service import down


@contextmanager
def fresh_log(home: Home, story: Story) -> Iterator[EmbeddedLog]:
    """Take down what is left of the demo before, forget it, and bring the log up on free ports."""
    down(home.directory, progress=Silence())
    home.clear()
    with EmbeddedLog.start(home.directory, jars=home.jars, progress=LogProgress(story)) as log:
        yield log


class LogProgress:
    """Tells what is being fetched and started as the note of the stage ``log``."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._title = ""
        self._arrived_bytes = 0
        self._total_bytes: int | None = None

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        """A new step begins."""
        self._title, self._arrived_bytes, self._total_bytes = title, 0, total_bytes
        self._story.note("log", title)

    def advance(self, arrived_bytes: int) -> None:
        """Some more of a download has arrived."""
        self._arrived_bytes += arrived_bytes
        total = f" of {self._total_bytes / 1e6:.0f}" if self._total_bytes else ""
        self._story.note("log", f"{self._title}: {self._arrived_bytes / 1e6:.0f}{total} MB")

    def say(self, text: str) -> None:
        """Something to know of."""
        self._story.note("log", text)
