"""Clocks that are wrong, and jump: what comes out does not depend on them, or is told."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from edml.application import EVENT_TIME
from edml.apps.taxi import taxi
from edml.scoring.component import Scores, Scoring
from edml.scoring.reading import windows
from edml.serving.component import Serving
from edml.serving.records import prediction_dtypes
from edml.serving.served import ServedModel
from edml.testing import Driver
from edml.testing.driver import START
from tests.parcels import handed_over, parcels
from tests.topology.test_serving import HEAVY_IS_SLOW, Stage

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PREDICTIONS, DROPOFFS = taxi.predictions_topic, taxi.outcome.topic
FEATURES = {
    **dict.fromkeys(("day_of_week", "hour_of_day", "pickup_zone", "dropoff_zone"), 1),
    **dict.fromkeys(("day_of_year", "passenger_count", "distance_km"), 1.0),
}


def scoring(partitions: int = 1) -> Driver[Scores]:
    """Taxi trips are scored; nothing has come yet."""
    driver = Driver(Scoring(taxi), partitions=partitions, keys={PREDICTIONS: "uuid"})
    for topic in (PREDICTIONS, DROPOFFS):
        driver.append(topic, pl.DataFrame(schema={"uuid": pl.String()}))
    driver.run()
    return driver


def predicted(driver: Driver[Scores], uuid: str, at: datetime, *, partition: int = 0) -> None:
    """A trip that begins then is said to take ten minutes."""
    row: dict[str, Any] = {
        "uuid": uuid,
        "prediction": 10.0,
        "version": "1",
        "role": "champion",
        EVENT_TIME: at,
        "segment": "Queens",
        "event_partition": 0,
        "event_offset": 0,
        "features": FEATURES,
    }
    frame = pl.DataFrame([row], schema=prediction_dtypes(taxi))
    driver.pipe(PREDICTIONS, frame, partition=partition)


def ended(driver: Driver[Scores], uuid: str, at: datetime, *, partition: int = 0) -> None:
    """The trip ends then."""
    frame = pl.DataFrame([{"uuid": uuid, "dropoff_at": at}]).cast(
        {"dropoff_at": pl.Datetime("us", "UTC")}
    )
    driver.pipe(DROPOFFS, frame, partition=partition)


def scored(driver: Driver[Scores]) -> list[tuple[str, float]]:
    """Who was scored, with which error."""
    found = driver.read(taxi.scored_topic)
    return [] if found.is_empty() else found.select("uuid", "error").rows()


@pytest.mark.parametrize("jump", [-3 * HOUR, -HOUR, HOUR, 3 * HOUR])
def test_a_jump_between_a_trip_and_its_end(jump: timedelta) -> None:
    """The clock is put back or forward by hours: the trip is scored, by its own times alone."""
    driver = scoring()
    predicted(driver, "a", START)
    driver.advance(jump)
    ended(driver, "a", START + 12 * MINUTE)
    predicted(driver, "b", START + 20 * MINUTE)
    driver.advance(-jump)
    ended(driver, "b", START + 25 * MINUTE)
    assert scored(driver) == [("a", -2.0), ("b", 5.0)]
    assert driver.dead_letters.is_empty()
    driver.advance(8 * HOUR)
    driver.advance(timedelta(seconds=2))
    found = windows(driver.read(taxi.scores_topic), 1)
    assert found["count"].sum() == 2
    assert found["complete"].all()


def test_a_jump_that_closes_the_books() -> None:
    """Days ahead, open trips are given up: their ends are told one by one, new trips are scored."""
    driver = scoring()
    for uuid in "abc":
        predicted(driver, uuid, START)
    driver.advance(timedelta(days=3))
    for uuid in "abc":
        ended(driver, uuid, START + 12 * MINUTE)
    assert scored(driver) == []
    causes = driver.dead_letters["cause"].to_list()
    assert len(causes) == 3
    assert all(each.startswith("too late") for each in causes)
    later = START + timedelta(days=3)
    predicted(driver, "d", later)
    ended(driver, "d", later + 10 * MINUTE)
    assert scored(driver) == [("d", 0.0)]


def test_an_idle_partition_beside_a_busy_one() -> None:
    """It holds no window open for longer than the clock takes to pass it, and loses nobody."""
    driver = scoring(partitions=2)
    predicted(driver, "quiet", START, partition=1)
    for number in range(24):
        at = START + number * HOUR / 2
        predicted(driver, f"busy-{number}", at, partition=0)
        ended(driver, f"busy-{number}", at + 10 * MINUTE, partition=0)
        driver.advance(HOUR / 2)
        if number == 1:
            ended(driver, "quiet", START + 50 * MINUTE, partition=1)
    driver.advance(timedelta(seconds=2))
    found = windows(driver.read(taxi.scores_topic), 2).filter(pl.col("version") == "1")
    assert found["count"].sum() == 25
    first = found.filter(pl.col("window_start") < START + HOUR)
    assert first["complete"].all()
    assert driver.dead_letters.is_empty()


@pytest.mark.parametrize("off", [-20 * HOUR, 20 * HOUR])
def test_serving_by_a_wrong_clock(off: timedelta) -> None:
    """Less wrong than the application looks ahead, it changes nothing."""
    driver: Driver[None] = Driver(
        Serving(parcels, Stage((ServedModel("champion", "1", HEAVY_IS_SLOW),)))
    )
    driver.clock.advance(off)
    driver.pipe("parcels.handed-over", [handed_over("a", handed_over_at=START)])
    assert driver.read("parcels.predictions")["uuid"].to_list() == ["a"]


def test_serving_by_a_clock_that_is_days_behind() -> None:
    """Every event seems to lie ahead: each is told, and can be redriven when the clock is right."""
    driver: Driver[None] = Driver(Serving(parcels, Stage()))
    driver.clock.advance(-timedelta(days=3))
    driver.pipe("parcels.handed-over", [handed_over(each, handed_over_at=START) for each in "abc"])
    assert driver.dead_letters["cause"].to_list() == ["the event time is too far ahead"] * 3
