"""The demo itself: each stage begins what it needs, waits for it, and says what it sees.

All that is done here can be done by hand: the same commands run as child processes.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edml import wiring
from edml.demo import commands, months
from edml.demo.children import Child, Children
from edml.demo.figures import Figures, Happening
from edml.demo.fresh_log import fresh_log
from edml.demo.home import Home
from edml.demo.plan import APPLICATION, Plan
from edml.demo.report import Report, report
from edml.demo.spoilt import spoilt
from edml.demo.stagehand import Stagehand
from edml.demo.story import Story, View
from edml.demo.thinning import thinned
from edml.demo.watch import Watch
from edml.errors import EdmlError
from edml.kafka.raw import write_raw
from edml.models.artefact import Artefact

SETTLED_S: Final = 1.5
"""Nothing new for so long: scoring has caught up with all outcomes that were replayed."""


class WrongCountError(EdmlError):
    """An event was not predicted exactly once."""


def perform(plan: Plan, home: Home, story: Story, view: View, resources: ExitStack) -> Report:
    """Everything, from an empty directory to the figures at the end.

    What is begun is handed to ``resources``, which end it.
    """
    application = wiring.find_application(APPLICATION)
    split = months.USUAL if plan.data is None else months.split(plan.data)
    story.begin("log", "a real Kafka and a real schema registry, on this machine")
    log = resources.enter_context(fresh_log(home, story))
    cluster = resources.enter_context(wiring.Cluster(home.settings, application))
    cluster.create()
    watch = resources.enter_context(Watch(cluster))
    story.figures = lambda: watch.figures
    children = resources.enter_context(Children(home.environment, home.logs))
    story.done("log", f"Kafka at {log.bootstrap_servers}, registry at {log.registry_url}")
    stage = Stagehand(story, view, watch, children)
    trips = _trips(plan, home, split, stage)
    return Acts(plan, stage, cluster, commands.Commands(plan, home, trips, split)).all()


def _trips(plan: Plan, home: Home, split: months.Split, stage: Stagehand) -> Path:
    """The folder of the trips to learn from and to replay."""
    stage.story.begin("data", "trips of New York's yellow taxis")
    if plan.data is None:
        trips = home.trips
        stage.run("data", commands.simulate(plan, home, split.all))
    else:
        trips = thinned(
            plan.data, split.all, home.trips, lambda said: stage.story.note("data", said)
        )
    stage.story.done("data", f"{plan.shown_data}, {split.all}")
    return trips


@dataclass
class Acts:
    """What happens once there are a log and trips."""

    plan: Plan
    stage: Stagehand
    cluster: wiring.Cluster
    commands: commands.Commands

    def all(self) -> Report:
        """One act after the other."""
        first = self._train()
        self._publish(first)
        replay = self._replay()
        second, replay = self._retrain(replay)
        self._swap(first, second)
        self._settle(replay)
        return report(self.stage.figures, self.plan.shown_data)

    def _train(self) -> str:
        story, learnt = self.stage.story, self.commands.split.little
        story.begin("train", f"a first version learns from the trips of {learnt}")
        self.stage.run("train", self.commands.train(1))
        version = self._version(1)
        story.done("train", f"{version} has learnt from {learnt}")
        return version

    def _publish(self, version: str) -> None:
        """Serving and scoring start meanwhile: serving waits for a first model."""
        story = self.stage.story
        story.begin("publish", "the model becomes an event on edml.models")
        self.stage.need("serve", commands.SERVE)
        self.stage.need("score", commands.SCORE)
        self.stage.run("publish", self.commands.publish(1))
        story.done("publish", "edml.models has it; whoever serves hears of it")
        story.begin("serve", "`edml serve` takes the model from the log, and tries it")
        self.stage.wait(
            lambda: version in self.stage.figures.loaded, "the first version to be loaded"
        )
        story.done("serve", f"{version} is ready to answer")

    def _replay(self) -> Child:
        live, rate = self.commands.split.live, self.plan.rate_per_s
        self.stage.story.begin("replay", f"trips of {live} happen again, {rate} a second")
        replay = self.stage.need("replay", self.commands.replay())
        self.stage.wait(lambda: self.stage.figures.predictions > 0, "a first prediction")
        self._spoil()
        self.stage.wait(
            lambda: self.stage.figures.scored >= self.plan.before_retrain,
            "predictions to be scored",
        )
        return replay

    def _spoil(self) -> None:
        """Put three bad records among the good ones."""
        topic = self.cluster.application.event.topic
        records = spoilt(self.stage.watch.a_good_event())
        self._say("bad records", f"{len(records)} are put on {topic}, on purpose")
        write_raw(self.cluster.settings.client(), topic, records)

    def _retrain(self, replay: Child) -> tuple[str, Child]:
        """Train a second version in the background; trips flow, but not for ever."""
        story, learnt = self.stage.story, self.commands.split.more
        story.begin("retrain", f"a second version learns from those of {learnt}, in the background")
        training = self.stage.children.start("retrain", self.commands.train(2), politely=True)
        self.stage.follow(training, lambda: self.stage.figures.events >= self.plan.pause_at)
        if not training.ended:
            self.stage.release(replay)
            self._say("paused", "trips wait until the second version has learnt")
            self.stage.follow(training)
            replay = self.stage.need("replay", self.commands.replay())
        version = self._version(2)
        story.done("retrain", f"{version} has learnt from {learnt}")
        return version, replay

    def _swap(self, first: str, second: str) -> None:
        story = self.stage.story
        story.begin("swap", f"{second} is published while trips flow")
        self.stage.run("swap", self.commands.publish(2))
        self.stage.wait(
            lambda: second in self.stage.figures.loaded, "the second version to be loaded"
        )
        story.note("swap", f"{second} answers now; {first} goes on in its shadow")
        self.stage.wait(
            lambda: self.stage.figures.scored_by(second) >= self.plan.after_swap,
            "the second version's predictions to be scored",
        )
        story.done("swap", f"{second} answers, in place of {first}")

    def _settle(self, replay: Child) -> None:
        """End the replay, and let predictions and scores come to rest."""
        self.stage.release(replay)
        rest = Rest()
        self.stage.wait(
            lambda: rest.reached(self.stage.figures, time.monotonic()), "the last predictions"
        )
        figures = self.stage.figures
        self.stage.story.done("replay", f"{figures.events:,} events")
        if figures.doubled or figures.events != figures.predictions + figures.dead_letters:
            raise WrongCountError(
                f"{figures.events:,} events have {figures.predictions:,} predictions"
                f" ({figures.doubled} of them doubled) and {figures.dead_letters} dead letters",
                where=str(self.commands.home.directory),
                todo="this must not happen: please report it, with the logs in that directory",
            )

    def _version(self, number: int) -> str:
        return Artefact.read(self.commands.home.model(number)).version

    def _say(self, kind: str, text: str) -> None:
        self.stage.watch.say(Happening(datetime.now(UTC), kind, text))


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
