"""What becomes of predictions and outcomes, one rule at a time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from edml.apps.taxi import taxi
from edml.component import Step
from edml.events import OFFSET, PARTITION, TIMESTAMP, Batch, TopicPartition
from edml.scoring.chunk import Records
from edml.scoring.component import Scores, Scoring
from edml.scoring.reading import outcomes, summary, windows
from edml.scoring.records import PROGRESS, Score, scored_dtypes, scored_schema
from edml.scoring.rows import Found, Rows
from edml.serving.records import prediction_dtypes

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PREDICTIONS, DROPOFFS = taxi.predictions_topic, taxi.outcome.topic
BOTH = frozenset({TopicPartition(PREDICTIONS, 0), TopicPartition(DROPOFFS, 0)})


class Story:
    """A run of scoring, told record by record; minutes count from the start."""

    def __init__(self) -> None:
        self.component = Scoring(taxi, publish_every=timedelta(0))
        self.state: Scores = self.component.initial()
        self.now = START
        self.steps: list[Step[Scores]] = []
        self.offsets = {PREDICTIONS: 0, DROPOFFS: 0}

    def predicted(
        self,
        uuid: str,
        at: float,
        prediction: float = 10.0,
        *,
        role: str = "champion",
        source: int = 0,
        **place: int,
    ) -> None:
        """A prediction comes."""
        features = dict.fromkeys(taxi.columns)
        self._come(
            PREDICTIONS,
            {
                "uuid": uuid,
                "prediction": prediction,
                "version": f"v-{role}",
                "role": role,
                "event_time": START + at * MINUTE,
                "segment": "Queens",
                "event_partition": 0,
                "event_offset": source,
                "features": features,
            },
            prediction_dtypes(taxi),
            **place,
        )

    def dropped_off(self, uuid: str, at: float, **place: int) -> None:
        """An outcome comes."""
        record = {"uuid": uuid, "dropoff_at": START + at * MINUTE}
        self._come(DROPOFFS, record, _DROPOFF, **place)

    def crowd(self, uuid: str, count: int) -> None:
        """So many predictions and outcomes of one key come at once; a second is between events."""
        start = self.offsets[PREDICTIONS]
        offset = pl.int_range(start, start + count, eager=True).alias(OFFSET)
        both = pl.DataFrame([offset, offset.alias("event_offset")]).with_columns(
            (START + pl.duration(seconds=OFFSET)).alias("event_time"),
            pl.lit(uuid).alias("uuid"),
            pl.lit(0, pl.Int32).alias(PARTITION),
            pl.lit(START + 1_000 * MINUTE).alias(TIMESTAMP),
        )
        predictions = both.with_columns(
            pl.lit(10.0).alias("prediction"),
            pl.lit("v-champion").alias("version"),
            pl.lit("champion").alias("role"),
            pl.lit("Queens").alias("segment"),
            pl.lit(0, pl.Int32).alias("event_partition"),
            pl.lit(None, prediction_dtypes(taxi)["features"]).alias("features"),
        )
        dropoffs = both.with_columns((pl.col("event_time") + 10 * MINUTE).alias("dropoff_at"))
        self.offsets = dict.fromkeys(self.offsets, start + count)
        ends = {TopicPartition(topic, 0): end for topic, end in self.offsets.items()}
        self.step(Batch({PREDICTIONS: predictions, DROPOFFS: dropoffs}, ends))

    def tick(self, minutes: float = 0) -> None:
        """The clock moves on, and nothing comes."""
        self.now += minutes * MINUTE
        self.step(Batch(caught_up=BOTH))

    def _come(
        self, topic: str, record: dict[str, Any], schema: pl.Schema, partition: int = 0
    ) -> None:
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        place = {PARTITION: partition, OFFSET: offset, TIMESTAMP: START}
        frame = pl.DataFrame([record | place], schema=pl.Schema({**schema, **_PLACE}))
        self.step(Batch({topic: frame}, {TopicPartition(topic, partition): offset + 1}))

    def step(self, batch: Batch) -> None:
        """A batch comes."""
        step = self.component.step(self.state, batch, self.now)
        self.steps.append(step)
        self.state = self.component.settle(step.state)

    def written(self, topic: str) -> pl.DataFrame:
        """All records of a topic so far."""
        frames = [step.outputs.frames[topic] for step in self.steps if topic in step.outputs.frames]
        return pl.concat(frames)

    def scored(self) -> list[tuple[str, str, float, float]]:
        """The scored predictions: who, of which role, with which outcome and error."""
        frames = [step.outputs.frames.get(taxi.scored_topic) for step in self.steps]
        return [
            row
            for each in frames
            if each is not None
            for row in each.select("uuid", "role", "outcome", "error").rows()
        ]

    def causes(self) -> list[str]:
        """Why records were rejected."""
        return [
            cause
            for step in self.steps
            for each in step.outputs.rejected
            for cause in each.frame["cause"]
        ]

    def windows(self, partitions: int = 1) -> list[dict[str, Any]]:
        """What a reader makes of the scores."""
        return windows(self.written(taxi.scores_topic), partitions).to_dicts()


_INSTANT = pl.Datetime("us", "UTC")
_PLACE = {PARTITION: pl.Int32(), OFFSET: pl.Int64(), TIMESTAMP: _INSTANT}
_DROPOFF = pl.Schema({"uuid": pl.String(), "dropoff_at": _INSTANT})


def counted(rows: Sequence[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Some columns of rows."""
    return [tuple(row[name] for name in names) for row in rows]


