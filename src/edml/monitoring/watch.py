"""Series of blocks, watched for a change of their mean: the engine behind all detectors."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edml.application import Policy
from edml.models.evidence import About, Alarm
from edml.monitoring.evidence import Evidence
from edml.monitoring.quiet import Learnt, Normal

Numbers = NDArray[np.float64]

LEARNT_AFTER: Final = 7
"""A block is taken for normal when so many more have passed without an alarm."""


@dataclass(frozen=True)
class Watched:
    """One series: what it is about, how it varies, and how much of it is let pass.

    A mean within ``slack`` of the normal one is no change; ``falls`` tells whether a fall is one,
    too. ``share`` is its part of the false alarms that are allowed.
    """

    about: About
    segment: str
    normal: Normal
    slack: float
    falls: bool
    share: float


class Raised(NamedTuple):
    """The change of a series, from the ``first`` to the ``last`` block (numbers of rows)."""

    series: int
    first: int
    last: int
    statistic: float
    threshold: float


class _Block(NamedTuple):
    now: Numbers
    before: Numbers
    noise: Numbers


class Detector:
    """Many series side by side, block after block; see `edml.monitoring.evidence`."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self._slack = np.array([each.slack for each in watched])
        self._falls = np.array([each.falls for each in watched])
        self._learnt = Learnt([each.normal for each in watched])
        self._rise, self._fall = Evidence(len(watched)), Evidence(len(watched))
        self._waiting: deque[_Block] = deque()

    @property
    def statistic(self) -> Numbers:
        """The evidence of each series: where both sides count, the mean of both."""
        rise, fall = self._rise.statistic, self._fall.statistic
        statistic: Numbers = np.where(self._falls, (rise + fall) / 2, rise)
        return statistic

    def start(self, series: int) -> int:
        """Since which block a series has changed, if it has."""
        rise, fall = self._rise, self._fall
        falls = self._falls[series] and fall.statistic[series] > rise.statistic[series]
        return int((fall if falls else rise).start[series])

    def add(self, number: int, now: Numbers, before: Numbers, noise: Numbers) -> None:
        """Take a block; NaN where a series has none."""
        surprise, deviation = self._learnt.surprise(now, before, noise)
        slack = self._slack * (1 - self._learnt.correlation)
        self._rise.add(number, (surprise - slack) / deviation)
        self._fall.add(number, (-surprise - slack) / deviation)
        self._waiting.append(_Block(now, before, noise))
        if len(self._waiting) > LEARNT_AFTER:
            self._learnt.learn(*self._waiting.popleft())

    def restart(self) -> None:
        """Forget the evidence, and the blocks that have not been taken for normal yet."""
        self._rise, self._fall = Evidence(self._slack.size), Evidence(self._slack.size)
        self._waiting.clear()


def alarms(  # noqa: PLR0913, PLR0917  whose series, in which blocks, and what is told of them
    version: str,
    starts: Sequence[datetime],
    deviations: Numbers,
    noises: Numbers,
    watched: Sequence[Watched],
    policy: Policy,
    figures: Callable[[Raised], Mapping[str, float]],
) -> Iterator[Alarm]:
    """The alarms of a version: see `raised`; ``figures`` are those of a change, for people."""
    for change in raised(starts, deviations, noises, watched, policy):
        series = watched[change.series]
        yield Alarm(
            version=version,
            about=series.about,
            segment=series.segment,
            start=starts[change.first],
            end=starts[change.last] + policy.block,
            statistic=change.statistic,
            threshold=change.threshold,
            figures=figures(change),
        )


def raised(
    starts: Sequence[datetime],
    deviations: Numbers,
    noises: Numbers,
    watched: Sequence[Watched],
    policy: Policy,
) -> Iterator[Raised]:
    """The changes of some series, one at a time, the clearest first.

    ``deviations`` of blocks from what is expected, and ``noises``, the variance of each that its
    count explains, have a row for each of ``starts`` and a column for each series; NaN is a block
    that is missing. After a change, nothing counts for ``policy.rest``.
    """
    allowed = policy.quiet_for / policy.block
    thresholds = allowed / np.array([each.share for each in watched])
    detector = Detector(watched)
    resting = None
    missing = np.full(len(watched), np.nan)
    for number, start in enumerate(starts):
        if resting is not None and start < resting:
            continue
        adjoins = number > 0 and starts[number - 1] + policy.block == start
        before = deviations[number - 1] if adjoins else missing
        detector.add(number, deviations[number], before, noises[number])
        clearness = detector.statistic / thresholds
        series = int(np.argmax(clearness))
        if clearness[series] >= 1:
            yield Raised(
                series,
                detector.start(series),
                number,
                float(detector.statistic[series]),
                float(thresholds[series]),
            )
            detector.restart()
            resting = start + policy.block + policy.rest
