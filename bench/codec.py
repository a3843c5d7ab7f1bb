"""`python -m bench.codec`: what a record costs to encode and to decode, beside fastavro. No broker.

Processor time, the best of several.
"""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import fastavro
import numpy as np
import polars as pl

from bench import world
from bench.peers.peer import ROOT
from edml.application import EVENT_TIME, OUTCOME_TIME
from edml.apps.taxi import taxi
from edml.events import OFFSET, PARTITION, Batch
from edml.kafka.codec import wire
from edml.kafka.codec.decode import Decoder
from edml.kafka.codec.encode import Encoder
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.codec.schema import avro_schema
from edml.scoring.records import ERROR, OUTCOME, Score, scored_dtypes
from edml.serving.predict import Predict
from edml.serving.records import PREDICTION
from edml.serving.served import ServedModel
from edml.wiring import schemas

SIZES = (1, 10, 100, 1_000, 4_096, 16_384, 32_768)
MOST_OF_PEER = 1_000
"""Records after one another cost the same in any batch: the peer is not asked for more."""
SECONDS = 0.3
SCHEMA_ID = 7


class Guess:
    """A model that costs nothing: the codec alone is measured."""

    def predict(self, events: pl.DataFrame) -> pl.Series:
        """Some minutes."""
        return pl.Series(PREDICTION, np.random.default_rng(0).gamma(4.0, 4.0, events.height))


@dataclass(frozen=True)
class Subject:
    """A kind of record: its schema, and as many rows as the largest batch has."""

    name: str
    schema: RecordSchema
    rows: pl.DataFrame


def subjects(count: int) -> Iterator[Subject]:
    """The taxi application's records, made as edml makes them."""
    folder = ROOT / "build" / "bench" / "trips"
    folder.mkdir(parents=True, exist_ok=True)
    trips = world.trips(folder, count)
    known = schemas(taxi)
    placed = trips.with_columns(
        pl.int_range(count, dtype=pl.Int64).mod(4).cast(pl.Int32).alias(PARTITION),
        pl.int_range(count, dtype=pl.Int64).floordiv(4).add(1_000).alias(OFFSET),
    )
    served = [ServedModel("champion", "2019-11-01T00-00-00-0123abcd", Guess())]
    outputs = Predict(taxi)(served, Batch({taxi.event.topic: placed}), datetime.now(UTC))
    predictions = outputs.frames[taxi.predictions_topic]
    scored = predictions.with_columns(
        pl.col(EVENT_TIME).dt.offset_by("20m").alias(OUTCOME_TIME),
        pl.lit(20.0).alias(OUTCOME),
        (pl.col(PREDICTION) - 20.0).alias(ERROR),
    ).select(scored_dtypes(taxi).names())
    yield Subject("event", known["event"], trips)
    yield Subject("prediction", known["prediction"], predictions)
    yield Subject("outcome", known["outcome"], trips)
    yield Subject("scored", known["scored"], scored)
    yield Subject("score", avro_schema(Score), _scores(count))


def _scores(count: int) -> pl.DataFrame:
    start = datetime(2019, 11, 1, tzinfo=UTC)
    text = {"application": "taxi", "version": "2019-11-01T00-00-00-0123abcd", "role": "champion"}
    sums = ("error", "absolute_error", "squared_error", "outcome", "squared_outcome")
    return pl.select(
        **{name: pl.lit(value) for name, value in text.items()},
        segment=pl.int_range(count, dtype=pl.Int64).mod(7).cast(pl.String) + " Borough",
        window_start=start + pl.duration(minutes=pl.int_range(count, dtype=pl.Int64)),
        source_partition=pl.int_range(count, dtype=pl.Int64).mod(4),
        **{
            name: pl.int_range(count, dtype=pl.Int64).mod(1_000)
            for name in (
                *("predictions", "count", "invalid", "late"),
                *("duplicates", "outcomes", "matched"),
            )
        },
        **{f"sum_{name}": pl.int_range(count, dtype=pl.Int64) * 0.1 for name in sums},
        complete_at=start + timedelta(days=1),
        watermark=start + timedelta(days=2),
        complete=pl.lit(value=False),
    )


def cost_us(work: Callable[[], object]) -> float:
    """Processor time of one call, the best of those that fit in the time."""
    work()
    best, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.process_time_ns()
        work()
        best = min(best, time.process_time_ns() - start)
    return best / 1_000


def _fastavro_encode(parsed: Any, rows: Sequence[dict[str, Any]]) -> list[bytes]:
    values = []
    for row in rows:
        value = io.BytesIO()
        value.write(wire.header(SCHEMA_ID))
        fastavro.schemaless_writer(value, parsed, row)
        values.append(value.getvalue())
    return values


def _fastavro_decode(parsed: Any, values: Sequence[bytes]) -> list[Any]:
    return [fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None) for value in values]


@click.command()
@click.option("--only", help="Only this kind of record.")
def main(*, only: str | None) -> None:
    """Print µs a record as a table."""
    print("| record | batch | encode | fastavro | decode | fastavro |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for subject in subjects(max(SIZES)):
        if only in (None, subject.name):
            for size in SIZES:
                print(_row(subject, size), flush=True)


def _row(subject: Subject, size: int) -> str:
    rows = subject.rows.head(size)
    encoder = Encoder(subject.schema, SCHEMA_ID)
    decoder = Decoder(lambda _: subject.schema, subject.schema)
    values = encoder.encode(rows)
    parsed = fastavro.parse_schema(subject.schema)
    fewer = decoder.decode(values[:MOST_OF_PEER]).frame.to_dicts()
    few = len(fewer)
    costs = [
        cost_us(lambda: encoder.encode(rows)) / size,
        cost_us(lambda: _fastavro_encode(parsed, fewer)) / few,
        cost_us(lambda: decoder.decode(values)) / size,
        cost_us(lambda: _fastavro_decode(parsed, values[:few])) / few,
    ]
    return f"| {subject.name} | {size:,} | " + " | ".join(f"{cost:.2f}" for cost in costs) + " |"


if __name__ == "__main__":
    main()