def test_a_prediction_is_scored_with_its_outcome() -> None:
    """A trip of 12 minutes that was predicted to take 10 has an error of -2 minutes."""
    story = Story()
    story.predicted("a", 3)
    story.dropped_off("a", 15)
    assert story.scored() == [("a", "champion", 12.0, -2.0)]
    [row] = story.windows()
    assert tuple(
        row[name] for name in ("window_start", "count", "rmse", "mae", "bias", "missing")
    ) == (START, 1, 2.0, 2.0, -2.0, 0)


def test_the_outcome_may_come_first() -> None:
    """The order in which the two topics are read does not matter."""
    story = Story()
    story.dropped_off("a", 15)
    story.predicted("a", 3)
    assert story.scored() == [("a", "champion", 12.0, -2.0)]


def test_every_role_is_scored_with_the_same_outcome() -> None:
    """Champion and challenger of one event meet its one outcome, whichever comes before it."""
    story = Story()
    story.predicted("a", 3)
    story.dropped_off("a", 15)
    story.predicted("a", 3, 13.0, role="challenger")
    assert story.scored() == [("a", "champion", 12.0, -2.0), ("a", "challenger", 12.0, 1.0)]
    [row] = outcomes(story.written(taxi.scores_topic), 1).to_dicts()
    assert (row["outcomes"], row["matched"], row["unmatched"]) == (1, 1, 0)


def test_an_outcome_after_the_wait_is_late() -> None:
    """A trip of 181 minutes counts as late; one of 180 minutes counts."""
    story = Story()
    story.predicted("a", 0)
    story.predicted("b", 0, source=1)
    story.dropped_off("a", 180)
    story.dropped_off("b", 181)
    assert story.scored() == [("a", "champion", 180.0, -170.0)]
    assert counted(story.windows(), "predictions", "count", "late", "missing") == [(2, 1, 1, 0)]


def test_an_outcome_that_is_no_valid_label_is_invalid() -> None:
    """A trip of half a minute is in time, yet does not count."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 0.5)
    assert story.scored() == []
    assert counted(story.windows(), "predictions", "count", "invalid", "missing") == [(1, 0, 1, 0)]


def test_an_outcome_before_its_event_is_not_its_own() -> None:
    """Time does not run backwards: the prediction stays missing, the outcome unmatched."""
    story = Story()
    story.predicted("a", 20)
    story.dropped_off("a", 10)
    assert counted(story.windows(), "predictions", "count", "missing") == [(1, 0, 1)]
    assert outcomes(story.written(taxi.scores_topic), 1)["unmatched"].to_list() == [1]


def test_the_first_outcome_counts() -> None:
    """A second drop-off of the same trip is a duplicate."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 10)
    story.dropped_off("a", 20)
    assert story.scored() == [("a", "champion", 10.0, 0.0)]
    duplicates = outcomes(story.written(taxi.scores_topic), 1)["duplicates"].to_list()
    assert duplicates == [0, 1]


