"""Taxi trips for tests, made by a formula: every one of them is known beforehand."""

from datetime import UTC, datetime, timedelta

import polars as pl

START = datetime(2019, 11, 28, 14, 0, tzinfo=UTC)
ZONES = 263


def trips(
    count: int, *, first: int = 0, every: timedelta = timedelta(seconds=2), minutes: float = 10
) -> pl.DataFrame:
    """``count`` trips, one ``every`` so often, some ``minutes`` long, numbered from ``first``."""
    number = pl.int_range(first, first + count, eager=True)
    at = pl.select(pl.lit(START) + number * every).to_series()
    long = (number % 7 + minutes - 3) * 60_000_000
    return pl.DataFrame(
        {
            "uuid": pl.select(
                pl.format("00000000-0000-8000-8000-{}", number.cast(pl.String).str.zfill(12))
            ).to_series(),
            "pickup_at": at.cast(pl.Datetime("us", "UTC")),
            "pickup_local": (at - timedelta(hours=5))
            .dt.replace_time_zone(None)
            .cast(pl.Datetime("us")),
            "pickup_zone": number % ZONES + 1,
            "dropoff_zone": (number * 7) % ZONES + 1,
            "passengers": number % 5,
            "dropoff_at": (at + long.cast(pl.Duration("us"))).cast(pl.Datetime("us", "UTC")),
        }
    )
