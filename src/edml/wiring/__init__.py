"""Puts the parts together: settings and an application in, a running component out.

Here is what every command needs. What runs for long has a module of its own, so that none of them
waits for the others' imports when it starts.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Self

from edml.application import Application, Role
from edml.application.finding import find_application
from edml.kafka import properties
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.codec.schema import avro_schema
from edml.kafka.finding import Finder
from edml.kafka.governor import ControlTopics, Governor
from edml.kafka.models_topic import ModelsTable
from edml.kafka.playback import Playback
from edml.kafka.registry import Registry
from edml.kafka.topic_facts import topic_facts
from edml.kafka.topics import TopicSpec, ensure_topics
from edml.models.records import (
    COMMANDS_TOPIC,
    MODELS_TOPIC,
    RELEASES_TOPIC,
    Command,
    CommandKind,
)
from edml.scoring.records import scored_schema
from edml.serving.records import prediction_schema
from edml.settings import Settings

DEAD_LETTERS = "edml.dead-letters"
LARGE_BYTES = 10_485_760
DEFAULT_PARTITIONS = 4
YEAR_MS = 365 * 24 * 3600 * 1000


@dataclass(frozen=True)
class Cluster:
    """A cluster and its registry, and what an application's topics are called there.

    ``partitions`` is how many the application's topics have; None stands for as many as the topic
    of events has already, or `DEFAULT_PARTITIONS`. Use it as a context: leaving it closes the
    connection to the registry.
    """

    settings: Settings
    application: Application
    partitions: int | None = None

    @property
    def control(self) -> ControlTopics:
        """The topics on which edml writes about itself."""
        prefix = self.settings.topic_prefix
        return ControlTopics(
            *(f"{prefix}{each}" for each in (MODELS_TOPIC, RELEASES_TOPIC, COMMANDS_TOPIC))
        )

    @property
    def dead_letters(self) -> str:
        """The topic of bad records."""
        return f"{self.settings.topic_prefix}{DEAD_LETTERS}"

    @cached_property
    def registry(self) -> Registry:
        """The schema registry; one connection for all, closed with the context."""
        return Registry(self.settings.registry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "registry" in vars(self):
            self.registry.close()

    def topics(self) -> list[TopicSpec]:
        """Every topic that the application needs.

        No event is refused for its timestamp: with it, the broker would refuse its neighbours.
        """
        app = self.application
        partitions = self.partitions or self._partitions_there() or DEFAULT_PARTITIONS
        kept = {
            "retention.ms": str(int(app.retention.total_seconds() * 1000)),
            "max.message.bytes": str(LARGE_BYTES),
            "message.timestamp.after.max.ms": str(2**63 - 1),
        }
        compacted = {
            "cleanup.policy": "compact",
            "max.message.bytes": str(LARGE_BYTES),
            "message.timestamp.after.max.ms": kept["message.timestamp.after.max.ms"],
        }
        streams = (app.event.topic, app.outcome.topic, app.predictions_topic, app.scored_topic)
        return [
            *(TopicSpec(topic, partitions, kept) for topic in streams),
            TopicSpec(app.scores_topic, partitions, compacted),
            TopicSpec(self.control.models, 1, compacted),
            TopicSpec(self.control.releases, 1, {"retention.ms": "-1"}),
            TopicSpec(self.control.commands, 1, kept),
            TopicSpec(
                self.dead_letters,
                1,
                {
                    "retention.ms": str(YEAR_MS),
                    "max.message.bytes": str(LARGE_BYTES * 2),
                    "message.timestamp.after.max.ms": kept["message.timestamp.after.max.ms"],
                },
            ),
        ]

    def create(self) -> tuple[str, ...]:
        """Create what topics are missing, check the others, register the events' schemas."""
        created = ensure_topics(self.settings.client(), self.topics())
        registry = self.registry
        for stream in (self.application.event, self.application.outcome):
            registry.register(f"{stream.topic}-value", avro_schema(stream.schema))
        return created

    def _partitions_there(self) -> int | None:
        """How many partitions the topic of events has, if it exists."""
        topic = self.application.event.topic
        facts = topic_facts(self.settings.client(), [topic])
        return facts[topic].partitions if topic in facts else None

    def governor(self) -> Governor:
        """The governor of the application; use it as a context."""
        return Governor(self.settings.client(), self.registry, self.application, self.control)

    def models(self) -> ModelsTable:
        """The table of models and roles."""
        client = self.settings.client()
        return ModelsTable(client, self.registry, self.control.models, self.application.name)

    def finder(self) -> Finder:
        """Finds single records on the log."""
        return Finder(self.settings.client(), self.registry)

    def playback(self) -> Playback:
        """The log, to be played again."""
        return Playback(self.settings.client(), self.registry)


def application(name: str | None = None) -> Application:
    """The application of this name, or the one that the settings name."""
    return find_application(name or Settings.read().application)


def schemas(app: Application) -> dict[str, RecordSchema]:
    """The Avro schemas of an application's records, by what they hold."""
    return {
        "event": avro_schema(app.event.schema),
        "outcome": avro_schema(app.outcome.schema),
        "prediction": prediction_schema(app),
        "scored": scored_schema(app),
    }


def cluster(name: str | None = None, partitions: int | None = None) -> Cluster:
    """The cluster that the settings name, for an application by its name."""
    settings = Settings.read()
    properties.check(settings)
    return Cluster(settings, application(name).prefixed(settings.topic_prefix), partitions)


def command(
    cluster: Cluster, kind: CommandKind, version: str | None, role: Role | None, by: str
) -> Command:
    """What somebody asks of the governor, now."""
    return Command(
        application=cluster.application.name,
        kind=kind,
        version=version,
        role=role,
        at=datetime.now(UTC),
        by=by,
        request=str(uuid.uuid4()),
    )
