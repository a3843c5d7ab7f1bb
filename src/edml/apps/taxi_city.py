"""A simulated city: taxi trips drawn from statistics of New York's, for whoever has no data.

The statistics (`taxi_city.json`) are counts and averages over some 276,000 real trips, made by
`edml.apps.taxi_survey`. Every day is drawn from a seed of its own, so a trip does not depend on
which other days are drawn. From the day of a *regime change* on, hours, zones and speeds are those
of the lockdown of spring 2020.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from edml.application import Simulation
from edml.errors import DataError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FILE: Final = "yellow_tripdata_{month}.parquet"
ORIGIN: Final = "edml.origin"
"""Key of a file's metadata that says what its rows are; the TLC's own files have none."""

DEFAULT: Final = Simulation()

ZONES: Final = 266
"""Zones are numbered from 1 to 265; 264 and 265 lie nowhere."""

HOURS_OF_WEEK: Final = 168
NOT_COUNTED: Final = 7
"""Stands for a missing number of passengers."""

KM_PER_MILE: Final = 1.609344
LONGEST_KM: Final = 300.0
"""No taxi takes anybody further; a detour has no bound of its own."""

# Where the piecewise linear functions of distance bend, and the bands within which trips are alike.
CENTROID_KNOTS_KM: Final = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 15.0, 20.0, 30.0)
CENTROID_BANDS_KM: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
WAY_KNOTS_KM: Final = (0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 15.0, 20.0, 30.0, 60.0)
WAY_BANDS_KM: Final = (2.0, 5.0, 12.0)

SCORES: Final = tuple(np.linspace(-3.6, 3.6, 25))
"""Noise is kept as its quantiles at these scores of a standard normal variable: tails included."""

PARTS_OF_WEEK: Final = 8
_WORKDAY: Final = np.repeat([0, 1, 2, 3, 4], [6, 4, 6, 4, 4])
_WEEKEND: Final = np.repeat([5, 6, 7], [6, 12, 6])
PART_OF_WEEK: Final = np.concatenate([np.tile(_WORKDAY, 5), np.tile(_WEEKEND, 2)])
"""For each hour of the week, from Monday at 0: the part within which the same zones are busy."""

HOURS_OF_DAY: Final = 48
HOUR_OF_DAY: Final = np.concatenate([np.tile(np.arange(24), 5), np.tile(np.arange(24, 48), 2)])
"""For each hour of the week: the hour of the day, or of a day of the weekend plus 24."""


class Legs(NamedTuple):
    """What is known of trips before they begin; one entry a trip."""

    pickup: Integers
    dropoff: Integers
    hour: Integers
    """Of the week, from Monday at 0."""

    month: Integers
    """1 to 12."""


@dataclass(frozen=True)
class Places:
    """Where the zones are."""

    apart_km: Floats
    """Between the centroids of each two zones, NaN where one lies nowhere."""

    area: Integers
    """The part of the city that each zone belongs to."""

    @staticmethod
    def of(survey: Mapping[str, Any]) -> "Places":
        """The zones as surveyed."""
        at = np.full((ZONES, 2), np.nan)
        at[survey["zone"]] = np.column_stack([survey["x_km"], survey["y_km"]])
        area = np.zeros(ZONES, dtype=np.int64)
        area[survey["zone"]] = survey["area"]
        return Places(apart_km=np.linalg.norm(at[:, None] - at, axis=2), area=area)

    def band(self, legs: Legs) -> Integers:
        """The band within which trips scatter alike: by distance, within one zone, nowhere."""
        apart_km = self.apart_km[legs.pickup, legs.dropoff]
        band: Integers = np.digitize(apart_km, CENTROID_BANDS_KM)
        band = np.where(legs.pickup == legs.dropoff, len(CENTROID_BANDS_KM) + 1, band)
        return np.where(np.isnan(apart_km), len(CENTROID_BANDS_KM) + 2, band)

    def areas(self, legs: Legs) -> Integers:
        """The number of the pair of areas."""
        return self.area[legs.pickup] * int(self.area.max() + 1) + self.area[legs.dropoff]


@dataclass(frozen=True)
class Way:
    """How far a taxi typically drives between two zones: natural logarithms of kilometres."""

    at_knots: Floats
    same_zone: float
    nowhere: float
    pickup: Floats
    dropoff: Floats
    pair: Floats
    noise: Floats
    """Quantiles at `SCORES`, by band."""

    def log_km(self, legs: Legs, places: Places) -> Floats:
        """The typical way."""
        apart_km = places.apart_km[legs.pickup, legs.dropoff]
        way: Floats = np.interp(apart_km, CENTROID_KNOTS_KM, self.at_knots)
        way = np.where(legs.pickup == legs.dropoff, self.same_zone, way)
        way = np.where(np.isnan(apart_km), self.nowhere, way)
        return (
            way
            + self.pickup[legs.pickup]
            + self.dropoff[legs.dropoff]
            + self.pair[legs.pickup, legs.dropoff]
        )


@dataclass(frozen=True)
class Speed:
    """How fast it typically drives there: natural logarithms of kilometres an hour."""

    at_knots: Floats
    hour: Floats
    month: Floats
    pickup: Floats
    dropoff: Floats
    areas: Floats
    pair: Floats
    day_deviation: float
    noise: Floats
    """Quantiles at `SCORES`, by band, of how much longer than typical trips take."""

    noise_correlation: Floats
    """With the noise of the way, by band."""

    def log_kmh(self, legs: Legs, log_km: Floats, places: Places) -> Floats:
        """The typical speed on a way of ``log_km``."""
        km = np.exp(log_km)
        part = PART_OF_WEEK[legs.hour] % len(self.pickup)
        band = np.digitize(km, WAY_BANDS_KM) % self.hour.shape[1]
        speed: Floats = (
            np.interp(km, WAY_KNOTS_KM, self.at_knots)
            + self.hour[legs.hour, band]
            + self.month[legs.month - 1]
            + self.pickup[part, legs.pickup]
            + self.dropoff[part, legs.dropoff]
            + self.areas[places.areas(legs) % len(self.areas), HOUR_OF_DAY[legs.hour]]
            + self.pair[legs.pickup, legs.dropoff]
        )
        return speed


@dataclass(frozen=True)
class Regime:
    """How the city lives: when and where trips begin and end, and how fast they go."""

    demand: Floats
    """Trips by weekday and hour, in shares of an average day: 7 × 24."""

    pairs: Floats
    """The cumulative probability of each pair of zones, plus the part of the week: 8 × 266²."""

    speeds: tuple[Speed, ...]
    """Their logarithms add up; noise and the deviation of days are the last one's."""

    @staticmethod
    def of(survey: Mapping[str, Any], speeds: tuple[Speed, ...]) -> "Regime":
        """A regime as surveyed: flow between zones, by how busy each is in a part of the week."""
        demand = np.array(survey["demand"], dtype=float).reshape(7, 24)
        flow = _dense(survey["pairs"], "trips")
        rare = survey["rare_pairs"]
        flow += np.outer(rare["pickups"], rare["dropoffs"]) / sum(rare["pickups"])
        weight = flow[None] * _busier(survey["pickups"], flow.sum(1))[:, :, None]
        weight = weight * _busier(survey["dropoffs"], flow.sum(0))[:, None, :]
        share = np.cumsum(weight.reshape(len(weight), -1), axis=1)
        return Regime(
            demand=demand / demand.sum() * 7,
            pairs=(share / share[:, -1:] + np.arange(len(share))[:, None]).ravel(),
            speeds=speeds,
        )

    def zones(self, chance: Floats, hour: Integers) -> tuple[Integers, Integers]:
        """Pick-up and drop-off zones, drawn by ``chance`` in [0, 1)."""
        part = PART_OF_WEEK[hour]
        pair = np.searchsorted(self.pairs, chance + part, side="right") - part * ZONES**2
        return np.divmod(pair, ZONES)


