import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from edml import features
from edml.application import Application, FeatureFunction, dtypes_of
from edml.apps.taxi import taxi
from edml.errors import FeatureError
from edml.features import Features
from edml.features.traced import Traced
from tests import parcels as example
from tests.parcels import HandedOver, handed_over, parcels
from tests.trips import trips

Frame = nw.LazyFrame[Any]
Lookups = Mapping[str, Frame]


def frame(*events: HandedOver) -> pl.DataFrame:
    """Events as a frame."""
    return pl.DataFrame(events, schema=dtypes_of(HandedOver))


def having(function: FeatureFunction) -> Application:
    """The parcels with another feature function than they were declared with."""
    application = replace(parcels)
    # Declared, it would be refused; here it misbehaves later, on rows.
    object.__setattr__(application, "features", function)
    return application


def test_features() -> None:
    """One row an event: the columns in the order of their declaration, typed, and the segment."""
    events = frame(handed_over("a"), handed_over("b", depot="Rome", weight_kg=None))
    expected = pl.DataFrame(
        {
            "service": ["express", "express"],
            "region": ["west", "elsewhere"],
            "hour": [8.0, 8.0],
            "weight_g": [2000.0, None],
        }
    )
    assert expected.equals(features.compute(parcels, events))


def test_no_events() -> None:
    """No events have no features, but all columns."""
    computed = features.compute(parcels, frame())
    assert [*parcels.columns] == computed.columns
    assert computed.is_empty()


def test_one_plan_for_all_batches() -> None:
    """What was traced with one batch gives for others what it would give for them alone."""
    ready = Features(taxi)
    for count in (1, 7, 1, 300, 0, 12):
        batch = trips(count, first=count)
        assert features.compute(taxi, batch).equals(ready.compute(batch))


def test_batches_of_other_columns() -> None:
    """A batch with other columns than the one before is traced anew."""
    ready = Features(parcels)
    events = frame(handed_over("a"))
    first = ready.compute(events)
    assert first.equals(ready.compute(events.with_columns(pl.lit(0).alias("_partition"))))
    assert first.equals(ready.compute(events))


def test_threads_take_turns() -> None:
    """Threads that share the features of an application get each its own rows."""
    ready = Features(taxi)
    batches = [trips(50, first=50 * number) for number in range(16)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ready.compute, batches))
    assert pl.concat(found).equals(ready.compute(pl.concat(batches)))


def test_function_that_looks_into_the_frame() -> None:
    """A function that needs the rows to know what to do is called for each batch."""

    def by_the_heaviest(events: Frame, lookups: Lookups) -> Frame:
        heaviest = events.select(nw.col("weight_kg").max()).collect().item()
        return example.features(events, lookups).with_columns(
            (nw.col("weight_kg") / (heaviest or 1.0)).alias("weight_g")
        )

    ready = Features(having(by_the_heaviest))
    assert ready.compute(frame(handed_over("a", weight_kg=1.0), handed_over("b", weight_kg=2.0)))[
        "weight_g"
    ].to_list() == [0.5, 1.0]
    assert ready.compute(frame(handed_over("c", weight_kg=8.0)))["weight_g"].to_list() == [1.0]


def test_rows_in_another_order() -> None:
    """A function may shuffle rows: they come out as they went in."""

    def heaviest_first(events: Frame, lookups: Lookups) -> Frame:
        return example.features(events, lookups).sort("weight_kg", descending=True)

    events = frame(*(handed_over(str(kg), weight_kg=float(kg)) for kg in (1, 3, 2)))
    assert features.compute(having(heaviest_first), events)["weight_g"].to_list() == [
        1000.0,
        3000.0,
        2000.0,
    ]


def lose(events: Frame, lookups: Lookups) -> Frame:
    """Leave out what is heavy."""
    return example.features(events, lookups).filter(nw.col("weight_kg") < 2.5)


def double(events: Frame, lookups: Lookups) -> Frame:
    """Join what is not unique."""
    both = nw.from_native(pl.LazyFrame({"service": ["express"] * 2, "carrier": ["A", "B"]}))
    return example.features(events, lookups).join(both, on="service", how="left")


def exchange(events: Frame, lookups: Lookups) -> Frame:
    """Leave one out, and give the others twice: the number of rows is right again."""
    return double(events.filter(nw.col("weight_kg") < 2.5), lookups)


def forget(events: Frame, lookups: Lookups) -> Frame:
    """Forget a column."""
    return example.features(events, lookups).drop("weight_g")


def drop_all(events: Frame, lookups: Lookups) -> Frame:
    """Keep nothing of the event."""
    return example.features(events, lookups).select("service", "region", "hour", "weight_g")


def fail(events: Frame, lookups: Lookups) -> Frame:
    """Take from a table that is not there."""
    return events.join(lookups["regions"], on="depot", how="left")


def fail_on_rows(events: Frame, lookups: Lookups) -> Frame:
    """Fail on a value, not on the plan."""
    return example.features(events, lookups).with_columns(
        nw.col("parcel").cast(nw.Int64()).alias("weight_g")
    )


WRONG: Mapping[FeatureFunction, str] = {
    lose: "gave 1 rows for 2 events, and lost 1 of them",
    double: "gave 4 rows for 2 events, and doubled some of them",
    exchange: "gave 2 rows for 2 events, and lost 1 of them",
    forget: "weight_g",
    drop_all: "_row",
    fail: "KeyError: 'regions'",
    fail_on_rows: "conversion from `str` to `i64` failed",
}


@pytest.mark.parametrize("function", WRONG, ids=lambda function: function.__name__)
def test_wrong_function(function: FeatureFunction) -> None:
    """A function that fails, forgets, loses or doubles is told, with what to do about it."""
    events = frame(handed_over("a"), handed_over("b", weight_kg=3.0))
    with pytest.raises(FeatureError) as told:
        features.compute(having(function), events)
    assert told.value.what.startswith("the features of 'parcels' ")
    assert WRONG[function] in told.value.what
    assert told.value.todo is not None


def test_missing() -> None:
    """A null among the features is told by its column; the segment may be null."""
    events = frame(handed_over("a"), handed_over("b", weight_kg=None))
    computed = features.compute(parcels, events)
    assert features.missing(parcels, computed).to_list() == [None, "feature 'weight_g' is missing"]
    assert features.missing(parcels, computed.head(1)).to_list() == [None]


def test_plan_is_made_once() -> None:
    """The function is walked through once for all batches of the same columns."""
    calls = []

    def count(frame: Frame) -> Frame:
        calls.append(frame)
        return frame.with_columns((nw.col("a") + 1).alias("b"))

    run = Traced(count)
    for value in range(5):
        assert run(pl.DataFrame({"a": [value]})).equals(
            pl.DataFrame({"a": [value], "b": [value + 1]})
        )
    assert len(calls) == 1


def test_one_event_is_quick() -> None:
    """A single event does not pay for walking through the feature function again."""
    ready, event = Features(taxi), trips(1)
    ready.compute(event)
    features.compute(taxi, event)

    def best(compute: Any) -> float:
        times = []
        for _ in range(15):
            start = time.process_time()
            compute()
            times.append(time.process_time() - start)
        return min(times)

    assert best(lambda: ready.compute(event)) < best(lambda: features.compute(taxi, event)) / 1.5
