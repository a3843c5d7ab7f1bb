import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from edml.component import Step
from edml.errors import LogError
from edml.events import Batch, Outputs, TopicPartition
from edml.runtime.log import Committed
from edml.testing import Crash, Driver
from edml.testing.log import MemoryLog, MemoryReading
from tests.sums import OnePass, RunningSums, Sum, Sums


class Sales:
    """Values with names, written to the driver and added up in one pass beside it."""

    def __init__(self, driver: Driver[Sums]) -> None:
        self.driver = driver
        self.expected = OnePass()

    def append(self, *values: int, topic: str = "sales", partition: int = 0) -> None:
        """Put values on the log."""
        place = TopicPartition(topic, partition)
        names = []
        for value in values:
            names.append(f"{place}#{len(self.expected.rows)}")
            self.expected = self.expected.add(place, names[-1], value)
        rows = pl.DataFrame({"id": names, "value": values})
        self.driver.append(topic, rows, partition=partition)

    def check(self) -> None:
        """Each value has given one row, and the right one."""
        self.driver.run()
        assert sorted(self.expected.rows) == sorted(self.driver.read("sums").rows())


@pytest.fixture
def sales() -> Sales:
    """Four partitions, one instance, batches of five."""
    return Sales(Driver(RunningSums(), partitions=4, at_most=5))


def append_everywhere(sales: Sales, values: Iterable[int]) -> None:
    """The same values on each partition of two topics."""
    for value in values:
        for partition in range(4):
            sales.append(value, partition=partition)
            sales.append(-value, topic="returns", partition=partition)


@pytest.mark.parametrize("at", Crash)
def test_crash(sales: Sales, at: Crash) -> None:
    """Wherever an instance dies, nothing is lost and nothing is written twice."""
    append_everywhere(sales, range(3))
    sales.driver.run()
    append_everywhere(sales, range(10, 17))
    if at is Crash.IN_REBUILD:
        sales.driver.restart()
    sales.driver.crash(at)
    append_everywhere(sales, range(20, 23))
    sales.check()


@pytest.mark.parametrize("at", Crash)
def test_crash_after_crash(sales: Sales, at: Crash) -> None:
    """It may die again and again, with commits and gaps between."""
    append_everywhere(sales, range(12))
    sales.driver.turn()
    sales.driver.turn()
    sales.driver.turn()
    for _ in range(3):
        if at is Crash.IN_REBUILD:
            sales.driver.run()
            sales.driver.restart()
        sales.driver.crash(at)
        append_everywhere(sales, [5])
    sales.check()


@pytest.mark.parametrize("at", [Crash.AFTER_READ, Crash.AFTER_OUTPUTS, Crash.AFTER_COMMIT])
def test_crash_of_one_of_two(sales: Sales, at: Crash) -> None:
    """An instance that dies and comes back moves nobody else's partitions."""
    append_everywhere(sales, range(3))
    sales.driver.join("1")
    sales.driver.run()
    generation = sales.driver.broker.generation
    append_everywhere(sales, range(3))
    sales.driver.crash(at, instance="1")
    assert generation == sales.driver.broker.generation
    sales.check()


def test_aborted_commit_is_repeated(sales: Sales, caplog: pytest.LogCaptureFixture) -> None:
    """After an abort, the state and the offsets are those that were committed last."""
    append_everywhere(sales, range(2))
    sales.driver.run()
    append_everywhere(sales, range(30))
    sales.driver.abort(3)
    with caplog.at_level(logging.WARNING):
        sales.check()
    assert caplog.text.count("going back to what is committed") == 3


def test_outputs_of_an_aborted_commit_are_never_seen(sales: Sales) -> None:
    """What was written before an abort stays invisible."""
    sales.append(1, 2, 3)
    sales.driver.abort(1)
    for _ in range(4):
        sales.driver.turn()
    assert sales.driver.read("sums").is_empty()
    sales.check()


def test_rebalance_with_a_batch_in_flight(sales: Sales) -> None:
    """A commit under way when partitions are taken away is finished before they are."""
    append_everywhere(sales, range(4))
    while not sales.driver.broker.places:
        sales.driver.turn("0")
    sales.driver.join("1")
    sales.check()


