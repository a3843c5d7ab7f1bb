"""What the demo's two stories have in common: a first version, trips that flow, and the end."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from edml import wiring
from edml.demo import commands
from edml.demo.children import Child
from edml.demo.figures import Figures, Happening
from edml.demo.plan import Plan
from edml.demo.report import Report, report
from edml.demo.spoilt import spoilt
from edml.demo.stagehand import Stagehand
from edml.errors import EdmlError
from edml.kafka.raw import write_raw
from edml.models.artefact import Artefact

SETTLED_S: Final = 1.5
"""Nothing new for so long: scoring has caught up with all outcomes that were replayed."""


class WrongCountError(EdmlError):
    """An event was not predicted exactly once."""


@dataclass
class Acts:
    """What happens once there are a log and trips."""

    plan: Plan
    stage: Stagehand
    cluster: wiring.Cluster
    commands: commands.Commands

    @property
    def figures(self) -> Figures:
        """What is seen at this moment."""
        return self.stage.figures

    def train(self) -> str:
        """A first version; which one it is."""
        story, learnt = self.stage.story, self.commands.split.little
        story.begin("train", f"a first version learns from the trips of {learnt}")
        self.stage.run("train", self.commands.train(1))
        version = self.version(1)
        story.done("train", f"{version} has learnt from {learnt}")
        return version

    def publish(self, version: str) -> None:
        """Serving and scoring start meanwhile: serving waits for a first model."""
        story = self.stage.story
        story.begin("publish", "the model becomes an event on edml.models")
        self.stage.need("serve", commands.SERVE)
        self.stage.need("score", commands.SCORE)
        self.stage.run("publish", self.commands.publish(1))
        story.done("publish", "edml.models has it; whoever serves hears of it")
        story.begin("serve", "`edml serve` takes the model from the log, and tries it")
        self.stage.wait(lambda: version in self.figures.loaded, "the first version to be loaded")
        story.done("serve", f"{version} is ready to answer")

    def replay(self) -> Child:
        """Trips begin to flow, three bad records among them."""
        live, rate = self.commands.split.live, self.plan.rate_per_s
        self.stage.story.begin("replay", f"trips of {live} happen again, {rate} a second")
        replay = self.stage.need("replay", self.commands.replay())
        self.stage.wait(lambda: self.figures.predictions > 0, "a first prediction")
        self._spoil()
        self.stage.wait(
            lambda: self.figures.scored >= self.plan.before_retrain, "predictions to be scored"
        )
        return replay

    def settle(self, replay: Child) -> Report:
        """End the replay, and let predictions and scores come to rest; what it came to."""
        self.stage.release(replay)
        rest = Rest()
        self.stage.wait(lambda: rest.reached(self.figures, time.monotonic()), "the last answers")
        figures = self.figures
        self.stage.story.done("replay", f"{figures.events:,} events")
        if figures.doubled or figures.events != figures.predictions + figures.dead_letters:
            raise WrongCountError(
                f"{figures.events:,} events have {figures.predictions:,} predictions"
                f" ({figures.doubled} of them doubled) and {figures.dead_letters} dead letters",
                where=str(self.commands.home.directory),
                todo="this must not happen: please report it, with the logs in that directory",
            )
        return report(figures, self.plan.shown_data)

    def version(self, number: int) -> str:
        """What the first or the second training has made."""
        return Artefact.read(self.commands.home.model(number)).version

    def say(self, kind: str, text: str) -> None:
        """Add something to what has happened."""
        self.stage.watch.say(Happening(datetime.now(UTC), kind, text))

    def _spoil(self) -> None:
        """Put three bad records among the good ones."""
        topic = self.cluster.application.event.topic
        records = spoilt(self.stage.watch.a_good_event())
        self.say("bad records", f"{len(records)} are put on {topic}, on purpose")
        write_raw(self.cluster.settings.client(), topic, records)


class Rest:
    """Notices that nothing changes any more."""

    def __init__(self) -> None:
        self._counts: tuple[int, ...] = ()
        self._since_s = 0.0

    def reached(self, figures: Figures, now_s: float) -> bool:
        """Whether all that is answered and scored has been, and nothing changes any more."""
        if figures.counts != self._counts:
            self._counts, self._since_s = figures.counts, now_s
        complete = figures.unanswered == 0 and figures.summed == figures.scored
        return complete and now_s - self._since_s >= SETTLED_S
