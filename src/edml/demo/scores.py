"""The errors of each version in each role, as the topic of scores tells them. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from edml.demo.figures import Day, Errors, Served
from edml.scoring.records import SCORE_KEY, WINDOW

TREND_ROWS: Final = 1000
"""A point of a trend is the RMSE of so many predictions, those scored last."""

TREND_EVERY: Final = 100
TREND_POINTS: Final = 60

Pair = tuple[str, str]
"""A version and a role."""


@dataclass
class _Trend:
    """RMSE of the last predictions, now and then."""

    squares: deque[float] = field(default_factory=lambda: deque(maxlen=TREND_ROWS))
    points: deque[float] = field(default_factory=lambda: deque(maxlen=TREND_POINTS))
    seen: int = 0

    def add(self, error: float) -> None:
        self.squares.append(error * error)
        self.seen += 1
        if self.seen % TREND_EVERY == 0:
            self.points.append((sum(self.squares) / len(self.squares)) ** 0.5)


class Scores:
    """Windows are replaced as they grow; versions and roles stand in the order of their coming."""

    def __init__(self) -> None:
        self._windows: dict[tuple[Any, ...], Errors] = {}
        self._errors: dict[Pair, Errors] = {}
        self._predictions: dict[Pair, int] = {}
        self._trends: dict[Pair, _Trend] = {}
        self._days: dict[date, Errors] = {}

    def predicted(self, version: str, role: str) -> None:
        """A version has predicted an event in a role."""
        self._predictions[version, role] = self._predictions.get((version, role), 0) + 1

    def scored(self, version: str, role: str, error: float) -> None:
        """A prediction met its outcome."""
        self._trends.setdefault((version, role), _Trend()).add(error)

    def windows(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Cumulative sums of some windows: each replaces what its key said before."""
        for record in records:
            if not record["version"]:
                continue
            key = tuple(record[name] for name in SCORE_KEY)
            pair = record["version"], record["role"]
            errors = _errors(record)
            before = self._windows.get(key, Errors())
            self._errors[pair] = self._errors.get(pair, Errors()) - before + errors
            self._windows[key] = errors
            if record["role"] == "champion":
                day = record[WINDOW].date()
                self._days[day] = self._days.get(day, Errors()) - before + errors

    @property
    def days(self) -> tuple[Day, ...]:
        """The errors of the answers by the day of their event."""
        return tuple(Day(day, self._days[day]) for day in sorted(self._days))

    @property
    def served(self) -> tuple[Served, ...]:
        """Every version in every role that it has had."""
        return tuple(
            replace(
                Served(*pair),
                predictions=count,
                errors=self._errors.get(pair, Errors()),
                trend=tuple(self._trends[pair].points) if pair in self._trends else (),
            )
            for pair, count in self._predictions.items()
        )


def _errors(record: Mapping[str, Any]) -> Errors:
    count = record["count"]
    return Errors(
        count=count,
        young=0 if record["complete"] else count,
        total=record["sum_error"],
        absolute=record["sum_absolute_error"],
        squared=record["sum_squared_error"],
    )
