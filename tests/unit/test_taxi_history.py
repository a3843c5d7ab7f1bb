import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edml.application import Past, dtypes_of
from edml.apps.taxi import TaxiTripDropoff, TaxiTripPickup, history, taxi, zones
from edml.errors import DataError

APRIL = date(2019, 4, 1), date(2019, 5, 1)


def record(begin: str, end: str | None, **changes: Any) -> dict[str, Any]:
    """A trip record as the TLC writes it."""
    return {
        "VendorID": 2,
        "tpep_pickup_datetime": datetime.fromisoformat(begin),
        "tpep_dropoff_datetime": None if end is None else datetime.fromisoformat(end),
        "passenger_count": 1.0,
        "trip_distance": 1.6,
        "PULocationID": 161,
        "DOLocationID": 236,
    } | changes


GOOD = record("2019-04-25 19:52:31", "2019-04-25 20:06:01")


def write(folder: Path, month: str, *records: dict[str, Any]) -> Path:
    """A month's file."""
    path = folder / f"yellow_tripdata_{month}.parquet"
    pl.DataFrame(list(records)).write_parquet(path)
    return path


def read(folder: Path, *records: dict[str, Any]) -> Past:
    """What history makes of the records of April 2019."""
    write(folder, "2019-04", *records)
    return history(folder, *APRIL)