def test_batch_read_before_a_rebalance_is_not_committed(sales: Sales) -> None:
    """What was read in an older generation is refused, and read again by whoever has it now."""
    append_everywhere(sales, range(4))
    runner_turns = 3
    for turn in range(12):
        sales.driver.turn("0")
        if turn == runner_turns:
            sales.driver.join("1")
        if turn == 2 * runner_turns:
            sales.driver.leave("0")
            break
    sales.check()


def test_instances_come_and_go(sales: Sales) -> None:
    """More instances than partitions, then one alone: the sums go on."""
    for name in "12345":
        append_everywhere(sales, [int(name)])
        sales.driver.turn()
        sales.driver.join(name)
    append_everywhere(sales, [7, 8])
    sales.driver.turn()
    for name in "01234":
        sales.driver.leave(name)
        append_everywhere(sales, [int(name)])
    sales.check()


class Watchful(RunningSums):
    """Running sums that remember what they were asked to keep, and to restore."""

    def __init__(self) -> None:
        self.kept: list[frozenset[int]] = []
        self.restored: list[tuple[int, Mapping[str, int]]] = []

    def keep(self, state: Sums, partitions: frozenset[int]) -> Sums:
        """Remember, and keep."""
        self.kept.append(partitions)
        return super().keep(state, partitions)

    def restore(self, state: Sums, partition: int, note: Mapping[str, int]) -> Sums:
        """Remember, and restore."""
        self.restored.append((partition, note))
        return super().restore(state, partition, note)


def test_unmoved_partitions_keep_their_state() -> None:
    """A rebalance that gives back what one had rebuilds nothing."""
    component = Watchful()
    driver = Driver(component, partitions=2)
    sales = Sales(driver)
    sales.append(1, 2, 3, 4)
    sales.append(5, partition=1)
    driver.run()
    component.restored.clear()
    driver.broker.rebalance()
    sales.append(9)
    sales.check()
    assert frozenset({0, 1}) == component.kept[-1]
    assert component.restored == []


def test_moved_partitions_are_rebuilt_from_rewind_and_note() -> None:
    """Who takes a partition over is told its note, and reads again from its rewind."""
    component = Watchful()
    driver = Driver(component, partitions=2)
    sales = Sales(driver)
    sales.append(1, 2, 3, 4, partition=1)
    driver.run()
    component.restored.clear()
    driver.join("1")
    driver.run()
    assert component.restored == [(1, {"sales": 1})]
    sales.append(5, partition=1)
    sales.check()
    assert ("sales[1]#4", 15, 12) in driver.read("sums").rows()


def test_partitions_that_were_away_meanwhile(sales: Sales) -> None:
    """Between two of our readings, another instance came, went on with our partitions, and left."""
    append_everywhere(sales, range(5))
    sales.driver.run()
    sales.driver.join("1")
    append_everywhere(sales, range(5, 8))
    for _ in range(9):
        sales.driver.turn("1")
    assert sales.driver.read("sums").height > 40
    sales.driver.leave("1")
    append_everywhere(sales, [9])
    sales.check()


def test_places_carry_rewind_and_note(sales: Sales) -> None:
    """A commit tells where to go on, from where to read again, and what was noted."""
    sales.append(1, 2, 3, 4, 5, partition=2)
    sales.driver.run()
    assert Committed(5, rewind=2, note={"sales": 3}) == sales.driver.broker.place(
        TopicPartition("sales", 2)
    )


def test_first_commit_tells_all_places(sales: Sales) -> None:
    """From the first commit on, a partition without a place is one whose place has expired."""
    sales.append(1, partition=2)
    sales.driver.run()
    assert {TopicPartition("sales", number) for number in range(4)} == set(
        sales.driver.broker.places
    )
    before = sales.driver.broker.places.pop(TopicPartition("sales", 3))
    sales.append(1, partition=2)
    sales.driver.run()
    assert TopicPartition("sales", 3) not in sales.driver.broker.places
    assert Committed(0, 0, {}) == before


