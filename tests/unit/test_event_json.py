import json
from datetime import UTC, datetime

import polars as pl
import pytest

from edml.application import dtypes_of
from edml.apps.taxi import TaxiTripPickup
from edml.errors import DataError
from edml.models.event_json import from_json, to_json

TRIP = {
    "uuid": "a",
    "pickup_at": datetime(2019, 11, 28, 19, 30, 0, 123456, tzinfo=UTC),
    "pickup_local": datetime(2019, 11, 28, 14, 30, 0, 123456),  # noqa: DTZ001  a wall clock
    "pickup_zone": 161,
    "dropoff_zone": 230,
    "passengers": None,
}


def trips() -> pl.DataFrame:
    """One trip."""
    return pl.DataFrame([TRIP], schema=dtypes_of(TaxiTripPickup))


def test_events_come_back_as_they_were() -> None:
    """JSON and back keeps instants, wall clocks, microseconds and nulls."""
    text = to_json(trips())
    assert json.loads(text[0])["pickup_at"] == "2019-11-28T19:30:00.123456+00:00"
    assert json.loads(text[0])["pickup_local"] == "2019-11-28T14:30:00.123456"
    assert from_json(TaxiTripPickup, text).equals(trips())


def test_an_instant_may_be_told_in_any_zone() -> None:
    """What counts is the instant."""
    text = to_json(trips())[0].replace("19:30:00.123456+00:00", "14:30:00.123456-05:00")
    assert from_json(TaxiTripPickup, [text]).equals(trips())


def test_fields_that_are_not_there_are_null() -> None:
    """And fields that nobody knows are left out."""
    found = from_json(TaxiTripPickup, ['{"uuid": "a", "colour": "yellow"}'])
    assert found.row(0) == ("a", None, None, None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        '{"pickup_at": "yesterday"}',
        '{"pickup_at": "2019-11-28T19:30:00"}',
        '{"pickup_at": 7}',
        '{"pickup_zone": "Harlem"}',
    ],
)
def test_what_is_no_event_is_told(text: str) -> None:
    """The message names the class and shows the text."""
    with pytest.raises(DataError, match="TaxiTripPickup"):
        from_json(TaxiTripPickup, [text])
