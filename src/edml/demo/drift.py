"""A story of a city that changes: the loop notices, learns, tries and promotes; nobody helps."""

from collections.abc import Callable
from typing import Final

from edml.demo import commands
from edml.demo.acts import Acts
from edml.demo.children import Child
from edml.demo.report import Report
from edml.errors import EdmlError

TRAINED: Final = ("retrained", "rejected", "failed")
"""How a training ends."""

PATIENCE_S: Final = 300.0
"""A training says nothing for a while, and trips may wait for it."""


class OverError(EdmlError):
    """The trips were too few, or too quick, for what the demo has to show."""


class Drift(Acts):
    """`edml monitor` and `edml retrain` run beside serving; the demo only looks on."""

    def all(self) -> Report:
        """One act after the other."""
        first = self.train()
        self.publish(first)
        self.stage.need("monitor", commands.MONITOR)
        self.stage.need("retrain", self.commands.retrain())
        replay = self.replay()
        self._alarm()
        replay = self._learn(replay)
        self._shadow()
        second = self._promote(first)
        report = self.settle(replay)
        self.stage.story.done("promote", f"{second} answers, in place of {first}")
        return report

    def _alarm(self) -> None:
        self.stage.story.begin(
            "alarm", "`edml monitor` compares each day's errors with those of the hold-out"
        )
        self._wait(lambda: self.figures.last("requested") is not None, "an alarm")
        alarm = self.figures.last("alarmed")
        self.stage.story.done("alarm", (alarm and alarm.cause) or "a training is asked for")

    def _learn(self, replay: Child) -> Child:
        """Trips flow while it learns, but not for ever: what is tried must still meet some."""
        story = self.stage.story
        story.begin("retrain", "`edml retrain` looks how much of the past is of use, and learns")
        self._wait(lambda: self._tried() or self._far(), "a new version")
        while not self._tried():
            ended = self._trainings
            self.stage.release(replay)
            self.say("paused", "trips wait until a version has learnt")
            self._wait(lambda: self._trainings > ended, "the end of a training")  # noqa: B023
            replay = self.stage.need("replay", self.commands.replay())
            self._wait(lambda: self._tried() or self._learning(), "a new version")
        learnt = self.figures.last("retrained")
        story.done("retrain", f"{learnt.version if learnt else 'a version'} has learnt")
        return replay

    def _shadow(self) -> None:
        tried = self.figures.last("challenging")
        name = tried.version if tried else "it"
        self.stage.story.begin("shadow", f"{name} predicts the same trips, and answers none")
        self._wait(self._promoted, "the judge's verdict")
        self.stage.story.done("shadow", f"{name} is better on the same trips")

    def _promote(self, first: str) -> str:
        """The new version answers; its errors are seen before the curtain falls, or trips end."""
        second = self.figures.champion or first
        self.stage.story.begin("promote", f"{second} answers now; {first} goes on in its shadow")
        self.stage.wait(
            lambda: self._answered >= self.plan.after_swap or self._all_happened,
            "the new version's errors",
            patience_s=PATIENCE_S,
        )
        return self.figures.champion or second

    @property
    def _trainings(self) -> int:
        return sum(each.kind in TRAINED for each in self.figures.told)

    @property
    def _answered(self) -> int:
        """How many answers of all versions but the first have met their outcome."""
        answers = [each for each in self.figures.served if each.role == "champion"]
        return sum(each.errors.count for each in answers[1:])

    @property
    def _all_happened(self) -> bool:
        """Whether the replay has come to its end."""
        return any(each.name == "replay" and each.process.poll() == 0 for each in self.stage.needed)

    def _tried(self) -> bool:
        return self.figures.last("challenging") is not None or self._promoted()

    def _promoted(self) -> bool:
        return sum(each.kind == "promoted" for each in self.figures.told) > 1

    def _learning(self) -> bool:
        """Whether a training is under way, and trips have gone far meanwhile."""
        last = self.figures.last("training", *TRAINED)
        return self._far() and last is not None and last.kind == "training"

    def _far(self) -> bool:
        return self.figures.events >= self.plan.pause_at

    def _wait(self, until: Callable[[], bool], what: str) -> None:
        self.stage.wait(lambda: until() or self._over(what), what, patience_s=PATIENCE_S)

    def _over(self, what: str) -> bool:
        """Raise when all trips have happened, and what was waited for has not."""
        if self._all_happened:
            raise OverError(
                f"all trips have happened, and {what} has not come",
                where=str(self.stage.children.logs),
                todo="let more of them happen with --to, or fewer a second with --rate; what the "
                "monitor and the trainer did stands in their logs there",
            )
        return False
