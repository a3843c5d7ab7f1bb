import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from edml.application import Application
from edml.component import Component
from edml.errors import NoChampionError
from edml.serving.component import Serving
from edml.serving.records import prediction_dtypes
from edml.serving.served import ServedModel
from edml.testing import Crash, Driver
from tests.parcels import MORNING, handed_over, parcels


@dataclass(frozen=True)
class Formula:
    """A model that is a function of the columns."""

    function: Callable[[pl.DataFrame], pl.Series]

    def predict(self, columns: pl.DataFrame) -> pl.Series:
        """What the function gives."""
        return self.function(columns)


HEAVY_IS_SLOW = Formula(lambda columns: columns["weight_g"] / 1000 + 1)
LIGHT_IS_SLOW = Formula(lambda columns: 100 - columns["weight_g"] / 1000)


@dataclass
class Stage:
    """Which models serve, set by hand."""

    served: Sequence[ServedModel] = (ServedModel("champion", "1", HEAVY_IS_SLOW),)

    def current(self) -> Sequence[ServedModel]:
        """The models that are on stage."""
        return self.served


def drive(stage: Stage | None = None, application: Application = parcels) -> Driver[None]:
    """Serve parcels in the morning, in batches of eight."""
    component: Component[None] = Serving(application, stage or Stage())
    driver = Driver(component, partitions=2, keys={"parcels.handed-over": "parcel"}, at_most=8)
    driver.clock.advance(MORNING - driver.clock.now())
    return driver


def causes(driver: Driver[None]) -> list[str]:
    """Why events went to the dead letters."""
    return driver.dead_letters["cause"].to_list()


def predicted(driver: Driver[None]) -> dict[str, float]:
    """The predictions by parcel."""
    return dict(driver.read("parcels.predictions").select("uuid", "prediction").iter_rows())


