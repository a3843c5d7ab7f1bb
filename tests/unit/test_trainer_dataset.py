from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edml.application import OUTCOME_TIME, Past, fields_of
from edml.errors import TrainingError
from edml.trainer.dataset import Examples, hours, known, read
from edml.trainer.span import Span
from tests.parcels import MORNING, HandedOver, parcels

JANUARY = Span(date(2026, 1, 1), date(2026, 2, 1))


def past(**changes: list[object]) -> Past:
    """Three parcels, but for the changes, of which one was lost before."""
    like: dict[str, list[object]] = {
        "handed_over_at": [MORNING + timedelta(hours=number) for number in range(3)],
        "parcel": ["a", "b", "c"],
        "depot": ["Bonn", "Kiel", "Oslo"],
        "service": ["express"] * 3,
        "weight_kg": [1.0, 2.0, 3.0],
        "delivered_at": [MORNING + timedelta(hours=number + 5) for number in range(3)],
        "hours": [5.0, 5.0, 5.0],
    }
    return Past(pl.DataFrame(like | changes), {"lost": 1}, "made by hand")


def read_past(**changes: list[object]) -> tuple[list[str], dict[str, int]]:
    """The keys that are left, and what was left out."""

    def history(data: Path | None, start: date, end: date) -> Past:
        assert (data, start, end) == (None, JANUARY.start, JANUARY.end)
        return past(**changes)

    found = read(replace(parcels, history=history), None, JANUARY)
    return found.examples.events["parcel"].to_list(), dict(found.left_out)


def test_rows_that_count_are_kept_with_features_and_labels() -> None:
    """An example is an event, its features, and its label."""
    examples = read(parcels, None, JANUARY).examples
    assert examples.rows == 31 * 24
    assert set(examples.events.columns) == {*fields_of(HandedOver), OUTCOME_TIME}
    assert examples.features.row(1, named=True) == {
        "service": "express",
        "region": "north",
        "hour": 1.0,
        "weight_g": 1000.0,
    }
    assert examples.labels[:8].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1.0]


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        ("unknown service", {"service": ["express", "teleport", "express"]}),
        ("no weight", {"weight_kg": [1.0, None, 3.0]}),
        ("hours above 72 hours", {"hours": [1.0, 73.0, 72.0]}),
        ("hours below 0 hours", {"hours": [1.0, -1.0, 0.0]}),
        ("no hours", {"hours": [1.0, None, 1.0]}),
        ("no hours", {"hours": [1.0, float("nan"), 1.0]}),
        ("feature 'weight_g' is missing", {"weight_kg": [1.0, float("inf"), 3.0]}),
        (
            "the outcome is before the event",
            {"delivered_at": [MORNING + timedelta(hours=each) for each in (9, 0, 9)]},
        ),
        (
            "the outcome came after more than 3 days, 0:00:00",
            {"delivered_at": [MORNING + timedelta(hours=each) for each in (9, 74, 9)]},
        ),
    ],
)
def test_rows_that_do_not_count_are_counted(cause: str, changes: dict[str, list[object]]) -> None:
    """The outcome's rule and the event's rules hold, and each row left out has its cause."""
    assert read_past(**changes) == (["a", "c"], {"lost": 1, cause: 1})


def test_an_outcome_after_just_the_longest_wait_counts() -> None:
    """The bounds of the rule belong to it."""
    late = [MORNING + timedelta(hours=number, days=3) for number in range(3)]
    assert read_past(delivered_at=list(late), hours=[0.0, 72.0, 1.0])[0] == ["a", "b", "c"]


def test_no_row_at_all_is_told() -> None:
    """There is nothing to learn from."""
    with pytest.raises(TrainingError, match="no event of 2026-01-01 to 2026-01-31") as refused:
        read_past(hours=[99.0] * 3)
    assert "3 hours above 72 hours" in str(refused.value)


def test_the_last_rows_are_split_off() -> None:
    """What is held back is later than what is learned from."""
    earlier, later = read(parcels, None, JANUARY).examples.split(0.25)
    assert (earlier.rows, later.rows) == (558, 186)
    first, last = later.events["handed_over_at"].min(), earlier.events["handed_over_at"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    assert first > last


def test_only_what_is_known_may_be_learnt_from() -> None:
    """The longest wait is over at the point in event time, and the outcome has come."""
    examples = read(parcels, None, JANUARY).examples
    as_of = datetime(2026, 1, 11, tzinfo=UTC)
    usable = examples.where(examples.events.select(known(parcels, as_of)).to_series())
    latest = as_of - timedelta(days=3)
    assert usable.events["handed_over_at"].max() == latest
    assert usable.rows == usable.features.height == usable.events.height == 7 * 24 + 1
    late = usable.events.with_columns(outcome_time=pl.lit(as_of + timedelta(microseconds=1)))
    assert not late.select(known(parcels, as_of)).to_series().any()


def test_rows_are_thinned_spread_and_put_in_order() -> None:
    """Each way to take rows keeps what belongs to a row together, its weight included."""
    examples = read(parcels, None, JANUARY).examples
    weighted = examples.weighted(np.arange(examples.rows, dtype=float))
    few = weighted.thinned(10)
    assert few.rows == 10
    assert few.weights is not None
    assert few.labels.tolist() == examples.labels[few.weights.astype(int)].tolist()
    assert few.events["parcel"][-1] == examples.events["parcel"][-1]
    most, held_back = weighted.spread(10)
    assert (most.rows, held_back.rows) == (examples.rows - 74, 74)
    again = Examples.joined([held_back, most]).ordered("handed_over_at")
    assert again.labels.tolist() == examples.labels.tolist()
    assert again.digest == examples.digest != weighted.digest != few.digest


def test_whole_weeks_are_spread_from_the_newest_back() -> None:
    """Of five weeks, the one in the middle: seven days in a row, and nothing is in both parts."""
    examples = read(parcels, None, JANUARY).examples
    most, weeks = examples.spread_weeks("handed_over_at", 5)
    times = weeks.events["handed_over_at"]
    assert (times[0], times[-1]) == (
        datetime(2026, 1, 11, tzinfo=UTC),
        datetime(2026, 1, 17, 23, tzinfo=UTC),
    )
    assert weeks.rows == 7 * 24
    assert most.rows == examples.rows - weeks.rows
    assert not most.events["parcel"].is_in(weeks.events["parcel"].implode()).any()


def test_hours_are_those_of_utc_without_a_wall_clock() -> None:
    """Parcels have no wall clock."""
    events = pl.DataFrame({"handed_over_at": [datetime(2026, 1, 1, 7, 59, tzinfo=UTC)]})
    assert hours(parcels, events).to_list() == [7]


def test_hours_are_those_of_the_wall_clock_where_there_is_one() -> None:
    """Taxis have one."""
    from edml.apps.taxi import taxi

    events = pl.DataFrame(
        {
            "pickup_at": [datetime(2019, 11, 28, 19, 30, tzinfo=UTC)],
            "pickup_local": [datetime(2019, 11, 28, 14, 30)],  # noqa: DTZ001  a wall clock
        }
    )
    assert hours(taxi, events).to_list() == [14]
    assert np.issubdtype(hours(taxi, events).to_numpy().dtype, np.integer)
