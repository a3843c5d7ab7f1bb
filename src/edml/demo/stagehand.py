"""Works behind the stage: begins commands, waits, and sees that all that are needed still run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edml.demo.children import Child, Children
from edml.demo.figures import Figures
from edml.demo.story import Story, View
from edml.demo.watch import Watch
from edml.errors import EdmlError

POLL_S: Final = 0.1
STALLED_S: Final = 120.0
"""After so long without anything new, the demo gives up and says so."""


class StalledError(EdmlError):
    """Everything runs, but what the demo waits for does not happen."""


@dataclass
class Stagehand:
    """Begins processes, waits for what they do, and sees that all that are needed run."""

    story: Story
    view: View
    watch: Watch
    children: Children
    needed: list[Child] = field(default_factory=list)

    @property
    def figures(self) -> Figures:
        """What is seen at this moment."""
        return self.watch.figures

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a command to its end, and pass on what it says."""
        self.follow(self.children.start(name, command))

    def follow(self, child: Child, until: Callable[[], bool] = lambda: False) -> None:
        """Wait for the end of a command, or ``until`` something, and pass on what it says."""
        while not child.ended and not until():
            self.story.say(child.name, child.last_line)
            self.pulse()
        child.check()

    def need(self, name: str, command: Sequence[str]) -> Child:
        """Start a command that must run from now on."""
        child = self.children.start(name, command)
        self.needed.append(child)
        return child

    def release(self, child: Child) -> None:
        """End a command that is needed no more."""
        self.needed.remove(child)
        self.children.stop(child)

    def wait(self, until: Callable[[], bool], what: str, *, patience_s: float = STALLED_S) -> None:
        """Wait for something that must come while all that is needed for it runs."""
        seen, deadline = self.figures.counts, time.monotonic() + patience_s
        while not until():
            self.pulse()
            if self.figures.counts != seen:
                seen, deadline = self.figures.counts, time.monotonic() + patience_s
            if time.monotonic() > deadline:
                raise StalledError(
                    f"nothing happens any more: the demo waits for {what}",
                    where=str(self.children.logs),
                    todo="see what the commands wrote there, and run `edml demo` again",
                )

    def pulse(self) -> None:
        """See that all is well, show what is new, and let some time pass."""
        for child in self.needed:
            child.check_runs()
        self.watch.check()
        self.view.pulse()
        time.sleep(POLL_S)
