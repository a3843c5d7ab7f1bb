"""Puts the parts together: settings and an application in, a running component out."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any, Self

import fsspec

from edml.application import Application, Role
from edml.application.finding import find_application
from edml.component import Step
from edml.events import Batch
from edml.kafka import properties
from edml.kafka.burial import DeadLetters
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.codec.schema import avro_schema
from edml.kafka.finding import Finder
from edml.kafka.governor import ControlTopics, Governor
from edml.kafka.identity import instance
from edml.kafka.log import Guarantee, KafkaLog
from edml.kafka.model_watch import ModelWatch
from edml.kafka.models_topic import ModelsTable
from edml.kafka.monitor import Sources
from edml.kafka.monitor import monitor as run_monitor
from edml.kafka.playback import Playback
from edml.kafka.registry import Registry
from edml.kafka.releases import ReleaseWriter
from edml.kafka.serdes import FrameDecoder, FrameEncoder, key_schema
from edml.kafka.source import WHEN_AWAY
from edml.kafka.spans import QUIET, spans
from edml.kafka.topic_facts import topic_facts
from edml.kafka.topics import TopicSpec, ensure_topics
from edml.kafka.training_log import KafkaTrainingLog
from edml.models.admission import Fetch, admit, fetch_artefact
from edml.models.artefact import Artefact
from edml.models.records import (
    COMMANDS_TOPIC,
    MODELS_TOPIC,
    RELEASES_TOPIC,
    Command,
    CommandKind,
    Model,
)
from edml.models.store import ModelStore
from edml.models.trial import Limits, Trials
from edml.monitoring.governor import Decision
from edml.retraining.worker import Means, Worker
from edml.runtime.clock import SystemClock
from edml.runtime.runner import Pace, Runner
from edml.scoring.component import Scoring
from edml.scoring.records import SCORE_KEY, SCORED_KEY, Score, scored_schema
from edml.serving.component import Serving
from edml.serving.records import KEY, prediction_schema
from edml.serving.served import Bound
from edml.settings import Settings

DEAD_LETTERS = "edml.dead-letters"
LARGE_BYTES = 10_485_760
DEFAULT_PARTITIONS = 4
INLINE_BYTES = 2_097_152
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


@dataclass(frozen=True)
class Running:
    """How a component runs: its guarantee, its pace, and who watches it."""

    guarantee: Guarantee = "exactly_once"
    pace: Pace = field(default_factory=Pace)
    watch: Callable[[Batch, Step[Any]], None] | None = None


def serve(cluster: Cluster, stop: Event, running: Running) -> None:
    """Predict events until ``stop`` is set. Waits for a first model; no event is dropped then."""
    app, settings, registry = cluster.application, cluster.settings, cluster.registry
    cluster.create()
    group = f"{settings.topic_prefix}edml.{app.name}.serve"
    with (
        instance(settings.home, group) as name,
        ModelStore(settings.home / "models" / name) as store,
        _model_watch(cluster, store, by=name) as models,
    ):
        if not models.wait(stop):
            return
        log = KafkaLog(
            settings.client(),
            group=group,
            instance=name,
            inputs={app.event.topic: FrameDecoder(registry, avro_schema(app.event.schema))},
            outputs={
                app.predictions_topic: FrameEncoder(
                    registry, app.predictions_topic, prediction_schema(app), key=KEY
                )
            },
            dead_letters=DeadLetters(cluster.dead_letters, name),
            guarantee=running.guarantee,
        )
        Runner(Serving(app, models), log, pace=running.pace, watch=running.watch).run(stop)


def score(cluster: Cluster, stop: Event, running: Running) -> None:
    """Join predictions with outcomes until ``stop`` is set, and add up their errors."""
    app, settings, registry = cluster.application, cluster.settings, cluster.registry
    cluster.create()
    group = f"{settings.topic_prefix}edml.{app.name}.score"
    scored, sums = scored_schema(app), avro_schema(Score)
    with instance(settings.home, group) as name:
        log = KafkaLog(
            settings.client(),
            group=group,
            instance=name,
            inputs={
                app.predictions_topic: FrameDecoder(registry, prediction_schema(app)),
                app.outcome.topic: FrameDecoder(registry, avro_schema(app.outcome.schema)),
            },
            outputs={
                app.scored_topic: FrameEncoder(
                    registry, app.scored_topic, scored, key=key_schema(scored, SCORED_KEY)
                ),
                app.scores_topic: FrameEncoder(
                    registry, app.scores_topic, sums, key=key_schema(sums, SCORE_KEY)
                ),
            },
            dead_letters=DeadLetters(cluster.dead_letters, name),
            guarantee=running.guarantee,
        )
        Runner(Scoring(app), log, pace=running.pace, watch=running.watch).run(stop)


def monitor(cluster: Cluster, stop: Event) -> None:
    """Watch the champion, judge challengers and ask for trainings until ``stop`` is set."""
    app, client = cluster.application, cluster.settings.client()
    cluster.create()
    topics = spans(client, [app.predictions_topic, app.scores_topic])
    sources = Sources(
        client=client,
        registry=cluster.registry,
        releases=cluster.control.releases,
        partitions=len(topics[app.predictions_topic].end),
        scores_partitions=len(topics[app.scores_topic].end),
        models=lambda: ModelsTable(
            {**WHEN_AWAY, **client, "log_level": QUIET},
            cluster.registry,
            cluster.control.models,
            app.name,
        ),
        governor=cluster.governor,
    )
    run_monitor(app, sources, stop)


def _model_watch(cluster: Cluster, store: ModelStore, *, by: str) -> ModelWatch:
    """The models of the application, fetched through the instance's store."""
    app = cluster.application
    releases = ReleaseWriter(cluster.settings.client(), cluster.registry, cluster.control.releases)

    settings = cluster.settings
    trials = Trials(settings.home / "trials", by, Limits(settings.trial_s, settings.trial_mb))

    def load(model: Model) -> Bound:
        admitted = admit(app, model, through(store), trials=trials)
        return Bound(admitted.predictor, app.outcome.label)

    return ModelWatch(cluster.models(), load, releases.tell, by=by, cancel=trials.stop)


