import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Event

import polars as pl
import pytest

from edml.component import Step
from edml.errors import LogError
from edml.events import OFFSET, PARTITION, Batch, Outputs, Rejected, TopicPartition
from edml.runtime.log import Committed, FencedError
from edml.runtime.runner import Pace, Runner
from edml.testing import Crash, ManualClock, MemoryBroker, MemoryLog
from edml.testing.log import MemoryCommit, MemoryReading
from tests.sums import RunningSums, Sums

QUICK = Pace(at_most=10, overlap_from=0, tick_s=0, retry_s=0.001, longest_retry_s=0.004)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def broker_with(*values: int) -> MemoryBroker:
    """A broker with some values to be added up."""
    broker = MemoryBroker(clock=ManualClock(NOW))
    names = [str(number) for number in range(len(values))]
    broker.topic("sales").append(pl.DataFrame({"id": names, "value": values}), at=NOW)
    broker.subscribe("sales")
    return broker


class Stopping(MemoryLog):
    """A log on which somebody presses Ctrl-C as soon as a commit begins."""

    def __init__(self, broker: MemoryBroker, stop: Event) -> None:
        super().__init__(broker)
        self.stop = stop
        self.closed = False

    def commit(
        self, reading: MemoryReading, outputs: Outputs, places: Mapping[TopicPartition, Committed]
    ) -> MemoryCommit:
        """Begin, and be stopped."""
        self.stop.set()
        return super().commit(reading, outputs, places)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
        super().close()


def test_stop_finishes_the_commit_in_flight() -> None:
    """Who is stopped finishes what is being committed, and leaves the group."""
    broker, stop = broker_with(1, 2, 3), Event()
    log = Stopping(broker, stop)
    Runner(RunningSums(), log, pace=QUICK).run(stop)
    assert broker.topic("sums").values["total"].to_list() == [1, 3, 6]
    assert broker.place(TopicPartition("sales", 0)).offset == 3
    assert log.closed
    assert not broker.holds(log)


def test_stop_of_a_commit_that_is_aborted() -> None:
    """A commit that is aborted at the very end leaves the work to whoever comes next."""
    broker, stop = broker_with(1, 2, 3), Event()
    broker.refuse(1)
    Runner(RunningSums(), Stopping(broker, stop), pace=QUICK).run(stop)
    assert broker.topic("sums").values.is_empty()
    stop.clear()
    Runner(RunningSums(), Stopping(broker, stop), pace=QUICK).run(stop)
    assert broker.topic("sums").values["total"].to_list() == [1, 3, 6]


class Patient(Event):
    """An event that remembers how long it was waited for, and is set after some waits."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waits = waits
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Remember, and do not wait."""
        self.waited.append(timeout)
        if len(self.waited) == self.waits:
            self.set()
        return self.is_set()


def test_backoff() -> None:
    """After each abort in a row the pause doubles, up to a bound."""
    broker, stop = broker_with(1), Patient(waits=8)
    broker.refuse(100)
    Runner(RunningSums(), MemoryLog(broker), pace=QUICK).run(stop)
    assert stop.waited == [0.001, 0.001, 0.002, 0.002, 0.004, 0.004, 0.004, 0.004]


def test_a_commit_that_lands_ends_the_backoff() -> None:
    """The next abort begins with the shortest pause again."""
    broker = broker_with(1, 2)
    log = MemoryLog(broker)
    runner = Runner(
        RunningSums(), log, pace=Pace(at_most=1, overlap_from=0, tick_s=0, retry_s=0.001)
    )
    broker.refuse(2)
    while broker.place(TopicPartition("sales", 0)).offset < 2:
        runner.turn()
    broker.topic("sales").append(pl.DataFrame({"id": ["2"], "value": [3]}), at=NOW)
    broker.refuse(1)
    stop = Patient(waits=1)
    runner.run(stop)
    assert stop.waited == [0.001]


def test_a_step_that_fails_commits_nothing_of_its_batch() -> None:
    """An error in a component ends the loop, after what was begun before is finished."""

    class Choosy(RunningSums):
        def step(self, state: Sums, batch: Batch, now: datetime) -> Step[Sums]:
            if any((frame["value"] == 13).any() for frame in batch.frames.values()):
                raise ValueError("13 is bad luck")
            return super().step(state, batch, now)

    broker = broker_with(1, 2, 13)
    log = MemoryLog(broker)
    with pytest.raises(ValueError, match="13 is bad luck"):
        Runner(Choosy(), log, pace=Pace(at_most=2, overlap_from=0, tick_s=0)).run(Event())
    assert broker.topic("sums").values["total"].to_list() == [1, 3]
    assert broker.place(TopicPartition("sales", 0)).offset == 2
    assert not broker.holds(log)


