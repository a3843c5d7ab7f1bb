from collections.abc import Sequence
from contextlib import suppress

import polars as pl
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edml.events import TopicPartition
from edml.testing import Crash, Driver
from tests.sums import OnePass, RunningSums

PARTITIONS = 3
LAST_INSTANCE = 3


class Shell(RuleBasedStateMachine):
    """Values come, instances turn, die, join and leave, commits are refused: in any order."""

    overlap_from = 0

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(
            RunningSums(), partitions=PARTITIONS, at_most=4, overlap_from=self.overlap_from
        )
        self.expected = OnePass()
        self.instances = ["0"]

    @rule(
        topic=st.sampled_from(["sales", "returns"]),
        partition=st.integers(0, PARTITIONS - 1),
        values=st.lists(st.integers(-100, 100), min_size=1, max_size=9),
    )
    def append(self, topic: str, partition: int, values: Sequence[int]) -> None:
        """Put values on the log."""
        place, names = TopicPartition(topic, partition), []
        for value in values:
            names.append(str(len(self.expected.rows)))
            self.expected = self.expected.add(place, names[-1], value)
        rows = pl.DataFrame({"id": names, "value": values})
        self.driver.append(topic, rows, partition=partition)

    @rule(data=st.data(), times=st.integers(1, 5))
    def turn(self, data: st.DataObject, times: int) -> None:
        """One instance goes round its loop."""
        instance = data.draw(st.sampled_from(self.instances))
        for _ in range(times):
            self.driver.turn(instance)

    @rule(at=st.sampled_from(Crash), again=st.booleans())
    def crash(self, at: Crash, again: bool) -> None:  # noqa: FBT001  hypothesis fills it in
        """Some instance dies at this moment, if any gets there."""
        if again:
            self.driver.restart(self.instances[0])
        with suppress(AssertionError):  # nothing was left to do
            self.driver.crash(at)

    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """An instance dies where it stands."""
        self.driver.restart(data.draw(st.sampled_from(self.instances)))

    @rule()
    def join(self) -> None:
        """One more instance."""
        if len(self.instances) <= LAST_INSTANCE:
            name = next(str(each) for each in range(9) if str(each) not in self.instances)
            self.instances.append(name)
            self.driver.join(name)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """One instance fewer."""
        if len(self.instances) > 1:
            name = data.draw(st.sampled_from(self.instances))
            self.instances.remove(name)
            self.driver.leave(name)

    @rule(commits=st.integers(1, 3))
    def abort(self, commits: int) -> None:
        """The broker refuses the next commits."""
        self.driver.abort(commits)

    @rule()
    def interrupt_rebuild(self) -> None:
        """The group rebalances while a state is rebuilt."""
        self.driver.interrupt_rebuild()

    @rule()
    def rebalance(self) -> None:
        """The group gives its partitions out anew."""
        self.driver.broker.rebalance()

    @invariant()
    def nothing_is_doubled_or_wrong(self) -> None:
        """What was committed so far is part of what one pass gives."""
        rows = self.driver.read("sums").rows()
        assert len(set(rows)) == len(rows)
        assert set(rows) <= set(self.expected.rows)

    def teardown(self) -> None:
        """In the end, nothing is lost."""
        self.driver.run()
        assert sorted(self.expected.rows) == sorted(self.driver.read("sums").rows())


class QuietShell(Shell):
    """The same when each commit is waited for before more is read, as when there is no backlog."""

    overlap_from = 1_000


TestShell = Shell.TestCase
TestShell.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestQuietShell = QuietShell.TestCase
TestQuietShell.settings = TestShell.settings