@dataclass(frozen=True)
class City:
    """The city before and after its change of regime."""

    ordinary: Regime
    lockdown: Regime
    places: Places
    way: Way
    passengers: Floats

    @staticmethod
    def of(survey: Mapping[str, Any]) -> "City":
        """The city as surveyed."""
        usual, changed = survey["ordinary"], survey["lockdown"]
        speed = Speed(**logarithms(usual["speed"]), pair=_dense(usual["pairs"], "speed") / 1000)
        change = Speed(**logarithms(changed["speed"]), pair=np.zeros((ZONES, ZONES)))
        return City(
            ordinary=Regime.of(usual, (speed,)),
            lockdown=Regime.of(changed, (speed, change)),
            places=Places.of(survey["zones"]),
            way=Way(**logarithms(survey["way"]), pair=_dense(usual["pairs"], "way") / 1000),
            passengers=np.cumsum(survey["passengers"]) / sum(survey["passengers"]),
        )

    def trips(self, day: date, simulation: Simulation) -> pl.DataFrame:
        """A day's trips in order of pick-up, in the columns of the TLC's own records."""
        change = simulation.regime_change
        regime = self.lockdown if change is not None and day >= change else self.ordinary
        demand, last = regime.demand[day.weekday()], regime.speeds[-1]

        random = np.random.default_rng([simulation.seed, day.toordinal()])
        slow_day = random.standard_normal() * last.day_deviation
        count = random.poisson(simulation.per_day * demand.sum())
        when, where, people = random.random((3, count))
        detour, delay = random.standard_normal((2, count))

        second = np.sort(_second_of_day(when, demand))
        hour = day.weekday() * 24 + second // 3600
        legs = Legs(*regime.zones(where, hour), hour, np.full(count, day.month))
        band = self.places.band(legs)
        log_km = self.way.log_km(legs, self.places)
        log_kmh = sum(each.log_kmh(legs, log_km, self.places) for each in regime.speeds)
        log_hours = log_km - log_kmh + slow_day + _noise(delay, band, last.noise)
        together = last.noise_correlation[band]
        detour = together * delay + np.sqrt(1 - together**2) * detour
        detoured = np.exp(log_km + _noise(detour, band, self.way.noise))
        km = np.minimum(detoured, LONGEST_KM)

        passengers = np.searchsorted(self.passengers, people, side="right")
        begins = np.datetime64(day, "us") + second.astype("timedelta64[s]")
        lasts = np.maximum(np.exp(log_hours) * 3600, 1).round().astype("timedelta64[s]")
        return pl.DataFrame(
            {
                "tpep_pickup_datetime": begins,
                "tpep_dropoff_datetime": begins + lasts,
                "passenger_count": np.where(passengers == NOT_COUNTED, np.nan, passengers),
                "trip_distance": (km / KM_PER_MILE).round(2),
                "PULocationID": legs.pickup,
                "DOLocationID": legs.dropoff,
            },
            nan_to_null=True,
        )


