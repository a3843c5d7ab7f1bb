"""What scoring has written, and the same computed again: one SQL query over the raw topics."""

from datetime import timedelta
from typing import Final

import duckdb
import polars as pl

from edml.kafka.codec.schema import avro_schema
from edml.kafka.serdes import FrameDecoder
from edml.scoring.records import PROGRESS, Score, scored_schema
from tests.broker.city import City

SUMS: Final = (
    "count",
    "sum_error",
    "sum_absolute_error",
    "sum_squared_error",
    "sum_clipped_error",
    "sum_clipped_squared",
)


def latest(city: City) -> pl.DataFrame:
    """The last score of each key, those that tell progress left out."""
    messages = city.read(city.app.scores_topic)
    values = {each.key(): each.value() for each in messages}
    decoded = FrameDecoder(city.cluster.registry, avro_schema(Score)).decode(list(values.values()))
    assert decoded.bad == []
    return decoded.frame.filter(pl.col("window_start") != PROGRESS)


def sums(city: City) -> pl.DataFrame:
    """The sums of errors, added up over partitions, by version, role, segment and window."""
    return (
        latest(city)
        .filter(pl.col("version") != "")
        .group_by("version", "role", "segment", "window_start")
        .agg(pl.col("^sum_.*$", "count", "predictions", "invalid", "late", "duplicates").sum())
        .sort("version", "role", "segment", "window_start")
    )


def scored(city: City) -> pl.DataFrame:
    """Every scored prediction."""
    messages = city.read(city.app.scored_topic)
    decoder = FrameDecoder(city.cluster.registry, scored_schema(city.app))
    return decoder.decode([each.value() for each in messages]).frame


def recomputed(city: City) -> pl.DataFrame:
    """The same sums by one SQL query over the raw topics, in another engine."""
    predictions, outcomes = city.predictions(), dropoffs(city)
    low, high = city.app.outcome.valid
    wait_minutes = city.app.outcome.wait / timedelta(minutes=1)
    with duckdb.connect() as connection:
        connection.register("predictions", predictions.drop("features").to_arrow())
        connection.register("outcomes", outcomes.to_arrow())
        frame: pl.DataFrame = connection.sql(
            f"""
            with joined as (
                select *, epoch_us(dropoff_at) - epoch_us(event_time) as microseconds,
                    time_bucket(interval 10 minutes, event_time) as window_start
                from predictions join outcomes using (uuid)
            ), counted as (
                select *, microseconds / 60e6 as outcome, prediction - microseconds / 60e6 as error,
                    greatest(least(error, {city.app.clip}), -{city.app.clip}) as clipped
                from joined
                where microseconds / 60e6 between 0 and {wait_minutes}
                    and microseconds / 60e6 between {low} and {high}
            )
            select version, role, segment, window_start, count(*) as count,
                sum(error) as sum_error, sum(abs(error)) as sum_absolute_error,
                sum(error * error) as sum_squared_error,
                sum(clipped) as sum_clipped_error, sum(clipped * clipped) as sum_clipped_squared
            from counted group by all order by all
            """  # noqa: S608  of numbers of our own
        ).pl()
    return frame


def dropoffs(city: City) -> pl.DataFrame:
    """Every drop-off."""
    messages = city.read(city.app.outcome.topic)
    decoder = FrameDecoder(city.cluster.registry, avro_schema(city.app.outcome.schema))
    return decoder.decode([each.value() for each in messages]).frame


def apart(city: City) -> float:
    """How far the sums on the topic are from the recomputation, at most, relative to it.

    Raises when there is a window in one of the two alone.
    """
    on_topic = sums(city).filter(pl.col("count") > 0)
    instant = pl.col("window_start").cast(pl.Datetime("us", "UTC"))
    again = recomputed(city).with_columns(instant)
    keys = ["version", "role", "segment", "window_start"]
    both = on_topic.join(again, on=keys, how="full", suffix="_again")
    assert both.null_count().sum_horizontal().item() == 0
    differences = (
        (pl.col(name) - pl.col(f"{name}_again")).abs() / pl.col(f"{name}_again").abs().clip(1)
        for name in SUMS
    )
    return float(both.select(pl.max_horizontal(*differences).max()).item())
