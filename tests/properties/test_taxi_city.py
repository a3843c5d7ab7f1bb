from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edml.application import Simulation
from edml.apps.taxi import history
from edml.apps.taxi_city import simulate, simulated
from edml.errors import DataError

MONTHS = st.dates(date(2015, 1, 1), date(2030, 12, 31)).map(lambda day: f"{day:%Y-%m}")
WORLDS = st.builds(
    Simulation,
    per_day=st.integers(1, 60),
    seed=st.integers(0, 2**32),
    regime_change=st.none() | st.dates(date(2015, 1, 1), date(2030, 12, 31)),
)


def trips(month: str, world: Simulation) -> pl.DataFrame:
    """A simulated month, with minutes and speed."""
    hours = (pl.col("tpep_dropoff_datetime") - pl.col("tpep_pickup_datetime")).dt.total_seconds()
    records = simulated(month, world)[0].collect()
    return records.with_columns(
        minutes=hours / 60, kmh=pl.col("trip_distance") * 1.609344 / (hours / 3600)
    )


@settings(max_examples=20, deadline=None)
@given(month=MONTHS, world=WORLDS)
@example(month="2015-07", world=Simulation(per_day=43, seed=2235933))
def test_every_simulated_trip_could_be_one(month: str, world: Simulation) -> None:
    """In any month, of any seed, trips begin in the month, in order, in zones that there are."""
    found = trips(month, world)
    assert found["tpep_pickup_datetime"].is_sorted()
    assert set(found["tpep_pickup_datetime"].dt.strftime("%Y-%m")) <= {month}
    assert found["PULocationID"].is_between(1, 265).all()
    assert found["DOLocationID"].is_between(1, 265).all()
    assert found["minutes"].is_between(0, 24 * 60, closed="right").all()
    assert found["trip_distance"].is_between(0, 200).all()
    assert found["passenger_count"].drop_nulls().is_between(0, 6).all()


@settings(max_examples=8, deadline=None)
@given(month=MONTHS, world=WORLDS)
def test_the_same_world_has_the_same_trips(month: str, world: Simulation) -> None:
    """Seed and options determine every trip."""
    assert trips(month, world).equals(trips(month, world))


@settings(max_examples=4, deadline=None)
@given(start=st.dates(date(2018, 1, 1), date(2020, 12, 1)), days=st.integers(1, 40))
def test_a_trip_does_not_depend_on_the_days_that_are_asked_for(start: date, days: int) -> None:
    """Keys included: what is trained on is what is replayed."""
    end = start + timedelta(days=days)
    day = start + timedelta(days=days // 2)
    many = history(None, start, end).frame
    one = history(None, day, day + timedelta(days=1)).frame
    assert many.filter(pl.col("pickup_local").dt.date() == day).equals(one)


def test_other_seeds_have_other_trips() -> None:
    """No key of one world is in another."""
    first, second = (simulated("2019-11", Simulation(seed=seed)) for seed in (1, 2))
    assert first[1] != second[1]
    assert not first[0].collect().equals(second[0].collect())


def test_there_are_as_many_trips_as_asked_for() -> None:
    """Over a month, the mean of a day is what was asked for; weekdays differ."""
    found = trips("2019-11", Simulation(per_day=500))
    assert found.height / 30 == pytest.approx(500, rel=0.05)


def test_a_change_of_regime_empties_the_streets() -> None:
    """Before the day nothing differs; from it on, taxis are half as fast again, trips shorter."""
    change = date(2020, 3, 16)
    plain = trips("2020-03", Simulation(per_day=2000))
    changed = trips("2020-03", Simulation(per_day=2000, regime_change=change))
    before = pl.col("tpep_pickup_datetime") < pl.lit(change)
    assert changed.filter(before).equals(plain.filter(before))
    plain, changed = plain.filter(~before), changed.filter(~before)
    assert 1.35 < np.median(changed["kmh"]) / np.median(plain["kmh"]) < 1.8
    assert 0.6 < np.median(changed["minutes"]) / np.median(plain["minutes"]) < 0.85
    zones = [
        np.bincount(each["PULocationID"], minlength=266) / each.height for each in (plain, changed)
    ]
    assert np.abs(zones[0] - zones[1]).sum() / 2 > 0.15


def test_rush_hour_is_slow_and_nights_are_fast() -> None:
    """Speeds follow the hour, as in the real city."""
    kmh = (
        trips("2019-11", Simulation(per_day=2000))
        .group_by(hour=pl.col("tpep_pickup_datetime").dt.hour())
        .agg(pl.col("kmh").median())
    )
    by_hour = dict(kmh.iter_rows())
    assert by_hour[4] > 1.4 * by_hour[9]
    assert by_hour[4] > 1.4 * by_hour[17]


def test_written_files_read_as_the_same_trips(tmp_path: Path) -> None:
    """The files that are written are what is simulated in memory, keys included."""
    files = list(simulate(tmp_path, date(2019, 10, 20), date(2019, 12, 1), Simulation()))
    assert [each.name for each in files] == [
        "yellow_tripdata_2019-10.parquet",
        "yellow_tripdata_2019-11.parquet",
    ]
    days = date(2019, 10, 25), date(2019, 11, 7)
    assert history(tmp_path, *days).frame.equals(history(None, *days).frame)


def test_other_trips_are_not_written_over(tmp_path: Path) -> None:
    """A month of another world is left as it is; the same one may be repeated."""
    days = date(2019, 11, 1), date(2019, 12, 1)
    (file,) = simulate(tmp_path, *days, Simulation(per_day=10))
    content = file.read_bytes()
    assert list(simulate(tmp_path, *days, Simulation(per_day=10))) == [file]
    with pytest.raises(DataError, match="other trips of 2019-11 are there already"):
        list(simulate(tmp_path, *days, Simulation(per_day=10, seed=2)))
    assert file.read_bytes() == content
