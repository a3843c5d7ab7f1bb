"""What is normal: how blocks vary while nothing is wrong, learnt as it goes on.

Days differ by more than the number of their events tells: by weather, holidays, road works; and a
bad day is followed by another. So their spread is taken from whole days: from those of the hold-out
first, then from those that have stayed quiet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

CLIP: Final = 2.0
"""Deviations count up to so many spreads: an odd day is no more than an odd day."""

_MOST_CORRELATION: Final = 0.8


@dataclass(frozen=True)
class Normal:
    """How blocks deviate from what is expected of them while nothing is wrong.

    ``spread`` is the standard deviation from block to block, beyond what the count of a block
    explains, of deviations clipped to `CLIP` times itself; ``correlation`` is that of a block with
    the next one; ``blocks`` is how many both are known from. The mean of the deviations may lie up
    to ``band`` on either side of none: it is learnt within that, and not beyond. ``least`` is a
    spread below which no expectation is exact.
    """

    spread: float
    correlation: float
    blocks: float
    band: float
    least: float


class Learnt:
    """`Normal`, as the blocks so far have corrected it, of many series side by side.

    Arrays have one element for each series; NaN is a block that is missing.
    """

    def __init__(self, priors: Sequence[Normal]) -> None:
        spread, correlation, blocks, self._band, self._least = (
            np.array([getattr(prior, name) for prior in priors], dtype=np.float64)
            for name in ("spread", "correlation", "blocks", "band", "least")
        )
        variance = np.maximum(spread, self._least) ** 2
        self._blocks = blocks
        self._deviations = np.zeros(len(priors))
        self._surprises = blocks * variance * (1 - correlation**2)
        self._products = blocks * variance * correlation
        self._squares = blocks * variance

    @property
    def level(self) -> Numbers:
        """The mean deviation, within the band."""
        level: Numbers = np.clip(self._deviations / self._blocks, -self._band, self._band)
        return level

    @property
    def correlation(self) -> Numbers:
        """How much of a block's deviation is found again in the next one."""
        correlation: Numbers = np.clip(self._products / self._squares, 0.0, _MOST_CORRELATION)
        return correlation

    @property
    def spread(self) -> Numbers:
        """The standard deviation of what a block has that the one before did not announce."""
        spread: Numbers = np.sqrt(np.maximum(self._surprises / self._blocks, self._least**2))
        return spread

    def surprise(self, now: Numbers, before: Numbers, noise: Numbers) -> tuple[Numbers, Numbers]:
        """What a block has that the one ``before`` did not announce, and its standard deviation.

        ``noise`` is the variance of the block's value that its count explains.
        """
        limit = self._limit(noise)
        announced = np.nan_to_num(self.correlation * np.clip(before - self.level, -limit, limit))
        return now - self.level - announced, np.sqrt(self.spread**2 + noise)

    def learn(self, now: Numbers, before: Numbers, noise: Numbers) -> None:
        """Take a block, after the one ``before`` it, for normal."""
        surprise, deviation = self.surprise(now, before, noise)
        limit, most = self._limit(noise), CLIP * deviation
        square = np.clip(surprise, -most, most) ** 2 - noise
        level = self.level
        here, there = (np.clip(each - level, -limit, limit) for each in (now, before))
        self._deviations += np.nan_to_num(level + here)
        self._surprises += np.nan_to_num(square)
        self._blocks += ~np.isnan(now)
        self._products += np.nan_to_num(here * there)
        self._squares += np.nan_to_num(np.where(np.isnan(here), np.nan, there**2))

    def _limit(self, noise: Numbers) -> Numbers:
        limit: Numbers = CLIP * np.sqrt(self.spread**2 / (1 - self.correlation**2) + noise)
        return limit