def test_the_first_event_counts() -> None:
    """The prediction of a second pick-up of the same trip is a duplicate, and so is a copy."""
    story = Story()
    story.predicted("a", 0, source=5)
    story.predicted("a", 1, source=6)
    story.predicted("a", 0, source=5)
    story.dropped_off("a", 10)
    assert story.scored() == [("a", "champion", 10.0, 0.0)]
    assert counted(story.windows(), "predictions", "duplicates") == [(1, 2)]


def test_too_late_is_told() -> None:
    """A record more than an hour behind its partition's watermark goes to the dead letters."""
    story = Story()
    story.predicted("a", 100)
    story.predicted("b", 39)
    assert story.causes() == ["too late, by 60 s: its windows are closed"]


def test_a_time_far_ahead_does_not_move_the_watermark() -> None:
    """An outcome of the year 2090 is rejected, and the outcomes after it are as good as ever."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("x", 60 * 24 * 365 * 64)
    story.dropped_off("a", 10)
    [cause] = story.causes()
    assert cause.endswith("is too far ahead of the record's timestamp")
    assert story.scored() == [("a", "champion", 10.0, 0.0)]


def test_a_prediction_that_is_no_number_is_rejected() -> None:
    """A NaN would spoil all sums that it enters, and so would what has no finite square."""
    story = Story()
    story.predicted("a", 0, float("nan"))
    story.predicted("b", 0, -1e300)
    assert story.causes() == [
        "prediction is NaN, not a number to score",
        "prediction is -1e+300, not a number to score",
    ]


def test_a_window_is_complete_when_the_wait_is_over() -> None:
    """Both watermarks must pass the end of the window and the wait."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 12)
    assert [row["complete"] for row in story.windows()] == [False]
    story.predicted("b", 190)
    assert [row["complete"] for row in story.windows()] == [False, False]
    story.dropped_off("b", 195)
    assert [row["complete"] for row in story.windows()] == [True, False]


def test_the_clock_completes_windows_of_an_idle_stream() -> None:
    """When nothing comes any more, the watermarks go on with the clock."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 12)
    story.tick(189)
    assert [row["complete"] for row in story.windows()] == [False]
    story.tick(2)
    assert [row["complete"] for row in story.windows()] == [True]


def test_a_partition_that_tells_nothing_holds_the_window_open() -> None:
    """A reader cannot know what a silent partition still holds."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 12)
    story.tick(300)
    assert [row["complete"] for row in story.windows(partitions=2)] == [False]


def test_a_partition_without_sums_tells_its_progress() -> None:
    """Readers learn the watermark also of a partition in which nothing is counted any more."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 12)
    story.tick(700)
    scores = story.written(taxi.scores_topic)
    progress = scores.filter(pl.col("window_start") == PROGRESS)
    assert progress["watermark"].to_list()[-1] == START + 700 * MINUTE
    assert story.state.sums.published.height == 0


def test_an_empty_partition_holds_nothing_back() -> None:
    """A partition that was read to its end and has no records is as far as the others."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 12)
    empty = {TopicPartition(topic, 1) for topic in (PREDICTIONS, DROPOFFS)}
    story.now += 300 * MINUTE
    story.step(Batch(caught_up=BOTH | empty))
    assert [row["complete"] for row in story.windows(partitions=2)] == [True]


def test_a_later_record_opens_a_published_window_again() -> None:
    """The sums of a window are cumulative: what was complete is told anew with the late-comer."""
    story = Story()
    for uuid, at in (("a", 0), ("b", 190)):
        story.predicted(uuid, at)
        story.dropped_off(uuid, at + 5)
    story.predicted("c", 140)
    story.dropped_off("c", 150)
    by_window = {row["window_start"]: row["count"] for row in story.windows()}
    assert by_window == {START: 1, START + 140 * MINUTE: 1, START + 190 * MINUTE: 1}


