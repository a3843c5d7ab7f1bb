"""What a worker that trains needs of the log: requests, leases, models, scored predictions."""

import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from edml.application import EVENT_TIME, Application
from edml.errors import OvertakenError
from edml.kafka import tail
from edml.kafka.codec.schema import avro_schema
from edml.kafka.governor import Decides, Governor
from edml.kafka.models_topic import ModelsTable
from edml.kafka.registry import Registry
from edml.kafka.releases import releases
from edml.kafka.serdes import FrameDecoder
from edml.kafka.spans import Client, topic_names
from edml.models.admission import fetch_artefact
from edml.models.archive import unpack
from edml.models.artefact import Artefact, Description
from edml.models.records import Model, Release
from edml.monitoring.governor import Decision
from edml.scoring.records import SOURCE, Score, scored_schema
from edml.serving import records as served

_TRIES: Final = 5
_PAUSE_S: Final = (0.1, 1.0)
_FILE: Final = "{:08}.arrow"  # in this order they are read


@dataclass(frozen=True)
class KafkaTrainingLog:
    """A `edml.retraining.worker.TrainingLog` on Kafka; ``pack`` is how a candidate is packed."""

    client: Client
    registry: Registry
    application: Application
    releases_topic: str
    governor: Callable[[], Governor]
    table: Callable[[], ModelsTable]
    packer: Callable[[Artefact, str], Model]

    def releases(self) -> Sequence[Release]:
        """All that happened to the application's models, oldest first."""
        return releases(self.client, self.registry, self.releases_topic, self.application.name)

    def act(self, decides: Decides, model: Model | None = None) -> Decision:
        """Do what is decided under the governor's fence.

        Whoever is fenced by another one that governs decides anew, after that one.
        """
        for left in reversed(range(_TRIES)):
            try:
                with self.governor() as governor:
                    return governor.act(decides, model)
            except OvertakenError:
                if not left:
                    raise
                time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311  so that two do not meet again
        raise AssertionError("unreachable")

    def champion(self) -> Model | None:
        """The model that answers now."""
        with self._read() as table:
            champion = table.roles.champion
            return None if champion is None else table.model(champion)

    def model(self, version: str) -> Model | None:
        """A published model; None where there is none of this version."""
        with self._read() as table:
            return table.model(version) if version in table.versions else None

    def versions(self) -> Sequence[str]:
        """The published versions, oldest first."""
        with self._read() as table:
            return table.versions

    def watermark(self) -> datetime | None:
        """Up to which event time every partition that is scored has come."""
        topic = self.application.scores_topic
        if topic not in topic_names(self.client):
            return None
        schema = avro_schema(Score)
        scores = tail.read(self.client, self.registry, topic, schema=schema, latest=True).frame
        reached = scores.group_by(SOURCE).agg(pl.col("watermark").max())["watermark"]
        watermark: datetime | None = reached.min()  # type: ignore[assignment]
        return watermark

    def copy_scored(self, folder: Path, known_to: datetime) -> None:
        """Copy the champion's scored predictions that were known then, batch by batch."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        app = self.application
        decoder = FrameDecoder(self.registry, scored_schema(app))
        wanted = (pl.col(served.ROLE) == "champion") & (
            pl.col(EVENT_TIME) <= known_to - app.outcome.wait
        )
        decoder.decode([]).frame.write_ipc(folder / _FILE.format(0))
        for number, batch in enumerate(tail.messages(self.client, app.scored_topic), start=1):
            found = decoder.decode([each.value() for each in batch]).frame.filter(wanted)
            if not found.is_empty():
                found.write_ipc(folder / _FILE.format(number))

    def pack(self, artefact: Artefact, flavour: str) -> Model:
        """The artefact as a model that may be published."""
        return self.packer(artefact, flavour)

    def unpack(self, model: Model, folder: Path) -> None:
        """Fetch a model's artefact into a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        unpack(fetch_artefact(model), folder)
        Artefact.write(
            folder,
            Description(
                model.version, model.application, model.signature, model.self_test, model.metadata
            ),
        )

    @contextmanager
    def _read(self) -> Iterator[ModelsTable]:
        with closing(self.table()) as table:
            table.read_to_end()
            yield table
