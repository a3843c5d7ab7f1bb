"""The one loop: read, step, write, commit.

Under backlog, the next batch is read, decoded and stepped while one commits. When the log is quiet,
the commit is waited for first: what is read later holds more, and none of it waits twice. At most
one commit is under way; when it is aborted, the states that are newer than the committed one are
dropped, and the loop goes on from what is committed.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Event
from typing import Generic

from edml.component import Component, S, Step
from edml.events import Batch, TopicPartition
from edml.runtime.clock import Clock, SystemClock
from edml.runtime.log import (
    AbortedError,
    Assignment,
    Commit,
    Committed,
    Log,
    R,
    ReassignedError,
    RefusedError,
)
from edml.runtime.search import Search

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How much is taken at once, and how long the loop waits before it ticks or tries again.

    A batch of ``overlap_from`` records or more is taken for a sign of backlog: the next one is read
    while it commits.
    """

    at_most: int = 32_768
    overlap_from: int = 2_048
    tick_s: float = 0.25
    retry_s: float = 0.1
    longest_retry_s: float = 5.0


Watcher = Callable[[Batch, Step[S]], None]
"""Is told of every committed step."""


class Runner(Generic[S, R]):
    """Runs a component on a log until it is told to stop."""

    def __init__(
        self,
        component: Component[S],
        log: Log[R],
        *,
        clock: Clock | None = None,
        pace: Pace | None = None,
        watch: Watcher[S] | None = None,
    ) -> None:
        self._component = component
        self._log = log
        self._clock = clock or SystemClock()
        self._pace = pace or Pace()
        self._watch = watch
        self._committed: S = component.initial()
        self._places: dict[TopicPartition, Committed] = {}
        self._all_told = False
        self._flight: _Flight[S] | None = None
        self._backlog = False
        self._aborts = 0
        self._search = Search(self._pace.at_most)

    def run(self, stop: Event) -> None:
        """Loop until ``stop`` is set; then finish the commit under way and leave the group."""
        try:
            while not stop.is_set():
                self.turn()
                if self._aborts:
                    stop.wait(self._retry_s())
            self._landed()
        finally:
            self._log.close()

    def turn(self) -> None:
        """Read once, and begin to commit what the component makes of it."""
        if not self._backlog and not self._landed():
            self._log.resume(_offsets(self._places))
        reading = self._log.read(at_most=self._search.at_most, wait_s=self._pace.tick_s)
        if reading is None:
            return
        if isinstance(reading, Assignment):
            self._landed()
            self._take_over(reading.partitions)
            return
        newest = self._committed if self._flight is None else self._flight.step.state
        self._backlog = reading.batch.rows >= self._pace.overlap_from
        batch, refused = self._search.sift(reading.batch)
        step = self._component.step(newest, batch, self._clock.now())
        outputs = replace(step.outputs, rejected=step.outputs.rejected + refused)
        if not self._landed():
            self._log.resume(_offsets(self._places))
        elif not (reading.empty and outputs.empty):
            places = self._to_commit(reading.batch, step)
            commit = self._log.commit(reading, outputs, places)
            self._flight = _Flight(reading.batch, step, places, commit)

    def _landed(self) -> bool:
        """Wait for the commit under way, if any. False when it was aborted."""
        flight, self._flight = self._flight, None
        if flight is None:
            return True
        try:
            flight.commit.wait()
        except RefusedError as error:
            logger.warning("A record is refused; looking for it. %s", error)
            self._search.refused(flight.batch, str(error))
            return False
        except AbortedError as error:
            self._aborts += 1
            logger.warning("A transaction was aborted; going back to what is committed. %s", error)
            return False
        self._aborts = 0
        self._search.accepted(flight.batch)
        self._committed = self._component.settle(flight.step.state)
        self._places |= flight.places
        self._all_told = True
        if self._watch is not None:
            self._watch(flight.batch, flight.step)
        return True

    def _to_commit(self, batch: Batch, step: Step[S]) -> dict[TopicPartition, Committed]:
        """The place of each partition that moved, or that the step has a note of.

        The first commit after an assignment tells the places of all partitions: from then on, one
        without a place is one whose place has expired. A commit that moves nothing tells them, too,
        so that the log can refuse it when the partitions are no longer ours.
        """
        moved = {
            each: Committed(
                offset,
                rewind=min(step.rewind.get(each, offset), offset),
                note=step.note.get(each.partition, {}),
            )
            for each, offset in {**_offsets(self._places), **batch.positions}.items()
            if each in batch.positions or each.partition in step.note
        }
        return moved if moved and self._all_told else {**self._places, **moved}

    def _take_over(self, ours: Mapping[TopicPartition, Committed]) -> None:
        """Keep the state of the partitions that stay; rebuild the state of those that are new."""
        stay = _unmoved(ours, self._places)
        fresh = {each: place for each, place in ours.items() if each.partition not in stay}
        self._places = {each: place for each, place in ours.items() if each.partition in stay}
        self._all_told = False
        self._committed = self._component.keep(self._committed, stay)
        for each, place in sorted(fresh.items()):
            self._committed = self._component.restore(self._committed, each.partition, place.note)
        try:
            for batch in self._log.again({e: (p.rewind, p.offset) for e, p in fresh.items()}):
                step = self._component.step(self._committed, batch, self._clock.now())
                self._committed = self._component.settle(step.state)
        except ReassignedError:
            return  # half rebuilt: the assignment that comes next keeps only what stayed
        self._places = dict(ours)
        self._log.resume(_offsets(ours))
        names = ", ".join(map(str, sorted(ours))) or "no partition"
        logger.info("%s: reading %s", self._component.name, names)

    def _retry_s(self) -> float:
        """A pause that doubles with every abort in a row."""
        return min(self._pace.retry_s * 2.0 ** (self._aborts - 1), self._pace.longest_retry_s)


@dataclass(frozen=True)
class _Flight(Generic[S]):
    """A commit under way, and what becomes of the state when it lands."""

    batch: Batch
    step: Step[S]
    places: Mapping[TopicPartition, Committed]
    commit: Commit


def _offsets(places: Mapping[TopicPartition, Committed]) -> dict[TopicPartition, int]:
    return {each: place.offset for each, place in places.items()}


def _unmoved(
    ours: Mapping[TopicPartition, Committed], known: Mapping[TopicPartition, Committed]
) -> frozenset[int]:
    """The partition numbers that were ours, and of which nobody else has committed anything."""
    moved = {each.partition for each, place in ours.items() if known.get(each) != place}
    return frozenset(each.partition for each in ours) - moved