def test_forgetting_keeps_what_is_needed() -> None:
    """Rows older than the memory are let go; the state does not grow with the stream."""
    story = Story()
    for hour in range(40):
        story.predicted(f"trip {hour}", 60 * hour)
        story.dropped_off(f"trip {hour}", 60 * hour + 10)
    assert len(story.scored()) == 40
    assert story.state.rows.count < 26
    assert story.state.sums.published.height < 20


def test_what_never_meets_anything_is_forgotten() -> None:
    """Predictions and outcomes without a partner do not pile up, however long they come."""
    story = Story()
    for hour in range(60):
        story.predicted(f"event {hour}", 60 * hour)
        story.dropped_off(f"outcome {hour}", 60 * hour + 10)
    assert story.scored() == []
    assert story.state.rows.count < 26
    assert story.state.sums.published.height < 20


def test_a_step_leaves_its_state_as_it_was() -> None:
    """Two steps from the same state give the same."""
    story = Story()
    story.predicted("a", 0)
    before = story.state
    story.dropped_off("a", 10)
    first = story.scored()
    story.state, story.steps = before, []
    story.offsets[DROPOFFS] = 0
    story.dropped_off("a", 10)
    assert first == story.scored()


def test_summary_adds_windows_up() -> None:
    """The errors of a version over all its windows."""
    story = Story()
    for number, minutes in enumerate((8, 14)):
        story.predicted(str(number), 20 * number)
        story.dropped_off(str(number), 20 * number + minutes)
    told = summary(
        windows(story.written(taxi.scores_topic), 1), "version", complete_only=False
    ).to_dicts()
    assert counted(told, "version", "count", "mae", "bias", "windows") == [
        ("v-champion", 2, 3.0, -1.0, 2)
    ]


def test_schema_of_scored_is_that_of_its_frames() -> None:
    """The fields of the Avro schema are the columns of the frames, in order."""
    fields = [each["name"] for each in scored_schema(taxi)["fields"]]
    assert scored_dtypes(taxi).names() == fields


def test_scored_predictions_have_the_columns_of_their_schema() -> None:
    """What is written has the names and types that are declared, in order."""
    story = Story()
    story.predicted("a", 0)
    story.dropped_off("a", 10)
    assert story.written(taxi.scored_topic).schema == scored_dtypes(taxi)


def test_scores_have_the_fields_of_their_class() -> None:
    """A frame of scores has one column for each field of `Score`."""
    story = Story()
    story.predicted("a", 0)
    assert sorted(Score.__dataclass_fields__) == sorted(story.written(taxi.scores_topic).columns)


class Counting(Rows):
    """Rows that count the pairs that are found in them."""

    pairs = 0

    def find(self, records: Records) -> Found:
        """The same."""
        found = super().find(records)
        Counting.pairs += found.new.size
        return found


@pytest.mark.parametrize(("batches", "size"), [(1, 16_000), (50, 1_000)])
def test_a_key_that_comes_all_the_time_costs_no_more(batches: int, size: int) -> None:
    """A client with a constant uuid: one event, one outcome, all others are counted; few pairs."""
    story = Story()
    rows = story.state.rows
    Counting.pairs = 0
    story.state = replace(story.state, rows=Counting(rows.layouts, spacing=rows.spacing))
    for _ in range(batches):
        story.crowd("00000000", size)
    count = batches * size
    assert story.scored() == [("00000000", "champion", 10.0, 0.0)]
    told = pl.DataFrame(story.windows()).select(pl.sum("predictions", "count", "duplicates"))
    assert told.row(0) == (1, 1, count - 1)
    ended = outcomes(story.written(taxi.scores_topic), 1)
    assert ended.select(pl.sum("outcomes", "matched", "duplicates")).row(0) == (1, 1, count - 1)
    assert Counting.pairs <= count // 10
    assert sum(each.height - each.hidden for each in story.state.rows.chunks) < 50
