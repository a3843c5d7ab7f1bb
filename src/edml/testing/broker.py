"""A broker in memory: topics, one group's places, and the instances that share the partitions.

It keeps what Kafka promises and no more: an aborted transaction leaves a gap in the offsets, so
does the marker of a committed one, and a commit is refused when the group has moved on since its
batch was read.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import polars as pl

from edml.events import OFFSET, PARTITION, Outputs, TopicPartition
from edml.runtime.clock import Clock, SystemClock
from edml.runtime.log import Committed
from edml.testing.topic import Topic

DEAD_LETTERS = pl.Schema(
    {
        "topic": pl.String(),
        PARTITION: pl.Int32(),
        OFFSET: pl.Int64(),
        "cause": pl.String(),
    }
)


def _never(topic: str, frame: pl.DataFrame) -> bool:
    del topic, frame
    return False


class Member(Protocol):
    """An instance in the group, as the broker sees it."""

    @property
    def instance(self) -> str:
        """Its name: who takes the same name takes its place."""
        ...

    def revoke(self) -> None:
        """Told that its partitions are taken away: finish what is being committed."""
        ...

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Told which partitions are its own."""
        ...


class MemoryBroker:
    """Topics by name, all with the same number of ``partitions``, made when they are first named.

    A topic's key is its first column unless ``keys`` names another.
    """

    def __init__(
        self,
        partitions: int = 1,
        *,
        keys: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.partitions = partitions
        self.places: dict[TopicPartition, Committed] = {}
        self.dead_letters = pl.DataFrame(schema=DEAD_LETTERS)
        self.generation = 0
        self._topics: dict[str, Topic] = {}
        self._keys = keys or {}
        self._clock = clock or SystemClock()
        self._inputs: set[str] = set()
        self._members: dict[str, Member] = {}
        self._refusals = 0
        self.refused: Callable[[str, pl.DataFrame], bool] = _never
        """Whether a topic refuses rows, as one does that are too large."""

    def topic(self, name: str) -> Topic:
        """The topic of that name."""
        if name not in self._topics:
            key = self._keys.get(name)
            self._topics[name] = Topic(name, partitions=self.partitions, key=key)
        return self._topics[name]

    def now(self) -> datetime:
        """The time that records are stamped with."""
        return self._clock.now()

    def subscribe(self, topic: str) -> None:
        """Have the group read a topic, too."""
        if topic not in self._inputs:
            self._inputs.add(topic)
            self.rebalance()

    def join(self, member: Member) -> None:
        """Take part in the group; who has the name of another fences it, and moves nobody else."""
        if member.instance in self._members:
            self._members[member.instance] = member
            self._assign_to(member)
        else:
            self._members[member.instance] = member
            self.rebalance()

    def leave(self, member: Member) -> None:
        """Leave the group: the others take over."""
        if self.holds(member):
            del self._members[member.instance]
            self.rebalance()

    def holds(self, member: Member) -> bool:
        """Whether nobody has taken this member's place."""
        return self._members.get(member.instance) is member

    def rebalance(self) -> None:
        """Take all partitions away, and give them out anew."""
        for member in list(self._members.values()):
            member.revoke()
        self.generation += 1
        for member in self._members.values():
            self._assign_to(member)

    def place(self, partition: TopicPartition) -> Committed:
        """What is committed of a partition: its beginning, at a first start."""
        return self.places.get(partition, Committed(0, 0, {}))

    def refuse(self, commits: int) -> None:
        """Abort as many of the next commits."""
        self._refusals = commits

    def refuses(self) -> bool:
        """Whether this commit is one to be aborted."""
        self._refusals -= 1
        return self._refusals >= 0

    def write_in_vain(self, outputs: Outputs) -> None:
        """Write what an aborted transaction leaves: gaps in the offsets, and nothing to be read."""
        for name, frame in outputs.frames.items():
            topic = self.topic(name)
            topic.skip(sorted(topic.partitions_of(frame)))

    def write(
        self,
        outputs: Outputs,
        dead_letters: pl.DataFrame,
        places: Mapping[TopicPartition, Committed],
    ) -> None:
        """Make outputs, dead letters and places visible, together."""
        for name, frame in outputs.frames.items():
            topic = self.topic(name)
            topic.append(frame, at=self.now())
            topic.skip(sorted(topic.partitions_of(frame)))
        self.dead_letters = pl.concat([self.dead_letters, dead_letters])
        self.places |= places

    def _assign_to(self, member: Member) -> None:
        """Deal partitions out by number, so that partition *i* of all topics stays together."""
        names = sorted(self._members)
        share = names.index(member.instance)
        member.assign(
            [
                TopicPartition(topic, number)
                for topic in sorted(self._inputs)
                for number in range(self.partitions)
                if number * len(names) // self.partitions == share
            ]
        )
