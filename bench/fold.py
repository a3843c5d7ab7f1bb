"""`python -m bench.fold`: what scoring itself costs, as batches and what is open grow; no broker.

Trips of the simulated city are predicted and end, evenly spread over time, and go through
`Scoring.step` in the order of time. Figures are processor time of all threads.
"""

import gc
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

import click
import numpy as np
import polars as pl
import psutil

from bench import world
from bench.peers.peer import ROOT
from bench.stage import PARTITIONS
from edml.application import EVENT_TIME
from edml.apps.taxi import taxi
from edml.component import Step
from edml.events import OFFSET, PARTITION, TIMESTAMP, Batch, TopicPartition
from edml.features import Features
from edml.keys import row_keys
from edml.scoring.component import Scores, Scoring
from edml.serving import records as served

TRIPS = 1_000_000
START = datetime(2019, 11, 28, tzinfo=UTC)
KEPT = taxi.outcome.wait + 2 * taxi.lateness
"""How long scoring keeps a record."""

BEFORE = timedelta(minutes=20)
"""How long before what is measured the stream is filled beyond what is kept."""

FILLED = 16_384
RATE = 20_000.0
"""Trips a second, by the clock that decides when scores are published."""


@dataclass(frozen=True)
class Stream:
    """Predictions and outcomes, each in the order of time, both with their place on the log."""

    predictions: pl.DataFrame
    outcomes: pl.DataFrame

    @classmethod
    def of(cls, trips: pl.DataFrame, count: int, apart: timedelta) -> "Stream":
        """``count`` trips that begin one after another."""
        number = np.arange(count)
        begin = np.datetime64(START.replace(tzinfo=None), "us") + number * np.timedelta64(apart)
        keys = row_keys("fold", pl.Series(number))
        drawn = trips[number % trips.height]
        rows = drawn.with_columns(
            pl.Series(served.KEY, keys),
            pl.Series(EVENT_TIME, begin).dt.replace_time_zone("UTC"),
            (pl.Series(number) % PARTITIONS).cast(pl.Int32).alias(PARTITION),
            pl.Series(served.EVENT_OFFSET, number),
        )
        outcomes = rows.select(
            pl.col(served.KEY).alias("uuid"),
            (pl.col(EVENT_TIME) + pl.col("lasted")).alias("dropoff_at"),
            PARTITION,
        ).sort("dropoff_at")
        return cls(_placed(rows.drop("lasted"), EVENT_TIME), _placed(outcomes, "dropoff_at"))

    def batches(self, trips: int, start: int, end: int) -> Iterator[Batch]:
        """Batches of so many trips that begin, and those that end meanwhile."""
        ended = self.outcomes["dropoff_at"].to_numpy()
        begun = self.predictions[EVENT_TIME].to_numpy()
        for first in range(start, end, trips):
            last = min(first + trips, end)
            until = [np.searchsorted(ended, begun[first]), np.searchsorted(ended, begun[last])]
            frames = {
                taxi.predictions_topic: self.predictions[first:last],
                taxi.outcome.topic: self.outcomes[int(until[0]) : int(until[1])],
            }
            there = {topic: each for topic, each in frames.items() if each.height}
            yield Batch(there, _ends(there))

    def again(self, last: Step[Scores], positions: Mapping[TopicPartition, int]) -> Iterator[Batch]:
        """The batches that are read again after a crash: one partition of one input at a time."""
        for place, end in positions.items():
            predicted = place.topic == taxi.predictions_topic
            rows = self.predictions if predicted else self.outcomes
            start = last.rewind.get(place, end)
            ours = rows.filter(
                (pl.col(PARTITION) == place.partition)
                & pl.col(OFFSET).is_between(start, end, closed="left")
            )
            for some in ours.iter_slices(FILLED):
                yield Batch({place.topic: some}, {place: some[OFFSET][-1] + 1})


def _placed(rows: pl.DataFrame, time: str) -> pl.DataFrame:
    """Rows with the offsets and the timestamps that they would have."""
    return rows.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).over(PARTITION).alias(OFFSET),
        pl.col(time).alias(TIMESTAMP),
    )


def _ends(frames: dict[str, pl.DataFrame]) -> dict[TopicPartition, int]:
    return {
        TopicPartition(topic, partition): offset + 1
        for topic, frame in frames.items()
        for partition, offset in frame.group_by(PARTITION).agg(pl.col(OFFSET).max()).rows()
    }