@cache
def city() -> City:
    """The city whose statistics come with the package."""
    return City.of(json.loads((files("edml.apps") / "taxi_city.json").read_text()))


def simulated(month: str, simulation: Simulation = DEFAULT) -> tuple[pl.LazyFrame, str]:
    """The trip records of a month such as ``2019-04``, and what they are records of."""
    first = date.fromisoformat(f"{month}-01")
    days = pl.date_range(first, pl.lit(first).dt.month_end(), eager=True)
    origin = f"simulated city, {simulation.per_day} trips a day, seed {simulation.seed}"
    if simulation.regime_change is not None:
        origin += f", another regime from {simulation.regime_change}"
    return pl.concat(city().trips(day, simulation) for day in days).lazy(), origin


def simulate(folder: Path, start: date, end: date, simulation: Simulation) -> Iterator[Path]:
    """Write files as the TLC does, for the months that ``[start, end)`` touches."""
    months = pl.date_range(start, end, closed="left", eager=True).dt.strftime("%Y-%m")
    for month in months.unique(maintain_order=True):
        path = folder / FILE.format(month=month)
        records, origin = simulated(month, simulation)
        if path.exists() and pl.read_parquet_metadata(path).get(ORIGIN) != origin:
            raise DataError(
                f"other trips of {month} are there already",
                where=str(path),
                todo="name another folder, or remove the file",
            )
        partial = path.with_suffix(".part")
        records.collect().write_parquet(partial, metadata={ORIGIN: origin})
        partial.replace(path)
        yield path


def _busier(counts: list[list[int]], usual: Floats) -> Floats:
    """How much busier than usual each zone is, by part of the week; few trips say little."""
    seen = np.array(counts, dtype=float)
    everywhen = seen.sum(0) + 50 * usual / usual.sum()
    expected = everywhen / everywhen.sum()
    share = (seen + 200 * expected) / (seen.sum(1, keepdims=True) + 200)
    typical = usual / usual.sum()
    busier: Floats = np.divide(share, typical, out=np.zeros_like(share), where=typical > 0)
    return busier


def _dense(pairs: Mapping[str, Any], name: str) -> Floats:
    dense = np.zeros((ZONES, ZONES))
    dense[pairs["pickup"], pairs["dropoff"]] = pairs[name]
    return dense


def _second_of_day(chance: Floats, demand: Floats) -> Integers:
    until = np.concatenate([[0.0], np.cumsum(demand)]) / demand.sum()
    second: Floats = np.interp(chance, until, np.arange(25) * 3600.0)
    return second.astype(np.int64).clip(0, 86_399)


def _noise(score: Floats, band: Integers, quantiles: Floats) -> Floats:
    noise = np.empty_like(score)
    for number, values in enumerate(quantiles):
        chosen = band == number
        noise[chosen] = np.interp(score[chosen], SCORES, values)
    return noise


def logarithms(survey: Mapping[str, Any]) -> dict[str, Any]:
    """The survey's numbers, which are in thousandths."""
    return {name: np.array(thousandths) / 1000 for name, thousandths in survey.items()}
