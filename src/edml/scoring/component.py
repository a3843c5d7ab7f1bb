"""Scoring as a component: predictions ⋈ outcomes → scored predictions and sums of errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from edml.application import EVENT_TIME, Application
from edml.component import Step
from edml.events import PARTITION, Batch, Outputs, TopicPartition
from edml.scoring.bounds import Bounds, Silence
from edml.scoring.chunk import OUTCOME, PREDICTION, hashes
from edml.scoring.growing import joined
from edml.scoring.intake import Input, Intake, take
from edml.scoring.kinds import Kinds
from edml.scoring.matching import Judge, layouts, match, payload_of
from edml.scoring.publication import Progress, scores
from edml.scoring.rows import Rows
from edml.scoring.rule import Rule
from edml.scoring.sums import Sums, added_up
from edml.scoring.watermark import NEVER, Watermark
from edml.serving import records as served

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SIDES: Final = ("predictions", "outcomes")
_CHUNKS: Final = 4
"""A chunk of records holds this part of the time for which they are kept."""

Watermarks = Mapping[int, Watermark]


@dataclass(frozen=True)
class Scores:
    """The state of scoring; all its parts are immutable, and share what has not changed.

    ``rows`` are the records of both inputs that may still matter, ``kinds`` what the codes in them
    stand for; ``predictions`` and ``outcomes`` say how far each partition of the inputs is.
    ``closed`` is, by partition, the time before which nothing counts any more: it moves on only
    when all sums are published. ``silences`` says what of it the clock has closed, ahead of the
    records. ``published`` is the watermark that readers know. ``until`` holds the offsets up to
    which records of a restored partition are only read again.
    """

    rows: Rows
    sums: Sums
    kinds: Kinds
    predictions: Watermarks = field(default_factory=dict)
    outcomes: Watermarks = field(default_factory=dict)
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
        self._inputs = _predictions(application), _outcomes(application)
        self._layouts = layouts(application)
        self._judge = Judge(application)

    def initial(self) -> Scores:
        """Nothing seen, nothing counted."""
        rows = Rows(self._layouts, spacing=self._rule.spacing)
        return Scores(rows, Sums.none(), Kinds())

    def step(self, state: Scores, batch: Batch, now: datetime) -> Step[Scores]:
        """Match what is new, add it up, and publish what is due."""
        bounds = self._bounds(state, batch, now)
        predictions, outcomes = taken = self._take(state, batch, bounds)
        frames: dict[str, pl.DataFrame] = {}
        rows, sums = state.rows, state.sums
        keys = _keys(self._inputs, taken)
        if keys is not None:
            new = joined([predictions.records, outcomes.records])
            new["key"], new["check"] = hashes(keys, new["partition"])
            payloads = [
                payload_of(side, each.frame, layout)
                for side, (each, layout) in enumerate(zip(taken, self._layouts, strict=True))
            ]
            rows = rows.opened()
            pairs = match(rows, new, bounds)
            rows = rows.add(new, (payloads[PREDICTION], payloads[OUTCOME]))
            verdicts = None
            if pairs.new.size:
                verdicts, scored = self._judge(rows, pairs, keys, state.kinds)
                frames[self._application.scored_topic] = scored
            sums = sums.add(added_up(new, verdicts, bounds))
        moved = replace(
            state,
            rows=rows,
            sums=sums,
            predictions=predictions.watermarks,
            outcomes=outcomes.watermarks,
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
        return replace(
            state,
            rows=state.rows.of(partitions),
            sums=state.sums.of(partitions),
            predictions={p: each for p, each in state.predictions.items() if p in partitions},
            outcomes={p: each for p, each in state.outcomes.items() if p in partitions},
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

    def _take(self, state: Scores, batch: Batch, bounds: Bounds) -> tuple[Intake, Intake]:
        """What is new of both inputs."""
        ours, theirs = self._inputs
        return (
            take(batch.frames.get(ours.topic), ours, state.predictions, bounds, state.kinds),
            take(batch.frames.get(theirs.topic), theirs, state.outcomes, bounds, state.kinds),
        )

    def _places(self, partition: int) -> tuple[TopicPartition, TopicPartition]:
        """The partition of both inputs."""
        ours, theirs = self._inputs
        return TopicPartition(ours.topic, partition), TopicPartition(theirs.topic, partition)

    def _bounds(self, state: Scores, batch: Batch, now: datetime) -> Bounds:
        new = [_largest(frame[PARTITION]) for frame in batch.frames.values()]
        most = max([*new, *state.predictions, *state.outcomes], default=0)
        return Bounds.of(self._rule, _microseconds(now), state.closed, state.silences, most)

    def _wait(self, before: Scores, state: Scores, batch: Batch, now: int) -> Scores:
        """The watermarks with what the wall clock adds to those of idle partitions."""
        if not batch.caught_up and state.predictions.keys() == state.outcomes.keys():
            return state
        sides = []
        for of, old, new, other in zip(
            self._inputs,
            (before.predictions, before.outcomes),
            (state.predictions, state.outcomes),
            (state.outcomes, state.predictions),
            strict=True,
        ):
            watermarks = dict(new)
            for partition in {*new, *other}:
                watermark = new.get(partition, Watermark())
                idle = new.get(partition) is old.get(partition)
                if idle and TopicPartition(of.topic, partition) in batch.caught_up:
                    watermark = watermark.waited(now, other.get(partition))
                watermarks[partition] = watermark
            sides.append(watermarks)
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
        progress = Progress(reached, state.published)
        if not (state.sums.changed or progress.passed(self._rule)):
            return state, None
        sums, frame = scores(self._application.name, self._rule, state.sums, progress, state.kinds)
        return self._close(replace(state, sums=sums, published=reached, published_at=now)), frame

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

        def trimmed(watermarks: Watermarks) -> Watermarks:
            return {p: each.since(self._rule.rewind(closed[p])) for p, each in watermarks.items()}

        return replace(
            state,
            rows=state.rows.since_closed(closed, self._rule.memory // _CHUNKS),
            sums=state.sums.since(closed),
            predictions=trimmed(state.predictions),
            outcomes=trimmed(state.outcomes),
            closed=closed,
            silences={**state.silences, **silences},
        )

    def _rewind(self, state: Scores) -> dict[TopicPartition, int]:
        """From where each input partition must be read again to come to this state."""
        return {
            TopicPartition(of.topic, partition): watermark.rewind
            for of, side in zip(self._inputs, (state.predictions, state.outcomes), strict=True)
            for partition, watermark in side.items()
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
                watermark = side.get(partition, Watermark())
                if watermark.idle > watermark.latest:
                    told[f"{name}_idle"] = watermark.idle
            note[partition] = told
        return note


def _reached(state: Scores) -> dict[int, int]:
    """How far each partition is: the lesser of both inputs' watermarks."""
    ours, theirs = state.predictions, state.outcomes
    return {p: min(ours[p].reached, theirs[p].reached) for p in ours.keys() & theirs.keys()}


