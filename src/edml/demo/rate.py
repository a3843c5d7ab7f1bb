"""How many answers a second. Pure: times are seconds since 1970."""

from collections import Counter
from typing import Final

RECENT_S: Final = 3
POINTS: Final = 60


class Rate:
    """Counts by second."""

    def __init__(self) -> None:
        self._by_second: Counter[int] = Counter()
        self._first = 0.0

    def add(self, count: int, at: float) -> None:
        """So many, at this time."""
        if not count:
            return
        self._first = self._first or at
        self._by_second[int(at)] += count

    def recent(self, now: float) -> float:
        """The rate over the last full seconds."""
        return sum(self._seconds(now, RECENT_S)) / RECENT_S

    def course(self, now: float) -> tuple[float, ...]:
        """The rate of each of the last full seconds since the first, oldest first."""
        since_first = int(now) - int(self._first) if self._first else 0
        return tuple(self._seconds(now, min(POINTS, since_first)))

    @property
    def mean(self) -> float:
        """The rate in the seconds that have any: a pause does not count."""
        return self._by_second.total() / max(len(self._by_second), 1)

    def _seconds(self, now: float, count: int) -> list[float]:
        this = int(now)
        return [float(self._by_second[second]) for second in range(this - count, this)]
