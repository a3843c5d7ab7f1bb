"""G.Lo: how long will this taxi trip take?

A rider names a pick-up and a drop-off zone of New York City; the answer is the trip's duration in
minutes. The past is the trip records of the city's Taxi and Limousine Commission (TLC).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from edml.application import (
    EVENT_TIME,
    OUTCOME_TIME,
    Application,
    Category,
    Cross,
    Embedding,
    EventStream,
    Number,
    OutcomeStream,
    Past,
)
from edml.events import LocalTime

LAST_ZONE = 265


@dataclass(frozen=True)
class TaxiTripPickup:
    """A rider is picked up, and asks how long the trip will take."""

    uuid: str
    pickup_at: datetime
    pickup_local: LocalTime
    pickup_zone: int
    dropoff_zone: int
    passengers: int | None = None


@dataclass(frozen=True)
class TaxiTripDropoff:
    """The same trip has ended."""

    uuid: str
    dropoff_at: datetime


def zones() -> pl.DataFrame:
    """The city's zones: number, borough, and the centroid in kilometres east and north of a fixed point."""
    km_per_degree = 111.32
    cos_latitude = 0.7583  # at 40.7° north
    return pl.read_csv((files("edml.apps") / "taxi_zones.csv").read_bytes()).select(
        zone=pl.col("LocationID"),
        borough=pl.col("Borough"),
        x_km=(pl.col("centroid_lon") + 74.0) * km_per_degree * cos_latitude,
        y_km=(pl.col("centroid_lat") - 40.7) * km_per_degree,
    )


def features(
    trips: nw.LazyFrame[Any], lookups: Mapping[str, nw.LazyFrame[Any]]
) -> nw.LazyFrame[Any]:
    """Day and hour on the wall clock, zones, passengers, and the distance between the zones' centroids."""
    pickup = lookups["zones"].select(
        nw.col("zone").alias("pickup_zone"),
        nw.col("borough").alias("pickup_borough"),
        nw.col("x_km").alias("pickup_x_km"),
        nw.col("y_km").alias("pickup_y_km"),
    )
    dropoff = lookups["zones"].select(
        nw.col("zone").alias("dropoff_zone"),
        nw.col("x_km").alias("dropoff_x_km"),
        nw.col("y_km").alias("dropoff_y_km"),
    )
    east_km = nw.col("pickup_x_km") - nw.col("dropoff_x_km")
    north_km = nw.col("pickup_y_km") - nw.col("dropoff_y_km")
    wall_clock = nw.col("pickup_local")
    return (
        trips.join(pickup, on="pickup_zone", how="left")
        .join(dropoff, on="dropoff_zone", how="left")
        .with_columns(
            wall_clock.dt.weekday().alias("day_of_week"),
            wall_clock.dt.hour().alias("hour_of_day"),
            wall_clock.dt.ordinal_day().alias("day_of_year"),
            nw.col("passengers").fill_null(1).alias("passenger_count"),
            (east_km**2 + north_km**2).sqrt().fill_null(-1.0).alias("distance_km"),
            nw.col("pickup_borough").fill_null("Unknown"),
        )
    )


DAY_OF_WEEK = Category("day_of_week", range(1, 8))
HOUR_OF_DAY = Category("hour_of_day", range(24))
PICKUP_ZONE = Category("pickup_zone", range(1, LAST_ZONE + 1))
DROPOFF_ZONE = Category("dropoff_zone", range(1, LAST_ZONE + 1))


def history(data: Path | None, start: date, end: date) -> Past:
    """Trips that began in ``[start, end)``: the TLC's files in ``data``, or a simulated city."""
    raise FileNotFoundError(data, start, end)


taxi = Application(
    name="taxi",
    event=EventStream(topic="taxi.pickups", schema=TaxiTripPickup, time="pickup_at"),
    outcome=OutcomeStream(
        topic="taxi.dropoffs",
        schema=TaxiTripDropoff,
        time="dropoff_at",
        label="trip_duration",
        value=(nw.col(OUTCOME_TIME) - nw.col(EVENT_TIME)).dt.total_microseconds() / 60e6,
        unit="minutes",
        valid=(1.0, 180.0),
        wait=timedelta(hours=3),
    ),
    rules={
        "unknown pick-up zone": nw.col("pickup_zone").is_between(1, LAST_ZONE),
        "unknown drop-off zone": nw.col("dropoff_zone").is_between(1, LAST_ZONE),
    },
    lookups={"zones": zones()},
    features=features,
    segment="pickup_borough",
    wide=[DAY_OF_WEEK, HOUR_OF_DAY, PICKUP_ZONE, DROPOFF_ZONE, Cross(PICKUP_ZONE, DROPOFF_ZONE)],
    deep=[
        Number("day_of_year"),
        Embedding(HOUR_OF_DAY, 8),
        Embedding(PICKUP_ZONE, 16),
        Embedding(DROPOFF_ZONE, 16),
        Number("passenger_count"),
        Number("distance_km"),
    ],
    history=history,
)
