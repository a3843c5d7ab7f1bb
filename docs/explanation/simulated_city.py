"""Prints how the simulated city compares with the real one: the tables of `simulated-city.md`.

    python docs/explanation/simulated_city.py FOLDER

FOLDER holds the TLC's files from 2018-01 to 2020-05.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl

from edml.application import Simulation
from edml.apps.taxi import read, zones
from edml.apps.taxi_city import simulated

Span = tuple[date, date]
Trips = Callable[[Span], pl.DataFrame]

KM_PER_MILE = 1.609344
LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
ORDINARY: Span = (date(2018, 1, 1), date(2020, 3, 1))
LOCKDOWN: Span = (date(2020, 4, 1), date(2020, 6, 1))
LEARNED: Span = (date(2018, 1, 1), date(2019, 12, 1))
TESTED: Span = (date(2019, 12, 1), date(2020, 3, 1))
# As many trips a day as the real sample has, and the day on which the real city closed.
WORLD = Simulation(per_day=329, seed=1, regime_change=date(2020, 3, 22))
FEATURES = ("PULocationID", "DOLocationID", "weekday", "hour", "day", "passengers", "apart_km")


def trips(months: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    """Trips that count (1 to 180 minutes), measured."""
    begin, end = pl.col("tpep_pickup_datetime"), pl.col("tpep_dropoff_datetime")
    minutes = (end - begin).dt.total_seconds() / 60
    places = zones().lazy().with_columns(pl.col("zone").cast(pl.Int64))
    kept = "PULocationID", "DOLocationID"
    return (
        pl.concat(
            month.select(
                *kept,
                minutes=minutes,
                km=pl.col("trip_distance") * KM_PER_MILE,
                hour=begin.dt.hour(),
                weekday=begin.dt.weekday(),
                day=begin.dt.ordinal_day(),
                month=begin.dt.strftime("%m"),
                passengers=pl.col("passenger_count").cast(pl.Float64).fill_null(1),
            )
            for month in months
        )
        .filter(pl.col("minutes").is_between(1, 180))
        .with_columns(kmh=pl.col("km") / pl.col("minutes") * 60)
        .join(places, left_on="PULocationID", right_on="zone", how="left")
        .join(places, left_on="DOLocationID", right_on="zone", how="left", suffix="_to")
        .with_columns(
            pl.col("borough").fill_null("Unknown"),
            apart_km=(
                (pl.col("x_km") - pl.col("x_km_to")) ** 2
                + (pl.col("y_km") - pl.col("y_km_to")) ** 2
            )
            .sqrt()
            .fill_null(-1),
        )
        .collect()
    )


def months(span: Span) -> list[str]:
    """The months of a span, such as 2019-04."""
    return pl.date_range(*span, "1mo", closed="left", eager=True).dt.strftime("%Y-%m").to_list()


def table(heading: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> None:
    """Print a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    cells = (
        [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in lines
    )
    sys.stdout.write("\n" + "".join(f"| {' | '.join(row)} |\n" for row in cells))


def quantiles(real: Trips, made: Trips) -> None:
    """How durations, distances and speeds are distributed."""
    rows = [
        (f"{regime}: {name}", city, *(trips_of(span)[column].quantile(q) for q in LEVELS))
        for regime, span in (("ordinary", ORDINARY), ("lockdown", LOCKDOWN))
        for name, column in (("minutes", "minutes"), ("km", "km"), ("km/h", "kmh"))
        for city, trips_of in (("real", real), ("simulated", made))
    ]
    table(("quantile", "city", *(f"{q:.1%}" for q in LEVELS)), rows)


def medians(real: Trips, made: Trips, by: str) -> None:
    """Share, minutes and speed by hour, month or borough."""

    def of(trips_of: Trips) -> pl.DataFrame:
        found = trips_of(ORDINARY)
        return found.group_by(by).agg(
            pl.len() / found.height * 100, pl.col("minutes").median(), pl.col("kmh").median()
        )

    rows = of(real).join(of(made), on=by, suffix="_made").sort(by)
    order = (by, "len", "len_made", "minutes", "minutes_made", "kmh", "kmh_made")
    heading = (by, "% real", "% sim.", "min real", "min sim.", "km/h real", "km/h sim.")
    table(heading, rows.select(order).iter_rows())


def errors(real: Trips, made: Trips) -> None:
    """How well the same models predict in both cities: RMSE in minutes."""
    rows = []
    for city, trips_of in (("real", real), ("simulated", made)):
        learned, tested, locked = trips_of(LEARNED), trips_of(TESTED), trips_of(LOCKDOWN)
        pair = learned.group_by("PULocationID", "DOLocationID").agg(mean=pl.col("minutes").mean())
        by_pair = tested.join(
            pair, on=["PULocationID", "DOLocationID"], how="left", maintain_order="left"
        )["mean"].fill_null(learned["minutes"].mean())
        trees = lightgbm.train(
            {"num_leaves": 127, "learning_rate": 0.08, "min_data_in_leaf": 40, "verbose": -1},
            lightgbm.Dataset(learned.select(FEATURES).to_numpy(), learned["minutes"].to_numpy()),
            num_boost_round=250,
        )
        rows.append(
            (
                city,
                rmse(tested, np.full(tested.height, learned["minutes"].mean())),
                rmse(tested, by_pair.to_numpy()),
                rmse(tested, trees.predict(tested.select(FEATURES).to_numpy())),
                rmse(locked, trees.predict(locked.select(FEATURES).to_numpy())),
            )
        )
    table(("city", "mean", "zone-pair mean", "LightGBM", "LightGBM in lockdown"), rows)


def rmse(tested: pl.DataFrame, predicted: object) -> float:
    """Root mean squared error, in minutes."""
    return float(np.sqrt(np.mean((tested["minutes"].to_numpy() - np.asarray(predicted)) ** 2)))


def compare(folder: Path) -> None:
    """Print all tables."""
    everything: Span = (ORDINARY[0], LOCKDOWN[1])
    real = {month: trips([read(folder, month)[0]]) for month in months(everything)}
    made = {month: trips([simulated(month, WORLD)[0]]) for month in months(everything)}

    def of(city: dict[str, pl.DataFrame]) -> Trips:
        return lambda span: pl.concat(city[month] for month in months(span))

    quantiles(of(real), of(made))
    for by in ("hour", "month", "borough"):
        medians(of(real), of(made), by)
    errors(of(real), of(made))


if __name__ == "__main__":
    compare(Path(sys.argv[1]))
