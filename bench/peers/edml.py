"""edml itself: the real command, as users run it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from bench.peers.peer import ROOT, Work
from bench.processes import Command
from bench.stage import Stage
from edml.application import Application
from edml.kafka.group_offsets import seek


@dataclass(frozen=True)
class Edml:
    """``edml serve`` of an application of `bench.applications`, by its name there."""

    application: Application
    variable: str
    environment: Mapping[str, str]
    name: str = "edml"
    predicts: bool = True

    @property
    def output(self) -> str:
        """The topic that it writes."""
        return self.application.predictions_topic

    @property
    def group(self) -> str:
        """The consumer group that it always has."""
        return f"edml.{self.application.name}.serve"

    def prepare(self, stage: Stage) -> None:
        """Have the group begin anew."""
        seek(stage.client, self.group, [self.application.event.topic], "earliest")

    def command(self, work: Work) -> Command:
        """Start ``edml serve``."""
        return edml(
            self.environment,
            "serve",
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
