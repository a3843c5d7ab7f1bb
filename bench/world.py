"""The records that everybody reads, and the predictions that everybody must give.

The trips are drawn by the simulator. What they must be answered with is computed here, by edml's
own functions without any log.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import confluent_kafka as ck
import polars as pl

from bench.stage import Stage
from edml.application import Application, Simulation
from edml.apps.taxi import taxi
from edml.apps.taxi_city import simulate
from edml.events import OFFSET, PARTITION, Batch
from edml.kafka.codec.schema import avro_schema
from edml.kafka.registry import Registry
from edml.kafka.serdes import FrameEncoder
from edml.models import flavours
from edml.models.artefact import Artefact
from edml.serving.predict import Predict
from edml.serving.records import prediction_schema
from edml.serving.served import Bound, ServedModel

MONTH = date(2019, 11, 1), date(2019, 12, 1)
FEWEST_A_DAY = 0.9
AT_ONCE = 50_000


def trips(folder: Path, count: int) -> pl.DataFrame:
    """``count`` simulated trips of one month, in order of time; drawn once and kept in a folder."""
    start, end = MONTH
    per_day = math.ceil(count / (end - start).days / FEWEST_A_DAY)
    kept = folder / f"trips-{count}.parquet"
    if not kept.exists():
        raw = folder / f"simulated-{per_day}"
        raw.mkdir(parents=True, exist_ok=True)
        for _ in simulate(raw, start, end, Simulation(per_day=per_day)):
            pass
        taxi.history(raw, start, end).frame.head(count).write_parquet(kept)
    return pl.read_parquet(kept)


def predicted(artefact: Path, flavour: str, trips: pl.DataFrame) -> pl.DataFrame:
    """The prediction records of trips, as edml makes them without any log."""
    predictor = flavours.named(flavour).load(artefact)
    model = Bound(predictor, taxi.outcome.label)
    served = [ServedModel("champion", Artefact.read(artefact).version, model)]
    predict = Predict(taxi)
    now = datetime.now(UTC)
    parts: list[pl.DataFrame] = []
    for some in trips.iter_slices(AT_ONCE):
        placed = some.with_columns(
            pl.lit(0, pl.Int32).alias(PARTITION), pl.lit(0, pl.Int64).alias(OFFSET)
        )
        outputs = predict(served, Batch({taxi.event.topic: placed}), now)
        parts += outputs.frames.values()
    return pl.concat(parts)


@dataclass(frozen=True)
class Writer:
    """Writes frames to a topic as records, keyed by uuid.

    With a ``time``, the column that holds it is each record's timestamp: that of now else.
    """

    stage: Stage
    topic: str
    encoder: FrameEncoder
    time: str | None = None

    @classmethod
    def of_events(cls, stage: Stage, registry: Registry, application: Application) -> "Writer":
        """A writer of an application's events."""
        topic, schema = application.event.topic, avro_schema(application.event.schema)
        return cls(stage, topic, FrameEncoder(registry, topic, schema, key="uuid"))

    @classmethod
    def of_outcomes(cls, stage: Stage, registry: Registry, application: Application) -> "Writer":
        """A writer of an application's outcomes."""
        topic, schema = application.outcome.topic, avro_schema(application.outcome.schema)
        encoder = FrameEncoder(registry, topic, schema, key="uuid")
        return cls(stage, topic, encoder, application.outcome.time)

    @classmethod
    def of_predictions(cls, stage: Stage, registry: Registry, application: Application) -> "Writer":
        """A writer of an application's predictions."""
        topic, schema = application.predictions_topic, prediction_schema(application)
        encoder = FrameEncoder(registry, topic, schema, key="uuid")
        return cls(stage, topic, encoder, "event_time")

    def write(self, frame: pl.DataFrame) -> None:
        """Write every row, in order, and wait until it is on the log."""
        producer = ck.Producer(
            {
                **self.stage.client,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 20,
                "queue.buffering.max.messages": 2 * AT_ONCE,
            }
        )
        for records in self._records(frame):
            for each in records:  # produce_batch takes no timestamps
                producer.produce(self.topic, **each)
            producer.flush()

    def _records(self, frame: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
        for some in frame.iter_slices(AT_ONCE):
            records = self.encoder.encode(some)
            if self.time is not None:
                at = some[self.time].dt.epoch("ms").to_list()
                records = [{**each, "timestamp": ms} for each, ms in zip(records, at, strict=True)]
            yield records


def zones(folder: Path) -> Path:
    """The city's zones as a file that every peer reads."""
    path = folder / "zones.csv"
    taxi.lookups["zones"].select("zone", "borough", "x_km", "y_km").write_csv(path)
    return path


def inputs_of(artefact: Path) -> Mapping[str, str]:
    """The inputs of a model with their types."""
    signature = Artefact.read(artefact).description.signature
    return {each.name: each.dtype for each in signature.inputs}
