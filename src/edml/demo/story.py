"""What the demo has to tell at any moment; a view shows it."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from edml.demo.figures import Figures
from edml.demo.screen import Screen, Topics
from edml.demo.stages import NAMES, Stages


class Story:
    """The stages, and where the figures are from."""

    def __init__(
        self,
        topics: Topics,
        data: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        stages: Sequence[str] = NAMES,
    ) -> None:
        self.stages = Stages.to_come(stages)
        self.figures: Callable[[], Figures] = Figures
        self.topics = topics
        self.changed: Callable[[], None] = lambda: None
        """Called when a stage begins, ends, or has something to say."""
        self._data = data
        self._clock = clock
        self._began = clock()

    @property
    def now_s(self) -> float:
        """Seconds since the demo began."""
        return self._clock() - self._began

    @property
    def screen(self) -> Screen:
        """This moment."""
        return Screen(self.topics, self._data, self.now_s, self.stages, self.figures())

    def begin(self, stage: str, note: str) -> None:
        """A stage begins."""
        self._set(self.stages.began(stage, self.now_s, note))

    def note(self, stage: str, note: str) -> None:
        """A stage goes on, with something to say."""
        if self.stages.by_name[stage].note != note:
            self._set(self.stages.noted(stage, note))

    def say(self, stage: str, said: str) -> None:
        """A stage's command has said something."""
        if self.stages.by_name[stage].said != said:
            self._set(self.stages.heard(stage, said))

    def done(self, stage: str, note: str) -> None:
        """A stage is done."""
        self._set(self.stages.done(stage, self.now_s, note))

    def fail(self) -> None:
        """What is under way has failed."""
        self._set(self.stages.failed(self.now_s))

    def _set(self, stages: Stages) -> None:
        self.stages = stages
        self.changed()


class View(AbstractContextManager["View"], Protocol):
    """Shows a story while it is the context."""

    def pulse(self) -> None:
        """Show what is new, if that is not shown by itself."""