def _latest(state: Scores) -> dict[int, int]:
    """How far the records alone have carried each partition."""
    ours, theirs = state.predictions, state.outcomes
    return {p: min(ours[p].latest, theirs[p].latest) for p in ours.keys() & theirs.keys()}


def _known(reached: Mapping[int, int], batch: Batch) -> dict[int, int]:
    """How far each partition is, where one without any record holds nothing back."""
    if not reached:
        return {}
    furthest = max(reached.values())
    empty = {each.partition for each in batch.caught_up} - reached.keys()
    return {**reached, **dict.fromkeys(empty, furthest)}


def _restored(
    watermarks: Watermarks, partition: int, note: Mapping[str, int], name: str
) -> Watermarks:
    idle = note.get(name)
    if idle is None:
        return watermarks
    return {**watermarks, partition: Watermark(idle=idle, base=idle, arrived=note["at"])}


def _keys(inputs: tuple[Input, Input], taken: tuple[Intake, Intake]) -> pl.Series | None:
    """The keys of the records that are kept of both inputs, one after the other."""
    found = [
        each.frame.get_column(of.key).alias(served.KEY)
        for of, each in zip(inputs, taken, strict=True)
        if each.frame is not None and each.frame.height
    ]
    if not found:
        return None
    return found[0] if len(found) == 1 else pl.concat(found, rechunk=True)


def _largest(partitions: pl.Series) -> int:
    return int(partitions.to_numpy().max(initial=0))


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _predictions(application: Application) -> Input:
    return Input(
        side=PREDICTION,
        topic=application.predictions_topic,
        key=served.KEY,
        time=EVENT_TIME,
        named=True,
        finite=served.PREDICTION,
    )


def _outcomes(application: Application) -> Input:
    outcome = application.outcome
    return Input(side=OUTCOME, topic=outcome.topic, key=outcome.key, time=outcome.time)
