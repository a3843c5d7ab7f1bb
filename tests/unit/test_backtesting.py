"""The past, played through models in memory: what is counted, compared and left out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import nan

import polars as pl
import pytest

from edml.application import Past
from edml.apps.taxi import taxi
from edml.backtesting.answering import answered
from edml.backtesting.comparing import differences, errors, paired, windowed
from edml.backtesting.document import document
from edml.backtesting.recording import NARROW, Moments, Recording, of_history
from edml.backtesting.run import Result, run
from edml.errors import ModelRefusedError
from edml.events import OFFSET, PARTITION, Batch
from edml.scoring.component import Scoring
from edml.serving.predict import Predict
from edml.serving.served import Predicts, ServedModel
from edml.testing import Driver
from tests.trips import START, trips

ALWAYS = Moments()
NOW = START + timedelta(days=1)
EVENTS, PREDICTIONS, OUTCOMES = taxi.event.topic, taxi.predictions_topic, taxi.outcome.topic


class Line:
    """A model that is a straight line over the distance."""

    def __init__(self, slope: float) -> None:
        self._slope = slope

    def predict(self, columns: pl.DataFrame) -> pl.Series:
        """So many minutes a kilometre, and one more."""
        return (columns["distance_km"] * self._slope + 1).alias("trip_duration")


def placed(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of a topic with one partition."""
    return frame.with_row_index(OFFSET).with_columns(
        pl.col(OFFSET).cast(pl.Int64), pl.lit(0, pl.Int32).alias(PARTITION)
    )


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """The pick-ups of trips, as they lie on the log."""
    return placed(frame.drop("dropoff_at"))


def outcomes(frame: pl.DataFrame) -> pl.DataFrame:
    """Their drop-offs."""
    return placed(frame.select("uuid", "dropoff_at").sort("dropoff_at"))


def served(frame: pl.DataFrame, version: str, model: Predicts) -> pl.DataFrame:
    """What serving would have written for pick-ups, and is recorded."""
    models = [ServedModel("champion", version, model)]
    found = Predict(taxi)(models, Batch({EVENTS: frame}), NOW)
    return found.frames[PREDICTIONS]


def played(
    frame: pl.DataFrame,
    *,
    models: Mapping[str, Predicts],
    recorded: Sequence[pl.DataFrame] = (),
    live: Mapping[str, Predicts] | None = None,
    moments: Moments = ALWAYS,
) -> Result:
    """A backtest of trips in two batches."""
    half = frame.height // 2
    past = Recording(
        predictions=[each.select(NARROW) for each in recorded],
        events=[events(frame).head(half), events(frame).tail(-half)],
        outcomes=[outcomes(frame)],
        whole=False,
    )
    return run(
        taxi,
        past,
        moments,
        NOW,
        models=models,
        as_of_live=None if live is None else live.__getitem__,
    )


def test_errors_are_those_of_the_live_loop() -> None:
    """The same predictions and outcomes, scored by the component, give the same errors."""
    frame = trips(300)
    odd = frame.with_row_index("n").with_columns(
        dropoff_at=pl.when(pl.col("n") % 50 == 7)
        .then(pl.col("pickup_at") + timedelta(seconds=20))
        .when(pl.col("n") % 50 == 8)
        .then(pl.col("pickup_at") + timedelta(hours=4))
        .when(pl.col("n") % 50 == 9)
        .then(pl.col("pickup_at") - timedelta(minutes=2))
        .otherwise("dropoff_at")
    )
    ends = odd.filter(pl.col("n") % 50 != 10).drop("n")
    ends = pl.concat([ends, ends.head(5).with_columns(pl.col("dropoff_at") + timedelta(minutes=5))])
    predictions = served(events(frame), "v1", Line(2.0))
    driver = Driver(Scoring(taxi), keys={PREDICTIONS: "uuid", OUTCOMES: "uuid"})
    driver.append(PREDICTIONS, predictions)
    driver.append(OUTCOMES, outcomes(ends).select("uuid", "dropoff_at"))
    driver.run()
    found = answered(taxi, predictions.select(NARROW), outcomes(ends))
    columns = ["uuid", "version", "role", "event_time", "outcome_time", "outcome", "error"]
    live = driver.read(taxi.scored_topic).select(columns).sort("uuid")
    assert live.height > 250
    assert found.scored.select(columns).sort("uuid").equals(live)
    assert (found.missing, found.late, found.invalid) == (12, 6, 6)


def test_a_candidate_is_compared_with_what_was_live() -> None:
    """Each version on its own events, and the candidate on the same ones."""
    frame = trips(200)
    first, second = events(frame).head(120), events(frame).tail(80)
    recorded = [served(first, "v1", Line(2.0)), served(second, "v2", Line(3.0))]
    result = played(frame, models={"v3": Line(4.0)}, recorded=recorded)
    candidate, v1, v2 = result.summary().to_dicts()
    assert [(each["role"], each["version"]) for each in (candidate, v1, v2)] == [
        ("candidate", "v3"),
        ("champion", "v1"),
        ("champion", "v2"),
    ]
    assert (candidate["count"], v1["shared"], v2["shared"]) == (200, 120, 80)
    on_first = result.candidate().filter(pl.col("event_offset") < 120)
    (same,) = errors(on_first, "role").to_dicts()
    assert v1["candidate_rmse"] == pytest.approx(same["rmse"])
    assert v1["gain"] == pytest.approx(v1["rmse"] ** 2 - same["rmse"] ** 2)


