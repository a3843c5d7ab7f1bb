"""A second, tiny application: how many hours until a parcel is delivered?

It has what the taxis have not: another key, string categories, a label that the outcome carries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from edml.application import (
    Application,
    Category,
    Cross,
    Embedding,
    EventStream,
    Number,
    OutcomeStream,
    Past,
)

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class HandedOver:
    """A parcel is handed over at a depot."""

    handed_over_at: datetime
    parcel: str
    depot: str
    service: str
    weight_kg: float | None


@dataclass(frozen=True)
class Delivered:
    """The parcel has arrived."""

    parcel: str
    delivered_at: datetime
    hours: float


def features(
    parcels: nw.LazyFrame[Any], lookups: Mapping[str, nw.LazyFrame[Any]]
) -> nw.LazyFrame[Any]:
    """The depot's region, and what the parcel weighs in the service's own terms."""
    return parcels.join(lookups["depots"], on="depot", how="left").with_columns(
        nw.col("region").fill_null("elsewhere"),
        nw.col("handed_over_at").dt.hour().alias("hour"),
        (nw.col("weight_kg") * 1000).alias("weight_g"),
    )


def history(data: Path | None, start: date, end: date) -> Past:
    """One parcel an hour, heavier ones slower."""
    del data
    hours = pl.datetime_range(start, end, "1h", closed="left", eager=True, time_zone="UTC")
    numbers = pl.int_range(len(hours), eager=True)
    return Past(
        pl.DataFrame({"handed_over_at": hours}).with_columns(
            parcel=pl.format("parcel-{}", numbers),
            depot=pl.Series(["Bonn", "Kiel"]).gather(numbers % 2),
            service=pl.lit("express"),
            weight_kg=(numbers % 7).cast(pl.Float64),
            delivered_at=hours + (numbers % 7 + 1) * timedelta(hours=1),
            hours=(numbers % 7 + 1).cast(pl.Float64),
        ),
        dropped={},
        source="made by hand",
    )


SERVICE = Category("service", ["standard", "express"])
REGION = Category("region", ["north", "west", "elsewhere"])

parcels = Application(
    name="parcels",
    event=EventStream(
        topic="parcels.handed-over", schema=HandedOver, key="parcel", time="handed_over_at"
    ),
    outcome=OutcomeStream(
        topic="parcels.delivered",
        schema=Delivered,
        key="parcel",
        time="delivered_at",
        label="hours",
        value=nw.col("hours"),
        unit="hours",
        valid=(0.0, 72.0),
        wait=timedelta(days=3),
    ),
    rules={
        "unknown service": nw.col("service").is_in(["standard", "express"]),
        "no weight": nw.col("weight_kg") >= 0.0,
    },
    lookups={"depots": pl.DataFrame({"depot": ["Bonn", "Kiel"], "region": ["west", "north"]})},
    features=features,
    segment="region",
    wide=[SERVICE, REGION, Cross(SERVICE, REGION)],
    deep=[Embedding(REGION, 2), Number("hour"), Number("weight_g")],
    history=history,
    ahead=timedelta(days=1),
)


def handed_over(parcel: str, **changes: Any) -> HandedOver:
    """A parcel like any other, but for the changes."""
    like_any: dict[str, Any] = {
        "handed_over_at": MORNING,
        "parcel": parcel,
        "depot": "Bonn",
        "service": "express",
        "weight_kg": 2.0,
    }
    return HandedOver(**like_any | changes)