def predicted(trips: pl.DataFrame) -> pl.DataFrame:
    """Trips as prediction records without key, time and place; and how long each lasted."""
    featured = Features(taxi).compute(trips)
    names = list(taxi.columns)
    return featured.select(
        pl.lit(15.0).alias(served.PREDICTION),
        pl.lit("0.1.0-20191128143000-1a2b3c4").alias(served.VERSION),
        pl.lit("champion").alias(served.ROLE),
        pl.col(taxi.segment).alias(served.SEGMENT),
        pl.lit(0, pl.Int32).alias(served.EVENT_PARTITION),
        pl.struct(names).alias(served.FEATURES),
        lasted=trips["dropoff_at"] - trips["pickup_at"],
    )


@dataclass
class Fold:
    """Scoring, and what it has come to."""

    component: Scoring
    state: Scores
    now: datetime = START
    last: Step[Scores] = field(init=False)

    def run(self, batches: Iterator[Batch]) -> list[tuple[float, int]]:
        """For each batch, processor time in seconds and how many predictions were scored."""
        found = []
        for batch in batches:
            self.now += timedelta(seconds=batch.rows / 2 / RATE)
            started = time.process_time()
            self.last = step = self.component.step(self.state, batch, self.now)
            self.state = self.component.settle(step.state)
            taken = time.process_time() - started
            scored = step.outputs.frames.get(taxi.scored_topic)
            found.append((taken, 0 if scored is None else scored.height))
        return found


def rebuilt(fold: Fold, stream: Stream) -> tuple[float, int]:
    """Rebuild the state from the log: processor time in seconds, and records read again."""
    component, last = fold.component, fold.last
    batches = list(stream.again(last, last.state.positions))
    started = time.process_time()
    state = component.initial()
    for partition, note in last.note.items():
        state = component.restore(state, partition, note)
    for batch in batches:
        state = component.settle(component.step(state, batch, fold.now).state)
    return time.process_time() - started, sum(batch.rows for batch in batches)


def measured(trips: pl.DataFrame, kept: int, batches: dict[int, int]) -> None:
    """Fill the state until ``kept`` predictions are held, then measure batches of each size."""
    apart = max(timedelta(microseconds=1), KEPT / kept)
    filled = kept + BEFORE // apart
    more = sum(size * number for size, number in batches.items())
    stream = Stream.of(trips, filled + more + 1, apart)
    component = Scoring(taxi)
    gc.collect()
    before_mb = psutil.Process().memory_info().rss / 1e6
    fold = Fold(component, component.initial())
    started = time.process_time()
    fold.run(stream.batches(FILLED, 0, filled))
    filling_us = (time.process_time() - started) / filled * 1e6
    gc.collect()
    state_mb = psutil.Process().memory_info().rss / 1e6 - before_mb
    print(f"{kept:>9,} kept: {state_mb:7.1f} MB, filled at {filling_us:5.2f} µs a trip", flush=True)
    at = filled
    for size, number in batches.items():
        each = fold.run(stream.batches(size, at, at + size * number))
        at += size * number
        taken = [seconds for seconds, _ in each]
        per_trip_us = sum(taken) / (size * number) * 1e6
        print(
            f"  batches of {size:>6,}: {per_trip_us:9.2f} µs a trip, "
            f"{median(taken) * 1e3:8.3f} ms a batch (worst {max(taken) * 1e3:.1f}), "
            f"{sum(scored for _, scored in each):,} scored",
            flush=True,
        )
    seconds, records = rebuilt(fold, stream)
    print(f"  rebuilt from {records:,} records in {seconds:.2f} s", flush=True)


@click.command()
@click.option("--kept", type=int, multiple=True, default=(1_000, 10_000, 100_000, 1_000_000))
def main(kept: tuple[int, ...]) -> None:
    """Measure scoring by itself."""
    folder = ROOT / "build" / "bench" / "trips"
    folder.mkdir(parents=True, exist_ok=True)
    trips = predicted(world.trips(folder, TRIPS))
    warm = Stream.of(trips, FILLED, timedelta(seconds=1))
    component = Scoring(taxi)
    Fold(component, component.initial()).run(warm.batches(FILLED // 4, 0, FILLED - 1))
    for each in kept:
        measured(trips, each, {1: 300, 50: 200, 1_000: 60, FILLED: 16})


if __name__ == "__main__":
    main()
