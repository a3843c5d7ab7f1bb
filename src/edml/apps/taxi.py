"""G.Lo: how long will this taxi trip take?

A rider names a pick-up and a drop-off zone of New York City; the answer is the trip's duration in
minutes. The past is the trip records of the city's Taxi and Limousine Commission (TLC).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
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
    Downloads,
    Embedding,
    EventStream,
    Number,
    OutcomeStream,
    Past,
)
from edml.apps.taxi_city import FILE, ORIGIN, simulate, simulated
from edml.errors import DataError
from edml.events import LocalTime
from edml.keys import row_keys

LAST_CITY_ZONE, LAST_ZONE = 263, 265


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
    """The city's zones: number, borough, centroid in kilometres east and north of a fixed point."""
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
    """Day and hour on the wall clock, zones, passengers, and the distance between the centroids."""
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


PLACE = "America/New_York"
"""Where the wall stands whose clock the TLC writes down, without a zone."""

RECORD = {
    "tpep_pickup_datetime": ("pickup_local", pl.Datetime("us")),
    "tpep_dropoff_datetime": ("dropoff_local", pl.Datetime("us")),
    "PULocationID": ("pickup_zone", pl.Int64()),
    "DOLocationID": ("dropoff_zone", pl.Int64()),
    "passenger_count": ("passengers", pl.Int64()),
}
"""The columns of the TLC's trip records that are read: what each is called here, and its type."""

ANOTHER_MONTH = "not of the file's month"
_lasted = pl.col("dropoff_local") - pl.col("pickup_local")
_lasted_in_utc = pl.col("dropoff_at") - pl.col("pickup_at")

NO_TRIP = {
    ANOTHER_MONTH: pl.col("pickup_local").dt.strftime("%Y-%m").ne_missing(pl.col("month")),
    "no drop-off time or no zone": pl.any_horizontal(
        pl.col("dropoff_local", "pickup_zone", "dropoff_zone").is_null()
    ),
    "no time between pick-up and drop-off": _lasted <= timedelta(0),
    "longer than a day": _lasted > timedelta(days=1),
    "across a clock change": _lasted_in_utc.ne_missing(_lasted),
}
"""Which rows are left out; the first cause that holds is counted.

Trips of less than 1 or more than 180 minutes stay: that they don't count is the outcome's rule,
which holds for live trips, too.
"""

FLAWED = {
    "passengers not counted (taken as one)": pl.col("passengers").is_null(),
    "zone unknown or outside the city": pl.max_horizontal("pickup_zone", "dropoff_zone")
    > LAST_CITY_ZONE,
}
"""Which rows are kept although something is missing."""


def history(data: Path | None, start: date, end: date) -> Past:
    """Trips that began in ``[start, end)``: the TLC's files in ``data``, or a simulated city."""
    months = pl.date_range(start, end, closed="left", eager=True).dt.strftime("%Y-%m")
    parts = [
        clean(*(read(data, month) if data else simulated(month)), month, start, end)
        for month in months.unique(maintain_order=True)
    ]
    return Past(
        frame=pl.concat(part.frame for part in parts).sort("pickup_at", "uuid"),
        dropped=_total(part.dropped for part in parts),
        noted=_total(part.noted for part in parts),
        source=str(data) if data else parts[0].source,
    )


def read(folder: Path, month: str) -> tuple[pl.LazyFrame, str]:
    """The month's trip records as they are, and what they are records of."""
    path = folder / FILE.format(month=month)
    todo = f"fetch them with `edml data fetch --month {month}`, or name another folder"
    if not path.is_file():
        there = sorted(each.stem[-7:] for each in folder.glob(FILE.format(month="*")))
        only = f", only of {there[0]} to {there[-1]}" if there else ""
        raise DataError(f"there are no trips of {month}{only}", where=str(path), todo=todo)
    try:
        types = pl.read_parquet_schema(path)
        origin = pl.read_parquet_metadata(path).get(ORIGIN, "trips of the TLC's yellow taxis")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"this is no Parquet file: {error}", where=str(path), todo=todo) from error
    for name, (_, wanted) in RECORD.items():
        found = types.get(name, pl.Null())
        if not (found == pl.Datetime if wanted.is_temporal() else found.is_numeric()):
            what = f"column {name!r} is {found if name in types else 'missing'}: expected {wanted}"
            raise DataError(what, where=str(path), todo=todo)
    return pl.scan_parquet(path), origin


def clean(records: pl.LazyFrame, origin: str, month: str, start: date, end: date) -> Past:
    """One month's trips that began in ``[start, end)``, with UTC instants and keys, unsorted."""
    trips = (
        records.select(pl.col(old).cast(to).alias(new) for old, (new, to) in RECORD.items())
        .with_row_index("row")
        .with_columns(
            _in_utc("pickup_local").alias("pickup_at"),
            _in_utc("dropoff_local").alias("dropoff_at"),
            month=pl.lit(month),
            passengers=pl.when(pl.col("passengers") > 0).then("passengers"),
        )
        .with_columns(
            cause=pl.coalesce(
                pl.when(holds).then(pl.lit(cause)) for cause, holds in NO_TRIP.items()
            )
        )
        .filter(
            pl.col("pickup_local").is_between(start, end, closed="left")
            | (pl.col("cause") == ANOTHER_MONTH)
        )
        .collect()
    )
    kept = trips.filter(pl.col("cause").is_null())
    return Past(
        frame=kept.select(
            row_keys(f"{origin} {month}", kept["row"]).alias("uuid"),
            "pickup_at",
            "pickup_local",
            "pickup_zone",
            "dropoff_zone",
            "passengers",
            "dropoff_at",
        ),
        dropped=dict(trips["cause"].drop_nulls().value_counts().iter_rows()),
        noted=kept.select(holds.sum().alias(flaw) for flaw, holds in FLAWED.items()).row(
            0, named=True
        ),
        source=origin,
    )


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return dict(sum(map(Counter, counts), Counter()))


def _in_utc(column: str) -> pl.Expr:
    """The instant of a wall time: null where the clock showed it twice, or never."""
    wall = pl.col(column).dt.replace_time_zone(PLACE, ambiguous="null", non_existent="null")
    return wall.dt.convert_time_zone("UTC")


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
    wide=[
        DAY_OF_WEEK,
        HOUR_OF_DAY,
        PICKUP_ZONE,
        DROPOFF_ZONE,
        Cross(PICKUP_ZONE, DROPOFF_ZONE, name="zone_pair"),
    ],
    deep=[
        Number("day_of_year"),
        Embedding(HOUR_OF_DAY, 8),
        Embedding(PICKUP_ZONE, 16),
        Embedding(DROPOFF_ZONE, 16),
        Number("passenger_count"),
        Number("distance_km"),
    ],
    history=history,
    simulate=simulate,
    downloads=Downloads(
        url="https://d37ci6vzurychx.cloudfront.net",
        monthly=[f"trip-data/{FILE}"],
        once=["misc/taxi_zone_lookup.csv"],
    ),
)