def through(store: ModelStore) -> Fetch:
    """Fetch artefacts through a store: what it has is not fetched again."""

    def fetch(model: Model) -> bytes:
        packed = store.get(model.sha256)
        if packed is None:
            packed = fetch_artefact(model)
            if sha256(packed).hexdigest() == model.sha256:
                store.put(packed)
        return packed

    return fetch


def publish(
    cluster: Cluster, folder: Path, *, flavour: str | None, role: Role, by: str
) -> tuple[Model, Decision]:
    """Admit the artefact in a folder here, then publish it and give it its role.

    Raises `ModelRefusedError` when it would be refused where it is served.
    """
    artefact = Artefact.read(folder)
    model = pack(cluster, artefact, flavour or artefact.flavours()[0])
    cluster.create()
    with cluster.governor() as governor:
        return model, governor.publish(model, command(cluster, "publish", model.version, role, by))


def pack(cluster: Cluster, artefact: Artefact, chosen: str) -> Model:
    """Admit one flavour of an artefact here; gives back the model as it may be published.

    An artefact of up to `INLINE_BYTES` travels in the record; a larger one is put in the store.
    Raises `ModelRefusedError` when it would be refused where it is served.
    """
    packed = artefact.packed(chosen)
    model = artefact.model(chosen, packed=packed)
    admit(cluster.application, model)
    if len(packed) > INLINE_BYTES:
        uri = f"{cluster.settings.artefacts}/{model.sha256}.zip"
        with fsspec.open(uri, "wb", auto_mkdir=True) as file:
            file.write(packed)
        model = artefact.model(chosen, packed=packed, uri=uri)
    return model


@contextmanager
def trainer(cluster: Cluster, means: Means) -> Iterator[Worker]:
    """A worker that trains what is requested on the log, under a name of its own."""
    app, settings = cluster.application, cluster.settings
    cluster.create()
    log = KafkaTrainingLog(
        settings.client(),
        cluster.registry,
        app,
        cluster.control.releases,
        governor=cluster.governor,
        table=cluster.models,
        packer=partial(pack, cluster),
    )
    with instance(settings.home, f"{settings.topic_prefix}edml.{app.name}.retrain") as name:
        yield Worker(name, app, log, SystemClock(), means)


def request_training(cluster: Cluster, by: str) -> Decision:
    """Ask for a training, as a person does."""
    with cluster.governor() as governor:
        return governor.execute(command(cluster, "retrain", None, None, by))


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
