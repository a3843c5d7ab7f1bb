"""The log as the shell sees it: a port, with Kafka behind it in production and memory in tests.

The contract, from which exactly-once follows:

- a `Reading` carries everything that its commit needs (offsets, group metadata, the original bytes
  of what is rejected), captured when it was read; nothing is looked up at commit time;
- outputs, dead letters and offsets of one commit become visible together or not at all;
- after an `Assignment`, nothing that was read before it can be committed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from edml.errors import LogError
from edml.events import Batch, Outputs, TopicPartition


class AbortedError(Exception):
    """The transaction was aborted: nothing of it is visible. Go back, and try again."""


class RefusedError(AbortedError):
    """The log refuses a record of the transaction, and always will: it is too large, say."""


class FencedError(LogError):
    """Another process has taken this instance's place: stop, and write nothing more."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the log takes nothing more from this instance: {cause}",
            todo="start it again: nothing is lost. It was away for longer than its session and its "
            "transaction may last (10 s), or another process has its name: then give each an "
            "EDML_HOME of its own",
        )


class StuckError(LogError):
    """A commit does not end: whether it has happened, only a new start can tell."""

    leaves_threads = True

    def __init__(self, after_s: float, instance: str | None) -> None:
        super().__init__(
            f"a commit is not over after {after_s:.0f} s: the brokers do not answer, or did not "
            "for longer than a transaction may last",
            where=instance,
            todo="start it again: nothing is lost, and it goes on from what is committed. If it "
            "ends again, see whether the brokers are there with `edml status`",
        )


class ReassignedError(Exception):
    """The partitions were taken away while they were read again: the next reading tells more."""


@dataclass(frozen=True)
class Committed:
    """One partition's place: where to go on, and from where to feed again to rebuild the state."""

    offset: int
    rewind: int
    note: Mapping[str, int]


@dataclass(frozen=True)
class Assignment:
    """The partitions that are ours from now on, and what is committed of each."""

    partitions: Mapping[TopicPartition, Committed]


class Reading(Protocol):
    """A batch, and all that its commit needs."""

    @property
    def batch(self) -> Batch:
        """The decoded records."""
        ...

    @property
    def empty(self) -> bool:
        """Whether nothing was read, not even a record that could not be decoded."""
        ...


R = TypeVar("R", bound=Reading)


class Commit(Protocol):
    """A commit on its way."""

    def wait(self) -> None:
        """Return when it is durable; raise `AbortedError` or `FencedError` when it will not be.

        Raises `StuckError` when it does not end.
        """
        ...


class Log(Protocol[R]):
    """Reads batches, and commits what a step made of them."""

    def read(self, *, at_most: int, wait_s: float) -> R | Assignment | None:
        """What is there now, ``at_most`` records; waits ``wait_s`` seconds for the first one.

        None means that no partition is ours at present, and nothing may be committed.
        """
        ...

    def again(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[Batch]:
        """The records from the first offset up to before the second, by partition, once more.

        Raises `ReassignedError` when a rebalance comes before the last of them.
        """
        ...

    def resume(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets, and forget what was read ahead."""
        ...

    def commit(
        self, reading: R, outputs: Outputs, places: Mapping[TopicPartition, Committed]
    ) -> Commit:
        """Begin to write outputs, the reading's rejected records, and offsets. Never raises."""
        ...

    def close(self) -> None:
        """Leave, so that others can take over at once."""
        ...
