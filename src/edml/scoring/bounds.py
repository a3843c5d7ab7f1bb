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

    What is before ``horizon`` is not remembered; what is before ``closed`` does not count. They
    differ only while the records of a restored partition are read again: what was closed stays
    closed, yet the records that tell which ones repeat others must be remembered once more.
    """

    rule: Rule
    now: int
    horizon: Integers
    closed: Integers

    @classmethod
    def of(
        cls, rule: Rule, now: int, horizon: Mapping[int, int], closed: Mapping[int, int], most: int
    ) -> Self:
        """The bounds with all partition numbers up to ``most``, at least."""
        largest = max([most, *horizon, *closed])
        return cls(rule, now, by_number(horizon, largest), by_number(closed, largest))


def by_number(times: Mapping[int, int], largest: int) -> Integers:
    """Times by partition number as an array, where `NEVER` stands for none."""
    numbers = np.full(largest + 1, NEVER, dtype=np.int64)
    for partition, time in times.items():
        numbers[partition] = time
    return numbers
