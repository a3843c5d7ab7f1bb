"""The outcome rule in microseconds: what matches, what is late, what must be remembered."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from edml.application import Application

SPACINGS: Final = 4
"""Of a key that comes all the time, so many repetitions are found within the reach."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Rule:
    """The spans of time that scoring goes by, all in µs, and the largest error that counts in full.

    Let a record be *too late* iff its time is before its own partition's watermark less
    ``lateness``. Then ``memory`` is how long, by both inputs' watermarks, a record must be kept:

    - An outcome belongs to an event iff it comes 0 to ``reach`` after it. If the event's time is
      ``t``, such an outcome's is ``t + reach`` at most, and it is too late once the outcomes'
      watermark is past ``t + reach + lateness``. The event is not later than its outcome, so the
      same span keeps the outcome long enough.
    - A record repeats an earlier one of the same key iff their times are ``reach`` apart at most.
      It is too late once its partition's watermark is past ``t + reach + lateness``.

    So what is forgotten could not have met anything that is still to come, and when it is
    forgotten makes no difference. As records that count are more than ``reach`` apart from the
    others of their key, no event has two outcomes and no outcome has two events.
    """

    wait: int
    lateness: int
    window: int
    ahead: int
    clip: float

    @classmethod
    def of(cls, application: Application) -> Self:
        """The rule that an application declares."""
        return cls(
            wait=application.outcome.wait // _MICROSECOND,
            lateness=application.lateness // _MICROSECOND,
            window=application.window // _MICROSECOND,
            ahead=application.ahead // _MICROSECOND,
            clip=application.clip,
        )

    @property
    def reach(self) -> int:
        """The longest time between an event and an outcome that is still seen to be its own."""
        return self.wait + self.lateness

    @property
    def memory(self) -> int:
        """How far both watermarks must have gone past a record before it is forgotten."""
        return self.reach + self.lateness

    @property
    def spacing(self) -> int:
        """How much of the time before a repetition is left to one that stands for it."""
        return self.reach // SPACINGS

    def horizon(self, watermark: int) -> int:
        """The start of the oldest window that is kept: what is older, nothing can change."""
        return self.floor(watermark - self.memory)

    def rewind(self, horizon: int) -> int:
        """The time from which records are read again, so that what is kept comes out the same.

        Whether a record repeats another is told by records up to ``reach`` older.
        """
        return horizon - self.reach

    def floor(self, time: int) -> int:
        """The start of the window in which a time lies."""
        return time // self.window * self.window