def test_interrupted_rebuild_is_begun_again() -> None:
    """A rebalance while a state is rebuilt leaves nothing half rebuilt behind."""
    component = Watchful()
    driver = Driver(component, partitions=2)
    sales = Sales(driver)
    sales.append(1, 2, 3, 4)
    sales.append(5, 6, 7, 8, partition=1)
    driver.run()
    driver.restart()
    driver.interrupt_rebuild()
    component.restored.clear()
    driver.run()
    assert component.restored == [(0, {"sales": 1}), (1, {"sales": 5})] * 2
    sales.append(9, partition=1)
    sales.check()


def test_gaps_in_the_offsets(sales: Sales) -> None:
    """Markers and aborted records use up offsets; what comes after them is read all the same."""
    sales.append(1, 2)
    sales.driver.broker.topic("sales").skip([0, 0, 0])
    sales.append(3, 4, 5, 6)
    sales.driver.run()
    sales.driver.restart()
    sales.append(7)
    sales.check()
    last = Sum().plus(6, 4).plus(7, 5).plus(8, 6).plus(9, 7)
    assert last.last[0][0] == sales.driver.broker.place(TopicPartition("sales", 0)).rewind


class Minutes:
    """Writes one row when a minute has passed since the last one."""

    name = "minutes"

    def initial(self) -> int:
        """No minute was told of."""
        return 0

    def step(self, state: int, batch: Batch, now: datetime) -> Step[int]:
        """Tell of the minute, once."""
        del batch
        minute = int(now.timestamp()) // 60
        if minute <= state:
            return Step(state)
        return Step(minute, Outputs({"minutes": pl.DataFrame({"at": [now]})}))

    def keep(self, state: int, partitions: frozenset[int]) -> int:
        """Whatever partitions there are."""
        del partitions
        return state

    def restore(self, state: int, partition: int, note: object) -> int:
        """Nothing was noted."""
        del partition, note
        return state

    def settle(self, state: int) -> int:
        """Nothing to settle."""
        return state


def test_tick() -> None:
    """On an idle stream, time alone makes outputs; an aborted tick is repeated."""
    driver = Driver(Minutes())
    driver.pipe("any", [])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    driver.advance(timedelta(seconds=59))
    driver.abort(1)
    driver.advance(timedelta(seconds=1))
    driver.advance(timedelta(seconds=30))
    assert [start, start + timedelta(minutes=1)] == driver.read("minutes")["at"].to_list()


def test_tick_is_fenced() -> None:
    """A tick's outputs come with all places, so that the log can refuse those of a stranger."""
    driver = Driver(Minutes(), partitions=3)
    driver.pipe("any", [])
    driver.broker.places.clear()
    driver.advance(timedelta(minutes=1))
    assert sorted(each.partition for each in driver.broker.places) == [0, 1, 2]


class MinutesOfPartitions:
    """Writes, for each partition, one row when a minute has passed; the note says which."""

    name = "minutes of partitions"

    def initial(self) -> Mapping[int, int]:
        """No partition is ours."""
        return {}

    def step(
        self, state: Mapping[int, int], batch: Batch, now: datetime
    ) -> Step[Mapping[int, int]]:
        """Tell of the minute, once for each partition."""
        del batch
        minute = int(now.timestamp()) // 60
        due = [partition for partition, told in state.items() if told < minute]
        rows = pl.DataFrame({"partition": due, "minute": [minute] * len(due)})
        told = {**state, **dict.fromkeys(due, minute)}
        notes = {partition: {"minute": minute} for partition in due}
        return Step(told, Outputs({"minutes": rows}), note=notes)

    def keep(self, state: Mapping[int, int], partitions: frozenset[int]) -> Mapping[int, int]:
        """The minutes of these partitions."""
        return {each: minute for each, minute in state.items() if each in partitions}

    def restore(
        self, state: Mapping[int, int], partition: int, note: Mapping[str, int]
    ) -> Mapping[int, int]:
        """The minute that was noted."""
        return {**state, partition: note.get("minute", 0)}

    def settle(self, state: Mapping[int, int]) -> Mapping[int, int]:
        """Nothing to settle."""
        return state


