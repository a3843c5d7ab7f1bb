"""What holds for one batch: the rule, the clock, and how far back each partition still looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from edml.scoring.growing import Integers
from edml.scoring.rule import Rule
from edml.scoring.watermark import NEVER


class Silence(NamedTuple):
    """What the clock closed in one partition while nothing came, ahead of the records.

    Records at the ``predictions`` or ``outcomes`` offset and after came after it: they meet nothing
    that is ``before`` that time.
    """

    before: int
    predictions: int
    outcomes: int


@dataclass(frozen=True)
class Bounds:
    """The rule, the instant in µs, and by partition number what was closed.

    What is before ``closed`` is not counted any more. ``silent`` is the time of the last silence,
    ``since`` holds its offsets in predictions and outcomes. (What the records have closed needs no
    such care: nothing that is not too late can meet it.)
    """

    rule: Rule
    now: int
    closed: Integers
    silent: Integers
    since: tuple[Integers, Integers]

    @classmethod
    def of(
        cls,
        rule: Rule,
        now: int,
        closed: Mapping[int, int],
        silences: Mapping[int, Silence],
        most: int,
    ) -> Self:
        """The bounds with all partition numbers up to ``most``, at least."""
        largest = max([most, *closed, *silences])
        before, predictions, outcomes = (
            by_number({p: silence[place] for p, silence in silences.items()}, largest)
            for place in range(len(Silence._fields))
        )
        return cls(rule, now, by_number(closed, largest), before, (predictions, outcomes))


def by_number(times: Mapping[int, int], most: int) -> Integers:
    """Times by partition number, up to ``most`` at least, where `NEVER` stands for none."""
    numbers = np.full(max([most, *times]) + 1, NEVER, dtype=np.int64)
    for partition, time in times.items():
        numbers[partition] = time
    return numbers
