"""How far one input partition is in event time, and from where it must be read again.

All times are microseconds since 1970, UTC.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from edml.scoring.growing import Integers

NEVER: Final = -(1 << 62)
"""Before every time that a record can carry."""


@dataclass(frozen=True)
class Watermark:
    """One input partition's progress.

    ``latest`` is the latest event time among its records: their own watermark, which says which
    record is too late. ``idle`` is how far the wall clock has carried it while the partition was
    read to its end and nothing came: from ``base``, at the instant ``arrived`` of the wall clock.

    ``trail`` holds, for each width of time that ``latest`` entered, the offset of the record that
    took it there. Such a record is later than all before it: read from there on, every record meets
    the same watermark as the first time.
    """

    latest: int = NEVER
    idle: int = NEVER
    base: int = NEVER
    arrived: int = NEVER
    trail: tuple[tuple[int, int], ...] = ()

    @property
    def reached(self) -> int:
        """How far the partition is, by its records or by the clock."""
        return max(self.latest, self.idle)

    def after(
        self, times: Integers, offsets: Integers, width: int, now: int
    ) -> tuple[Integers, Self]:
        """What becomes of it with new records, in order, of which there is one at least.

        Gives back, too, the watermark that each of the records meets.
        """
        running = np.empty(times.size + 1, dtype=np.int64)
        running[0], running[1:] = self.latest, times
        np.maximum.accumulate(running, out=running)
        latest = int(running[-1])
        trail = self.trail
        if latest // width > self.latest // width:
            steps = running // width
            entered = np.flatnonzero(steps[1:] > steps[:-1])
            times_entered = (steps[entered + 1] * width).tolist()
            trail = (*trail, *zip(times_entered, offsets[entered].tolist(), strict=True))
        return running[:-1], replace(self, latest=latest, base=latest, arrived=now, trail=trail)

    def waited(self, now: int, other: Self | None) -> Self:
        """The watermark when nothing has come, and the partition is read to its end.

        An input that never had a record begins where the ``other`` one of the partition began.
        """
        if self.base == NEVER:
            if other is None or not other.trail:
                return self
            start = other.trail[0][0]
            return replace(self, idle=start, base=start, arrived=now)
        return replace(self, idle=max(self.idle, self.base + max(0, now - self.arrived)))

    def since(self, time: int) -> Self:
        """Without what the trail holds only for records before ``time``."""
        needed = sum(step <= time for step, _ in self.trail)
        return self if needed <= 1 else replace(self, trail=self.trail[needed - 1 :])

    @property
    def rewind(self) -> int | None:
        """The offset to read from, so that all that the trail is kept for comes again."""
        return self.trail[0][1] if self.trail else None
