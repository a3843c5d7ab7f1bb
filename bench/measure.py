"""The arithmetic of the bench: rates, spreads, ratios and percentiles. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Sample(NamedTuple):
    """How far a topic had grown at a moment: the sum of its partitions' stable ends.

    And what processor time the peer, the broker and everybody else had taken by then.
    """

    at_s: float
    offset: int
    peer_cpu_s: float = 0.0
    broker_cpu_s: float = 0.0
    others_cpu_s: float = 0.0


class Window(NamedTuple):
    """The steady middle of a run, from one visible advance to another."""

    first: Sample
    last: Sample

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.last.at_s - self.first.at_s

    @property
    def offsets(self) -> int:
        """How many offsets became visible in it."""
        return self.last.offset - self.first.offset

    @property
    def peer_cpu_s(self) -> float:
        """The processor time that the peer took in it."""
        return self.last.peer_cpu_s - self.first.peer_cpu_s

    @property
    def broker_cpu_s(self) -> float:
        """The processor time that the broker took in it."""
        return self.last.broker_cpu_s - self.first.broker_cpu_s

    @property
    def others_cores(self) -> float:
        """How many processors somebody else took, on average: the less, the truer the figures."""
        return (self.last.others_cpu_s - self.first.others_cpu_s) / self.seconds


def advances(samples: Sequence[Sample]) -> list[Sample]:
    """The samples at which something new was seen."""
    return [now for before, now in pairwise(samples) if now.offset > before.offset]


def steady(samples: Sequence[Sample], *, warm_s: float) -> Window | None:
    """The run without its first ``warm_s`` seconds after the first visible output.

    Of a run that is short the first half is left out. From advance to advance: whoever commits
    seldom is not measured by the sampling's luck: the last two are taken where no two come after
    the warm-up. None when there are not two.
    """
    seen = advances(samples)
    if len(seen) < 2:
        return None
    warm_s = min(warm_s, (seen[-1].at_s - seen[0].at_s) / 2)
    warm = [each for each in seen if each.at_s >= seen[0].at_s + warm_s]
    return Window(warm[0], warm[-1]) if len(warm) > 1 else Window(*seen[-2:])


@dataclass(frozen=True)
class Spread:
    """Some rounds' figures: their median, and how far they lie apart."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(float(median(values)), min(values), max(values), len(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """How much more we do than they, round by round: what slows a round slows both."""
    return spread([one / other for one, other in zip(ours, theirs, strict=True)])


@dataclass(frozen=True)
class Latency:
    """Percentiles in milliseconds of so many events."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float
    events: int


def latency(seconds: ArrayLike) -> Latency:
    """The percentiles of latencies in seconds."""
    milliseconds = np.asarray(seconds, np.float64) * 1000
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99))
    return Latency(float(p50), float(p95), float(p99), float(milliseconds.max()), milliseconds.size)
