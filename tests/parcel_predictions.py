"""Predictions of parcels, day by day, as serving would write them."""

import json
from datetime import timedelta

import numpy as np
import polars as pl

from edml.monitoring.inputs import Bins
from tests.parcels import MORNING, parcels

DAY = timedelta(days=1)
MIDNIGHT = MORNING.replace(hour=0)

DISTRIBUTIONS = json.dumps(
    {
        "service": {"counts": {"standard": 700, "express": 295}, "other": 5},
        "region": {"counts": {"north": 990, "west": 5, "elsewhere": 5}, "other": 0},
        "hour": {"quantiles": [0, 6, 12, 18, 23]},
        "weight_g": {"quantiles": [0, 0, 0, 100, 1000]},
    }
)
BINS = Bins.of(DISTRIBUTIONS, parcels)


def predictions(
    days: int, seed: int = 1, *, change: int = 10_000, per_day: int = 400
) -> pl.DataFrame:
    """Parcels of so many days, fewer on weekends; from ``change`` on most are express and light."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), random.poisson(per_day, days))
    changed, weekend = day >= change, day % 7 > 4
    express = random.random(day.size) < np.where(changed, 0.7, np.where(weekend, 0.1, 0.4))
    hour = random.integers(0, 24, day.size)
    features = pl.DataFrame(
        {
            "service": np.where(express, "express", "standard"),
            "region": np.full(day.size, "north"),
            "hour": hour.astype(float),
            "weight_g": np.where(
                random.random(day.size) < 0.5, 0.0, random.gamma(2, 100, day.size)
            ),
        }
    )
    when = pl.Series(day * 24 + hour).cast(pl.Int64) * 3_600_000_000
    return pl.DataFrame(
        {
            "version": pl.repeat("v1", day.size, eager=True),
            "event_time": when.cast(pl.Duration("us")) + MIDNIGHT,
            "prediction": random.gamma(4, np.where(changed, 4, 3)),
            "features": features.to_struct(),
        }
    )
