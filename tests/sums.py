"""A toy component whose state is part note, part rewind; and what a single pass would give."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from edml.component import Step
from edml.events import OFFSET, PARTITION, Batch, Outputs, TopicPartition

KEPT = 3


@dataclass(frozen=True)
class Sum:
    """The sum of one partition's values: those forgotten, and the last few with their offsets."""

    forgotten: int = 0
    last: tuple[tuple[int, int], ...] = ()

    @property
    def total(self) -> int:
        """The sum of all values so far."""
        return self.forgotten + self.of_last

    @property
    def of_last(self) -> int:
        """The sum of the last few values."""
        return sum(value for _, value in self.last)

    def plus(self, offset: int, value: int) -> "Sum":
        """With one more value."""
        forgotten, last = self.forgotten, (*self.last, (offset, value))
        if len(last) > KEPT:
            forgotten, last = forgotten + last[0][1], last[1:]
        return Sum(forgotten, last)


Sums = Mapping[TopicPartition, Sum]


class RunningSums:
    """For each value, the sum of its partition of its topic, and the sum of the last three values.

    The sum of what is forgotten travels in the note, the last values come back through the rewind.
    """

    name = "sum"

    def initial(self) -> Sums:
        """Nothing was added."""
        return {}

    def step(self, state: Sums, batch: Batch, now: datetime) -> Step[Sums]:
        """Add the batch's values, one row of ``sums`` each."""
        del now
        sums = dict(state)
        rows = []
        for topic, frame in batch.frames.items():
            for row in frame.sort(PARTITION, OFFSET).iter_rows(named=True):
                place = TopicPartition(topic, row[PARTITION])
                sums[place] = sums.get(place, Sum()).plus(row[OFFSET], row["value"])
                rows.append((row["id"], sums[place].total, sums[place].of_last))
        return Step(
            sums,
            Outputs({"sums": frame_of(rows)} if rows else {}),
            rewind={place: each.last[0][0] for place, each in sums.items() if each.last},
            note=_notes(sums),
        )

    def keep(self, state: Sums, partitions: frozenset[int]) -> Sums:
        """The sums of these partitions."""
        return {place: each for place, each in state.items() if place.partition in partitions}

    def restore(self, state: Sums, partition: int, note: Mapping[str, int]) -> Sums:
        """What was forgotten of a partition; the last values come next."""
        found = {TopicPartition(topic, partition): Sum(total) for topic, total in note.items()}
        return {**state, **found}

    def settle(self, state: Sums) -> Sums:
        """Nothing to settle."""
        return state


def frame_of(rows: Iterable[tuple[str, int, int]]) -> pl.DataFrame:
    """Rows of ``sums``."""
    return pl.DataFrame(
        list(rows), schema={"id": pl.String, "total": pl.Int64, "of_last": pl.Int64}, orient="row"
    )


@dataclass(frozen=True)
class OnePass:
    """What each value gives when nothing ever goes wrong: values by topic and partition."""

    sums: Mapping[TopicPartition, Sum] = field(default_factory=dict)
    rows: tuple[tuple[str, int, int], ...] = ()

    def add(self, place: TopicPartition, name: str, value: int) -> "OnePass":
        """With one more value."""
        new = self.sums.get(place, Sum()).plus(len(self.rows), value)
        return replace(
            self,
            sums={**self.sums, place: new},
            rows=(*self.rows, (name, new.total, new.of_last)),
        )


def _notes(sums: Sums) -> dict[int, dict[str, int]]:
    notes: dict[int, dict[str, int]] = {}
    for place, each in sums.items():
        notes.setdefault(place.partition, {})[place.topic] = each.forgotten
    return notes
