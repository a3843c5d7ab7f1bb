"""Which records are due by now. The time is any clock's that only moves forward, in seconds."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pacer:
    """A schedule that runs: ``due_s`` is when each record is due, in order; it may be paused.

    At the time ``since_s`` the schedule stood at ``position_s``.

    >>> pacer = Pacer.at_speed(np.array([0.0, 60.0, 90.0]), 60).begin(0, now_s=1000)
    >>> [pacer.due(now_s) for now_s in (1000.0, 1001.0, 1001.5)]
    [1, 2, 3]
    """

    due_s: Seconds
    position_s: float = 0.0
    since_s: float = 0.0
    paused: bool = True

    @staticmethod
    def at_speed(event_s: Seconds, speed: float) -> "Pacer":
        """Records at their event times, ``speed`` times as fast; infinity is all at once."""
        return Pacer(event_s / speed)

    @staticmethod
    def at_rate(records: int, rate_per_s: float) -> "Pacer":
        """So many records in every second, whatever their event times."""
        return Pacer(np.arange(records) / rate_per_s)

    def begin(self, position_s: float, *, now_s: float) -> "Pacer":
        """Run from this position of the schedule on."""
        return replace(self, position_s=position_s, since_s=now_s, paused=False)

    def due(self, now_s: float) -> int:
        """How many records are due by now, from the very first."""
        return int(np.searchsorted(self.due_s, self._position_s(now_s), side="right"))

    def wait_s(self, done: int, now_s: float) -> float:
        """How long until the next record is due; infinite while paused or when all are done."""
        if self.paused or done >= len(self.due_s):
            return inf
        return max(0.0, float(self.due_s[done]) - self._position_s(now_s))

    def toggled(self, now_s: float) -> "Pacer":
        """Paused if it ran, running on from where it stood if it was paused."""
        return replace(
            self, position_s=self._position_s(now_s), since_s=now_s, paused=not self.paused
        )

    def later_by(self, seconds: float) -> "Pacer":
        """As if the last ``seconds`` had not passed."""
        return replace(self, since_s=self.since_s + seconds)

    def _position_s(self, now_s: float) -> float:
        return self.position_s if self.paused else self.position_s + now_s - self.since_s
