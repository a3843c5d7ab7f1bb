"""The monitor: keeps the tables up to date, and has what they say done through the governor.

All it knows is read from the log, and all it decides is written there: it can be killed at any
moment, and started twice. The decisions themselves are `edml.monitoring.loop`'s.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from types import TracebackType
from typing import Any, Final, Self

import confluent_kafka as ck

from edml.application import Application
from edml.errors import EdmlError, LogError, OvertakenError, RegistryUnavailableError
from edml.kafka.codec.schema import avro_schema
from edml.kafka.governor import Decides, Governor
from edml.kafka.known_models import KnownModels
from edml.kafka.models_topic import ModelsTable
from edml.kafka.reader import Read, Reader
from edml.kafka.registry import Registry
from edml.kafka.releases import ReleasesTable
from edml.kafka.serdes import FrameDecoder
from edml.models.evidence import Alarm
from edml.models.records import Release, Roles
from edml.monitoring.figures import Figures
from edml.monitoring.governor import Decision
from edml.monitoring.loop import take_step
from edml.monitoring.predictions_table import PredictionsTable
from edml.monitoring.scores_table import ScoresTable
from edml.monitoring.situation import Situation
from edml.monitoring.told import told
from edml.scoring.records import PROGRESS, Score
from edml.serving.records import prediction_schema

logger = logging.getLogger(__name__)

WAIT_S: Final = 0.5
PAUSE_S: Final = 5.0
"""How long is waited before beginning anew, when the log or the registry cannot be used."""
AWAY_S: Final = 5.0
"""How long is waited, at the most, before trying again what could not be done."""

AT_MOST_MODELS: Final = 100
"""How many records about models are read in one turn."""

AT_MOST_READINGS: Final = 10
"""How often predictions are read in one turn."""

RECENT: Final = 100
"""What we have just written is among the last releases that were read, if it was read."""


@dataclass(frozen=True)
class Sources:
    """What a monitor reads, and how it governs; partitions are those that the topics have."""

    client: dict[str, Any]
    registry: Registry
    releases: str
    partitions: int
    scores_partitions: int
    models: Callable[[], ModelsTable]
    governor: Callable[[], AbstractContextManager[Governor]]


def monitor(application: Application, sources: Sources, stop: Event) -> None:
    """Watch, judge, and ask for trainings, until ``stop`` is set.

    While the log or the registry is away, nothing is decided; then all is read anew.
    """
    while not stop.is_set():
        try:
            with Monitor(application, sources) as running:
                while not stop.is_set():
                    running.turn()
        except (LogError, RegistryUnavailableError) as error:
            logger.warning("The monitor begins anew in %.0f s. %s", PAUSE_S, error)
            stop.wait(PAUSE_S)
        except ck.KafkaException as error:
            logger.warning("The monitor begins anew in %.0f s. %s", PAUSE_S, error.args[0].str())
            stop.wait(PAUSE_S)


class Monitor:
    """The tables of one application, and what was done so far. Use it as a context."""

    def __init__(self, application: Application, sources: Sources) -> None:
        self._application = application
        self._sources = sources
        self._decoder = FrameDecoder(sources.registry, avro_schema(Score))
        self._scores = ScoresTable(
            application,
            partitions=sources.partitions,
            kafka_partitions=sources.scores_partitions,
        )
        self._predictions = PredictionsTable(application, partitions=sources.partitions)
        self._predictions_decoder = FrameDecoder(sources.registry, prediction_schema(application))
        self._roles = Roles(application.name, revision=-1)
        self._written: list[Release] = []
        self._read_once: set[str] = set()
        self._seen: object = None
        self._looks_again_s = 0.0

    def __enter__(self) -> Self:
        client, registry = self._sources.client, self._sources.registry
        app = self._application
        with ExitStack() as stack:
            self._reader = stack.enter_context(
                closing(Reader(client, app.scores_topic, self._sources.scores_partitions))
            )
            self._predictions_reader = stack.enter_context(
                closing(Reader(client, app.predictions_topic, self._sources.partitions))
            )
            self._models = stack.enter_context(closing(self._sources.models()))
            self._about = KnownModels(self._models, app)
            self._releases = stack.enter_context(
                closing(ReleasesTable(client, registry, self._sources.releases, app.name))
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def turn(self) -> None:
        """Read what has come, and do what there is to do, if anything is new."""
        self._read()
        self._count_predictions()
        caught_up = self._scores.caught_up and len(self._read_once) == len(("models", "releases"))
        watermark = self._scores.watermark if caught_up else None
        if watermark is None or time.monotonic() < self._looks_again_s:
            return
        roles, releases = self._known()
        if self._seen is None:
            logger.info("Watching %s up to %s", roles.champion or "no model yet", watermark)
            self._seen = ()
        counted = self._predictions.complete_until(watermark) or watermark
        seen = (
            self._block(watermark - self._application.outcome.wait),
            self._block(counted),
            roles.revision,
            len(releases),
        )
        if seen == self._seen or self._step(self._figures(watermark, roles)):
            return
        self._seen = seen

    def _read(self) -> None:
        read = self._reader.read(WAIT_S)
        for partition, values in read.values.items():
            decoded = self._decoder.decode(values)
            if decoded.bad:
                logger.warning("%d records among the scores are none", len(decoded.bad))
            self._scores.take(decoded.frame, partition)
        for partition in read.ended:
            self._scores.ended(partition)
        if self._releases.poll(0):
            self._read_once.add("releases")
        for _ in range(AT_MOST_MODELS):
            if self._models.poll(0):
                self._read_once.add("models")
                break

    def _count_predictions(self) -> None:
        for _ in range(AT_MOST_READINGS):
            read = self._predictions_reader.read(0)
            self._count(read)
            if not read.values:
                break

    def _count(self, read: Read) -> None:
        for partition, values in read.values.items():
            frame = self._predictions_decoder.decode(values).frame
            versions: list[str] = frame["version"].unique().to_list()
            for version in versions:
                self._about.look_up(version)
            self._predictions.take(frame, partition, self._about.bins)
        for partition in read.ended:
            self._predictions.ended(partition)

    def _block(self, time: datetime) -> int:
        """In which block a time lies, counted from 1970."""
        return (time - PROGRESS) // self._application.policy.block

    def _known(self) -> tuple[Roles, Sequence[Release]]:
        """Roles and releases, those that we have written included."""
        read = self._releases.known
        self._written = [each for each in self._written if each not in read[-RECENT:]]
        roles = max(self._models.roles, self._roles, key=lambda each: each.revision)
        return roles, [*read, *self._written]

    def _figures(self, watermark: datetime, roles: Roles) -> Figures:
        for version in roles.served().values():
            self._about.look_up(version)
        bins = self._about.bins.get(roles.champion or "")
        noticed: Sequence[Alarm] = []
        if bins is not None and roles.champion is not None:
            noticed = self._predictions.alarms(roles.champion, bins, watermark)
        return Figures(
            self._application,
            watermark,
            self._scores.windows(),
            self._scores.answers(),
            dict(self._about.metadata),
            noticed,
        )

    def _step(self, figures: Figures) -> bool:
        """Take a step; whether something was done, so that there may be more to do."""

        def sees(roles: Roles, releases: Sequence[Release]) -> Situation:
            return Situation(
                application=self._application.name,
                policy=self._application.policy,
                roles=roles,
                releases=releases,
                statistics=figures,
                at=datetime.now(UTC),
            )

        try:
            decision = take_step(self._known, sees, self._act)
        except OvertakenError:
            logger.info("Somebody else has governed at the same time: looking again")
            self._wait(random.uniform(0, AWAY_S))  # noqa: S311  so as not to meet again
            return True
        except EdmlError as error:
            logger.warning("A decision has to wait. %s", error)
            self._wait(AWAY_S)
            return True
        if decision is None:
            return False
        self._roles = decision.roles
        self._written += decision.releases
        for each in decision.releases:
            logger.info("%s", told(each))
        return True

    def _wait(self, seconds: float) -> None:
        """Only read for a while."""
        self._looks_again_s = time.monotonic() + seconds

    def _act(self, decides: Decides) -> Decision:
        with self._sources.governor() as governor:
            return governor.act(decides)
