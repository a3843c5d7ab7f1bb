"""What holds for one batch: the rule, the clock, and how far back each partition still looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from edml.scoring.rows import Integers
from edml.scoring.rule import Rule
from edml.scoring.watermark import NEVER


@dataclass(frozen=True)
class Bounds:
    """The rule and the instant, in µs, and two times for each partition number.

    What is before ``closed`` does not count. What is before ``silent`` was closed by the clock, in
    a silence, and is not remembered either. (What records have closed may be remembered or not:
    nothing that is not too late can meet it.)
    """

    rule: Rule
    now: int
    closed: Integers
    silent: Integers

    @classmethod
    def of(
        cls, rule: Rule, now: int, closed: Mapping[int, int], silent: Mapping[int, int], most: int
    ) -> Self:
        """The bounds with all partition numbers up to ``most``, at least."""
        largest = max([most, *closed, *silent])
        return cls(rule, now, by_number(closed, largest), by_number(silent, largest))


def by_number(times: Mapping[int, int], largest: int) -> Integers:
    """Times by partition number as an array, where `NEVER` stands for none."""
    numbers = np.full(largest + 1, NEVER, dtype=np.int64)
    for partition, time in times.items():
        numbers[partition] = time
    return numbers
