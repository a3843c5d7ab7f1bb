"""Scoring as a component: predictions ⋈ outcomes → scored predictions and sums of errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from edml.application import EVENT_TIME, Application, fields_of
from edml.component import Step
from edml.events import PARTITION, Batch, Outputs, TopicPartition
from edml.scoring import sums
from edml.scoring.bounds import Bounds, Silence, by_number
from edml.scoring.intake import AFTER, COUNTS, OPENS, TIME, Input, Side, integers, take
from edml.scoring.matching import judge, match, scored
from edml.scoring.publication import scores, something_to_tell
from edml.scoring.rows import Flags, Rows
from edml.scoring.rule import Rule
from edml.scoring.sums import Sums
from edml.scoring.watermark import NEVER, Watermark
from edml.serving import records as served

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SIDES: Final = ("predictions", "outcomes")
_FLAGS: Final = (PARTITION, TIME, AFTER, COUNTS, OPENS)


@dataclass(frozen=True)
class Scores:
    """The state of scoring; all its parts are immutable, and share what has not changed.

    ``closed`` is, by partition, the time before which nothing counts any more: it moves on only
    when all sums are published. ``silences`` says what of it the clock has closed, ahead of the
    records. ``published`` is the watermark that readers know. ``until`` holds the offsets up to
    which records of a restored partition are only read again.
    """

    predictions: Side
    outcomes: Side
    sums: Sums
    closed: Mapping[int, int] = field(default_factory=dict)
    silences: Mapping[int, Silence] = field(default_factory=dict)
    published: Mapping[int, int] = field(default_factory=dict)
    until: Mapping[TopicPartition, int] = field(default_factory=dict)
    positions: Mapping[TopicPartition, int] = field(default_factory=dict)
    published_at: datetime | None = None


class Scoring:
    """Adds up what became of predictions.

    Scores are published when ``publish_every`` has passed since the last time, and at the tick that
    follows; scored predictions with the batch that completes them.
    """

    name = "score"

    def __init__(
        self, application: Application, *, publish_every: timedelta = timedelta(seconds=1)
    ) -> None:
        self._application = application
        self._publish_every = publish_every
        self._rule = Rule.of(application)
        self._predictions = _predictions(application)
        self._outcomes = _outcomes(application)

    def initial(self) -> Scores:
        """Nothing seen, nothing counted."""
        return Scores(
            Side(Rows(self._predictions.key, (*self._predictions.columns, *_FLAGS))),
            Side(Rows(self._outcomes.key, (*self._outcomes.columns, *_FLAGS))),
            Sums.none(),
        )

    def step(self, state: Scores, batch: Batch, now: datetime) -> Step[Scores]:
        """Match what is new, add it up, and publish what is due."""
        bounds = self._bounds(state, batch, now)
        predictions, outcomes = (
            take(batch.frames.get(of.topic), of, side, since, bounds)
            for of, side, since in (
                (self._predictions, state.predictions, bounds.since_predictions),
                (self._outcomes, state.outcomes, bounds.since_outcomes),
            )
        )
        known = state.predictions.rows.add(predictions.fresh)
        pairs = match(known, state.outcomes.rows, (predictions, outcomes), bounds)
        facts = [*sums.of_predictions(predictions), *sums.of_outcomes(outcomes)]
        frames: dict[str, pl.DataFrame] = {}
        if pairs is not None:
            verdicts = judge(self._application, pairs)
            facts += sums.of_verdicts(verdicts)
            frames[self._application.scored_topic] = scored(self._application, verdicts)
        moved = replace(
            state,
            predictions=Side(known, predictions.watermarks),
            outcomes=Side(state.outcomes.rows.add(outcomes.fresh), outcomes.watermarks),
            sums=state.sums.add(facts, bounds),
            positions={**state.positions, **batch.positions},
        )
        waited = self._wait(state, moved, batch, bounds.now)
        published, frame = self._publish(waited, batch, now)
        if frame is not None:
            frames[self._application.scores_topic] = frame
        outputs = Outputs(frames, (*predictions.rejected, *outcomes.rejected))
        return Step(published, outputs, self._rewind(published), self._note(published, bounds.now))

    def keep(self, state: Scores, partitions: frozenset[int]) -> Scores:
        """The state of these partitions alone."""
        ours = pl.col(PARTITION).is_in(list(partitions))

        def side(of: Side) -> Side:
            return Side(
                of.rows.only(lambda rows: rows.select(ours).to_series().to_numpy(), strictly=True),
                {p: each for p, each in of.watermarks.items() if p in partitions},
            )

        return replace(
            state,
            predictions=side(state.predictions),
            outcomes=side(state.outcomes),
            sums=state.sums.keep(ours),
            closed={p: each for p, each in state.closed.items() if p in partitions},
            silences={p: each for p, each in state.silences.items() if p in partitions},
            published={p: each for p, each in state.published.items() if p in partitions},
            until={tp: each for tp, each in state.until.items() if tp.partition in partitions},
            positions={
                tp: each for tp, each in state.positions.items() if tp.partition in partitions
            },
        )

    def restore(self, state: Scores, partition: int, note: Mapping[str, int]) -> Scores:
        """The state with what was committed of a partition, before its records are read again."""
        if not note:
            return state
        until = {
            place: note[name]
            for name, place in zip(_SIDES, self._places(partition), strict=True)
            if name in note
        }
        known = [note[f"silence_{name}"] for name in Silence._fields if f"silence_{name}" in note]
        silence = Silence(*known) if known else None
        return replace(
            state,
            predictions=_restored(state.predictions, partition, note, "predictions_idle"),
            outcomes=_restored(state.outcomes, partition, note, "outcomes_idle"),
            closed={**state.closed, partition: note["closed"]},
            silences={**state.silences, partition: silence} if silence else state.silences,
            until={**state.until, **until},
            positions={**state.positions, **until},
        )

    def settle(self, state: Scores) -> Scores:
        """The same: versions share what they have in common, and nothing is kept for older ones."""
        return state

    def _places(self, partition: int) -> tuple[TopicPartition, TopicPartition]:
        """The partition of both inputs."""
        return (
            TopicPartition(self._predictions.topic, partition),
            TopicPartition(self._outcomes.topic, partition),
        )

    def _bounds(self, state: Scores, batch: Batch, now: datetime) -> Bounds:
        new = [_largest(frame[PARTITION]) for frame in batch.frames.values()]
        most = max([*new, *state.predictions.watermarks, *state.outcomes.watermarks], default=0)
        return Bounds.of(self._rule, _microseconds(now), state.closed, state.silences, most)

    def _wait(self, before: Scores, state: Scores, batch: Batch, now: int) -> Scores:
        """The watermarks with what the wall clock adds to those of idle partitions."""
        sides = []
        for of, old, new, other in (
            (self._predictions, before.predictions, state.predictions, state.outcomes),
            (self._outcomes, before.outcomes, state.outcomes, state.predictions),
        ):
            watermarks = dict(new.watermarks)
            for partition in {*watermarks, *other.watermarks}:
                watermark = watermarks.get(partition, Watermark())
                idle = new.watermarks.get(partition) is old.watermarks.get(partition)
                if idle and TopicPartition(of.topic, partition) in batch.caught_up:
                    watermark = watermark.waited(now, other.watermarks.get(partition))
                watermarks[partition] = watermark
            sides.append(replace(new, watermarks=watermarks))
        return replace(state, predictions=sides[0], outcomes=sides[1])

    def _publish(
        self, state: Scores, batch: Batch, now: datetime
    ) -> tuple[Scores, pl.DataFrame | None]:
        """The scores to tell, when it is time to, and the state that knows that they are told."""
        again = batch.positions and all(
            position <= state.until.get(each, 0) for each, position in batch.positions.items()
        )
        last = state.published_at
        # A clock that was put back must not silence the scores.
        if again or (last is not None and last <= now < last + self._publish_every):
            return state, None
        reached = _known(_reached(state), batch)
        if not something_to_tell(self._rule, state.sums, reached, state.published):
            return state, None
        summed = state.sums.summed(self._rule.window)
        frame = scores(self._application.name, self._rule, summed, reached, state.published)
        told = replace(state, sums=summed.told(), published=reached, published_at=now)
        return self._close(told), frame

    def _close(self, state: Scores) -> Scores:
        """The state without what nothing to come can meet; all of its sums must be published."""
        horizon = {p: self._rule.horizon(each) for p, each in _reached(state).items()}
        moved = {p: max(each, state.closed.get(p, NEVER)) for p, each in horizon.items()}
        closed = {**state.closed, **moved}
        if closed == state.closed:
            return state
        by_records = {p: self._rule.horizon(each) for p, each in _latest(state).items()}
        silences = {
            p: Silence(each, *(state.positions.get(place, 0) for place in self._places(p)))
            for p, each in moved.items()
            if each > max(by_records[p], state.closed.get(p, NEVER))
        }
        oldest = by_number(closed, max(closed))

        def alive(rows: pl.DataFrame) -> Flags:
            kept: Flags = integers(rows, TIME) >= oldest[integers(rows, PARTITION)]
            return kept

        def side(of: Side) -> Side:
            watermarks = {
                p: each.since(self._rule.rewind(closed[p])) for p, each in of.watermarks.items()
            }
            return Side(of.rows.only(alive), watermarks)

        return replace(
            state,
            predictions=side(state.predictions),
            outcomes=side(state.outcomes),
            sums=state.sums.since(oldest),
            closed=closed,
            silences={**state.silences, **silences},
        )

    def _rewind(self, state: Scores) -> dict[TopicPartition, int]:
        """From where each input partition must be read again to come to this state."""
        return {
            TopicPartition(of.topic, partition): watermark.rewind
            for of, side in (
                (self._predictions, state.predictions),
                (self._outcomes, state.outcomes),
            )
            for partition, watermark in side.watermarks.items()
            if watermark.rewind is not None
        }

    def _note(self, state: Scores, now: int) -> dict[int, dict[str, int]]:
        """What the records since the rewind do not tell."""
        sides = (state.predictions, state.outcomes)
        note: dict[int, dict[str, int]] = {}
        for partition in sorted({each.partition for each in state.positions}):
            told = {"closed": state.closed.get(partition, NEVER), "at": now}
            if partition in state.silences:
                told |= {f"silence_{k}": v for k, v in state.silences[partition]._asdict().items()}
            for name, place, side in zip(_SIDES, self._places(partition), sides, strict=True):
                if place in state.positions:
                    told[name] = state.positions[place]
                watermark = side.watermarks.get(partition, Watermark())
                if watermark.idle > watermark.latest:
                    told[f"{name}_idle"] = watermark.idle
            note[partition] = told
        return note


def _reached(state: Scores) -> dict[int, int]:
    """How far each partition is: the lesser of both inputs' watermarks."""
    ours, theirs = state.predictions.watermarks, state.outcomes.watermarks
    return {p: min(ours[p].reached, theirs[p].reached) for p in ours.keys() & theirs.keys()}


