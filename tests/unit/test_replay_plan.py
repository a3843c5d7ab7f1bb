from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from edml.apps.taxi import taxi
from edml.errors import UsageError
from edml.replay.plan import Plan, weeks_around, weeks_to
from tests.parcels import parcels
from tests.trips import START, trips

THURSDAY = date(2019, 11, 28)


def test_records_come_in_order_of_their_own_times() -> None:
    """A drop-off stands between the pick-ups before and after it."""
    plan = Plan.of(taxi, trips(400))
    times = plan.schedule["at"]
    assert times.is_sorted()
    assert len(plan) == 800
    assert plan.schedule["stream"].to_list() != sorted(plan.schedule["stream"].to_list())


def test_slices_hold_every_record_once() -> None:
    """Slices that follow one another hold the pick-ups and drop-offs of the past, and no more."""
    past = trips(100)
    plan = Plan.of(taxi, past)
    slices = [plan.records(begin, min(begin + 7, 200)) for begin in range(0, 200, 7)]
    pickups = pl.concat(each["taxi.pickups"] for each in slices)
    dropoffs = pl.concat(each["taxi.dropoffs"] for each in slices)
    assert pickups.equals(past.select(pickups.columns))
    assert dropoffs.sort("uuid").equals(past.select("uuid", "dropoff_at"))


def test_a_shift_moves_every_time_and_renames_every_trip() -> None:
    """Instants and wall times move by whole weeks; keys are others, and equal in both topics."""
    past = trips(10)
    plain, shifted = Plan.of(taxi, past), Plan.of(taxi, past, weeks=230)
    moved = shifted.records(0, 20)
    assert (moved["taxi.pickups"]["pickup_at"] - past["pickup_at"]).unique().to_list() == [
        timedelta(weeks=230)
    ]
    assert (moved["taxi.pickups"]["pickup_local"] - past["pickup_local"]).unique().to_list() == [
        timedelta(weeks=230)
    ]
    keys = set(moved["taxi.pickups"]["uuid"])
    assert keys == set(moved["taxi.dropoffs"]["uuid"])
    assert not keys & set(past["uuid"])
    assert len(keys) == 10
    assert plain.id != shifted.id


def test_equal_records_make_the_same_replay() -> None:
    """The name of a replay depends on what is written, and on nothing else."""
    past = trips(10)
    assert Plan.of(taxi, past, weeks=3).id == Plan.of(taxi, past.clone(), weeks=3).id
    assert Plan.of(taxi, past).id != Plan.of(taxi, past[1:]).id


def test_any_application_can_be_replayed() -> None:
    """Key and times are those that the application declares."""
    past = parcels.history(None, date(2026, 1, 1), date(2026, 1, 2)).frame
    plan = Plan.of(parcels, past, weeks=-1)
    records = plan.records(0, len(plan))
    assert records["parcels.handed-over"].height == 24
    assert records["parcels.handed-over"]["handed_over_at"][0] == datetime(2025, 12, 25, tzinfo=UTC)
    assert set(records["parcels.delivered"].columns) == {"parcel", "delivered_at", "hours"}


def test_outcomes_of_events_that_were_left_out_are_left_out() -> None:
    """Who begins in the middle writes no drop-off of a trip that began before."""
    plan = Plan.of(taxi, trips(400))
    middle = plan.from_time(START + timedelta(minutes=8))
    records = plan.records(middle, len(plan), since=middle)
    assert records["taxi.pickups"].height == 400 - 240
    assert set(records["taxi.dropoffs"]["uuid"]) == set(records["taxi.pickups"]["uuid"])


def test_nothing_to_replay_is_said() -> None:
    """An empty past is a usage error."""
    with pytest.raises(UsageError, match="nothing to replay"):
        Plan.of(taxi, trips(0))


@pytest.mark.parametrize("days_on", range(15))
def test_a_shift_keeps_the_day_of_the_week(days_on: int) -> None:
    """The last day comes on the same weekday, as late as the target allows."""
    target = date(2024, 5, 1) + timedelta(days=days_on)
    moved = THURSDAY + timedelta(weeks=weeks_to(THURSDAY, target))
    assert moved.weekday() == THURSDAY.weekday()
    assert timedelta(0) <= target - moved < timedelta(weeks=1)


@pytest.mark.parametrize("days_on", range(15))
def test_today_is_among_the_days_of_a_whole_week(days_on: int) -> None:
    """A week that is shifted to now holds today, whichever day that is."""
    today = date(2024, 5, 1) + timedelta(days=days_on)
    first, last = THURSDAY, THURSDAY + timedelta(days=6)
    weeks = timedelta(weeks=weeks_around(first, last, today))
    assert first + weeks <= today <= last + weeks


def test_a_day_cannot_be_now_on_another_weekday() -> None:
    """The message names the weekday that is missing."""
    with pytest.raises(UsageError, match="is a Wednesday, as today is"):
        weeks_around(THURSDAY, THURSDAY, date(2024, 5, 1))
