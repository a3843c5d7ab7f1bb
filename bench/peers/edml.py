"""edml itself: the real command, as users run it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.peers.peer import ROOT, Work
from bench.processes import Command
from bench.stage import Stage
from edml.application import Application
from edml.kafka.group_offsets import groups, seek


@dataclass(frozen=True)
class Edml:
    """``edml serve``, or ``score``, of an application of `bench.applications` (its variable)."""

    application: Application
    variable: str
    environment: Mapping[str, str]
    name: str = "edml"
    verb: Literal["serve", "score"] = "serve"
    compiles: bool = False
    instances: int = 1

    @property
    def output(self) -> str:
        """The topic that it writes."""
        application = self.application
        if self.verb == "serve":
            return application.predictions_topic
        return application.scored_topic

    @property
    def group(self) -> str:
        """The consumer group that it always has."""
        return f"edml.{self.application.name}.{self.verb}"

    def prepare(self, stage: Stage) -> None:
        """Have the group begin anew, if it has ever begun."""
        if self.group not in groups(stage.client):
            return
        application = self.application
        topics = [application.event.topic]
        if self.verb == "score":
            topics = [application.predictions_topic, application.outcome.topic]
        seek(stage.client, self.group, topics, "earliest")

    def command(self, work: Work) -> Command:
        """Start the command."""
        return edml(
            self.environment,
            self.verb,
            "--app",
            f"bench.applications:{self.variable}",
            "--guarantee",
            work.guarantee,
        )


def edml(environment: Mapping[str, str], *arguments: str) -> Command:
    """A command of edml, on the stage."""
    return Command(
        [sys.executable, "-m", "edml", *arguments], {**environment, "PYTHONPATH": str(ROOT)}
    )