def test_prediction_record() -> None:
    """A prediction tells its event, its model, its time, its segment and its features."""
    driver = drive()
    driver.append("parcels.handed-over", [handed_over("first")], partition=1)
    driver.pipe("parcels.handed-over", [handed_over("second", depot="Rome")], partition=1)
    predictions = driver.read("parcels.predictions")
    assert prediction_dtypes(parcels) == predictions.schema
    assert predictions.row(1, named=True) == {
        "uuid": "second",
        "prediction": 3.0,
        "version": "1",
        "role": "champion",
        "event_time": MORNING,
        "segment": "elsewhere",
        "event_partition": 1,
        "event_offset": 1,
        "features": {"service": "express", "region": "elsewhere", "hour": 8.0, "weight_g": 2000.0},
    }


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "rule": ({"service": "by hand"}, "unknown service"),
    "first of two rules": ({"service": "by hand", "weight_kg": -1.0}, "unknown service"),
    "rule of a null": ({"weight_kg": None}, "no weight"),
    "too far ahead": (
        {"handed_over_at": MORNING + timedelta(days=1, seconds=1)},
        "the event time is too far ahead",
    ),
    "no time": ({"handed_over_at": None}, "the event time is missing"),
    "infinite": ({"weight_kg": float("inf")}, "model 1 predicts inf"),
    "not a number": ({"weight_kg": float("nan")}, "model 1 predicts NaN"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_event(case: str) -> None:
    """An event that cannot be predicted is rejected with its cause; its neighbours are served."""
    changes, cause = BAD[case]
    driver = drive()
    driver.append("parcels.handed-over", [handed_over("before"), handed_over("bad", **changes)])
    driver.pipe("parcels.handed-over", [handed_over("after")])
    assert causes(driver) == [cause]
    assert set(predicted(driver)) == {"before", "after"}


def test_events_up_to_the_limit_ahead() -> None:
    """An event may be as far ahead of the clock as the application says."""
    driver = drive()
    driver.pipe(
        "parcels.handed-over", [handed_over("a", handed_over_at=MORNING + timedelta(days=1))]
    )
    assert set(predicted(driver)) == {"a"}


def test_many_bad_among_good() -> None:
    """Each bad event has its own cause and its own place, whatever its neighbours are."""
    rows = [
        handed_over(str(number), **(changes if number % 3 else {}))
        for number, (changes, _) in enumerate([*BAD.values()] * 4)
    ]
    driver = drive()
    driver.pipe("parcels.handed-over", rows, partition=0)
    expected = {
        number: cause for number, (_, cause) in enumerate([*BAD.values()] * 4) if number % 3
    }
    assert dict(driver.dead_letters.select("_offset", "cause").iter_rows()) == expected
    assert set(predicted(driver)) == {str(each) for each in range(len(rows))} - {
        str(each) for each in expected
    }


def test_undecodable_event() -> None:
    """A record that is no event is buried by the log, not by the component."""
    driver = drive()
    driver.append("parcels.handed-over", [handed_over("before")], partition=0)
    driver.append_undecodable("parcels.handed-over", "truncated")
    driver.pipe("parcels.handed-over", [handed_over("after")], partition=0)
    assert causes(driver) == ["truncated"]
    assert set(predicted(driver)) == {"before", "after"}


def test_only_bad_events() -> None:
    """A batch of which nothing is left is committed all the same."""
    driver = drive()
    driver.pipe("parcels.handed-over", [handed_over(each, weight_kg=None) for each in "abc"])
    assert causes(driver) == ["no weight"] * 3
    assert driver.read("parcels.predictions").is_empty()


def test_missing_feature() -> None:
    """Without a rule against it, a null among the features is the cause itself."""
    driver = drive(application=replace(parcels, rules={}))
    driver.pipe("parcels.handed-over", [handed_over("a"), handed_over("b", weight_kg=None)])
    assert causes(driver) == ["feature 'weight_g' is missing"]
    assert set(predicted(driver)) == {"a"}


def test_failing_feature_function() -> None:
    """Where one event makes the feature function fail, the others are found out and served."""
    whole = parcels.features

    def numbered(events: nw.LazyFrame[Any], lookups: Any) -> nw.LazyFrame[Any]:
        return whole(events, lookups).with_columns(
            nw.col("parcel").cast(nw.Int64()).cast(nw.Float64()).alias("hour")
        )

    driver = drive(application=replace(parcels, features=numbered))
    driver.pipe("parcels.handed-over", [handed_over(each) for each in ("1", "2", "x", "4", "5")])
    assert set(predicted(driver)) == {"1", "2", "4", "5"}
    [cause] = causes(driver)
    assert cause.startswith("the features of 'parcels' cannot be computed: ")


def choosy(columns: pl.DataFrame) -> pl.Series:
    """A model that fails on the service that it has not learned."""
    if "standard" in columns["service"]:
        raise RuntimeError("no such key: standard")
    return columns["weight_g"]


def test_failing_model() -> None:
    """Where one event makes the champion fail, the others are found out and served."""
    driver = drive(Stage((ServedModel("champion", "7", Formula(choosy)),)))
    events = [
        handed_over(each, service="standard" if each == "c" else "express") for each in "abcd"
    ]
    driver.pipe("parcels.handed-over", events)
    assert causes(driver) == ["model 7 cannot predict: no such key: standard"]
    assert set(predicted(driver)) == {"a", "b", "d"}


def test_model_that_answers_too_little() -> None:
    """Where a model gives fewer predictions than events, each event is asked about alone."""
    short = Formula(lambda columns: columns["weight_g"].head(1))
    driver = drive(Stage((ServedModel("champion", "7", short),)))
    events = [handed_over("a"), handed_over("b", weight_kg=1.0)]
    driver.pipe("parcels.handed-over", events, partition=0)
    assert predicted(driver) == {"a": 2000.0, "b": 1000.0}


def test_shadow() -> None:
    """The challenger and the champion before predict the same events, beside the champion."""
    driver = drive(
        Stage(
            (
                ServedModel("champion", "2", HEAVY_IS_SLOW),
                ServedModel("challenger", "3", LIGHT_IS_SLOW),
                ServedModel("previous", "1", HEAVY_IS_SLOW),
            )
        )
    )
    driver.pipe("parcels.handed-over", [handed_over("a", weight_kg=4.0)])
    found = driver.read("parcels.predictions").select("role", "version", "prediction").rows()
    assert found == [("champion", "2", 5.0), ("challenger", "3", 96.0), ("previous", "1", 5.0)]


@pytest.mark.parametrize(
    "shadow", [Formula(choosy), Formula(lambda columns: columns["weight_g"].replace(1000.0, None))]
)
def test_failing_shadow(shadow: Formula, caplog: pytest.LogCaptureFixture) -> None:
    """What the challenger cannot predict, it leaves out: the champion's answers are the same."""
    driver = drive(
        Stage(
            (
                ServedModel("champion", "1", HEAVY_IS_SLOW),
                ServedModel("challenger", "2", shadow),
            )
        )
    )
    events = [handed_over("a"), handed_over("b", service="standard", weight_kg=1.0)]
    with caplog.at_level(logging.WARNING):
        driver.pipe("parcels.handed-over", events, partition=0)
    found = driver.read("parcels.predictions").select("uuid", "role").rows()
    assert found == [("a", "champion"), ("a", "challenger"), ("b", "champion")]
    assert "The challenger leaves out 1 events: model 2 " in caplog.text
    assert causes(driver) == []


@pytest.mark.parametrize("served", [(), (ServedModel("challenger", "2", HEAVY_IS_SLOW),)])
def test_no_champion(served: Sequence[ServedModel]) -> None:
    """Without a champion no event is dropped: serving stops, and says what is missing."""
    driver = drive(Stage(served))
    with pytest.raises(NoChampionError, match="'parcels' has no champion to predict 1 events"):
        driver.pipe("parcels.handed-over", [handed_over("a")])
    assert driver.broker.places == {}


def test_swap_between_two_batches() -> None:
    """A batch is predicted by the models with which it began; the next one by those of then."""
    stage = Stage()
    driver = drive(stage)
    driver.pipe("parcels.handed-over", [handed_over("a")])
    stage.served = (ServedModel("champion", "2", LIGHT_IS_SLOW),)
    driver.pipe("parcels.handed-over", [handed_over("b")])
    assert driver.read("parcels.predictions")["version"].to_list() == ["1", "2"]
    assert predicted(driver) == {"a": 3.0, "b": 98.0}


@pytest.mark.parametrize(
    "at", [Crash.AFTER_READ, Crash.BEFORE_COMMIT, Crash.AFTER_OUTPUTS, Crash.AFTER_COMMIT]
)
def test_each_event_is_predicted_once(at: Crash) -> None:
    """Wherever serving dies, each event has one prediction, or one dead letter."""
    driver = drive()
    for number in range(40):
        weight_kg = None if number % 10 == 9 else 2.0
        driver.append("parcels.handed-over", [handed_over(str(number), weight_kg=weight_kg)])
    for _ in range(3):
        driver.turn()
        driver.crash(at)
    driver.run()
    found = driver.read("parcels.predictions")["uuid"].to_list()
    assert sorted(found) == sorted(str(each) for each in range(40) if each % 10 != 9)
    assert causes(driver) == ["no weight"] * 4


def test_features_are_computed_once() -> None:
    """However many models serve, the feature function is run once a batch."""
    runs: list[int] = []
    whole = parcels.features

    def counted(events: nw.LazyFrame[Any], lookups: Any) -> nw.LazyFrame[Any]:
        runs.append(events.collect().shape[0])  # to look into the frame has it run each time
        return whole(events, lookups)

    driver = drive(
        Stage(
            (
                ServedModel("champion", "1", HEAVY_IS_SLOW),
                ServedModel("challenger", "2", LIGHT_IS_SLOW),
                ServedModel("previous", "3", HEAVY_IS_SLOW),
            )
        ),
        replace(parcels, features=counted),
    )
    driver.pipe("parcels.handed-over", [handed_over(each) for each in "abc"], partition=0)
    assert [rows for rows in runs if rows] == [3]
    found = driver.read("parcels.predictions").select("uuid", "version").rows()
    assert found == [(uuid, version) for uuid in "abc" for version in "123"]


def test_a_champion_that_answers_nothing() -> None:
    """A champion that fails for a hundred events in a row has the others wait, and is told."""
    never = Formula(lambda columns: columns["weight_g"] * float("nan"))
    driver = drive(Stage((ServedModel("champion", "7", never),)))
    for number in range(300):
        driver.append("parcels.handed-over", [handed_over(str(number))])
    with pytest.raises(NoChampionError, match="the champion 7 answers none of the last 10"):
        driver.run()
    assert len(causes(driver)) < 100
    assert driver.read("parcels.predictions").is_empty()


def test_bad_events_among_good_ones_are_no_bad_champion() -> None:
    """However many events are bad: as long as some are answered, the champion stays."""
    driver = drive()
    for number in range(400):
        weight_kg = 2.0 if number % 40 == 0 else float("inf")
        driver.append("parcels.handed-over", [handed_over(str(number), weight_kg=weight_kg)])
    driver.run()
    assert len(causes(driver)) == 390
    assert len(predicted(driver)) == 10
