"""Surveys the real city: from the TLC's files to the statistics that `taxi_city` draws from.

    python -m edml.apps.taxi_survey FOLDER

Two regimes are surveyed: the city as it was from 2018-01 to 2020-02, and under lockdown in 2020-04
and 2020-05. Way and speed are additive models of logarithms, fitted by backfitting (Friedman &
Stuetzle, 1981) with effects shrunk towards zero where trips are few. What is kept are counts,
averages and quantiles over many trips, in thousandths; no single trip.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import polars as pl

from edml.apps import taxi
from edml.apps.taxi_city import (
    CENTROID_BANDS_KM,
    CENTROID_KNOTS_KM,
    HOUR_OF_DAY,
    HOURS_OF_DAY,
    HOURS_OF_WEEK,
    KM_PER_MILE,
    NOT_COUNTED,
    PART_OF_WEEK,
    PARTS_OF_WEEK,
    SCORES,
    WAY_BANDS_KM,
    WAY_KNOTS_KM,
    ZONES,
    Floats,
    Integers,
    Legs,
    Places,
    Speed,
    Way,
    logarithms,
)

STATISTICS: Final = Path(__file__).with_name("taxi_city.json")
ORDINARY: Final = (date(2018, 1, 1), date(2020, 3, 1))
LOCKDOWN: Final = (date(2020, 4, 1), date(2020, 6, 1))
FEWEST_OF_A_PAIR: Final = 3
AIRPORTS: Final = (1, 132, 138)
MANHATTAN_CUTS_KM: Final = (2.8, 5.0, 6.7, 8.4, 11.1)
SWEEPS: Final = 12


@dataclass(frozen=True)
class Trips:
    """What is looked at of many trips, one entry a trip."""

    legs: Legs
    day: Integers
    passengers: Integers
    km: Floats
    hours: Floats

    @staticmethod
    def read(folder: Path, between: tuple[date, date]) -> "Trips":
        """The trips of 1 to 180 minutes whose distance and speed can be true."""
        began, ended = pl.col("tpep_pickup_datetime"), pl.col("tpep_dropoff_datetime")
        hours = (ended - began).dt.total_seconds() / 3600
        km = pl.col("trip_distance") * KM_PER_MILE
        months = pl.date_range(*between, "1mo", closed="left", eager=True).dt.strftime("%Y-%m")
        trips = (
            pl.concat(taxi.read(folder, month)[0] for month in months)
            .filter(hours.is_between(1 / 60, 3), km.is_between(0.15, 130))
            .filter((km / hours).is_between(1.5, 120))
            .select(
                pickup=pl.col("PULocationID").cast(pl.Int64),
                dropoff=pl.col("DOLocationID").cast(pl.Int64),
                hour=(began.dt.weekday().cast(pl.Int64) - 1) * 24 + began.dt.hour(),
                month=began.dt.month().cast(pl.Int64),
                day=began.dt.epoch("d").cast(pl.Int64),
                passengers=pl.col("passenger_count").fill_null(NOT_COUNTED).cast(pl.Int64),
                km=km,
                hours=hours,
            )
            .collect()
        )
        return Trips(
            Legs(*(trips[name].to_numpy() for name in Legs._fields)),
            *(trips[name].to_numpy() for name in ("day", "passengers", "km", "hours")),
        )


@dataclass(frozen=True)
class Effect:
    """A number for each of ``size`` groups; as if ``shrink`` more trips had said that it is 0."""

    group: Integers
    size: int
    shrink: float


def backfit(
    wanted: Floats, basis: Floats, effects: Sequence[Effect]
) -> tuple[Floats, list[Floats], Floats]:
    """Fits ``basis @ weights + Σ effect[group]``: gives weights, effects, and what is left."""
    solve = np.linalg.inv(basis.T @ basis + 1e-6 * np.eye(basis.shape[1]))
    weights = np.zeros(basis.shape[1])
    fitted = [np.zeros(effect.size) for effect in effects]
    left = wanted.copy()
    for _ in range(SWEEPS):
        left += basis @ weights
        weights = solve @ (basis.T @ left)
        left -= basis @ weights
        for number, effect in enumerate(effects):
            left += fitted[number][effect.group]
            sums = np.bincount(effect.group, left, effect.size)
            counts = np.bincount(effect.group, minlength=effect.size)
            fitted[number] = sums / np.maximum(counts + effect.shrink, 1)
            left -= fitted[number][effect.group]
    return weights, fitted, left


def survey(folder: Path) -> dict[str, Any]:
    """The statistics of both regimes."""
    zones = _zones()
    places = Places.of(zones)
    ordinary, lockdown = Trips.read(folder, ORDINARY), Trips.read(folder, LOCKDOWN)
    way_facts, way_of_pair = _way(ordinary, places)
    way = Way(**logarithms(way_facts), pair=way_of_pair.reshape(ZONES, ZONES))
    speed_facts, speed_of_pair = _speed(ordinary, places, way)
    speed = Speed(**logarithms(speed_facts), pair=speed_of_pair.reshape(ZONES, ZONES))
    pairs, rare = _flow(ordinary)
    kept = np.array(pairs["pickup"]) * ZONES + np.array(pairs["dropoff"])
    pairs |= {"way": _thousandths(way_of_pair[kept]), "speed": _thousandths(speed_of_pair[kept])}
    changed, rarely_then = _flow(lockdown)
    return {
        "made_from": f"{len(ordinary.km)} trips of 2018-01 to 2020-02, "
        f"{len(lockdown.km)} of 2020-04 and 2020-05",
        "zones": zones,
        "passengers": _counts(ordinary.passengers.clip(0, NOT_COUNTED), NOT_COUNTED + 1).tolist(),
        "way": way_facts,
        "ordinary": {
            **_demand(ordinary),
            "pairs": pairs,
            "rare_pairs": rare,
            "speed": speed_facts,
        },
        "lockdown": {
            **_demand(lockdown),
            "pairs": changed,
            "rare_pairs": rarely_then,
            "speed": _change(lockdown, places, way, speed),
        },
    }


def _zones() -> dict[str, Any]:
    """Where each zone is, and its area: an airport, a fifth of Manhattan by latitude, a borough."""
    zones = taxi.zones().with_columns(
        area=pl.when(pl.col("zone").is_in(AIRPORTS))
        .then(pl.format("airport {}", "zone"))
        .when(pl.col("borough") == "Manhattan")
        .then(pl.format("Manhattan {}", sum(pl.col("y_km") > cut for cut in MANHATTAN_CUTS_KM)))
        .otherwise("borough")
    )
    areas = zones["area"].unique().sort().to_list()
    return {
        "zone": zones["zone"].to_list(),
        "x_km": zones["x_km"].round(2).to_list(),
        "y_km": zones["y_km"].round(2).to_list(),
        "area": [areas.index(area) + 1 for area in zones["area"]],
    }


def _demand(trips: Trips) -> dict[str, Any]:
    part = PART_OF_WEEK[trips.legs.hour] * ZONES
    size = (PARTS_OF_WEEK, ZONES)
    return {
        "demand": _counts(trips.legs.hour, HOURS_OF_WEEK).tolist(),
        "pickups": _counts(part + trips.legs.pickup, size[0] * ZONES).reshape(size).tolist(),
        "dropoffs": _counts(part + trips.legs.dropoff, size[0] * ZONES).reshape(size).tolist(),
    }


def _flow(trips: Trips) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trips of each pair of zones; of pairs too rare to be kept, only their ends."""
    flow = _counts(_pair(trips.legs), ZONES**2)
    often = np.flatnonzero(flow >= FEWEST_OF_A_PAIR)
    pairs = {
        "pickup": (often // ZONES).tolist(),
        "dropoff": (often % ZONES).tolist(),
        "trips": flow[often].tolist(),
    }
    rare = np.where(flow < FEWEST_OF_A_PAIR, flow, 0).reshape(ZONES, ZONES)
    return pairs, {"pickups": rare.sum(1).tolist(), "dropoffs": rare.sum(0).tolist()}


def _way(trips: Trips, places: Places) -> tuple[dict[str, Any], Floats]:
    """How far taxis drive, and what is special to each pair of zones."""
    legs = trips.legs
    apart_km = places.apart_km[legs.pickup, legs.dropoff]
    nowhere = np.isnan(apart_km)
    same = (legs.pickup == legs.dropoff) & ~nowhere
    hats = _hats(np.nan_to_num(apart_km), CENTROID_KNOTS_KM) * ~(same | nowhere)[:, None]
    weights, (pickup, dropoff, pair), left = backfit(
        np.log(trips.km),
        np.column_stack([hats, same, nowhere]),
        [
            Effect(legs.pickup, ZONES, 20),
            Effect(legs.dropoff, ZONES, 20),
            Effect(_pair(legs), ZONES**2, 5),
        ],
    )
    return {
        "at_knots": _thousandths(weights[:-2]),
        "same_zone": _thousandths(weights[-2]),
        "nowhere": _thousandths(weights[-1]),
        "pickup": _thousandths(pickup),
        "dropoff": _thousandths(dropoff),
        "noise": _quantiles(left, places.band(legs)),
    }, pair


def _speed(trips: Trips, places: Places, way: Way) -> tuple[dict[str, Any], Floats]:
    """Typical speeds in the ordinary city, and what is special to each pair of zones."""
    legs = trips.legs
    log_km = way.log_km(legs, places)
    bands, areas = len(WAY_BANDS_KM) + 1, (places.area.max() + 1) ** 2
    band, part = np.digitize(np.exp(log_km), WAY_BANDS_KM), PART_OF_WEEK[legs.hour] * ZONES
    weights, effects, left = backfit(
        log_km - np.log(trips.hours),
        _hats(np.exp(log_km), WAY_KNOTS_KM),
        [
            Effect(legs.hour * bands + band, HOURS_OF_WEEK * bands, 20),
            Effect(legs.month - 1, 12, 0),
            Effect(legs.pickup, ZONES, 20),
            Effect(legs.dropoff, ZONES, 20),
            Effect(part + legs.pickup, PARTS_OF_WEEK * ZONES, 30),
            Effect(part + legs.dropoff, PARTS_OF_WEEK * ZONES, 30),
            Effect(
                places.areas(legs) * HOURS_OF_DAY + HOUR_OF_DAY[legs.hour], areas * HOURS_OF_DAY, 30
            ),
            Effect(_pair(legs), ZONES**2, 10),
            Effect(trips.day, trips.day.max() + 1, 30),
        ],
    )
    hour, month, pickup, dropoff, pickup_then, dropoff_then, area, pair, day = effects
    return {
        "at_knots": _thousandths(weights),
        "hour": _thousandths(hour.reshape(-1, bands)),
        "month": _thousandths(month),
        "pickup": _thousandths(pickup + pickup_then.reshape(-1, ZONES)),
        "dropoff": _thousandths(dropoff + dropoff_then.reshape(-1, ZONES)),
        "areas": _thousandths(area.reshape(-1, HOURS_OF_DAY)),
        **_scatter(trips, left, day, places, way),
    }, pair


def _change(trips: Trips, places: Places, way: Way, usual: Speed) -> dict[str, Any]:
    """By how much typical speeds under lockdown differ from the usual ones."""
    legs = trips.legs
    log_km = way.log_km(legs, places)
    weights, (hour, pickup, dropoff, day), left = backfit(
        log_km - np.log(trips.hours) - usual.log_kmh(legs, log_km, places),
        _hats(np.exp(log_km), WAY_KNOTS_KM),
        [
            Effect(HOUR_OF_DAY[legs.hour], HOURS_OF_DAY, 20),
            Effect(legs.pickup, ZONES, 50),
            Effect(legs.dropoff, ZONES, 50),
            Effect(trips.day, trips.day.max() + 1, 30),
        ],
    )
    return {
        "at_knots": _thousandths(weights),
        "hour": _thousandths(hour[HOUR_OF_DAY][:, None]),
        "month": [0] * 12,
        "pickup": _thousandths(pickup[None]),
        "dropoff": _thousandths(dropoff[None]),
        "areas": [[0] * HOURS_OF_DAY],
        **_scatter(trips, left, day, places, way),
    }


def _scatter(trips: Trips, left: Floats, day: Floats, places: Places, way: Way) -> dict[str, Any]:
    """What typical speeds leave open: how much days differ, and the noise of single trips."""
    counts = np.bincount(trips.day)
    seen = counts > 0
    mean = np.bincount(trips.day, left + day[trips.day])[seen] / counts[seen]
    variance = np.average(mean**2 - left.var() / counts[seen], weights=counts[seen])
    band = places.band(trips.legs)
    detour = np.log(trips.km) - way.log_km(trips.legs, places)
    return {
        "day_deviation": _thousandths(np.sqrt(max(variance, 0.0))),
        "noise": _quantiles(-left, band),
        "noise_correlation": [
            _thousandths(
                np.corrcoef(_scores(-left[band == each]), _scores(detour[band == each]))[0, 1]
            )
            for each in range(len(CENTROID_BANDS_KM) + 3)
        ],
    }


def _pair(legs: Legs) -> Integers:
    return legs.pickup * ZONES + legs.dropoff


def _counts(groups: Integers, size: int) -> Integers:
    return np.bincount(groups, minlength=size)


def _hats(values: Floats, knots: Sequence[float]) -> Floats:
    """The basis of piecewise linear functions: one column a knot, 1 there and 0 at the others."""
    return np.column_stack([np.interp(values, knots, row) for row in np.eye(len(knots))])


def _quantiles(values: Floats, band: Integers) -> Any:
    levels = [NormalDist().cdf(score) for score in SCORES]
    bands = range(len(CENTROID_BANDS_KM) + 3)
    return _thousandths(np.array([np.quantile(values[band == each], levels) for each in bands]))


def _scores(values: Floats) -> Floats:
    """Each value's rank as a score of a standard normal variable."""
    ranks = (values.argsort().argsort() + 0.5) / len(values)
    scores: Floats = np.interp(ranks, [NormalDist().cdf(score) for score in SCORES], SCORES)
    return scores


def _thousandths(values: Floats | float) -> Any:
    return np.rint(np.asarray(values) * 1000).astype(int).tolist()


if __name__ == "__main__":
    STATISTICS.write_text(json.dumps(survey(Path(sys.argv[1])), separators=(",", ":")) + "\n")
