"""The loop of a replay: what is due is written, then it waits for more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
import polars as pl

from edml.replay.pacer import Pacer
from edml.replay.plan import Plan

MOST_AT_ONCE: Final = 8_192
SHORTEST_WAIT_S: Final = 0.02
"""Records that are due within it are written together."""

LONGEST_WAIT_S: Final = 0.1
"""How soon somebody's wish is noticed."""

SUSPENDED_S: Final = 2.0
"""Where a turn of the loop takes so long, the process was suspended: it goes on where it was."""

Wish = Literal["go on", "pause or go on", "stop"]


class Done(NamedTuple):
    """How far a replay is: so many records, of which those before ``since`` were left out."""

    records: int = 0
    since: int = 0


class ReplayLog(Protocol):
    """Where records are written."""

    def done(self) -> tuple[int, int]:
        """What was last written as `Done`; zeros at the very first."""
        ...

    def write(self, records: Mapping[str, pl.DataFrame], done: Done) -> None:
        """Write records by topic, and how far the replay is then: both or neither."""
        ...


class Controls(Protocol):
    """Somebody who looks on, and may wish to pause or to stop."""

    def wait(self, seconds: float) -> Wish:
        """Wait so long, or until something is wished."""
        ...

    def show(self, done: Done, *, paused: bool) -> None:
        """See how far it is."""
        ...


@dataclass(frozen=True)
class Replay:
    """A replay at one moment: what is written at which pace, and how far it is."""

    plan: Plan
    pacer: Pacer
    done: Done

    def begin(self, *, now_s: float, at: datetime | None = None) -> "Replay":
        """Go on with the next record, which is due now.

        With a time ``at``, the schedule stands there instead: a new replay leaves out what came
        before it, and one that goes on writes at once what it has missed.
        """
        done = self.done
        if at is not None and not done.records:
            left_out = self.plan.from_time(at)
            done = Done(left_out, since=left_out)
        if done.records >= len(self.plan):
            return replace(self, done=done)
        seconds = self.plan.seconds
        event_s = seconds[done.records] if at is None else self.plan.seconds_at(at)
        position_s = float(np.interp(event_s, seconds, self.pacer.due_s))
        return replace(self, done=done, pacer=self.pacer.begin(position_s, now_s=now_s))


def run(
    replay: Replay, log: ReplayLog, controls: Controls, *, clock_s: Callable[[], float]
) -> Done:
    """Write each record when it is due, until somebody stops it; give back how far it came."""
    plan, pacer, done = replay.plan, replay.pacer, replay.done
    last_s = clock_s()
    while True:
        now_s = clock_s()
        if now_s - last_s > SUSPENDED_S:
            pacer = pacer.later_by(now_s - last_s)
        last_s = now_s
        end = min(pacer.due(now_s), done.records + MOST_AT_ONCE)
        if end > done.records:
            records = plan.records(done.records, end, since=done.since)
            done = done._replace(records=end)
            log.write(records, done)
        controls.show(done, paused=pacer.paused)
        if done.records == len(plan):
            return done
        wish = controls.wait(_bounded(pacer.wait_s(done.records, clock_s())))
        if wish == "stop":
            return done
        if wish == "pause or go on":
            pacer = pacer.toggled(clock_s())


def _bounded(wait_s: float) -> float:
    return min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S) if wait_s else 0.0
