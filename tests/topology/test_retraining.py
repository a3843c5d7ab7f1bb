"""What a training reads off the log is what it would have read from history."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from edml.application import Past, fields_of
from edml.apps.taxi import taxi
from edml.retraining.examples import from_history, from_log, united
from edml.scoring.component import Scoring
from edml.serving.component import Serving
from edml.serving.served import ServedModel
from edml.testing import Driver

DAY = date(2019, 11, 28)
MIDNIGHT = datetime(2019, 11, 28, 5, tzinfo=UTC)  # in New York
AS_OF = MIDNIGHT + timedelta(hours=20)


class TenMinutes:
    """A model that says the same of every trip."""

    def predict(self, columns: pl.DataFrame) -> pl.Series:
        """Ten, for each row."""
        return pl.Series([10.0]).new_from_index(0, columns.height)


class Stage:
    """It is champion and challenger at once."""

    def current(self) -> Sequence[ServedModel]:
        """Both roles."""
        return [ServedModel(role, role, TenMinutes()) for role in ("champion", "challenger")]


def on_the_log(past: pl.DataFrame) -> pl.DataFrame:
    """Serve trips and score them, as the components do."""
    serving: Driver[None] = Driver(Serving(taxi, Stage()), partitions=2)
    serving.clock.advance(AS_OF - serving.clock.now())
    serving.pipe(taxi.event.topic, past.select(*fields_of(taxi.event.schema)))
    scoring = Driver(Scoring(taxi), partitions=2, keys={taxi.predictions_topic: "uuid"})
    scoring.clock.advance(AS_OF - scoring.clock.now())
    scoring.append(taxi.predictions_topic, serving.read(taxi.predictions_topic))
    scoring.pipe(taxi.outcome.topic, past.select(*fields_of(taxi.outcome.schema)))
    return scoring.read(taxi.scored_topic)


def test_features_of_the_log_are_those_of_history() -> None:
    """Row for row and value for value, for a simulated day's trips; both together are as either."""
    past = taxi.history(None, DAY, DAY + timedelta(days=1))
    few = replace(past, frame=past.frame.gather_every(3))

    def history(data: Path | None, start: date, end: date) -> Past:
        del data, start, end
        return few

    log = from_log(taxi, on_the_log(few.frame), AS_OF)
    known, _ = from_history(replace(taxi, history=history), Path(), MIDNIGHT, AS_OF)
    assert known is not None
    assert log.rows > 100
    assert_frame_equal(log.features, known.features)
    assert log.labels.tolist() == known.labels.tolist()
    assert_frame_equal(log.events, known.events.select(log.events.columns))
    assert united(taxi, log, known).labels.tolist() == log.labels.tolist()
