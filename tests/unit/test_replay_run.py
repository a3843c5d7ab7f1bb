from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

import numpy as np
import polars as pl
import pytest

from edml.apps.taxi import taxi
from edml.replay.pacer import Pacer
from edml.replay.plan import Plan
from edml.replay.run import Done, Replay, Wish, run
from tests.trips import START, trips


@dataclass
class Clock:
    """Seconds that pass only while somebody waits."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now_s


@dataclass
class Memory:
    """Keeps what is written, with the time."""

    clock: Clock
    pickups: list[tuple[float, str]] = field(default_factory=list)
    dropoffs: list[tuple[float, str]] = field(default_factory=list)
    last: tuple[int, int] = (0, 0)

    def done(self) -> tuple[int, int]:
        """What was last written."""
        return self.last

    def write(self, records: Mapping[str, pl.DataFrame], done: Done) -> None:
        """Keep records, and when they came."""
        self.pickups += [(self.clock.now_s, key) for key in records["taxi.pickups"]["uuid"]]
        self.dropoffs += [(self.clock.now_s, key) for key in records["taxi.dropoffs"]["uuid"]]
        self.last = done


@dataclass
class Person:
    """Waits by moving the clock on, and wishes what it is told to, when it is time."""

    clock: Clock
    wishes: dict[float, Wish] = field(default_factory=dict)
    sleeps_on_s: dict[float, float] = field(default_factory=dict)

    def wait(self, seconds: float) -> Wish:
        """Wait, and wish what it is time for."""
        self.clock.now_s += seconds
        for at_s in [each for each in self.sleeps_on_s if each <= self.clock.now_s]:
            self.clock.now_s += self.sleeps_on_s.pop(at_s)
        for at_s in [each for each in self.wishes if each <= self.clock.now_s]:
            return self.wishes.pop(at_s)
        return "go on"

    def show(self, done: Done, *, paused: bool) -> None:
        """Look on."""
        del done, paused


NOTHING = Done()


def replayed(
    plan: Plan, pacer: Pacer, *, done: Done = NOTHING, person: Person | None = None
) -> tuple[Memory, Done]:
    """Run a replay to its end, or until the person stops it."""
    clock = person.clock if person else Clock()
    log = Memory(clock)
    replay = Replay(plan, pacer, done).begin(now_s=clock.now_s)
    return log, run(replay, log, person or Person(clock), clock_s=clock)


def test_records_are_written_when_they_are_due() -> None:
    """At 60 times the speed, trips that are two seconds apart come 30 in a second."""
    plan = Plan.of(taxi, trips(90))
    log, done = replayed(plan, Pacer.at_speed(plan.seconds, 60))
    due_s = [1000 + number / 30 for number in range(90)]
    late_s = [at_s - due for (at_s, _), due in zip(log.pickups, due_s, strict=True)]
    assert -1e-6 < min(late_s) <= max(late_s) < 0.05
    assert done == Done(180)


def test_a_rate_spreads_records_evenly() -> None:
    """100 records a second take two seconds for 200, whatever their event times."""
    plan = Plan.of(taxi, trips(100))
    log, _ = replayed(plan, Pacer.at_rate(len(plan), 100))
    assert log.clock.now_s == pytest.approx(1002, abs=0.1)


def test_the_highest_speed_waits_for_nothing() -> None:
    """All records are due at once."""
    plan = Plan.of(taxi, trips(100))
    log, _ = replayed(plan, Pacer.at_speed(plan.seconds, inf))
    assert log.clock.now_s == 1000
    assert len(log.pickups) == len(log.dropoffs) == 100


def test_a_stopped_replay_goes_on_with_the_next_record() -> None:
    """What was written before the stop and after it is everything, each record once."""
    plan = Plan.of(taxi, trips(60))
    pacer = Pacer.at_speed(plan.seconds, 60)
    first, done = replayed(plan, pacer, person=Person(clock := Clock(), {1001.0: "stop"}))
    assert 0 < done.records < len(plan)
    clock.now_s = 5000.0
    second, end = replayed(plan, pacer, done=done, person=Person(clock))
    assert end == Done(len(plan))
    assert second.pickups[0][0] == pytest.approx(5000, abs=0.1)
    keys = [key for _, key in first.pickups + second.pickups]
    assert keys == plan.past["uuid"].to_list()
    assert len(first.dropoffs + second.dropoffs) == 60


def test_nothing_is_written_during_a_pause() -> None:
    """A pause of 50 seconds makes what follows 50 seconds later."""
    plan = Plan.of(taxi, trips(60))
    pacer = Pacer.at_speed(plan.seconds, 60)
    person = Person(Clock(), {1001.0: "pause or go on", 1051.0: "pause or go on"})
    log, _ = replayed(plan, pacer, person=person)
    at_s = np.array([at_s for at_s, _ in log.pickups])
    assert not ((at_s > 1001.2) & (at_s < 1050.9)).any()
    assert at_s[-1] == pytest.approx(1000 + 59 / 30 + 50, abs=0.3)


def test_a_suspended_process_does_not_race_to_catch_up() -> None:
    """The time in which the process was suspended does not count."""
    plan = Plan.of(taxi, trips(60))
    person = Person(Clock(), sleeps_on_s={1001.0: 3600.0})
    log, _ = replayed(plan, Pacer.at_speed(plan.seconds, 60), person=person)
    at_s = np.array([at_s for at_s, _ in log.pickups])
    assert ((at_s > 4600) & (at_s < 4602)).sum() > 25
    assert np.unique(at_s).size > 30


def test_a_replay_that_begins_now_leaves_out_what_was_before() -> None:
    """It begins with the first record at or after now, which is due when its time has come."""
    plan = Plan.of(taxi, trips(60))
    now = START + timedelta(seconds=61)
    replay = Replay(plan, Pacer.at_speed(plan.seconds, 1), Done()).begin(now_s=1000, at=now)
    assert replay.done == Done(31, since=31)
    assert replay.pacer.wait_s(31, 1000) == pytest.approx(1)


def test_a_replay_from_now_that_was_stopped_catches_up() -> None:
    """What came due while it was stopped is written at once."""
    plan = Plan.of(taxi, trips(60))
    now = START + timedelta(seconds=61)
    replay = Replay(plan, Pacer.at_speed(plan.seconds, 1), Done(10, since=3))
    begun = replay.begin(now_s=1000, at=now)
    assert begun.done == Done(10, since=3)
    assert begun.pacer.due(1000) == 31


def test_a_replay_that_is_done_has_nothing_to_begin() -> None:
    """Running it again writes nothing."""
    plan = Plan.of(taxi, trips(5))
    log, done = replayed(plan, Pacer.at_rate(10, 100), done=Done(10))
    assert done == Done(10)
    assert log.pickups == []
