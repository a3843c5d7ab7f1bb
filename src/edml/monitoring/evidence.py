"""Evidence that something has changed at some time: an e-detector, with a stated false-alarm rate.

An e-detector (Shin, Ramdas & Rinaldo, "E-detectors: a nonparametric framework for sequential change
detection", 2023) starts an e-process with each block, each betting that the change was there. The
sum of all of them (Shiryaev-Roberts) is no larger than the number of blocks on average while
nothing has changed, whenever one looks: so an alarm at a threshold of N comes once in N blocks on
average, or more rarely.

Each bet is on a surprise `y` in units of its spread, clipped to ±2: it is multiplied by
exp(λ y - ψ(λ)), where ψ(λ) = log(1 + (cosh(2λ) - 1) / 4) is the largest that log E exp(λ y) can be
for any symmetric y in ±2 with a mean square of 1 (Bennett 1962; the two ends and 0 are the worst
case). Nothing is taken to be normal, and no block counts for more than a factor of 7.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edml.monitoring.quiet import CLIP

Numbers = NDArray[np.float64]

BETS: Final = np.array([0.5, 1.0, 1.5, 2.0])
"""λ, by how many spreads each bet takes the mean to have risen: they share the capital."""
_COST: Final = np.log1p((np.cosh(CLIP * BETS) - 1) / CLIP**2)
_MOST: Final = 1e12
"""Evidence is not counted beyond this."""


class Evidence:
    """The evidence of a rise, in many series side by side."""

    def __init__(self, series: int) -> None:
        shape = (BETS.size, series)
        self._sums = np.zeros(shape)
        self._best = np.zeros(shape)
        self._starts = np.zeros(shape, dtype=np.int64)

    @property
    def statistic(self) -> Numbers:
        """The e-detector of each series: E[statistic] ≤ number of blocks while nothing changes."""
        statistic: Numbers = self._sums.mean(axis=0)
        return statistic

    @property
    def start(self) -> NDArray[np.int64]:
        """The number of the block from which on each series has risen, if it has."""
        best = self._best.argmax(axis=0)
        start: NDArray[np.int64] = self._starts[best, np.arange(best.size)]
        return start

    def add(self, number: int, surprise: Numbers) -> None:
        """Take the surprises of a block, each divided by its spread; NaN is none at all."""
        there = ~np.isnan(surprise)
        clipped = np.clip(np.where(there, surprise, 0.0), -CLIP, CLIP)
        gain = np.where(there, BETS[:, None] * clipped - _COST[:, None], 0.0)
        self._sums = np.minimum((there + self._sums) * np.exp(gain), _MOST)
        self._starts = np.where(self._best <= 0, number, self._starts)
        self._best = np.maximum(self._best, 0.0) + gain
