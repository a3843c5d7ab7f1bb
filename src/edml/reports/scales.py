"""From values to places on a plot, and where its axes are marked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, log10
from typing import Final

_NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_DAY: Final = timedelta(days=1)
_STEPS: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    _DAY,
    2 * _DAY,
    7 * _DAY,
    14 * _DAY,
)
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60)
_MONTH: Final = 30.4 * _DAY


@dataclass(frozen=True)
class Scale:
    """Maps numbers in ``[low, high]`` to ``[start, end]``, in units of the plot.

    >>> Scale(0, 10, 100, 0)(2.5)
    75.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    @classmethod
    def around(
        cls, low: float, high: float, start: float, end: float, most: int = 5
    ) -> tuple["Scale", list[float]]:
        """A scale that begins and ends at round numbers, and at most so many of these, and two."""
        marks = nice(low, high, most)
        return cls(marks[0], marks[-1], start, end), marks


def nice(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers, evenly spaced, from at or below ``low`` to at or above ``high``.

    >>> nice(4.2, 8.7)
    [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    >>> nice(-0.3, 0.3, 4)
    [-0.4, -0.2, 0.0, 0.2, 0.4]
    >>> nice(3, 3)
    [2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6]
    """
    if high <= low:
        low, high = low - 0.5, low + 0.5
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(each * power for each in _NICE if each * power >= raw * (1 - 1e-9))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


@dataclass(frozen=True)
class Times:
    """Maps instants from ``first`` to ``last`` to ``[start, end]``."""

    first: datetime
    last: datetime
    start: float
    end: float

    def __call__(self, at: datetime) -> float:
        """Where an instant lies."""
        span = (self.last - self.first) or timedelta(seconds=1)
        return self.start + (at - self.first) / span * (self.end - self.start)

    def marks(self, most: int) -> list[tuple[datetime, str]]:
        """Round instants between both ends with what is written there; so many at most."""
        span = self.last - self.first
        step = next((each for each in _STEPS if span / each <= most), None)
        if step is not None:
            return [(at, _told(at, step)) for at in _steps(self.first, self.last, step)]
        months = next((each for each in _MONTHS if span / (each * _MONTH) <= most), _MONTHS[-1])
        return [
            (at, f"{at:%Y}" if months >= 12 else _month(at))  # noqa: PLR2004  months of a year
            for at in _month_starts(self.first, self.last, months)
        ]


def _steps(first: datetime, last: datetime, step: timedelta) -> Iterator[datetime]:
    # Weeks begin on Mondays: the first day of 1970 was a Thursday.
    origin = datetime(1970, 1, 5, tzinfo=UTC)
    at = origin + ceil((first - origin) / step) * step
    while at <= last:
        yield at
        at += step


def _month_starts(first: datetime, last: datetime, every: int) -> Iterator[datetime]:
    month = first.year * 12 + first.month - 1
    month = ceil(month / every) * every
    while True:
        at = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        if at > last:
            return
        if at >= first:
            yield at
        month += every


def _told(at: datetime, step: timedelta) -> str:
    if step < _DAY and at.time() != datetime.min.time():
        return f"{at:%H:%M}"
    return f"{at.day} {at:%b}"


def _month(at: datetime) -> str:
    return f"{at:%b %Y}" if at.month == 1 else f"{at:%b}"
