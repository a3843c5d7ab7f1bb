"""What is known of the running application at one moment, for the view and the report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Errors:
    """Sums of errors that can be added up."""

    count: int = 0
    young: int = 0
    """How many of these are in windows whose longest outcomes may still be missing."""
    total: float = 0.0
    absolute: float = 0.0
    squared: float = 0.0

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.count + other.count,
            self.young + other.young,
            self.total + other.total,
            self.absolute + other.absolute,
            self.squared + other.squared,
        )

    def __sub__(self, other: "Errors") -> "Errors":
        return self + Errors(
            -other.count, -other.young, -other.total, -other.absolute, -other.squared
        )

    @property
    def mostly_young(self) -> bool:
        """Whether so many are young that the errors are told too small: more than 1 in 20."""
        return self.young * 20 > self.count

    @property
    def rmse(self) -> float | None:
        """The root of the mean squared error; None when nothing was scored."""
        return math.sqrt(self.squared / self.count) if self.count else None

    @property
    def mae(self) -> float | None:
        """The mean absolute error."""
        return self.absolute / self.count if self.count else None

    @property
    def bias(self) -> float | None:
        """The mean error: positive when predictions are too high."""
        return self.total / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Served:
    """What one version did in one role: its predictions, and their errors."""

    version: str
    role: str
    predictions: int = 0
    errors: Errors = field(default_factory=Errors)
    trend: tuple[float, ...] = ()
    """RMSE of the last predictions scored, from time to time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An event that was predicted by the champion, and its outcome once that is known."""

    key: str
    segment: str
    event_time: datetime
    prediction: float
    outcome: float | None = None

    @property
    def error(self) -> float | None:
        """Prediction less outcome."""
        return None if self.outcome is None else self.prediction - self.outcome


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a person would like to hear of."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a release has told: of which version, why, and how far events were by then."""

    kind: str
    version: str
    cause: str | None
    event_time: datetime | None


@dataclass(frozen=True, slots=True)
class Day:
    """The errors of the answers to one day's events (UTC), whichever version gave them."""

    day: date
    errors: Errors


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the event's write to the moment when its prediction was here."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Figures:
    """A moment of the application, seen from outside.

    ``predictions`` and ``scored`` count the champion's answers; what was predicted in the shadow is
    told apart in ``served``. ``rate_per_s`` is that of the last seconds, ``mean_rate_per_s`` that
    of all seconds in which events were answered. ``doubled`` counts answers beyond an event's
    first, and ``unanswered`` the good events without one.
    """

    events: int = 0
    predictions: int = 0
    scored: int = 0
    dead_letters: int = 0
    doubled: int = 0
    unanswered: int = 0
    rate_per_s: float = 0.0
    mean_rate_per_s: float = 0.0
    rates: tuple[float, ...] = ()
    latency: Latency | None = None
    recent_latency: Latency | None = None
    champion: str | None = None
    loaded: frozenset[str] = frozenset()
    served: tuple[Served, ...] = ()
    samples: Sequence[Sample] = ()
    happenings: Sequence[Happening] = ()
    event_time: datetime | None = None
    told: tuple[Told, ...] = ()
    days: tuple[Day, ...] = ()

    def last(self, *kinds: str) -> Told | None:
        """What a release of one of these kinds has told last."""
        return next((each for each in reversed(self.told) if each.kind in kinds), None)

    @property
    def counts(self) -> tuple[int, ...]:
        """What grows while anything happens."""
        read = self.events, self.predictions, self.scored, self.dead_letters
        return *read, len(self.loaded), len(self.told)

    @property
    def summed(self) -> int:
        """How many of the champion's answers the sums hold: in the end, all scored ones."""
        return sum(each.errors.count for each in self.served if each.role == "champion")

    def scored_by(self, version: str) -> int:
        """How many of the version's answers as champion have met their outcome."""
        return sum(
            each.errors.count
            for each in self.served
            if each.version == version and each.role == "champion"
        )
