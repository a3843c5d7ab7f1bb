"""The driver: feed rows, move the clock, crash, and read what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Generic

import polars as pl

from edml.application import dtypes_of
from edml.component import Component, S
from edml.errors import UsageError
from edml.runtime.clock import ManualClock
from edml.runtime.runner import Pace, Runner
from edml.testing.broker import MemoryBroker
from edml.testing.crash import Crash, CrashedError
from edml.testing.log import MemoryLog, MemoryReading
from edml.testing.topic import CAUSE

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
AT_LAST: Final = 10_000
"""The number of rounds after which a component that is still busy is taken to be so for ever."""

Rows = pl.DataFrame | Sequence[object]
"""A frame, event objects of one class, or dictionaries."""


class Driver(Generic[S]):
    """Runs a component on a log in memory, with one instance at first.

    The component reads every topic that rows are piped into. Each has as many ``partitions``; a
    row goes to the partition of its key, the topic's first column unless ``keys`` names another.
    A batch has ``at_most`` records; while one of ``overlap_from`` or more commits, the next one is
    read. The ``clock`` stands still until it is advanced.
    """

    def __init__(  # noqa: PLR0913  each has its name where it is called
        self,
        component: Component[S],
        *,
        partitions: int = 1,
        keys: Mapping[str, str] | None = None,
        clock: ManualClock | None = None,
        at_most: int = 10_000,
        overlap_from: int = 0,
    ) -> None:
        self.clock = clock or ManualClock(START)
        self.broker = MemoryBroker(partitions, keys=keys, clock=self.clock)
        self._component = component
        self._pace = Pace(at_most=at_most, overlap_from=overlap_from)
        self._armed: tuple[Crash, Sequence[str]] | None = None
        self._interrupts = False
        self._instances: dict[str, tuple[Runner[S, MemoryReading], MemoryLog]] = {}
        self.join("0")

    def pipe(self, topic: str, rows: Rows, *, partition: int | None = None) -> None:
        """Write rows to a topic, and run until nothing is left to do."""
        self.append(topic, rows, partition=partition)
        self.run()

    def append(self, topic: str, rows: Rows, *, partition: int | None = None) -> None:
        """Write rows to a topic, and leave them there for now."""
        self.broker.topic(topic).append(_frame(rows), at=self.clock.now(), partition=partition)
        self.broker.subscribe(topic)

    def append_undecodable(self, topic: str, cause: str, *, partition: int = 0) -> None:
        """Write a record that cannot be decoded, for this cause."""
        self.append(topic, pl.DataFrame({CAUSE: [cause]}), partition=partition)

    def advance(self, by: timedelta) -> None:
        """Move the clock on, and run until nothing is left to do."""
        self.clock.advance(by)
        self.run()

    def read(self, topic: str) -> pl.DataFrame:
        """All that was committed to a topic, in the order in which it was written."""
        return self.broker.topic(topic).values

    @property
    def dead_letters(self) -> pl.DataFrame:
        """What was rejected: topic, `PARTITION`, `OFFSET` and ``cause``."""
        return self.broker.dead_letters

    def turn(self, instance: str | None = None) -> None:
        """Have one instance, or each of them once, go round its loop."""
        for name in [instance] if instance is not None else sorted(self._instances):
            self._instances[name][0].turn()

    def run(self) -> None:
        """Go on until every instance rests: all is read and committed, and a tick gives nothing."""
        for _ in range(AT_LAST):
            self.turn()
            if all(log.rests for _, log in self._instances.values()):
                return
        raise AssertionError(f"{self._component.name!r} writes something at every tick, for ever")

    def crash(self, at: Crash, *, instance: str | None = None) -> None:
        """Run until an instance (any, or this one) gets there and dies; another takes its place.

        Its state is gone; the new one has its name, and has not done anything yet.
        Raises `AssertionError` when the work ends before.
        """
        names = [instance] if instance is not None else sorted(self._instances)
        self._armed = at, names
        for _ in range(AT_LAST):
            for name in names:
                try:
                    self.turn(name)
                except CrashedError:
                    self.restart(name)
                    return
            if all(self._instances[name][1].rests for name in names):
                break
        self._armed = None
        raise AssertionError(f"nothing was left to do: no instance got to {at.name}")

    def abort(self, commits: int = 1) -> None:
        """Have the broker refuse as many of the next commits."""
        self.broker.refuse(commits)

    def interrupt_rebuild(self) -> None:
        """Have the group rebalance as soon as an instance rebuilds a state."""
        self._interrupts = True

    def restart(self, instance: str = "0") -> None:
        """Let an instance die where it stands, and another take its place under the same name."""
        log = MemoryLog(self.broker, instance, reached=partial(self._reached, instance))
        runner = Runner(self._component, log, clock=self.clock, pace=self._pace)
        self._instances[instance] = runner, log

    def join(self, instance: str) -> None:
        """Start one more instance: the group rebalances."""
        if instance in self._instances:
            raise UsageError(f"instance {instance!r} runs already", todo="call `restart` instead")
        self.restart(instance)

    def leave(self, instance: str) -> None:
        """Stop an instance in good order: the group rebalances."""
        _, log = self._instances.pop(instance)
        log.close()

    def _reached(self, instance: str, moment: Crash) -> None:
        if moment is Crash.IN_REBUILD and self._interrupts:
            self._interrupts = False
            self.broker.rebalance()
        if self._armed is not None and moment is self._armed[0] and instance in self._armed[1]:
            self._armed = None
            raise CrashedError(moment)


def _frame(rows: Rows) -> pl.DataFrame:
    if isinstance(rows, pl.DataFrame):
        return rows
    records: list[Any] = [
        asdict(row) if is_dataclass(row) and not isinstance(row, type) else row for row in rows
    ]
    typed = bool(rows) and is_dataclass(rows[0])
    schema = dtypes_of(type(rows[0])) if typed else None
    return pl.DataFrame(records, schema=schema, infer_schema_length=None)
