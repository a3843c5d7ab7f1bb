from datetime import timedelta
from typing import Any

import polars as pl

from edml.apps.taxi import taxi
from tests.broker.city import City, eventually, times_each
from tests.broker.recomputation import apart, latest, scored, sums
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20191128153000-1a2b3c4"


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
    assert apart(city) < 1e-9


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


def test_the_tests_know_the_application() -> None:
    """The recomputation's window is the application's."""
    assert taxi.window == timedelta(minutes=10)