def _latest(state: Scores) -> dict[int, int]:
    """How far the records alone have carried each partition."""
    ours, theirs = state.predictions.watermarks, state.outcomes.watermarks
    return {p: min(ours[p].latest, theirs[p].latest) for p in ours.keys() & theirs.keys()}


def _known(reached: Mapping[int, int], batch: Batch) -> dict[int, int]:
    """How far each partition is, where one without any record holds nothing back."""
    if not reached:
        return {}
    furthest = max(reached.values())
    empty = {each.partition for each in batch.caught_up} - reached.keys()
    return {**reached, **dict.fromkeys(empty, furthest)}


def _restored(side: Side, partition: int, note: Mapping[str, int], name: str) -> Side:
    idle = note.get(name)
    if idle is None:
        return side
    watermark = Watermark(idle=idle, base=idle, arrived=note["at"])
    return replace(side, watermarks={**side.watermarks, partition: watermark})


def _largest(partitions: pl.Series) -> int:
    return int(partitions.to_numpy().max(initial=0))


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _predictions(application: Application) -> Input:
    return Input(
        topic=application.predictions_topic,
        key=served.KEY,
        time=EVENT_TIME,
        columns=(
            served.KEY,
            served.PREDICTION,
            served.VERSION,
            served.ROLE,
            EVENT_TIME,
            served.SEGMENT,
            served.EVENT_OFFSET,
            served.FEATURES,
        ),
        source=served.EVENT_OFFSET,
        role=served.ROLE,
        finite=served.PREDICTION,
    )


def _outcomes(application: Application) -> Input:
    outcome = application.outcome
    return Input(
        topic=outcome.topic,
        key=outcome.key,
        time=outcome.time,
        columns=tuple(fields_of(outcome.schema)),
    )
