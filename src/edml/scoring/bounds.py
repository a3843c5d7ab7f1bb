"""What holds for one batch: the rule, the clock, and how far back each partition still looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from edml.scoring.rows import Integers
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
    ``since_predictions`` and ``since_outcomes`` are its offsets. (What the records have closed
    needs no such care: nothing that is not too late can meet it.)
    """

    rule: Rule
    now: int
    closed: Integers
    silent: Integers
    since_predictions: Integers
    since_outcomes: Integers

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
        columns = (
            {p: silence[place] for p, silence in silences.items()}
            for place in range(len(Silence._fields))
        )
        return cls(
            rule, now, by_number(closed, largest), *(by_number(each, largest) for each in columns)
        )


def by_number(times: Mapping[int, int], largest: int) -> Integers:
    """Times by partition number as an array, where `NEVER` stands for none."""
    numbers = np.full(largest + 1, NEVER, dtype=np.int64)
    for partition, time in times.items():
        numbers[partition] = time
    return numbers
