"""The count afterwards: every event predicted once and scored once, and the sums are right."""

from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from tests.broker.city import City
from tests.broker.recomputation import apart, scored
from tests.faults import transactions
from tests.trips import trips

ALIKE = 1e-9


@dataclass(frozen=True)
class Verdict:
    """What is on the log after ``events`` trips.

    ``lost`` and ``doubled`` count trips without, and outputs beside, the one prediction and the one
    score that each must have. ``vain`` counts the records that lie on the log and belong to one of
    the ``aborted`` transactions: no reader has seen them. ``apart`` is how far the sums by window
    are from a recomputation, relative to it.
    """

    events: int
    lost: int
    doubled: int
    dead_letters: int
    apart: float
    committed: int
    aborted: int
    vain: int

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, nothing doubled, nothing buried, and the sums are right."""
        return not (self.lost or self.doubled or self.dead_letters) and self.apart < ALIKE

    @property
    def counts(self) -> dict[str, Any]:
        """What a report tells of it."""
        return asdict(self)


def judge(city: City, events: int) -> Verdict:
    """Count what became of trips 0 to ``events``."""
    expected = set(trips(events)["uuid"].to_list())
    predicted = city.predictions()
    by_place = predicted.select("event_partition", "event_offset")
    lost, doubled = 0, predicted.height - by_place.unique().height
    for uuids in (predicted["uuid"], scored(city)["uuid"]):
        found = set(uuids.to_list())
        assert found <= expected, "outputs of trips that never were"
        lost += len(expected - found)
        doubled += len(uuids) - len(found)
    ended = transactions.ended(city)
    return Verdict(
        events=events,
        lost=lost,
        doubled=doubled,
        dead_letters=len(city.dead_letters()),
        apart=apart(city),
        committed=ended[transactions.COMMITTED],
        aborted=ended[transactions.ABORTED],
        vain=_in_vain(city),
    )


def _in_vain(city: City) -> int:
    """Records that only who reads uncommitted ones sees."""
    topics = (city.app.predictions_topic, city.app.scored_topic)
    return sum(
        len(city.read(topic, isolation="read_uncommitted")) - len(city.read(topic))
        for topic in topics
    )


def summed(frame: pl.DataFrame) -> int:
    """How many outcomes the sums hold."""
    return int(frame["count"].sum())
