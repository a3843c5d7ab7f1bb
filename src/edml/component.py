"""What edml is made of: components, each a pure step over batches of events.

One shell runs them all (`edml.runtime`); everything in it follows from `Component.step`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from edml.events import Batch, Outputs, TopicPartition

S = TypeVar("S")
"""The state: an immutable value, or a persistent one with cheap versions."""


@dataclass(frozen=True)
class Step(Generic[S]):
    """What one step gives: the next state, what is to be written, and what a restart needs.

    ``rewind`` is, by partition, the oldest offset that the state still needs; a partition that is
    not named needs nothing. ``note`` holds, by partition number, a few integers that are committed
    with the offsets and given back to `Component.restore` (watermarks, say).
    """

    state: S
    outputs: Outputs = field(default_factory=Outputs)
    rewind: Mapping[TopicPartition, int] = field(default_factory=dict)
    note: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


class Component(Protocol[S]):
    """A fold over the log, partition number by partition number."""

    @property
    def name(self) -> str:
        """The verb: ``serve``, ``score``."""
        ...

    def initial(self) -> S:
        """The state before anything was read."""
        ...

    def step(self, state: S, batch: Batch, now: datetime) -> Step[S]:
        """Fold a batch into the state. Pure: the same arguments give the same result."""
        ...

    def keep(self, state: S, partitions: frozenset[int]) -> S:
        """What is left of a state when only these partitions are still ours."""
        ...

    def restore(self, state: S, partition: int, note: Mapping[str, int]) -> S:
        """The state with what was noted of a partition; its records since the rewind come next."""
        ...

    def settle(self, state: S) -> S:
        """Told that ``state`` is committed: no older version will be asked for any more."""
        ...