def test_a_span_bounds_events_and_predictions() -> None:
    """What lies outside of the span, by the event's own time, is not played."""
    frame = trips(100)
    moments = Moments(START + timedelta(seconds=20), START + timedelta(seconds=60))
    recorded = [served(events(frame), "v1", Line(2.0))]
    result = played(frame, models={"v2": Line(1.0)}, recorded=recorded, moments=moments)
    assert (result.events, result.recorded.height) == (20, 20)
    assert (result.first, result.last) == (moments.start, START + timedelta(seconds=58))
    assert result.summary()["count"].to_list() == [20, 20]


def test_recorded_predictions_come_out_again() -> None:
    """Each version predicts the events that it predicted when it was champion."""
    frame = trips(200)
    first, second = events(frame).head(120), events(frame).tail(80)
    live = {"v1": Line(2.0), "v2": Line(3.0)}
    recorded = [served(first, "v1", live["v1"]), served(second, "v2", live["v2"])]
    result = played(frame, models={}, recorded=recorded, live=live)
    found = document(taxi, result, 1e-5)["as_of_live"]
    assert (found["compared"], found["differing"], found["largest"]) == (200, 0, 0.0)
    assert found["versions"] == {"v1": 120, "v2": 80}
    assert (found["unanswered"], found["without_event"]) == (0, 0)


def test_a_prediction_that_comes_out_otherwise_is_told() -> None:
    """One that was recorded differently, one whose event is gone, one that is not recorded."""
    frame = trips(50)
    recorded = served(events(frame), "v1", Line(2.0)).with_row_index("n")
    changed = pl.when(pl.col("n") == 7).then(pl.col("prediction") + 1)
    recorded = recorded.with_columns(changed.otherwise("prediction").alias("prediction"))
    recorded = recorded.filter(pl.col("n") != 8).drop("n")
    gone = recorded.head(1).with_columns(pl.lit(99, pl.Int64).alias("event_offset"))
    result = played(frame, models={}, recorded=[recorded, gone], live={"v1": Line(2.0)})
    found = document(taxi, result, 1e-5)["as_of_live"]
    assert (found["compared"], found["differing"]) == (49, 1)
    assert (found["unanswered"], found["without_event"]) == (1, 1)
    (worst,) = found["worst"]
    assert worst["uuid"] == frame["uuid"][7]
    assert worst["recorded"] == pytest.approx(worst["again"] + 1)


def test_the_tolerance_grows_with_the_prediction() -> None:
    """Numbers of 32 bits around 150 are 1.5e-5 apart; one that is missing now always differs."""
    compared = pl.DataFrame(
        {"recorded": [150.0, 0.5, 3.0], "again": [150.000015, 0.500015, None]},
        schema={"recorded": pl.Float64, "again": pl.Float64},
    )
    assert differences(compared, 1e-5)["differs"].to_list() == [False, True, True]


def test_events_that_cannot_be_predicted_are_counted() -> None:
    """An unknown zone is left out with its cause, and its neighbours are predicted."""
    frame = trips(20).with_columns(
        pickup_zone=pl.when(pl.int_range(20) == 3).then(999).otherwise("pickup_zone")
    )
    result = played(frame, models={"v1": Line(1.0)})
    assert result.left_out == {"unknown pick-up zone": 1}
    assert result.candidate().height == 19


def test_a_model_that_answers_nothing_is_refused() -> None:
    """It is told as a model's fault, not as that of the champion who serves."""
    with pytest.raises(ModelRefusedError, match="the model v1 answers none"):
        played(trips(300), models={"v1": Line(nan)})


def test_history_is_played_like_a_log() -> None:
    """A folder's rows are events and outcomes, and all of its windows are complete."""
    frame = trips(100)
    told: list[int] = []
    past = of_history(taxi, Past(frame, {}, "made by hand"), told.append)
    result = run(taxi, past, Moments(), NOW, models={"v1": Line(2.0)})
    found = document(taxi, result, 1e-5)
    assert sum(told) == 200
    assert found["models"][0]["count"] == 100
    assert {each["complete"] for each in found["windows"]} == {True}
    assert found["as_of_live"] is None


def test_windows_are_complete_once_the_wait_is_over() -> None:
    """Up to then, only short trips are there."""
    at = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    frame = pl.DataFrame({"event_time": [at, at + timedelta(hours=1)]})
    found = windowed(frame, "hour", reached=at + timedelta(hours=4), wait=timedelta(hours=3))
    assert found["complete"].to_list() == [True, False]
    assert found["window_start"].dt.minute().to_list() == [0, 0]


def test_pairs_are_of_the_same_events() -> None:
    """What only one has predicted does not count."""
    one = pl.DataFrame({"uuid": ["a", "b"], "error": [1.0, 100.0], "segment": ["x", "x"]})
    other = pl.DataFrame({"uuid": ["a", "c"], "error": [2.0, 0.0], "segment": ["x", "x"]})
    assert paired(one, other).row(0) == (1, 1.0, 2.0, 3.0)
    assert paired(one, other, "segment").row(0) == ("x", 1, 1.0, 2.0, 3.0)
