from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from edml.application import OUTCOME_TIME, Application
from edml.apps.taxi import taxi
from edml.retraining.examples import from_history, from_log, united
from edml.trainer.dataset import Examples
from tests.parcels import parcels
from tests.seen import latest, scored
from tests.trips import trips

DAYS = (date(2026, 1, 1), date(2026, 1, 21))
AS_OF = datetime(2026, 1, 15, tzinfo=UTC)
HERE = Path()  # the parcels' history is made by hand, wherever it is asked for


def seen(**changes: str) -> pl.DataFrame:
    """What the log has of the parcels of some days."""
    return scored(parcels, parcels.history(None, *DAYS).frame, **changes)


def history(as_of: datetime = AS_OF) -> Examples:
    """What history has of them."""
    found, missing = from_history(parcels, HERE, datetime(2026, 1, 1, tzinfo=UTC), as_of)
    assert found is not None
    assert missing == {}
    return found


def keys(examples: Examples, application: Application = parcels) -> list[str]:
    """Which events they are."""
    return examples.events[application.event.key].to_list()


def test_the_log_and_history_give_the_same_examples() -> None:
    """Features as they were given to the model are those that are computed of the same parcels."""
    log, past = from_log(parcels, seen(), AS_OF), history()
    assert keys(log) == keys(past)
    assert_frame_equal(log.features, past.features, check_column_order=True)
    assert log.labels.tolist() == past.labels.tolist()
    assert_frame_equal(log.events, past.events.select(log.events.columns))


def test_trips_on_the_log_are_those_of_history() -> None:
    """So it is with taxis, whose features are looked up, and whose label is a difference."""
    log = from_log(taxi, scored(taxi, trips(500)), datetime(2019, 11, 29, tzinfo=UTC))
    assert log.rows == 500
    assert log.features["pickup_borough"].n_unique() > 1
    assert log.labels == pytest.approx([number % 7 + 7 for number in range(500)])


def test_nothing_is_of_the_future() -> None:
    """No outcome is later than the point in time, and no wait was cut off by it."""
    for examples in (from_log(parcels, seen(), AS_OF), history()):
        assert latest(examples.events, OUTCOME_TIME) <= AS_OF
        assert latest(examples.events, "handed_over_at") == AS_OF - parcels.outcome.wait


def test_what_comes_later_changes_nothing() -> None:
    """With the future on the log, or without: the examples are the same."""
    with_future = seen()
    as_it_was = with_future.filter(pl.col(OUTCOME_TIME) <= AS_OF)
    assert as_it_was.height < with_future.height
    now, then = (from_log(parcels, each, AS_OF) for each in (with_future, as_it_was))
    assert_frame_equal(now.events, then.events)
    assert_frame_equal(now.features, then.features)


def test_only_what_the_champion_was_first_asked_counts() -> None:
    """Neither the shadow's predictions nor repeated ones double a row."""
    both = pl.concat([seen(role="challenger"), seen(), seen(version="v2"), seen(role="previous")])
    assert keys(from_log(parcels, both, AS_OF)) == keys(history())


def test_an_event_that_is_in_both_counts_once() -> None:
    """What the log has goes first; the rest is history, in order of time."""
    half = seen().filter(pl.col("event_time") > datetime(2026, 1, 8, tzinfo=UTC))
    changed = half.with_columns(outcome=pl.col("outcome") + 10)
    log = from_log(parcels, changed, AS_OF)
    both = united(parcels, log, history())
    assert keys(both) == keys(history())
    assert both.labels[-log.rows :].tolist() == log.labels.tolist()
    assert both.labels[: -log.rows].tolist() == history().labels[: -log.rows].tolist()
    assert united(parcels, log, None) is log


def test_outcomes_that_do_not_count_are_left_out() -> None:
    """The bounds of the outcome's rule hold, whoever scored; and so do those of numbers."""
    wrong = seen().with_columns(
        outcome=pl.when(pl.int_range(pl.len()) == 3).then(99.0).otherwise("outcome")
    )
    assert len(keys(from_log(parcels, wrong, AS_OF))) == history().rows - 1


def test_months_that_are_missing_are_told(tmp_path: Path) -> None:
    """A live stream's last months are in no folder yet; all others are read."""
    since = datetime(2019, 11, 20, tzinfo=UTC)
    found, missing = from_history(taxi, tmp_path, since, since + timedelta(days=20))
    assert found is None
    assert list(missing) == ["2019-11", "2019-12"]
    assert "there are no trips of 2019-11" in missing["2019-11"]
