from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from edml.apps.taxi import taxi
from edml.kafka.codec.schema import avro_schema
from edml.kafka.serdes import FrameDecoder
from edml.scoring.records import PROGRESS, Score, scored_schema
from tests.broker.city import City, eventually, times_each
from tests.broker.processes import killed_and_started_again
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20191128153000-1a2b3c4"


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
                select *, microseconds / 60e6 as outcome, prediction - microseconds / 60e6 as error
                from joined
                where microseconds / 60e6 between 0 and {wait_minutes}
                    and microseconds / 60e6 between {low} and {high}
            )
            select version, role, segment, window_start, count(*) as count,
                sum(error) as sum_error, sum(abs(error)) as sum_absolute_error,
                sum(error * error) as sum_squared_error
            from counted group by all order by all
            """  # noqa: S608  of numbers of our own
        ).pl()
    return frame


def dropoffs(city: City) -> pl.DataFrame:
    """Every drop-off."""
    messages = city.read(city.app.outcome.topic)
    decoder = FrameDecoder(city.cluster.registry, avro_schema(city.app.outcome.schema))
    return decoder.decode([each.value() for each in messages]).frame


def assert_same_sums(city: City) -> None:
    """Scores on the topic equal the recomputation to 1e-9."""
    on_topic = sums(city).filter(pl.col("count") > 0)
    again = recomputed(city)
    keys = ["version", "role", "segment", "window_start"]
    instant = pl.col("window_start").cast(pl.Datetime("us", "UTC"))
    both = on_topic.join(again.with_columns(instant), on=keys, how="full", suffix="_again")
    assert both.null_count().sum_horizontal().item() == 0
    for name in ("count", "sum_error", "sum_absolute_error", "sum_squared_error"):
        apart = (both[name] - both[f"{name}_again"]).abs() / both[f"{name}_again"].abs().clip(1)
        assert apart.max() < 1e-9  # type: ignore[operator]


def test_scores_equal_a_recomputation(city: City) -> None:
    """Two models, many windows and segments: the sums on the topic are those of a batch query."""
    city.publish(V1)
    city.publish(V2, role="challenger", slope=3.0)
    city.pick_up(trips(2_000))
    city.drop_off(trips(2_000))
    with city.serving(), city.scoring():
        eventually(lambda: scored(city).height >= 4_000)
        eventually(lambda: sums(city)["count"].sum() >= 4_000)
    assert times_each(scored(city), "uuid", "version") == {1: 4_000}
    assert_same_sums(city)


def test_what_does_not_count_is_counted(city: City) -> None:
    """A trip of seconds, one of four hours, one that ends twice and one that never ends."""
    city.publish(V1)
    frame = trips(40)
    short, long = pl.col("uuid") == frame["uuid"][1], pl.col("uuid") == frame["uuid"][2]
    ends = frame.with_columns(
        dropoff_at=pl.when(short)
        .then(pl.col("pickup_at") + timedelta(seconds=20))
        .when(long)
        .then(pl.col("pickup_at") + timedelta(hours=4))
        .otherwise("dropoff_at")
    )
    city.pick_up(frame)
    twice = pl.concat([ends.filter(pl.col("uuid") != frame["uuid"][3]), ends.head(1)])
    city.drop_off(twice.sort("dropoff_at"))
    with city.serving(), city.scoring():
        eventually(
            lambda: sums(city).select("count", "invalid", "late").sum_horizontal().sum() >= 39
        )
        eventually(lambda: latest(city)["duplicates"].sum() >= 1)
    names = ("predictions", "count", "invalid", "late", "duplicates", "outcomes")
    totals: dict[str, Any] = latest(city).select(pl.col(names).sum()).row(0, named=True)
    assert totals == {
        "predictions": 40,
        "count": 37,
        "invalid": 1,
        "late": 1,
        "duplicates": 1,
        "outcomes": 39,
    }


@pytest.mark.timeout(240)
def test_killed_and_started_again(city: City, tmp_path: Path) -> None:
    """Serving and scoring are killed at random moments: all is predicted and scored just once."""
    city.publish(V1)
    with killed_and_started_again(city, tmp_path) as kill:
        for number in range(4):
            city.pick_up(trips(1_500, first=1_500 * number))
            city.drop_off(trips(1_500, first=1_500 * number))
            kill("serve" if number % 2 else "score")
        eventually(lambda: city.predictions().height >= 6_000)
        eventually(lambda: scored(city).height >= 6_000)
        eventually(lambda: sums(city)["count"].sum() >= 6_000)
    assert times_each(city.predictions(), "event_partition", "event_offset") == {1: 6_000}
    assert times_each(scored(city), "uuid", "version") == {1: 6_000}
    assert_same_sums(city)


def test_the_tests_know_the_application() -> None:
    """The recomputation's window is the application's."""
    assert taxi.window == timedelta(minutes=10)