def test_fencing() -> None:
    """Whose place is taken stops, and writes nothing more."""
    broker = broker_with(1, 2, 3)
    old = Runner(RunningSums(), MemoryLog(broker, "slot"), pace=QUICK)
    for _ in range(3):
        old.turn()
    young = Runner(RunningSums(), MemoryLog(broker, "slot"), pace=QUICK)
    with pytest.raises(FencedError, match="another process has taken the place of instance 'slot'"):
        old.turn()
    for _ in range(4):
        young.turn()
    assert broker.topic("sums").values["total"].to_list() == [1, 3, 6]


def test_watcher_is_told_of_committed_steps_alone() -> None:
    """What is watched has happened: an aborted step is not told of."""
    broker = broker_with(1, 2, 3)
    broker.refuse(1)
    seen: list[tuple[int, int]] = []

    def watch(batch: Batch, step: Step[Sums]) -> None:
        seen.append((batch.rows, sum(frame.height for frame in step.outputs.frames.values())))

    runner = Runner(RunningSums(), MemoryLog(broker), pace=QUICK, watch=watch)
    for _ in range(8):
        runner.turn()
    assert seen == [(3, 3)]


def test_next_batch_is_stepped_while_one_commits() -> None:
    """A step begins with the state of the batch that is still being committed."""
    broker = broker_with(1, 2, 3, 4)
    moments: list[str] = []
    log = MemoryLog(broker, reached=lambda moment: moments.append(moment.name))
    runner = Runner(RunningSums(), log, pace=Pace(at_most=2, overlap_from=0, tick_s=0))
    for _ in range(5):
        runner.turn()
    begin = moments.index(Crash.BEFORE_COMMIT.name)
    assert moments[:begin] == [Crash.AFTER_READ.name] * 2
    assert broker.topic("sums").values["total"].to_list() == [1, 3, 6, 10]


def test_idle_loop_commits_nothing() -> None:
    """A tick that gives nothing to write begins no transaction."""
    broker = broker_with(1)
    log = MemoryLog(broker)
    runner = Runner(RunningSums(), log, pace=QUICK)
    for _ in range(4):
        runner.turn()
    end = broker.topic("sums").ends[0]
    for _ in range(5):
        runner.turn()
    assert broker.topic("sums").ends[0] == end
    assert log.rests


def test_settle_follows_commits_in_order() -> None:
    """A component is told of each committed state, and never of one that was aborted."""

    class Settling(RunningSums):
        def __init__(self) -> None:
            self.settled: list[int] = []

        def settle(self, state: Sums) -> Sums:
            self.settled.append(sum(each.total for each in state.values()))
            return state

    component, broker = Settling(), broker_with(1, 2, 3)
    broker.refuse(1)
    runner = Runner(component, MemoryLog(broker), pace=Pace(at_most=1, overlap_from=0, tick_s=0))
    for _ in range(12):
        runner.turn()
    assert component.settled == [1, 3, 6]


def test_again_gives_exact_spans() -> None:
    """A rebuild reads from the first offset of each span up to before its last."""
    broker = MemoryBroker(partitions=2, clock=ManualClock(NOW))
    for partition in range(2):
        rows = pl.DataFrame({"id": list("abcdef")})
        broker.topic("sales").append(rows, at=NOW, partition=partition)
    first, second = (TopicPartition("sales", number) for number in range(2))
    log = MemoryLog(broker)
    assert log.read(at_most=1, wait_s=0) is None
    batches = list(log.again({first: (2, 4), second: (5, 5)}))
    assert [batch.frames["sales"]["id"].to_list() for batch in batches] == [["c", "d"]]
    assert [batch.positions for batch in batches] == [{first: 4}]


def test_assignment_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """One line says what is read; it is understood by a person."""
    broker = broker_with(1)
    runner = Runner(RunningSums(), MemoryLog(broker), pace=QUICK)
    with caplog.at_level(logging.INFO):
        runner.turn()
        runner.turn()
    assert caplog.messages == ["sum: reading sales[0]"]


def test_rejections_must_be_of_the_batch() -> None:
    """A component that rejects a record of another batch is told so, in the test already."""

    class Confused(RunningSums):
        def step(self, state: Sums, batch: Batch, now: datetime) -> Step[Sums]:
            if not batch.rows:
                return super().step(state, batch, now)
            stranger = pl.DataFrame({PARTITION: [0], OFFSET: [99], "cause": ["no"]})
            return Step(state, Outputs(rejected=(Rejected("sales", stranger),)))

    broker = broker_with(1)
    runner = Runner(Confused(), MemoryLog(broker), pace=QUICK)
    with pytest.raises(LogError, match="rejects a record that is not in its batch"):
        runner.run(Event())