def test_what_another_has_noted_meanwhile() -> None:
    """A partition has moved, too, when another instance has only written something at a tick."""
    driver = Driver(MinutesOfPartitions(), partitions=2)
    driver.pipe("any", [])
    driver.join("1")
    driver.clock.advance(timedelta(minutes=1))
    for _ in range(5):
        driver.turn("1")
    driver.leave("1")
    driver.run()
    minutes = driver.read("minutes")
    assert minutes.height == 4
    assert not minutes.is_duplicated().any()


class Endless(Minutes):
    """Always has something to say."""

    def step(self, state: int, batch: Batch, now: datetime) -> Step[int]:
        """Say it again."""
        del batch
        return Step(state, Outputs({"minutes": pl.DataFrame({"at": [now]})}))


def test_driver_notices_what_never_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A component that writes at every tick is told so, and no test hangs."""
    monkeypatch.setattr("edml.testing.driver.AT_LAST", 50)
    with pytest.raises(AssertionError, match="'minutes' writes something at every tick"):
        Driver(Endless()).run()


def test_driver_notices_a_crash_that_cannot_be() -> None:
    """To ask for a crash where nothing is left to do is a mistake in the test."""
    with pytest.raises(AssertionError, match="no instance got to BEFORE_COMMIT"):
        Driver(RunningSums()).crash(Crash.BEFORE_COMMIT)


def test_a_refused_record_stands_alone(sales: Sales) -> None:
    """A record of which the log refuses the output is rejected; the others go on as if without."""
    sales.driver.broker.refused = lambda _, frame: "culprit" in frame["id"]
    for value in range(23):
        sales.append(value)
    sales.driver.append("sales", pl.DataFrame({"id": ["culprit"], "value": [666]}), partition=0)
    for value in range(23, 40):
        sales.append(value)
    sales.check()
    letters = sales.driver.dead_letters
    assert letters.select("topic", "_partition", "_offset").rows() == [("sales", 0, 23)]
    assert "too large" in letters["cause"][0]


def test_several_refused_records_stand_alone(sales: Sales) -> None:
    """Of one batch, each record whose output is refused is found; the others go on."""
    sales.driver.broker.refused = lambda _, frame: frame["id"].str.contains("culprit").any()
    for number in range(4):
        sales.append(*range(number))
        name = f"culprit {number}"
        rows = pl.DataFrame({"id": [name], "value": [666]})
        sales.driver.append("sales", rows, partition=0)
    sales.check()
    assert sales.driver.dead_letters["_offset"].to_list() == [0, 2, 5, 9]


def test_a_refused_record_stays_rejected_when_its_rejection_is_aborted(
    sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log fails at that very moment: the record is rejected again, and not tried again."""
    broker, write = sales.driver.broker, MemoryLog._write  # noqa: SLF001
    failed: list[Outputs] = []

    def write_or_fail(
        log: MemoryLog, reading: MemoryReading, outputs: Outputs, places: Any
    ) -> None:
        if outputs.rejected and not failed:
            failed.append(outputs)
            broker.refuse(1)
        write(log, reading, outputs, places)

    monkeypatch.setattr(MemoryLog, "_write", write_or_fail)
    broker.refused = lambda _, frame: "culprit" in frame["id"]
    sales.append(1)
    sales.driver.append("sales", pl.DataFrame({"id": ["culprit"], "value": [666]}), partition=0)
    sales.append(2)
    sales.check()
    assert len(failed) == 1
    assert sales.driver.dead_letters["_offset"].to_list() == [1]


def test_what_is_refused_whatever_is_read_ends_it() -> None:
    """Outputs of no record that are refused are not tried for ever: the error says so."""
    driver = Driver(Minutes())
    driver.broker.refused = lambda topic, _: topic == "minutes"
    driver.append("any", pl.DataFrame({"id": ["a"]}))
    with pytest.raises(LogError, match="refuses what is to be written, whatever is read"):
        driver.run()