def test_a_trip_has_every_field_of_pickup_and_dropoff(tmp_path: Path) -> None:
    """Columns and types are those of the declared classes; times are UTC and wall time."""
    past = read(tmp_path, GOOD)
    expected = {**dtypes_of(TaxiTripPickup), **dtypes_of(TaxiTripDropoff)}
    assert {name: past.frame.schema[name] for name in expected} == expected
    assert past.frame.row(0, named=True) | {"uuid": ""} == {
        "uuid": "",
        "pickup_at": datetime(2019, 4, 25, 23, 52, 31, tzinfo=UTC),
        "pickup_local": datetime(2019, 4, 25, 19, 52, 31),  # noqa: DTZ001  a wall time
        "pickup_zone": 161,
        "dropoff_zone": 236,
        "passengers": 1,
        "dropoff_at": datetime(2019, 4, 26, 0, 6, 1, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    ("cause", "dirty"),
    [
        ("not of the file's month", record("2009-01-01 00:10:00", "2009-01-01 00:20:00")),
        ("not of the file's month", record("2019-05-01 00:10:00", "2019-05-01 00:20:00")),
        ("no drop-off time or no zone", record("2019-04-02 10:00:00", None)),
        (
            "no drop-off time or no zone",
            record("2019-04-02 10:00:00", "2019-04-02 10:10:00", PULocationID=None),
        ),
        (
            "no time between pick-up and drop-off",
            record("2019-04-02 10:00:00", "2019-04-02 10:00:00"),
        ),
        (
            "no time between pick-up and drop-off",
            record("2019-04-02 10:00:00", "2019-04-02 09:00:00"),
        ),
        ("longer than a day", record("2019-04-02 10:00:00", "2019-04-03 10:00:01")),
    ],
)
def test_what_is_no_trip_is_left_out_and_counted(
    tmp_path: Path, cause: str, dirty: dict[str, Any]
) -> None:
    """Each cause of dirt is told, and the good trip beside it stays."""
    past = read(tmp_path, dirty, GOOD)
    assert past.dropped == {cause: 1}
    assert past.frame.height == 1


def test_trips_that_do_not_count_are_kept(tmp_path: Path) -> None:
    """That a trip of 5 hours or 30 seconds does not count is the outcome's rule, not cleaning's."""
    past = read(
        tmp_path,
        record("2019-04-02 10:00:00", "2019-04-02 15:00:00"),
        record("2019-04-02 10:00:00", "2019-04-02 10:00:30"),
    )
    assert past.dropped == {}
    assert past.frame.height == 2


def test_flaws_are_kept_and_noted(tmp_path: Path) -> None:
    """A trip without passengers, or to a zone that nobody knows, is a trip."""
    past = read(
        tmp_path,
        GOOD,
        GOOD | {"passenger_count": None},
        GOOD | {"passenger_count": 0.0},
        GOOD | {"DOLocationID": 264},
        GOOD | {"PULocationID": 265},
    )
    assert past.frame["passengers"].null_count() == 2
    assert past.noted == {
        "passengers not counted (taken as one)": 2,
        "zone unknown or outside the city": 2,
    }


@pytest.mark.parametrize(
    ("month", "begin", "end", "kept"),
    [
        # In spring the clock jumps from 2:00 to 3:00 on 2019-03-10.
        ("2019-03", "2019-03-10 01:40:00", "2019-03-10 03:10:00", False),
        ("2019-03", "2019-03-10 02:10:00", "2019-03-10 02:20:00", False),
        ("2019-03", "2019-03-10 01:40:00", "2019-03-10 01:50:00", True),
        ("2019-03", "2019-03-10 03:00:00", "2019-03-10 03:10:00", True),
        # In autumn the hour from 1:00 to 2:00 comes twice on 2019-11-03.
        ("2019-11", "2019-11-03 00:50:00", "2019-11-03 01:10:00", False),
        ("2019-11", "2019-11-03 00:50:00", "2019-11-03 02:10:00", False),
        ("2019-11", "2019-11-03 01:10:00", "2019-11-03 01:20:00", False),
        ("2019-11", "2019-11-03 02:00:00", "2019-11-03 02:20:00", True),
    ],
)
def test_trips_across_a_clock_change_are_left_out(
    tmp_path: Path, month: str, begin: str, end: str, *, kept: bool
) -> None:
    """Their length cannot be told from the wall clock."""
    write(tmp_path, month, record(begin, end))
    first = date.fromisoformat(f"{month}-01")
    past = history(tmp_path, first, date(2019, first.month + 1, 1))
    assert past.frame.height == kept
    assert past.dropped == ({} if kept else {"across a clock change": 1})


def test_keys_are_the_same_in_every_run_and_differ_between_trips(tmp_path: Path) -> None:
    """Equal files give equal keys; equal trips of two rows have two keys."""
    (tmp_path / "copy").mkdir()
    first = read(tmp_path, GOOD, GOOD).frame["uuid"]
    again = read(tmp_path / "copy", GOOD, GOOD).frame["uuid"]
    assert first.to_list() == again.to_list()
    assert first.n_unique() == 2


def test_a_key_does_not_depend_on_the_days_that_are_asked_for(tmp_path: Path) -> None:
    """A trip has its key whether a day is read, or the month."""
    whole = read(tmp_path, record("2019-04-02 10:00:00", "2019-04-02 10:10:00"), GOOD)
    day = history(tmp_path, date(2019, 4, 25), date(2019, 4, 26))
    assert day.frame.equals(whole.frame.tail(1))


def test_several_months_come_in_order_of_pickup(tmp_path: Path) -> None:
    """Only the files that are needed are read; the frame is sorted across them."""
    write(tmp_path, "2019-04", record("2019-04-30 23:00:00", "2019-05-01 00:10:00"), GOOD)
    write(tmp_path, "2019-05", record("2019-05-01 00:05:00", "2019-05-01 00:10:00"))
    past = history(tmp_path, date(2019, 4, 1), date(2019, 6, 1))
    assert past.frame["pickup_at"].is_sorted()
    assert past.frame.height == 3


def test_a_month_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The message names the file, the months that there are, and the command that fetches it."""
    write(tmp_path, "2019-04", GOOD)
    with pytest.raises(DataError, match="no trips of 2019-05, only of 2019-04") as error:
        history(tmp_path, date(2019, 4, 1), date(2019, 6, 1))
    assert "yellow_tripdata_2019-05.parquet" in str(error.value)
    assert "edml data fetch --month 2019-05" in str(error.value)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    """Where there are no trips at all, no months are named."""
    with pytest.raises(DataError) as error:
        history(tmp_path, *APRIL)
    assert error.value.what == "there are no trips of 2019-04"


def test_a_file_that_is_no_parquet_is_said(tmp_path: Path) -> None:
    """A web page that was saved as a file of trips is told as such."""
    (tmp_path / "yellow_tripdata_2019-04.parquet").write_text("<html>Access denied</html>")
    with pytest.raises(DataError, match="no Parquet file"):
        history(tmp_path, *APRIL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"PULocationID": "Midtown"}, "'PULocationID' is String: expected Int64"),
        ({"tpep_pickup_datetime": "2019-04-25"}, "'tpep_pickup_datetime' is String"),
    ],
)
def test_a_column_of_another_type_is_said(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    """The message names the column, its type and the one that is expected."""
    with pytest.raises(DataError, match=message):
        read(tmp_path, GOOD | change)


def test_a_missing_column_is_said(tmp_path: Path) -> None:
    """Green taxis have other columns: the message names the first one that is missing."""
    write(tmp_path, "2019-04", {"lpep_pickup_datetime": datetime(2019, 4, 1, tzinfo=UTC)})
    with pytest.raises(DataError, match="'tpep_pickup_datetime' is missing"):
        history(tmp_path, *APRIL)


def test_every_zone_of_the_city_has_a_place() -> None:
    """The zones that the TLC lists twice lie where their twins do."""
    places = {zone: place for zone, *place in zones().iter_rows()}
    assert sorted(places) == list(range(1, 264))
    assert places[57] == places[56]
    assert places[104] == places[105] == places[103]


def test_the_application_reads_simulated_trips_when_there_are_none() -> None:
    """Without a folder the city is simulated, and says so."""
    past = taxi.history(None, date(2019, 11, 28), date(2019, 11, 29))
    assert past.source.startswith("simulated city")
    assert past.frame["pickup_local"].dt.date().unique().to_list() == [date(2019, 11, 28)]


SOURCES = [None, *(Path(folder) for folder in [os.environ.get("EDML_DATA")] if folder)]
"""The simulated city and, where this machine has some, real trips."""


@pytest.mark.parametrize("data", SOURCES)
def test_most_trips_of_a_month_count(data: Path | None) -> None:
    """Of simulated trips and of real ones, few are left out, and 97% last 1 to 180 minutes."""
    months = ["2019-11"] if data is None else [each.stem[-7:] for each in data.glob("yellow_*-*")]
    first = date.fromisoformat(f"{min(months)}-01")
    past = history(data, first, first + timedelta(days=28))
    minutes = (past.frame["dropoff_at"] - past.frame["pickup_at"]).dt.total_seconds() / 60
    assert past.frame["pickup_at"].is_sorted()
    assert past.frame["uuid"].is_unique().all()
    assert sum(past.dropped.values()) < 0.01 * past.frame.height
    assert minutes.is_between(1, 180).sum() > 0.97 * past.frame.height
